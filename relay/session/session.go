// Package session is one websocket: it reads frames in order, bounds what one peer may have under way, answers, and
// writes through one coalescing writer. An idle socket costs a goroutine that waits in the poller and no buffer.
//
// Goroutines of a socket: the reader (Run); a writer while there is something to write; an answerer while a REQ or COUNT
// is being answered; another while a reconciliation is; one per event being judged. Run returns when all of them have.
package session

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"dvmrelay/policies"
	"dvmrelay/wire"

	"github.com/gobwas/ws"
)

// lingerTime is how long a peer may take to hang up after the close frame.
const lingerTime = time.Second

// Session is one open socket.
type Session struct {
	host      *Host
	conn      net.Conn
	in        *input
	challenge string
	peer      atomic.Pointer[policies.Peer]

	heard   atomic.Int64 // unix nanoseconds of the last bytes received
	partial atomic.Int64 // unix nanoseconds since which a message is unfinished, 0 = none
	pinged  atomic.Int64 // unix nanoseconds of the last ping
	begun   int64        // unix nanoseconds of the handshake
	sent    atomic.Int64 // bytes that the peer took
	taken   atomic.Int64 // bytes received
	still   stillness

	tasks sync.WaitGroup
	busy  atomic.Bool // the reader works or waits for room: the peer's silence is our doing

	mu       sync.Mutex // guards below
	room     sync.Cond
	o        output
	counted  bool
	subs     map[string]*subscription
	values   int // live filter values of all subs
	answers  []*answer
	working  bool // an answerer runs
	negs     negotiations
	inflight int
	inBytes  int

	// The reader's own.
	message   []byte // fragments so far
	fragments int
	nonsense  int           // unreadable frames in a row
	turn      chan struct{} // closed when the newest event has been queued or refused
	answered  map[string]struct{}
}

// New makes a session of an upgraded connection. early are bytes that came with the handshake.
func New(host *Host, conn net.Conn, early []byte, peer *policies.Peer) *Session {
	s := &Session{host: host, conn: conn, in: newInput(conn, early)}
	s.room.L = &s.mu
	s.peer.Store(peer)
	now := host.Now().UnixNano()
	s.heard.Store(now)
	s.begun = now
	return s
}

// Run serves the socket until the peer leaves, a rule is broken or ctx ends; then it says goodbye, waits for its
// goroutines and closes the connection.
func (s *Session) Run(ctx context.Context) {
	s.host.Counters.Sockets.Add(1)
	s.host.Counters.Opened.Add(1)
	defer s.host.Counters.Sockets.Add(-1)
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(ctx, func() {
		s.end(&fault{ws.StatusGoingAway, "the relay is going down", DropShutdown})
	})
	s.greet()
	s.read(ctx)
	stop()
	s.unsubscribeAll()
	s.endNegotiations()
	cancel()
	s.finishAnswers()
	s.tasks.Wait()
	s.drop(DropLeft)
	s.in.release()
}

// greet sends the challenge of NIP-42 to every peer, as far as the relay knows its own address.
func (s *Session) greet() {
	if s.host.Options.URL == "" {
		return
	}
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	s.challenge = hex.EncodeToString(b[:])
	s.reply(func(b []byte) []byte { return wire.AppendAuth(b, s.challenge) })
}

// read handles frames until the session ends, then discards until the peer hangs up.
func (s *Session) read(ctx context.Context) {
	if len(s.in.rest) > 0 {
		s.busy.Store(true)
		if !s.handle(ctx, s.in.rest) {
			s.linger()
			return
		}
		s.busy.Store(false)
	}
	for {
		window, err := s.in.next()
		if err != nil {
			s.drop(DropLeft)
			return
		}
		s.busy.Store(true)
		s.heard.Store(s.host.Now().UnixNano())
		s.host.Counters.BytesIn.Add(int64(s.in.n))
		s.taken.Add(int64(s.in.n))
		if !s.handle(ctx, window) {
			s.linger()
			return
		}
		s.heard.Store(s.host.Now().UnixNano())
		s.busy.Store(false)
	}
}

// linger reads and forgets, so that the close frame is not lost in a reset of the connection.
func (s *Session) linger() {
	s.busy.Store(true)
	s.in.rest, s.message = nil, nil
	s.partial.Store(0)
	for {
		if _, err := s.in.next(); err != nil {
			return
		}
		s.in.keep(nil, 0)
	}
}

// saidGoodbye is called by the writer after the close frame.
func (s *Session) saidGoodbye() {
	type halfCloser interface{ CloseWrite() error }
	if c, ok := s.conn.(halfCloser); ok {
		_ = c.CloseWrite() // the deadline below ends what this cannot
	}
	_ = s.conn.SetReadDeadline(time.Now().Add(lingerTime))
}

// handle takes the whole frames of a window and keeps the rest. It says false when the session is over.
func (s *Session) handle(ctx context.Context, window []byte) bool {
	for len(window) > 0 {
		h, done, bad := readHeader(window, s.host.Options.MaxMessage-len(s.message))
		if bad != nil {
			s.in.keep(nil, 0)
			s.end(bad)
			return false
		}
		if !done || len(window) < h.written+h.size {
			s.in.keep(window, h.written+h.size)
			s.markPartial(true)
			return true
		}
		payload := window[h.written : h.written+h.size]
		window = window[h.written+h.size:]
		ws.Cipher(payload, h.mask, 0)
		if !s.frame(ctx, h, payload) {
			s.in.keep(nil, 0)
			return false
		}
	}
	s.in.keep(nil, 0)
	s.markPartial(s.fragments > 0)
	return true
}

func (s *Session) markPartial(unfinished bool) {
	switch {
	case !unfinished:
		s.partial.Store(0)
	case s.partial.Load() == 0:
		s.partial.Store(s.host.Now().UnixNano())
	}
}

// frame takes one frame. It says false when the session is over.
func (s *Session) frame(ctx context.Context, h header, payload []byte) bool {
	switch h.op {
	case ws.OpPing:
		s.control(controlFrame(ws.OpPong, payload))
		return s.waitRoom()
	case ws.OpPong:
		return true
	case ws.OpClose:
		s.end(&fault{code: peerCode(payload), reason: DropLeft})
		return false
	case ws.OpContinuation:
		if s.fragments == 0 {
			s.end(protocolFault("a continuation of nothing"))
			return false
		}
	case ws.OpText:
		if s.fragments > 0 {
			s.end(protocolFault("a message inside of a message"))
			return false
		}
		if h.fin {
			s.partial.Store(0)
			return s.text(ctx, payload)
		}
	}
	return s.fragment(ctx, h, payload)
}

// fragment gathers a message that comes in pieces.
func (s *Session) fragment(ctx context.Context, h header, payload []byte) bool {
	s.fragments++
	if s.fragments > maxFragments {
		s.end(&fault{ws.StatusPolicyViolation, "message is cut into too many frames", DropFragments})
		return false
	}
	if s.message == nil {
		s.message = []byte{}
	}
	s.message = append(s.message, payload...)
	if !h.fin {
		return true
	}
	message := s.message
	s.message, s.fragments = nil, 0
	s.partial.Store(0)
	return s.text(ctx, message)
}

// peerCode is the code that the peer closed with, if it may be sent back.
func peerCode(payload []byte) ws.StatusCode {
	if len(payload) < 2 {
		return ws.StatusNormalClosure
	}
	code, _ := ws.ParseCloseFrameData(payload)
	if code.IsProtocolDefined() && !code.IsProtocolReserved() || code.IsApplicationSpec() || code.IsPrivateSpec() {
		return code
	}
	return ws.StatusProtocolError
}

// Tick is called now and then for every session: it sends a ping to a quiet peer and ends one that does not answer, or
// never finishes what it began to send.
func (s *Session) Tick(now time.Time) {
	s.expireNegotiations(now)
	at := now.UnixNano()
	s.still.look(s.sent.Load(), at)
	if since := s.partial.Load(); since != 0 && at-since > int64(s.host.Options.MessageDeadline) && !s.busy.Load() {
		s.end(&fault{ws.StatusPolicyViolation, "message was not finished in time", DropSlowFrame})
		s.interrupt()
		return
	}
	if s.busy.Load() || s.host.Options.PingInterval <= 0 {
		return
	}
	quiet := time.Duration(at - s.heard.Load())
	switch {
	case quiet >= s.host.Options.PingInterval+s.host.Options.PongWait:
		s.drop(DropSilent)
	case quiet >= s.host.Options.PingInterval && at-s.pinged.Load() >= int64(s.host.Options.PingInterval):
		s.pinged.Store(at)
		s.control(controlFrame(ws.OpPing, nil))
	}
}

// control queues bytes that are framed already.
func (s *Session) control(write func([]byte) []byte) {
	s.mu.Lock()
	if !s.o.ending {
		was := len(s.o.out)
		s.o.out = write(room(s.o.out, 2+ws.MaxControlFramePayloadSize))
		s.o.said += len(s.o.out) - was
		s.wake()
	}
	s.mu.Unlock()
}

func controlFrame(op ws.OpCode, payload []byte) func([]byte) []byte {
	return func(b []byte) []byte { return appendControl(b, op, payload) }
}

// interrupt lets a reader that waits for bytes see that the session has ended.
func (s *Session) interrupt() { _ = s.conn.SetReadDeadline(time.Now().Add(lingerTime)) }
