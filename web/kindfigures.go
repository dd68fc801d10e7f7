package web

import (
	"context"
	"sync"
	"time"
)

// kindsFor is how old the counts of kinds may be. While somebody looks at them they are read again before that.
const kindsFor = 10 * time.Second

// kindFigures are the counts of all kinds over each window that pages offer, read before somebody asks: each kind is
// counted by itself. What may count something that was deleted is let go at once. It is bounded by the names of windows.
type kindFigures struct {
	mu sync.Mutex // guards below
	by map[string]*kindsCounted
}

type kindsCounted struct {
	at     time.Time
	loss   uint64 // as Site.loss was before the reading
	cost   time.Duration
	wanted time.Time // guarded by kindFigures.mu
	kinds  *Kinds    // is never changed
}

// kindsLately are the kinds of a window as they were counted a moment ago while the site runs, else as they are now. The
// caller must not change them.
func (s *Site) kindsLately(ctx context.Context, window string) (*Kinds, error) {
	if s.running() {
		if kept := s.demand.want(window, s.d.Now(), s.loss()); kept != nil {
			return kept, nil
		}
	}
	return s.countKinds(ctx, window, s.d.Now())
}

func (s *Site) countKinds(ctx context.Context, window string, wanted time.Time) (*Kinds, error) {
	in := &kindsInput{Limit: kindsRead}
	in.Window.Window = window
	c := &kindsCounted{at: s.d.Now(), loss: s.loss(), wanted: wanted}
	began := time.Now()
	got, err := s.kinds(ctx, in)
	if err != nil {
		return nil, err
	}
	c.cost, c.kinds = time.Since(began), &got.Body
	s.demand.keep(window, c)
	return c.kinds, nil
}

// recountKinds counts again what visitors look at and what is too old.
func (s *Site) recountKinds(ctx context.Context) {
	for window, wanted := range s.demand.stale(s.d.Now()) {
		// what cannot be counted now is counted at the next look
		_, _ = s.countKinds(ctx, window, wanted)
	}
}

// want finds what is kept and notes that somebody looks at it; nil when it is not kept, or may not be shown any more.
func (f *kindFigures) want(window string, now time.Time, loss uint64) *Kinds {
	f.mu.Lock()
	defer f.mu.Unlock()
	kept := f.by[window]
	if kept == nil || kept.loss != loss || now.Before(kept.at) || now.Sub(kept.at) >= kindsFor {
		return nil
	}
	kept.wanted = now
	return kept.kinds
}

func (f *kindFigures) keep(window string, c *kindsCounted) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.by == nil {
		f.by = make(map[string]*kindsCounted)
	}
	if old := f.by[window]; old != nil && old.wanted.After(c.wanted) {
		c.wanted = old.wanted
	}
	f.by[window] = c
}

// stale are the windows that somebody looks at and whose counts are too old, and when they were looked at; those that
// nobody looks at are let go.
func (f *kindFigures) stale(now time.Time) map[string]time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := make(map[string]time.Time)
	for window, one := range f.by {
		switch {
		case now.Sub(one.wanted) > figuresIdle:
			delete(f.by, window)
		case now.Sub(one.at) >= max(figuresFor, figuresShare*one.cost):
			out[window] = one.wanted
		}
	}
	return out
}
