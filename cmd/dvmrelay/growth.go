package main

import (
	"context"
	"encoding/json"
	"log/slog"
	"sync"
	"time"

	"dvmrelay/web"
)

const (
	// growthEvery is how often the size of the database is noted, growthLeast how long it must have been noted before anything is
	// said of its growth, and growthSpan what is remembered.
	growthEvery = time.Hour
	growthLeast = 24 * time.Hour
	growthSpan  = 7 * 24 * time.Hour
	growthKey   = "hub/growth"
	// growthFirst is when the size is first noted after a start: the database works it out each minute.
	growthFirst = 2 * time.Minute
)

// notes is where the sizes are remembered across restarts: the store.
type notes interface {
	Meta(key string) ([]byte, error)
	SetMeta(ctx context.Context, key string, value []byte) error
}

// growth measures how fast the database grows. All methods are safe for concurrent use.
type growth struct {
	notes notes
	size  func() int64 // bytes on disk
	now   func() time.Time
	log   *slog.Logger

	mu    sync.Mutex // guards below
	sizes []sized    // oldest first
}

// sized is how large the database was, at a unix second.
type sized struct {
	At    int64 `json:"at"`
	Bytes int64 `json:"bytes"`
}

// run notes the size now and then until ctx ends.
func (g *growth) run(ctx context.Context) error {
	g.load()
	for wait := growthFirst; ; wait = growthEvery {
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C:
			g.note(ctx)
		}
	}
}

// load reads what earlier runs noted.
func (g *growth) load() {
	raw, err := g.notes.Meta(growthKey)
	var sizes []sized
	if err == nil && raw != nil {
		err = json.Unmarshal(raw, &sizes)
	}
	if err != nil {
		g.log.Warn("growth of the database is measured anew", "err", err)
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.sizes = sizes
}

// note remembers the size as it is now.
func (g *growth) note(ctx context.Context) {
	now := g.now()
	g.mu.Lock()
	for len(g.sizes) > 0 && (now.Sub(time.Unix(g.sizes[0].At, 0)) > growthSpan || g.sizes[len(g.sizes)-1].At >= now.Unix()) {
		if g.sizes[len(g.sizes)-1].At >= now.Unix() {
			g.sizes = g.sizes[:len(g.sizes)-1] // the clock was set back
			continue
		}
		g.sizes = g.sizes[1:]
	}
	g.sizes = append(g.sizes, sized{now.Unix(), g.size()})
	raw, err := json.Marshal(g.sizes)
	g.mu.Unlock()
	if err == nil {
		err = g.notes.SetMeta(ctx, growthKey, raw)
	}
	if err != nil && ctx.Err() == nil {
		g.log.Debug("size of the database not remembered", "err", err)
	}
}

// measured is the growth so far. room is what may still be written, in bytes; 0 = unknown.
func (g *growth) measured(room int64) web.Growth {
	g.mu.Lock()
	defer g.mu.Unlock()
	out := web.Growth{Needs: int64(growthLeast / time.Second)}
	if len(g.sizes) == 0 {
		return out
	}
	first, now := g.sizes[0], g.now().Unix()
	out.OverSeconds = max(0, now-first.At)
	if out.OverSeconds < out.Needs {
		return out
	}
	const day = 24 * 60 * 60
	out.Known, out.PerDay = true, int64(float64(g.size()-first.Bytes)*day/float64(out.OverSeconds))
	if out.PerDay > 0 && room > 0 {
		days := room / out.PerDay
		out.DaysLeft = &days
	}
	return out
}
