package index

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"dvmrelay/nip90"
	"dvmrelay/store"
)

const (
	// sightEvery is how often sightings are written; so much is lost in a crash.
	sightEvery = time.Second
	// sightFull is how many events wait before they are written at once, and sightMost how many may wait at all.
	sightFull = 1 << 13
	sightMost = 1 << 17
	// sightStep is how many events one transaction writes the sources of, so that no event waits long behind it.
	sightStep = 1 << 10
	// recentSources bounds each half of what is remembered of events that were brought lately.
	recentSources = 1 << 14
	// maxAwaited bounds each half of the events that were seen and are not known here yet.
	maxAwaited = 1 << 12
	// lastFlush bounds what is written at the end.
	lastFlush = 10 * time.Second
	// maxSourceBytes bounds the name of a source; longer ones are OtherSource.
	maxSourceBytes = 512
)

// Sightings gathers which sources had which events, and writes it in batches: ten upstreams bring each event ten times. A
// sighting that tells nothing new costs two looks into memory. Of events that are not known here nothing is written; should
// such an event be adopted soon, see Committed, its sightings count then. There is one for each store. All methods are
// safe for concurrent use.
type Sightings struct {
	x        *Index
	s        *store.Store
	recorded int64         // since when sources are recorded, unix seconds
	full     chan struct{} // one slot: there is enough to be written now
	flushing sync.Mutex    // held by who writes; before mu
	awaited  halves[sourceSet]

	mu      sync.Mutex // guards below
	numbers map[string]uint16
	next    uint16   // number of the next relay
	unsaved []uint16 // numbers whose names are not in the store yet
	names   map[uint16]string
	stamped bool // recorded is in the store
	pending map[nip90.ID]sourceSet
	stats   SightingStats
}

// SightingStats count sightings since the start.
type SightingStats struct {
	Pending   int    // events whose sources wait to be written
	Written   uint64 // rows written
	Unchanged uint64 // sightings that told nothing new
	Unknown   uint64 // of events that are not known here
	Dropped   uint64 // because too much waited: the store takes nothing
}

// NewSightings makes the Sightings of a store that x indexes. Nothing is written before Run or Flush.
func NewSightings(x *Index, s *store.Store) (*Sightings, error) {
	g := &Sightings{
		x: x, s: s, full: make(chan struct{}, 1), awaited: halves[sourceSet]{most: maxAwaited},
		numbers: map[string]uint16{SelfSource: numberSelf, OtherSource: numberOther}, next: firstNumber, pending: make(map[nip90.ID]sourceSet),
	}
	err := s.View(func(r store.Reader) error {
		b, err := r.Value(recordedKey())
		if err != nil {
			return err
		}
		g.recorded = x.now(0)
		if len(b) == timeLen {
			g.recorded, g.stamped = int64(binary.BigEndian.Uint64(b)), true
		}
		g.names, err = sourceNames(r)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the sources of events: %w", err)
	}
	for number, name := range g.names {
		g.numbers[name] = number
		g.next = max(g.next, number+1)
	}
	return g, nil
}

// Expect gives relays of the configuration a number while there are any, however many strangers' relays have one.
func (g *Sightings) Expect(sources ...string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, source := range sources {
		g.number(source, 2*maxSources)
	}
}

// number is called with mu held.
func (g *Sightings) number(source string, most int) uint16 {
	if number, ok := g.numbers[source]; ok {
		return number
	}
	if int(g.next) >= firstNumber+most || source == "" || len(source) > maxSourceBytes {
		return numberOther
	}
	number := g.next
	g.next++
	g.numbers[source], g.names[number] = number, source
	g.unsaved = append(g.unsaved, number)
	return number
}

// Saw notes that a source had an event: the address of a relay, or SelfSource. It does not block.
func (g *Sightings) Saw(id nip90.ID, source string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	number := g.number(source, maxSources)
	if known, ok := g.x.seen.sources.get(id); ok && (known.full() || known.has(number)) {
		g.stats.Unchanged++
		return
	}
	one := sourceSet{n: 1}
	one.list[0] = number
	g.wait(id, &one)
}

// wait adds to what is to be written. It is called with mu held.
func (g *Sightings) wait(id nip90.ID, more *sourceSet) {
	set, ok := g.pending[id]
	if !ok && len(g.pending) >= sightMost {
		g.stats.Dropped++
		return
	}
	if !set.join(more) {
		g.stats.Unchanged++
		return
	}
	if g.pending[id] = set; len(g.pending) >= sightFull {
		select {
		case g.full <- struct{}{}:
		default: // it has been told
		}
	}
}

// Committed hears of commits, as store.Options.Committed does: an event that waited for what it is about was seen before it
// was known here. Who brought it stands beside what waits, on disk; the others are remembered for a while.
func (g *Sightings) Committed(_ uint64, cs []store.Commit) {
	for i := range cs {
		p := cs[i].Parsed
		if p == nil {
			continue
		}
		if p.Source != "" {
			g.Saw(p.ID, p.Source)
		}
		set, ok := g.awaited.get(p.ID)
		if !ok {
			continue
		}
		g.awaited.drop(p.ID)
		g.mu.Lock()
		g.wait(p.ID, &set)
		g.mu.Unlock()
	}
}

// Stats are the counts so far.
func (g *Sightings) Stats() SightingStats {
	g.mu.Lock()
	defer g.mu.Unlock()
	st := g.stats
	st.Pending = len(g.pending)
	return st
}

// Run writes what was seen until ctx ends, and then what is left. The store must be running until Run has returned. While
// the disk is full sightings wait, as many as may.
func (g *Sightings) Run(ctx context.Context) error {
	tick := time.NewTicker(sightEvery)
	defer tick.Stop()
	for {
		ended := false
		select {
		case <-ctx.Done():
			ended = true
		case <-tick.C:
		case <-g.full:
		}
		// A transaction that is begun is waited for, so that what is not written waits for the next.
		bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastFlush)
		err := g.Flush(bounded)
		cancel()
		switch {
		case errors.Is(err, store.ErrClosed), errors.Is(err, store.ErrReadOnly):
			<-ctx.Done()
			return nil
		case errors.Is(err, store.ErrDiskFull), errors.Is(err, context.DeadlineExceeded):
		case err != nil:
			return err
		}
		if ended {
			return nil
		}
	}
}

// Flush writes what was seen so far; it is on disk when Flush returns nil. What could not be written waits for the next.
func (g *Sightings) Flush(ctx context.Context) error {
	g.flushing.Lock()
	defer g.flushing.Unlock()
	g.mu.Lock()
	batch := g.pending
	g.pending = make(map[nip90.ID]sourceSet)
	g.mu.Unlock()
	list := make([]sighting, 0, len(batch))
	for id, set := range batch {
		list = append(list, sighting{id, set})
	}
	for len(list) > 0 {
		n := min(len(list), sightStep)
		if err := g.write(ctx, list[:n]); err != nil {
			g.keep(list)
			return fmt.Errorf("write who had %d events: %w", n, err)
		}
		list = list[n:]
	}
	return nil
}

// keep lets what was not written wait again.
func (g *Sightings) keep(list []sighting) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for i := range list {
		later := g.pending[list[i].id]
		delete(g.pending, list[i].id)
		g.wait(list[i].id, &list[i].sourceSet)
		if later.n > 0 {
			g.wait(list[i].id, &later)
		}
	}
}

// sighting is an event and who had it.
type sighting struct {
	id nip90.ID
	sourceSet
}

// merging is one transaction of sightings.
type merging struct {
	g       *Sightings
	t       store.Txn
	alone   map[uint16]int64 // how the counts of exclusive events move
	written uint64
	unknown uint64
	unmoved uint64
}

// write writes a batch in one transaction.
func (g *Sightings) write(ctx context.Context, list []sighting) error {
	g.mu.Lock()
	stamp := !g.stamped
	fresh := make(map[uint16]string, len(g.unsaved))
	for _, number := range g.unsaved {
		fresh[number] = g.names[number]
	}
	g.mu.Unlock()
	var m merging
	err := g.s.Update(ctx, func(t store.Txn) error {
		m = merging{g: g, t: t, alone: make(map[uint16]int64)}
		for i := range list {
			if err := m.merge(&list[i]); err != nil {
				return err
			}
		}
		return m.end(stamp, fresh)
	})
	if err != nil {
		for i := range list {
			g.x.seen.sources.drop(list[i].id)
		}
		return err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.stats.Written += m.written
	g.stats.Unknown += m.unknown
	g.stats.Unchanged += m.unmoved
	if m.written > 0 {
		g.stamped = true
		g.unsaved = slices.DeleteFunc(g.unsaved, func(number uint16) bool { return fresh[number] != "" })
	}
	return nil
}

// merge adds to the row of one event.
func (m *merging) merge(one *sighting) error {
	before, err := readSources(m.t, one.id)
	switch {
	case errors.Is(err, errSources):
		return nil // Check tells of it
	case err != nil:
		return err
	}
	after, had := before, before.n > 0
	if !had {
		f, ok, err := m.t.Fact(one.id)
		if err != nil {
			return err
		}
		if !ok {
			m.unknown++
			// Told inside the writer: the commit that brings it may be the next.
			set, _ := m.g.awaited.get(one.id)
			set.join(&one.sourceSet)
			m.g.awaited.put(one.id, set)
			return nil
		}
		if after = ownSources(&f); after.n == 0 && f.Received < m.g.recorded {
			after.add(numberOther) // somebody brought it before that was recorded
		}
	}
	changed := after.join(&one.sourceSet)
	// Told inside the writer, so that whoever erases the event later takes it away again.
	m.g.x.seen.sources.put(one.id, after)
	if !changed {
		m.unmoved++
		return nil
	}
	m.t.Set(seenKey(one.id), after.encode())
	m.written++
	if number, alone := before.exclusive(); alone {
		m.alone[number]--
	}
	if number, alone := after.exclusive(); alone {
		m.alone[number]++
	}
	return nil
}

// end writes the counts, and the names of sources that are new. Where nothing was written it writes nothing.
func (m *merging) end(stamp bool, fresh map[uint16]string) error {
	if m.written == 0 {
		return nil
	}
	for number, by := range m.alone {
		if by == 0 {
			continue
		}
		if err := countExclusive(m.t, number, by); err != nil {
			return err
		}
	}
	for number, name := range fresh {
		m.t.Set(sourceKey(number), []byte(name))
	}
	if stamp {
		m.t.Set(recordedKey(), binary.BigEndian.AppendUint64(nil, uint64(m.g.recorded)))
	}
	return nil
}
