// Package demo is a market for the first look at the relay: customers, providers, jobs and payments that are made up, but
// real events, signed with throwaway keys and taken in through the relay's own doors. It fills a fresh data directory with a
// past, and then keeps new jobs coming over the relay's own websocket. The same seed and moment make the same events.
//
// The upstreams that it shows are staged: none exists and none is dialled.
package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"dvmrelay/mirror"
	"dvmrelay/nip90"
)

// DefaultSeed is the seed of the keys and of all chance when nothing else is said.
const DefaultSeed = 90

// Options are what a market needs. Sink and State are needed; the rest may be zero.
type Options struct {
	// Seed decides on keys and chance; 0 = DefaultSeed.
	Seed uint64
	// Sink takes the past, and what the staged upstreams bring.
	Sink mirror.Sink
	// State keeps the mark of the directory, see Admit.
	State mirror.State
	// Seen hears which staged upstream had an event. It is safe for concurrent use and does not block.
	Seen func(id nip90.ID, upstream string)
	// URL is the relay's own websocket, where new jobs are published; asked for when it is dialled. Nil = nothing is
	// published, the past alone is filled in.
	URL func() string
	// Stage is what shows the staged upstreams; nil = one of the market's own.
	Stage  *Stage
	Rhythm Rhythm
	Now    func() time.Time // nil = time.Now
	Log    *slog.Logger     // nil = silence
}

// Market is a made-up market. Make it with New, and run it once.
type Market struct {
	o       Options
	w       *world
	grumble sync.Once // somebody was told that events are refused
}

// NewStage makes the staged upstreams. They move with the clock, nil = time.Now.
func NewStage(now func() time.Time) *Stage {
	if now == nil {
		now = time.Now
	}
	return &Stage{now: now}
}

// New makes a market. Nothing happens before Run.
func New(o Options) *Market {
	if o.Seed == 0 {
		o.Seed = DefaultSeed
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Seen == nil {
		o.Seen = func(nip90.ID, string) {}
	}
	if o.Stage == nil {
		o.Stage = NewStage(o.Now)
	}
	o.Rhythm = o.Rhythm.withDefaults()
	return &Market{o: o, w: newWorld(o.Seed)}
}

// markKey is where a data directory says that it is a demo's.
const markKey = "demo"

// mark is what it says.
type mark struct {
	Seed   uint64 `json:"seed"`
	Moment int64  `json:"moment"` // unix seconds: when it was first filled; the past is told from there
	Filled bool   `json:"filled"` // the past is complete
	Lived  int64  `json:"lived"`  // unix milliseconds: until then the market was alive
}

// The ways in which a data directory does not suit.
var (
	// ErrDemoData means that a directory was filled by a demo and is opened without one.
	ErrDemoData = errors.New("the data directory was filled by --demo, its events are made up: go on with --demo, or name another directory with --data-dir")
	// ErrRealData means that a directory holds events that no demo made.
	ErrRealData = errors.New("the data directory holds a relay's own events, which --demo does not mix with made-up ones: name another directory with --data-dir")
)

// Admit says whether a data directory suits: a demo wants its own or an empty one, and nobody else wants a demo's. It
// returns ErrDemoData or ErrRealData when not. Facts is how many events the directory knows of.
func Admit(state mirror.State, demo bool, facts int64) error {
	m, err := readMark(state)
	switch {
	case err != nil:
		return err
	case m != nil && !demo:
		return ErrDemoData
	case m == nil && demo && facts > 0:
		return ErrRealData
	}
	return nil
}

func readMark(state mirror.State) (*mark, error) {
	b, err := state.Meta(markKey)
	if err != nil || b == nil {
		return nil, err
	}
	m := new(mark)
	if err := json.Unmarshal(b, m); err != nil {
		return nil, fmt.Errorf("read the mark of a demo: %w", err)
	}
	return m, nil
}

func (m *Market) save(ctx context.Context, k *mark) error {
	b, err := json.Marshal(k)
	if err != nil {
		return fmt.Errorf("write the mark of a demo: %w", err)
	}
	if err := m.o.State.SetMeta(ctx, markKey, b); err != nil {
		return fmt.Errorf("write the mark of a demo: %w", err)
	}
	return nil
}

// Run fills in what is missing of the past, and then lives until ctx ends. The store and the sink must be running until it
// has returned, and the websocket while it lives. It may be called once.
func (m *Market) Run(ctx context.Context) error {
	k, err := readMark(m.o.State)
	if err != nil {
		return err
	}
	for first := true; ctx.Err() == nil; first = false {
		now := m.o.Now()
		if k == nil {
			k = &mark{Seed: m.o.Seed, Moment: now.Unix()}
			// Before anything else, so that a directory that is half full is known as what it is.
			if err := m.save(ctx, k); err != nil {
				return m.ended(ctx, err)
			}
		}
		if first && k.Seed != m.w.seed {
			m.w = newWorld(k.Seed)
		}
		m.o.Stage.moment.Store(k.Moment)
		coming, err := m.fill(ctx, k, now)
		if err != nil {
			return m.ended(ctx, err)
		}
		if m.o.URL == nil {
			return nil
		}
		if err := m.live(ctx, k, now, coming); err != nil {
			return m.ended(ctx, err)
		}
	}
	return nil
}

// ended turns the end of ctx into what it is: no error.
func (m *Market) ended(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return fmt.Errorf("demo: %w", err)
}
