package store

import "dvmrelay/nip90"

// removeBody takes the body of an event and every index key of it; the fact stays unless it is erased.
func (g *group) removeBody(f *Fact, why Loss, by nip90.ID) (Change, error) {
	b, ok, err := readBody(g, f)
	if err != nil {
		return Change{}, err
	}
	here := placeOf(f.CreatedAt, f.ID)
	if ok {
		indexKeys(&b, g.over.delete)
		if b.Expires != 0 {
			g.over.delete(expiryKey(b.Expires, f.ID))
		}
		if d, addressed := addressOf(f.Kind, b.tags); addressed {
			if err := g.dropHead(f, here, d); err != nil {
				return Change{}, err
			}
		}
		g.over.delete(eventKey(nil, &here, uint16(f.Kind)))
		g.deltas = append(g.deltas, kindDelta{uint16(f.Kind), -1})
	}
	f.Flags &^= FactBody
	if why == LossErased {
		return g.eraseFact(f, by)
	}
	if why == LossDeleted {
		f.Flags |= FactDeleted
	}
	g.bury(f)
	return g.unapply(*f, why, by)
}

// dropHead forgets that f is the version of its address.
func (g *group) dropHead(f *Fact, here place, d [32]byte) error {
	key := replaceKey(uint16(f.Kind), f.Author, d)
	head, err := g.Value(key)
	if err == nil && string(head) == string(here[:]) {
		g.over.delete(key)
	}
	return err
}

// markDeleted removes the body if there is one and lets the fact remember that its author deleted it.
func (g *group) markDeleted(f *Fact, by nip90.ID) (Change, error) {
	if f.Has(FactBody) {
		return g.removeBody(f, LossDeleted, by)
	}
	f.Flags |= FactDeleted
	g.putFact(f)
	return g.unapply(*f, LossDeleted, by)
}

// eraseFact takes the last trace of an event.
func (g *group) eraseFact(f *Fact, by nip90.ID) (Change, error) {
	g.over.delete(factKey(f.ID))
	g.over.delete(graveKey(f.Author, placeOf(f.CreatedAt, f.ID)))
	g.facts--
	return g.unapply(*f, LossErased, by)
}
