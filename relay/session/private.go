package session

import (
	"slices"

	"dvmrelay/nip90"
	"dvmrelay/policies"
	"dvmrelay/store"
	"dvmrelay/wire"

	"github.com/nbd-wtf/go-nostr"
)

// readable says whether the peer may see an event: some kinds, and encrypted jobs where the operator wants it, are for
// their author and those they name. NIP-42.
func (s *Session) readable(p *nip90.Parsed) bool {
	switch {
	case s.gated(p.Event.Kind):
	case s.host.Options.SealedReads && isJobKind(p.Event.Kind) && isSealed(p.Message):
	default:
		return true
	}
	return concerns(s.peer.Load(), p.Author, p.Event)
}

// readableRaw is readable for an event from the store. It reads the JSON only where there may be something to hide.
func (s *Session) readableRaw(raw *store.Raw) bool {
	gated := s.gated(raw.Kind)
	if !gated && !(s.host.Options.SealedReads && isJobKind(raw.Kind)) {
		return true
	}
	evt, _, err := wire.ParseEvent(raw.JSON, wire.Limits{})
	if err != nil {
		return false // what cannot be judged is not shown
	}
	if !gated {
		msg, err := nip90.Parse(evt)
		if err == nil && !isSealed(msg) {
			return true
		}
	}
	return concerns(s.peer.Load(), raw.PubKey, evt)
}

func (s *Session) gated(kind int) bool {
	return !isJobKind(kind) && slices.Contains(s.host.Gated, kind)
}

func isJobKind(kind int) bool { return kind >= 5000 && kind <= 7000 }

func isSealed(m nip90.Message) bool {
	switch m := m.(type) {
	case *nip90.Request:
		return m.Encrypted != nip90.Plain
	case *nip90.Result:
		return m.Encrypted != nip90.Plain
	case *nip90.Feedback:
		return m.Encrypted != nip90.Plain
	}
	return false
}

// concerns says whether one of the peer's keys wrote the event or is named in a `p` tag.
func concerns(peer *policies.Peer, author nip90.PubKey, evt *nostr.Event) bool {
	if peer == nil || len(peer.Authed) == 0 {
		return false
	}
	if peer.Is(author) {
		return true
	}
	for _, tag := range evt.Tags {
		if len(tag) < 2 || tag[0] != "p" {
			continue
		}
		if key, ok := nip90.ParsePubKey(tag[1]); ok && peer.Is(key) {
			return true
		}
	}
	return false
}

// mayRead refuses a REQ or COUNT that asks for nothing but what only authenticated peers may see. NIP-42.
func (s *Session) mayRead(queries []Query) error {
	if len(s.peer.Load().Authed) > 0 {
		return nil
	}
	for _, q := range queries {
		if len(q.Kinds) == 0 || slices.ContainsFunc(q.Kinds, func(k int) bool { return !s.gated(k) }) {
			return nil
		}
	}
	if s.host.Options.URL == "" {
		return policies.Refuse(policies.Restricted, "these kinds are for their author and those they name, and nobody can authenticate here")
	}
	return policies.Refuse(policies.AuthRequired, "these kinds are for their author and those they name, authenticate first")
}
