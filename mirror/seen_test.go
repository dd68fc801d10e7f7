package mirror_test

import (
	"context"
	"maps"
	"slices"
	"testing"

	"dvmrelay/index"
	"dvmrelay/mirror"
	"dvmrelay/nip90"
	"dvmrelay/store"

	"github.com/nbd-wtf/go-nostr"
)

// sighted runs a mirror of other hubs into this one that remembers who had what, and waits until it has read them.
func (h *hub) sighted(others ...*hub) *index.Sightings {
	h.t.Helper()
	g, err := index.NewSightings(h.index, h.store.Store)
	if err != nil {
		h.t.Fatal(err)
	}
	o := mirror.Options{Seen: g.Saw}
	for _, other := range others {
		o.Upstreams = append(o.Upstreams, other.addr)
	}
	m := mirror.New(o, h.relay, h.store.Store)
	ctx, cancel := context.WithCancel(context.Background())
	written, stop := context.WithCancel(context.Background())
	done, wrote := make(chan error, 1), make(chan error, 1)
	go func() { done <- m.Run(ctx) }()
	go func() { wrote <- g.Run(written) }()
	h.t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			h.t.Errorf("run mirror: %v", err)
		}
		stop()
		if err := <-wrote; err != nil {
			h.t.Errorf("run sightings: %v", err)
		}
	})
	h.until("backfill", func() bool {
		for _, u := range m.Upstreams() {
			if u.State != mirror.StateLive {
				return false
			}
		}
		return true
	})
	if err := g.Flush(context.Background()); err != nil {
		h.t.Fatal(err)
	}
	return g
}

func (h *hub) seenOn(id string) (on []string) {
	h.t.Helper()
	err := h.store.View(func(r store.Reader) error {
		parsed, _ := nip90.ParseID(id)
		e, _, ok, err := h.index.Event(r, parsed)
		if ok {
			on = e.SeenOn
		}
		return err
	})
	if err != nil {
		h.t.Fatal(err)
	}
	slices.Sort(on)
	return on
}

func (h *hub) exclusive() (counts map[string]uint64) {
	h.t.Helper()
	err := h.store.View(func(r store.Reader) (err error) {
		counts, err = h.index.Exclusive(r)
		return err
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return counts
}

// TestSeen_TwoUpstreamsThatOverlap: once both are read it is known who had what, and what only one of them had.
func TestSeen_TwoUpstreamsThatOverlap(t *testing.T) {
	a, b, here := newHub(t), newHub(t), newHub(t)
	both := []string{a.addr, b.addr}
	slices.Sort(both)
	want := map[string][]string{}
	publish := func(n int, on []string, hubs ...*hub) {
		for range n {
			evt, raw := signed(t, 5300, nostr.Tag{"i", "x", "text"})
			for _, h := range hubs {
				if v := h.submit(evt, raw); v.Outcome != mirror.Stored {
					t.Fatalf("event %s: %+v", evt.ID, v)
				}
			}
			want[evt.ID] = on
		}
	}
	publish(20, both, a, b)
	publish(7, []string{a.addr}, a)
	publish(3, []string{b.addr}, b)
	g := here.sighted(a, b)
	for id, on := range want {
		if got := here.seenOn(id); !slices.Equal(got, on) {
			t.Errorf("%s was seen on %v, want %v", id, got, on)
		}
	}
	if got, alone := here.exclusive(), map[string]uint64{a.addr: 7, b.addr: 3}; !maps.Equal(got, alone) {
		t.Errorf("exclusive %v, want %v", got, alone)
	}

	// Live it is the same: first one has it alone, then the other has it too.
	evt, raw := signed(t, 5300, nostr.Tag{"i", "live", "text"})
	a.submit(evt, raw)
	here.until("the live event is seen", func() bool { return len(here.seenOn(evt.ID)) == 1 })
	if got := here.exclusive()[a.addr]; got != 8 {
		t.Errorf("exclusive of the first: %d, want 8", got)
	}
	b.submit(evt, raw)
	here.until("it is seen on both", func() bool { return len(here.seenOn(evt.ID)) == 2 })
	if got := here.exclusive()[a.addr]; got != 7 {
		t.Errorf("exclusive of the first: %d, want 7", got)
	}
	if st := g.Stats(); st.Unknown != 0 || st.Dropped != 0 {
		t.Errorf("%+v, want none unknown and none dropped", st)
	}
}

// TestSeen_WhatIsRefusedIsNot: an upstream that sends what it does not have says nothing of who has it.
func TestSeen_WhatIsRefusedIsNot(t *testing.T) {
	a, here := newHub(t), newHub(t)
	evt, raw := signed(t, 5300, nostr.Tag{"i", "x", "text"})
	evt2, raw2 := signed(t, 9735, nostr.Tag{"i", "about nobody", "text"})
	a.submit(evt, raw)
	a.submit(evt2, raw2)
	g := here.sighted(a)
	if got := here.seenOn(evt.ID); !slices.Equal(got, []string{a.addr}) {
		t.Errorf("seen on %v, want %s", got, a.addr)
	}
	if got := here.seenOn(evt2.ID); len(got) != 0 {
		t.Errorf("what was never taken was seen on %v", got)
	}
	if st := g.Stats(); st.Written != 1 {
		t.Errorf("%+v, want one row", st)
	}
}
