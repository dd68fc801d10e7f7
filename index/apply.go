package index

import (
	"fmt"
	"slices"
	"sync/atomic"

	"dvmrelay/nip90"
	"dvmrelay/store"
)

// Index folds facts into threads and handlers. All its state is in the store; in memory it keeps only what was read from
// there. It is safe for concurrent use; a Reader given to it is used by one goroutine at a time.
type Index struct {
	o      Options
	sealed bool // views show encrypted events by their facts only
	budget int  // moveBudget
	seen   *memory
	// dropping: a Rebuild is emptying the tables and will fold whatever comes in meanwhile.
	dropping, building atomic.Bool
	// idle: no walk waits to be continued. False when in doubt.
	idle atomic.Bool
	// formed: the rows have their form noted beside them.
	formed atomic.Bool
	// blind is the store's, once an event has asked for it.
	blind atomic.Pointer[blindness]
}

var _ store.Indexer = (*Index)(nil)

// New makes an Index.
func New(o Options) *Index { return &Index{o: o, budget: moveBudget, seen: newMemory()} }

// WithoutSealed is for views over the rows of x that do not open encrypted jobs, results and feedback: of these they show
// what the fact knows and nothing of the event itself. It is not for folding.
func (x *Index) WithoutSealed() *Index {
	return &Index{o: x.o, budget: x.budget, seen: x.seen, sealed: true}
}

// Apply implements store.Indexer.
func (x *Index) Apply(t store.Txn, f store.Fact, p *nip90.Parsed) (store.Change, error) {
	if x.dropping.Load() {
		return store.Change{}, nil
	}
	w := work{t: t, x: x, budget: x.budget}
	err := w.form()
	if err == nil {
		err = w.resume()
	}
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
		if !o.is(rowSeen) || unsure(f) || !slices.Contains(from, o.root) {
			return w.follower(f)
		}
	}
	root := f.ID
	if len(f.Links) > 0 {
		root = f.Links[0].ID
	}
	w.fresh = !w.x.building.Load()
	err := w.enter(root, f)
	w.fresh = false
	if err != nil {
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
	return w.move(f, from, p)
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
	}
	if err := w.rename(o, func() {
		o.set(rowSeen, true)
		o.set(rowAddressed, len(f.People) > 0)
		o.set(rowEncrypted, f.Has(store.FactEncrypted))
		o.kind, o.created, o.expires = f.Kind, f.CreatedAt, f.Expires
	}); err != nil {
		return err
	}
	if err := w.requestMoved(f, 1); err != nil {
		return err
	}
	w.t.Set(jobKey(f.CreatedAt, f.ID), o.listed())
	w.t.Set(byKindKey(f.Kind, f.CreatedAt, f.ID), []byte{o.listFlags()})
	for _, l := range f.Links {
		w.t.Set(chainKey(prefixOf(l.ID), f.ID), nil)
		if err := w.ensure(chainMarkKey(prefixOf(l.ID))); err != nil {
			return err
		}
	}
	return w.stir(f.ID)
}

// rename changes what is known of a thread's request: lists and rollups go by its time, and payments flow by its customer.
func (w *work) rename(o *openThread, change func()) error {
	sides := make(map[nip90.PubKey]*sideRow)
	// Of a stale thread the sides may be there though their events have left.
	if o.members > 0 || o.is(rowStale) {
		err := eachSide(w.t, o.root, nil, func(p nip90.PubKey, s *sideRow) bool {
			sides[p] = s
			return true
		})
		if err != nil {
			return err
		}
	}
	none := &sideRow{}
	for p, s := range sides {
		if err := w.sideMoved(o, p, s, none); err != nil {
			return err
		}
		if s.answers > 0 {
			w.t.Delete(byProviderKey(p, o.created, o.root))
		}
	}
	change()
	for p, s := range sides {
		if err := w.sideMoved(o, p, none, s); err != nil {
			return err
		}
		if s.answers > 0 {
			w.t.Set(byProviderKey(p, o.created, o.root), nil)
		}
	}
	if o.payments > 0 {
		o.set(rowStale, true)
		o.changes = o.members // at once: who was paid may have turned round
	}
	return nil
}

// keepsCustomer: without keep_customer a customer is remembered no longer than the request's body.
func (x *Index) keepsCustomer(f *store.Fact) bool { return x.o.KeepCustomer || f.Has(store.FactBody) }

// unlistCustomer takes a request off its customer's list.
func (w *work) unlistCustomer(f *store.Fact) {
	w.t.Delete(byCustomerKey(f.Author, f.CreatedAt, f.ID))
}
