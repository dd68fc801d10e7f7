package index

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"dvmrelay/nip90"
	"dvmrelay/store"
	"dvmrelay/store/storetest"

	"github.com/nbd-wtf/go-nostr"
)

// newWatchedRig is a rig whose commits a Watch hears.
func newWatchedRig(t testing.TB, change func(*store.Options), options func(*Options)) (*rig, *Recent) {
	t.Helper()
	r := &rig{clock: &clock{}}
	r.at.Store(epoch + 1000)
	o := Options{KeepCustomer: true, Now: r.Now}
	if options != nil {
		options(&o)
	}
	r.x = New(o)
	w := NewWatch(WatchOptions{Now: r.Now})
	r.Running = storetest.Open(t, storetest.With(func(s *store.Options) {
		s.Indexer, s.Now, s.Committed = r.x, r.Now, w.Committed
		s.SweepEvery = time.Hour
		if change != nil {
			change(s)
		}
	}), storetest.Check(r.x.Check))
	return r, w.Recent()
}

func (r *rig) strip(t testing.TB, c *Recent, without ...int) (s Strip) {
	t.Helper()
	if err := c.Fill(r.x, r.View); err != nil {
		t.Fatalf("fill: %v", err)
	}
	err := r.View(func(v store.Reader) (err error) {
		s, err = c.Strip(r.x, v, without)
		return err
	})
	if err != nil {
		t.Fatalf("strip: %v", err)
	}
	return s
}

// plainStrip is what a strip should say, read from every thread.
type plainStrip struct {
	jobs      map[int]int
	customers map[int]map[string]bool
	threads   map[nip90.ID]Thread
}

func (r *rig) plain(t testing.TB, now int64) plainStrip {
	t.Helper()
	p := plainStrip{map[int]int{}, map[int]map[string]bool{}, map[nip90.ID]Thread{}}
	q := ThreadQuery{Since: now - RecentSeconds + 1, Until: now, Limit: MaxLimit}
	for {
		page := r.list(t, q)
		for _, th := range page.Items {
			if p.customers[th.Kind] == nil {
				p.customers[th.Kind] = map[string]bool{}
			}
			p.jobs[th.Kind]++
			p.customers[th.Kind][th.Customer] = true
			p.threads[th.ID] = th
		}
		if q.Cursor = page.Next; q.Cursor == "" {
			return p
		}
	}
}

func holdStrip(t testing.TB, s *Strip, p plainStrip) {
	t.Helper()
	total, kinds := 0, map[int]bool{}
	for i, l := range s.Lanes {
		jobs := 0
		for _, k := range l.Kinds {
			kinds[k] = true
			jobs += p.jobs[k]
		}
		if l.Kind != 0 && l.Customers != len(p.customers[l.Kind]) {
			t.Errorf("lane %d: %d customers, want %d", l.Kind, l.Customers, len(p.customers[l.Kind]))
		}
		if l.Kind != 0 && i > 0 && l.Customers > s.Lanes[i-1].Customers {
			t.Errorf("lane %d has more customers than the one before", l.Kind)
		}
		if l.Jobs != jobs {
			t.Errorf("lane %v: %d jobs, want %d", l.Kinds, l.Jobs, jobs)
		}
		sum := len(l.Bars)
		for _, c := range l.Cells {
			sum += c.Jobs
		}
		if sum != l.Jobs || len(l.Bars) > 0 && len(l.Cells) > 0 {
			t.Errorf("lane %v shows %d jobs in %d bars and %d cells, want %d", l.Kinds, sum, len(l.Bars), len(l.Cells), l.Jobs)
		}
		for _, b := range l.Bars {
			holdBar(t, &b, p)
		}
		total += l.Jobs
	}
	want := 0
	for kind, n := range p.jobs {
		if want += n; !kinds[kind] {
			t.Errorf("no lane has kind %d", kind)
		}
	}
	if s.Jobs != want || total != want {
		t.Errorf("%d jobs, lanes %d, want %d", s.Jobs, total, want)
	}
}

func holdBar(t testing.TB, b *Bar, p plainStrip) {
	t.Helper()
	th, ok := p.threads[b.ID]
	if !ok || b.At != th.CreatedAt || b.Kind != th.Kind {
		t.Errorf("bar %+v is of a job that is not there (%t)", b, ok)
		return
	}
	first, asked := int64(0), false
	for _, side := range th.Providers {
		if side.FirstResultAt != 0 && (first == 0 || side.FirstResultAt < first) {
			first = side.FirstResultAt
		}
		asked = asked || side.AskedMsat > 0
	}
	state := th.State
	if th.Payment == payUndelivered.String() && th.State != StateSuccess {
		state = th.Payment
	}
	if b.State != state {
		t.Errorf("bar of %s: state %s, want %s", b.ID, b.State, state)
	}
	if state == StateSuccess && b.Until != max(first, b.At) {
		t.Errorf("bar of %s ends at %d, want %d", b.ID, b.Until, first)
	}
	if asked != (b.AskedAt != 0) {
		t.Errorf("bar of %s: asked for money at %d, want %t", b.ID, b.AskedAt, asked)
	}
}

func TestStrip_IsWhatThreadsSay(t *testing.T) {
	for name, blind := range map[string]bool{"keys": false, "pseudonyms": true} {
		t.Run(name, func(t *testing.T) {
			seed := rand.Uint64()
			t.Logf("seed %d", seed)
			rng := rand.New(rand.NewPCG(seed, 1))
			r, c := newWatchedRig(t, func(s *store.Options) { s.BlindKeys = blind }, func(o *Options) { o.KeepCustomer = !blind })
			var jobs []nostr.Event
			for round := range 12 {
				for range 12 {
					now := r.at.Load() - epoch
					kind := []int{5000, 5001, 5002, 5050, 5100, 5200, 5300, 5300, 5999}[rng.IntN(9)]
					job := event(fmt.Sprint("c", rng.IntN(9)), kind, now+60-rng.Int64N(1100), "", tag("i", fmt.Sprint(round, rng.Uint64()), "text"))
					jobs = append(jobs, job)
					r.put(t, job)
					of := jobs[rng.IntN(len(jobs))]
					at, bob := now-rng.Int64N(30), fmt.Sprint("p", rng.IntN(3))
					switch rng.IntN(7) {
					case 0:
						r.put(t, event(bob, of.Kind+1000, at, "done", tag("e", of.ID), tag("nonce", fmt.Sprint(rng.Uint64()))))
					case 1:
						r.put(t, feedback(bob, at, "payment-required", of.ID, tag("amount", "1000")))
					case 2:
						r.put(t, feedback(bob, at, "error", of.ID))
					case 3:
						r.put(t, event(bob, 7000, at, "", tag("status", "processing"), tag("e", of.ID)), nutzap(fmt.Sprint("c", rng.IntN(9)), bob, at, 1, fmt.Sprint(rng.Uint64()), of.ID))
					}
				}
				switch round {
				case 4:
					gone := event("", 5, r.at.Load()-epoch, "", tag("e", jobs[0].ID))
					gone.PubKey = jobs[0].PubKey
					gone.ID = gone.GetID()
					r.put(t, gone)
				case 7: // a customer leaves, and the jobs with it
					r.put(t, event("c1", 62, r.at.Load()-epoch, "", tag("relay", "ALL_RELAYS")))
				}
				r.sweep(t)
				if round%3 != 1 { // the first read comes after some commits
					s := r.strip(t, c)
					if s.Until != r.at.Load() || !s.Complete {
						t.Fatalf("strip until %d, complete %t, want %d and true", s.Until, s.Complete, r.at.Load())
					}
					if !blind { // else threads do not name all customers
						holdStrip(t, &s, r.plain(t, s.Until))
					}
					fresh := newRecent()
					if again := r.strip(t, fresh); !sameStrip(&again, &s) {
						t.Errorf("round %d: what was heard of commits gives\n%+v\nwhat is read anew gives\n%+v", round, s, again)
					}
				}
				r.at.Add(rng.Int64N(200))
			}
		})
	}
}

func sameStrip(a, b *Strip) bool {
	return fmt.Sprintf("%+v", a) == fmt.Sprintf("%+v", b)
}

func TestStrip_CrowdedKindsAreCounted(t *testing.T) {
	r, c := newWatchedRig(t, nil, nil)
	now := r.at.Load() - epoch
	put := func(kind, n int, every, first int64) {
		for i := range n {
			r.put(t, event("alice", kind, first+int64(i)*every, "", tag("i", fmt.Sprint(kind, i), "text")))
		}
	}
	put(5300, 30, 1, now-300) // in one minute
	put(5050, 20, 2, now-300) // just not too many
	put(5100, 70, 10, now-899)
	s := r.strip(t, c)
	holdStrip(t, &s, r.plain(t, s.Until))
	has := map[int][2]int{}
	for _, l := range s.Lanes {
		has[l.Kind] = [2]int{len(l.Bars), len(l.Cells)}
	}
	if has[5300][0] != 0 || has[5300][1] == 0 || has[5050] != [2]int{20, 0} || has[5100] != [2]int{70, 0} {
		t.Errorf("bars and cells: %v", has)
	}
	put(5200, 60, 10, now-890) // all together are too many now: the largest lane has no bars any more
	if s = r.strip(t, c); len(s.Lanes) != 4 {
		t.Fatalf("%d lanes, want 4", len(s.Lanes))
	}
	bars := 0
	for _, l := range s.Lanes {
		bars += len(l.Bars)
	}
	if holdStrip(t, &s, r.plain(t, s.Until)); bars != 80 {
		t.Errorf("%d bars, want those of the two smaller lanes", bars)
	}
	s = r.strip(t, c, 5300, 5200)
	if len(s.Lanes) != 2 || s.Jobs != 90 {
		t.Errorf("without two kinds: %d lanes, %d jobs", len(s.Lanes), s.Jobs)
	}
}

func TestNeeds_NameWhoWaits(t *testing.T) {
	r, _ := newWatchedRig(t, nil, nil)
	ago := func(min int64) int64 { return r.at.Load() - epoch - 60*min }
	r.at.Store(epoch + 7200)
	r.put(t, event("bob", 31990, ago(90), "{}", tag("d", "x"), tag("k", "5050")), event("gone", 31990, ago(90), "{}", tag("d", "x"), tag("k", "5050")))
	r.put(t, event("gone", 11998, ago(60), "", tag("d", "x")))
	paid := event("alice", 5050, ago(20), "", tag("i", "1", "text"))
	lonely := event("alice", 5999, ago(12), "", tag("i", "2", "text"))
	away := event("alice", 5050, ago(13), "", tag("i", "3", "text"), tag("p", key("gone")))
	waits := event("alice", 5050, ago(11), "", tag("i", "4", "text"))
	old := event("alice", 5050, ago(70), "", tag("i", "5", "text"))
	young := event("alice", 5050, ago(9), "", tag("i", "6", "text"))
	served := event("alice", 5050, ago(15), "", tag("i", "7", "text"))
	for i := range 3 { // all alike
		r.put(t, event("alice", 5998, ago(30+int64(i)), "", tag("i", fmt.Sprint("x", i), "text")))
	}
	r.put(t, paid, lonely, away, waits, old, young, served, feedback("bob", ago(14), "processing", served.ID),
		event("bob", 7000, ago(19), "", tag("status", "payment-required"), tag("amount", "2100000"), tag("e", paid.ID)), nutzap("alice", "bob", ago(14), 2100, "1", paid.ID))
	var n Needs
	if err := r.View(func(v store.Reader) (err error) {
		n, err = r.x.Needs(v)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if n.Paid != 1 || n.Unanswered != 6 || n.PaidMore || n.UnansweredMore {
		t.Errorf("counts %+v, want 1 paid and 6 unanswered", n)
	}
	want := []Need{
		{ID: mustID(t, paid.ID), Why: NeedPaid, Since: epoch + ago(14), ClaimedMsat: 2_100_000, Provider: pub(t, "bob").String()},
		{ID: mustID(t, away.ID), Why: NeedOffline, Since: epoch + ago(13), Provider: pub(t, "gone").String(), LastSeenAt: epoch + ago(60)},
		{Why: NeedNoProvider, Since: epoch + ago(32), Jobs: 3},
		{ID: mustID(t, lonely.ID), Why: NeedNoProvider, Since: epoch + ago(12)},
		{ID: mustID(t, waits.ID), Why: NeedUnanswered, Since: epoch + ago(11)},
	}
	n.Items[2].ID = nip90.ID{}
	for i := range want {
		want[i].Jobs = max(want[i].Jobs, 1)
	}
	for i := range n.Items {
		n.Items[i].Kind, n.Items[i].KindName = 0, "" // as of the request
	}
	if !slices.Equal(n.Items, want) {
		t.Errorf("got  %+v\nwant %+v", n.Items, want)
	}
}

// BenchmarkStrip draws the strip of a quarter of an hour with a hundred jobs a second.
func BenchmarkStrip(b *testing.B) {
	r, c := newWatchedRig(b, func(s *store.Options) { s.Sync = store.SyncNone }, nil)
	ctx := context.Background()
	rng := rand.New(rand.NewPCG(1, 2))
	var last *store.Pending
	jobs, err := strconv.Atoi(os.Getenv("STRIP_BENCH_JOBS"))
	if err != nil {
		jobs = 90_000
	}
	for i := range jobs {
		kind := 5300
		if rng.IntN(20) == 0 {
			kind = 5000 + rng.IntN(300)
		}
		e := event(fmt.Sprint("c", rng.IntN(20_000)), kind, 1000-int64(i*900/jobs), "", tag("i", fmt.Sprint(i), "text"))
		var err error
		if last, err = r.Submit(ctx, storetest.Parsed(b, e)); err != nil {
			b.Fatal(err)
		}
	}
	if _, _, err := last.Wait(ctx); err != nil {
		b.Fatal(err)
	}
	began := time.Now()
	r.strip(b, c)
	b.Logf("filled in %v", time.Since(began))
	b.Run("all", func(b *testing.B) {
		for range b.N {
			r.strip(b, c)
		}
	})
	b.Run("without the crowd", func(b *testing.B) {
		for range b.N {
			r.strip(b, c, 5300)
		}
	})
	b.Run("needs", func(b *testing.B) {
		r.at.Store(epoch + 1700)
		defer r.at.Store(epoch + 1000)
		for range b.N {
			if err := r.View(func(v store.Reader) error { _, err := r.x.Needs(v); return err }); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("stats", func(b *testing.B) {
		for range b.N {
			if err := r.View(func(v store.Reader) error {
				_, err := r.x.Stats(v, StatsQuery{Since: r.at.Load() - 86400, NoDistinct: true, Step: -1})
				return err
			}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("stats of whole hours", func(b *testing.B) {
		for range b.N {
			if err := r.View(func(v store.Reader) error {
				_, err := r.x.Stats(v, StatsQuery{Since: r.at.Load() - 86400, NoDistinct: true, Step: -1, WholeHours: true})
				return err
			}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("threads", func(b *testing.B) {
		for range b.N {
			r.list(b, ThreadQuery{Limit: 20})
		}
	})
}
