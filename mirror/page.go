package mirror

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"dvmrelay/nip90"

	"github.com/nbd-wtf/go-nostr"
)

// maxPageEvents bounds what an upstream may send for one page, whatever limit it was given.
const maxPageEvents = 100_000

// page is one answer of backfill.
type page struct {
	arrived atomic.Int64
	pending sync.WaitGroup
	failed  atomic.Bool // an event of it was not taken

	mu     sync.Mutex // guards below
	ids    map[string]bool
	oldest int64
}

// end notes an event of the page whose fate is decided. Only a genuine one says how far the page reached.
func (p *page) end(evt *nostr.Event, genuine bool) {
	if !genuine {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ids == nil {
		p.ids = map[string]bool{}
	}
	if at := int64(evt.CreatedAt); len(p.ids) == 0 || at < p.oldest {
		p.oldest = at
	}
	p.ids[evt.ID] = true
}

// result is what came. The page must have ended.
func (p *page) result() (ids map[string]bool, oldest int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ids, p.oldest
}

// errRefusedPage means that the upstream ended a page with CLOSED.
type errRefusedPage struct{ reason string }

func (e *errRefusedPage) Error() string { return "upstream refused a page: " + e.reason }

// fill reads the windows of the past, newest first, until the connection ends.
func (st *stand) fill(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-st.more:
		}
		if err := st.drain(ctx); err != nil {
			return err
		}
	}
}

// drain reads the windows of the past until there are none.
func (st *stand) drain(ctx context.Context) error {
	for {
		w, ok := st.r.next()
		if !ok {
			return nil
		}
		asked := st.asks()
		values, grants := st.r.bears(), st.s.grants()
		err := st.fillWindow(ctx, w, values)
		var refused *errRefusedPage
		switch {
		case errors.As(err, &refused):
			if refused.reason == reasonAuth && st.s.admitted(ctx, grants) {
				continue
			}
			if !sleep(ctx, st.patience(refused.reason, values)) {
				return ctx.Err()
			}
		case err != nil:
			return err
		default:
			st.reads(asked)
		}
	}
}

// strip is one filter's way down a window.
type strip struct {
	filter nostr.Filter
	seen   map[string]bool // ids of the page before
	done   bool
}

// fillWindow reads the newest part of a window: by comparison where that serves, else page by page. With pages all filters
// are asked for the same span, and the window is lowered to the highest point that one of them reached, so that a restart at
// any moment loses nothing.
func (st *stand) fillWindow(ctx context.Context, w window, values int) error {
	since, done, err := st.reconcile(ctx, w, values)
	if done || err != nil {
		return err
	}
	var strips []*strip // none when nobody is left to ask about
	for _, f := range st.r.part.filters(values) {
		strips = append(strips, &strip{filter: f})
	}
	for {
		reached := since - 1
		for _, sp := range strips {
			if sp.done {
				continue
			}
			lowest, err := st.fillPage(ctx, sp, window{since, w.Until})
			if err != nil {
				return err
			}
			sp.done = lowest < since
			reached = max(reached, lowest)
		}
		current := w
		if err := st.r.change(ctx, func(m *mark) { m.lower(current, reached) }); err != nil {
			return err
		}
		st.mend(ctx, window{reached + 1, current.Until})
		st.s.fill(ctx)
		if reached < since {
			return nil
		}
		if next, ok := st.r.next(); !ok || next.Since != w.Since || next.Until != reached {
			return nil // the plan has changed: a newer window comes first
		}
		w.Until = reached
	}
}

// fillPage asks one filter for what is left of a window, and returns the created_at from which to ask next: the oldest
// that came, since the page may have been cut off there, within one second even; just below it once that second alone
// was asked for and all of it is here; below the window when nothing came at all.
func (st *stand) fillPage(ctx context.Context, sp *strip, w window) (int64, error) {
	f := within(sp.filter, w.Since, w.Until)
	f.Limit = st.s.u.pageLimit()
	pg, err := st.ask(ctx, f)
	if err != nil {
		return 0, err
	}
	ids, oldest := pg.result()
	if len(ids) == 0 {
		return w.Since - 1, nil
	}
	fresh := false
	for id := range ids {
		if !sp.seen[id] {
			fresh = true
			break
		}
	}
	sp.seen = ids
	if fresh || oldest < w.Until {
		return oldest, nil
	}
	if full := int(pg.arrived.Load()); st.s.u.cutOff(full) {
		if err := st.crowded(ctx, sp.filter, w.Until, full); err != nil {
			return 0, err
		}
	}
	return w.Until - 1, nil
}

// ask sends one page's request and returns when all it brought is decided.
func (st *stand) ask(ctx context.Context, f nostr.Filter) (*page, error) {
	return st.request(ctx, f, f)
}

// request is ask, with a filter of its own for what may come.
func (st *stand) request(ctx context.Context, f, wanted nostr.Filter) (*page, error) {
	if err := st.s.shares.turns.Acquire(ctx, 1); err != nil {
		return nil, err
	}
	defer st.s.shares.turns.Release(1)
	pg := &page{}
	b := st.s.add(&sub{filters: nostr.Filters{wanted}, door: nip90.DoorBackfill, page: pg})
	if err := st.s.c.Req(ctx, b.id, f); err != nil {
		return nil, err
	}
	patience := st.s.u.m.o.pace.answer
	tick := time.NewTicker(patience)
	defer tick.Stop()
	for rounds, before := 1, int64(0); ; rounds++ {
		select {
		case <-b.eose:
			if err := st.s.drop(ctx, b); err != nil {
				return nil, err
			}
			pg.pending.Wait()
			st.s.u.gave(pg.arrived.Load())
			if f.Limit > 0 && pg.arrived.Load() > int64(f.Limit) {
				st.s.fault(reasonLimit)
			}
			if pg.failed.Load() { // whatever ctx says yet: the end of a session reaches who waits for it one after the other
				return nil, errNotTaken
			}
			return pg, ctx.Err()
		case <-b.closed:
			// it is forgotten in any case; what cannot be sent ends the connection, as the next page finds
			_ = st.s.drop(ctx, b)
			pg.pending.Wait()
			return nil, &errRefusedPage{b.reason}
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-tick.C:
			now := pg.arrived.Load()
			switch {
			case now == before:
				return nil, st.silent(ctx, b)
			case rounds >= st.s.u.m.o.pace.rounds:
				return nil, errFlood
			}
			before = now
		}
	}
}
