package index

import (
	"context"
	"fmt"
	"testing"

	"dvmrelay/nip90"
	"dvmrelay/store"
	"dvmrelay/store/storetest"

	"github.com/nbd-wtf/go-nostr"
)

// play feeds events; somewhere on the way the clock moves on and things expire.
func (r *rig) play(t testing.TB, events []nostr.Event, expireAt int) {
	t.Helper()
	for i, e := range events {
		if i == expireAt {
			r.at.Store(epoch + 1150)
			r.sweep(t)
		}
		r.put(t, e)
	}
	r.at.Store(epoch + 5000)
	r.sweep(t)
}

// settle finishes what was put off.
func (r *rig) settle(t testing.TB) {
	t.Helper()
	if err := r.x.Settle(context.Background(), r.Store); err != nil {
		t.Fatal(err)
	}
}

func TestApply_AnyOrderGivesOneState(t *testing.T) {
	rng := seeded(t)
	for round := range 6 {
		g := &traffic{rng: rng}
		g.make(30 + 30*round)
		var want map[string]string
		for order := range 4 {
			r := newRig(t, nil)
			if order%2 == 1 {
				r.x.budget = 1 + rng.IntN(3)
			}
			r.play(t, g.shuffled(), rng.IntN(len(g.events)))
			r.settle(t)
			got := r.dump(t)
			if want == nil {
				want = got
			}
			if !sameRows(t, got, want) {
				t.Fatalf("round %d, order %d: the state depends on the order", round, order)
			}
			r.Stop()
			if t.Failed() {
				t.Fatalf("round %d, order %d: the index does not agree with the facts", round, order)
			}
		}
	}
}

func TestRemove_VanishedKeysLeaveNoTrace(t *testing.T) {
	rng := seeded(t)
	for round := range 6 {
		g := &traffic{rng: rng}
		g.make(80)
		who := []string{"customer0", "provider0", "provider1"}[round%3]
		var rest []nostr.Event
		for _, e := range g.events {
			if e.PubKey != key(who) {
				rest = append(rest, e)
			}
		}
		without := newRig(t, nil)
		without.play(t, rest, 0)

		with := newRig(t, nil)
		with.x.budget = 1 + rng.IntN(40)
		order := g.shuffled()
		cut := rng.IntN(len(order))
		with.put(t, order[:cut]...)
		with.put(t, event(who, 62, 100, "", tag("relay", "ALL_RELAYS")))
		with.put(t, order[cut:]...)
		with.play(t, nil, 0)
		with.settle(t)

		if !sameRows(t, with.dump(t), without.dump(t)) {
			t.Fatalf("round %d: what %s did is still there", round, who)
		}
		with.Stop()
		without.Stop()
	}
}

func TestApply_RealEventsInAnyOrder(t *testing.T) {
	rng := seeded(t)
	events := append(realEvents(t, "real-events.jsonl"), realEvents(t, "real-zaps.jsonl")...)
	var want map[string]string
	for order := range 3 {
		r := newRig(t, nil)
		for _, p := range events {
			r.Put(t, p)
		}
		got := r.dump(t)
		if want == nil {
			want = got
		}
		if !sameRows(t, got, want) {
			t.Fatalf("order %d: the state depends on the order", order)
		}
		r.Stop()
		rng.Shuffle(len(events), func(i, j int) { events[i], events[j] = events[j], events[i] })
	}
}

func TestRebuild_GivesTheSameRows(t *testing.T) {
	g := &traffic{rng: seeded(t)}
	g.make(150)
	r := newRig(t, nil)
	r.play(t, g.shuffled(), 70)
	r.put(t, event("provider1", 11998, 4990, "", tag("d", "d1")))
	want := r.dump(t)
	if err := r.x.Rebuild(context.Background(), r.Store); err != nil {
		t.Fatalf("rebuild: %v", err)
	}
	sameRows(t, r.dump(t), want)
	err := r.View(func(v store.Reader) error {
		unfinished, err := r.x.Unfinished(v)
		if unfinished {
			t.Error("the rebuild says that it is not finished")
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// The real events lie years apart, so their rollups are counted over ordinary traffic, below.
func TestApply_KeyBudget(t *testing.T) {
	events := realEvents(t, "real-events.jsonl")
	r := newRig(t, nil)
	for _, p := range events {
		r.Put(t, p)
	}
	keys, tables := 0, r.tables(t)
	for table, n := range tables {
		if table < keyRollup {
			keys += n
		}
	}
	const most = 5
	got := float64(keys) / float64(len(events))
	t.Logf("%.2f keys per event, by table %v", got, tables)
	if got > most {
		t.Errorf("keys per event: got %.2f, want at most %d", got, most)
	}
}

// tables counts the index's keys by their first byte.
func (r *rig) tables(t testing.TB) map[byte]int {
	t.Helper()
	tables := map[byte]int{}
	err := r.View(func(v store.Reader) error {
		return v.Scan(nil, nil, func(k, _ []byte) bool {
			if k[0] >= store.IndexSpace {
				tables[k[0]]++
			}
			return true
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	return tables
}

// A quarter of an ordinary day: 2,000 jobs of which most are of one kind, 40 providers, two answers each.
func TestApply_KeyBudgetOfOrdinaryTraffic(t *testing.T) {
	rng := seeded(t)
	r := newRig(t, nil)
	var events []*nip90.Parsed
	for i := range 2000 {
		at := int64(i) * 6 * hourSeconds / 2000
		job := request(fmt.Sprint("c", rng.IntN(300)), at, tag("nonce", fmt.Sprint(i)))
		if rng.IntN(20) > 0 {
			job.Kind = 5300
		}
		bob := fmt.Sprint("p", rng.IntN(1+rng.IntN(40)))
		answer := result(bob, at+2, job.ID)
		answer.Kind = job.Kind + 1000
		events = append(events, storetest.Parsed(t, job), storetest.Parsed(t, feedback(bob, at+1, "processing", job.ID)), storetest.Parsed(t, answer))
	}
	for _, p := range events {
		r.Put(t, p)
	}
	keys, tables := 0, r.tables(t)
	for _, n := range tables {
		keys += n
	}
	const most = 5
	got := float64(keys) / float64(len(events))
	t.Logf("%.2f keys per event, by table %v", got, tables)
	if got > most {
		t.Errorf("keys per event: got %.2f, want at most %d", got, most)
	}
}
