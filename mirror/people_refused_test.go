package mirror

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/nbd-wtf/go-nostr"
)

func TestPeople_RefusedFiltersAreHalved(t *testing.T) {
	r, w, sink := newFake(t), &someKeys{}, newSink()
	r.maxKeys = 70
	w.add(persons(0, 300), nil)
	e := []*nostr.Event{by(person(0), 0, 1000), by(person(299), 10002, 1000), zapTo(person(150), time.Now().Unix()-100)}
	r.events = slices.Clone(e)
	m, _ := start(t, Options{Upstreams: []string{r.addr()}, Watched: w}, sink, newState())
	eventually(t, "all of them", settled(m, 300))
	eventually(t, "the events", func() bool { return missing(sink, e) == 0 })
	live := zapTo(person(222), time.Now().Unix())
	r.publish(live)
	eventually(t, "a live one", func() bool { return sink.has(live) })
}

// A part about people that is refused or not answered leaves the others alone.
func TestPeople_WhatIsRefusedAboutPeopleIsNoGap(t *testing.T) {
	for name, answer := range map[string]string{"refused": `["CLOSED",%q,"blocked: not here"]`, "silent": ""} {
		t.Run(name, func(t *testing.T) {
			r, w, sink := newFake(t), &someKeys{}, newSink()
			w.add(persons(0, 3), persons(5, 3))
			r.twist = func(sub string, f nostr.Filter, c *fakeConn) bool {
				if len(f.Authors)+len(f.Tags["p"]) == 0 {
					return false
				}
				if answer != "" {
					c.send(fmt.Appendf(nil, answer, sub))
				}
				return true
			}
			p := quick()
			p.answer = 2 * time.Second // a busy machine may take long to answer for the jobs
			m, _ := start(t, Options{Upstreams: []string{r.addr()}, Watched: w, pace: p}, sink, newState())
			eventually(t, "the jobs", backfilled(m))
			eventually(t, "a refusal in the status", func() bool {
				return slices.ContainsFunc(m.Upstreams()[0].Parts, func(p PartStatus) bool { return p.Name == "c" && p.State == HeardRefused && p.Reason != "" })
			})
			live := job(5300, time.Now().Unix())
			r.publish(live)
			eventually(t, "a job", func() bool { return sink.has(live) })
			if st := m.Upstreams()[0]; st.State != StateLive || st.Connects != 1 {
				t.Errorf("status = %+v, want it live on its first connection", st)
			}
			r.twisted(nil)
			zap := zapTo(person(1), time.Now().Unix())
			r.publish(zap)
			eventually(t, "what was published while it was refused", func() bool { return sink.has(zap) })
		})
	}
}

func TestPeople_AreAskedAboutAnewNoMoreThanOncePerPace(t *testing.T) {
	r, w := newFake(t), &someKeys{}
	p := quick()
	p.watch = 300 * time.Millisecond
	w.add(persons(0, 1), nil)
	m, _ := start(t, Options{Upstreams: []string{r.addr()}, Watched: w, pace: p}, newSink(), newState())
	eventually(t, "the first", settled(m, 1))
	r.forget()
	began := time.Now()
	for n := 1; time.Since(began) < time.Second; n++ { // ever more of them, much faster than the pace
		w.add(persons(n, 1), nil)
		<-time.After(5 * time.Millisecond)
	}
	live := 0
	for _, q := range r.requests() {
		if q.people() && q.filters[0].Until == nil {
			live++
		}
	}
	if most := int(time.Since(began)/p.watch) + 1; live > most || live < 2 {
		t.Errorf("the subscription was issued %d times within %s, want 2 to %d times", live, time.Since(began), most)
	}
	r.forget()
	w.mu.Lock()
	all := len(w.pros)
	w.mu.Unlock()
	eventually(t, "all of them", settled(m, all))
	r.forget()
	eventually(t, "another look", func() bool { return time.Since(began) > 2*time.Second })
	for _, q := range r.requests() {
		if q.people() && q.filters[0].Until == nil {
			t.Errorf("the subscription was issued again, though nothing had changed")
		}
	}
}

// TestPeople_AChangeLeavesNoHole publishes zaps for one key while others come and go.
func TestPeople_AChangeLeavesNoHole(t *testing.T) {
	r, w, sink := newFake(t), &someKeys{}, newSink()
	w.add(persons(0, 3), nil)
	p := quick()
	p.watch = 4 * time.Millisecond
	p.page = 500
	m, _ := start(t, Options{Upstreams: []string{r.addr()}, Watched: w, pace: p}, sink, newState())
	eventually(t, "the first", settled(m, 3))
	at := time.Now().Unix()
	var zaps []*nostr.Event
	for n := range 100 {
		w.mu.Lock()
		w.pros = append(persons(0, 3), persons(10+n%7, n%5)...)
		w.mu.Unlock()
		zap := job(9735, at, nostr.Tag{"p", person(n % 3).String()}, nostr.Tag{"n", fmt.Sprint(n)})
		zaps = append(zaps, zap)
		r.announce(zap) // and does not keep it, so that nothing but a live subscription brings it
		<-time.After(3 * time.Millisecond)
	}
	if n := missingAfter(sink, zaps); n > 0 {
		t.Errorf("%d of %d zaps are missing", n, len(zaps))
	}
}

// missingAfter waits for events that are on their way.
func missingAfter(sink *memSink, events []*nostr.Event) int {
	deadline := time.Now().Add(2 * time.Second)
	for missing(sink, events) > 0 && time.Now().Before(deadline) {
		<-time.After(2 * time.Millisecond)
	}
	return missing(sink, events)
}
