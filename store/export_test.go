package store

import (
	"context"

	"dvmrelay/nip90"
)

// AlterFact rewrites a fact as another parser would have written it, and tells nobody.
func (s *Store) AlterFact(ctx context.Context, id nip90.ID, change func(*Fact)) error {
	return s.do(ctx, func(g *group) error {
		f, ok, err := g.Fact(id)
		if err != nil || !ok {
			return err
		}
		change(&f)
		f.fit()
		g.putFact(&f)
		return nil
	})
}

// Damage writes any keys, past every rule; a nil value removes a key.
func (s *Store) Damage(ctx context.Context, rows map[string][]byte) error {
	return s.do(ctx, func(g *group) error {
		for key, value := range rows {
			if value == nil {
				g.over.delete([]byte(key))
				continue
			}
			g.over.set([]byte(key), value)
		}
		return nil
	})
}

// AlterExpiry writes body, fact and expiry row of an event as if it expired at another time.
func (s *Store) AlterExpiry(ctx context.Context, id nip90.ID, expires int64) error {
	return s.do(ctx, func(g *group) error {
		f, ok, err := g.Fact(id)
		if err != nil || !ok {
			return err
		}
		f.Expires = expires
		_, err = g.refact(&f)
		return err
	})
}

// ShrinkShelf divides all room for waiting events.
func (s *Store) ShrinkShelf(ctx context.Context, by int) error {
	return s.do(ctx, func(g *group) error {
		m := &g.s.shelf.most
		for _, r := range []*room{&m.all, &m.socket, &m.backfill} {
			*r = room{r.events / by, r.bytes / int64(by)}
		}
		return nil
	})
}
