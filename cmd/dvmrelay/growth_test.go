package main

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"
)

// kept is what remembers notes, in memory.
type kept map[string][]byte

func (k kept) Meta(key string) ([]byte, error) { return k[key], nil }

func (k kept) SetMeta(_ context.Context, key string, value []byte) error {
	k[key] = value
	return nil
}

func TestGrowth_SaysNothingBeforeADayAndThenWhatItMeasured(t *testing.T) {
	now, size, notes := time.Unix(1_700_000_000, 0), int64(1<<30), kept{}
	open := func() *growth {
		g := &growth{notes: notes, size: func() int64 { return size }, now: func() time.Time { return now }, log: slog.New(slog.DiscardHandler)}
		g.load()
		return g
	}
	g := open()
	if m := g.measured(100 << 30); m.Known || m.DaysLeft != nil || m.OverSeconds != 0 {
		t.Errorf("before anything was measured: %+v", m)
	}
	hours := func(n int, bytes int64) {
		for range n {
			now = now.Add(time.Hour)
			size += bytes
			g.note(t.Context())
		}
	}
	g.note(t.Context())
	hours(23, 10<<20)
	if m := g.measured(100 << 30); m.Known || m.OverSeconds != 23*3600 {
		t.Errorf("after 23 h: %+v", m)
	}
	g = open() // a restart forgets nothing
	hours(1, 10<<20)
	if m := g.measured(100 << 30); !m.Known || m.PerDay != 240<<20 || m.DaysLeft == nil || *m.DaysLeft != 426 {
		t.Errorf("after a day: %+v, want 240 MiB a day and 426 days", m)
	}
	if m := g.measured(0); !m.Known || m.DaysLeft != nil {
		t.Errorf("without knowing the disk: %+v", m)
	}
	hours(10*24, -(1 << 20))
	if m := g.measured(100 << 30); !m.Known || m.PerDay != -24<<20 || m.DaysLeft != nil || m.OverSeconds != 7*86_400 {
		t.Errorf("while it shrinks: %+v", m)
	}
	now = now.Add(-48 * time.Hour) // the clock is set back
	hours(1, 0)
	if m := g.measured(100 << 30); m.OverSeconds < 0 || m.OverSeconds > 7*86_400 {
		t.Errorf("with a clock set back: %+v", m)
	}
	notes[growthKey] = []byte("{")
	if m := open().measured(1); m.Known {
		t.Errorf("from a damaged note: %+v", m)
	}
}

// TestGrowth_RunEndsWithItsContext and touches nothing before its time.
func TestGrowth_RunEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	notes := kept{}
	g := &growth{notes: notes, size: func() int64 { return 1 }, now: time.Now, log: slog.New(slog.DiscardHandler)}
	if err := g.run(ctx); err != nil && !errors.Is(err, context.Canceled) || len(notes) != 0 {
		t.Errorf("run = %v, %v", err, notes)
	}
}
