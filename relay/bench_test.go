package relay_test

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/nbd-wtf/go-nostr"
)

// skipFrames reads n text frames without looking at them.
func skipFrames(br *bufio.Reader, conn net.Conn, n int) error {
	for n > 0 {
		if err := conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
			return err
		}
		h, err := ws.ReadHeader(br)
		if err != nil {
			return err
		}
		if _, err := br.Discard(int(h.Length)); err != nil {
			return err
		}
		if h.OpCode == ws.OpText {
			n--
		}
	}
	return nil
}

// BenchmarkPublish is events over loopback, from the frame to the OK: 8 sockets, each with up to 100 under way.
func BenchmarkPublish(b *testing.B) {
	r := open(b)
	const sockets = 8
	frames := make([][][]byte, sockets)
	content := strings.Repeat("x", 300)
	for i := range b.N {
		e := event("customer", 5300, fmt.Sprint(i, content))
		frames[i%sockets] = append(frames[i%sockets], text(publish(e)))
	}
	clients := make([]*client, sockets)
	for i := range clients {
		clients[i] = r.dial()
	}
	b.ReportAllocs()
	b.ResetTimer()
	var wg sync.WaitGroup
	for i, c := range clients {
		wg.Go(func() {
			window := make(chan struct{}, 100)
			wg.Go(func() {
				for range frames[i] {
					if err := skipFrames(c.br, c.conn, 1); err != nil {
						b.Errorf("read: %v", err)
						return
					}
					<-window
				}
			})
			for _, f := range frames[i] {
				window <- struct{}{}
				if _, err := c.conn.Write(f); err != nil {
					b.Errorf("write: %v", err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "OK/s")
}

// BenchmarkDeliver is live events to 200 sockets that all want them; one operation is one delivery.
func BenchmarkDeliver(b *testing.B) {
	r := open(b)
	const sockets = 200
	events := b.N/sockets + 1
	frames := make([][]byte, events)
	for i := range frames {
		frames[i] = text(publish(event("customer", 5300, fmt.Sprint(i, strings.Repeat("x", 300)))))
	}
	var wg sync.WaitGroup
	clients := make([]*client, sockets)
	for i := range clients {
		clients[i] = r.dial()
		clients[i].send(`["REQ","a",{"kinds":[5300],"limit":0}]`)
		clients[i].want("EOSE")
	}
	publisher := r.dial()
	b.ResetTimer()
	for _, c := range clients {
		wg.Go(func() {
			if err := skipFrames(c.br, c.conn, events); err != nil {
				b.Errorf("read: %v", err)
			}
		})
	}
	publisher.write(bytes.Join(frames, nil))
	wg.Wait()
	b.StopTimer()
	b.ReportMetric(float64(events*sockets)/b.Elapsed().Seconds(), "deliveries/s")
}

// BenchmarkQuery is a REQ that is answered with 100 stored events.
func BenchmarkQuery(b *testing.B) {
	r := open(b)
	c := r.dial()
	job := strings.Repeat("a", 64)
	now := time.Now().Unix()
	var events []*nostr.Event
	for i := range 100 {
		events = append(events, eventAt("provider", 7000, now-int64(i), strings.Repeat("x", 300), nostr.Tag{"e", job}, nostr.Tag{"p", pub("customer")}))
	}
	c.publish(events...)
	req := text(fmt.Sprintf(`["REQ","a",{"kinds":[7000],"#e":["%s"]}]`, job))
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		c.write(req)
		if err := skipFrames(c.br, c.conn, 101); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkIdleSocket reports the anonymous resident memory of one socket with one subscription, the client's side of
// the test included.
func BenchmarkIdleSocket(b *testing.B) {
	r := open(b)
	const sockets = 2000
	debug.FreeOSMemory()
	before := resident(b)
	conns := make([]net.Conn, 0, sockets)
	handshake := []byte("GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
	req := text(`["REQ","a",{"kinds":[5300],"limit":0}]`)
	for range sockets {
		conn, err := net.Dial("tcp", r.addr)
		if err != nil {
			b.Fatal(err)
		}
		conns = append(conns, conn)
		if _, err := conn.Write(append(handshake, req...)); err != nil {
			b.Fatal(err)
		}
	}
	eventually(b, "all are subscribed", func() bool { return r.relay.Gauges().Subscriptions == sockets })
	for range b.N {
		debug.FreeOSMemory()
	}
	b.ReportMetric(float64(resident(b)-before)/sockets/1024, "KiB/socket")
	for _, conn := range conns {
		_ = conn.Close() // it has served its purpose
	}
}

// resident is the anonymous resident memory of this process in bytes.
func resident(b *testing.B) int64 {
	b.Helper()
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		b.Skip("needs /proc")
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "RssAnon:"); ok {
			n, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			if err != nil {
				b.Fatal(err)
			}
			return n << 10
		}
	}
	b.Skip("no RssAnon")
	return 0
}
