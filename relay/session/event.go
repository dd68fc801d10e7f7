package session

import (
	"context"

	"dvmrelay/nip90"
	"dvmrelay/wire"
)

// Verdict is what became of an event, as an OK message says it.
type Verdict struct {
	OK     bool
	Reason string // empty, or a NIP-01 prefix and words for a person
}

// Turn is an event's place in the order of its socket: events are judged side by side and queued one after the other.
type Turn struct {
	before <-chan struct{} // nil for the first
	queued chan struct{}
	gone   bool
}

// Wait returns when every earlier event of the socket has been queued or refused.
func (t *Turn) Wait(ctx context.Context) error {
	if t == nil || t.before == nil {
		return nil
	}
	select {
	case <-t.before:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Pass lets the next event go. Only the first call counts; one goroutine owns a turn.
func (t *Turn) Pass() {
	if t != nil && !t.gone {
		t.gone = true
		close(t.queued)
	}
}

// event gives an event to the relay on a slot of its own. It blocks while too much of this socket, or of all sockets
// together, is under way.
func (s *Session) event(ctx context.Context, c wire.Event) bool {
	size := len(c.Raw) + eventOverhead
	if !s.takeSlot(size) {
		return false
	}
	if err := s.host.Slots.Acquire(ctx, int64(size)); err != nil {
		s.freeSlot(size)
		return false
	}
	turn := &Turn{before: s.turn, queued: make(chan struct{})}
	s.turn = turn.queued
	s.tasks.Add(1)
	go s.judge(context.WithoutCancel(ctx), c, turn, size)
	return true
}

// eventOverhead is what an event under way costs beside its JSON, in bytes.
const eventOverhead = 4 << 10

// judge sees one event through. What a peer has sent is finished even if it leaves.
func (s *Session) judge(ctx context.Context, c wire.Event, turn *Turn, size int) {
	defer s.tasks.Done()
	p, err := nip90.Open(c.Event, c.Raw, nip90.DoorSocket, s.host.Now())
	v := Verdict{Reason: "invalid: id and pubkey must be 64 lowercase hex characters"}
	if err == nil {
		v = s.host.Submit(withPeer(ctx, s.peer.Load()), p, turn)
	}
	s.reply(func(b []byte) []byte { return wire.AppendOK(b, c.Event.ID, v.OK, v.Reason) })
	s.freeSlot(size)
	s.host.Slots.Release(int64(size))
	// A refused event may be done before earlier ones are queued: its turn comes after theirs all the same.
	_ = turn.Wait(ctx) // ctx has no end
	turn.Pass()
}

// takeSlot waits for a free slot of this socket.
func (s *Session) takeSlot(size int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for !s.o.ending && s.inflight > 0 && (s.inflight >= s.host.Options.MaxInFlight || s.inBytes+size > maxInFlightBytes) {
		s.room.Wait()
	}
	if s.o.ending {
		return false
	}
	s.inflight++
	s.inBytes += size
	s.host.Counters.InFlight.Add(1)
	return true
}

// maxInFlightBytes bounds the events of one socket that are under way.
const maxInFlightBytes = 4 << 20

func (s *Session) freeSlot(size int) {
	s.mu.Lock()
	s.inflight--
	s.inBytes -= size
	s.mu.Unlock()
	s.room.Broadcast()
	s.host.Counters.InFlight.Add(-1)
}

// settle waits until every earlier event of this socket is decided.
func (s *Session) settle() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.inflight > 0 && !s.o.ending {
		s.room.Wait()
	}
	return !s.o.ending
}
