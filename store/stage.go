package store

import (
	"errors"
	"fmt"

	"dvmrelay/nip90"
)

// ErrBadEvent is wrapped by the refusal of an event that no key can hold: kind or created_at out of range, or too big.
var ErrBadEvent = errors.New("event cannot be stored")

const (
	allRelays = "ALL_RELAYS"
	// inlineDeletions is how many targets a deletion removes in its own transaction; the others follow as a task.
	inlineDeletions = 128
)

// decide applies the rules of NIP-01, 09, 40 and 62, then Admit, then writes the event, then tells the Indexer.
func (g *group) decide(p *nip90.Parsed) (Outcome, Change, error) {
	if err := g.bounds(p); err != nil {
		return 0, Change{}, err
	}
	old, known, err := g.Fact(p.ID)
	if err != nil {
		return 0, Change{}, err
	}
	if known {
		return repeated(&old), Change{}, nil
	}
	if gone, err := g.vanished(p); err != nil || gone {
		return Deleted, Change{}, err
	}

	from, to := tagSpan(p.Raw)
	tags := p.Raw[from:to]
	outcome, by, err := g.judge(p, tags)
	if err != nil {
		return outcome, Change{}, err
	}
	waits, err := g.admitted(p, tags)
	if err != nil {
		return 0, Change{}, err
	}
	if waits {
		return Waiting, Change{}, nil
	}

	f := FactOf(p)
	g.facts++
	if outcome != Stored {
		change, err := g.bodiless(&f, p, outcome, by)
		return outcome, change, err
	}
	change, err := g.store(p, &f, tags)
	return Stored, change, err
}

func (g *group) bounds(p *nip90.Parsed) error {
	switch {
	case p.Event.Kind < 0 || p.Event.Kind > maxKind:
		return fmt.Errorf("kind %d: %w", p.Event.Kind, ErrBadEvent)
	case p.CreatedAt < 0 || p.CreatedAt > maxTime:
		return fmt.Errorf("created_at %d: %w", p.CreatedAt, ErrBadEvent)
	case int64(len(p.Raw)) >= g.s.maxBytes/2:
		return fmt.Errorf("%d bytes: %w", len(p.Raw), ErrBadEvent)
	}
	return nil
}

func repeated(f *Fact) Outcome {
	if !f.Has(FactBody) && f.Has(FactDeleted) {
		return Deleted
	}
	return Duplicate
}

// vanished says whether the author asked for everything up to this time to be forgotten. NIP-62.
func (g *group) vanished(p *nip90.Parsed) (bool, error) {
	if !g.marked(p.Author) {
		return false, nil
	}
	v, err := g.tombstone(p.Author, vanishKey)
	if err != nil || len(v) < timeLen {
		return false, err
	}
	return p.CreatedAt <= getTime(v), nil
}

// judge decides what becomes of a new event: Stored, Stale, FactOnly, or Deleted with the deleting event.
func (g *group) judge(p *nip90.Parsed, tags []byte) (Outcome, nip90.ID, error) {
	marked := g.marked(p.Author)
	if kind := p.Event.Kind; marked && kind != nip90.KindDeletion && kind != nip90.KindVanish {
		tomb, err := g.tombstone(p.Author, tombKey(p.ID))
		if err != nil {
			return 0, nip90.ID{}, err
		}
		if len(tomb) >= idLen {
			return Deleted, nip90.ID(tomb[:idLen]), nil
		}
	}
	d, addressed := addressOf(p.Event.Kind, tags)
	if addressed && marked {
		tomb, err := g.tombstone(p.Author, addrTombKey(uint16(p.Event.Kind), d))
		if err != nil {
			return 0, nip90.ID{}, err
		}
		if len(tomb) >= timeLen+idLen && p.CreatedAt <= getTime(tomb) {
			return Deleted, nip90.ID(tomb[timeLen : timeLen+idLen]), nil
		}
	}
	if p.Expires != 0 && p.Expires <= g.now {
		return FactOnly, nip90.ID{}, nil
	}
	if addressed {
		by, stale, err := g.stale(p, d)
		if err != nil || stale {
			return Stale, by, err
		}
	}
	return Stored, nip90.ID{}, nil
}

// stale says whether a newer version of the address is served, and which. One that has expired is as good as gone, swept
// or not.
func (g *group) stale(p *nip90.Parsed, d [32]byte) (by nip90.ID, stale bool, err error) {
	head, err := g.Value(replaceKey(uint16(p.Event.Kind), p.Author, d))
	here := placeOf(p.CreatedAt, p.ID)
	if err != nil || len(head) != placeLen || string(head) > string(here[:]) {
		return by, false, err
	}
	by = nip90.ID(head[timeLen:])
	f, ok, err := g.Fact(by)
	return by, ok && (f.Expires == 0 || f.Expires > g.now), err
}

// bodiless keeps the fact of an event that came too late to be served. A stale version leaves the fact that it would have
// left had it come in time and been replaced, and a sign of life is heard even then.
func (g *group) bodiless(f *Fact, p *nip90.Parsed, outcome Outcome, by nip90.ID) (Change, error) {
	why := LossDeleted
	switch outcome {
	case FactOnly:
		f.Flags |= FactBornDead
	case Stale:
		why = LossReplaced
	default:
		f.Flags |= FactDeleted
	}
	if outcome != Stale {
		p = nil
	}
	g.bury(f)
	change, err := g.apply(*f, p)
	if err != nil || outcome == FactOnly {
		return change, err
	}
	more, err := g.unapply(*f, why, by)
	change.Merge(more)
	return change, err
}

func (g *group) store(p *nip90.Parsed, f *Fact, tags []byte) (Change, error) {
	f.Flags |= FactBody
	var change Change
	here := placeOf(p.CreatedAt, p.ID)
	kind := uint16(f.Kind)
	if d, addressed := addressOf(f.Kind, tags); addressed {
		var err error
		if change, err = g.replace(f, here, d); err != nil {
			return change, err
		}
	}
	g.putFact(f)
	g.over.set(eventKey(nil, &here, kind), appendBody(nil, p.Author, f.Expires, p.Raw))
	b := body{Raw: Raw{Head: Head{ID: p.ID, PubKey: p.Author, CreatedAt: p.CreatedAt, Expires: f.Expires, Kind: f.Kind}}, tags: tags}
	indexKeys(&b, func(key []byte) { g.over.set(key, p.Author[:hintLen]) })
	if f.Expires != 0 {
		g.over.set(expiryKey(f.Expires, f.ID), nil)
	}
	g.deltas = append(g.deltas, kindDelta{kind, 1})

	var more Change
	var err error
	switch f.Kind {
	case nip90.KindDeletion:
		more, err = g.obeyDeletion(f, tags)
	case nip90.KindVanish:
		err = g.obeyVanish(f, tags)
	}
	change.Merge(more)
	if err != nil {
		return change, err
	}
	more, err = g.apply(*f, p)
	change.Merge(more)
	return change, err
}

// replace makes f the version of its address and removes the body of the one before.
func (g *group) replace(f *Fact, here place, d [32]byte) (Change, error) {
	key := replaceKey(uint16(f.Kind), f.Author, d)
	head, err := g.Value(key)
	if err != nil {
		return Change{}, err
	}
	var change Change
	if len(head) == placeLen {
		old, ok, err := g.Fact(nip90.ID(head[timeLen:]))
		if err != nil {
			return Change{}, err
		}
		if ok && old.Has(FactBody) {
			why := LossReplaced
			if old.Expires != 0 && old.Expires <= g.now {
				why = LossExpired // and f may be the older version
			}
			if change, err = g.removeBody(&old, why, f.ID); err != nil {
				return change, err
			}
		}
	}
	g.over.set(key, here[:])
	return change, nil
}

func (g *group) apply(f Fact, p *nip90.Parsed) (Change, error) {
	if g.s.o.Indexer == nil {
		return Change{}, nil
	}
	change, err := g.s.o.Indexer.Apply(g, f, p)
	if err == nil {
		err = g.foreign
	}
	if err != nil {
		return change, fmt.Errorf("index event %s: %w", f.ID, err)
	}
	return change, nil
}

func (g *group) unapply(f Fact, why Loss, by nip90.ID) (Change, error) {
	if g.s.o.Indexer == nil {
		return Change{}, nil
	}
	change, err := g.s.o.Indexer.Remove(g, f, why, by)
	if err == nil {
		err = g.foreign
	}
	if err != nil {
		return change, fmt.Errorf("index loss of event %s: %w", f.ID, err)
	}
	return change, nil
}
