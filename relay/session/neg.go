package session

import (
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"dvmrelay/policies"
	"dvmrelay/wire"
	"dvmrelay/wire/negentropy"

	"github.com/nbd-wtf/go-nostr"
)

const (
	// negFrame bounds a message of ours, in bytes; as text it is twice as long, and below what any peer takes.
	negFrame = 32_000
	// negIdle is how long a peer may think about an answer.
	negIdle = 2 * time.Minute
	// maxNegWaiting bounds how many messages of one socket wait for their answer; the reader waits beyond.
	maxNegWaiting = 64
	// negBytes is what a reconciliation costs beside its set and its message, in bytes.
	negBytes = 1 << 10
)

// negotiation is one NEG-OPEN. Session.mu guards what changes; query and set belong to whoever answers it.
type negotiation struct {
	id     string          // never changes
	ctx    context.Context // ends with it; never changes
	cancel context.CancelFunc

	query Query           // until there is a set
	set   *negentropy.Set // what is stored; nil before the first answer

	msg   []byte // waits to be answered
	busy  bool   // it is our turn
	bytes int64  // what it holds of Options.NegBytes
	since time.Time
	ended bool
}

// negotiations are those of one socket. Session.mu guards all but open.
type negotiations struct {
	open    atomic.Int32
	byID    map[string]*negotiation
	waiting []*negotiation
	working bool // somebody answers
}

// negOpen begins a reconciliation, in the place of one that had its id. NIP-77.
func (s *Session) negOpen(ctx context.Context, c wire.NegOpen) bool {
	s.host.Counters.NegOpens.Add(1)
	s.endNegotiation(c.Sub)
	q, err := s.negAdmit(ctx, c.Filter)
	if err != nil {
		s.negErr(c.Sub, s.words("admit", err))
		return true
	}
	ctx, cancel := context.WithCancel(ctx)
	n := &negotiation{id: c.Sub, ctx: ctx, cancel: cancel, query: q}
	if reason := s.enter(n, c.Message); reason != "" {
		cancel()
		s.negErr(c.Sub, reason)
	}
	return s.waitNegTurn()
}

// negAdmit reads a filter by the rules of REQ, but what it names without a limit is all of it.
func (s *Session) negAdmit(ctx context.Context, f nostr.Filter) (Query, error) {
	if !s.host.Options.Negentropy {
		return Query{}, policies.Refuse(policies.Unsupported, "this relay compares no sets, ask with REQ")
	}
	queries, err := s.host.Admit(withPeer(ctx, s.peer.Load()), []nostr.Filter{f})
	if err == nil {
		err = s.mayRead(queries)
	}
	if err != nil {
		return Query{}, err
	}
	q := queries[0]
	if q.Wanted != nil {
		return Query{}, policies.Refuse(policies.Invalid, "search: what a search finds cannot be compared, ask with REQ")
	}
	q.Limit = f.Limit
	return q, nil
}

// enter puts a reconciliation on the books and queues its first answer. It returns the refusal.
func (s *Session) enter(n *negotiation, message string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if most := s.host.Options.NegSessions; most > 0 && len(s.negs.byID) >= most {
		return fmt.Sprintf("rate-limited: %d reconciliations are open on this connection, at most %d may be: end one with NEG-CLOSE", len(s.negs.byID), most)
	}
	if !s.reserve(negBytes) {
		return noNegRoom.Error()
	}
	if reason := s.queueNegLocked(n, message); reason != "" {
		s.giveBack(negBytes)
		return reason
	}
	n.bytes += negBytes
	if s.negs.byID == nil {
		s.negs.byID = make(map[string]*negotiation, 1)
	}
	s.negs.byID[n.id] = n
	s.negs.open.Add(1)
	s.host.Counters.Negotiations.Add(1)
	return ""
}

// negMsg continues a reconciliation. NIP-77.
func (s *Session) negMsg(c wire.NegMsg) bool {
	s.mu.Lock()
	n := s.negs.byID[c.Sub]
	var reason string
	switch {
	case n == nil:
		reason = "closed: no reconciliation of this name is open"
	case n.busy:
		reason = "invalid: a message came before the answer to the one before"
	default:
		reason = s.queueNegLocked(n, c.Message)
	}
	if reason != "" && n != nil {
		s.forgetNeg(n)
	}
	s.mu.Unlock()
	if reason != "" {
		s.negErr(c.Sub, reason)
	}
	return s.waitNegTurn()
}

// waitNegTurn waits while too many messages wait for their answer. It says false when the session is over.
func (s *Session) waitNegTurn() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.negs.waiting) >= maxNegWaiting && !s.o.ending {
		s.room.Wait()
	}
	return !s.o.ending
}

// queueNegLocked lets a message wait for its answer. It returns the refusal. s.mu is held.
func (s *Session) queueNegLocked(n *negotiation, message string) string {
	msg, err := hex.DecodeString(message)
	switch {
	case err != nil:
		return "invalid: the message is not hexadecimal"
	case s.o.ending:
		return "error: the connection is closing"
	case !s.reserve(int64(len(msg))):
		return noNegRoom.Error()
	}
	n.bytes += int64(len(msg))
	n.msg, n.busy = msg, true
	s.negs.waiting = append(s.negs.waiting, n)
	if !s.negs.working {
		s.negs.working = true
		s.tasks.Add(1)
		go s.negotiate()
	}
	return ""
}

// endNegotiation ends a reconciliation without a word, if there is one with this id.
func (s *Session) endNegotiation(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := s.negs.byID[id]; n != nil {
		s.forgetNeg(n)
	}
}

// forgetNeg takes a reconciliation off the books. s.mu is held.
func (s *Session) forgetNeg(n *negotiation) {
	if n.ended {
		return
	}
	n.ended = true
	n.cancel()
	delete(s.negs.byID, n.id)
	s.negs.waiting = slices.DeleteFunc(s.negs.waiting, func(w *negotiation) bool { return w == n })
	s.negs.open.Add(-1)
	s.host.Counters.Negotiations.Add(-1)
	s.giveBack(n.bytes)
	n.bytes, n.msg = 0, nil
	s.room.Broadcast()
}

// endNegotiations ends all.
func (s *Session) endNegotiations() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range s.negs.byID {
		s.forgetNeg(n)
	}
}

// expireNegotiations ends those whose peer thinks for too long.
func (s *Session) expireNegotiations(now time.Time) {
	if s.negs.open.Load() == 0 {
		return
	}
	var late []string
	s.mu.Lock()
	for id, n := range s.negs.byID {
		if !n.busy && now.Sub(n.since) >= negIdle {
			s.forgetNeg(n)
			late = append(late, id)
		}
	}
	s.mu.Unlock()
	for _, id := range late {
		s.negErr(id, fmt.Sprintf("closed: nothing came for %s", negIdle))
	}
}

// negErr refuses or ends a reconciliation.
func (s *Session) negErr(id, reason string) {
	s.host.Counters.negRefusal(reason)
	s.reply(func(b []byte) []byte { return wire.AppendNegErr(b, id, reason) })
}

// reserve takes from what all reconciliations of the relay may hold together.
func (s *Session) reserve(bytes int64) bool {
	held := &s.host.Counters.NegBytes
	if most := s.host.Options.NegBytes; held.Add(bytes) > most && most > 0 {
		held.Add(-bytes)
		return false
	}
	return true
}

func (s *Session) giveBack(bytes int64) { s.host.Counters.NegBytes.Add(-bytes) }
