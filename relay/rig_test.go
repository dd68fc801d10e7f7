package relay_test

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"dvmrelay/index"
	"dvmrelay/nip90"
	"dvmrelay/policies"
	"dvmrelay/relay"
	"dvmrelay/store"
	"dvmrelay/store/storetest"

	"github.com/gobwas/ws"
	"github.com/nbd-wtf/go-nostr"
)

// patience is how long a test waits for what must come.
const patience = 20 * time.Second

// rig is a whole relay on a port of its own.
type rig struct {
	t     testing.TB
	store *storetest.Running
	set   *policies.Set
	relay *relay.Relay
	srv   *httptest.Server
	addr  string
	clock *clock
	stop  func() // ends the relay; the cleanup of the test then does nothing
}

// clock is the real time, moved by what the test says.
type clock struct{ offset atomic.Int64 }

func (c *clock) now() time.Time       { return time.Now().Add(time.Duration(c.offset.Load())) }
func (c *clock) pass(d time.Duration) { c.offset.Add(int64(d)) }

type rigOptions struct {
	relay    relay.Options
	policies policies.Options
	store    func(*store.Options)
	fallback http.Handler
	log      *slog.Logger
}

// open starts a relay until the test ends. By default nothing but the address is limited otherwise than by default.
func open(t testing.TB, change ...func(*rigOptions)) *rig {
	t.Helper()
	o := rigOptions{relay: relay.DefaultOptions(), policies: policies.DefaultOptions(), store: func(*store.Options) {}}
	for _, c := range change {
		c(&o)
	}
	r := &rig{t: t, clock: &clock{}}
	x := index.New(index.Options{KeepCustomer: true, Now: r.clock.now})
	set, err := policies.New(o.policies, policies.Deps{Now: r.clock.now})
	if err != nil {
		t.Fatalf("policies: %v", err)
	}
	r.set = set
	var rl atomic.Pointer[relay.Relay]
	r.store = storetest.Open(t, storetest.Check(index.Check), storetest.With(func(so *store.Options) {
		so.Indexer, so.Now = x, r.clock.now
		so.Admit = func(txn store.Txn, p *nip90.Parsed) error { return set.Admit(x.Known(txn), p) }
		so.Committed = func(version uint64, cs []store.Commit) { rl.Load().Committed(version, cs) }
		o.store(so)
	}))
	r.relay, err = relay.New(o.relay, relay.Deps{Store: r.store.Store, Index: x, Policies: set, Now: r.clock.now, Fallback: o.fallback, Log: o.log})
	if err != nil {
		t.Fatalf("relay: %v", err)
	}
	rl.Store(r.relay)
	r.serve(o.relay)
	return r
}

func (r *rig) serve(o relay.Options) {
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- r.relay.Run(ctx) }()
	r.srv = httptest.NewUnstartedServer(nil)
	r.srv.Config = relay.Server(o, r.relay.Handler(), nil)
	r.srv.Start()
	r.addr = r.srv.Listener.Addr().String()
	r.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ran; err != nil {
			r.t.Errorf("run relay: %v", err)
		}
		r.srv.Close()
		if g := r.relay.Gauges(); g.Sockets != 0 || g.Subscriptions != 0 || g.InFlight != 0 || g.Answering != 0 || g.Negotiations != 0 || g.NegBytes != 0 || g.Live.Subscriptions != 0 {
			r.t.Errorf("after the end: %d sockets, %d subscriptions, %d events in flight, %d answers, %d reconciliations of %d bytes, %d live",
				g.Sockets, g.Subscriptions, g.InFlight, g.Answering, g.Negotiations, g.NegBytes, g.Live.Subscriptions)
		}
	})
	r.t.Cleanup(r.stop)
}

// connect opens a connection, without a word.
func (r *rig) connect() (net.Conn, error) { return net.Dial("tcp", r.addr) }

// client is one websocket, driven by hand.
type client struct {
	t    testing.TB
	conn net.Conn
	br   *bufio.Reader
}

// dial opens a websocket; headers are given as "Name: value".
func (r *rig) dial(headers ...string) *client {
	r.t.Helper()
	c, status := r.tryDial(headers...)
	if c == nil {
		r.t.Fatalf("dial: status %d", status)
	}
	return c
}

// tryDial opens a websocket, or returns the status of the refusal.
func (r *rig) tryDial(headers ...string) (*client, int) {
	r.t.Helper()
	conn, err := net.Dial("tcp", r.addr)
	if err != nil {
		r.t.Fatalf("dial: %v", err)
	}
	r.t.Cleanup(func() { _ = conn.Close() }) // most tests have closed it already
	request := "GET / HTTP/1.1\r\nHost: relay.example\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
	for _, h := range headers {
		request += h + "\r\n"
	}
	if _, err := conn.Write([]byte(request + "\r\n")); err != nil {
		r.t.Fatalf("handshake: %v", err)
	}
	br := bufio.NewReaderSize(conn, 64<<10)
	_ = conn.SetReadDeadline(time.Now().Add(patience))
	resp, err := http.ReadResponse(br, nil)
	if err != nil {
		r.t.Fatalf("handshake: %v", err)
	}
	if resp.StatusCode != http.StatusSwitchingProtocols {
		_ = conn.Close()
		return nil, resp.StatusCode
	}
	return &client{t: r.t, conn: conn, br: br}, 0
}

// frame makes a client's frame, masked.
func frame(op ws.OpCode, fin bool, payload []byte) []byte {
	b, err := ws.CompileFrame(ws.MaskFrameWith(ws.NewFrame(op, fin, payload), [4]byte{0xa5, 0x5a, 1, 2}))
	if err != nil {
		panic(err)
	}
	return b
}

func text(s string) []byte { return frame(ws.OpText, true, []byte(s)) }

// send sends messages in one write.
func (c *client) send(messages ...string) {
	c.t.Helper()
	var b []byte
	for _, m := range messages {
		b = append(b, text(m)...)
	}
	c.write(b)
}

func (c *client) write(b []byte) {
	c.t.Helper()
	_ = c.conn.SetWriteDeadline(time.Now().Add(patience))
	if _, err := c.conn.Write(b); err != nil {
		c.t.Fatalf("write: %v", err)
	}
}

// message is a message of the relay.
type message []json.RawMessage

func (m message) text(i int) string {
	if i >= len(m) {
		return ""
	}
	var s string
	if json.Unmarshal(m[i], &s) != nil {
		return string(m[i])
	}
	return s
}

func (m message) String() string {
	b, err := json.Marshal([]json.RawMessage(m))
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// id is the id of the event in an EVENT message.
func (m message) id() string {
	var evt struct{ ID string }
	if len(m) > 2 && json.Unmarshal(m[2], &evt) == nil {
		return evt.ID
	}
	return ""
}

var errClosed = errors.New("closed by the relay")

// closed is how the relay closed the socket.
type closed struct {
	code   ws.StatusCode
	reason string
}

func (c closed) Error() string { return fmt.Sprintf("closed with %d %q", c.code, c.reason) }

// read reads one message; pings are answered. The error is a closed when the relay has said goodbye.
func (c *client) read() (message, error) {
	for {
		_ = c.conn.SetReadDeadline(time.Now().Add(patience))
		f, err := ws.ReadFrame(c.br)
		if err != nil {
			return nil, errors.Join(errClosed, err)
		}
		switch f.Header.OpCode {
		case ws.OpPing:
			c.write(frame(ws.OpPong, true, f.Payload))
		case ws.OpClose:
			code, reason := ws.ParseCloseFrameData(f.Payload)
			return nil, closed{code, reason}
		case ws.OpText:
			var m message
			if err := json.Unmarshal(f.Payload, &m); err != nil {
				return nil, fmt.Errorf("not JSON: %.200q", f.Payload)
			}
			return m, nil
		}
	}
}

// recv is read that must succeed.
func (c *client) recv() message {
	c.t.Helper()
	m, err := c.read()
	if err != nil {
		c.t.Fatalf("read: %v", err)
	}
	return m
}

// want reads a message and compares its first elements; a text that ends in * is a prefix.
func (c *client) want(elements ...string) message {
	c.t.Helper()
	m := c.recv()
	for i, want := range elements {
		got := m.text(i)
		if prefix, ok := strings.CutSuffix(want, "*"); ok && strings.HasPrefix(got, prefix) || got == want {
			continue
		}
		c.t.Fatalf("got %.600s, want %q", m, elements)
	}
	return m
}

// wantClose reads on until the relay closes, and compares the code.
func (c *client) wantClose(code ws.StatusCode) {
	c.t.Helper()
	for {
		_, err := c.read()
		var bye closed
		if errors.As(err, &bye) {
			if bye.code != code {
				c.t.Fatalf("closed with %d %q, want %d", bye.code, bye.reason, code)
			}
			return
		}
		if err != nil {
			c.t.Fatalf("read: %v, want close %d", err, code)
		}
	}
}

func (c *client) close() { _ = c.conn.Close() }

// publish sends events and waits until each is answered with OK true.
func (c *client) publish(events ...*nostr.Event) {
	c.t.Helper()
	for _, e := range events {
		c.send(publish(e))
	}
	for range events {
		c.want("OK", "*", "true")
	}
}

// query sends a REQ and returns the ids of what comes before EOSE.
func (c *client) query(filters ...string) []string {
	c.t.Helper()
	c.send(fmt.Sprintf(`["REQ","query",%s]`, strings.Join(filters, ",")))
	ids := []string{}
	for {
		m := c.recv()
		if m.text(0) == "EOSE" {
			break
		}
		if m.text(0) != "EVENT" || m.text(1) != "query" {
			c.t.Fatalf("got %s, want an EVENT", m)
		}
		ids = append(ids, m.id())
	}
	c.send(`["CLOSE","query"]`)
	return ids
}

func publish(e *nostr.Event) string {
	b, err := json.Marshal(e)
	if err != nil {
		panic(err)
	}
	return `["EVENT",` + string(b) + `]`
}

// key is a secret key that follows from a name.
func key(name string) string {
	sum := sha256.Sum256([]byte(name))
	return hex.EncodeToString(sum[:])
}

func pub(name string) string {
	p, err := nostr.GetPublicKey(key(name))
	if err != nil {
		panic(err)
	}
	return p
}

// event makes a signed event of a name, made now.
func event(by string, kind int, content string, tags ...nostr.Tag) *nostr.Event {
	return eventAt(by, kind, time.Now().Unix(), content, tags...)
}

func eventAt(by string, kind int, at int64, content string, tags ...nostr.Tag) *nostr.Event {
	if tags == nil {
		tags = nostr.Tags{}
	}
	e := &nostr.Event{Kind: kind, CreatedAt: nostr.Timestamp(at), Content: content, Tags: tags}
	if err := e.Sign(key(by)); err != nil {
		panic(err)
	}
	return e
}

// eventually waits until a condition holds.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	look := time.NewTicker(time.Millisecond)
	defer look.Stop()
	for !holds() {
		select {
		case <-look.C:
		case <-deadline.C:
			t.Fatalf("never happened: %s", what)
		}
	}
}

// parsed is an event as an import brings it.
func parsed(t testing.TB, e *nostr.Event) *nip90.Parsed {
	t.Helper()
	raw, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	return storetest.FromJSON(t, raw)
}
