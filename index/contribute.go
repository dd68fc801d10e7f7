package index

import (
	"slices"

	"dvmrelay/nip90"
	"dvmrelay/store"
)

// threadMoved brings the rollups in line with a thread row that changed.
func (w *work) threadMoved(before, after *threadRow) error {
	was, is, none := before.part(), after.part(), newPart()
	if before.head() == after.head() && before.when() == after.when() {
		if err := w.rollThread(after, &was, &is); err != nil {
			return err
		}
	} else {
		if err := w.rollThread(before, &was, &none); err != nil {
			return err
		}
		if err := w.rollThread(after, &none, &is); err != nil {
			return err
		}
	}
	was, is = before.firstPart(), after.firstPart()
	if was == is && before.firstBy == after.firstBy && before.head() == after.head() {
		return nil
	}
	if err := w.rollFirst(before, &was, &none); err != nil {
		return err
	}
	return w.rollFirst(after, &none, &is)
}

func (w *work) rollThread(r *threadRow, before, after *part) error {
	if err := w.roll(allJobs(), r.when(), before, after); err != nil || !r.is(rowSeen) {
		return err
	}
	return w.roll(jobsOfKind(r.kind), r.when(), before, after)
}

// firstPart is the first result of a thread, which counts for the provider that gave it.
func (r *threadRow) firstPart() part {
	p := newPart()
	p.n[sumFirst] = bit(r.is(rowSeen) && r.results > 0)
	return p
}

func (w *work) rollFirst(r *threadRow, before, after *part) error {
	return w.rollProvider(r.head(), r.firstBy, r.created, before, after)
}

// rollProvider counts under the provider's pseudonym where there are any: whom a job names need not be a provider.
func (w *work) rollProvider(h head, p nip90.PubKey, at int64, before, after *part) error {
	b, err := w.blinder()
	if err != nil {
		return err
	}
	p = b.Of(p)
	return w.roll(jobsOf(p, h.kind), at, before, after)
}

// sideMoved brings the rollups in line with a side of a thread that changed. The thread's head must not have changed.
func (w *work) sideMoved(o *openThread, p nip90.PubKey, before, after *sideRow) error {
	h := o.head()
	was, is, none := before.part(h), after.part(h), newPart()
	if before.when(h) == after.when(h) {
		if err := w.rollProvider(h, p, after.when(h), &was, &is); err != nil {
			return err
		}
	} else {
		if err := w.rollProvider(h, p, before.when(h), &was, &none); err != nil {
			return err
		}
		if err := w.rollProvider(h, p, after.when(h), &none, &is); err != nil {
			return err
		}
	}
	if !h.seen {
		return nil
	}
	was, is = before.market(h), after.market(h)
	if err := w.rollThread(&o.threadRow, &was, &is); err != nil {
		return err
	}
	if before.answers > 0 || after.answers == 0 {
		return nil
	}
	customer, err := w.customer(o)
	if err != nil {
		return err
	}
	return w.meetSide(h, p, customer)
}

// meetSide notes a provider that answers a job, and for the provider whose job it is.
func (w *work) meetSide(h head, p, customer nip90.PubKey) error {
	b, err := w.blinder()
	if err != nil {
		return err
	}
	p = b.Of(p)
	it := providerMet(p)
	for _, d := range [...]dim{allJobs(), jobsOfKind(h.kind)} {
		if err := w.meet(d, h.created, it); err != nil {
			return err
		}
	}
	l, d := levels[0], jobsOf(p, h.kind)
	key := l.key(keyRollup, &d, l.slot(h.created))
	t, err := tallyAt(w.t, key)
	if err != nil {
		return err
	}
	if met, changed := t.met.with(customerMet(b.Of(customer))); changed {
		next := *t
		next.met = met
		w.t.SetLate(key, &next)
	}
	return nil
}

// requestMoved counts a request for those that it names, and notes its customer; sign is 1 when it came, -1 when it goes.
func (w *work) requestMoved(f *store.Fact, sign int64) error {
	one, none := newPart(), newPart()
	one.n[sumAddressed] = 1
	before, after := &none, &one
	if sign < 0 {
		before, after = after, before
	}
	h := head{true, f.Kind, f.CreatedAt}
	for i, p := range f.People {
		if slices.Contains(f.People[:i], p) {
			continue
		}
		if err := w.rollProvider(h, p, f.CreatedAt, before, after); err != nil {
			return err
		}
	}
	if sign < 0 {
		return nil
	}
	b, err := w.blinder()
	if err != nil {
		return err
	}
	they := customerMet(b.Of(f.Author))
	if err := w.meet(allJobs(), f.CreatedAt, they); err != nil {
		return err
	}
	return w.meet(jobsOfKind(f.Kind), f.CreatedAt, they)
}
