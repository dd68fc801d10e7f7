package session

import (
	"context"
	"fmt"
	"slices"

	"dvmrelay/nip90"
	"dvmrelay/relay/live"
	"dvmrelay/store"
	"dvmrelay/wire"
)

// subscription is one REQ. Session.mu guards all but what never changes.
type subscription struct {
	id     string // never changes
	prefix []byte // of its EVENT messages; never changes
	cancel context.CancelFunc

	live    *live.Subscription
	values  int
	threads [][]nip90.ID // of each query, as they were known when it was registered; nil when none asks for one
	ended   bool
	holding bool // live events wait for EOSE
	held    []pending
	version uint64 // of the snapshot that answered it, or that it began after: live events up to it are not sent
}

func newSubscription(id string, cancel context.CancelFunc) *subscription {
	prefix := append(wire.AppendString([]byte(`["EVENT",`), id), ',')
	return &subscription{id: id, prefix: slices.Clip(prefix), cancel: cancel}
}

// answer is a REQ or COUNT that waits to be answered from the store.
type answer struct {
	ctx     context.Context // ends with the subscription
	sub     *subscription   // nil for COUNT
	id      string
	queries []Query
	cost    Cost
}

// req registers a subscription and queues its answer: first live, then the snapshot, so that nothing falls between.
func (s *Session) req(ctx context.Context, c wire.Req) bool {
	s.host.Counters.Reqs.Add(1)
	queries, err := s.host.Admit(withPeer(ctx, s.peer.Load()), c.Filters)
	if err == nil {
		err = s.mayRead(queries)
	}
	if err != nil {
		s.unsubscribe(c.Sub)
		s.closed(c.Sub, s.words("admit", err))
		return true
	}
	threads, err := s.resolve(queries)
	if err != nil {
		s.unsubscribe(c.Sub)
		s.closed(c.Sub, s.words("find thread", err))
		return true
	}
	ctx, cancel := context.WithCancel(ctx)
	sub := newSubscription(c.Sub, cancel)
	if reason := s.subscribe(ctx, sub, queries, threads); reason != "" {
		cancel()
		s.unsubscribe(c.Sub)
		s.closed(c.Sub, reason)
	}
	return true
}

// subscribe puts sub in the place of whatever had its id. It returns the refusal.
func (s *Session) subscribe(ctx context.Context, sub *subscription, queries []Query, threads [][]nip90.ID) string {
	filters := s.liveFilters(queries, threads)
	sub.values, sub.threads = live.Values(filters), threads
	if liveOnly(queries) { // what was on disk before is no news, though others may just be told of it
		snap := s.host.Store.Snapshot()
		sub.version = snap.Version()
		snap.Close()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.subs[sub.id]
	most, values := s.host.Options.Subscriptions, s.values+sub.values
	if old != nil {
		values -= old.values
	}
	switch limit := s.host.Options.LiveValues; {
	case s.o.ending:
		return "error: the connection is closing"
	case old == nil && most > 0 && len(s.subs) >= most:
		return fmt.Sprintf("rate-limited: %d subscriptions are open on this connection, at most %d may be", len(s.subs), most)
	case limit > 0 && values > limit:
		return fmt.Sprintf("rate-limited: the filters of this connection would hold %d values, at most %d may be live", values, limit)
	}
	var was *live.Subscription
	if old != nil {
		was = old.live
	}
	registered, err := s.host.Live.Replace(was, s, sub.id, filters)
	if err != nil {
		s.host.Log.Debug("subscription refused", "err", err)
		return "invalid: the filter cannot be matched"
	}
	sub.live = registered
	if old != nil {
		s.forget(old)
	}
	if s.subs == nil {
		s.subs = make(map[string]*subscription, 1)
	}
	s.subs[sub.id] = sub
	s.values += sub.values
	s.host.Counters.Subscriptions.Add(1)
	if liveOnly(queries) {
		s.replyLocked(func(b []byte) []byte { return wire.AppendEOSE(b, sub.id, "") })
		s.wake()
		return ""
	}
	sub.holding = true
	s.ask(&answer{ctx: ctx, sub: sub, id: sub.id, queries: queries})
	return ""
}

// liveOnly says whether every filter asks for nothing stored.
func liveOnly(queries []Query) bool {
	return !slices.ContainsFunc(queries, func(q Query) bool { return !q.LimitZero })
}

// resolve finds the threads that the queries ask for: the ids named, and what they are known to belong to.
func (s *Session) resolve(queries []Query) ([][]nip90.ID, error) {
	if !slices.ContainsFunc(queries, func(q Query) bool { return !q.thread().IsZero() }) {
		return nil, nil
	}
	snap := s.host.Store.Snapshot()
	defer snap.Close()
	return s.threadsOf(snap, queries)
}

func (s *Session) threadsOf(r store.Reader, queries []Query) ([][]nip90.ID, error) {
	threads := make([][]nip90.ID, len(queries))
	for i, q := range queries {
		if q.thread().IsZero() {
			continue
		}
		roots, err := s.host.Roots(r, q.thread())
		if err != nil {
			return nil, fmt.Errorf("find the threads of %s: %w", q.thread(), err)
		}
		threads[i] = []nip90.ID{q.thread()}
		for _, id := range roots {
			if !slices.Contains(threads[i], id) {
				threads[i] = append(threads[i], id)
			}
		}
	}
	return threads, nil
}

// unsubscribe ends a subscription if there is one with this id.
func (s *Session) unsubscribe(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if sub := s.subs[id]; sub != nil {
		s.host.Live.Remove(sub.live)
		s.forget(sub)
	}
}

// forget takes a subscription off the books. s.mu is held.
func (s *Session) forget(sub *subscription) {
	delete(s.subs, sub.id)
	s.values -= sub.values
	s.release(sub)
	waiting := len(s.answers)
	s.answers = slices.DeleteFunc(s.answers, func(a *answer) bool { return a.sub == sub })
	s.host.Counters.Answering.Add(int64(len(s.answers) - waiting))
	s.host.Counters.Subscriptions.Add(-1)
	s.room.Broadcast()
}

// release gives back what a subscription holds. s.mu is held.
func (s *Session) release(sub *subscription) {
	sub.ended = true
	sub.cancel()
	for _, e := range sub.held {
		s.o.liveBytes -= e.bytes()
	}
	sub.held = nil
}

// unsubscribeAll ends every subscription.
func (s *Session) unsubscribeAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]*live.Subscription, 0, len(s.subs))
	for _, sub := range s.subs {
		all = append(all, sub.live)
		s.release(sub)
	}
	s.host.Live.RemoveAll(all)
	s.host.Counters.Subscriptions.Add(-int64(len(all)))
	s.subs, s.values = nil, 0
}
