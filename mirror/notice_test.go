package mirror

import (
	"sync"
	"testing"

	"dvmrelay/wire"

	"github.com/nbd-wtf/go-nostr"
)

// TestMirror_ARefusalByNoticeIsHeard: an upstream that bears 20 kinds in a filter and says so in a NOTICE, without ever
// ending the subscription, is asked for fewer, though other subscriptions are older and not answered yet. A greeting
// refuses nothing.
func TestMirror_ARefusalByNoticeIsHeard(t *testing.T) {
	r := newFake(t)
	events := past(r, 100)
	fewer := make(chan struct{})
	asked := sync.OnceFunc(func() { close(fewer) })
	r.twist = func(sub string, f nostr.Filter, c *fakeConn) bool {
		c.send(wire.AppendNotice(nil, "welcome here"))
		switch n := len(f.Kinds); {
		case n == 1 && f.Until == nil:
			go func() {
				<-fewer
				c.send(wire.AppendEOSE(nil, sub, ""))
			}()
			return true
		case n <= 20:
			asked()
			return false
		}
		c.send(wire.AppendNotice(nil, `invalid: must be less than or equal to 20 kinds at "[2].kinds"`))
		return true
	}
	sink := newSink()
	m, _ := start(t, Options{Upstreams: []string{r.addr()}}, sink, newState())
	eventually(t, "backfill", backfilled(m))
	for _, e := range events {
		if !sink.has(e) {
			t.Errorf("event %s (kind %d, %d) is missing", e.ID, e.Kind, e.CreatedAt)
		}
	}
	if st := m.Upstreams()[0]; st.Connects != 1 || len(st.Rejected) != 0 {
		t.Errorf("status = %+v, want one connection and nothing rejected", st)
	}
}
