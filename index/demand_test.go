package index

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"dvmrelay/store"

	"github.com/nbd-wtf/go-nostr"
)

// TestGauge_DemandIsWhatStatsCounts: what was remembered of a part of an hour is not believed once the hour changes.
func TestGauge_DemandIsWhatStatsCounts(t *testing.T) {
	r := newRig(t, nil)
	seed := uint64(time.Now().UnixNano())
	rng := rand.New(rand.NewPCG(seed, 1))
	t.Logf("seed %d", seed)
	const span = 30 * hourSeconds
	r.at.Store(epoch + span)
	n := 0
	more := func(at int64) nostr.Event {
		n++
		tags := []nostr.Tag{tag("nonce", fmt.Sprint(n))}
		if rng.IntN(3) == 0 {
			tags = append(tags, tag("p", key("bob")))
		}
		return event("alice", 5100, at, "", tags...)
	}
	var from []int64
	for range 40 {
		from = append(from, rng.Int64N(span))
	}
	from = append(from, 0, 3*hourSeconds, span-1, span)
	for round := range 4 {
		var evts []nostr.Event
		for range 60 {
			evts = append(evts, more(rng.Int64N(span)))
		}
		at := from[rng.IntN(40)]
		evts = append(evts, more(at), more(max(at-1, 0)))
		r.put(t, evts...)
		if err := r.View(func(v store.Reader) error {
			l := lens{Reader: v, x: r.x, now: r.x.now(0)}
			g, err := l.gauge(l.now-measuredSeconds, l.now)
			if err != nil {
				return err
			}
			for _, at := range from {
				for range 2 { // the second is remembered
					got, err := g.demand(5100, epoch+at)
					if err != nil {
						return err
					}
					s, err := r.x.Stats(v, StatsQuery{Kind: 5100, Since: epoch + at, Until: g.until, Step: -1, Now: l.now})
					if err != nil {
						return err
					}
					if want := s.Requests - s.Addressed; got != want {
						t.Errorf("round %d: %d requests since %d, want %d", round, got, at, want)
					}
				}
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
}
