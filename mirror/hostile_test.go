package mirror

import (
	"strings"
	"sync"
	"testing"
	"time"

	"dvmrelay/wire"

	"github.com/coder/websocket"
	"github.com/nbd-wtf/go-nostr"
)

func TestMirror_RefusedFiltersAreSplit(t *testing.T) {
	r := newFake(t)
	r.maxValues = 300
	events := past(r, 40)
	sink := newSink()
	m, _ := start(t, Options{Upstreams: []string{r.addr()}}, sink, newState())
	eventually(t, "backfill", backfilled(m))
	if got := sink.len(); got != len(events) {
		t.Errorf("got %d events, want %d", got, len(events))
	}
	fresh := job(6999, time.Now().Unix())
	r.publish(fresh)
	eventually(t, "live event of the last chunk", func() bool { return sink.has(fresh) })
}

func TestMirror_LiesAreCountedAndDropped(t *testing.T) {
	r := newFake(t)
	now := time.Now().Unix()
	honest := job(5300, now-7200)
	r.events = []*nostr.Event{honest}
	r.twist = func(sub string, f nostr.Filter, c *fakeConn) bool {
		if f.Until == nil || len(f.Kinds) < 100 || int64(*f.Until) < now-60 {
			return false
		}
		forged := job(5300, now-100)
		forged.Content = "other"
		c.event(sub, forged)                               // id of something else
		c.event(sub, job(1, now-100))                      // not asked for
		c.event("never-opened", job(5300, now-100))        // no such subscription
		c.send([]byte(`["EVENT","` + sub + `",{"id":5}]`)) // no event at all
		return false
	}
	sink := newSink()
	m, _ := start(t, Options{Upstreams: []string{r.addr()}}, sink, newState())
	eventually(t, "backfill", backfilled(m))
	st := m.Upstreams()[0]
	if st.Rejected[reasonID] != 1 || st.Rejected[reasonUnasked] != 2 || st.Rejected[reasonShape] != 1 {
		t.Errorf("rejected = %v, want bad-id 1, unasked 2, malformed 1", st.Rejected)
	}
	if sink.len() != 1 || !sink.has(honest) {
		t.Errorf("sink holds %d events, want the honest one only", sink.len())
	}
}

func TestMirror_AuthRequiredIsRefusedAndSaysSo(t *testing.T) {
	r := newFake(t)
	r.twist = func(sub string, _ nostr.Filter, c *fakeConn) bool {
		c.send(wire.AppendAuth(nil, "challenge"))
		c.send(wire.AppendClosed(nil, sub, "auth-required: who are you"))
		return true
	}
	m, _ := start(t, Options{Upstreams: []string{r.addr()}}, newSink(), newState())
	eventually(t, "refusal", func() bool {
		st := m.Upstreams()[0]
		return st.State == StateRefused && st.Reason == reasonAuth
	})
}

func TestMirror_SilentUpstreamIsLeft(t *testing.T) {
	r := newFake(t)
	r.twist = func(string, nostr.Filter, *fakeConn) bool { return true }
	o := Options{Upstreams: []string{r.addr()}, pace: quick()}
	o.pace.answer = 30 * time.Millisecond
	m, _ := start(t, o, newSink(), newState())
	eventually(t, "retries", func() bool { return m.Upstreams()[0].Connects >= 2 })
}

func TestMirror_UnreachableUpstreamIsTriedAgain(t *testing.T) {
	m, _ := start(t, Options{Upstreams: []string{"ws://127.0.0.1:1"}}, newSink(), newState())
	eventually(t, "waiting", func() bool {
		st := m.Upstreams()[0]
		return st.State == StateWaiting && st.Reason == reasonDial && st.Connects == 0
	})
}

func TestMirror_HugeMessageEndsTheConnectionOnly(t *testing.T) {
	r := newFake(t)
	old := past(r, 5)
	var once sync.Once
	r.twist = func(_ string, _ nostr.Filter, c *fakeConn) bool {
		once.Do(func() { c.send(wire.AppendNotice(nil, strings.Repeat("x", 33<<20))) })
		return false
	}
	sink := newSink()
	m, _ := start(t, Options{Upstreams: []string{r.addr()}}, sink, newState())
	eventually(t, "backfill", backfilled(m))
	if st := m.Upstreams()[0]; st.Connects < 2 || sink.len() != len(old) {
		t.Errorf("connects = %d, events = %d, want a new connection and all %d", st.Connects, sink.len(), len(old))
	}
}

func TestMirror_EndlessPageIsLeft(t *testing.T) {
	r := newFake(t)
	now := time.Now().Unix()
	r.twist = func(sub string, f nostr.Filter, c *fakeConn) bool {
		if f.Until == nil || len(f.Kinds) < 100 {
			return false
		}
		for i := int64(0); c.ctx.Err() == nil; i++ {
			if err := c.ws.Write(c.ctx, websocket.MessageText, wire.AppendEvent(nil, sub, wire.AppendEventJSON(nil, job(5300, now-7200-i)))); err != nil {
				break
			}
		}
		return true
	}
	o := Options{Upstreams: []string{r.addr()}, pace: quick()}
	o.pace.answer = 20 * time.Millisecond
	m, _ := start(t, o, newSink(), newState())
	eventually(t, "retries", func() bool { return m.Upstreams()[0].Connects >= 2 })
}

// ignoreLimits lets it answer a page with all that matches.
func (r *fakeRelay) ignoreLimits() {
	r.twist = func(sub string, f nostr.Filter, c *fakeConn) bool {
		if f.Until == nil {
			return false
		}
		f.Limit = 0
		for _, e := range r.query(f) {
			c.event(sub, e)
		}
		c.send(wire.AppendEOSE(nil, sub, ""))
		return true
	}
}

func TestMirror_LimitIgnoredLosesNothing(t *testing.T) {
	r := newFake(t)
	events := past(r, 300)
	r.ignoreLimits()
	sink := newSink()
	m, _ := start(t, Options{Upstreams: []string{r.addr()}}, sink, newState())
	eventually(t, "backfill", backfilled(m))
	if sink.len() != len(events) {
		t.Errorf("got %d events, want %d", sink.len(), len(events))
	}
}

func TestMirror_FlappingUpstreamIsNotHammered(t *testing.T) {
	r := newFake(t)
	r.twist = func(_ string, _ nostr.Filter, c *fakeConn) bool {
		_ = c.ws.CloseNow()
		return true
	}
	o := Options{Upstreams: []string{r.addr()}, pace: quick()}
	o.pace.maxRetry = time.Hour
	m, _ := start(t, o, newSink(), newState())
	eventually(t, "a long wait", func() bool { return m.Upstreams()[0].Connects >= 4 })
	began := time.Now()
	eventually(t, "the next try", func() bool { return m.Upstreams()[0].Connects >= 5 })
	if d := time.Since(began); d < 50*time.Millisecond {
		t.Errorf("the fifth try came after %s, want the waits to grow", d)
	}
}

func TestMirror_RateLimitedIsAskedAgainAsItWas(t *testing.T) {
	r := newFake(t)
	events := past(r, 10)
	left := 3
	r.twist = func(sub string, _ nostr.Filter, c *fakeConn) bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		if left--; left < 0 {
			return false
		}
		c.send(wire.AppendClosed(nil, sub, "rate-limited: slow down"))
		return true
	}
	sink := newSink()
	m, _ := start(t, Options{Upstreams: []string{r.addr()}}, sink, newState())
	eventually(t, "backfill", backfilled(m))
	if sink.len() != len(events) {
		t.Errorf("got %d events, want %d", sink.len(), len(events))
	}
	for _, q := range r.requests() {
		if n := len(q.filters[0].Kinds); n > 1 && n != 2003 {
			t.Errorf("asked for %d kinds, want all at once: nobody said that they were too many", n)
		}
	}
}
