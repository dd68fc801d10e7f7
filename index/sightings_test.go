package index

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"dvmrelay/nip90"
	"dvmrelay/store"
	"dvmrelay/store/storetest"
)

// watched is a rig that can be ended and begun again in the same directory, and what gathers its sightings.
type watched struct {
	*rig
	g   *Sightings
	dir string
}

func newWatched(t testing.TB, dir string) *watched {
	t.Helper()
	w := &watched{rig: &rig{clock: &clock{}}, dir: dir}
	w.at.Store(epoch + 1000)
	w.x = New(Options{KeepCustomer: true, Now: w.Now})
	w.Running = storetest.Open(t, storetest.With(func(s *store.Options) {
		s.Dir, s.Indexer, s.Now, s.SweepEvery = dir, w.x, w.Now, time.Hour
		s.Committed = func(v uint64, cs []store.Commit) {
			if w.g != nil {
				w.g.Committed(v, cs)
			}
		}
	}), storetest.Check(func(r store.Reader) error { return w.x.Check(r) }))
	w.sightings(t)
	return w
}

// sightings gathers anew: what was not written is lost, as in a crash.
func (w *watched) sightings(t testing.TB) {
	t.Helper()
	var err error
	if w.g, err = NewSightings(w.x, w.Store); err != nil {
		t.Fatal(err)
	}
}

func (w *watched) flush(t testing.TB) {
	t.Helper()
	if err := w.g.Flush(context.Background()); err != nil {
		t.Fatalf("flush: %v", err)
	}
}

func (w *watched) seenOn(t testing.TB, id nip90.ID) []string {
	t.Helper()
	return view(t, w.rig, func(r store.Reader) ([]string, error) {
		l := lens{Reader: r, x: w.x}
		return l.seenOnID(id)
	})
}

func (w *watched) exclusive(t testing.TB) map[string]uint64 {
	t.Helper()
	return view(t, w.rig, w.x.Exclusive)
}

func (w *watched) numbers(t testing.TB) map[uint16]string {
	t.Helper()
	return view(t, w.rig, sourceNames)
}

// memo is what is to be remembered, kept in the plainest way.
type memo struct {
	kept, pending, awaited map[nip90.ID][]string
	facts                  map[nip90.ID]bool
}

func (m *memo) saw(id nip90.ID, source string) { add(m.pending, id, source) }

func add(to map[nip90.ID][]string, id nip90.ID, source string) {
	if !slices.Contains(to[id], source) && len(to[id]) < maxSeenOn {
		to[id] = append(to[id], source)
	}
}

// stored: what was seen of an event before it was known here counts.
func (m *memo) stored(id nip90.ID) {
	m.facts[id] = true
	for _, s := range m.awaited[id] {
		m.saw(id, s)
	}
	delete(m.awaited, id)
}

func (m *memo) flush() {
	for id, sources := range m.pending {
		for _, s := range sources {
			if m.facts[id] {
				add(m.kept, id, s)
			} else {
				add(m.awaited, id, s)
			}
		}
	}
	clear(m.pending)
}

func (m *memo) exclusive() map[string]uint64 {
	out := make(map[string]uint64)
	for _, sources := range m.kept {
		if len(sources) == 1 && sources[0] != SelfSource {
			out[sources[0]]++
		}
	}
	return out
}

// TestSightings_EqualASimpleModel: whatever order sightings, events, erasures, rebuilds and restarts come in.
func TestSightings_EqualASimpleModel(t *testing.T) {
	rng := seeded(t)
	for round := range 4 {
		w := newWatched(t, t.TempDir())
		m := memo{make(map[nip90.ID][]string), make(map[nip90.ID][]string), make(map[nip90.ID][]string), make(map[nip90.ID]bool)}
		var events []*nip90.Parsed
		for i := range 120 {
			job := event(fmt.Sprint("c", i%6), 5100, int64(i), "", tag("i", fmt.Sprint(i), "text"))
			events = append(events, storetest.Parsed(t, job))
		}
		for range 1500 {
			playSighting(t, w, &m, rng, events)
			switch rng.IntN(300) {
			case 0: // ended in good order
				w.flush(t)
				m.flush()
				clear(m.awaited)
				w.Stop()
				w = newWatched(t, w.dir)
			case 1: // what was not written is lost, and so is what was remembered of others
				clear(m.pending)
				clear(m.awaited)
				w.Stop()
				w = newWatched(t, w.dir)
			case 2:
				if err := w.x.Rebuild(context.Background(), w.Store); err != nil {
					t.Fatalf("rebuild: %v", err)
				}
			}
		}
		w.flush(t)
		m.flush()
		for _, p := range events {
			want := m.kept[p.ID]
			if got := w.seenOn(t, p.ID); !slices.Equal(got, want) {
				t.Errorf("round %d: %s was seen on %v, want %v", round, p.ID, got, want)
			}
		}
		if got, want := w.exclusive(t), m.exclusive(); !maps.Equal(got, want) {
			t.Errorf("round %d: exclusive %v, want %v", round, got, want)
		}
		w.Stop()
		if t.Failed() {
			return
		}
	}
}

func playSighting(t *testing.T, w *watched, m *memo, rng *rand.Rand, events []*nip90.Parsed) {
	p := events[rng.IntN(len(events))]
	switch rng.IntN(16) {
	case 0, 1, 2:
		again := *p
		if again.Door = nip90.DoorMirror; rng.IntN(3) == 0 {
			again.Door = nip90.DoorSocket
		}
		known := m.facts[p.ID]
		if w.Put(t, &again) != store.Stored || known {
			return
		}
		if m.stored(p.ID); again.Door == nip90.DoorSocket {
			m.kept[p.ID] = []string{SelfSource}
		}
	case 3:
		w.flush(t)
		m.flush()
	case 4:
		if rng.IntN(60) > 0 {
			return
		}
		gone := event(fmt.Sprint("c", rng.IntN(6)), 62, 200, "", tag("relay", "ALL_RELAYS"))
		w.put(t, gone)
		w.sweep(t)
		for _, e := range events {
			if e.Event.PubKey == gone.PubKey {
				delete(m.facts, e.ID)
				delete(m.kept, e.ID)
			}
		}
	default:
		source := fmt.Sprintf("wss://r%d.example", min(rng.IntN(20), rng.IntN(20)))
		if rng.IntN(12) == 0 {
			source = SelfSource
		}
		w.g.Saw(p.ID, source)
		m.saw(p.ID, source)
	}
}

func TestSightings_Exclusive(t *testing.T) {
	const a, b = "wss://a.example", "wss://b.example"
	job := request("alice", 0)
	id := mustID(t, job.ID)
	cases := []struct {
		name  string
		saw   []string
		own   bool
		seen  []string
		alone map[string]uint64
	}{
		{"one upstream", []string{a}, false, []string{a}, map[string]uint64{a: 1}},
		{"one, often", []string{a, a, a}, false, []string{a}, map[string]uint64{a: 1}},
		{"two upstreams", []string{b, a}, false, []string{b, a}, map[string]uint64{}},
		{"a socket first", []string{a}, true, []string{SelfSource, a}, map[string]uint64{}},
		{"a socket later", []string{a, SelfSource}, false, []string{a, SelfSource}, map[string]uint64{}},
		{"a socket only", []string{SelfSource}, true, []string{SelfSource}, map[string]uint64{}},
		{"nobody", nil, false, []string{}, map[string]uint64{}},
		{"a name that is none", []string{""}, false, []string{OtherSource}, map[string]uint64{}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			for _, each := range []bool{false, true} {
				w := newWatched(t, t.TempDir())
				p := storetest.Parsed(t, job)
				if p.Door = nip90.DoorMirror; c.own {
					p.Door = nip90.DoorSocket
				}
				w.Put(t, p)
				for _, source := range c.saw {
					if w.g.Saw(id, source); each {
						w.flush(t)
					}
				}
				w.flush(t)
				if got := w.seenOn(t, id); !slices.Equal(got, c.seen) {
					t.Errorf("seen on %v, want %v", got, c.seen)
				}
				if got := w.exclusive(t); !maps.Equal(got, c.alone) {
					t.Errorf("exclusive %v, want %v", got, c.alone)
				}
				w.put(t, event("alice", 62, 10, "", tag("relay", "ALL_RELAYS")))
				w.sweep(t)
				if got := w.exclusive(t); len(got) != 0 {
					t.Errorf("exclusive %v once it is erased, want none", got)
				}
				w.Stop()
			}
		})
	}
}

// TestSightings_OutliveTheBody: what expires keeps its sources, and repeated sightings write nothing.
func TestSightings_OutliveTheBody(t *testing.T) {
	w := newWatched(t, t.TempDir())
	job := request("alice", 0, tag("expiration", fmt.Sprint(epoch+1100)))
	id := mustID(t, job.ID)
	w.put(t, job)
	w.g.Saw(id, "wss://a.example")
	w.flush(t)
	w.at.Store(epoch + 1200)
	w.sweep(t)
	if th, _ := w.thread(t, job.ID); len(th.Events) != 1 || !th.Events[0].Expired || !slices.Equal(th.Events[0].SeenOn, []string{"wss://a.example"}) {
		t.Errorf("events %+v, want the expired request and its source", th.Events)
	}
	version := func() uint64 {
		return view(t, w.rig, func(r store.Reader) (uint64, error) { return r.Version(), nil })
	}
	before := version()
	w.g.Saw(id, "wss://a.example")
	w.flush(t)
	w.sightings(t) // the next one has to look into the store
	w.x.seen.sources.drop(id)
	w.g.Saw(id, "wss://a.example")
	w.flush(t)
	if after := version(); after != before {
		t.Errorf("%d commits for sightings that tell nothing new, want none", after-before)
	}
}

// TestSightings_BeforeTheyWereRecorded: what came before has sources that nobody knows, so it is nobody's alone.
func TestSightings_BeforeTheyWereRecorded(t *testing.T) {
	w := newWatched(t, t.TempDir())
	old, young := storetest.Parsed(t, request("alice", 0)), storetest.Parsed(t, request("alice", 1))
	old.Received, young.Received = time.Unix(epoch+999, 0), time.Unix(epoch+1000, 0)
	old.Door, young.Door = nip90.DoorMirror, nip90.DoorMirror
	w.Put(t, old)
	w.Put(t, young)
	w.g.Saw(old.ID, "wss://a.example")
	w.g.Saw(young.ID, "wss://a.example")
	w.flush(t)
	w.at.Store(epoch + 9000)
	w.sightings(t)
	if w.g.recorded != epoch+1000 {
		t.Errorf("recorded since %d, want %d", w.g.recorded, epoch+1000)
	}
	if got, want := w.seenOn(t, old.ID), []string{OtherSource, "wss://a.example"}; !slices.Equal(got, want) {
		t.Errorf("the old event was seen on %v, want %v", got, want)
	}
	if got, want := w.exclusive(t), map[string]uint64{"wss://a.example": 1}; !maps.Equal(got, want) {
		t.Errorf("exclusive %v, want %v", got, want)
	}
}
