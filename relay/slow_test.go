package relay_test

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/nbd-wtf/go-nostr"
)

func TestTransport_PeerThatNeverReadsStallsNobody(t *testing.T) {
	r := open(t, func(o *rigOptions) {
		o.policies.Limits.WriteDeadline = 300 * time.Millisecond
		o.policies.Limits.LiveQueueBytes = 1 << 20
	})
	stuck := r.dial()
	if tcp, ok := stuck.conn.(*net.TCPConn); ok {
		_ = tcp.SetReadBuffer(4096)
	}
	stuck.send(`["REQ","a",{"kinds":[5300]}]`)
	eventually(t, "it is subscribed", func() bool { return r.relay.Gauges().Subscriptions == 1 })
	reader, publisher := r.dial(), r.dial()
	reader.send(`["REQ","a",{"kinds":[5300],"limit":0}]`)
	reader.want("EOSE", "a")
	content := strings.Repeat("x", 100<<10)
	gone := func() bool { g := r.relay.Gauges(); return g.Dropped["overflow"]+g.Dropped["slow-write"] == 1 }
	for i := 0; !gone(); i++ {
		if i > 500 {
			t.Fatalf("the stuck reader is still here: %+v", r.relay.Gauges())
		}
		e := event("customer", 5300, fmt.Sprint(i, content))
		publisher.publish(e)
		if got := reader.want("EVENT", "a").id(); got != e.ID {
			t.Fatalf("reader got %s, want %s", got, e.ID)
		}
	}
	eventually(t, "its socket is gone", func() bool { return r.relay.Gauges().Sockets == 2 })
}

func TestTransport_BigAnswerWaitsForItsReader(t *testing.T) {
	r := open(t, func(o *rigOptions) { o.policies.Limits.LiveQueueBytes = 1 << 20 })
	publisher := r.dial()
	const n = 120
	content := strings.Repeat("x", 64<<10)
	var jobs []*nostr.Event
	now := time.Now().Unix()
	for i := range n {
		jobs = append(jobs, eventAt("customer", 5300, now-int64(i), fmt.Sprint(i, content)))
	}
	publisher.publish(jobs...)
	c := r.dial()
	if tcp, ok := c.conn.(*net.TCPConn); ok {
		_ = tcp.SetReadBuffer(16 << 10)
	}
	c.send(`["REQ","all",{"kinds":[5300]}]`)
	eventually(t, "the answer begins", func() bool { return r.relay.Gauges().StoredSent > 0 })
	late := event("customer", 5300, "late")
	publisher.publish(late)
	if g := r.relay.Gauges(); g.StoredSent == n {
		t.Errorf("all %d events were taken from the store before anybody read", n)
	}
	for i := range n {
		if got := c.want("EVENT", "all").id(); got != jobs[i].ID {
			t.Fatalf("event %d is %s, want %s", i, got, jobs[i].ID)
		}
	}
	c.want("EOSE", "all")
	if got := c.want("EVENT", "all").id(); got != late.ID {
		t.Errorf("got %s live, want %s", got, late.ID)
	}
}

func TestRun_EndsThoughAPeerDoesNotRead(t *testing.T) {
	r := open(t, func(o *rigOptions) { o.policies.Limits.WriteDeadline = 300 * time.Millisecond })
	stuck := r.dial()
	if tcp, ok := stuck.conn.(*net.TCPConn); ok {
		_ = tcp.SetReadBuffer(4096)
	}
	publisher := r.dial()
	for i := range 100 {
		publisher.publish(event("customer", 5300, fmt.Sprint(i, strings.Repeat("x", 100<<10))))
	}
	stuck.send(`["REQ","a",{"kinds":[5300]}]`)
	eventually(t, "the answer begins", func() bool { return r.relay.Gauges().StoredSent > 0 })
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		r.stop()
	}()
	select {
	case <-ended:
	case <-time.After(patience):
		t.Fatal("the relay does not end")
	}
}
