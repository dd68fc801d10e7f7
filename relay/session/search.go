package session

import (
	"context"
	"slices"

	"dvmrelay/index"
	"dvmrelay/nip90"
	"dvmrelay/relay/live"
	"dvmrelay/store"
)

// liveFilters are the filters as the live index takes them.
func (s *Session) liveFilters(queries []Query, threads [][]nip90.ID) []live.Filter {
	filters := make([]live.Filter, len(queries))
	for i, q := range queries {
		f := &filters[i]
		f.Filter = q.Filter
		f.Search = ""
		if q.Wanted == nil {
			continue
		}
		if threads != nil {
			f.Threads = threads[i]
		}
		s.searchFor(f, q.Wanted)
	}
	return filters
}

// searchFor adds to a live filter what its search asks for.
func (s *Session) searchFor(f *live.Filter, w *index.Selection) {
	if w.State != "" || w.Payment != "" || w.Online || len(w.Words) > 0 {
		f.Threads = []nip90.ID{} // these choose among what is stored: nothing live matches
		return
	}
	job := live.Job{Provider: w.Provider, Customer: w.Customer, Kind: w.Kind, Encrypted: w.Encrypted}
	if s.host.Options.SealedReads {
		f.Job, f.Extra = &job, s.mayKnow
	} else if job != (live.Job{}) {
		f.Job = &job
	}
}

// mayKnow says whether the peer may find an event by searching: encrypted jobs are found by their customer and by whom they
// address only.
func (s *Session) mayKnow(e live.Event) bool {
	peer := s.peer.Load()
	for i := range e.Jobs {
		j := &e.Jobs[i]
		if j.Encrypted && !peer.Is(j.Customer) && !slices.ContainsFunc(j.Addressed, peer.Is) {
			return false
		}
	}
	return true
}

// The fewest and the most events that are read at once.
const (
	smallPage = 64
	largePage = 2000
)

// find calls yield with the stored events that a search and the rest of its filter ask for and that the peer may see, newest
// first, until it returns false. whole says that the search was not cut short.
func (s *Session) find(ctx context.Context, snap store.Snapshot, q *Query, work *int, yield func(*store.Raw) bool) (whole bool, err error) {
	w := *q.Wanted
	w.Kinds, w.Work = q.Kinds, work
	if q.Since != nil {
		w.Since = int64(*q.Since)
	}
	if q.Until != nil {
		w.Until = int64(*q.Until)
	}
	if s.host.Options.SealedReads {
		w.Private, w.Readers = true, s.peer.Load().Authed
	}
	got, err := s.host.Select(snap, w)
	if err != nil {
		return false, err
	}
	ids := q.idsOf(got.Places)
	size := largePage
	if q.Limit > 0 {
		size = min(max(q.Limit, smallPage), largePage)
	}
	for page := range slices.Chunk(ids, size) {
		f := q.Filter
		f.Search, f.IDs, f.Limit = "", page, len(page)
		for raw, err := range snap.Query(ctx, f) {
			if err != nil {
				return false, err
			}
			if s.readableRaw(&raw) && !yield(&raw) {
				return got.Complete, nil
			}
		}
	}
	return got.Complete, nil
}

// idsOf are the ids of those places that the filter's own ids allow.
func (q *Query) idsOf(places []index.Place) []string {
	var allowed map[string]struct{}
	if q.IDs != nil {
		allowed = make(map[string]struct{}, len(q.IDs))
		for _, id := range q.IDs {
			allowed[id] = struct{}{}
		}
	}
	ids := make([]string, 0, len(places))
	for _, p := range places {
		id := p.ID.String()
		if _, ok := allowed[id]; ok || allowed == nil {
			ids = append(ids, id)
		}
	}
	return ids
}

// selected sends what a search finds.
func (w *stream) selected(ctx context.Context, snap store.Snapshot, q *Query) error {
	n := 0
	whole, err := w.s.find(ctx, snap, q, &w.work, func(raw *store.Raw) bool {
		if n++; q.Limit > 0 && n > q.Limit {
			w.complete = false
			return false
		}
		return w.send(raw)
	})
	w.complete = w.complete && whole
	return err
}
