package relay_test

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"
)

// TestInsight_NamesWhoDoesNotRead: a reader that stands still is first among the open sockets, and once it is dropped it stands
// among those that were.
func TestInsight_NamesWhoDoesNotRead(t *testing.T) {
	r := open(t, withURL, func(o *rigOptions) {
		o.policies.Limits.WriteDeadline = 5 * time.Second
		o.policies.Limits.LiveQueueBytes = 64 << 20
	})
	publisher := r.dial("User-Agent: publisher")
	publisher.challenge()
	stuck := r.dial("User-Agent: <b>stuck</b> "+strings.Repeat("long ", 50), "X-Forwarded-For: 203.0.113.5")
	e := authEvent("reader", stuck.challenge(), home, time.Now())
	stuck.send(auth(e))
	stuck.want("OK", e.ID, "true")
	if tcp, ok := stuck.conn.(*net.TCPConn); ok {
		_ = tcp.SetReadBuffer(4096)
	}
	stuck.send(`["REQ","a",{"kinds":[5300]}]`)
	stuck.want("EOSE", "a")
	content := strings.Repeat("x", 200<<10)
	first := r.relay.Insight().Sockets[0]
	for i := 0; first.Queue <= 1<<20 || first.QueuedEvents <= 3; i++ {
		if i > 300 {
			t.Fatal("what the stuck reader does not take is not seen to wait")
		}
		publisher.publish(event("customer", 5300, fmt.Sprint(i, content)))
		first = r.relay.Insight().Sockets[0]
	}
	eventually(t, "it is seen to stand still", func() bool {
		first = r.relay.Insight().Sockets[0]
		return first.Still >= time.Second
	})
	if first.Peer.Addr != "203.0.113.5" || len(first.Peer.Authed) != 1 || first.Peer.Authed[0].String() != pub("reader") ||
		!strings.HasPrefix(first.Peer.Agent, "<b>stuck</b> long") || len(first.Peer.Agent) > 100 || first.Subscriptions != 1 || first.Sent < 1000 {
		t.Errorf("the first of %d is %+v of %+v", len(r.relay.Insight().Sockets), first, first.Peer)
	}
	eventually(t, "it is dropped and named", func() bool {
		in := r.relay.Insight()
		return in.Open == 1 && len(in.Slow) == 1
	})
	slow := r.relay.Insight().Slow[0]
	if slow.Why != "slow-write" || slow.View.Peer.Addr != "203.0.113.5" || slow.View.Queue < 1<<20 {
		t.Errorf("dropped: %+v", slow)
	}
}

// TestInsight_KeepsTheShapeOfWhatCostsMost asks for much, and looks at what is kept of it.
func TestInsight_KeepsTheShapeOfWhatCostsMost(t *testing.T) {
	r := open(t)
	c := r.dial("X-Forwarded-For: 203.0.113.6")
	const n = 150
	content := strings.Repeat("secret ", 6000)
	for i := range n {
		c.publish(event(fmt.Sprint("customer ", i%15), 5300, fmt.Sprint(i, content)))
	}
	author := pub("customer 0")
	costly := func() (verbs map[string]string) {
		verbs = map[string]string{}
		for _, x := range r.relay.Insight().Costly {
			verbs[x.Verb] = x.Shape
			if x.Took < 5*time.Millisecond || x.Peer.Addr != "203.0.113.6" || x.Took > patience {
				t.Errorf("kept: %+v", x)
			}
			if strings.Contains(x.Shape, author) || strings.Contains(x.Shape, "5300") || strings.Contains(x.Shape, "zebra") {
				t.Errorf("%q names what was asked for", x.Shape)
			}
		}
		return verbs
	}
	filter := fmt.Sprintf(`{"kinds":[5300,5301],"authors":["%s"],"since":1,"limit":200}`, author)
	for i := 0; costly()["REQ"] == ""; i++ {
		if i > 200 {
			t.Fatal("no REQ cost 5 ms")
		}
		if got := c.query(filter, `{"#t":["zebra","tiger"],"search":"zebra"}`, `{}`, `{}`, `{}`, `{}`); len(got) != n {
			t.Fatalf("%d events, want %d", len(got), n)
		}
	}
	const want = "2 kinds, 1 authors, since, limit 200 | 2 #t, search, limit 500 | limit 500 | limit 500 | 2 more filters"
	if got := costly()["REQ"]; got != want {
		t.Errorf("shape %q, want %q", got, want)
	}
	r.clock.pass(time.Hour)
	if got := costly(); len(got) != 0 {
		t.Errorf("an hour later: %v", got)
	}
}
