package index

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/nbd-wtf/go-nostr"
)

// TestSeries_StepsFitTheWindow holds each point of a series to what is counted of its stretch of time alone.
func TestSeries_StepsFitTheWindow(t *testing.T) {
	const seed = 20
	rng := rand.New(rand.NewPCG(seed, seed))
	t.Logf("seed %d", seed)
	r := newRig(t, nil)
	const now = epoch + 200*daySeconds
	r.at.Store(now)
	var events []nostr.Event
	for i := range 400 {
		ago := rng.Int64N(2 * hourSeconds << (i % 11))
		job := event("alice", 5100, now-epoch-ago, fmt.Sprint(i))
		events = append(events, job, event("bob", 6100, now-epoch-ago+3, "done", tag("e", job.ID)))
	}
	r.put(t, events...)
	for _, c := range []struct {
		window, step int64
		provider     bool
	}{
		{hourSeconds, stepFine, false}, {daySeconds, hourSeconds, false}, {7 * daySeconds, daySeconds, false}, {30 * daySeconds, daySeconds, false},
		{100 * daySeconds, daySeconds, false}, {180 * daySeconds, stepMonth, false},
		{hourSeconds, hourSeconds, true}, {daySeconds, hourSeconds, true}, {30 * daySeconds, daySeconds, true},
	} {
		t.Run(fmt.Sprintf("%d hours, provider %t", c.window/hourSeconds, c.provider), func(t *testing.T) {
			q := StatsQuery{Since: now - c.window, Until: now}
			if c.provider {
				q.Provider = pub(t, "bob")
			}
			all := r.stats(t, q)
			s := series{step: c.step}
			if n := int(c.window / c.step); len(all.Series) < n || len(all.Series) > n+2 {
				t.Fatalf("%d points, want about %d", len(all.Series), n)
			}
			var sum int64
			for i, p := range all.Series {
				if i > 0 && p.At != s.next(all.Series[i-1].At) {
					t.Errorf("point %d begins at %d, %d after the one before", i, p.At, p.At-all.Series[i-1].At)
				}
				one := r.stats(t, StatsQuery{Since: max(p.At, all.Since), Until: min(s.next(p.At)-1, all.Until), Provider: q.Provider, Step: -1})
				if *p.Requests != one.Requests || *p.Results != one.Results {
					t.Errorf("point %d has %d requests and %d results, want %d and %d", i, *p.Requests, *p.Results, one.Requests, one.Results)
				}
				sum += *p.Requests
			}
			if sum != all.Requests || sum == 0 {
				t.Errorf("the points have %d requests, want all %d", sum, all.Requests)
			}
		})
	}
	if s := newSeries(1, 0, 365*daySeconds, false); s.step != daySeconds {
		t.Errorf("a year in seconds: steps of %d, want days", s.step)
	}
}
