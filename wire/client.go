package wire

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/coder/websocket"
	"github.com/nbd-wtf/go-nostr"
)

// DialOptions say how a client reaches a relay and what it bears with. The zero value is usable.
type DialOptions struct {
	// Control is called with each resolved address before it is connected, as net.Dialer.Control: an error refuses it.
	Control func(network, address string, c syscall.RawConn) error
	// Dial replaces the net.Dialer; Control is then not consulted.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Proxy, if true, honours HTTP_PROXY and its kin. A proxy resolves names itself, out of Control's sight.
	Proxy bool
	// NoRedirect, if true, takes a redirect for a refusal instead of following it.
	NoRedirect bool

	Header    http.Header // sent with the handshake
	UserAgent string

	Limits      Limits        // bounds on what an event may hold; the zero value bounds nothing
	ReadLimit   int64         // bytes of one message that is read; default 1 MiB
	SkipLimit   int64         // bytes of one message that is passed over, as Unreadable; a longer one ends the connection; default ReadLimit
	DialTimeout time.Duration // for name, connection, TLS and handshake together; default 20 s
	// MessageTimeout is how long one message may take from its first byte to its last; default 30 s.
	MessageTimeout time.Duration
	WriteTimeout   time.Duration // for one Send; default 10 s
	PingEvery      time.Duration // between the pings of KeepAlive; default 30 s
	PingTimeout    time.Duration // for the pong; default 20 s
}

func (o DialOptions) withDefaults() DialOptions {
	if o.ReadLimit <= 0 {
		o.ReadLimit = 1 << 20
	}
	o.SkipLimit = max(o.SkipLimit, o.ReadLimit)
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{
		{&o.DialTimeout, 20 * time.Second},
		{&o.MessageTimeout, 30 * time.Second},
		{&o.WriteTimeout, 10 * time.Second},
		{&o.PingEvery, 30 * time.Second},
		{&o.PingTimeout, 20 * time.Second},
	} {
		if *d.field <= 0 {
			*d.field = d.value
		}
	}
	return o
}

// Errors of the client that a caller tells apart.
var (
	ErrTooBig = errors.New("message is longer than the read limit")
	ErrBinary = errors.New("peer sent a binary message")
	ErrSlow   = errors.New("message took too long to arrive")
	// ErrClosed means that this side called Close.
	ErrClosed = errors.New("client is closed")
)

// Client is one connection to a relay. One goroutine may call Receive; every other method is safe for concurrent use.
// The client starts no goroutine of its own and reads only inside Receive, which answers pings as well.
type Client struct {
	url    string
	o      DialOptions
	conn   *websocket.Conn
	socket *lastSocket
	slow   *time.Timer // cuts the socket when a message takes too long; runs only while one is being read
	late   atomic.Bool // slow has cut the socket
	buf    bytes.Buffer
	size   int64 // of the last message
	closed sync.Once
	done   chan struct{}
}

// Dial connects to a relay at a ws or wss URL.
func Dial(ctx context.Context, url string, o DialOptions) (*Client, error) {
	o = o.withDefaults()
	ctx, cancel := context.WithTimeout(ctx, o.DialTimeout)
	defer cancel()
	socket := new(lastSocket)
	transport := newTransport(o, socket)
	header := o.Header.Clone()
	if header == nil {
		header = make(http.Header)
	}
	if o.UserAgent != "" {
		header.Set("User-Agent", o.UserAgent)
	}
	conn, resp, err := websocket.Dial(ctx, url, &websocket.DialOptions{
		HTTPClient: newHTTPClient(o, transport),
		HTTPHeader: header,
	})
	if err != nil {
		transport.CloseIdleConnections()
		if resp != nil && resp.StatusCode != http.StatusSwitchingProtocols {
			return nil, fmt.Errorf("dial %s: http status %d: %w", url, resp.StatusCode, err)
		}
		return nil, fmt.Errorf("dial %s: %w", url, err)
	}
	conn.SetReadLimit(o.SkipLimit)
	c := &Client{url: url, o: o, conn: conn, socket: socket, done: make(chan struct{})}
	c.slow = time.AfterFunc(o.MessageTimeout, func() {
		c.late.Store(true)
		socket.cut()
	})
	c.slow.Stop()
	return c, nil
}

// URL is what was dialled.
func (c *Client) URL() string { return c.url }

// Receive waits for the next message. After an error the connection is of no more use; the end of ctx is such an error.
// Frames without sense are returned as Unreadable and are no error.
func (c *Client) Receive(ctx context.Context) (Message, error) {
	kind, r, err := c.conn.Reader(ctx)
	if err != nil {
		return nil, c.readError(err)
	}
	if kind != websocket.MessageText {
		c.cutOff(websocket.StatusUnsupportedData)
		return nil, fmt.Errorf("read from %s: %w", c.url, ErrBinary)
	}
	const kept = 1 << 16 // bytes of buffer that one large message may leave behind
	if c.buf.Cap() > kept {
		c.buf = bytes.Buffer{}
	}
	c.buf.Reset()
	c.slow.Reset(c.o.MessageTimeout)
	c.size, err = c.buf.ReadFrom(io.LimitReader(r, c.o.ReadLimit))
	if err == nil {
		var over int64
		over, err = io.Copy(io.Discard, r)
		c.size += over
	}
	c.slow.Stop()
	switch {
	case err != nil:
		return nil, c.readError(err)
	case c.size > c.o.ReadLimit:
		return Unreadable{TooBig: true, Reason: "the message is longer than the read limit"}, nil
	}
	return ParseMessage(c.buf.Bytes(), c.o.Limits), nil
}

// Size is how many bytes the message had that Receive returned last. Only who calls Receive may call it.
func (c *Client) Size() int64 { return c.size }

func (c *Client) readError(err error) error {
	select {
	case <-c.done:
		return fmt.Errorf("read from %s: %w", c.url, ErrClosed)
	default:
	}
	switch {
	case errors.Is(err, websocket.ErrMessageTooBig):
		err = ErrTooBig
	case c.late.Load():
		err = ErrSlow
	}
	return fmt.Errorf("read from %s: %w", c.url, err)
}

// Send writes one text message. It takes at most WriteTimeout; after an error the connection is of no more use.
func (c *Client) Send(ctx context.Context, frame []byte) error {
	ctx, cancel := context.WithTimeout(ctx, c.o.WriteTimeout)
	defer cancel()
	if err := c.conn.Write(ctx, websocket.MessageText, frame); err != nil {
		select {
		case <-c.done:
			err = ErrClosed
		default:
		}
		return fmt.Errorf("write to %s: %w", c.url, err)
	}
	return nil
}

// Req opens a subscription. NIP-01 "REQ".
func (c *Client) Req(ctx context.Context, sub string, filters ...nostr.Filter) error {
	return c.Send(ctx, AppendReq(nil, sub, filters...))
}

// Count asks how many events match. NIP-45.
func (c *Client) Count(ctx context.Context, sub string, filters ...nostr.Filter) error {
	return c.Send(ctx, AppendCountReq(nil, sub, filters...))
}

// Unsubscribe ends a subscription. NIP-01 "CLOSE".
func (c *Client) Unsubscribe(ctx context.Context, sub string) error {
	return c.Send(ctx, AppendClose(nil, sub))
}

// Publish sends an event, given as its JSON. NIP-01 "EVENT".
func (c *Client) Publish(ctx context.Context, raw []byte) error {
	return c.Send(ctx, AppendPublish(make([]byte, 0, len(raw)+10), raw))
}

// Authenticate answers a challenge with a signed event, given as its JSON. NIP-42.
func (c *Client) Authenticate(ctx context.Context, raw []byte) error {
	return c.Send(ctx, AppendAnswer(make([]byte, 0, len(raw)+10), raw))
}

// Ping waits for a pong, at most PingTimeout. Another goroutine must be in Receive.
func (c *Client) Ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, c.o.PingTimeout)
	defer cancel()
	if err := c.conn.Ping(ctx); err != nil {
		return fmt.Errorf("ping %s: %w", c.url, err)
	}
	return nil
}

// KeepAlive pings the relay every PingEvery until ctx ends or the client is closed, and returns nil then. When a pong
// does not come it cuts the connection, so that Receive fails, and returns the error. Another goroutine must be in Receive.
func (c *Client) KeepAlive(ctx context.Context) error {
	tick := time.NewTicker(c.o.PingEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-c.done:
			return nil
		case <-tick.C:
		}
		if err := c.Ping(ctx); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			select {
			case <-c.done:
				return nil
			default:
			}
			c.socket.cut()
			return err
		}
	}
}

// closeWait is how long Close waits for the peer to say goodbye.
const closeWait = time.Second

// Close says goodbye and closes the connection, within about a second. A waiting Receive returns ErrClosed. It may be
// called any number of times.
func (c *Client) Close() { c.cutOff(websocket.StatusNormalClosure) }

func (c *Client) cutOff(code websocket.StatusCode) {
	c.closed.Do(func() {
		close(c.done)
		stop := time.AfterFunc(closeWait, c.socket.cut)
		// The peer may be gone already; nobody is left to hear of an error.
		_ = c.conn.Close(code, "")
		stop.Stop()
		c.slow.Stop()
	})
}

// lastSocket remembers the connection that was dialled last, below TLS and websocket, to cut it when politeness fails.
type lastSocket struct {
	mu   sync.Mutex // guards below
	conn net.Conn
}

func (s *lastSocket) set(conn net.Conn) {
	s.mu.Lock()
	s.conn = conn
	s.mu.Unlock()
}

func (s *lastSocket) cut() {
	s.mu.Lock()
	conn := s.conn
	s.mu.Unlock()
	if conn != nil {
		_ = conn.Close() // whoever uses the connection sees the error
	}
}

func newHTTPClient(o DialOptions, transport http.RoundTripper) *http.Client {
	c := &http.Client{Transport: transport}
	if o.NoRedirect {
		c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	}
	return c
}

// newTransport makes a transport that dials as o says and tells socket, which may be nil, of each connection.
func newTransport(o DialOptions, socket *lastSocket) *http.Transport {
	dial := o.Dial
	if dial == nil {
		dial = (&net.Dialer{Timeout: o.DialTimeout, KeepAlive: 30 * time.Second, Control: o.Control}).DialContext
	}
	t := &http.Transport{
		TLSHandshakeTimeout: o.DialTimeout,
		DisableCompression:  true,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := dial(ctx, network, address)
			if err == nil && socket != nil {
				socket.set(conn)
			}
			return conn, err
		},
	}
	if o.Proxy {
		t.Proxy = http.ProxyFromEnvironment
	}
	return t
}
