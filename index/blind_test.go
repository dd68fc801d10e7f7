package index

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"dvmrelay/nip90"
	"dvmrelay/store"
	"dvmrelay/store/storetest"

	"github.com/nbd-wtf/go-nostr"
)

// blindRig forgets customers with the bodies that name them.
func blindRig(t testing.TB, change func(*store.Options)) *rig {
	t.Helper()
	r := &rig{clock: &clock{}}
	r.at.Store(epoch + 1000)
	r.x = New(Options{Now: r.Now})
	r.Running = storetest.Open(t, storetest.With(func(s *store.Options) {
		s.Indexer, s.Now, s.SweepEvery, s.BlindKeys = r.x, r.Now, time.Hour, true
		if change != nil {
			change(s)
		}
	}), storetest.Check(r.x.Check))
	return r
}

// people are the keys that the traffic of tests is made of.
func people() []string {
	out := []string{"critic", "nobody", "alice", "bob", "carol", "carla", "mallory"}
	for i := range 6 {
		out = append(out, fmt.Sprint("customer", i), fmt.Sprint("provider", i))
	}
	return out
}

// unveiled is a dump with every pseudonym replaced by the key that it stands for, without the way back to them.
func (r *rig) unveiled(t testing.TB) map[string]string {
	t.Helper()
	var swap []string
	err := r.View(func(v store.Reader) error {
		b, err := store.BlinderOf(v)
		for _, name := range people() {
			pk, other := pub(t, name), b.Of(pub(t, name))
			swap = append(swap, string(other[:]), string(pk[:]))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	replace := strings.NewReplacer(swap...).Replace
	out := make(map[string]string)
	for k, v := range r.dump(t) {
		if k[0] != keyName {
			out[replace(k)] = replace(v)
		}
	}
	return out
}

// threads are the views of all jobs as they are shown.
func (r *rig) threads(t testing.TB, jobs []nostr.Event) []string {
	t.Helper()
	var out []string
	for _, j := range jobs {
		th, _ := r.thread(t, j.ID)
		slices.SortFunc(th.Events, func(a, b Entry) int { return bytes.Compare(a.ID[:], b.ID[:]) })
		r.sortProviders(t, &th)
		th.Why = nil // it goes by the order of providers, and by when events came
		out = append(out, mustJSON(t, th))
	}
	page := r.list(t, ThreadQuery{Limit: MaxLimit})
	for i := range page.Items {
		r.sortProviders(t, &page.Items[i])
	}
	return append(out, mustJSON(t, page))
}

// sortProviders: those without a name come in the order of their pseudonyms, which is another in each store.
func (r *rig) sortProviders(t testing.TB, th *Thread) {
	t.Helper()
	slices.SortFunc(th.Providers, func(a, b Provider) int { return strings.Compare(mustJSON(t, a), mustJSON(t, b)) })
}

// TestBlind_AnyOrderGivesOneState: whether a body went before or after what refers to its author came makes no difference
// to what is shown, nor to any row but for the pseudonyms in it, nor does it make one whether there are pseudonyms.
func TestBlind_AnyOrderGivesOneState(t *testing.T) {
	rng := seeded(t)
	for round := range 4 {
		g := &traffic{rng: rng}
		g.make(30 + 40*round)
		plain := newRig(t, func(o *Options) { o.KeepCustomer = false })
		plain.play(t, g.shuffled(), rng.IntN(len(g.events)))
		plain.settle(t)
		want := plain.dump(t)
		var views []string
		for order := range 4 {
			r := blindRig(t, nil)
			if order%2 == 1 {
				r.x.budget = 1 + rng.IntN(3)
			}
			r.play(t, g.shuffled(), rng.IntN(len(g.events)))
			r.settle(t)
			if order == 3 {
				if err := r.x.Rebuild(context.Background(), r.Store); err != nil {
					t.Fatal(err)
				}
			}
			if !sameRows(t, r.unveiled(t), want) {
				t.Fatalf("round %d, order %d: the state depends on the order, or on the pseudonyms", round, order)
			}
			got := r.threads(t, g.jobs)
			if views == nil {
				views = got
			}
			for i := range got {
				if got[i] != views[i] {
					t.Fatalf("round %d, order %d: shows\n%s\nwant\n%s", round, order, got[i], views[i])
				}
			}
			r.Stop()
			if t.Failed() {
				t.Fatalf("round %d, order %d: the index does not agree with the facts", round, order)
			}
		}
		plain.Stop()
	}
}

func TestBlind_VanishedKeysLeaveNoTrace(t *testing.T) {
	rng := seeded(t)
	for round := range 3 {
		g := &traffic{rng: rng}
		g.make(80)
		who := []string{"customer0", "provider0", "customer1"}[round%3]
		r := blindRig(t, nil)
		r.x.budget = 1 + rng.IntN(40)
		order := g.shuffled()
		cut := rng.IntN(len(order))
		r.put(t, order[:cut]...)
		r.at.Store(epoch + 1150)
		r.sweep(t)
		r.put(t, event(who, 62, 100, "", tag("relay", "ALL_RELAYS")))
		r.put(t, order[cut:]...)
		r.play(t, nil, 0)
		r.settle(t)
		err := r.View(func(v store.Reader) error {
			for _, e := range g.events {
				if _, ok, err := v.Fact(mustID(t, e.ID)); err != nil || ok && e.PubKey == key(who) {
					t.Errorf("round %d: the fact of kind %d by %s is still there (%v)", round, e.Kind, who, err)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		r.Stop()
	}
}

// traces are the rows in which a key stands, as bytes or as hex.
func (r *rig) traces(t testing.TB, name string) []string {
	t.Helper()
	pk := pub(t, name)
	needles := [][]byte{pk[:], []byte(hex.EncodeToString(pk[:]))}
	var out []string
	err := r.View(func(v store.Reader) error {
		return v.Scan(nil, nil, func(k, b []byte) bool {
			for _, n := range needles {
				if bytes.Contains(k, n) || bytes.Contains(bytes.ToLower(b), n) || bytes.Contains(b, n) {
					out = append(out, fmt.Sprintf("%q: %q", k, b))
				}
			}
			return true
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// customerTraffic is everything that can name a customer, all of it gone at second 2000, and in between.
func customerTraffic(who string) (events []nostr.Event, job nostr.Event) {
	mortal := tag("expiration", at(2000))
	job = request(who, 0, mortal, tag("p", key("bob")), tag("p", key("nobody")))
	deleted := request(who, 1, tag("t", "deleted"), mortal)
	late := request(who, 2, tag("t", "deleted before it came"), mortal)
	asked := event("bob", 7000, 5, "", tag("status", "payment-required"), tag("e", job.ID), tag("p", key(who)), tag("amount", "3000"), mortal)
	paid := nutzap(who, "bob", 6, 3, "s1", asked.ID)
	paid.Tags = append(paid.Tags, mortal)
	paid.ID = paid.GetID()
	early := nutzap(who, "carol", 6, 2, "s2", job.ID)
	early.Tags = append(early.Tags, mortal)
	early.ID = early.GetID()
	back := nutzap("bob", who, 9, 3, "s3", job.ID)
	back.Tags = append(back.Tags, mortal)
	back.ID = back.GetID()
	note := func(kind int, at int64, content string) nostr.Event { return event(who, kind, at, content, mortal) }
	events = []nostr.Event{
		job, deleted, asked, paid, early, back,
		event(who, 5, 3, "", tag("e", deleted.ID), tag("e", late.ID), tag("a", "10002:"+key(who)+":"), mortal), late,
		note(0, 1, `{"name":"x"}`), note(0, 2, `{"name":"y"}`), note(10002, 2, ""), note(10019, 4, ""),
		event("critic", 1984, 7, "spam", tag("p", key(who)), tag("e", job.ID), mortal),
		event("bob", 6100, 8, "done", tag("e", job.ID), tag("p", key(who)), mortal),
		event(who, 5100, 10, "born dead", tag("expiration", at(500))),
		event(who, 62, -10, "", tag("relay", "ALL_RELAYS"), mortal),
		event("bob", 31990, 1, "{}", tag("d", "x"), tag("k", "5100")),
	}
	return events, job
}

func TestBlind_NoRowNamesACustomerWhoseBodiesAreGone(t *testing.T) {
	rng := seeded(t)
	events, job := customerTraffic("alice")
	named := 0
	for round := range 8 {
		r := blindRig(t, nil)
		rng.Shuffle(len(events), func(i, j int) { events[i], events[j] = events[j], events[i] })
		r.put(t, events[:rng.IntN(len(events))]...)
		if round%2 == 0 {
			r.at.Store(epoch + 2500)
			r.sweep(t)
		}
		r.put(t, events...)
		if round%2 == 1 {
			named += len(r.traces(t, "alice"))
		}
		r.at.Store(epoch + 3000)
		r.sweep(t)
		for _, who := range []string{"alice", "nobody", "critic"} {
			for _, row := range r.traces(t, who) {
				t.Errorf("round %d: %s is named in %s", round, who, row)
			}
		}
		th, ok := r.thread(t, job.ID)
		if !ok || th.State != "success" || th.Payment != "refunded" || th.Customer != "" || th.ClaimedMsat != 5000 || !slices.Equal(th.Addressed, []string{key("bob")}) {
			t.Errorf("round %d: thread = %+v, want what became of the job, for nobody in particular", round, th)
		}
		r.Stop()
		if t.Failed() {
			t.FailNow()
		}
	}
	if named == 0 {
		t.Error("while there are bodies no row names her: this test looks in the wrong place")
	}
}

// TestBlind_FollowsTheSwitch: on, the past is blinded by the rebuild that the index asks for; off, what is forgotten stays
// so and all the rest goes on.
func TestBlind_FollowsTheSwitch(t *testing.T) {
	dir := t.TempDir()
	events, job := customerTraffic("alice")
	open := func(on bool, at int64) *rig {
		r := blindRig(t, func(o *store.Options) { o.Dir, o.BlindKeys = dir, on })
		r.at.Store(epoch + at)
		return r
	}
	mend := func(r *rig) (asked bool) {
		if err := r.View(func(v store.Reader) (err error) {
			asked, err = r.x.Unfinished(v)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		if asked {
			if err := r.x.Rebuild(context.Background(), r.Store); err != nil {
				t.Fatal(err)
			}
		}
		return asked
	}
	show := func(r *rig) string {
		th, _ := r.thread(t, job.ID)
		th.Addressed, th.Why = nil, nil // a stranger to all providers is no longer shown
		for i := range th.Providers {
			if th.Providers[i].PubKey == key("carol") {
				th.Providers[i].PubKey = "" // she was paid and never said a word
			}
		}
		slices.SortFunc(th.Providers, func(a, b Provider) int { return strings.Compare(a.PubKey, b.PubKey) })
		for i := range th.Events {
			if !slices.Contains([]string{"result", "feedback", "refund"}, th.Events[i].Role) {
				th.Events[i].PubKey = ""
			}
		}
		return mustJSON(t, th)
	}

	r := open(false, 1000)
	r.put(t, events...)
	r.at.Store(epoch + 3000)
	r.sweep(t)
	want := show(r)
	if len(r.traces(t, "alice")) == 0 {
		t.Error("without the option nothing names her: this test looks in the wrong place")
	}
	r.Stop()

	r = open(true, 3000)
	eventually(t, "the secret is made", func() (made bool) {
		if err := r.View(func(v store.Reader) error {
			b, err := store.BlinderOf(v)
			made = b != nil
			return err
		}); err != nil {
			t.Fatal(err)
		}
		return made
	})
	if !mend(r) || mend(r) {
		t.Error("the index asks to be built again not exactly once")
	}
	for _, row := range r.traces(t, "alice") {
		t.Errorf("after the switch she is named in %s", row)
	}
	if got := show(r); got != want {
		t.Errorf("shows\n%s\nwant\n%s", got, want)
	}
	r.put(t, events...)
	r.Stop()

	r = open(false, 1000)
	if mend(r) {
		t.Error("off again, the index asks to be built again")
	}
	more := request("carla", 20)
	r.put(t, more, feedback("bob", 21, "processing", more.ID), event("alice", 5, 22, "", tag("e", job.ID)))
	r.put(t, events...)
	if n := len(r.traces(t, "carla")); n == 0 {
		t.Error("off again, nothing names a new customer")
	}
	if th, _ := r.thread(t, job.ID); th.Payment != "refunded" || len(th.Providers) != 2 {
		t.Errorf("off again, the thread is %+v", th)
	}
	r.Stop()
}

func eventually(t testing.TB, what string, condition func() bool) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	look := time.NewTicker(time.Millisecond)
	defer look.Stop()
	for !condition() {
		select {
		case <-look.C:
		case <-deadline:
			t.Fatalf("%s: not within 20 s", what)
		}
	}
}

func TestSame_ComparesThroughPseudonyms(t *testing.T) {
	r := blindRig(t, nil)
	alice, bob := pub(t, "alice"), pub(t, "bob")
	r.put(t, request("alice", 0)) // by now the secret is there
	err := r.View(func(v store.Reader) error {
		b, err := store.BlinderOf(v)
		if err != nil {
			return err
		}
		for name, c := range map[string]struct {
			a, b nip90.PubKey
			want bool
		}{
			"plain and plain":         {alice, alice, true},
			"plain and pseudonym":     {alice, b.Of(alice), true},
			"pseudonym and plain":     {b.Of(alice), alice, true},
			"pseudonym and pseudonym": {b.Of(alice), b.Of(alice), true},
			"two people":              {alice, bob, false},
			"two people, one veiled":  {alice, b.Of(bob), false},
			"two veiled people":       {b.Of(alice), b.Of(bob), false},
			"nobody and somebody":     {nip90.PubKey{}, b.Of(bob), false},
			"nobody and nobody":       {nip90.PubKey{}, nip90.PubKey{}, true},
		} {
			if got, err := same(v, c.a, c.b); err != nil || got != c.want {
				t.Errorf("%s: got %t, %v, want %t", name, got, err, c.want)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
