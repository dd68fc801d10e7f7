package policies

import (
	"dvmrelay/nip90"
	"dvmrelay/store"
)

// Unmet is the refusal of an event that names nothing known here. It says what would have to come for it to be let in; it
// is a store.Unmet, and a *Rejection inside.
type Unmet struct {
	*Rejection
	awaits []store.Awaited
}

// Awaits implements store.Unmet.
func (u *Unmet) Awaits() []store.Awaited { return u.awaits }

// Unwrap is the Rejection.
func (u *Unmet) Unwrap() error { return u.Rejection }

var _ store.Unmet = (*Unmet)(nil)

// refuseUnknown is the refusal of an event that does not fulfil its condition.
func refuseUnknown(when Condition, p *nip90.Parsed) error {
	r := Refuse(Restricted, NamesNothingKnown)
	if list := awaits(when, p); len(list) > 0 {
		return &Unmet{r, list}
	}
	return r
}

// awaits is what would let an event in that does not fulfil its condition, at most store.MaxAwaited; empty when nothing
// ever will.
func awaits(when Condition, p *nip90.Parsed) []store.Awaited {
	var l awaited
	switch when {
	case Handler:
		l.key(store.AwaitProvider, p.Author)
	case KnownAuthor:
		l.key(store.AwaitProvider, p.Author)
		l.key(store.AwaitCustomer, p.Author)
	case Recommendation:
		if m, ok := p.Message.(*nip90.Recommendation); ok {
			l.handlers(m.Handlers)
		}
	case Withdrawal:
		if m, ok := p.Message.(*nip90.Cancel); ok {
			for _, id := range m.IDs {
				l.add(store.AwaitEvent, id)
			}
		} else {
			l.key(store.AwaitAuthor, p.Author)
		}
	case Payment:
		switch m := p.Message.(type) {
		case *nip90.Zap:
			l.key(store.AwaitProvider, m.Recipient)
			l.links(store.AwaitEvent, m.Links)
		case *nip90.Nutzap:
			l.key(store.AwaitProvider, m.Recipient)
			l.links(store.AwaitEvent, m.Links)
		}
	case Reputation:
		if m, ok := p.Message.(*nip90.Other); ok {
			l.links(store.AwaitAnswer, m.Links[:min(len(m.Links), store.MaxAwaited/2)])
			for _, pk := range m.About {
				l.key(store.AwaitProvider, pk)
			}
		}
	}
	return l
}

type awaited []store.Awaited

func (l *awaited) add(kind store.AwaitKind, key [32]byte) {
	if len(*l) < store.MaxAwaited {
		*l = append(*l, store.Awaited{Kind: kind, Key: key})
	}
}

func (l *awaited) key(kind store.AwaitKind, pk nip90.PubKey) {
	if !pk.IsZero() {
		l.add(kind, pk)
	}
}

func (l *awaited) links(kind store.AwaitKind, links []nip90.Link) {
	for _, link := range links {
		l.add(kind, link.ID)
	}
}

// handlers waits for announcements only: no other address is ever known.
func (l *awaited) handlers(list []nip90.Address) {
	for _, a := range list {
		if a.Kind == nip90.KindHandler && len(*l) < store.MaxAwaited {
			*l = append(*l, store.AwaitAddress(a))
		}
	}
}
