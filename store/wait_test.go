package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"dvmrelay/nip90"
	"dvmrelay/store"
	"dvmrelay/store/storetest"

	"github.com/nbd-wtf/go-nostr"
)

func TestWaiting_ComesInWithWhatItIsAbout(t *testing.T) {
	r := openWaiting(t)
	job := storetest.Parsed(t, event(1, 5300, waitEpoch-100))
	child := by(nip90.DoorSocket, report(t, 2, job))
	child.Source = "wss://somewhere.example"
	r.put(t, child, store.Waiting)
	if !r.Waits(child.ID) || r.Stats().Facts != 0 || len(r.told.take()) != 0 {
		t.Errorf("waits %t, %d facts; nobody may hear of it", r.Waits(child.ID), r.Stats().Facts)
	}
	if got := r.IDs(t, nostr.Filter{}); len(got) != 0 {
		t.Errorf("served while it waits: %v", got)
	}
	if known, err := r.Known(child.ID); known || err != nil {
		t.Errorf("known while it waits: %t, %v", known, err)
	}
	r.waiting(t, 1)

	change := r.put(t, job, store.Stored)
	if !slices.Equal(change.Adopted, []nip90.ID{child.ID}) {
		t.Errorf("adopted: %v, want %s", change.Adopted, child.ID)
	}
	commits := r.told.take()
	if got, want := order(commits), []string{job.Event.ID, child.Event.ID}; !slices.Equal(got, want) {
		t.Fatalf("told: %v, want %v", got, want)
	}
	c := commits[1]
	if c.Outcome != store.Stored || c.Parsed.Door != nip90.DoorSocket || c.Parsed.Source != child.Source || !bytes.Equal(c.Parsed.Raw, child.Raw) || c.Parsed.Received.Unix() != child.Received.Unix() || len(c.Change.Roots) != 1 {
		t.Errorf("told of the child: %+v of door %d from %q", c, c.Parsed.Door, c.Parsed.Source)
	}
	if !slices.Equal(commits[0].Change.Adopted, change.Adopted) {
		t.Errorf("the parent's commit names %v", commits[0].Change.Adopted)
	}
	if got := r.IDs(t, nostr.Filter{}); len(got) != 2 || r.Waits(child.ID) {
		t.Errorf("served: %v", got)
	}
	if st := r.Stats(); st.Adopted != 1 || st.Lapsed != 0 {
		t.Errorf("adopted %d, lapsed %d", st.Adopted, st.Lapsed)
	}
	r.waiting(t, 0)
	r.put(t, child, store.Duplicate)
}

func TestWaiting_TwiceIsOneRow(t *testing.T) {
	r := openWaiting(t)
	job := storetest.Parsed(t, event(1, 5300, waitEpoch-100))
	child := report(t, 2, job, job, job)
	for _, door := range []nip90.Door{nip90.DoorSocket, nip90.DoorMirror, nip90.DoorSocket} {
		if change := r.put(t, by(door, child), store.Waiting); change.Version != 0 && door != nip90.DoorSocket {
			t.Errorf("the second wrote version %d", change.Version)
		}
	}
	r.waiting(t, 1)
	r.put(t, job, store.Stored)
	if got := order(r.told.take()); len(got) != 2 {
		t.Errorf("told: %v, want each once", got)
	}
}

// TestWaiting_LongChainsAndManyGroups brings a chain backwards, so that the last event lets all others in, more than one
// group holds.
func TestWaiting_LongChainsAndManyGroups(t *testing.T) {
	r := openWaiting(t)
	chain := []*nip90.Parsed{storetest.Parsed(t, event(1, 5300, waitEpoch-100))}
	for i := range 1100 {
		chain = append(chain, report(t, i%200, chain[i]))
	}
	pending := make([]*store.Pending, 0, len(chain))
	for _, p := range slices.Backward(chain) {
		one, err := r.Submit(context.Background(), p)
		if err != nil {
			t.Fatal(err)
		}
		pending = append(pending, one)
	}
	for i, one := range pending {
		want := store.Waiting
		if i == len(pending)-1 {
			want = store.Stored
		}
		if outcome, _, err := one.Wait(context.Background()); err != nil || outcome != want {
			t.Fatalf("event %d: outcome %d, %v", i, outcome, err)
		}
	}
	eventually(t, "all are in", func() bool { return r.Stats().Waiting == 0 })
	got, want := order(r.told.take()), make([]string, 0, len(chain))
	for _, p := range chain {
		want = append(want, p.Event.ID)
	}
	if !slices.Equal(got, want) {
		t.Errorf("%d told, want the %d of the chain, each behind its parent", len(got), len(want))
	}
	r.waiting(t, 0)
}

func TestWaiting_Caps(t *testing.T) {
	r := openWaiting(t)
	if err := r.ShrinkShelf(context.Background(), 50); err != nil {
		t.Fatal(err)
	}
	seed := rand.Uint64()
	rnd := rand.New(rand.NewPCG(seed, 0))
	t.Logf("seed %d", seed)
	about := func() *nip90.Parsed {
		return storetest.Parsed(t, event(1, 5300, waitEpoch-rnd.Int64N(1<<30)))
	}
	refused := func(what string, p *nip90.Parsed) {
		t.Helper()
		if _, _, err := r.Save(context.Background(), p); !errors.As(err, new(unmet)) {
			t.Errorf("%s: %v, want it refused", what, err)
		}
	}
	fill := func(door nip90.Door, n int) {
		t.Helper()
		pending := make([]*store.Pending, 0, n)
		for range n {
			one, err := r.Submit(context.Background(), by(door, report(t, 3, about())))
			if err != nil {
				t.Fatal(err)
			}
			pending = append(pending, one)
		}
		for _, one := range pending {
			if outcome, _, err := one.Wait(context.Background()); err != nil || outcome != store.Waiting {
				t.Fatalf("outcome %d, %v", outcome, err)
			}
		}
	}
	job := about()
	for i := range 16 {
		r.put(t, by(nip90.DoorSocket, report(t, 10+i, job)), store.Waiting)
	}
	refused("the 17th for one thing", by(nip90.DoorMirror, report(t, 40, job)))
	other := about()
	r.put(t, by(nip90.DoorMirror, report(t, 41, job, other)), store.Waiting)
	r.waiting(t, 17)

	fill(nip90.DoorSocket, 100-16)
	refused("more from sockets", by(nip90.DoorSocket, report(t, 3, about())))
	fill(nip90.DoorMirror, 99)
	refused("more than all", by(nip90.DoorMirror, report(t, 3, about())))
	refused("more than all, imported", by(nip90.DoorImport, report(t, 3, about())))
	r.waiting(t, 200)
	fill(nip90.DoorBackfill, 2_000)
	refused("more from a backfill", by(nip90.DoorBackfill, report(t, 3, about())))
	if st := r.Stats(); st.NoRoom != 5 {
		t.Errorf("%d counted as refused for want of room, want 5", st.NoRoom)
	}
	// The 17th waits for the other thing it names.
	if change := r.put(t, job, store.Stored); len(change.Adopted) != 16 {
		t.Errorf("%d adopted, want 16", len(change.Adopted))
	}
	if change := r.put(t, other, store.Stored); len(change.Adopted) != 1 {
		t.Errorf("%d adopted, want 1", len(change.Adopted))
	}
	fill(nip90.DoorSocket, 16)
	refused("still more from sockets", by(nip90.DoorSocket, report(t, 3, about())))
}

func TestWaiting_BytesAreBounded(t *testing.T) {
	r := openWaiting(t)
	if err := r.ShrinkShelf(context.Background(), 10); err != nil {
		t.Fatal(err)
	}
	n := 0
	for ; n < 100; n++ {
		e := event(3, nip90.KindReport, waitEpoch, nostr.Tag{"e", storetest.Parsed(t, event(1, 5300, int64(n))).Event.ID})
		e.Content = strings.Repeat("x", 400_000)
		outcome, _, err := r.Save(context.Background(), by(nip90.DoorSocket, storetest.Parsed(t, e)))
		if err != nil {
			break
		}
		if outcome != store.Waiting {
			t.Fatalf("outcome %d", outcome)
		}
	}
	if n != 32<<20/10/400_768 && n != 32<<20/10/400_768-1 {
		t.Errorf("%d events of 400 kB wait", n)
	}
	r.waiting(t, n)
}

func TestWaiting_LapsesAfterTenMinutes(t *testing.T) {
	r := openWaiting(t)
	r.backfilling.Store(true)
	job := storetest.Parsed(t, event(1, 5300, waitEpoch-100))
	plain, past := by(nip90.DoorMirror, report(t, 2, job)), by(nip90.DoorBackfill, report(t, 3, job))
	r.put(t, plain, store.Waiting)
	r.put(t, past, store.Waiting)
	sweep := func(at int64, want int) {
		t.Helper()
		r.now.Store(waitEpoch + at)
		if err := r.Sweep(context.Background()); err != nil {
			t.Fatal(err)
		}
		r.waiting(t, want)
	}
	sweep(599, 2)
	sweep(600, 1)
	sweep(100_000, 1)
	if r.Waits(plain.ID) || !r.Waits(past.ID) {
		t.Error("the wrong one lapsed")
	}
	r.backfilling.Store(false)
	sweep(100_001, 0)
	if change := r.put(t, job, store.Stored); len(change.Adopted) != 0 || r.Stats().Lapsed != 2 {
		t.Errorf("adopted %v, %d lapsed", change.Adopted, r.Stats().Lapsed)
	}
	r.put(t, by(nip90.DoorMirror, plain), store.Stored)
}

func TestWaiting_SurvivesRestart(t *testing.T) {
	dir := inDir(t.TempDir())
	r := openWaiting(t, dir)
	r.backfilling.Store(true)
	job := storetest.Parsed(t, event(1, 5300, waitEpoch-100))
	child, past, old := report(t, 2, job), by(nip90.DoorBackfill, report(t, 3, job)), report(t, 4, storetest.Parsed(t, event(1, 5300, 1)))
	r.put(t, old, store.Waiting)
	r.put(t, past, store.Waiting)
	r.now.Add(500)
	r.put(t, child, store.Waiting)
	r.Stop()
	r.now.Add(200)
	r.backfilling.Store(false) // nobody is connected yet
	r.reopen(t, dir)
	eventually(t, "the old one is gone", func() bool { return r.Stats().Waiting == 2 })
	if change := r.put(t, job, store.Stored); len(change.Adopted) != 2 {
		t.Errorf("adopted %v after a restart, want both", change.Adopted)
	}
	r.waiting(t, 0)
}

// TestWaiting_IsDecidedAgainAtStart: a run may end between a supplier and what did not fit into its group, and a rule may
// be lifted.
func TestWaiting_IsDecidedAgainAtStart(t *testing.T) {
	dir := inDir(t.TempDir())
	r := openWaiting(t, dir)
	job := storetest.Parsed(t, event(1, 5300, waitEpoch-100))
	for i := range 600 {
		r.put(t, report(t, i%200, storetest.Parsed(t, event(1, 5300, int64(i)))), store.Waiting)
	}
	last := report(t, 5, job)
	r.put(t, last, store.Waiting)
	r.Stop()
	r.reopen(t, dir, storetest.With(func(o *store.Options) {
		o.Admit = func(txn store.Txn, p *nip90.Parsed) error {
			if p.ID == last.ID {
				return rule(txn, p)
			}
			return nil
		}
	}))
	eventually(t, "all but one are in", func() bool { return r.Stats().Waiting == 1 })
	if got := len(r.told.take()); got != 600 || !r.Waits(last.ID) {
		t.Errorf("%d told, want 600", got)
	}
}

func TestWaiting_ExpiredMeanwhileLeavesItsFact(t *testing.T) {
	r := openWaiting(t)
	job := storetest.Parsed(t, event(1, 5300, waitEpoch-100))
	e := event(2, nip90.KindReport, waitEpoch, nostr.Tag{"e", job.Event.ID}, nostr.Tag{"expiration", fmt.Sprint(waitEpoch + 60)})
	child := storetest.Parsed(t, e)
	r.put(t, child, store.Waiting)
	r.now.Add(61)
	r.put(t, job, store.Stored)
	commits := r.told.take()
	if len(commits) != 2 || commits[1].Outcome != store.FactOnly {
		t.Errorf("told: %+v", commits)
	}
	if got := r.IDs(t, nostr.Filter{}); !slices.Equal(got, []string{job.Event.ID}) {
		t.Errorf("served: %v", got)
	}
}
