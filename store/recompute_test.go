package store_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"dvmrelay/index"
	"dvmrelay/nip90"
	"dvmrelay/store"
	"dvmrelay/store/storetest"

	"github.com/nbd-wtf/go-nostr"
)

// facts are all facts of a store by their ids.
func facts(t *testing.T, s *storetest.Running) map[nip90.ID]store.Fact {
	t.Helper()
	all := make(map[nip90.ID]store.Fact)
	err := s.View(func(r store.Reader) error {
		return store.ScanFacts(r, nip90.ID{}, func(f store.Fact) bool {
			all[f.ID] = f
			return true
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func recompute(t *testing.T, s *storetest.Running, parse store.Reading) store.Recomputed {
	t.Helper()
	done, err := s.Recompute(context.Background(), parse, nil)
	if err != nil {
		t.Fatalf("recompute: %v", err)
	}
	return done
}

func sameFacts(t *testing.T, got, want map[nip90.ID]store.Fact) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("got %d facts, want %d", len(got), len(want))
	}
	for id, f := range want {
		if !reflect.DeepEqual(got[id], f) {
			t.Errorf("fact %s: got %+v, want %+v", id, got[id], f)
		}
	}
}

// An unchanged parser changes nothing, whatever became of the events here: what is read from a stored body is what was
// read at the door.
func TestRecompute_TheSameParserChangesNothing(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	x := index.New(index.Options{KeepCustomer: true})
	s := storetest.Open(t, storetest.With(func(o *store.Options) { o.Indexer = x }), storetest.Check(x.Check))
	for _, p := range realEvents(t) {
		s.Put(t, p)
	}
	w := newTraffic()
	w.Rand = rand.New(rand.NewPCG(seed, 0))
	for range 2000 {
		p, err := w.parsed()
		if err != nil {
			t.Fatal(err)
		}
		s.Put(t, p)
	}
	before := facts(t, s)
	version := s.Stats().Version
	done := recompute(t, s, nil)
	if done.Changed != 0 || done.Unread != 0 || done.Bodies != s.Stats().Bodies {
		t.Errorf("got %+v, want %d bodies and no change", done, s.Stats().Bodies)
	}
	sameFacts(t, facts(t, s), before)
	if got := s.Stats().Version; got != version {
		t.Errorf("version went from %d to %d, want nothing written", version, got)
	}
}

// older makes of a store what a parser that understood less would have left.
func older(t *testing.T, s *storetest.Running, rnd *rand.Rand) (altered int) {
	t.Helper()
	for id, f := range facts(t, s) {
		if !f.Has(store.FactBody) || rnd.IntN(2) == 0 {
			continue
		}
		altered++
		err := s.AlterFact(context.Background(), id, func(f *store.Fact) {
			f.Links, f.People, f.Payment = nil, nil, [8]byte{1, byte(rnd.IntN(256))}
			f.Role, f.Status, f.Msat, f.InvoiceAt = nip90.RoleReport, nip90.Partial, 7, 9
			f.Flags = f.Flags&(store.FactBody|store.FactDeleted|store.FactBornDead) | store.FactEncrypted
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return altered
}

func TestRecompute_FactsOfAnOlderParser(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	x := index.New(index.Options{KeepCustomer: true})
	s := storetest.Open(t, storetest.With(func(o *store.Options) { o.Indexer = x }), storetest.Check(x.Check))
	for _, p := range realEvents(t) {
		s.Put(t, p)
	}
	w := newTraffic()
	w.Rand = rnd
	for range 1500 {
		p, err := w.parsed()
		if err != nil {
			t.Fatal(err)
		}
		s.Put(t, p)
	}
	before := facts(t, s)
	altered := older(t, s, rnd)
	if err := s.View(x.Check); err == nil {
		t.Fatal("the index agrees with facts that it was not folded from")
	}
	var told []index.Progress
	if err := x.Rebuild(context.Background(), s.Store, func(p index.Progress) { told = append(told, p) }); err != nil {
		t.Fatal(err)
	}
	last := told[len(told)-1]
	if last.Phase != index.PhaseSettle || last.Changed != int64(altered) || last.Bodies != s.Stats().Bodies {
		t.Errorf("told %+v at the end, want %d facts changed of %d bodies", last, altered, s.Stats().Bodies)
	}
	sameFacts(t, facts(t, s), before)
	if err := s.View(x.Check); err != nil {
		t.Errorf("check after the rebuild: %v", err)
	}
}

// What the old parser knew and what happened here stays; what was lost of a fact comes back.
func TestRecompute_OneFact(t *testing.T) {
	ctx := context.Background()
	now := time.Unix(1_700_000_000, 0)
	clock := storetest.With(func(o *store.Options) { o.Now = func() time.Time { return now } })
	at := now.Unix()
	for _, c := range []struct {
		name    string
		tags    []nostr.Tag
		spoil   func(t *testing.T, s *storetest.Running, id nip90.ID)
		changed int64
	}{
		{"arrival stays", nil, func(t *testing.T, s *storetest.Running, id nip90.ID) {
			alter(t, s, id, func(f *store.Fact) { f.Received = 42 })
		}, 0},
		{"status", nil, func(t *testing.T, s *storetest.Running, id nip90.ID) {
			alter(t, s, id, func(f *store.Fact) { f.Status = nip90.Error })
		}, 1},
		{"expiry was read wrongly", []nostr.Tag{{"expiration", "1700000600"}}, func(t *testing.T, s *storetest.Running, id nip90.ID) {
			if err := s.AlterExpiry(ctx, id, at+9000); err != nil {
				t.Fatal(err)
			}
		}, 1},
		{"expiry was not read", []nostr.Tag{{"expiration", "1700000600"}}, func(t *testing.T, s *storetest.Running, id nip90.ID) {
			if err := s.AlterExpiry(ctx, id, 0); err != nil {
				t.Fatal(err)
			}
		}, 1},
		{"expiry was invented", nil, func(t *testing.T, s *storetest.Running, id nip90.ID) {
			if err := s.AlterExpiry(ctx, id, at+9000); err != nil {
				t.Fatal(err)
			}
		}, 1},
		{"fact is damaged", nil, func(t *testing.T, s *storetest.Running, id nip90.ID) {
			damage(t, s, map[string][]byte{"f" + string(id[:]): []byte("\x01nonsense")})
		}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := storetest.Open(t, clock)
			evt := event(1, 7000, at-60, append([]nostr.Tag{{"status", "processing"}, {"e", key(9)}}, c.tags...)...)
			p := storetest.Parsed(t, evt)
			s.Put(t, p)
			want := facts(t, s)[p.ID]
			c.spoil(t, s, p.ID)
			if c.changed == 0 {
				want = facts(t, s)[p.ID]
			}
			if done := recompute(t, s, nil); done.Changed != c.changed {
				t.Errorf("%d facts changed, want %d", done.Changed, c.changed)
			}
			got := facts(t, s)[p.ID]
			if c.name == "fact is damaged" {
				got.Received = want.Received // when it came is lost with the fact
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("got %+v, want %+v", got, want)
			}
			if s.Stats().Facts != 1 {
				t.Errorf("%d facts are counted, want 1", s.Stats().Facts)
			}
		})
	}
}

func TestRecompute_KeepsFactsWithoutBodiesAndWhatCannotBeRead(t *testing.T) {
	ctx := context.Background()
	s := storetest.Open(t)
	gone := storetest.Parsed(t, event(1, 5300, 1_700_000_000))
	kept := storetest.Parsed(t, event(2, 5300, 1_700_000_000))
	s.Put(t, gone)
	s.Put(t, kept)
	s.Put(t, storetest.Parsed(t, event(1, 5, 1_700_000_001, nostr.Tag{"e", gone.Event.ID})))
	alter(t, s, gone.ID, func(f *store.Fact) { f.Msat = 5 })
	alter(t, s, kept.ID, func(f *store.Fact) { f.Msat = 6 })
	before := facts(t, s)
	done, err := s.Recompute(ctx, func(store.Raw, time.Time) (*nip90.Parsed, error) { return nil, errors.New("no") }, nil)
	if err != nil || done.Unread != 2 || done.Changed != 0 {
		t.Errorf("got %+v, %v; want 2 unreadable and no change", done, err)
	}
	sameFacts(t, facts(t, s), before)
	if done := recompute(t, s, nil); done.Changed != 1 || done.Bodies != 2 {
		t.Errorf("got %+v, want 1 of 2 changed", done)
	}
	if f := facts(t, s)[gone.ID]; f.Msat != 5 {
		t.Errorf("the fact without a body was changed: %+v", f)
	}
}

// Events that come, go and are read anew all at once end as if one had come after the other.
func TestRecompute_WhileEventsComeAndGo(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	ctx := context.Background()
	s := storetest.Open(t)
	var first []*nip90.Parsed
	for i := range 3000 {
		p := storetest.Parsed(t, event(1+rnd.IntN(20), 5300, int64(1_700_000_000+i), nostr.Tag{"bid", "1000"}))
		first = append(first, p)
		s.Put(t, p)
	}
	older(t, s, rnd)
	ended := make(chan error, 1)
	go func() {
		_, err := s.Recompute(ctx, nil, nil)
		ended <- err
	}()
	for i, p := range first {
		if i%3 != 0 {
			continue
		}
		del := storetest.Parsed(t, nostr.Event{PubKey: p.Event.PubKey, Kind: 5, CreatedAt: 1_700_010_000, Tags: nostr.Tags{{"e", p.Event.ID}}})
		s.Put(t, del)
		s.Put(t, storetest.Parsed(t, event(3, 5300, int64(1_700_020_000+i))))
	}
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	for id, f := range facts(t, s) {
		if f.Has(store.FactBody) && f.Role == nip90.RoleReport {
			t.Errorf("fact %s is still that of the older parser", id)
		}
		if f.Has(store.FactBody) && f.Has(store.FactDeleted) {
			t.Errorf("fact %s was deleted and has a body", id)
		}
	}
}

func TestRecompute_EndsWithItsContext(t *testing.T) {
	s := storetest.Open(t)
	for i := range 3 {
		s.Put(t, storetest.Parsed(t, event(1, 5300, int64(1_700_000_000+i))))
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := s.Recompute(ctx, nil, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
}

func alter(t *testing.T, s *storetest.Running, id nip90.ID, change func(*store.Fact)) {
	t.Helper()
	if err := s.AlterFact(context.Background(), id, change); err != nil {
		t.Fatal(err)
	}
}

func damage(t *testing.T, s *storetest.Running, rows map[string][]byte) {
	t.Helper()
	if err := s.Damage(context.Background(), rows); err != nil {
		t.Fatal(err)
	}
}
