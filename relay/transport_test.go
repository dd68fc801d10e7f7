package relay_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"dvmrelay/relay"

	"github.com/gobwas/ws"
)

// raw opens a TCP connection and sends text.
func (r *rig) raw(request string) net.Conn {
	r.t.Helper()
	conn, err := net.Dial("tcp", r.addr)
	if err != nil {
		r.t.Fatalf("dial: %v", err)
	}
	r.t.Cleanup(func() { _ = conn.Close() }) // may be closed already
	if _, err := conn.Write([]byte(request)); err != nil {
		r.t.Fatalf("write: %v", err)
	}
	return conn
}

// wantHangup waits until the server closes the connection.
func wantHangup(t *testing.T, conn net.Conn) {
	t.Helper()
	_ = conn.SetReadDeadline(time.Now().Add(patience))
	if _, err := io.Copy(io.Discard, conn); errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatal("the connection is still open")
	}
}

func TestTransport_SlowHeadersAreHungUpOn(t *testing.T) {
	r := open(t, func(o *rigOptions) { o.relay.HeaderTimeout = 100 * time.Millisecond })
	wantHangup(t, r.raw("GET / HTTP/1.1\r\nHost: x\r\nX-Slow: "))
}

func TestTransport_SlowBodyIsHungUpOn(t *testing.T) {
	read := make(chan error, 1)
	r := open(t, func(o *rigOptions) {
		o.relay.BodyTimeout = 200 * time.Millisecond
		o.fallback = http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
			_, err := io.Copy(io.Discard, req.Body)
			read <- err
		})
	})
	conn := r.raw("POST /lint HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
	if err := <-read; err == nil {
		t.Error("the body was read to its end")
	}
	wantHangup(t, conn)
}

func TestTransport_SilentPeerIsDropped(t *testing.T) {
	r := open(t, func(o *rigOptions) {
		o.relay.PingInterval, o.relay.PongWait = 50*time.Millisecond, 100*time.Millisecond
	})
	silent := r.dial()
	silent.send(`["REQ","a",{"kinds":[5300]}]`)
	eventually(t, "the silent peer is dropped", func() bool { return r.relay.Gauges().Dropped["silent"] == 1 })
	eventually(t, "its subscription is gone", func() bool { return r.relay.Gauges().Subscriptions == 0 })
}

func TestTransport_PeerThatAnswersPingsStays(t *testing.T) {
	r := open(t, func(o *rigOptions) { o.relay.PingInterval, o.relay.PongWait = 40*time.Millisecond, 2*time.Second })
	c := r.dial()
	for range 4 {
		_ = c.conn.SetReadDeadline(time.Now().Add(patience))
		f, err := ws.ReadFrame(c.br)
		if err != nil || f.Header.OpCode != ws.OpPing {
			t.Fatalf("got %v, %v, want a ping", f.Header.OpCode, err)
		}
		c.write(frame(ws.OpPong, true, f.Payload))
	}
	c.send(`["REQ","a",{"kinds":[5300]}]`)
	c.want("EOSE", "a")
}

func TestTransport_UnfinishedMessageIsNotWaitedForLong(t *testing.T) {
	for name, begin := range map[string][]byte{
		"half a header":  text(`["CLOSE","a"]`)[:1],
		"half a payload": text(`["CLOSE","a"]`)[:9],
		"a fragment":     frame(ws.OpText, false, []byte(`["CLO`)),
	} {
		t.Run(name, func(t *testing.T) {
			r := open(t, func(o *rigOptions) {
				o.relay.MessageTimeout, o.relay.PingInterval = 80*time.Millisecond, 40*time.Millisecond
			})
			c := r.dial()
			c.write(begin)
			c.wantClose(ws.StatusPolicyViolation)
			if got := r.relay.Gauges().Dropped["slow-frame"]; got != 1 {
				t.Errorf("counted %d slow frames, want 1", got)
			}
		})
	}
}

func TestTransport_RuleBreakersAreClosedWithTheirCode(t *testing.T) {
	limit := 64 << 10
	fragments := append(frame(ws.OpText, false, []byte("[")), bytes.Repeat(frame(ws.OpContinuation, false, []byte(" ")), 20_000)...)
	rsv := text(`["CLOSE","a"]`)
	rsv[0] |= 0x40
	unmasked, err := ws.CompileFrame(ws.NewTextFrame([]byte(`["CLOSE","a"]`)))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		bytes  []byte
		code   ws.StatusCode
		reason string
	}{
		{"frame over the limit", text(strings.Repeat(" ", limit+1)), ws.StatusMessageTooBig, "too-big"},
		{"header that announces more than the limit", text(strings.Repeat(" ", 10*limit))[:14], ws.StatusMessageTooBig, "too-big"},
		{"header that announces 2^63 bytes", []byte{0x81, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4}, ws.StatusMessageTooBig, "too-big"},
		{"fragments that sum up to more than the limit", append(frame(ws.OpText, false, make([]byte, limit)), frame(ws.OpContinuation, true, []byte("xx"))...), ws.StatusMessageTooBig, "too-big"},
		{"a message in one-byte fragments", fragments, ws.StatusPolicyViolation, "fragments"},
		{"binary frame", frame(ws.OpBinary, true, []byte("hello")), ws.StatusUnsupportedData, "binary"},
		{"compressed frame", rsv, ws.StatusProtocolError, "protocol"},
		{"unmasked frame", unmasked, ws.StatusProtocolError, "protocol"},
		{"unknown opcode", frame(ws.OpCode(3), true, nil), ws.StatusProtocolError, "protocol"},
		{"unknown control opcode", frame(ws.OpCode(11), true, nil), ws.StatusProtocolError, "protocol"},
		{"ping of 126 bytes", frame(ws.OpPing, true, make([]byte, 126)), ws.StatusProtocolError, "protocol"},
		{"ping in two parts", frame(ws.OpPing, false, nil), ws.StatusProtocolError, "protocol"},
		{"continuation of nothing", frame(ws.OpContinuation, true, nil), ws.StatusProtocolError, "protocol"},
		{"message inside of a message", append(frame(ws.OpText, false, []byte("[")), text("[]")...), ws.StatusProtocolError, "protocol"},
		{"three unreadable messages", bytes.Repeat(text("hello"), 3), ws.StatusPolicyViolation, "nonsense"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := open(t, func(o *rigOptions) {
				o.policies.Limits.MessageBytes, o.policies.Limits.ContentLength = int64(limit), limit/2
			})
			client := r.dial()
			go func() { _, _ = client.conn.Write(c.bytes) }() // the relay may hang up in the middle
			client.wantClose(c.code)
			eventually(t, "counted as "+c.reason, func() bool { return r.relay.Gauges().Dropped[c.reason] == 1 })
		})
	}
}

func TestTransport_MessagesInAnyCutAreUnderstood(t *testing.T) {
	r := open(t, func(o *rigOptions) { o.policies.Limits.NegSessions = 0 })
	c := r.dial()
	var stream []byte
	const n = 60
	for i := range n {
		msg := fmt.Sprintf(`["NEG-OPEN","s%d",{"kinds":[5300]},"61"]`, i)
		if i%3 == 0 {
			stream = append(stream, frame(ws.OpText, false, []byte(msg[:7]))...)
			stream = append(stream, frame(ws.OpPing, true, []byte("between"))...)
			stream = append(stream, frame(ws.OpContinuation, false, nil)...)
			stream = append(stream, frame(ws.OpContinuation, true, []byte(msg[7:]))...)
			continue
		}
		stream = append(stream, text(msg)...)
	}
	for cut := 1; len(stream) > 0; cut = cut%13 + 1 {
		k := min(cut, len(stream))
		c.write(stream[:k])
		stream = stream[k:]
	}
	for i := range n {
		c.want("NEG-MSG", fmt.Sprintf("s%d", i), "61")
	}
}

func TestTransport_LargeMessageComesInManyReads(t *testing.T) {
	r := open(t)
	c := r.dial()
	big := event("customer", 5300, strings.Repeat("x", 250<<10))
	c.publish(big, event("customer", 5300, "small"))
	if got := c.query(fmt.Sprintf(`{"ids":["%s"]}`, big.ID)); len(got) != 1 {
		t.Errorf("got %v, want the large event", got)
	}
}

func TestTransport_EarlyBytesAreNotLost(t *testing.T) {
	r := open(t)
	handshake := "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
		"Sec-WebSocket-Extensions: permessage-deflate\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
	early := append(text(`["REQ","a",{"kinds":[5300]}]`), text(`["REQ","b",{"kinds":[5300]}]`)[:9]...)
	conn := r.raw(handshake + string(early))
	br := bufio.NewReader(conn)
	resp, err := http.ReadResponse(br, nil)
	if err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("handshake: %v, %v", resp, err)
	}
	if got := resp.Header.Get("Sec-WebSocket-Extensions"); got != "" {
		t.Errorf("extension %q was agreed on, want none", got)
	}
	c := &client{t: t, conn: conn, br: br}
	c.want("EOSE", "a")
	c.write(text(`["REQ","b",{"kinds":[5300]}]`)[9:])
	c.want("EOSE", "b")
}

func TestTransport_ClosingIsAnswered(t *testing.T) {
	r := open(t)
	c := r.dial()
	c.write(frame(ws.OpClose, true, ws.NewCloseFrameBody(3000, "bye")))
	c.wantClose(3000)
	if _, err := c.br.ReadByte(); !errors.Is(err, io.EOF) {
		t.Errorf("after the close frame: %v, want EOF", err)
	}
}

func TestTransport_StormOfConnectionsLeavesNothing(t *testing.T) {
	r := open(t)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 40 {
				conn, err := net.Dial("tcp", r.addr)
				if err != nil {
					t.Errorf("dial: %v", err)
					return
				}
				parts := []string{"GET / HTTP/1.1\r\nHost: x\r\n", "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", string(text(`["REQ","a",{"kinds":[5300]}]`))}
				for _, part := range parts[:1+(i+j)%3] {
					_, _ = conn.Write([]byte(part)) // a storm does not look back
				}
				_ = conn.Close()
			}
		})
	}
	wg.Wait()
	eventually(t, "no socket is left", func() bool { g := r.relay.Gauges(); return g.Sockets == 0 && g.Subscriptions == 0 })
	c := r.dial()
	c.send(`["REQ","a",{"kinds":[5300]}]`)
	c.want("EOSE", "a")
}

// starved is a listener that has run out of file descriptors a few times.
type starved struct {
	net.Listener
	mu   sync.Mutex
	left int
}

func (s *starved) Accept() (net.Conn, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.left > 0 {
		s.left--
		return nil, &net.OpError{Op: "accept", Net: "tcp", Err: os.NewSyscallError("accept4", syscall.EMFILE)}
	}
	return s.Listener.Accept()
}

func TestTransport_RunningOutOfDescriptorsIsSurvived(t *testing.T) {
	r := open(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := relay.Server(relay.DefaultOptions(), r.relay.Handler(), nil)
	served := make(chan error, 1)
	go func() { served <- srv.Serve(&starved{Listener: l, left: 3}) }()
	r.addr = l.Addr().String()
	c := r.dial()
	c.send(`["REQ","a",{"kinds":[5300]}]`)
	c.want("EOSE", "a")
	c.close()
	_ = srv.Close()
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		t.Errorf("serve: %v", err)
	}
}

func TestTransport_ConnectionsOfOneAddressAreLimited(t *testing.T) {
	r := open(t, func(o *rigOptions) { o.policies.Limits.ConnectionsPerIP = 20 })
	const from = "X-Forwarded-For: 203.0.113.5"
	var clients []*client
	for range 20 {
		clients = append(clients, r.dial(from))
	}
	for range 10 {
		if c, status := r.tryDial(from); c != nil || status != http.StatusTooManyRequests {
			t.Fatalf("one socket too many: status %d, want 429", status)
		}
	}
	r.dial("X-Forwarded-For: 203.0.113.6").close()
	r.dial().close() // from the machine itself
	clients[7].close()
	eventually(t, "a place is free again", func() bool {
		c, _ := r.tryDial(from)
		return c != nil
	})
}

func TestTransport_ForwardingIsBelievedFromTrustedProxiesOnly(t *testing.T) {
	dial := func(t *testing.T, trusted []string, headers ...string) (refused bool) {
		r := open(t, func(o *rigOptions) {
			o.relay.TrustedProxies = trusted
			o.policies.Limits.ConnectionsPerIP = 1
		})
		for _, h := range headers {
			if c, _ := r.tryDial(h); c == nil {
				return true
			}
		}
		return false
	}
	for _, c := range []struct {
		name    string
		trusted []string
		headers []string
		refused bool
	}{
		{"different clients of a trusted proxy", []string{"127.0.0.0/8"}, []string{"X-Forwarded-For: 203.0.113.5", "X-Forwarded-For: 203.0.113.6"}, false},
		{"one client of a trusted proxy", []string{"127.0.0.1"}, []string{"X-Forwarded-For: 203.0.113.5", "X-Forwarded-For: 203.0.113.5"}, true},
		{"spoofed in front of the proxy", []string{"127.0.0.1"}, []string{"X-Forwarded-For: 198.51.100.1, 203.0.113.5", "X-Forwarded-For: 198.51.100.2, 203.0.113.5"}, true},
		{"through two trusted proxies", []string{"127.0.0.1", "10.0.0.0/8"}, []string{"X-Forwarded-For: 203.0.113.5, 10.1.1.1", "X-Forwarded-For: 203.0.113.6, 10.1.1.1"}, false},
		{"nobody is trusted", []string{}, []string{"X-Forwarded-For: 203.0.113.5", "X-Forwarded-For: 203.0.113.6"}, true},
		{"not an address", []string{"127.0.0.1"}, []string{"X-Forwarded-For: one", "X-Forwarded-For: two"}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := dial(t, c.trusted, c.headers...); got != c.refused {
				t.Errorf("the second socket was refused: %v, want %v", got, c.refused)
			}
		})
	}
}
