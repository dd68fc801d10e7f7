package mirror_test

import (
	"strconv"
	"testing"

	"dvmrelay/mirror"

	"github.com/google/go-cmp/cmp"
	"github.com/nbd-wtf/go-nostr"
)

// TestHubs_MirroringEachOtherSettle: two hubs with a past, and a burst on both sides. Each event crosses once, and its
// echo comes back once; after that there is silence. What one hub sends the other comes in order, so whatever an echo
// might have caused is counted before the last event's own echo is.
func TestHubs_MirroringEachOtherSettle(t *testing.T) {
	const burst = 40
	a, b := newHub(t), newHub(t)
	a.real()
	ma, _ := a.follow(b)
	mb, _ := b.follow(a)
	type counts struct{ accepted, duplicates, others uint64 }
	count := func(m *mirror.Mirror) counts {
		u := m.Upstreams()[0]
		c := counts{u.Accepted, u.Duplicates, u.Ignored}
		for _, n := range u.Rejected {
			c.others += n
		}
		return c
	}
	base := map[*mirror.Mirror]counts{ma: count(ma), mb: count(mb)}
	since := func(m *mirror.Mirror) counts {
		c, old := count(m), base[m]
		return counts{c.accepted - old.accepted, c.duplicates - old.duplicates, c.others - old.others}
	}
	send := func(h *hub, n int) {
		for i := range n {
			evt, raw := signed(t, 5300, nostr.Tag{"i", strconv.Itoa(i), "text"})
			if v := h.submit(evt, raw); v.Outcome != mirror.Stored {
				t.Errorf("submit: %+v, want it stored", v)
			}
		}
	}
	settled := func(n uint64) func() bool {
		return func() bool {
			x, y := since(ma), since(mb)
			return x.accepted >= n && y.accepted >= n && x.duplicates >= n && y.duplicates >= n
		}
	}
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		send(a, burst)
	}()
	send(b, burst)
	<-sent
	a.until("the burst and its echo", settled(burst))
	send(a, 1)
	send(b, 1)
	a.until("the last events and their echo", settled(burst+1))
	for name, m := range map[string]*mirror.Mirror{"first": ma, "second": mb} {
		if got, want := since(m), (counts{burst + 1, burst + 1, 0}); got != want {
			t.Errorf("%s hub: %+v, want %+v: each event once, its echo once, nothing else", name, got, want)
		}
	}
	x, y := a.served(), b.served()
	if d := cmp.Diff(x, y); d != "" || len(x) < 2*burst {
		t.Errorf("the hubs differ: -first +second\n%s", d)
	}
}
