package bench

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gobwas/ws"
)

const (
	dialTimeout  = 10 * time.Second
	writeTimeout = 60 * time.Second
	bufferBytes  = 32 << 10
	maxMessage   = 64 << 20 // a relay must not make the client allocate without end
)

var errClosed = errors.New("connection closed by the relay")

// dialer opens connections to the one relay of a run.
type dialer struct {
	url   string
	local bool
	n     atomic.Uint32
}

// newDialer checks that the target may be loaded.
func newDialer(ctx context.Context, target string, anywhere bool) (*dialer, error) {
	u, err := url.Parse(target)
	if err != nil {
		return nil, fmt.Errorf("read url %q: %w", target, err)
	}
	if (u.Scheme != "ws" && u.Scheme != "wss") || u.Hostname() == "" {
		return nil, fmt.Errorf("read url %q: want ws://host:port or wss://host", target)
	}
	local, err := loopback(ctx, u.Hostname())
	if err != nil {
		return nil, err
	}
	if !local && !anywhere {
		return nil, fmt.Errorf("%w: %s is not on this machine; --anywhere allows a small run", ErrTarget, u.Hostname())
	}
	return &dialer{url: target, local: local}, nil
}

// netDial gives each connection to 127.0.0.1 a source address of its own,
// so that limits per address do not decide the figures.
func (d *dialer) netDial(ctx context.Context, network, addr string) (net.Conn, error) {
	var nd net.Dialer
	if host, _, err := net.SplitHostPort(addr); d.local && err == nil && host == "127.0.0.1" {
		n := d.n.Add(1)
		nd.LocalAddr = &net.TCPAddr{IP: net.IPv4(127, 0, byte(1+n/250%250), byte(1+n%250))}
	}
	return nd.DialContext(ctx, network, addr)
}

// conn is a websocket client reduced to what a load needs: no compression and a zero mask,
// which the protocol allows and which lets prepared frames leave untouched.
// One goroutine may read while another writes.
type conn struct {
	nc   net.Conn
	br   *bufio.Reader
	buf  []byte
	undo func() bool

	mu sync.Mutex // guards below
	bw *bufio.Writer
}

// dial connects; the connection closes when ctx ends.
func (d *dialer) dial(ctx context.Context) (*conn, error) {
	dctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	nc, br, _, err := ws.Dialer{ReadBufferSize: 1024, NetDial: d.netDial}.Dial(dctx, d.url)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", d.url, err)
	}
	var src io.Reader = nc
	if br != nil { // the relay spoke before the upgrade was read to its end
		early, _ := br.Peek(br.Buffered()) // cannot fail: asks for what is buffered
		src = io.MultiReader(bytes.NewReader(bytes.Clone(early)), nc)
		ws.PutReader(br)
	}
	c := &conn{nc: nc, br: bufio.NewReaderSize(src, bufferBytes), bw: bufio.NewWriterSize(nc, bufferBytes)}
	c.undo = context.AfterFunc(ctx, func() { nc.Close() })
	return c, nil
}

func (c *conn) close() {
	c.undo()
	c.nc.Close() // the peer is gone or done with; nothing is lost by a failing close
}

// clientFrame makes the frame of one text message with a zero mask.
func clientFrame(msg []byte) []byte {
	n := len(msg)
	f := make([]byte, 0, n+14)
	switch {
	case n < 126:
		f = append(f, 0x81, 0x80|byte(n))
	case n < 1<<16:
		f = append(f, 0x81, 0x80|126)
		f = binary.BigEndian.AppendUint16(f, uint16(n))
	default:
		f = append(f, 0x81, 0x80|127)
		f = binary.BigEndian.AppendUint64(f, uint64(n))
	}
	f = append(f, 0, 0, 0, 0)
	return append(f, msg...)
}

// queue buffers one whole frame. What leaves the buffer always ends at a frame boundary,
// so a pong from the reading goroutine cannot land inside a frame.
func (c *conn) queue(frame []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.bw.Available() < len(frame) {
		if err := c.flushLocked(); err != nil {
			return err
		}
	}
	_, err := c.bw.Write(frame)
	return err
}

func (c *conn) flush() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.flushLocked()
}

func (c *conn) flushLocked() error {
	if err := c.nc.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return err
	}
	return c.bw.Flush()
}

// send writes text messages and flushes them.
func (c *conn) send(msgs ...[]byte) error {
	for _, m := range msgs {
		if err := c.queue(clientFrame(m)); err != nil {
			return err
		}
	}
	return c.flush()
}

// read returns the next text message, valid until the next call.
func (c *conn) read(wait time.Duration) ([]byte, error) {
	if err := c.nc.SetReadDeadline(time.Now().Add(wait)); err != nil {
		return nil, err
	}
	c.buf = c.buf[:0]
	for {
		h, err := ws.ReadHeader(c.br)
		if err != nil {
			return nil, err
		}
		if h.Length > maxMessage || int64(len(c.buf))+h.Length > maxMessage {
			return nil, fmt.Errorf("message of more than %d bytes", maxMessage)
		}
		if h.OpCode.IsControl() {
			if err := c.control(h); err != nil {
				return nil, err
			}
			continue
		}
		at := len(c.buf)
		if need := at + int(h.Length); cap(c.buf) < need {
			c.buf = append(make([]byte, 0, 2*need), c.buf...)
		}
		c.buf = c.buf[:at+int(h.Length)]
		if _, err := io.ReadFull(c.br, c.buf[at:]); err != nil {
			return nil, err
		}
		if h.Fin {
			return c.buf, nil
		}
	}
}

func (c *conn) control(h ws.Header) error {
	if h.Length > ws.MaxControlFramePayloadSize {
		return fmt.Errorf("control frame of %d bytes", h.Length)
	}
	p := make([]byte, h.Length)
	if _, err := io.ReadFull(c.br, p); err != nil {
		return err
	}
	switch h.OpCode {
	case ws.OpClose:
		return errClosed
	case ws.OpPing:
		pong := append([]byte{0x8a, 0x80 | byte(len(p)), 0, 0, 0, 0}, p...)
		c.mu.Lock()
		defer c.mu.Unlock()
		if err := c.flushLocked(); err != nil {
			return err
		}
		_, err := c.nc.Write(pong)
		return err
	}
	return nil
}

// ask sends one REQ, collects the ids up to EOSE and closes the subscription.
// each, if set, sees the JSON of every event while it is valid.
func (c *conn) ask(sub string, filter []byte, wait time.Duration, each func(event []byte)) ([]eventID, error) {
	if err := c.send(fmt.Appendf(nil, `["REQ","%s",%s]`, sub, filter)); err != nil {
		return nil, err
	}
	var got []eventID
	for {
		b, err := c.read(wait)
		if err != nil {
			return got, err
		}
		m, err := parseMessage(b)
		if err != nil {
			return got, err
		}
		switch {
		case m.label == labelNotice:
			return got, fmt.Errorf("NOTICE %s", m.text)
		case string(m.sub) != sub:
		case m.label == labelEvent:
			got = append(got, m.id)
			if each != nil {
				each(m.event)
			}
		case m.label == labelClosed:
			return got, fmt.Errorf("CLOSED %s", m.text)
		case m.label == labelEOSE:
			return got, c.send(fmt.Appendf(nil, `["CLOSE","%s"]`, sub))
		}
	}
}
