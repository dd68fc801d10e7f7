package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"dvmrelay/index"
	"dvmrelay/nip90"
	"dvmrelay/store"
	"dvmrelay/store/storetest"

	"github.com/nbd-wtf/go-nostr"
)

// unmet is the refusal of the rule below.
type unmet []store.Awaited

func (unmet) Error() string             { return "about nothing known" }
func (u unmet) Awaits() []store.Awaited { return u }

// rule lets a report in that names a counted event, a deletion that does, a profile or a wish to vanish of whoever was
// counted, and everything else.
func rule(t store.Txn, p *nip90.Parsed) error {
	var waits unmet
	switch m := p.Message.(type) {
	case *nip90.Cancel:
		for _, id := range m.IDs {
			waits = append(waits, store.Awaited{Kind: store.AwaitEvent, Key: id})
		}
	case *nip90.Other:
		if p.Event.Kind == nip90.KindReport {
			for _, l := range m.Links {
				waits = append(waits, store.Awaited{Kind: store.AwaitEvent, Key: l.ID})
			}
		} else {
			waits = unmet{{Kind: store.AwaitAuthor, Key: p.Author}}
		}
	}
	for _, w := range waits {
		var known bool
		var err error
		if w.Kind == store.AwaitEvent {
			_, known, err = t.Fact(w.Key)
		} else {
			known, err = store.HasAuthor(t, w.Key)
		}
		if known || err != nil {
			return err
		}
	}
	if waits == nil {
		return nil
	}
	return waits
}

// told records what Committed hears.
type told struct {
	mu      sync.Mutex // guards below
	commits []store.Commit
}

func (c *told) committed(version uint64, cs []store.Commit) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, one := range cs {
		if one.Change.Version != version {
			panic(fmt.Sprintf("commit of version %d says %d", version, one.Change.Version))
		}
	}
	c.commits = append(c.commits, cs...)
}

func (c *told) take() (list []store.Commit) {
	c.mu.Lock()
	defer c.mu.Unlock()
	list, c.commits = c.commits, nil
	return list
}

// order are the ids of the commits.
func order(commits []store.Commit) (ids []string) {
	for _, c := range commits {
		ids = append(ids, c.Parsed.Event.ID)
	}
	return ids
}

type waitRig struct {
	*storetest.Running
	told        *told
	now         atomic.Int64
	backfilling atomic.Bool
}

const waitEpoch = 1_700_000_000

func openWaiting(t *testing.T, opts ...storetest.Option) *waitRig {
	t.Helper()
	r := &waitRig{told: &told{}}
	r.now.Store(waitEpoch)
	r.reopen(t, opts...)
	return r
}

func (r *waitRig) reopen(t *testing.T, opts ...storetest.Option) {
	t.Helper()
	r.Running = storetest.Open(t, append([]storetest.Option{storetest.Check(index.Check), storetest.With(func(o *store.Options) {
		o.Indexer, o.Admit, o.Committed = index.New(index.Options{KeepCustomer: true}), rule, r.told.committed
		o.Now = func() time.Time { return time.Unix(r.now.Load(), 0) }
		o.Backfilling = r.backfilling.Load
		o.SweepEvery = time.Hour
	})}, opts...)...)
}

// by makes an event come through a door.
func by(door nip90.Door, p *nip90.Parsed) *nip90.Parsed {
	other := *p
	other.Door = door
	return &other
}

// report is an event that waits for those that it names.
func report(t *testing.T, author int, about ...*nip90.Parsed) *nip90.Parsed {
	t.Helper()
	var tags nostr.Tags
	for _, p := range about {
		tags = append(tags, nostr.Tag{"e", p.Event.ID})
	}
	return storetest.Parsed(t, event(author, nip90.KindReport, waitEpoch-50, tags...))
}

func (r *waitRig) put(t *testing.T, p *nip90.Parsed, want store.Outcome) store.Change {
	t.Helper()
	outcome, change, err := r.Save(context.Background(), p)
	if err != nil || outcome != want {
		t.Fatalf("save kind %d %s: outcome %d, %v; want %d", p.Event.Kind, p.ID, outcome, err, want)
	}
	return change
}

// rows counts a table.
func (r *waitRig) rows(t *testing.T, table byte) (n int) {
	t.Helper()
	err := r.View(func(v store.Reader) error {
		counts, err := store.KeyCounts(v)
		n = counts[table]
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func (r *waitRig) waiting(t *testing.T, want int) {
	t.Helper()
	st := r.Stats()
	if rows := r.rows(t, 'h'); st.Waiting != want || rows != want || (want == 0) != (st.WaitingBytes == 0) {
		t.Errorf("waiting: %d, %d bytes, %d rows on disk; want %d", st.Waiting, st.WaitingBytes, rows, want)
	}
}

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

// TestWaiting_WithdrawnStaysAway: what its author deleted, or forgot, while it waited is never served, whichever came first.
func TestWaiting_WithdrawnStaysAway(t *testing.T) {
	for _, kind := range []int{nip90.KindDeletion, nip90.KindVanish} {
		for _, first := range []string{"the event", "the wish"} {
			for _, stranger := range []bool{false, true} {
				t.Run(fmt.Sprintf("kind %d after %s, by a stranger %t", kind, first, stranger), func(t *testing.T) {
					r := openWaiting(t)
					job := storetest.Parsed(t, event(1, 5300, waitEpoch-100))
					child := report(t, 2, job)
					author := 2
					if stranger {
						author = 3
					}
					wish := storetest.Parsed(t, event(author, kind, waitEpoch, nostr.Tag{"e", child.Event.ID}, nostr.Tag{"relay", "ALL_RELAYS"}))
					list := []*nip90.Parsed{child, wish}
					if first == "the wish" {
						slices.Reverse(list)
					}
					for _, p := range list {
						if _, _, err := r.Save(context.Background(), p); err != nil {
							t.Fatal(err)
						}
					}
					r.put(t, job, store.Stored)
					// Erasing goes on in steps behind the commit.
					eventually(t, "nothing of it waits", func() bool { return !r.Waits(child.ID) })
					want := []string{job.Event.ID, child.Event.ID}
					if !stranger {
						want = []string{job.Event.ID, wish.Event.ID}
					}
					for _, c := range r.told.take() {
						if c.Parsed != nil && c.Outcome == store.Stored && !slices.Contains(want, c.Parsed.Event.ID) && !(stranger && c.Parsed.ID == wish.ID) {
							t.Errorf("%s was told as stored", c.Parsed.ID)
						}
					}
					got := r.IDs(t, nostr.Filter{})
					got = slices.DeleteFunc(got, func(id string) bool { return stranger && id == wish.Event.ID })
					slices.Sort(got)
					slices.Sort(want)
					if !slices.Equal(got, want) {
						t.Errorf("served: %v, want %v", got, want)
					}
				})
			}
		}
	}
}

// TestWaiting_VanishedKeyLeavesNoRow erases more than one step takes.
func TestWaiting_VanishedKeyLeavesNoRow(t *testing.T) {
	r := openWaiting(t)
	for i := range 300 {
		r.put(t, report(t, 2, storetest.Parsed(t, event(1, 5300, int64(i)))), store.Waiting)
	}
	later := storetest.Parsed(t, event(2, nip90.KindReport, waitEpoch+10, nostr.Tag{"e", strings.Repeat("a", 64)}))
	other := report(t, 3, storetest.Parsed(t, event(1, 5300, 1)))
	r.put(t, later, store.Waiting)
	r.put(t, other, store.Waiting)
	r.put(t, storetest.Parsed(t, event(2, nip90.KindVanish, waitEpoch, nostr.Tag{"relay", "wss://elsewhere.example"})), store.Waiting)
	r.put(t, storetest.Parsed(t, event(2, nip90.KindVanish, waitEpoch, nostr.Tag{"relay", "ALL_RELAYS"})), store.Stored)
	eventually(t, "the rows are erased", func() bool { return r.Stats().Waiting == 2 })
	if !r.Waits(later.ID) || !r.Waits(other.ID) {
		t.Error("what was made later, or by another, is gone")
	}
	again := report(t, 2, storetest.Parsed(t, event(1, 5300, 7)))
	r.put(t, again, store.Deleted)
}

// TestWaiting_FailedAdoptionIsDropped: what is refused for good when its time has come goes, and holds nothing up.
func TestWaiting_FailedAdoptionIsDropped(t *testing.T) {
	r := openWaiting(t, storetest.With(func(o *store.Options) {
		o.Admit = func(txn store.Txn, p *nip90.Parsed) error {
			if err := rule(txn, p); err != nil || p.Event.Content != "bad" {
				return err
			}
			return errors.New("refused for good")
		}
	}))
	job := storetest.Parsed(t, event(1, 5300, waitEpoch-100))
	bad := event(2, nip90.KindReport, waitEpoch, nostr.Tag{"e", job.Event.ID})
	bad.Content = "bad"
	r.put(t, storetest.Parsed(t, bad), store.Waiting)
	good := report(t, 3, job)
	r.put(t, good, store.Waiting)
	if change := r.put(t, job, store.Stored); !slices.Equal(change.Adopted, []nip90.ID{good.ID}) {
		t.Errorf("adopted %v", change.Adopted)
	}
	r.waiting(t, 0)
	if st := r.Stats(); st.Adopted != 1 || st.Lapsed != 1 || st.Facts != 2 {
		t.Errorf("adopted %d, lapsed %d, %d facts", st.Adopted, st.Lapsed, st.Facts)
	}
}

// TestWaiting_SnapshotKeepsTheRow: whoever looks through a snapshot sees the rows as they were.
func TestWaiting_SnapshotKeepsTheRow(t *testing.T) {
	r := openWaiting(t)
	job := storetest.Parsed(t, event(1, 5300, waitEpoch-100))
	r.put(t, report(t, 2, job), store.Waiting)
	snap := r.Snapshot()
	defer snap.Close()
	r.put(t, job, store.Stored)
	seen, err := store.Inspect(snap)
	if err != nil || seen.Waiting != 1 || seen.Facts != 0 {
		t.Errorf("in the snapshot: %+v, %v", seen, err)
	}
}

func TestVerify_NamesWaitingRowsThatAreWrong(t *testing.T) {
	r := openWaiting(t)
	job := storetest.Parsed(t, event(1, 5300, waitEpoch-100))
	r.put(t, report(t, 2, job), store.Waiting)
	r.put(t, job, store.Stored)
	counted := report(t, 3, job)
	r.put(t, counted, store.Stored)
	other := report(t, 2, storetest.Parsed(t, event(1, 5300, 1)))
	r.put(t, other, store.Waiting)
	keys, values := rowsOf(t, r.Running, 'h')
	elsewhere := []byte(keys[0])
	elsewhere[len(elsewhere)-3] ^= 0xff
	later := []byte(keys[0])
	later[6]++
	known := slices.Concat([]byte(keys[0][:7]), counted.ID[:])
	for name, x := range map[string]struct {
		rows map[string][]byte
		want string
	}{
		"damaged":   {map[string][]byte{keys[0]: values[0][:60]}, "damaged"},
		"elsewhere": {map[string][]byte{string(elsewhere): values[0]}, "damaged"},
		"twice":     {map[string][]byte{string(later): values[0]}, "waits twice"},
		"counted":   {map[string][]byte{string(known): bytes.Replace(values[0], []byte(other.Event.ID), []byte(counted.Event.ID), 1)}, "has a fact"},
	} {
		damage(t, r.Running, x.rows)
		if err := r.View(store.Verify); err == nil || !strings.Contains(err.Error(), x.want) {
			t.Errorf("%s: got %v, want a fault with %q", name, err, x.want)
		}
		undo := map[string][]byte{}
		for key := range x.rows {
			undo[key] = nil
		}
		undo[keys[0]] = values[0]
		damage(t, r.Running, undo)
	}
}
