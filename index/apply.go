package index

import (
	"fmt"
	"slices"
	"sync/atomic"

	"dvmrelay/nip90"
	"dvmrelay/store"
)

// Index folds facts into threads and handlers. It keeps no state in memory and is safe for concurrent use; a Reader
// given to it is used by one goroutine at a time.
type Index struct {
	o      Options
	sealed bool // views show encrypted events by their facts only
	budget int  // moveBudget
	// dropping: a Rebuild is emptying the tables and will fold whatever comes in meanwhile.
	dropping, building atomic.Bool
	// idle: no walk waits to be continued. False when in doubt.
	idle atomic.Bool
}

var _ store.Indexer = (*Index)(nil)

// New makes an Index.
func New(o Options) *Index { return &Index{o: o, budget: moveBudget} }

// WithoutSealed is for views over the rows of x that do not open encrypted jobs, results and feedback: of these they show
// what the fact knows and nothing of the event itself. It is not for folding.
func (x *Index) WithoutSealed() *Index { return &Index{o: x.o, budget: x.budget, sealed: true} }

// Apply implements store.Indexer.
func (x *Index) Apply(t store.Txn, f store.Fact, p *nip90.Parsed) (store.Change, error) {
	if x.dropping.Load() {
		return store.Change{}, nil
	}
	w := work{t: t, x: x, budget: x.budget}
	err := w.resume()
	if err == nil {
		err = w.apply(&f, p)
	}
	if err != nil {
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
	case f.Kind == nip90.KindHandler:
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
	if len(f.Links) > 1 {
		o, err := w.thread(f.Links[0].ID)
		if err != nil {
			return err
		}
		from, err := whereabouts(w.t, f)
		if err != nil {
			return err
		}
		// Though the best is here, f may have come before it and be elsewhere still.
		if !o.is(rowSeen) || !slices.Contains(from, o.root) {
			return w.follower(f)
		}
	}
	root := f.ID
	if len(f.Links) > 0 {
		root = f.Links[0].ID
	}
	if err := w.enter(root, f); err != nil {
		return err
	}
	return w.stir(f.ID)
}

// follower is an event whose thread is to be found: payments, reports, cancels, and answers that name several.
func (w *work) follower(f *store.Fact) error {
	p, err := facts{w.t}.place(f)
	if err != nil {
		return err
	}
	from, err := whereabouts(w.t, f)
	if err != nil {
		return err
	}
	if err := w.move(f, from, p); err != nil || !isAnswer(f) {
		return err
	}
	return w.stir(f.ID)
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
	if w.x.keepsCustomer(f) {
		w.t.Set(byCustomerKey(f.Author, f.CreatedAt, f.ID), nil)
		if err := w.ensure(customerKey(f.Author)); err != nil {
			return err
		}
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
		if err := w.ensure(chainMarkKey(prefixOf(l.ID))); err != nil {
			return err
		}
	}
	return w.stir(f.ID)
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

// keepsCustomer: without keep_customer a customer is remembered no longer than the request's body.
func (x *Index) keepsCustomer(f *store.Fact) bool { return x.o.KeepCustomer || f.Has(store.FactBody) }

// unlistCustomer takes a request off its customer's list, and the customer off theirs with the last one.
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
