package web

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"dvmrelay/index"
)

const (
	figuresFor   = 2 * time.Second  // how old the figures of a day may be
	figuresShare = 50               // the part of the time that is spent on them at most: dear ones are good for longer
	figuresIdle  = 15 * time.Second // then nobody wants them any more
	maxFigures   = 8                // choices of kinds whose figures are kept
)

// figures are the counts of the last day, read before somebody asks: in a flood of jobs they cost more than a page may.
type figures struct {
	mu sync.Mutex // guards below
	by map[string]*figured
}

type figured struct {
	without []int
	at      time.Time // when they were read
	cost    time.Duration
	wanted  time.Time
	stats   index.Stats
}

func dayQuery(without []int, now time.Time) index.StatsQuery {
	return index.StatsQuery{
		Since: windowStart("24h", now), Until: now.Unix(), Now: now.Unix(), ExcludeKinds: without, NoDistinct: true, Step: -1,
	}
}

// day counts the last 24 hours without some kinds. While the site runs it is what was counted a moment ago.
func (s *Site) day(ctx context.Context, without []int) (index.Stats, error) {
	key := fmt.Sprint(without)
	now := s.d.Now()
	if kept := s.figures.want(key, now); kept != nil && s.running() {
		return kept.stats, nil
	}
	return s.countDay(ctx, key, without)
}

func (s *Site) countDay(ctx context.Context, key string, without []int) (index.Stats, error) {
	now, began := s.d.Now(), time.Now()
	st, err := s.count(ctx, dayQuery(without, now))
	if err == nil {
		s.figures.keep(key, &figured{without: slices.Clone(without), at: now, cost: time.Since(began), wanted: now, stats: st})
	}
	return st, err
}

// refigure counts again what visitors look at and what is too old.
func (s *Site) refigure(ctx context.Context) {
	for key, f := range s.figures.stale(s.d.Now()) {
		// what cannot be counted now is counted at the next look
		_, _ = s.countDay(ctx, key, f.without)
	}
}

// want finds what is kept and notes that somebody looks at it; nil when it is not kept, or too old to be shown.
func (f *figures) want(key string, now time.Time) *figured {
	f.mu.Lock()
	defer f.mu.Unlock()
	kept := f.by[key]
	if kept == nil || now.Sub(kept.wanted) > figuresIdle {
		return nil
	}
	kept.wanted = now
	return kept
}

func (f *figures) keep(key string, kept *figured) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.by == nil {
		f.by = make(map[string]*figured)
	}
	if old := f.by[key]; old != nil {
		kept.wanted = old.wanted
		if kept.at.Sub(old.wanted) > figuresIdle {
			kept.wanted = kept.at
		}
	} else if len(f.by) >= maxFigures {
		var last string
		for k, one := range f.by {
			if last == "" || one.wanted.Before(f.by[last].wanted) {
				last = k
			}
		}
		delete(f.by, last)
	}
	f.by[key] = kept
}

// stale are those that somebody looks at and that are too old; those that nobody looks at are let go.
func (f *figures) stale(now time.Time) map[string]*figured {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := make(map[string]*figured)
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

// running says whether Run runs.
func (s *Site) running() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.runs != nil
}
