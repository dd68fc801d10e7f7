package mirror_test

import (
	"context"
	"iter"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"dvmrelay/mirror"
	"dvmrelay/nip90"
	"dvmrelay/store"

	"github.com/google/go-cmp/cmp"
	"github.com/nbd-wtf/go-nostr"
	"go.uber.org/goleak"
)

const (
	envWorld  = "DVMRELAY_WORLD"
	envSeed   = "DVMRELAY_WORLD_SEED"
	upstreams = 10
)

// scale is how big a world is.
type scale struct {
	events   int
	flapping time.Duration
	maxLimit int           // of an upstream
	stands   time.Duration // the longest that a connection is left alone
	away     time.Duration // the longest that an upstream is away
	patience time.Duration // until all is here, when the flapping is over
}

// scaled reads the environment: "full" is 50,000 events and a minute.
func scaled(t testing.TB) scale {
	t.Helper()
	switch s := os.Getenv(envWorld); s {
	case "":
		return scale{events: 2000, flapping: 4 * time.Second, maxLimit: 100, stands: 700 * time.Millisecond, away: 400 * time.Millisecond, patience: time.Minute}
	case "full":
		return scale{events: 50_000, flapping: time.Minute, maxLimit: 500, stands: 6 * time.Second, away: 3 * time.Second, patience: 5 * time.Minute}
	default:
		t.Fatalf("%s: %q is not full", envWorld, s)
		return scale{}
	}
}

// seeded draws a world unless one is named, and says which.
func seeded(t testing.TB) uint64 {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv(envSeed); s != "" {
		n, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			t.Fatalf("%s: %v", envSeed, err)
		}
		seed = n
	}
	t.Logf("%s=%d", envSeed, seed)
	return seed
}

// leakless is a check that the test ends with the goroutines it began with. Call it first.
func leakless(t testing.TB) {
	t.Helper()
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() {
		// khatru starts it with every relay and has no way to end it
		goleak.VerifyNone(t, before, goleak.IgnoreTopFunction("github.com/fiatjaf/khatru.(*expirationManager).start"))
	})
}

// scatter gives each upstream a random half of the events, and each event to one at least.
func scatter(t testing.TB, rng *rand.Rand, maxLimit int, events []*stocked) (all []*memRelay) {
	t.Helper()
	shares := make([][]*stocked, upstreams)
	for _, e := range events {
		sure := rng.IntN(upstreams) // so that what others wait for is not left out by chance
		for i := range shares {
			if i == sure || rng.IntN(2) == 0 {
				shares[i] = append(shares[i], e)
			}
		}
	}
	for _, share := range shares {
		r := newMemRelay(t, maxLimit, share)
		r.rng = rand.New(rand.NewPCG(rng.Uint64(), 1))
		all = append(all, r)
	}
	return all
}

// flap cuts connections off and keeps the upstream away for moments, until ctx ends; then it is there again.
func (r *memRelay) flap(ctx context.Context, rng *rand.Rand, sc scale) {
	defer r.leave(false)
	wait := func(most time.Duration) bool {
		timer := time.NewTimer(time.Duration(rng.Int64N(int64(most))))
		defer timer.Stop()
		select {
		case <-timer.C:
			return true
		case <-ctx.Done():
			return false
		}
	}
	for wait(sc.stands) {
		if rng.IntN(2) == 0 {
			r.cut()
			continue
		}
		r.leave(true)
		if !wait(sc.away) {
			return
		}
		r.leave(false)
	}
}

// flapped publishes new events to random halves of the upstreams while these flap, and returns all that was published.
func (w *world) flapped(all []*memRelay, sc scale) (published []*stocked) {
	ctx, cancel := context.WithTimeout(context.Background(), sc.flapping)
	defer cancel()
	var flapping sync.WaitGroup
	for i, r := range all {
		flapping.Go(func() { r.flap(ctx, w.rng("flap", i), sc) })
	}
	rng := w.rng("live", 0)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for n := 0; ctx.Err() == nil; n++ {
		customer := w.customers[rng.IntN(len(w.customers))]
		e := customer.event(jobKind(rng), int64(nostr.Now()), "", nostr.Tag{"i", "live " + strconv.Itoa(n), "text"})
		heard := false
		for _, r := range all {
			if rng.IntN(2) == 0 {
				r.publish(e)
				heard = true
			}
		}
		if heard {
			published = append(published, e)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
	flapping.Wait()
	return published
}

// TestWorld_TenFlappingUpstreamsGiveTheUnion: each of ten upstreams has a random half of one past, gives it out of order
// and in short answers, more happened in one second than it gives at once, and it is lost again and again while new
// events are published. The hub ends with every event that one of them had, having looked at each signature once, and
// with no gap.
func TestWorld_TenFlappingUpstreamsGiveTheUnion(t *testing.T) {
	leakless(t)
	sc, seed := scaled(t), seeded(t)
	now := time.Now().Unix()
	w := newWorld(seed, sc.events, now)
	union := w.past(t, sc.events)
	all := scatter(t, w.rng("scatter", 0), sc.maxLimit, union)
	w.canBeHad(t, all)
	var running atomic.Pointer[mirror.Mirror]
	h := newHub(t, func(o *store.Options) {
		o.Backfilling = func() bool { m := running.Load(); return m != nil && !whole(m) }
	})
	m, ledger := h.mirrors(all)
	running.Store(m)
	began := time.Now()
	published := w.flapped(all, sc)
	t.Logf("%d events in the past, %d published while the upstreams flapped for %s", len(union), len(published), time.Since(began).Round(time.Second))
	union = append(union, published...)
	h.within(sc.patience, "all upstreams heard, their past read", func() bool { return whole(m) })
	t.Logf("whole %s later", (time.Since(began) - sc.flapping).Round(100*time.Millisecond))

	want := kept(union, mirrored())
	if d := cmp.Diff(want, h.servedAll()); d != "" {
		t.Errorf("the hub has %d events, the upstreams %d: -upstreams +hub\n%.3000s", len(h.servedAll()), len(want), d)
	}
	if g := h.relay.Gauges(); g.BadSignatures != 0 {
		t.Errorf("%d signatures were bad, want none", g.BadSignatures)
	}
	h.onceVerified(union)
	if st := h.store.Stats(); st.Waiting != 0 || st.Lapsed != 0 || st.NoRoom != 0 {
		t.Errorf("%d events still wait, %d waited in vain, %d had no room; want none", st.Waiting, st.Lapsed, st.NoRoom)
	} else {
		t.Logf("%d events waited for what they are about", st.Adopted)
	}
	h.within(sc.patience, "no gap left", func() bool { return len(missed(ledger, now)) == 0 })
	w.statuses(t, m, all)
}

// canBeHad wants a world that its upstreams can give whole: no kind may have more in one second than an answer holds.
func (w *world) canBeHad(t testing.TB, all []*memRelay) {
	t.Helper()
	for i, r := range all {
		crowd := map[int]int{}
		for _, e := range r.stock {
			if int64(e.CreatedAt) == w.crowd {
				crowd[e.Kind]++
			}
		}
		for kind, n := range crowd {
			if n >= r.maxLimit {
				t.Fatalf("upstream %d has %d events of kind %d in one second and gives %d at once: this world cannot be had whole", i, n, kind, r.maxLimit)
			}
		}
	}
}

// mirrored are the kinds that are mirrored from upstreams here.
func mirrored() []int { return append(mirror.DefaultKinds(), 31990, 31989) }

// mirrors runs a hasty mirror of these upstreams into the hub, with its ledger, until the test ends.
func (h *hub) mirrors(all []*memRelay) (*mirror.Mirror, *mirror.Ledger) {
	h.t.Helper()
	var urls []string
	for _, r := range all {
		urls = append(urls, r.addr())
	}
	return h.mirrorsAt(urls...)
}

func (h *hub) mirrorsAt(urls ...string) (*mirror.Mirror, *mirror.Ledger) {
	h.t.Helper()
	ledger := mirror.NewLedger(h.store.Store, nil, nil)
	o := mirror.Hasten(mirror.Options{Ledger: ledger, Upstreams: urls, Holdings: stock{h.store.Store}})
	m := mirror.New(o, h.relay, h.store.Store)
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	for name, run := range map[string]func(context.Context) error{"mirror": m.Run, "ledger": ledger.Run} {
		running.Go(func() {
			if err := run(ctx); err != nil {
				h.t.Errorf("run %s: %v", name, err)
			}
		})
	}
	h.t.Cleanup(func() {
		cancel()
		running.Wait()
	})
	return m, ledger
}

// stock tells a mirror what a hub has.
type stock struct{ store *store.Store }

func (s stock) Items(ctx context.Context, f nostr.Filter) iter.Seq2[mirror.Item, error] {
	return func(yield func(mirror.Item, error) bool) {
		for item, err := range s.store.Items(ctx, f) {
			if !yield(mirror.Item{CreatedAt: item.CreatedAt, ID: item.ID}, err) {
				return
			}
		}
	}
}

func (s stock) Known(ids []nip90.ID) ([]bool, error) { return s.store.AllKnown(ids) }

// whole says that every upstream is heard and its past read.
func whole(m *mirror.Mirror) bool {
	for _, u := range m.Upstreams() {
		if u.State != mirror.StateLive || u.Backfill == nil || !u.Backfill.Done {
			return false
		}
	}
	return true
}

// missed are the gaps since then, other than from before an upstream was first heard.
func missed(l *mirror.Ledger, since int64) []mirror.Gap {
	gaps := l.Gaps(since, time.Now().Unix()+1, 0)
	return slices.DeleteFunc(gaps, func(g mirror.Gap) bool { return g.Why == "unheard-before" })
}

func (h *hub) within(patience time.Duration, what string, ok func() bool) {
	h.t.Helper()
	deadline := time.Now().Add(patience)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		if time.Now().After(deadline) {
			h.t.Fatalf("not within %s: %s", patience, what)
		}
		<-tick.C
	}
}

// servedAll are the ids of all that was mirrored.
func (h *hub) servedAll() (ids []string) {
	h.t.Helper()
	for raw, err := range h.store.Query(context.Background(), nostr.Filter{Kinds: mirrored(), Limit: 1 << 20}) {
		if err != nil {
			h.t.Fatal(err)
		}
		ids = append(ids, raw.ID.String())
	}
	slices.Sort(ids)
	return ids
}

// onceVerified wants one look at a signature for each event.
func (h *hub) onceVerified(union []*stocked) {
	h.t.Helper()
	events := 0
	for _, e := range union {
		if slices.Contains(mirrored(), e.Kind) {
			events++
		}
	}
	if n := h.relay.Gauges().Verified; n != int64(events) {
		h.t.Errorf("%d signatures verified, want one for each of %d events", n, events)
	}
}

// statuses wants the numbers of a flapping upstream to make sense together.
func (w *world) statuses(t *testing.T, m *mirror.Mirror, all []*memRelay) {
	t.Helper()
	for i, u := range m.Upstreams() {
		r := all[i]
		r.mu.Lock()
		dials, sent := r.dials, r.sent
		r.mu.Unlock()
		if u.Connects < 2 || u.Connects > uint64(dials) {
			t.Errorf("upstream %d: %d connections, want more than one and no more than the %d that it saw", i, u.Connects, dials)
		}
		came := u.Accepted + u.Duplicates + u.Ignored
		for _, n := range u.Rejected {
			came += n
		}
		if u.Accepted == 0 || u.Duplicates == 0 || came > uint64(sent) {
			t.Errorf("upstream %d: %+v, of %d events that it sent", i, u, sent)
		}
		for reason, n := range u.Rejected {
			if reason != "restricted" {
				t.Errorf("upstream %d: %d rejected as %s", i, n, reason)
			}
		}
		if u.LagSeconds != 0 || len(u.Gaps) != 0 {
			t.Errorf("upstream %d: lag %d s, gaps %v, want none", i, u.LagSeconds, u.Gaps)
		}
	}
}
