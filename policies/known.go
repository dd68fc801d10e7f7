package policies

import (
	"context"
	"fmt"

	"dvmrelay/nip90"
)

// Authors is what a Known may answer besides: whether any event by a key was ever counted. With it a key that is neither
// provider nor customer can still withdraw what it published.
type Authors interface {
	Author(nip90.PubKey) (bool, error)
}

// NamesNothingKnown is the reason of a refusal by Admit.
const NamesNothingKnown = "names no job or provider known here yet"

// Admit is the last rule, decided inside the transaction that stores the event: what is accepted only because it is about
// something known. A refusal is a *Rejection, inside an *Unmet when the coming of something else would lift it; any other
// error is Known's own. It asks the lists too, since an event may have waited, and its author may have been denied
// meanwhile.
func (s *Set) Admit(k Known, p *nip90.Parsed) error {
	r := s.rules.Load()
	kinds := r.kinds
	_, when := kinds.find(p.Event.Kind)
	if when == Always {
		return nil
	}
	if err := r.lists(context.Background(), p); err != nil {
		s.counts.add(nameLists)
		return err
	}
	ok, err := fulfils(k, kinds, when, p)
	if err != nil {
		return fmt.Errorf("ask what is known of event %s: %w", p.ID, err)
	}
	if !ok {
		s.counts.add(nameKnown)
		return refuseUnknown(when, p)
	}
	return nil
}

func fulfils(k Known, kinds *Kinds, when Condition, p *nip90.Parsed) (bool, error) {
	switch when {
	case Handler:
		return announcesJobs(k, p)
	case Recommendation:
		return recommendsJobs(k, p)
	case Withdrawal:
		return withdrawsOurs(k, kinds, p)
	case KnownAuthor:
		return isKnownKey(k, p.Author)
	case Payment:
		return paysKnown(k, p)
	case Reputation:
		return judgesKnown(k, p)
	}
	return true, nil
}

func announcesJobs(k Known, p *nip90.Parsed) (bool, error) {
	if h, ok := p.Message.(*nip90.Handler); ok {
		for _, kind := range h.Kinds {
			if isJobKind(kind) {
				return true, nil
			}
		}
	}
	return k.Provider(p.Author)
}

func isJobKind(kind int) bool { return kind >= 5000 && kind <= 7000 }

func recommendsJobs(k Known, p *nip90.Parsed) (bool, error) {
	r, ok := p.Message.(*nip90.Recommendation)
	if !ok {
		return false, nil
	}
	if isJobKind(r.Kind) {
		return true, nil
	}
	return anyOf(r.Handlers, k.Address)
}

func withdrawsOurs(k Known, kinds *Kinds, p *nip90.Parsed) (bool, error) {
	c, ok := p.Message.(*nip90.Cancel)
	if !ok {
		return vanishesKnown(k, p.Author)
	}
	for _, kind := range c.Kinds {
		if kinds.ours(kind) {
			return true, nil
		}
	}
	for _, a := range c.Addresses {
		if kinds.ours(a.Kind) {
			return true, nil
		}
	}
	if known, err := anyOf(c.IDs, k.Event); known || err != nil {
		return known, err
	}
	return anyOf(c.Addresses, k.Address)
}

// vanishesKnown decides a request to vanish: what it names is its own author. NIP-62.
func vanishesKnown(k Known, author nip90.PubKey) (bool, error) {
	if known, err := isKnownKey(k, author); known || err != nil {
		return known, err
	}
	if a, ok := k.(Authors); ok {
		return a.Author(author)
	}
	return false, nil
}

func isKnownKey(k Known, pk nip90.PubKey) (bool, error) {
	if known, err := k.Provider(pk); known || err != nil {
		return known, err
	}
	return k.Customer(pk)
}

func paysKnown(k Known, p *nip90.Parsed) (bool, error) {
	var links []nip90.Link
	var payee nip90.PubKey
	switch m := p.Message.(type) {
	case *nip90.Zap:
		links, payee = m.Links, m.Recipient
	case *nip90.Nutzap:
		links, payee = m.Links, m.Recipient
	}
	if !payee.IsZero() {
		if known, err := k.Provider(payee); known || err != nil {
			return known, err
		}
	}
	return anyOf(links, func(l nip90.Link) (bool, error) { return k.Event(l.ID) })
}

func judgesKnown(k Known, p *nip90.Parsed) (bool, error) {
	o, ok := p.Message.(*nip90.Other)
	if !ok {
		return false, nil
	}
	if known, err := anyOf(o.About, k.Provider); known || err != nil {
		return known, err
	}
	return anyOf(o.Links, func(l nip90.Link) (bool, error) { return isAnswerKnown(k, l.ID) })
}

// isAnswerKnown says whether an id is known and is no job request.
func isAnswerKnown(k Known, id nip90.ID) (bool, error) {
	known, err := k.Event(id)
	if !known || err != nil {
		return false, err
	}
	request, err := k.Request(id)
	return !request, err
}

func anyOf[T any](list []T, is func(T) (bool, error)) (bool, error) {
	for _, x := range list {
		if ok, err := is(x); ok || err != nil {
			return ok, err
		}
	}
	return false, nil
}
