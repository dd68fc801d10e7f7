package relay_test

import (
	"context"
	"testing"
	"time"

	"dvmrelay/mirror"
	"dvmrelay/nip90"

	"github.com/nbd-wtf/go-nostr"
)

// TestSubmit_WhatHasAFactIsNotVerifiedAgain: ten upstreams bring a replaced version, or one that has expired, ten times.
func TestSubmit_WhatHasAFactIsNotVerifiedAgain(t *testing.T) {
	r := open(t)
	now := time.Now().Unix()
	handler := func(at int64) *nostr.Event {
		return eventAt("provider", 31990, at, "", nostr.Tag{"d", "x"}, nostr.Tag{"k", "5300"})
	}
	newest, stale := handler(now), handler(now-10)
	late := eventAt("customer", 5300, now-100, "", nostr.Tag{"expiration", "1700000000"})
	for range 10 {
		for _, e := range []*nostr.Event{newest, stale, late} {
			p := parsed(t, e)
			p.Door = nip90.DoorMirror
			if v := r.relay.Submit(context.Background(), p); v.Outcome == mirror.Failed || v.Outcome == mirror.Refused {
				t.Fatalf("submit %s: %+v", e.ID, v)
			}
		}
	}
	if n := r.relay.Gauges().Verified; n != 3 {
		t.Errorf("%d signatures verified, want one of each of the three events", n)
	}
	c := r.dial()
	c.send(publish(late))
	c.want("OK", late.ID, "false", "invalid: expired *")
}
