package relay_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"dvmrelay/mirror"
	"dvmrelay/nip90"

	"github.com/nbd-wtf/go-nostr"
)

// TestVerify_TenDoorsCostOneCheckEach brings the same events through ten doors at once; some are stored, some wait, some
// have expired, some are refused. Forged copies come among them.
func TestVerify_TenDoorsCostOneCheckEach(t *testing.T) {
	const doors, n = 10, 1000
	r := open(t)
	now := time.Now().Unix()
	events := make([]*nostr.Event, n)
	forged := 0
	for i := range events {
		switch i % 4 {
		case 0:
			events[i] = event("customer", 5300, fmt.Sprint(i))
		case 1:
			events[i] = event("wallet", 9735, fmt.Sprint(i), nostr.Tag{"e", fmt.Sprintf("%064x", i+1)})
		case 2:
			events[i] = event("customer", 5300, fmt.Sprint(i), nostr.Tag{"expiration", fmt.Sprint(now - 60)})
		case 3:
			events[i] = event("judge", 1984, fmt.Sprint(i)) // about nothing: refused each time
		}
	}
	kinds := []nip90.Door{nip90.DoorMirror, nip90.DoorBackfill, nip90.DoorSync, nip90.DoorImport}
	var wg sync.WaitGroup
	for door := range doors {
		list := make([]*nip90.Parsed, n)
		for i, e := range events {
			list[i] = through(t, kinds[door%len(kinds)], e)
		}
		wg.Go(func() {
			for i, p := range list {
				v := r.relay.Submit(context.Background(), p)
				want := map[int][]mirror.Outcome{
					0: {mirror.Stored, mirror.Duplicate}, 1: {mirror.Ignored, mirror.Ignored}, 2: {mirror.Ignored, mirror.Duplicate}, 3: {mirror.Refused, mirror.Refused},
				}[i%4]
				if v.Outcome != want[0] && v.Outcome != want[1] {
					t.Errorf("door %d, event %d: %+v", door, i, v)
				}
			}
		})
	}
	for i := 0; i < n; i += 40 {
		e := *events[i]
		e.Sig = strings.Repeat("ab", 64)
		p := through(t, nip90.DoorMirror, &e)
		forged++
		wg.Go(func() {
			// A forged copy is refused, or found to be here already.
			if v := r.relay.Submit(context.Background(), p); v.Outcome != mirror.Refused && v.Outcome != mirror.Duplicate {
				t.Errorf("forged copy: %+v", v)
			}
		})
	}
	wg.Wait()
	g := r.relay.Gauges()
	if good := g.Verified - g.BadSignatures; good != n || g.BadSignatures > int64(forged) {
		t.Errorf("%d good signatures checked, %d bad; want %d and at most %d", good, g.BadSignatures, n, forged)
	}
	if st := r.store.Stats(); st.Bodies != n/4 || st.Facts != n/2 || st.Waiting != n/4 {
		t.Errorf("%d stored, %d counted, %d wait", st.Bodies, st.Facts, st.Waiting)
	}
}

// TestVerify_WhatIsLetInIsNotCheckedAgain: an event waited long enough that its check is forgotten, and comes again in the
// moment in which it is let in.
func TestVerify_WhatIsLetInIsNotCheckedAgain(t *testing.T) {
	const n = 100
	r := open(t)
	for i := range n {
		job := event("customer", 5300, fmt.Sprint(i))
		zap := event("wallet", 9735, fmt.Sprint(i), nostr.Tag{"e", job.ID})
		if v := r.relay.Submit(context.Background(), through(t, nip90.DoorMirror, zap)); v.Outcome != mirror.Ignored {
			t.Fatalf("a receipt of nothing known: %+v", v)
		}
		r.relay.ForgetSignatures()
		var doors sync.WaitGroup
		for range 2 {
			p := through(t, nip90.DoorMirror, zap)
			doors.Go(func() {
				for {
					switch v := r.relay.Submit(context.Background(), p); v.Outcome {
					case mirror.Ignored:
					case mirror.Duplicate:
						return
					default:
						t.Errorf("a receipt that waits or is here: %+v", v)
						return
					}
				}
			})
		}
		if v := r.relay.Submit(context.Background(), through(t, nip90.DoorMirror, job)); v.Outcome != mirror.Stored {
			t.Fatalf("the job: %+v", v)
		}
		doors.Wait()
	}
	if got := r.relay.Gauges().Verified; got != 2*n {
		t.Errorf("%d signatures checked, want one for each of %d events", got, 2*n)
	}
}

// TestVerify_ForgedCopyFirst: neither order lets a forged copy in, or keeps the genuine one out.
func TestVerify_ForgedCopyFirst(t *testing.T) {
	r := open(t)
	c := r.dial()
	for range 50 {
		e := event("customer", 5300, fmt.Sprint(time.Now().UnixNano()))
		f := *e
		f.Sig = event("customer", 5300, "another").Sig
		c.send(publish(&f), publish(e), publish(&f))
		ok := 0
		for range 3 {
			if m := c.want("OK", e.ID); m.text(2) == "true" {
				ok++
			} else if !strings.HasPrefix(m.text(3), "invalid: signature") {
				t.Errorf("got %s", m)
			}
		}
		if ok == 0 {
			t.Error("the genuine event was refused")
		}
	}
	if got := len(c.query(`{"kinds":[5300]}`)); got != 50 {
		t.Errorf("%d stored, want 50", got)
	}
}

// TestVerify_WhatHasNoBodyIsNotCheckedAgain: swept, stale and expired events are known by their facts. Sockets are told
// what they always were.
func TestVerify_WhatHasNoBodyIsNotCheckedAgain(t *testing.T) {
	r := open(t)
	c := r.dial()
	now := time.Now().Unix()
	swept := event("customer", 5300, "", nostr.Tag{"expiration", fmt.Sprint(now + 60)})
	tags := []nostr.Tag{{"d", "x"}, {"k", "5300"}}
	stale, newest := eventAt("provider", 31990, now-10, "{}", tags...), eventAt("provider", 31990, now, "{}", tags...)
	c.publish(swept, stale, newest)
	r.clock.pass(2 * time.Minute)
	if err := r.store.Sweep(context.Background()); err != nil {
		t.Fatal(err)
	}
	before := r.relay.Gauges().Verified
	for _, e := range []*nostr.Event{swept, stale, newest} {
		for _, door := range []nip90.Door{nip90.DoorMirror, nip90.DoorBackfill, nip90.DoorImport, nip90.DoorSync} {
			other := *e
			other.Sig = strings.Repeat("cd", 64) // one that nobody has checked
			if v := r.relay.Submit(context.Background(), through(t, door, &other)); v.Outcome != mirror.Duplicate {
				t.Errorf("kind %d, door %d: %+v", e.Kind, door, v)
			}
		}
	}
	if got := r.relay.Gauges().Verified; got != before {
		t.Errorf("%d more signatures checked, want none", got-before)
	}
	forged := *stale
	forged.Sig = strings.Repeat("cd", 64)
	c.send(publish(&forged))
	c.want("OK", stale.ID, "false", "invalid: signature *")
	c.send(publish(stale))
	c.want("OK", stale.ID, "true", "duplicate: *")
	c.send(publish(swept))
	c.want("OK", swept.ID, "false", "invalid: expired *")
}

// TestVerify_WhoWaitsMayLeave: the end of one who waits, or of one who checks, is no answer for another.
func TestVerify_WhoWaitsMayLeave(t *testing.T) {
	r := open(t)
	e := event("customer", 5300, "")
	gone, leave := context.WithCancel(context.Background())
	leave()
	var wg sync.WaitGroup
	for i := range 20 {
		p := through(t, nip90.DoorMirror, e)
		wg.Go(func() {
			if i%2 == 0 {
				_ = r.relay.Submit(gone, p) // stored or failed
				return
			}
			if v := r.relay.Submit(context.Background(), p); v.Outcome != mirror.Stored && v.Outcome != mirror.Duplicate {
				t.Errorf("%+v", v)
			}
		})
	}
	wg.Wait()
}
