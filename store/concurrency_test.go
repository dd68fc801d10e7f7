package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"dvmrelay/nip90"
	"dvmrelay/store"
	"dvmrelay/store/storetest"

	"github.com/nbd-wtf/go-nostr"
)

func TestSave_ConcurrentVersionsLeaveTheNewest(t *testing.T) {
	s := storetest.Open(t, fixed(1))
	const writers, versions = 16, 40
	var wg sync.WaitGroup
	for n := range writers {
		wg.Go(func() {
			for v := range versions {
				e := event(1, 31990, int64(1000+v), nostr.Tag{"d", "one"}, nostr.Tag{"writer", fmt.Sprint(n)})
				if _, _, err := s.Save(context.Background(), storetest.Parsed(t, e)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	var best string
	for n := range writers {
		e := event(1, 31990, 1000+versions-1, nostr.Tag{"d", "one"}, nostr.Tag{"writer", fmt.Sprint(n)})
		if id := e.GetID(); best == "" || id < best {
			best = id
		}
	}
	if got := s.IDs(t, nostr.Filter{Kinds: []int{31990}}); len(got) != 1 || got[0] != best {
		t.Errorf("versions left: got %v, want %s", got, best)
	}
}

func TestSave_SameEventAtOnceIsStoredOnce(t *testing.T) {
	s := storetest.Open(t, fixed(1))
	for round := range 50 {
		p := storetest.Parsed(t, event(1, 5300, int64(1000+round)))
		var stored atomic.Int32
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				switch outcome, _, err := s.Save(context.Background(), p); {
				case err != nil:
					t.Error(err)
				case outcome == store.Stored:
					stored.Add(1)
				case outcome != store.Duplicate:
					t.Errorf("outcome: got %d, want Duplicate", outcome)
				}
			})
		}
		wg.Wait()
		if stored.Load() != 1 {
			t.Fatalf("round %d: stored %d times, want once", round, stored.Load())
		}
	}
}

// countingIndexer writes a row for each event and fails for one kind.
type countingIndexer struct{ failing int }

var errIndexer = errors.New("will not")

func (c countingIndexer) Apply(t store.Txn, f store.Fact, p *nip90.Parsed) (store.Change, error) {
	key := append([]byte{store.IndexSpace, 'c'}, f.ID[:]...)
	t.Set(key, []byte{1})
	if f.Kind == c.failing {
		return store.Change{}, errIndexer
	}
	return store.Change{Roots: []nip90.ID{f.ID}}, nil
}

func (c countingIndexer) Remove(t store.Txn, f store.Fact, why store.Loss, _ nip90.ID) (store.Change, error) {
	key := append([]byte{store.IndexSpace, 'c'}, f.ID[:]...)
	if why == store.LossErased {
		t.Delete(key)
	} else {
		t.Set(key, []byte{2, byte(why)})
	}
	return store.Change{Roots: []nip90.ID{f.ID}}, nil
}

func indexRows(t *testing.T, s *storetest.Running) map[string][]byte {
	t.Helper()
	rows := make(map[string][]byte)
	err := s.View(func(r store.Reader) error {
		return r.Scan([]byte{store.IndexSpace}, nil, func(key, value []byte) bool {
			rows[string(key[1:])] = bytes.Clone(value)
			return true
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

func TestSave_FailedApplyLeavesNothingAndTheGroupGoesOn(t *testing.T) {
	refused := errors.New("not here")
	var heard atomic.Int64
	s := storetest.Open(t, fixed(1), storetest.With(func(o *store.Options) {
		o.Indexer = countingIndexer{failing: 5999}
		o.Admit = func(_ store.Txn, p *nip90.Parsed) error {
			if p.Event.Kind == 5998 {
				return refused
			}
			return nil
		}
		o.Committed = func(_ uint64, cs []store.Commit) { heard.Add(int64(len(cs))) }
	}))
	var pending []*store.Pending
	for n := range 300 {
		p := storetest.Parsed(t, event(1, 5997+n%3, int64(1000+n)))
		w, err := s.Submit(context.Background(), p)
		if err != nil {
			t.Fatal(err)
		}
		pending = append(pending, w)
	}
	for n, w := range pending {
		outcome, change, err := w.Wait(context.Background())
		want := []error{nil, refused, errIndexer}[n%3]
		if !errors.Is(err, want) || err == nil && (outcome != store.Stored || change.Version == 0 || len(change.Roots) != 1) {
			t.Errorf("event %d: got %d, %+v, %v, want error %v", n, outcome, change, err, want)
		}
	}
	if got := len(s.IDs(t, nostr.Filter{})); got != 100 {
		t.Errorf("events: got %d, want 100", got)
	}
	if got := len(indexRows(t, s)); got != 100 || heard.Load() != 100 {
		t.Errorf("index rows and commits heard: got %d and %d, want 100", got, heard.Load())
	}
}

func TestSnapshot_StandsStillWhileEventsComeAndGo(t *testing.T) {
	s := storetest.Open(t, fixed(1))
	first := storetest.Parsed(t, event(1, 31990, 1000, nostr.Tag{"d", "x"}))
	s.Put(t, first)
	snap := s.Snapshot()
	defer snap.Close()
	for n := range 100 {
		s.Put(t, storetest.Parsed(t, event(1, 31990, int64(1001+n), nostr.Tag{"d", "x"})))
	}
	var got []string
	for raw, err := range snap.Query(context.Background(), nostr.Filter{Kinds: []int{31990}}) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, raw.ID.String())
	}
	if len(got) != 1 || got[0] != first.Event.ID {
		t.Errorf("old snapshot: got %v, want %s", got, first.Event.ID)
	}
	if n, err := snap.Count(context.Background(), nostr.Filter{}); n != 1 || err != nil {
		t.Errorf("old snapshot: counted %d, %v, want 1", n, err)
	}
}

func TestQuery_ReaderThatLeavesHoldsNothing(t *testing.T) {
	s := storetest.Open(t, fixed(1))
	for n := range 20 {
		s.Put(t, storetest.Parsed(t, event(1, 5300, int64(1000+n))))
	}
	for _, err := range s.Query(context.Background(), nostr.Filter{}) {
		if err != nil {
			t.Error(err)
		}
		break
	}
	if st := s.Stats(); st.Snapshots != 0 {
		t.Errorf("open snapshots: got %d, want 0", st.Snapshots)
	}
	ctx, cancel := context.WithCancel(context.Background())
	n := 0
	var last error
	for _, err := range s.Query(ctx, nostr.Filter{}) {
		if last = err; err != nil {
			break
		}
		if n++; n == 5 {
			cancel()
		}
	}
	cancel()
	if !errors.Is(last, context.Canceled) || n != 5 {
		t.Errorf("cancelled query: got %d events and %v, want 5 and context.Canceled", n, last)
	}
}

func TestQuery_OverBudgetEndsWithErrBudget(t *testing.T) {
	s := storetest.Open(t, fixed(1), storetest.With(func(o *store.Options) { o.QueryBudget = time.Nanosecond }))
	for n := range 200 {
		s.Put(t, storetest.Parsed(t, event(1, 5300, int64(1000+n))))
	}
	var last error
	for _, err := range s.Query(context.Background(), nostr.Filter{}) {
		last = err
	}
	if !errors.Is(last, store.ErrBudget) {
		t.Errorf("got %v, want ErrBudget", last)
	}
}

func TestSave_LargeResultComesBackByteForByte(t *testing.T) {
	s := storetest.Open(t, fixed(1))
	var want [][]byte
	for n := range 40 {
		e := event(1, 6300, int64(1000+n), nostr.Tag{"e", key(9)}, nostr.Tag{"request", strings.Repeat(`{"quoted":"\"\\"}`, 4000)})
		e.Content = strings.Repeat("é\n\"content\" ", 12000)
		p := storetest.Parsed(t, e)
		if len(p.Raw) < 250_000 {
			t.Fatalf("test event has %d bytes", len(p.Raw))
		}
		want = append(want, p.Raw)
		if _, err := s.Submit(context.Background(), p); err != nil {
			t.Fatal(err)
		}
	}
	s.Put(t, storetest.Parsed(t, event(1, 7000, 1)))
	n := len(want)
	for raw, err := range s.Query(context.Background(), nostr.Filter{Tags: nostr.TagMap{"e": {key(9)}}}) {
		if n--; err != nil || !bytes.Equal(raw.JSON, want[n]) {
			t.Fatalf("event %d: %v, %d bytes, want %d", n, err, len(raw.JSON), len(want[n]))
		}
	}
	if n != 0 {
		t.Errorf("%d large events are missing", n)
	}
	huge := event(1, 6300, 5000)
	huge.Content = strings.Repeat("x", 3<<20)
	if _, _, err := s.Save(context.Background(), storetest.Parsed(t, huge)); !errors.Is(err, store.ErrBadEvent) {
		t.Errorf("3 MiB event: got %v, want ErrBadEvent", err)
	}
}

// TestUpdate_WithAnEndedContextDoesNothing: who gave up before does not find it done.
func TestUpdate_WithAnEndedContextDoesNothing(t *testing.T) {
	s := storetest.Open(t)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for range 200 {
		err := s.Update(ctx, func(store.Txn) error {
			t.Error("it ran")
			return nil
		})
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("update: got %v, want %v", err, context.Canceled)
		}
		p := storetest.Parsed(t, event(1, 5300, 1000))
		if _, _, err := s.Save(ctx, p); !errors.Is(err, context.Canceled) {
			t.Fatalf("save: got %v, want %v", err, context.Canceled)
		}
	}
	if n := s.Stats().Facts; n != 0 {
		t.Errorf("%d events saved, want none", n)
	}
}
