package index

import (
	"fmt"
	"sync/atomic"

	"dvmrelay/nip90"
	"dvmrelay/store"
)

// Index folds facts into threads and handlers. It keeps no state in memory and is safe for concurrent use; a Reader
// given to it is used by one goroutine at a time.
type Index struct {
	o Options
	// dropping: a Rebuild is emptying the tables and will fold whatever comes in meanwhile.
	dropping atomic.Bool
}

var _ store.Indexer = (*Index)(nil)

// New makes an Index.
func New(o Options) *Index { return &Index{o: o} }

// Apply implements store.Indexer.
func (x *Index) Apply(t store.Txn, f store.Fact, p *nip90.Parsed) (store.Change, error) {
	if x.dropping.Load() {
		return store.Change{}, nil
	}
	w := work{t: t, x: x}
	if err := w.apply(&f, p); err != nil {
		return store.Change{}, fmt.Errorf("fold event %s: %w", f.ID, err)
	}
	return w.finish()
}

func (w *work) apply(f *store.Fact, p *nip90.Parsed) error {
	switch {
	case isRequest(f):
		return w.request(f)
	case isAnswer(f):
		return w.answer(f)
	case f.Role != nip90.RoleNone:
		return w.follower(f)
	case f.Kind == kindHandler:
		if err := w.handlerFact(f); err != nil {
			return err
		}
	}
	if p == nil {
		return nil
	}
	switch m := p.Message.(type) {
	case *nip90.Handler:
		return w.handler(f, m)
	case *nip90.Heartbeat:
		return w.beat(f, m)
	}
	return nil
}

// answer is the way of nearly every event: point reads only, unless it came before its request and names several.
func (w *work) answer(f *store.Fact) error {
	var p placement
	root := f.ID
	if len(f.Links) > 0 {
		root = f.Links[0].ID
	}
	o, err := w.thread(root)
	if err != nil {
		return err
	}
	if o.is(rowSeen) || len(f.Links) < 2 {
		p.roots = []nip90.ID{root}
	} else {
		w.threads = w.threads[:0]
		if p, err = (facts{Reader: w.t}).placeAnswer(f); err != nil {
			return err
		}
	}
	if err := w.settle(f, p); err != nil {
		return err
	}
	return w.arrived(f)
}

// follower is a payment, a report or a cancel: events that name what they belong to.
func (w *work) follower(f *store.Fact) error {
	p, err := facts{Reader: w.t}.place(f)
	if err != nil {
		return err
	}
	return w.settle(f, p)
}

func (w *work) settle(f *store.Fact, p placement) error {
	for _, root := range p.roots {
		if err := w.enter(root, f); err != nil {
			return err
		}
	}
	return w.await(f, p.waits)
}

func (w *work) request(f *store.Fact) error {
	o, err := w.thread(f.ID)
	if err != nil {
		return err
	}
	if f.Has(store.FactDeleted) {
		o.set(rowCancelled, true)
	}
	if o.is(rowSeen) {
		return nil
	}
	if err := w.listCustomer(f); err != nil {
		return err
	}
	if err := w.rename(o, func() {
		o.set(rowSeen, true)
		o.kind, o.created, o.expires = f.Kind, f.CreatedAt, f.Expires
	}); err != nil {
		return err
	}
	w.t.Set(jobKey(f.CreatedAt, f.ID), nil)
	for _, l := range f.Links {
		w.t.Set(chainKey(prefixOf(l.ID), f.ID), nil)
	}
	return w.arrived(f)
}

// rename changes what is known of a thread's request: lists go by its time, and payments flow by its customer.
func (w *work) rename(o *openThread, change func()) error {
	var sides []nip90.PubKey
	if o.members > 0 {
		err := w.t.Scan(keyOf(keySide, o.root[:]), nil, func(key, _ []byte) bool {
			sides = append(sides, providerOfSide(key))
			return true
		})
		if err != nil {
			return err
		}
	}
	listed := sides[:0]
	for _, p := range sides {
		here, err := has(w.t, byProviderKey(p, o.created, o.root))
		if err != nil {
			return err
		}
		if here {
			w.t.Delete(byProviderKey(p, o.created, o.root))
			listed = append(listed, p)
		}
	}
	change()
	for _, p := range listed {
		w.t.Set(byProviderKey(p, o.created, o.root), nil)
	}
	if o.payments > 0 {
		o.set(rowStale, true)
		o.changes = o.members // at once: who was paid may have turned round
	}
	return nil
}

// listCustomer lists a request under its customer, if customers may be remembered.
func (w *work) listCustomer(f *store.Fact) error {
	if !w.x.keepsCustomer(f) {
		return w.unlistCustomer(f)
	}
	key := byCustomerKey(f.Author, f.CreatedAt, f.ID)
	if here, err := has(w.t, key); err != nil || here {
		return err
	}
	w.t.Set(key, nil)
	return w.ensure(customerKey(f.Author))
}

func (x *Index) keepsCustomer(f *store.Fact) bool { return x.o.KeepCustomer || f.Has(store.FactBody) }

func (w *work) unlistCustomer(f *store.Fact) error {
	key := byCustomerKey(f.Author, f.CreatedAt, f.ID)
	if here, err := has(w.t, key); err != nil || !here {
		return err
	}
	w.t.Delete(key)
	more, err := some(w.t, keyOf(keyByCustomer, f.Author[:]))
	if err == nil && !more {
		w.t.Delete(customerKey(f.Author))
	}
	return err
}
