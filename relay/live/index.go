// Package live finds, for an event that was just stored, the subscriptions that wait for it: by id, thread, tag value,
// author or kind, never by asking every subscription.
//
// Each filter is registered under one dimension, the most selective that it has; what is found there is held against the
// whole filter. Kinds are registered one by one, or, when there are many of them, under pages of 256 kinds with a bitmap.
//
// Locks. Publish takes an inner lock to find the subscriptions, lets it go, and then calls the sinks. So a sink may take its
// own lock in Deliver, and may call Add, Replace and Remove while it holds that lock, from Deliver or elsewhere, without
// danger; only Publish must not be called from Deliver.
package live

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"dvmrelay/nip90"
)

// Sink is who owns subscriptions: a socket.
type Sink interface {
	// Deliver hands over an event that matches sub. It is called once per event and subscription, in the order of Publish,
	// and must never block. A call that had begun may still arrive after Remove has returned.
	Deliver(sub *Subscription, e Event)
}

// Event is a stored event on its way to subscribers. The relay has checked that it has not expired.
type Event struct {
	Parsed  *nip90.Parsed
	Roots   []nip90.ID // the threads that it belongs to; empty for none
	Jobs    []JobNote  // what those threads are; may be left out while NeedsJobs is false
	Version uint64     // the store's version that first shows it
}

// JobNote is what can be asked of a job. Nothing is noted of a thread whose request is not here.
type JobNote struct {
	Kind      int // of the request
	Customer  nip90.PubKey
	Encrypted bool
	Addressed []nip90.PubKey // whom the request names; needed of encrypted jobs only
	Providers []nip90.PubKey // who answered
}

// Options configure an index.
type Options struct {
	MaxValues int // values in all filters of one subscription; 0 = no bound
}

// Errors of Add and Replace that a caller tells apart.
var (
	ErrNoFilter   = errors.New("subscription has no filter")
	ErrTooMany    = errors.New("subscription has too many filter values")
	ErrUnreadable = errors.New("filter cannot be matched")
)

// Subscription is one registered subscription. Its methods are safe for concurrent use.
type Subscription struct {
	owner   Sink
	id      string
	values  int
	entries []*entry
	removed atomic.Bool
	seen    uint64 // number of the Publish that found it last; guarded by Index.publishing
}

// ID is the subscription id, as the client chose it.
func (s *Subscription) ID() string { return s.id }

// Owner is the sink that the subscription was added for.
func (s *Subscription) Owner() Sink { return s.owner }

// Values is how many values its filters have, as Values counts them.
func (s *Subscription) Values() int { return s.values }

// Index holds the live subscriptions. All methods are safe for concurrent use.
type Index struct {
	o Options

	publishing sync.Mutex // guards below; taken before mu, and held while sinks are called
	round      uint64
	view       view
	found      []*Subscription
	adopting   []*entry

	mu     sync.RWMutex // guards below; never held while a sink is called
	exact  map[exactKey]*bucket
	texts  map[textKey]*bucket
	kinds  map[int]*bucket
	pages  map[int]*bucket
	rest   *bucket
	longs  int // registered values that are known by their hash
	counts counts

	ofJobs     atomic.Int64 // registered filters that look at jobs
	published  atomic.Uint64
	candidates atomic.Uint64
	delivered  atomic.Uint64
}

// counts is what Stats says of the subscriptions.
type counts struct{ subscriptions, filters, values int }

// New makes an empty index.
func New(o Options) *Index {
	return &Index{
		o:     o,
		exact: make(map[exactKey]*bucket), texts: make(map[textKey]*bucket),
		kinds: make(map[int]*bucket), pages: make(map[int]*bucket),
		rest: &bucket{},
	}
}

// Add registers a subscription: it gets every event whose Publish begins after Add has returned, and possibly one that is
// being published now. The filters may be changed afterwards. Neither limit nor search is looked at.
func (x *Index) Add(owner Sink, id string, filters []Filter) (*Subscription, error) {
	return x.Replace(nil, owner, id, filters)
}

// Replace registers a subscription in the place of old, which may be nil. Never do both get one event. An event that is
// being published now may reach neither; it was stored before, so whoever reads the stored events afterwards has it. When
// Replace fails, old stays. NIP-01: a REQ with the id of a live subscription replaces it.
func (x *Index) Replace(old *Subscription, owner Sink, id string, filters []Filter) (*Subscription, error) {
	if len(filters) == 0 {
		return nil, ErrNoFilter
	}
	sub := &Subscription{owner: owner, id: id, values: Values(filters)}
	if x.o.MaxValues > 0 && sub.values > x.o.MaxValues {
		return nil, fmt.Errorf("%w: %d, at most %d", ErrTooMany, sub.values, x.o.MaxValues)
	}
	for i := range filters {
		m, err := compile(&filters[i])
		if err != nil {
			return nil, fmt.Errorf("filter %d: %w", i+1, err)
		}
		if m == nil {
			continue // it can match nothing
		}
		e := &entry{sub: sub, matcher: *m}
		e.via = e.choose()
		sub.entries = append(sub.entries, e)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, e := range sub.entries {
		x.register(e)
	}
	x.count(sub, 1)
	x.remove(old)
	return sub, nil
}

// Remove ends a subscription. Nil, and one that was removed before, are ignored.
func (x *Index) Remove(sub *Subscription) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.remove(sub)
}

// RemoveAll ends many subscriptions at once, as when a socket goes.
func (x *Index) RemoveAll(subs []*Subscription) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, sub := range subs {
		x.remove(sub)
	}
}

func (x *Index) remove(sub *Subscription) {
	if sub == nil || sub.removed.Swap(true) {
		return
	}
	for _, e := range sub.entries {
		x.unregister(e)
	}
	x.count(sub, -1)
}

func (x *Index) count(sub *Subscription, sign int) {
	x.counts.subscriptions += sign
	x.counts.filters += sign * len(sub.entries)
	x.counts.values += sign * sub.values
}

// NeedsJobs says whether any subscription looks at Event.Jobs. One that is added later gets no event that was stored before
// it was asked, if it reads the stored ones afterwards.
func (x *Index) NeedsJobs() bool { return x.ofJobs.Load() > 0 }

// Publish hands the event to every subscription that it matches, once each, and returns how many those were. Events are
// delivered in the order of the calls.
func (x *Index) Publish(e Event) (delivered int) {
	if e.Parsed == nil || e.Parsed.Event == nil {
		return 0
	}
	x.publishing.Lock()
	defer x.publishing.Unlock()
	x.round++
	x.published.Add(1)
	x.match(e)
	for i, sub := range x.found {
		x.found[i] = nil
		if sub.removed.Load() {
			continue
		}
		sub.owner.Deliver(sub, e)
		delivered++
	}
	x.found = x.found[:0]
	x.view.forget()
	x.delivered.Add(uint64(delivered))
	return delivered
}

// match leaves in found the subscriptions that want e.
func (x *Index) match(e Event) {
	x.mu.RLock()
	x.view.read(e, x.longs > 0)
	x.lookup()
	x.mu.RUnlock()
	if len(x.adopting) == 0 {
		return
	}
	x.mu.Lock()
	for i, entry := range x.adopting {
		x.adopting[i] = nil
		if !entry.sub.removed.Load() {
			x.follow(entry, e.Roots)
		}
	}
	x.mu.Unlock()
	x.adopting = x.adopting[:0]
}

// lookup goes through every place where a filter that matches the event may be registered.
func (x *Index) lookup() {
	v := &x.view
	p := v.event.Parsed
	x.try(x.exact[exactKey{dim: dimID, value: p.ID}])
	x.try(x.exact[exactKey{dim: dimAuthor, value: p.Author}])
	x.try(x.exact[exactKey{dim: dimThread, value: p.ID}])
	for _, root := range v.event.Roots {
		x.try(x.exact[exactKey{dim: dimThread, value: root}])
	}
	for i := range v.event.Jobs {
		j := &v.event.Jobs[i]
		x.try(x.exact[exactKey{dim: dimCustomer, value: j.Customer}])
		x.try(x.exact[exactKey{dim: dimJobKind, value: kindValue(j.Kind)}])
		for _, p := range j.Providers {
			x.try(x.exact[exactKey{dim: dimProvider, value: p}])
		}
	}
	for i := range v.tags {
		if t := &v.tags[i]; t.isExact {
			x.try(x.exact[t.exact])
		} else {
			x.try(x.texts[t.text])
		}
	}
	x.try(x.kinds[p.Event.Kind])
	x.try(x.pages[pageOf(p.Event.Kind)])
	x.try(x.rest)
}

// try holds what is registered in one place against the event.
func (x *Index) try(b *bucket) {
	if b == nil || len(b.refs) == 0 {
		return
	}
	x.candidates.Add(uint64(len(b.refs)))
	for _, ref := range b.refs {
		e := ref.entry
		// A filter may ask for a thread without the kind of the event that reveals it, so this comes first.
		if e.wantsRoots(&x.view.event) {
			x.adopting = append(x.adopting, e)
		}
		if e.sub.seen == x.round || !e.matches(&x.view) {
			continue
		}
		e.sub.seen = x.round
		x.found = append(x.found, e.sub)
	}
}

// Stats are figures for metrics.
type Stats struct {
	Subscriptions int
	Filters       int // that can match something
	Values        int // as Values counts them
	Published     uint64
	Candidates    uint64 // filters that were held against an event
	Delivered     uint64
}

// Stats reads the figures.
func (x *Index) Stats() Stats {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return Stats{
		Subscriptions: x.counts.subscriptions, Filters: x.counts.filters, Values: x.counts.values,
		Published: x.published.Load(), Candidates: x.candidates.Load(), Delivered: x.delivered.Load(),
	}
}
