package index

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"dvmrelay/nip90"
	"dvmrelay/store"

	"github.com/nbd-wtf/go-nostr"
)

func (r *rig) stats(t testing.TB, q StatsQuery) (s Stats) {
	t.Helper()
	err := r.View(func(v store.Reader) (err error) {
		s, err = r.x.Stats(v, q)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// counted is what the threads in a list add up to, read one by one.
func counted(threads []Thread, since, until int64, kind int, without ...int) (c Counts) {
	for _, th := range threads {
		if th.CreatedAt < since || th.CreatedAt > until || kind != 0 && th.Kind != kind || slices.Contains(without, th.Kind) {
			continue
		}
		c.Requests++
		c.Addressed += bit(len(th.Addressed) > 0)
		c.Cancelled += bit(th.State == StateCancelled)
		c.Results += int64(th.ResultsCount)
		c.First += bit(th.ResultsCount > 0)
		c.AskedMsat += th.AskedMsat
		c.ClaimedMsat += th.ClaimedMsat
	}
	return c
}

// TestStats_AgreeWithTheThreads asks for windows of every alignment and holds the answer to the list of threads.
func TestStats_AgreeWithTheThreads(t *testing.T) {
	rng := seeded(t)
	r := newRig(t, nil)
	const days = 4
	var events []nostr.Event
	for i := range 600 {
		at := rng.Int64N(days * daySeconds)
		job := event(fmt.Sprint("c", rng.IntN(40)), 5100+rng.IntN(3), at, fmt.Sprint(i))
		if rng.IntN(3) == 0 {
			job = event(fmt.Sprint("c", rng.IntN(40)), 5300, at, fmt.Sprint(i), tag("p", key("bob1")))
		}
		events = append(events, job)
		for range rng.IntN(3) {
			bob := fmt.Sprint("bob", rng.IntN(5))
			events = append(events, feedback(bob, at+rng.Int64N(9), "payment-required", job.ID, tag("amount", fmt.Sprint(1+rng.IntN(90_000)))))
			if rng.IntN(2) == 0 {
				events = append(events, event(bob, job.Kind+1000, at+rng.Int64N(400), "done", tag("e", job.ID)))
			}
			if rng.IntN(4) == 0 {
				events = append(events, nutzap("c1", bob, at+20, 1+rng.Int64N(50), fmt.Sprint(i), events[len(events)-1].ID))
			}
		}
	}
	rng.Shuffle(len(events), func(i, j int) { events[i], events[j] = events[j], events[i] })
	r.at.Store(epoch + (days+1)*daySeconds)
	r.put(t, events...)
	r.put(t, events[:200]...)
	all := r.all(t)
	check := func(round string) {
		t.Helper()
		for range 60 {
			since := epoch + rng.Int64N(days*daySeconds)
			until := since + rng.Int64N(days*daySeconds)
			switch rng.IntN(4) {
			case 0:
				since, until = since/hourSeconds*hourSeconds, until/hourSeconds*hourSeconds-1
			case 1:
				until = since + rng.Int64N(2*hourSeconds)
			}
			q := StatsQuery{Since: since, Until: until}
			var without []int
			switch rng.IntN(3) {
			case 0:
				q.Kind = 5100 + rng.IntN(3)
			case 1:
				without = []int{5300, 5101}
				q.ExcludeKinds = without
			}
			got, want := r.stats(t, q), counted(all, since, until, q.Kind, without...)
			want.Answered, want.Feedbacks, want.Errors, want.Unlinked, want.PaidJobs, want.Undelivered = got.Answered, got.Feedbacks, got.Errors, got.Unlinked, got.PaidJobs, got.Undelivered
			if got.Counts != want {
				t.Fatalf("%s: %+v:\n got %+v\nwant %+v", round, q, got.Counts, want)
			}
			var points int64
			for _, p := range got.Series {
				points += *p.Requests
			}
			if points != got.Requests {
				t.Fatalf("%s: %+v: the series has %d requests of %d", round, q, points, got.Requests)
			}
		}
	}
	check("at first")
	if err := r.x.Rebuild(context.Background(), r.Store); err != nil {
		t.Fatal(err)
	}
	check("after a rebuild")
	perProvider := int64(0)
	for i := range 5 {
		s := r.stats(t, StatsQuery{Provider: mustKey(t, fmt.Sprint("bob", i)), Step: -1})
		perProvider += s.First
		kinds := int64(0)
		for _, k := range []int{5100, 5101, 5102, 5300} {
			kinds += r.stats(t, StatsQuery{Provider: mustKey(t, fmt.Sprint("bob", i)), Kind: k, Step: -1}).Results
		}
		if kinds != s.Results {
			t.Errorf("bob%d: %d results by kind, want %d", i, kinds, s.Results)
		}
	}
	if s := r.stats(t, StatsQuery{}); s.First != perProvider || s.Providers != 5 || s.Customers != 40 {
		t.Errorf("got %d first, %d providers, %d customers; want %d, 5, 40", s.First, s.Providers, s.Customers, perProvider)
	}
}

// all lists every thread.
func (r *rig) all(t testing.TB) (all []Thread) {
	t.Helper()
	q := ThreadQuery{Limit: MaxLimit}
	for {
		page := r.list(t, q)
		all = append(all, page.Items...)
		if q.Cursor = page.Next; q.Cursor == "" {
			return all
		}
	}
}

func mustKey(t testing.TB, name string) nip90.PubKey {
	t.Helper()
	k, ok := nip90.ParseID(key(name))
	if !ok {
		t.Fatalf("%s has no key", name)
	}
	return nip90.PubKey(k)
}

// TestRollups_SealedCountsOutliveErasing: who vanishes takes young counts along and leaves old, anonymous ones.
func TestRollups_SealedCountsOutliveErasing(t *testing.T) {
	r := newRig(t, nil)
	old, young := request("alice", 0), request("alice", 50*daySeconds)
	other := request("carol", 10)
	r.put(t, old, other, result("bob", 5, old.ID))
	r.at.Store(epoch + 60*daySeconds)
	r.put(t, young, result("bob", 50*daySeconds+5, young.ID), feedback("bob", 70, "processing", other.ID))
	before := r.stats(t, StatsQuery{})
	if before.Requests != 3 || before.Results != 2 || before.Late == 0 {
		t.Fatalf("got %+v; want 3 requests, 2 results, and the late feedback told", before.Counts)
	}
	r.put(t, event("alice", 62, 60*daySeconds, "", tag("relay", "ALL_RELAYS")))
	r.settle(t)
	r.sweep(t)
	want := func(round string) {
		t.Helper()
		got := r.stats(t, StatsQuery{})
		if got.Requests != 2 || got.Results != 1 || got.Feedbacks != 1 {
			t.Errorf("%s: got %+v; want alice's old job and carol's, with one result and one feedback", round, got.Counts)
		}
		if got.Late != before.Late {
			t.Errorf("%s: %d late changes, want %d", round, got.Late, before.Late)
		}
	}
	want("erased")
	if err := r.x.Rebuild(context.Background(), r.Store); err != nil {
		t.Fatal(err)
	}
	want("rebuilt")
}
