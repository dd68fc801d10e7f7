package index

import (
	"context"
	"fmt"

	"dvmrelay/store"
)

// The phases of a Rebuild, in their order.
const (
	PhaseDrop   = "drop"   // the tables are emptied
	PhaseFacts  = "facts"  // the facts of what still has a body are made anew
	PhaseFold   = "fold"   // every fact is folded
	PhaseSettle = "settle" // what was too popular for one step is finished
)

// Progress says how far a Rebuild has come.
type Progress struct {
	Phase string
	Done  int64 // facts that were folded so far
	store.Recomputed
}

// rebuilding tells those who watch a Rebuild.
type rebuilding struct {
	tell []func(Progress)
	now  Progress
}

func (b *rebuilding) phase(name string) {
	b.now.Phase = name
	b.say()
}

func (b *rebuilding) folded(n int64) {
	b.now.Done += n
	b.say()
}

func (b *rebuilding) say() {
	for _, tell := range b.tell {
		tell(b.now)
	}
}

// facts makes facts anew while nothing is folded.
func (b *rebuilding) facts(ctx context.Context, s *store.Store) error {
	b.phase(PhaseFacts)
	_, err := s.Recompute(ctx, nil, func(r store.Recomputed) {
		b.now.Recomputed = r
		b.say()
	})
	if err != nil {
		return fmt.Errorf("rebuild the index: %w", err)
	}
	b.phase(PhaseFold)
	return nil
}
