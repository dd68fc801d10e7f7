package store

import (
	"context"
	"errors"
	"iter"

	"dvmrelay/nip90"

	"github.com/nbd-wtf/go-nostr"
)

// Item is a stored event as the key of an index tells it.
type Item struct {
	ID        nip90.ID
	CreatedAt int64
	Kind      int
}

// errEnough ends a walk whose consumer wants no more.
var errEnough = errors.New("enough")

// Items implements Snapshot. Keys alone answer what they answer for Count; anything else is looked up as for Query.
func (sn *snapshot) Items(ctx context.Context, f nostr.Filter) iter.Seq2[Item, error] {
	f.Limit, f.LimitZero = 0, false
	return func(yield func(Item, error) bool) {
		q, legs, err := sn.query(ctx, f)
		if err != nil {
			yield(Item{}, err)
			return
		}
		if len(legs) == 0 {
			return
		}
		l, gone, ok, err := q.keysSuffice()
		switch {
		case err != nil:
		case ok:
			err = q.itemsOfKeys(&l, gone, yield)
		default:
			err = sn.itemsOfBodies(ctx, f, yield)
		}
		if err != nil && !errors.Is(err, errEnough) {
			yield(Item{}, err)
		}
	}
}

// keysSuffice finds the table that answers, and what has expired and is still in it; false when events must be read.
func (q *query) keysSuffice() (l leg, gone map[nip90.ID]struct{}, ok bool, err error) {
	if l, ok = q.keysAnswer(); !ok || len(q.hidden) > 0 {
		return l, nil, false, nil
	}
	gone, ok, err = q.unswept()
	return l, gone, ok, err
}

func (q *query) itemsOfKeys(l *leg, gone map[nip90.ID]struct{}, yield func(Item, error) bool) error {
	return q.walk(l, func(p *place, kind uint16) bool {
		id := p.id()
		if _, ok := gone[id]; ok {
			return true
		}
		return yield(Item{ID: id, CreatedAt: p.time(), Kind: int(kind)}, nil)
	})
}

// walk calls fn with every key of a leg within the window, base by base, until it returns false: then the error is
// errEnough.
func (q *query) walk(l *leg, fn func(*place, uint16) bool) error {
	enough := false
	once := func(p *place, kind uint16) bool {
		enough = enough || !fn(p, kind) // the walker goes on with the next kind
		return !enough
	}
	it := q.sn.txn.NewIterator(keysOnly(nil))
	defer it.Close()
	w := &walker{it: it, m: q.m, clock: q.clock}
	for _, base := range l.bases {
		var err error
		if l.way == wayFlat || base[0] != l.table {
			err = w.flat(base, q.win, once)
		} else {
			err = w.kindsOf(base, l.kinds, q.win, once)
		}
		if enough {
			return errEnough
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (sn *snapshot) itemsOfBodies(ctx context.Context, f nostr.Filter, yield func(Item, error) bool) error {
	for raw, err := range sn.Query(ctx, f) {
		if err != nil {
			return err
		}
		if !yield(Item{ID: raw.ID, CreatedAt: raw.CreatedAt, Kind: raw.Kind}, nil) {
			return errEnough
		}
	}
	return nil
}

// AllKnown says of each id whether an event with it was ever counted here.
func (s *Store) AllKnown(ids []nip90.ID) ([]bool, error) {
	known := make([]bool, len(ids))
	err := s.View(func(r Reader) error {
		for i, id := range ids {
			value, err := r.Value(factKey(id))
			if err != nil {
				return err
			}
			known[i] = value != nil
		}
		return nil
	})
	return known, err
}

// Items answers one filter from a snapshot of its own, as Snapshot.Items does.
func (s *Store) Items(ctx context.Context, f nostr.Filter) iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) {
		snap := s.Snapshot()
		defer snap.Close()
		for item, err := range snap.Items(ctx, f) {
			if !yield(item, err) {
				return
			}
		}
	}
}
