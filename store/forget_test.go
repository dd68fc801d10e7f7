package store_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"dvmrelay/nip90"
	"dvmrelay/store"
	"dvmrelay/store/storetest"

	"github.com/nbd-wtf/go-nostr"
)

// permute calls fn with every order of n things.
func permute(n int, fn func(order []int)) {
	order := make([]int, 0, n)
	var rest func(used int)
	rest = func(used int) {
		if len(order) == n {
			fn(order)
			return
		}
		for i := range n {
			if used&(1<<i) == 0 {
				order = append(order, i)
				rest(used | 1<<i)
				order = order[:len(order)-1]
			}
		}
	}
	rest(0)
}

func TestDelete_EveryOrderEndsTheSame(t *testing.T) {
	request := event(1, 5300, 1000)
	request.ID = request.GetID()
	old := event(1, 31990, 1000, nostr.Tag{"d", "x"})
	fresh := event(1, 31990, 1002, nostr.Tag{"d", "x"})
	deletion := event(1, 5, 1001, nostr.Tag{"e", request.ID}, nostr.Tag{"a", "31990:" + key(1) + ":x"})
	deletion.ID = deletion.GetID()
	again := event(1, 5, 1003, nostr.Tag{"e", deletion.ID})
	foreign := event(2, 5, 1004, nostr.Tag{"a", "31990:" + key(1) + ":x"})
	all := []nostr.Event{request, old, fresh, deletion, again, foreign}
	want := map[string]bool{fresh.GetID(): true, deletion.ID: true, again.GetID(): true, foreign.GetID(): true}

	s := storetest.Open(t, fixed(1), storetest.With(func(o *store.Options) { o.Indexer = countingIndexer{} }))
	round := 0
	permute(len(all), func(order []int) {
		// Another author each time keeps the rounds apart in one store.
		if round++; round%8 != 0 {
			return
		}
		author := fmt.Sprintf("%064x", round)
		swap := make(map[string]string)
		for _, e := range all {
			swap[e.GetID()] = moved(&e, author, swap)
		}
		ids := make(map[string]nostr.Event)
		for _, e := range all {
			moved(&e, author, swap)
			ids[e.ID] = e
		}
		for _, i := range order {
			e := all[i]
			moved(&e, author, swap)
			s.Put(t, storetest.Parsed(t, e))
		}
		left := s.IDs(t, nostr.Filter{Authors: []string{author}})
		left = append(left, s.IDs(t, nostr.Filter{Authors: []string{"f" + author[1:]}})...)
		if len(left) != len(want) {
			t.Fatalf("order %v: got %d events, want %d", order, len(left), len(want))
		}
		for before, after := range swap {
			if _, ok := ids[after]; want[before] != contains(left, after) || !ok {
				t.Fatalf("order %v: event %s of kind %d is served: %t", order, after, ids[after].Kind, !want[before])
			}
		}
	})
}

func contains(ids []string, id string) bool {
	for _, other := range ids {
		if other == id {
			return true
		}
	}
	return false
}

// moved gives an event of authors 1 and 2 to another pair of authors and returns its new id.
func moved(e *nostr.Event, author string, swap map[string]string) string {
	if e.PubKey == key(1) {
		e.PubKey = author
	} else {
		e.PubKey = "f" + author[1:]
	}
	tags := nostr.Tags{}
	for _, tag := range e.Tags {
		switch value := tag[1]; {
		case tag[0] == "e":
			tags = append(tags, nostr.Tag{"e", swap[value]})
		case tag[0] == "a":
			tags = append(tags, nostr.Tag{"a", "31990:" + author + ":x"})
		default:
			tags = append(tags, tag)
		}
	}
	e.Tags = tags
	e.ID = e.GetID()
	return e.ID
}

func TestDelete_ManyTargetsAreRemovedInSteps(t *testing.T) {
	s := storetest.Open(t, fixed(1), storetest.With(func(o *store.Options) { o.Indexer = countingIndexer{} }))
	deletion := event(1, 5, 5000)
	for n := range 1000 {
		p := storetest.Parsed(t, event(1, 5300, int64(1000+n)))
		deletion.Tags = append(deletion.Tags, nostr.Tag{"e", p.Event.ID})
		s.Put(t, p)
	}
	deletion.Tags = append(deletion.Tags, nostr.Tag{"e", key(77)})
	s.Put(t, storetest.Parsed(t, deletion))
	eventually(t, "deletion", func() bool { return len(s.IDs(t, nostr.Filter{})) == 1 })
	deleted := 0
	for _, row := range indexRows(t, s) {
		if len(row) == 2 && row[1] == byte(store.LossDeleted) {
			deleted++
		}
	}
	if deleted != 1000 {
		t.Errorf("index heard of %d deletions, want 1000", deleted)
	}
}

func TestVanish_ErasesFactsAndRefusesTheirReturn(t *testing.T) {
	dir := t.TempDir()
	var now atomic.Int64
	now.Store(1)
	opts := []storetest.Option{inDir(dir), storetest.With(func(o *store.Options) {
		o.Now = func() time.Time { return time.Unix(now.Load(), 0) }
		o.Indexer, o.VanishURL, o.SweepEvery = countingIndexer{}, "wss://relay.example.com", time.Millisecond
	})}
	s := storetest.Open(t, opts...)
	var gone []*nip90.Parsed
	for n := range 700 {
		e := event(1, 5300+n%3, int64(1000+n))
		if n%5 == 0 {
			e.Tags = nostr.Tags{{"expiration", "3000"}}
		}
		if n == 7 {
			e.Kind, e.Tags = 5, nostr.Tags{{"e", key(99)}, {"a", "31990:" + key(1) + ":x"}}
		}
		p := storetest.Parsed(t, e)
		gone = append(gone, p)
		s.Put(t, p)
	}
	now.Store(4000)
	if err := s.Sweep(context.Background()); err != nil {
		t.Fatal(err)
	}
	later := storetest.Parsed(t, event(1, 5300, 9000))
	other := storetest.Parsed(t, event(2, 5300, 1000))
	elsewhere := storetest.Parsed(t, event(1, 62, 1500, nostr.Tag{"relay", "wss://other.example.com"}))
	vanish := storetest.Parsed(t, event(1, 62, 5000, nostr.Tag{"relay", "wss://relay.example.com/"}))
	for _, p := range []*nip90.Parsed{later, other, elsewhere, vanish} {
		s.Put(t, p)
	}
	if got := s.IDs(t, nostr.Filter{Kinds: []int{5, 5300, 5301, 5302}}); len(got) != 2 {
		t.Errorf("served at once: got %d events, want 2", len(got))
	}
	// The rest of the erasing may as well happen after a restart.
	s.Stop()
	s = storetest.Open(t, opts...)
	eventually(t, "erasing", func() bool { return s.Stats().Vanishing == 0 })
	if got := s.IDs(t, nostr.Filter{}); len(got) != 3 {
		t.Errorf("left: got %v, want the later event, the other key's and the request", got)
	}
	if got := len(indexRows(t, s)); got != 3 {
		t.Errorf("index rows: got %d, want 3", got)
	}
	for _, p := range gone {
		if known, err := s.Known(p.ID); err != nil || known {
			t.Fatalf("event %s: known %t, %v", p.ID, known, err)
		}
		if outcome := s.Put(t, p); outcome != store.Deleted {
			t.Fatalf("event %s again: got %d, want Deleted", p.ID, outcome)
		}
	}
	err := s.View(func(r store.Reader) error {
		counts, err := store.KeyCounts(r)
		if counts['d'] != 0 || counts['z'] != 0 || counts['g'] != 0 || counts['w'] != 0 || counts['v'] != 1 {
			t.Errorf("rows left by table: %v", counts)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func TestExpiry_NeverServedAndSweptAway(t *testing.T) {
	var now atomic.Int64
	now.Store(1000)
	s := storetest.Open(t, storetest.With(func(o *store.Options) {
		o.Now = func() time.Time { return time.Unix(now.Load(), 0) }
		o.SweepEvery, o.Indexer = time.Hour, countingIndexer{}
	}))
	for n := range 500 {
		e := event(1, 5300, int64(500+n), nostr.Tag{"expiration", fmt.Sprint(1100 + n%2*1000)}, nostr.Tag{"t", "x"})
		s.Put(t, storetest.Parsed(t, e))
	}
	filters := []nostr.Filter{{}, {Kinds: []int{5300}}, {Authors: []string{key(1)}}, {Tags: nostr.TagMap{"t": {"x"}}}}
	check := func(what string, want int) {
		t.Helper()
		for _, f := range filters {
			n, err := s.Count(context.Background(), f)
			if got := len(s.IDs(t, f)); got != want || int(n) != want || err != nil {
				t.Errorf("%s: filter %s: got %d events, counted %d, %v, want %d", what, f, got, n, err, want)
			}
		}
	}
	check("before", 500)
	now.Store(1100)
	check("expired, not swept", 250)
	if err := s.Sweep(context.Background()); err != nil {
		t.Fatal(err)
	}
	check("swept", 250)
	st := s.Stats()
	if st.Bodies != 250 || st.Facts != 500 {
		t.Errorf("after the sweep: %d bodies and %d facts, want 250 and 500", st.Bodies, st.Facts)
	}
	expired := 0
	for _, row := range indexRows(t, s) {
		if len(row) == 2 && row[1] == byte(store.LossExpired) {
			expired++
		}
	}
	if expired != 250 {
		t.Errorf("index heard of %d expiries, want 250", expired)
	}
}

func TestUpdate_IsAtomicAndKeepsToItsSpace(t *testing.T) {
	s := storetest.Open(t)
	ctx := context.Background()
	err := s.Update(ctx, func(txn store.Txn) error {
		txn.Set([]byte{store.IndexSpace, 2}, []byte("b"))
		txn.Set([]byte{store.IndexSpace, 1}, []byte("a"))
		var keys []byte
		err := txn.Scan([]byte{store.IndexSpace}, nil, func(key, _ []byte) bool {
			keys = append(keys, key[1])
			return true
		})
		if string(keys) != "\x01\x02" {
			t.Errorf("scan in the transaction: got %v", keys)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Update(ctx, func(txn store.Txn) error {
		txn.Delete([]byte{store.IndexSpace, 1})
		txn.Set([]byte{'e', 1}, nil)
		return nil
	}); err == nil {
		t.Error("a key of the store was written without an error")
	}
	rows := indexRows(t, s)
	if len(rows) != 2 {
		t.Errorf("after a failed update: got %d rows, want 2", len(rows))
	}
	if err := s.DropIndex(ctx); err != nil {
		t.Fatal(err)
	}
	if rows := indexRows(t, s); len(rows) != 0 {
		t.Errorf("after DropIndex: got %d rows", len(rows))
	}
	if err := s.SetMeta(ctx, "watermark", []byte("42")); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Meta("watermark"); err != nil || string(got) != "42" {
		t.Errorf("meta: got %q, %v", got, err)
	}
}

// Update may be left while its function waits for the writer, but not while that runs: the caller's variables are its own
// again when Update returns.
func TestUpdate_LeftInTheQueueNeverRuns(t *testing.T) {
	s := storetest.Open(t)
	begun, goOn := make(chan struct{}), make(chan struct{})
	first := make(chan error, 1)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		first <- s.Update(ctx, func(store.Txn) error {
			close(begun)
			<-goOn
			return nil
		})
	}()
	<-begun
	gone, leave := context.WithCancel(context.Background())
	leave()
	ran := false
	if err := s.Update(gone, func(store.Txn) error { ran = true; return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("update that was left = %v, want %v", err, context.Canceled)
	}
	cancel()
	select {
	case err := <-first:
		t.Errorf("update returned %v while its function ran", err)
	default:
	}
	close(goOn)
	if err := <-first; err != nil {
		t.Errorf("update that ran = %v, want its own result", err)
	}
	if err := s.Update(context.Background(), func(store.Txn) error { return nil }); err != nil || ran {
		t.Errorf("then an update = %v, and the one that was left ran: %v", err, ran)
	}
}
