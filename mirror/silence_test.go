package mirror_test

import (
	"strconv"
	"testing"
	"time"

	"dvmrelay/mirror"

	"github.com/google/go-cmp/cmp"
	"github.com/nbd-wtf/go-nostr"
)

// traffic is all that mirrors received.
func traffic(mirrors []*mirror.Mirror) (n uint64) {
	for _, m := range mirrors {
		for _, u := range m.Upstreams() {
			n += u.Accepted + u.Duplicates + u.Ignored
			for _, k := range u.Rejected {
				n += k
			}
		}
	}
	return n
}

// silent waits until nothing was received for a while.
func (h *hub) silent(mirrors []*mirror.Mirror) uint64 {
	h.t.Helper()
	const calm = 1500 * time.Millisecond // longer than any period of a hasty mirror
	before, since := traffic(mirrors), time.Now()
	h.until("silence", func() bool {
		if n := traffic(mirrors); n != before {
			before, since = n, time.Now()
		}
		return time.Since(since) > calm
	})
	return before
}

// TestHubs_ThreeThatMirrorEachOtherFallSilent: each of three hubs mirrors the other two and has a third of a past. They
// end with the same events, then nothing is sent any more; a new event crosses each way once, and there is silence again.
func TestHubs_ThreeThatMirrorEachOtherFallSilent(t *testing.T) {
	leakless(t)
	const events = 600
	w := newWorld(seeded(t), events, time.Now().Unix())
	past := w.past(t, events)
	var hubs []*hub
	for range 3 {
		hubs = append(hubs, newHub(t))
	}
	for i, e := range past {
		if v := hubs[i%3].submit(e.Event, e.raw); v.Outcome == mirror.Failed {
			t.Fatalf("submit %s: %+v", e.ID, v)
		}
	}
	var mirrors []*mirror.Mirror
	for i, h := range hubs {
		m, _ := h.mirrorsAt(hubs[(i+1)%3].addr, hubs[(i+2)%3].addr)
		mirrors = append(mirrors, m)
	}
	same := func() bool {
		x := hubs[0].servedAll()
		return cmp.Equal(x, hubs[1].servedAll()) && cmp.Equal(x, hubs[2].servedAll())
	}
	hubs[0].until("one past on all hubs", func() bool {
		return whole(mirrors[0]) && whole(mirrors[1]) && whole(mirrors[2]) && same()
	})
	if n := len(hubs[0].servedAll()); n < events/2 {
		t.Errorf("the hubs have %d events, want most of %d", n, events)
	}
	before := hubs[0].silent(mirrors)

	const burst = 10
	for i := range burst {
		for n, h := range hubs {
			e := w.customers[n].event(5300, int64(nostr.Now()), "", nostr.Tag{"i", strconv.Itoa(i), "text"})
			if v := h.submit(e.Event, e.raw); v.Outcome != mirror.Stored {
				t.Errorf("submit: %+v, want it stored", v)
			}
		}
	}
	hubs[0].until("the burst on all hubs", same)
	// each of three hubs hears of an event from both others at most, its own come back included
	if n := hubs[0].silent(mirrors) - before; n < 2*3*burst || n > 6*3*burst {
		t.Errorf("%d events crossed, want from 2 to 6 times each of %d", n, 3*burst)
	}
	for i, m := range mirrors {
		for _, u := range m.Upstreams() {
			if u.Connects != 1 || u.State != mirror.StateLive {
				t.Errorf("hub %d, upstream %s: %s after %d connections, want it live after 1", i, u.URL, u.State, u.Connects)
			}
		}
	}
}
