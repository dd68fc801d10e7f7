package session

import (
	"dvmrelay/relay/live"

	"github.com/gobwas/ws"
)

var _ live.Sink = (*Session)(nil)

// Deliver takes a live event for one of the subscriptions. It never blocks: a reader for whom more waits than it may
// have is dropped.
func (s *Session) Deliver(registered *live.Subscription, e live.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sub := s.subs[registered.ID()]
	if s.o.ending || sub == nil || sub.live != registered {
		return
	}
	if e.Version != 0 && e.Version <= sub.version || !s.readable(e.Parsed) {
		return
	}
	p := pending{sub: sub, evt: e.Parsed, version: e.Version}
	s.o.liveBytes += p.bytes()
	if limit := s.host.Options.LiveQueueBytes; limit > 0 && int64(s.o.liveBytes) > limit {
		s.endLocked(&fault{ws.StatusPolicyViolation, "more live events than this connection reads", DropOverflow})
		return
	}
	if sub.holding {
		sub.held = append(sub.held, p)
		return
	}
	s.o.live = append(s.o.live, p)
	s.wake()
}

// flow lets what was held go on, as far as the answer has not shown it already. s.mu is held.
func (s *Session) flow(sub *subscription) {
	sub.holding = false
	for _, p := range sub.held {
		if p.version != 0 && p.version <= sub.version {
			s.o.liveBytes -= p.bytes()
			continue
		}
		s.o.live = append(s.o.live, p)
	}
	sub.held = nil
}
