package mirror

import (
	"strings"
	"testing"
	"time"

	"github.com/nbd-wtf/go-nostr"
)

func TestMeter_LetsABurstPassAndThenTheRate(t *testing.T) {
	var b meter
	at := time.Unix(epoch, 0)
	waited := time.Duration(0)
	for n := range 3000 { // 1,000 at once, then 2,000 at 100 a second
		d := b.take(at, 1, 100)
		if n < burst*100 && d != 0 {
			t.Fatalf("event %d waits %s, want none to wait within the burst", n, d)
		}
		at = at.Add(d)
		waited += d
	}
	if want := 20 * time.Second; waited < want-time.Second || waited > want+time.Second {
		t.Errorf("waited %s in all, want %s", waited, want)
	}
	at = at.Add(time.Minute)
	if d := b.take(at, burst*100, 100); d != 0 {
		t.Errorf("waits %s after a quiet minute, want the whole burst again", d)
	}
	if d := b.take(at, 500, 100); d != 5*time.Second {
		t.Errorf("one great thing waits %s, want 5 s", d)
	}
	if d := b.take(at, 1<<40, 0); d != 0 {
		t.Errorf("without a rate it waits %s, want nothing", d)
	}
}

func TestMeter_AClockThatStandsOrGoesBackStopsNobody(t *testing.T) {
	var b meter
	at := time.Unix(epoch, 0)
	for range 2000 {
		if d := b.take(at, 1, 100); d > 11*time.Millisecond {
			t.Fatalf("waits %s, want a hundredth of a second at most", d)
		}
		at = at.Add(-time.Second)
	}
}

// TestBudget_SlowsAndLosesNothing: beyond its budget an upstream waits; all that it holds arrives, and the status says how
// long reading was slowed. The other upstream does not wait.
func TestBudget_SlowsAndLosesNothing(t *testing.T) {
	for name, change := range map[string]func(*Options){
		"events": func(o *Options) { o.EventsPerSecond = 10 },
		"bytes":  func(o *Options) { o.BytesPerSecond = 5000 },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, quiet := newFake(t), newFake(t)
			events := past(r, 450)
			fresh := job(5300, time.Now().Unix())
			sink := newSink()
			o := Options{Upstreams: []string{r.addr(), quiet.addr()}}
			change(&o)
			m, _ := start(t, o, sink, newState())
			eventually(t, "the budget", func() bool { return m.Upstreams()[0].SlowedMS > 0 })
			eventually(t, "the other upstream", func() bool { return m.Upstreams()[1].State == StateLive })
			quiet.publish(fresh)
			eventually(t, "its event", func() bool { return sink.has(fresh) })
			// a reload takes effect at once
			m.ReloadBudget(Budget{})
			eventually(t, "backfill", backfilled(m))
			st := m.Upstreams()
			if n := missing(sink, events); n > 0 || st[0].Connects != 1 || len(st[0].Rejected) != 0 {
				t.Errorf("%d events are missing, status %+v; want all, on one connection", n, st[0])
			}
			if st[1].SlowedMS != 0 {
				t.Errorf("the quiet upstream was slowed for %d ms, want not", st[1].SlowedMS)
			}
			if st[0].Bytes < uint64(len(events))*300 {
				t.Errorf("%d bytes received, want what %d events are", st[0].Bytes, len(events))
			}
		})
	}
}

// TestBudget_AMessageTooLongIsPassedOver: one event that is too big does not keep all others from being read.
func TestBudget_AMessageTooLongIsPassedOver(t *testing.T) {
	r := newFake(t)
	events := past(r, 100)
	huge := job(6300, int64(events[50].CreatedAt))
	huge.Content = strings.Repeat("x", 1<<20)
	huge.ID = huge.GetID()
	r.events = append(r.events, huge)
	sink := newSink()
	m, _ := start(t, Options{Upstreams: []string{r.addr()}}, sink, newState())
	eventually(t, "backfill", backfilled(m))
	st := m.Upstreams()[0]
	if n := missing(sink, events); n > 0 || sink.has(huge) || st.Connects != 1 || st.Rejected[reasonTooBig] == 0 {
		t.Errorf("%d events are missing, status %+v; want all but the big one, on one connection, and that counted", n, st)
	}
}

// TestBudget_OneUpstreamDoesNotHoldAllMemory: what is on its way of one upstream is a part of what may be.
func TestBudget_OneUpstreamDoesNotHoldAllMemory(t *testing.T) {
	r, other := newFake(t), newFake(t)
	for n := range 40 {
		e := job(5300, time.Now().Unix()-3600-int64(n))
		e.Content = strings.Repeat("x", 60<<10)
		e.ID = e.GetID()
		r.events = append(r.events, e)
	}
	sink := newSink()
	slow := &stuckSink{memSink: sink, stuck: func(e *nostr.Event) bool { return len(e.Content) > 1000 }, free: make(chan struct{})}
	o := Options{Upstreams: []string{r.addr(), other.addr()}, pace: quick()}
	o.pace.bytes, o.pace.inFlight = 1<<20, 1000
	m, _ := start(t, o, slow, newState())
	defer close(slow.free)
	eventually(t, "the crowd", func() bool { return slow.waiting.Load() >= 4 })
	fresh := job(5300, time.Now().Unix())
	eventually(t, "the other upstream", func() bool { return m.Upstreams()[1].State == StateLive })
	other.publish(fresh)
	eventually(t, "its event", func() bool { return sink.has(fresh) })
	if n := slow.waiting.Load(); n > 5 {
		t.Errorf("%d events of 60 KiB are on their way, want a quarter of 1 MiB at most", n)
	}
}

func TestOptions_ValidateBudget(t *testing.T) {
	o := DefaultOptions()
	if err := o.Validate(); err != nil {
		t.Errorf("the default: %v", err)
	}
	o.MaxMessageBytes, o.BytesPerSecond, o.EventsPerSecond = 0, 0, 0
	if err := o.Validate(); err != nil {
		t.Errorf("no bounds: %v", err)
	}
	o.MaxMessageBytes, o.BytesPerSecond, o.EventsPerSecond = 1, -1, 9
	err := o.Validate()
	for _, key := range []string{"mirror.message_bytes: 1: ", "mirror.bytes_per_second: -1: ", "mirror.events_per_second: 9: "} {
		if err == nil || !strings.Contains(err.Error(), key) {
			t.Errorf("got %v, want it to name %s", err, key)
		}
	}
}
