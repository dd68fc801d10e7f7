package index

import (
	"bytes"
	"slices"

	"dvmrelay/nip90"
	"dvmrelay/store"
)

// arrived places again what waited for f. It costs one point read when nothing did.
func (w *work) arrived(f *store.Fact) error {
	return w.stir(f, facts{Reader: w.t, without: f.ID}, facts{Reader: w.t, with: f})
}

// departed places again what named f, whose fact is gone.
func (w *work) departed(f *store.Fact) error {
	return w.stir(f, facts{Reader: w.t, with: f}, facts{Reader: w.t, without: f.ID})
}

// stir moves everything that waits on f from where it was before to where it belongs now, and what follows along.
func (w *work) stir(f *store.Fact, before, now facts) error {
	ids, err := w.waiting(f.ID)
	if err != nil {
		return err
	}
	for _, id := range ids {
		c, ok, err := w.t.Fact(id)
		if err != nil {
			return err
		}
		if !ok || c.ID == f.ID {
			continue
		}
		moved, err := w.replace(&c, before, now)
		if err != nil {
			return err
		}
		if moved && isAnswer(&c) {
			if err := w.stir(&c, before, now); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *work) waiting(id nip90.ID) (ids []nip90.ID, err error) {
	named := prefixOf(id)
	if marked, err := has(w.t, waitMarkKey(named)); err != nil || !marked {
		return nil, err
	}
	err = w.t.Scan(keyOf(keyWait, named[:]), nil, func(key, _ []byte) bool {
		id, _ := lastID(key)
		ids = append(ids, id)
		return true
	})
	return ids, err
}

// replace moves one event; moved says that it belongs elsewhere now.
func (w *work) replace(f *store.Fact, before, now facts) (moved bool, err error) {
	old, err := before.place(f)
	if err != nil {
		return false, err
	}
	to, err := now.place(f)
	if err != nil {
		return false, err
	}
	for _, root := range old.roots {
		if !slices.Contains(to.roots, root) {
			moved = true
			if err := w.leave(root, f); err != nil {
				return moved, err
			}
		}
	}
	for _, root := range to.roots {
		if err := w.enter(root, f); err != nil {
			return moved, err
		}
	}
	var dropped []prefix8
	for _, n := range old.waits {
		if !slices.Contains(to.waits, n) {
			dropped = append(dropped, n)
		}
	}
	if err := w.stopWaiting(f, dropped); err != nil {
		return moved, err
	}
	return moved, w.await(f, missing(to.waits, old.waits))
}

func missing(want, have []prefix8) []prefix8 {
	var out []prefix8
	for _, n := range want {
		if !slices.Contains(have, n) {
			out = append(out, n)
		}
	}
	return out
}

// members lists the events of a thread, oldest first; at most limit, 0 = all.
func members(r store.Reader, root nip90.ID, limit int) (ids []nip90.ID, err error) {
	err = r.Scan(keyOf(keyMember, root[:]), nil, func(key, _ []byte) bool {
		id, _ := lastID(bytes.Clone(key))
		ids = append(ids, id)
		return limit == 0 || len(ids) < limit
	})
	return ids, err
}
