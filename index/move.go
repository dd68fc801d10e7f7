package index

import (
	"bytes"
	"fmt"
	"slices"

	"dvmrelay/nip90"
	"dvmrelay/store"
)

// moveBudget is how many events one event may set in motion. What is left over is noted and goes on with the next
// events, so that nobody can make an event too big to be stored by answering it before it came.
const moveBudget = 32

// The walks that may have to be continued: over what waits on an id, and over the members of an erased request.
const (
	walkWaiting = 'w'
	walkMembers = 'm'
)

// queueKey stands for a walk that is not done; its value is where it goes on: the end of a key.
func queueKey(walk byte, id nip90.ID) []byte {
	return keyOf(store.IndexSpace, []byte{'q', walk}, id[:])
}

func queuePrefix() []byte { return []byte{store.IndexSpace, 'q'} }

// stir places again everything that waits on id, and what follows along. It costs one point read when nothing waits.
func (w *work) stir(id nip90.ID) error {
	if marked, err := has(w.t, waitMarkKey(prefixOf(id))); err != nil || !marked {
		return err
	}
	return w.walk(walkWaiting, id, nil)
}

type walked struct {
	id   nip90.ID
	from []nip90.ID // where it is a member now
}

// walk goes on where from says, as far as the budget goes.
func (w *work) walk(kind byte, id nip90.ID, from []byte) error {
	steps, next, err := w.steps(kind, id, from)
	if err != nil {
		return err
	}
	if next != nil {
		w.x.idle.Store(false)
		w.t.Set(queueKey(kind, id), next)
	} else if from != nil {
		w.t.Delete(queueKey(kind, id))
	}
	for _, s := range steps {
		f, ok, err := w.t.Fact(s.id)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		if err := w.again(&f, s.from); err != nil {
			return fmt.Errorf("move event %s: %w", f.ID, err)
		}
	}
	return nil
}

// steps reads the next events of a walk; next is where the walk after this one goes on, nil at the end.
func (w *work) steps(kind byte, id nip90.ID, from []byte) (list []walked, next []byte, err error) {
	named := prefixOf(id)
	prefix := keyOf(keyWait, named[:])
	if kind == walkMembers {
		prefix = keyOf(keyMember, id[:])
	}
	err = w.t.Scan(prefix, append(slices.Clone(prefix), from...), func(key, value []byte) bool {
		member, ok := lastID(key)
		if !ok || isMark(key) {
			return true
		}
		if w.budget == 0 {
			next = bytes.Clone(key[len(prefix):])
			return false
		}
		w.budget--
		s := walked{id: member}
		if kind == walkMembers {
			s.from = []nip90.ID{id}
		} else if len(value) == idLen {
			s.from = []nip90.ID{nip90.ID(value)}
		}
		list = append(list, s)
		return true
	})
	return list, next, err
}

// resume goes on with walks that were cut short. While there are none it costs nothing.
func (w *work) resume() error {
	for first := true; !w.x.idle.Load() && w.budget > 0; first = false {
		var key, from []byte
		err := w.t.Scan(queuePrefix(), nil, func(k, v []byte) bool {
			key, from = bytes.Clone(k), bytes.Clone(v)
			return false
		})
		if err != nil {
			return err
		}
		if key == nil {
			// Said only before this event wrote anything: its writes may yet be undone.
			if first {
				w.x.idle.Store(true)
			}
			return nil
		}
		id, ok := lastID(key)
		if !ok || len(from) == 0 {
			w.t.Delete(key)
			continue
		}
		if err := w.walk(key[2], id, from); err != nil {
			return err
		}
	}
	return nil
}

// again places an event that is a member of the given threads.
func (w *work) again(f *store.Fact, from []nip90.ID) error {
	to, err := facts{w.t}.place(f)
	if err != nil {
		return err
	}
	if f.Role == nip90.RoleCancel && len(from) == 0 {
		from = to.roots // a cancel is only ever taken out of a thread whose request is erased
	}
	return w.move(f, from, to)
}

// move takes f to where it belongs, and then what follows it: even if f stays where it is, since what follows goes by
// where f belongs, and that may have been elsewhere while f waited for its turn.
func (w *work) move(f *store.Fact, from []nip90.ID, to placement) error {
	for _, root := range from {
		if !slices.Contains(to.roots, root) {
			if err := w.leave(root, f); err != nil {
				return err
			}
		}
	}
	for _, root := range to.roots {
		if err := w.enter(root, f); err != nil {
			return err
		}
	}
	if err := w.stopWaiting(f, to.waits); err != nil {
		return err
	}
	if err := w.await(f, to); err != nil || !isAnswer(f) {
		return err
	}
	return w.stir(f.ID)
}

// whereabouts are the threads that an event is a member of, as the index has it.
func whereabouts(r store.Reader, f *store.Fact) ([]nip90.ID, error) {
	answer := isAnswer(f)
	switch {
	case !answer && !isPayment(f) && f.Role != nip90.RoleReport && f.Role != nip90.RoleCancel:
		return nil, nil
	case f.Role == nip90.RoleCancel:
		p, err := facts{r}.placeCancel(f)
		return p.roots, err
	case answer && len(f.Links) == 0:
		return []nip90.ID{f.ID}, nil
	case len(f.Links) == 0:
		return nil, nil
	}
	if !answer || len(f.Links) > 1 {
		b, err := r.Value(waitKey(prefixOf(f.Links[0].ID), f.ID))
		switch {
		case err != nil:
			return nil, err
		case len(b) == idLen:
			return []nip90.ID{nip90.ID(b)}, nil
		case !answer:
			return nil, nil
		}
	}
	return []nip90.ID{f.Links[0].ID}, nil
}

// await lets f be placed again when one of what it waits on comes or goes. The rows remember where f is meanwhile.
func (w *work) await(f *store.Fact, p placement) error {
	var where []byte
	if len(p.roots) > 0 && f.Role != nip90.RoleCancel {
		where = p.roots[0][:]
	}
	for _, n := range p.waits {
		w.t.Set(waitKey(n, f.ID), where)
		if err := w.ensure(waitMarkKey(n)); err != nil {
			return err
		}
	}
	return nil
}

// stopWaiting drops the rows of f but those that it keeps.
func (w *work) stopWaiting(f *store.Fact, keep []prefix8) error {
	for _, l := range f.Links {
		n := prefixOf(l.ID)
		if slices.Contains(keep, n) {
			continue
		}
		key := waitKey(n, f.ID)
		here, err := has(w.t, key)
		if err != nil {
			return err
		}
		if !here {
			continue
		}
		w.t.Delete(key)
		if err := w.unmark(keyWait, n); err != nil {
			return err
		}
	}
	return nil
}

// unmark removes the mark of a prefix with the last row behind it.
func (w *work) unmark(table byte, n prefix8) error {
	rows := false
	err := w.t.Scan(keyOf(table, n[:]), nil, func(key, _ []byte) bool {
		rows = !isMark(key)
		return !rows
	})
	if err == nil && !rows {
		w.t.Delete(keyOf(table, n[:]))
	}
	return err
}

// members lists the events of a thread, oldest first; at most limit, 0 = all.
func members(r store.Reader, root nip90.ID, limit int) (ids []nip90.ID, err error) {
	err = r.Scan(keyOf(keyMember, root[:]), nil, func(key, _ []byte) bool {
		id, _ := lastID(key)
		ids = append(ids, id)
		return limit == 0 || len(ids) < limit
	})
	return ids, err
}
