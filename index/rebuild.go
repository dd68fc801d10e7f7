package index

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"dvmrelay/nip90"
	"dvmrelay/store"
)

const (
	dropStep = 4096 // keys that one transaction of Rebuild deletes
	foldStep = 256  // facts that one transaction of Rebuild folds
)

// ErrRebuilding is returned by a Rebuild while another one runs.
var ErrRebuilding = errors.New("the index is being rebuilt already")

// unfinishedKey stands while a Rebuild is under way; it outlives a crash.
func unfinishedKey() []byte { return []byte{store.IndexSpace, 'r'} }

// layout is the number of the form that the rows of the index have. Rows of another form are folded anew.
const layout = 2

func layoutKey() []byte { return []byte{store.IndexSpace, 'l'} }

// Unfinished says whether a Rebuild began and did not end, or the rows are of an older form; the index is then to be
// rebuilt before it is believed.
func (x *Index) Unfinished(r store.Reader) (bool, error) {
	if begun, err := has(r, unfinishedKey()); err != nil || begun {
		return begun, err
	}
	if late, err := outdated(r); err != nil || late {
		return late, err
	}
	b, err := r.Value(layoutKey())
	if err != nil || len(b) == 1 && b[0] == layout {
		return false, err
	}
	return folded(r)
}

// folded says whether an event has left rows.
func folded(r store.Reader) (bool, error) {
	for table := keyThread; table <= keyLast; table++ {
		if any, err := some(r, []byte{byte(table)}); err != nil || any {
			return any, err
		}
	}
	return false, nil
}

// form notes the form of the rows before the first one; rows that stand without it are of an older one.
func (w *work) form() error {
	if w.x.formed.Load() {
		return nil
	}
	b, err := w.t.Value(layoutKey())
	if err != nil {
		return err
	}
	if len(b) == 1 && b[0] == layout {
		w.x.formed.Store(true) // not at once when it is set: that transaction may come to nothing
		return nil
	}
	if any, err := folded(w.t); err != nil || any {
		return err
	}
	w.t.Set(layoutKey(), []byte{layout})
	return nil
}

// Rebuild drops the index, makes the facts of what still has a body anew (store.Recompute) and folds every fact again, in
// steps; the store must be running. Events may come in meanwhile. Until it returns, views are incomplete. tell hears of
// each step.
func (x *Index) Rebuild(ctx context.Context, s *store.Store, tell ...func(Progress)) error {
	if !x.building.CompareAndSwap(false, true) {
		return ErrRebuilding
	}
	defer func() {
		x.dropping.Store(false)
		x.building.Store(false)
	}()
	err := s.Update(ctx, func(t store.Txn) error {
		t.Set(unfinishedKey(), nil)
		x.dropping.Store(true)
		return noteBlinded(t)
	})
	if err != nil {
		return fmt.Errorf("begin to rebuild the index: %w", err)
	}
	b := rebuilding{tell: tell}
	b.phase(PhaseDrop)
	if err := dropTable(ctx, s, queuePrefix(), nil); err != nil {
		return fmt.Errorf("drop the queue of the index: %w", err)
	}
	for table := keyThread; table <= keyRollup; table++ {
		var keep func(store.Txn, []byte, []byte) error
		if table == keyRollup {
			keep = keepLate
		}
		if err := dropTable(ctx, s, []byte{byte(table)}, keep); err != nil {
			return fmt.Errorf("drop table %x of the index: %w", table, err)
		}
	}
	if err := dropTable(ctx, s, []byte{keyName}, nil); err != nil {
		return fmt.Errorf("drop table %x of the index: %w", keyName, err)
	}
	if err := s.BlindAll(ctx); err != nil {
		return err
	}
	if err := unseal(ctx, s); err != nil {
		return fmt.Errorf("take over what was sealed: %w", err)
	}
	if err := b.facts(ctx, s); err != nil {
		return err
	}
	start, more := nip90.ID{}, true
	for more {
		err := s.Update(ctx, func(t store.Txn) error {
			// Told inside the writer: from here on every event folds itself.
			x.dropping.Store(false)
			var err error
			start, more, err = x.foldSome(t, start)
			return err
		})
		if err != nil {
			return fmt.Errorf("rebuild the index from %s on: %w", start, err)
		}
		b.folded(foldStep)
	}
	b.phase(PhaseSettle)
	if err := x.Settle(ctx, s); err != nil {
		return err
	}
	err = s.Update(ctx, func(t store.Txn) error {
		t.Delete(unfinishedKey())
		t.Set(layoutKey(), []byte{layout})
		return nil
	})
	if err != nil {
		return fmt.Errorf("end the rebuild of the index: %w", err)
	}
	return nil
}

// Settle finishes the moves that events too popular before they came have left over; the events that come in do the same
// by and by.
func (x *Index) Settle(ctx context.Context, s *store.Store) error {
	for more := true; more; {
		err := s.Update(ctx, func(t store.Txn) error {
			w := work{t: t, x: x, budget: x.budget}
			x.idle.Store(false)
			if err := w.resume(); err != nil {
				return err
			}
			if _, err := w.finish(); err != nil {
				return err
			}
			var err error
			more, err = some(t, queuePrefix())
			return err
		})
		if err != nil {
			return fmt.Errorf("settle the index: %w", err)
		}
	}
	return nil
}

// dropTable deletes what begins with prefix; keep, if not nil, is shown each row before.
func dropTable(ctx context.Context, s *store.Store, prefix []byte, keep func(t store.Txn, key, value []byte) error) error {
	for {
		n := 0
		err := s.Update(ctx, func(t store.Txn) error {
			var keys [][]byte
			var fault error
			err := t.Scan(prefix, nil, func(key, value []byte) bool {
				if keep != nil {
					fault = keep(t, key, value)
				}
				keys = append(keys, bytes.Clone(key))
				return fault == nil && len(keys) < dropStep
			})
			if err == nil {
				err = fault
			}
			for _, key := range keys {
				t.Delete(key)
			}
			n = len(keys)
			return err
		})
		if err != nil || n < dropStep {
			return err
		}
	}
}

// foldSome folds the facts from start on and says where the next step begins.
func (x *Index) foldSome(t store.Txn, start nip90.ID) (next nip90.ID, more bool, err error) {
	var batch []store.Fact
	err = store.ScanFacts(t, start, func(f store.Fact) bool {
		if len(batch) == foldStep {
			next, more = f.ID, true
			return false
		}
		batch = append(batch, f)
		return true
	})
	if err != nil {
		return next, false, err
	}
	for _, f := range batch {
		var p *nip90.Parsed
		if f.Kind == nip90.KindHandler || isBeat(f.Kind) {
			if p, err = parsed(t, &f, 0); err != nil {
				return next, false, err
			}
		}
		if _, err := x.Apply(t, f, p); err != nil {
			return next, false, err
		}
	}
	return next, more, nil
}
