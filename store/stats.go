package store

import (
	"sync/atomic"
	"time"
)

// counters count since the store was opened.
type counters struct {
	groups, events, commitNanos, lastGroup atomic.Int64
}

func (c *counters) group(events int, took time.Duration) {
	c.groups.Add(1)
	c.events.Add(int64(events))
	c.lastGroup.Store(int64(events))
	c.commitNanos.Add(int64(took))
}

// Stats are the figures of a store.
type Stats struct {
	Version       uint64
	Events        map[int]int64 // bodies by kind
	Bodies        int64
	Facts         int64
	Groups        int64 // commits since Open
	GroupEvents   int64 // events in them
	CommitSeconds float64
	Queue         int // events waiting for the writer
	Snapshots     int // open ones
	Vanishing     int // keys that are being erased
	Waiting       int // events kept until what they are about arrives
	WaitingBytes  int64
	Adopted       int64 // of those since Open, let in
	Lapsed        int64 // waited in vain, or withdrawn meanwhile
	NoRoom        int64 // refused because too many waited
	DiskFree      uint64
	DiskFloor     uint64
	DiskFull      bool
	LSMBytes      int64
	LogBytes      int64
}

// Stats returns the figures as they are now. It is cheap enough for every scrape.
func (s *Store) Stats() Stats {
	st := Stats{
		Version: s.published.Load(), Events: make(map[int]int64), Facts: s.facts.Load(),
		Groups: s.counters.groups.Load(), GroupEvents: s.counters.events.Load(),
		CommitSeconds: time.Duration(s.counters.commitNanos.Load()).Seconds(),
		Queue:         len(s.queue), Vanishing: len(*s.vanishing.Load()),
		Waiting: s.shelf.len(), WaitingBytes: s.shelf.size.Load(), Adopted: s.shelf.adopted.Load(),
		Lapsed: s.shelf.dropped.Load(), NoRoom: s.shelf.refused.Load(),
		DiskFree: s.disk.free.Load(), DiskFloor: s.disk.floor.Load(), DiskFull: s.disk.full.Load(),
	}
	for _, c := range s.kinds.all() {
		if n := c.n.Load(); n > 0 {
			st.Events[int(c.kind)] = n
			st.Bodies += n
		}
	}
	s.mu.Lock()
	for _, n := range s.open {
		st.Snapshots += n
	}
	closed := s.closed
	s.mu.Unlock()
	if !closed {
		st.LSMBytes, st.LogBytes = s.db.Size()
	}
	return st
}

// Health is nil while the store takes events; otherwise ErrDiskFull or ErrClosed.
func (s *Store) Health() error {
	select {
	case <-s.finished:
		return ErrClosed
	default:
	}
	if s.disk.full.Load() {
		return ErrDiskFull
	}
	return nil
}
