package index

import (
	"fmt"

	"dvmrelay/nip90"
	"dvmrelay/store"
)

// eagerMembers is up to how many events a thread is folded again at once when a fold by differences cannot do.
const eagerMembers = 64

// work is what one event does to the index: the thread rows it touches, written once at the end.
type work struct {
	t       store.Txn
	x       *Index
	threads []*openThread
	budget  int  // how many events may still be moved
	erasing bool // a fact goes away
	fresh   bool // the event was never folded before
	rolls   []rolling
}

type openThread struct {
	root    nip90.ID
	disk    threadRow // as it was read
	touched bool      // it shows something else now, though the row may be the same
	threadRow
}

func (r *threadRow) orphan() bool { return r.members > 0 && !r.is(rowSeen) }

func (w *work) thread(root nip90.ID) (*openThread, error) {
	for _, o := range w.threads {
		if o.root == root {
			return o, nil
		}
	}
	row, _, err := readThread(w.t, root)
	if err != nil {
		return nil, err
	}
	o := &openThread{root: root, disk: row, threadRow: row}
	w.threads = append(w.threads, o)
	return o, nil
}

func readThread(r store.Reader, root nip90.ID) (threadRow, bool, error) {
	b, err := r.Value(threadKey(root))
	if err != nil || b == nil {
		return threadRow{}, false, err
	}
	row, err := decodeThread(b)
	return row, err == nil, err
}

func readSide(r store.Reader, root nip90.ID, provider nip90.PubKey) (sideRow, error) {
	b, err := r.Value(sideKey(root, provider))
	if err != nil || b == nil {
		return sideRow{}, err
	}
	return decodeSide(b)
}

func has(r store.Reader, key []byte) (bool, error) {
	b, err := r.Value(key)
	return b != nil, err
}

// some says whether any key begins with prefix.
func some(r store.Reader, prefix []byte) (bool, error) {
	found := false
	err := r.Scan(prefix, nil, func([]byte, []byte) bool {
		found = true
		return false
	})
	return found, err
}

// finish folds what cannot wait, writes the touched rows and says which threads moved.
func (w *work) finish() (store.Change, error) {
	var c store.Change
	for _, o := range w.threads {
		if err := w.close(o); err != nil {
			return c, fmt.Errorf("fold thread %s: %w", o.root, err)
		}
		if o.touched || o.threadRow != o.disk {
			c.Roots = append(c.Roots, o.root)
		}
	}
	if err := w.flush(); err != nil {
		return c, fmt.Errorf("roll up: %w", err)
	}
	return c, nil
}

func (w *work) close(o *openThread) error {
	// A long thread is not folded again for each event that leaves it: the price is spread over its next events.
	if o.is(rowStale) && (o.members <= eagerMembers || o.changes*16 >= o.members) {
		if err := w.refold(o); err != nil {
			return err
		}
	}
	if o.threadRow == o.disk {
		return nil
	}
	if err := w.threadMoved(&o.disk, &o.threadRow); err != nil {
		return err
	}
	w.list(o)
	switch is, was := o.orphan(), o.disk.orphan(); {
	case is && !was:
		w.t.Set(orphanKey(o.root), nil)
	case !is && was:
		w.t.Delete(orphanKey(o.root))
	}
	if o.members == 0 && !o.is(rowSeen) {
		w.t.Delete(threadKey(o.root))
		return nil
	}
	w.t.Set(threadKey(o.root), o.encode())
	return nil
}

// list files a request under what came of it.
func (w *work) list(o *openThread) {
	was, is := o.disk.classes(), o.classes()
	for i := range is {
		if was[i] == is[i] && o.disk.created == o.created {
			continue
		}
		if was[i] != 0 {
			w.t.Delete(classKey(was[i], o.disk.created, o.root))
		}
		if is[i] != 0 {
			w.t.Set(classKey(is[i], o.created, o.root), o.listed())
		}
	}
}

// enter makes f a member of a thread; nothing happens when it is one already.
func (w *work) enter(root nip90.ID, f *store.Fact) error {
	o, err := w.thread(root)
	if err != nil {
		return err
	}
	key := memberKey(root, f.CreatedAt, f.ID)
	if o.members > 0 && !w.fresh {
		if here, err := has(w.t, key); err != nil || here {
			return err
		}
	}
	w.t.Set(key, nil)
	o.members++
	if o.is(rowStale) {
		o.changes++
	}
	switch {
	case isAnswer(f):
		return w.foldAnswer(o, f)
	case isPayment(f):
		return w.foldPayment(o, f)
	case f.Role == nip90.RoleCancel:
		o.cancels++
	}
	return nil
}

// leave takes f out of a thread; nothing happens when it is no member.
func (w *work) leave(root nip90.ID, f *store.Fact) error {
	key := memberKey(root, f.CreatedAt, f.ID)
	if here, err := has(w.t, key); err != nil || !here {
		return err
	}
	o, err := w.thread(root)
	if err != nil {
		return err
	}
	w.t.Delete(key)
	o.members--
	switch {
	case f.Role == nip90.RoleCancel:
		o.cancels--
	case isAnswer(f), isPayment(f):
		o.set(rowStale, true)
		o.changes++
	}
	return nil
}

func (o *openThread) hear(at int64) {
	if o.answers+o.payments == 0 || at > o.silence {
		o.silence = at
	}
}

func (w *work) foldAnswer(o *openThread, f *store.Fact) error {
	var side sideRow
	if o.members > 1 || o.is(rowStale) {
		var err error
		if side, err = readSide(w.t, o.root, f.Author); err != nil {
			return err
		}
	}
	if side.answers == 0 {
		if o.payments > 0 {
			if err := w.unveil(o.root, f.Author, &side); err != nil {
				return err
			}
		}
		if err := w.addProvider(o, f.Author); err != nil {
			return err
		}
	}
	o.hear(f.CreatedAt)
	before := side
	side.add(f)
	return w.setSide(o, f.Author, &before, &side)
}

// setSide writes a side that changed, and what hangs on it.
func (w *work) setSide(o *openThread, p nip90.PubKey, before, after *sideRow) error {
	o.move(before.share(), after.share())
	o.begin(p, after)
	w.t.Set(sideKey(o.root, p), after.encode())
	return w.sideMoved(o, p, before, after)
}

func (w *work) foldPayment(o *openThread, f *store.Fact) error {
	o.hear(f.CreatedAt)
	o.payments++
	customer, err := w.customer(o)
	if err != nil {
		return err
	}
	b, err := w.blinder()
	if err != nil {
		return err
	}
	d, ok := flow(b, f, customer)
	if !ok {
		return nil
	}
	key := paymentKey(o.root, d, fingerprint(f))
	old, err := w.t.Value(key)
	if err != nil {
		return err
	}
	var had *paymentRow
	if old != nil {
		row, err := decodePayment(old)
		if err != nil {
			return err
		}
		had = &row
	}
	name, err := payee(w.t, o.root, d.provider)
	if err != nil {
		return err
	}
	side, err := readSide(w.t, o.root, name)
	if err != nil {
		return err
	}
	before := side
	if side.pay(f, d, had) {
		w.t.Set(key, (&paymentRow{f.ID, amount(f.Msat)}).encode())
	}
	return w.setSide(o, name, &before, &side)
}

// customer is the author of the request, zero while it is not here.
func (w *work) customer(o *openThread) (nip90.PubKey, error) {
	if !o.is(rowSeen) {
		return nip90.PubKey{}, nil
	}
	f, _, err := w.t.Fact(o.root)
	return f.Author, err
}

// addProvider lists a thread under a provider, and the provider itself.
func (w *work) addProvider(o *openThread, p nip90.PubKey) error {
	w.t.Set(byProviderKey(p, o.created, o.root), nil)
	return w.ensureProvider(p)
}

func (w *work) ensure(key []byte) error {
	here, err := has(w.t, key)
	if err == nil && !here {
		w.t.Set(key, nil)
	}
	return err
}

// dropProvider takes a thread off a provider's list, and the provider off theirs with its last trace.
func (w *work) dropProvider(o *openThread, p nip90.PubKey) error {
	w.t.Delete(byProviderKey(p, o.created, o.root))
	return w.forgetProvider(p)
}

func (w *work) forgetProvider(p nip90.PubKey) error {
	for _, table := range [...]byte{keyByProvider, keyHandlerFact} {
		if more, err := some(w.t, keyOf(table, p[:])); err != nil || more {
			return err
		}
	}
	w.t.Delete(providerKey(p))
	return w.unnameProvider(p)
}
