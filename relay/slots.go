package relay

import (
	"context"

	"golang.org/x/sync/semaphore"
)

// slots bound what all sockets together have under way, in bytes or heads, first come, first served.
type slots struct {
	sem *semaphore.Weighted
	all int64
}

func newSlots(all int64) *slots { return &slots{sem: semaphore.NewWeighted(all), all: all} }

// Acquire implements session.Slots. What is larger than everything together may pass alone.
func (s *slots) Acquire(ctx context.Context, n int64) error { return s.sem.Acquire(ctx, min(n, s.all)) }

// Release implements session.Slots.
func (s *slots) Release(n int64) { s.sem.Release(min(n, s.all)) }
