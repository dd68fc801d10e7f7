package mirror

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nbd-wtf/go-nostr"
)

// TestMirror_SecondThatWasCutIsAGap: it is told as truncated, survives a restart, is asked for again, and is no gap any
// more once all of it was given.
func TestMirror_SecondThatWasCutIsAGap(t *testing.T) {
	r, c, state, sink := newFake(t), clockAt(time.Now().Unix()-7200), newState(), newSink()
	o := Options{Upstreams: []string{r.addr()}, Now: c.now, pace: quick()}
	o.pace.sweep = time.Hour
	m, stop := start(t, o, sink, state)
	eventually(t, "live", backfilled(m))
	began := c.now().Unix()
	c.add(time.Minute)
	r.publish(job(5300, c.now().Unix()))
	eventually(t, "a sign of life", func() bool { return m.Upstreams()[0].Accepted == 1 })
	r.leave(true)
	eventually(t, "the loss", func() bool { return m.Upstreams()[0].State == StateWaiting })

	// while it is away it comes to hold more of one kind and second than it gives at once
	at := began + 120
	var events []*nostr.Event
	for n := range 20 {
		events = append(events, job(5300, at, nostr.Tag{"n", strconv.Itoa(n)}))
	}
	events = append(events, job(5300, at-5), job(5300, at+5))
	r.mu.Lock()
	r.events, r.maxLimit = append(r.events, events...), 7
	r.mu.Unlock()
	c.add(4 * time.Minute)
	r.leave(false)
	eventually(t, "backfill", backfilled(m))
	want := []Gap{{r.addr(), at, at + 1, "truncated"}}
	eventually(t, "the gap", func() bool { return slices.Equal(want, of(r.addr(), m.ledger.Gaps(began, c.now().Unix(), 0))) })
	st := m.Upstreams()[0]
	if d := cmp.Diff(want, st.Gaps); d != "" {
		t.Errorf("gaps of the status: -want +got\n%s", d)
	}
	if st.Unheard["truncated"] != 1 {
		t.Errorf("unheard = %v, want one second truncated", st.Unheard)
	}
	if got, whole := heardSeconds(t, m.ledger, r.addr(), began, began+300), int64(299); got != whole {
		t.Errorf("%d seconds are heard, want %d", got, whole)
	}
	if n := missing(sink, events); n != 13 {
		t.Errorf("%d events are missing, want all of that second but 7", n)
	}

	// it is asked for again after a while, and when this relay starts, and still gives part of it
	stop()
	m, _ = start(t, o, sink, state)
	if gaps := m.ledger.recent(r.addr(), maxGaps); !slices.Contains(gaps, want[0]) {
		t.Errorf("gaps after a restart = %+v, want %+v among them", gaps, want[0])
	}
	asked := func() int {
		n := 0
		for _, q := range r.requests() {
			if f := q.filters[0]; q.paging() && f.Since != nil && int64(*f.Since) == at && int64(*f.Until) == at && len(f.Kinds) > 100 {
				n++
			}
		}
		return n
	}
	eventually(t, "backfill", backfilled(m))
	r.forget()
	c.add(2 * time.Hour)
	eventually(t, "the second to be asked for again", func() bool { return asked() > 0 })
	eventually(t, "backfill", backfilled(m))
	if d := cmp.Diff(want, of(r.addr(), m.ledger.Gaps(began, c.now().Unix(), 0))); d != "" {
		t.Errorf("gaps while it still gives only part: -want +got\n%s", d)
	}

	// now it gives all of it
	r.mu.Lock()
	r.maxLimit = 0
	for n := range 30 { // so that it is seen to give longer answers than that second
		r.events = append(r.events, job(31990, began-int64(n), nostr.Tag{"d", strconv.Itoa(n)}))
	}
	r.mu.Unlock()
	c.add(2 * time.Hour)
	eventually(t, "all events", func() bool { return missing(sink, events) == 0 && sink.len() >= len(events)+30 })
	var asks time.Time // the second may have been asked for before the longer answer came, so more than once
	eventually(t, "the gap to close", func() bool {
		if now := time.Now(); now.After(asks) {
			asks = now.Add(time.Second)
			c.add(2 * time.Hour)
		}
		return len(of(r.addr(), m.ledger.Gaps(began, c.now().Unix(), 0))) == 0
	})
	if st := m.Upstreams()[0]; len(st.Gaps) != 0 || st.Unheard["truncated"] != 0 {
		t.Errorf("got %+v, want no gap", st)
	}
	eventually(t, "that to be written", func() bool {
		raw, err := state.Meta(cutKey(r.addr()))
		return err == nil && string(raw) == "null" || string(raw) == "[]"
	})
}

// TestLedger_CutsAgreeWithASecondBySecondModel plays cuts and mends at random and compares what is told with a set.
func TestLedger_CutsAgreeWithASecondBySecondModel(t *testing.T) {
	seed := rand.Uint64()
	rng := rand.New(rand.NewPCG(seed, 1))
	state, c := newState(), clockAt(epoch)
	l := listen(t, state, c, "u")
	l.up("u", epoch, nil)
	c.add(1000 * time.Second)
	type key struct {
		part string
		at   int64
	}
	model := map[key]bool{}
	for round := range 400 {
		part := string(rune('a' + rng.IntN(2)))
		at := epoch + rng.Int64N(1000)
		if rng.IntN(3) > 0 {
			l.cut("u", part, at)
			model[key{part, at}] = true
		} else {
			read := window{at, at + rng.Int64N(50)}
			var but []int64
			for s := read.Since; s <= read.Until; s++ {
				if model[key{part, s}] && rng.IntN(4) == 0 {
					but = append(but, s)
				} else {
					delete(model, key{part, s})
				}
			}
			l.mend("u", part, read, but)
		}
		var want []Gap
		for s := int64(epoch); s < epoch+1000; s++ {
			if !model[key{"a", s}] && !model[key{"b", s}] {
				continue
			}
			if n := len(want); n > 0 && want[n-1].Until == s {
				want[n-1].Until++
			} else {
				want = append(want, Gap{"u", s, s + 1, "truncated"})
			}
		}
		if d := cmp.Diff(want, of("u", l.Gaps(epoch, epoch+1000, 0))); d != "" {
			t.Fatalf("seed %d, round %d: -want +got\n%s", seed, round, d)
		}
		if round%50 == 0 { // over a restart
			l.save(context.Background(), "u")
			again := NewLedger(state.killed(), c.now, nil)
			again.list([]string{"u"})
			if d := cmp.Diff(l.sources["u"].cuts, again.sources["u"].cuts); d != "" {
				t.Fatalf("seed %d, round %d: after a restart: -want +got\n%s", seed, round, d)
			}
		}
	}
}

func TestLedger_CutsAreBoundedAndNeverClaimLess(t *testing.T) {
	l := listen(t, newState(), clockAt(epoch), "u")
	for n := range int64(5 * maxCuts) {
		l.cut("u", fmt.Sprint("part", n%2), epoch-n*n)
	}
	cuts := l.sources["u"].cuts
	if len(cuts) > maxCuts {
		t.Errorf("%d cuts, want at most %d", len(cuts), maxCuts)
	}
	for n := range int64(5 * maxCuts) {
		if !slices.ContainsFunc(cuts, func(c cut) bool {
			return c.Part == fmt.Sprint("part", n%2) && c.Since <= epoch-n*n && epoch-n*n <= c.Until
		}) {
			t.Fatalf("second %d is not among them", n)
		}
	}
}
