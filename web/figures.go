package web

import (
	"context"
	"sync"
	"time"
)

const (
	figuresFor   = 2 * time.Second  // how old figures may be before they are read again
	figuresShare = 50               // the part of the time that is spent on them at most: dear ones are good for longer
	figuresIdle  = 15 * time.Second // then nobody wants them any more
	maxFigures   = 8                // choices of what is counted that are kept
)

// figures are counts that pages show, read before somebody asks: in a flood of jobs they cost more than a page may. While
// somebody looks at some they are read again and again; what nobody looks at is let go.
type figures[T any] struct {
	// loss stands for what was deleted so far: what was counted before it changed is shown no more. When nil, a deletion
	// takes nothing of what is counted.
	loss func() uint64

	mu sync.Mutex // guards below
	by map[string]figured[T]
}

// figured is one choice of figures.
type figured[T any] struct {
	counts T // is never changed
	read   func(context.Context) (T, error)
	at     time.Time // when they were read
	loss   uint64    // as it was before the reading
	cost   time.Duration
	wanted time.Time
}

// lately gives what was counted a moment ago while the site runs, else what read counts now. The caller must not change it.
func lately[T any](ctx context.Context, s *Site, f *figures[T], key string, read func(context.Context) (T, error)) (T, error) {
	now := s.d.Now()
	if kept, ok := f.want(key, now); ok && s.running() {
		return kept, nil
	}
	return f.count(ctx, key, figured[T]{read: read, at: now, wanted: now})
}

// again counts anew what visitors look at and what is too old.
func (f *figures[T]) again(ctx context.Context, now time.Time) {
	for key, one := range f.stale(now) {
		one.at = now
		// what cannot be counted now is counted at the next look
		_, _ = f.count(ctx, key, one)
	}
}

func (f *figures[T]) count(ctx context.Context, key string, one figured[T]) (counts T, err error) {
	one.loss = f.lost()
	began := time.Now()
	if one.counts, err = one.read(ctx); err != nil {
		return counts, err
	}
	one.cost = time.Since(began)
	f.keep(key, one)
	return one.counts, nil
}

func (f *figures[T]) lost() uint64 {
	if f.loss == nil {
		return 0
	}
	return f.loss()
}

// want finds what is kept and notes that somebody looks at it; false when it is not kept, or may not be shown any more.
func (f *figures[T]) want(key string, now time.Time) (counts T, ok bool) {
	lost := f.lost()
	f.mu.Lock()
	defer f.mu.Unlock()
	kept, ok := f.by[key]
	if !ok || kept.loss != lost || now.Before(kept.at) || now.Sub(kept.wanted) > figuresIdle {
		return counts, false
	}
	kept.wanted = now
	f.by[key] = kept
	return kept.counts, true
}

func (f *figures[T]) keep(key string, one figured[T]) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.by == nil {
		f.by = make(map[string]figured[T])
	}
	if old, ok := f.by[key]; ok {
		if old.wanted.After(one.wanted) {
			one.wanted = old.wanted
		}
	} else if len(f.by) >= maxFigures {
		var last string
		for k, other := range f.by {
			if last == "" || other.wanted.Before(f.by[last].wanted) {
				last = k
			}
		}
		delete(f.by, last)
	}
	f.by[key] = one
}

// stale are those that somebody looks at and that are too old; those that nobody looks at are let go.
func (f *figures[T]) stale(now time.Time) map[string]figured[T] {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := make(map[string]figured[T])
	for key, one := range f.by {
		switch {
		case now.Sub(one.wanted) > figuresIdle:
			delete(f.by, key)
		case now.Sub(one.at) >= max(figuresFor, figuresShare*one.cost):
			out[key] = one
		}
	}
	return out
}
