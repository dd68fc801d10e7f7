package mirror

import (
	"context"
	"strconv"
	"strings"
	"testing"
	"time"

	"dvmrelay/nip90"
	"dvmrelay/wire"

	"github.com/coder/websocket"
	"github.com/nbd-wtf/go-nostr"
)

// The stories of an upstream that lies, one for each thing that it can do. Each says by which word it is known.

// waiting says that an upstream is left, or left alone, for a reason.
func waiting(m *Mirror, reason string) func() bool {
	return func() bool {
		st := m.Upstreams()[0]
		return (st.State == StateWaiting || st.State == StatePaused) && st.Reason == reason
	}
}

// liar answers who asks for jobs with lies, a few at a time, and never with an event of use.
func liar(t *testing.T, lie func(sub string, n int) []byte) *fakeRelay {
	r := newFake(t)
	r.twist = func(sub string, f nostr.Filter, c *fakeConn) bool {
		for n := range 300 {
			if len(f.Kinds) < 100 {
				return false
			}
			if err := c.ws.Write(c.ctx, websocket.MessageText, lie(sub, n)); err != nil {
				break
			}
		}
		return true
	}
	return r
}

func frame(sub string, e *nostr.Event) []byte {
	return wire.AppendEvent(nil, sub, wire.AppendEventJSON(nil, e))
}

// TestStory_LiesEndInAPause: whoever sends nothing but lies is left after 250 in a row, comes back soon, and at 1,000 is
// left alone for ten minutes, with the reason.
func TestStory_LiesEndInAPause(t *testing.T) {
	now := time.Now().Unix()
	forgedSig := func(e *nostr.Event) bool { return strings.HasPrefix(e.Sig, "f") }
	for _, tc := range []struct {
		name, reason string
		lie          func(sub string, n int) []byte
	}{
		{"bad signature", ReasonSignature, func(sub string, n int) []byte {
			e := job(5300, now, nostr.Tag{"n", strconv.Itoa(n)})
			e.Sig = strings.Repeat("f", 128)
			return frame(sub, e)
		}},
		{"bad id", reasonID, func(sub string, n int) []byte {
			e := job(5300, now)
			e.Content = strconv.Itoa(n)
			return frame(sub, e)
		}},
		{"wrong kind", reasonUnasked, func(sub string, n int) []byte { return frame(sub, job(1, now-int64(n))) }},
		{"outside the filter's time", reasonUnasked, func(sub string, n int) []byte { return frame(sub, job(5300, 1000+int64(n))) }},
		{"for nobody's subscription", reasonUnasked, func(_ string, n int) []byte { return frame("mine", job(5300, now-int64(n))) }},
		{"no event", reasonShape, func(sub string, _ int) []byte { return []byte(`["EVENT","` + sub + `",{"id":5}]`) }},
		{"no JSON", reasonShape, func(string, int) []byte { return []byte(`{{{`) }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			r, sink, state := liar(t, tc.lie), newSink(), newState()
			sink.forged = forgedSig
			m, stop := start(t, Options{Upstreams: []string{r.addr()}}, sink, state)
			eventually(t, "the pause", func() bool { return m.Upstreams()[0].State == StatePaused })
			st := m.Upstreams()[0]
			if left := st.PausedUntil - time.Now().Unix(); st.Reason != tc.reason || left < 590 || left > 601 {
				t.Errorf("paused for %q, %d s left, want %q and ten minutes", st.Reason, left, tc.reason)
			}
			if n := st.Rejected[tc.reason]; n < 1000 || st.Strikes < 1000 || st.Connects > 4 {
				t.Errorf("%d %s, %d strikes, %d connections; want 1,000 or some more in four", n, tc.reason, st.Strikes, st.Connects)
			}
			if sink.len() > 0 {
				t.Errorf("%d events were taken, want none", sink.len())
			}
			// a restart does not end it
			stop()
			m, _ = start(t, Options{Upstreams: []string{r.addr()}}, newSink(), state)
			eventually(t, "the pause", func() bool { return m.Upstreams()[0].State == StatePaused })
			if again := m.Upstreams()[0]; again.PausedUntil != st.PausedUntil || again.Reason != tc.reason || again.Connects != 0 {
				t.Errorf("after a restart: %+v, want the same pause and no connection", again)
			}
		})
	}
}

// TestStory_FewLiesAmongTruth: below the bounds a liar is counted and still heard.
func TestStory_FewLiesAmongTruth(t *testing.T) {
	r, sink := newFake(t), newSink()
	m, _ := start(t, Options{Upstreams: []string{r.addr()}}, sink, newState())
	eventually(t, "live", backfilled(m))
	now := time.Now().Unix()
	for n := range 400 {
		r.publish(job(5300, now, nostr.Tag{"n", strconv.Itoa(n)}))
		for c := range r.guests() {
			c.send(frame("1", job(1, now)))
		}
		eventually(t, "the event", func() bool { return sink.len() == n+1 })
	}
	if st := m.Upstreams()[0]; st.State != StateLive || st.Connects != 1 || st.Rejected[reasonUnasked] < 399 || st.Strikes < 399 {
		t.Errorf("got %+v, want it live on its first connection with 400 lies counted", st)
	}
}

// TestStory_PauseIsAGapAndEnds: the ledger says paused, the next pause is longer, and what was missed is read afterwards.
func TestStory_PauseIsAGapAndEnds(t *testing.T) {
	r, sink, c := newFake(t), newSink(), clockAt(time.Now().Unix()-7200)
	o := Options{Upstreams: []string{r.addr()}, Now: c.now, pace: quick()}
	o.pace.temper = temper{auth: time.Second, message: time.Second, rounds: 10, strikes: 300, pause: 100 * time.Millisecond, maxPause: time.Second, forgive: time.Hour}
	m, _ := start(t, o, sink, newState())
	eventually(t, "live", backfilled(m))
	began := c.now().Unix()
	c.add(100 * time.Second)
	honest := job(5300, began+50)
	lies := func() {
		for c := range r.guests() {
			for range 300 {
				c.send([]byte("lies"))
			}
		}
	}
	for round, want := range []time.Duration{100 * time.Millisecond, 200 * time.Millisecond, 400 * time.Millisecond, 800 * time.Millisecond, time.Second, time.Second} {
		eventually(t, "a connection", func() bool { return m.Upstreams()[0].State == StateLive })
		for s := StateLive; s != StatePaused; s = m.Upstreams()[0].State {
			lies()
		}
		u := m.upstreams[r.addr()]
		if last, _ := u.strikes.standing(); last.Length != want {
			t.Errorf("pause %d takes %s, want %s", round, last.Length, want)
		}
		gaps := m.Upstreams()[0].Gaps
		if n := len(gaps); n == 0 || gaps[n-1].Why != "paused" {
			// nothing has length while the clock stands
			c.add(time.Second)
			if gaps = m.Upstreams()[0].Gaps; len(gaps) == 0 || gaps[len(gaps)-1].Why != "paused" {
				t.Errorf("gaps = %+v, want the last to be paused", gaps)
			}
		}
	}
	r.publish(honest)
	c.add(2 * time.Hour)
	eventually(t, "what was missed", func() bool { return sink.has(honest) })
	eventually(t, "backfill", backfilled(m))
	if gaps := of(r.addr(), m.ledger.Gaps(began, c.now().Unix(), 0)); len(gaps) != 0 {
		t.Errorf("gaps = %+v once all was read, want none", gaps)
	}
	for s := StateLive; s != StatePaused; s = m.Upstreams()[0].State {
		lies()
	}
	if last, _ := m.upstreams[r.addr()].strikes.standing(); last.Length != 100*time.Millisecond {
		t.Errorf("after two clean hours the pause takes %s, want the first again", last.Length)
	}
}

// TestStory_RefusedByARuleIsNoFault: that this relay does not want something is nothing an upstream has to know.
func TestStory_RefusedByARuleIsNoFault(t *testing.T) {
	r, sink := newFake(t), &strictSink{memSink: newSink()}
	r.events = nil
	for n := range 1500 {
		r.events = append(r.events, job(5300, time.Now().Unix()-3600-int64(n)))
	}
	m, _ := start(t, Options{Upstreams: []string{r.addr()}}, sink, newState())
	eventually(t, "backfill", backfilled(m))
	if st := m.Upstreams()[0]; st.Rejected["restricted"] < 1500 || st.Strikes != 0 || st.Connects != 1 {
		t.Errorf("got %+v, want 1,500 refused, no strikes and one connection", st)
	}
}

type strictSink struct{ *memSink }

func (strictSink) Submit(context.Context, *nip90.Parsed) Verdict {
	return Verdict{Outcome: Refused, Reason: "restricted"}
}

// TestStory_LimitIgnored: one that gives more than it was asked for loses nothing and is counted, once for an answer.
func TestStory_LimitIgnored(t *testing.T) {
	r := newFake(t)
	events := past(r, 300)
	r.ignoreLimits()
	sink := newSink()
	m, _ := start(t, Options{Upstreams: []string{r.addr()}}, sink, newState())
	eventually(t, "backfill", backfilled(m))
	st := m.Upstreams()[0]
	if n := missing(sink, events); n > 0 || st.Rejected[reasonLimit] == 0 || st.Rejected[reasonLimit] > 5 || st.Strikes != int(st.Rejected[reasonLimit]) {
		t.Errorf("%d events are missing, status %+v; want all, and an answer or two counted", n, st)
	}
}
