package session

import (
	"strings"
	"sync/atomic"
	"time"

	"dvmrelay/policies"
)

// View is one socket as administrators see it. It is a copy, but for Peer, which never changes.
type View struct {
	Peer          *policies.Peer
	Begun         time.Time
	Sent          int64 // bytes that the peer took
	Received      int64 // bytes
	Queue         int64 // bytes that wait for the peer to take them; of live events what they cost
	QueuedEvents  int   // live events among them
	Subscriptions int
	LiveValues    int // filter values of these
	Answers       int // REQ and COUNT that wait for their answer
	InFlight      int // events being judged
	// Still is how long the peer has taken nothing though something waits for it; to the second.
	Still time.Duration
}

// View looks at the socket.
func (s *Session) View() View {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.viewLocked()
}

// viewLocked is View. s.mu is held.
func (s *Session) viewLocked() View {
	v := View{
		Peer: s.peer.Load(), Begun: time.Unix(0, s.begun), Sent: s.sent.Load(), Received: s.taken.Load(),
		Queue: int64(len(s.o.out) + s.o.batch + s.o.liveBytes), QueuedEvents: len(s.o.live),
		Subscriptions: len(s.subs), LiveValues: s.values, Answers: len(s.answers), InFlight: s.inflight,
	}
	for _, sub := range s.subs {
		v.QueuedEvents += len(sub.held)
	}
	if since := s.still.since.Load(); v.Queue > 0 && since != 0 {
		v.Still = max(0, s.host.Now().Sub(time.Unix(0, since))).Truncate(time.Second)
	}
	return v
}

// stillness is since when a peer has taken nothing, whether something waits for it or not. Only Tick looks.
type stillness struct {
	sent  int64
	since atomic.Int64 // unix nanoseconds; 0 = since it was first looked at
}

func (t *stillness) look(sent, now int64) {
	if sent != t.sent || t.since.Load() == 0 {
		t.sent = sent
		t.since.Store(now)
	}
}

// Cost is what one answer cost.
type Cost struct {
	Verb    string // REQ, COUNT or NEG-OPEN
	Peer    *policies.Peer
	Queries []Query
	Took    time.Duration // of work: what the reader made us wait for is left out
	Events  int           // sent, or compared
	Refused string        // the prefix of the refusal; empty when it was answered. NIP-01

	waited time.Duration
}

// spent tells what the answer to a REQ or COUNT cost.
func (s *Session) spent(a *answer, began time.Time, refusal string) {
	c := &a.cost
	c.Verb, c.Queries = "REQ", a.queries
	if a.sub == nil {
		c.Verb = "COUNT"
	}
	c.Refused, _, _ = strings.Cut(refusal, ":")
	s.tellCost(c, began)
}

// spentNeg tells what the set of a reconciliation cost.
func (s *Session) spentNeg(q Query, items int, began time.Time, err error) {
	c := &Cost{Verb: "NEG-OPEN", Queries: []Query{q}, Events: items}
	if err != nil {
		c.Refused = "blocked"
	}
	s.tellCost(c, began)
}

func (s *Session) tellCost(c *Cost, began time.Time) {
	if s.host.Spent == nil {
		return
	}
	c.Peer, c.Took = s.peer.Load(), time.Since(began)-c.waited
	s.host.Spent(c)
}
