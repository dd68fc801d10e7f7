package index

import (
	"fmt"

	"dvmrelay/nip90"
	"dvmrelay/store"
)

// Remove implements store.Indexer.
func (x *Index) Remove(t store.Txn, f store.Fact, why store.Loss, _ nip90.ID) (store.Change, error) {
	if why == store.LossErased {
		// Also while a Rebuild runs: it leaves this table alone.
		if err := x.forgetSources(t, f.ID); err != nil {
			return store.Change{}, fmt.Errorf("forget who had event %s: %w", f.ID, err)
		}
	}
	if x.dropping.Load() {
		return store.Change{}, nil
	}
	w := work{t: t, x: x, budget: x.budget}
	f.Flags &^= store.FactBody
	var err error
	if why == store.LossErased {
		w.erasing = true
		err = w.erase(&f)
	} else {
		err = w.bodyGone(&f, why)
	}
	if err != nil {
		return store.Change{}, fmt.Errorf("unfold event %s: %w", f.ID, err)
	}
	return w.finish()
}

// bodyGone: facts stay, and with them the thread. Only what shows the body itself goes.
func (w *work) bodyGone(f *store.Fact, why store.Loss) error {
	if f.Kind == nip90.KindHandler || isBeat(f.Kind) {
		return w.signGone(f, why)
	}
	if !isRequest(f) {
		return w.touch(f)
	}
	o, err := w.thread(f.ID)
	if err != nil {
		return err
	}
	if !o.is(rowSeen) {
		return nil
	}
	o.touched = true
	if why == store.LossDeleted {
		o.set(rowCancelled, true)
	}
	if w.x.keepsCustomer(f) {
		return nil
	}
	w.unlistCustomer(f)
	return nil
}

// touch names the threads of f as moved: what they show of it has changed.
func (w *work) touch(f *store.Fact) error {
	if f.Role == nip90.RoleNone {
		return nil
	}
	roots, err := whereabouts(w.t, f)
	if err != nil {
		return err
	}
	for _, root := range roots {
		o, err := w.thread(root)
		if err != nil {
			return err
		}
		o.touched = true
	}
	return nil
}

func (w *work) erase(f *store.Fact) error {
	switch {
	case isRequest(f):
		return w.eraseRequest(f)
	case f.Role == nip90.RoleNone:
		if f.Kind == nip90.KindHandler {
			w.t.Delete(handlerFactKey(f.Author, f.ID))
		}
		if f.Kind == nip90.KindHandler || isBeat(f.Kind) {
			if err := w.signGone(f, store.LossErased); err != nil {
				return err
			}
		}
		if f.Kind == nip90.KindHandler {
			return w.forgetProvider(f.Author)
		}
		return nil
	}
	from, err := whereabouts(w.t, f)
	if err != nil {
		return err
	}
	for _, root := range from {
		if err := w.leave(root, f); err != nil {
			return err
		}
	}
	if err := w.stopWaiting(f, nil); err != nil || !isAnswer(f) {
		return err
	}
	return w.stir(f.ID)
}

// eraseRequest leaves the answers as a thread whose request is not here, and lets each find its next candidate.
func (w *work) eraseRequest(f *store.Fact) error {
	o, err := w.thread(f.ID)
	if err != nil {
		return err
	}
	if !o.is(rowSeen) {
		// A rebuild that has not come to it yet may have placed others by its fact.
		if !w.x.building.Load() {
			return nil
		}
		if err := w.walk(walkMembers, f.ID, nil); err != nil {
			return err
		}
		return w.stir(f.ID)
	}
	w.unlistCustomer(f)
	if err := w.requestMoved(f, -1); err != nil {
		return err
	}
	w.t.Delete(jobKey(f.CreatedAt, f.ID))
	w.t.Delete(byKindKey(f.Kind, f.CreatedAt, f.ID))
	for _, l := range f.Links {
		w.t.Delete(chainKey(prefixOf(l.ID), f.ID))
		if err := w.unmark(keyChain, prefixOf(l.ID)); err != nil {
			return err
		}
	}
	if err := w.rename(o, func() {
		o.flags &^= rowHeads | rowCancelled
		o.kind, o.created, o.expires = 0, 0, 0
	}); err != nil {
		return err
	}
	if err := w.walk(walkMembers, f.ID, nil); err != nil {
		return err
	}
	return w.stir(f.ID)
}
