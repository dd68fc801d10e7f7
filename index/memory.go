package index

import (
	"sync"
	"sync/atomic"

	"dvmrelay/nip90"
)

const (
	// shelfBytes bounds each of the two halves of a shelf.
	shelfBytes = 8 << 20
	// maxMemories bounds the services whose first announcement is remembered.
	maxMemories = 1 << 16
)

// memory is what an Index keeps because it would be dear to work out again. Nothing in it is needed: all of it can be
// read from the store. Safe for concurrent use.
type memory struct {
	cards shelf
	asks  shelf // of requests: *asks
	edges edgeMemory
	table atomic.Pointer[table]
	names atomic.Pointer[map[uint16]string] // of sources
	// sources are the rows of events that were brought lately.
	sources halves[sourceSet]
	fresh   sync.Mutex // held by who works out the next table
	// tended: somebody works out the next table when it is wanted, so that nobody who asks has to.
	tended, wanted atomic.Bool

	mu         sync.Mutex // guards below
	announced  map[nip90.PubKey]*announced
	remembered int // services in announced
	oldest     map[nip90.PubKey]int64
}

func newMemory() *memory { return &memory{sources: halves[sourceSet]{most: recentSources}} }

// shelf keeps what was read from events, which never change, by their ids. It is two halves: when the younger is full the
// older is dropped.
type shelf struct {
	mu         sync.Mutex // guards below
	young, old map[nip90.ID]any
	size       int // bytes in young
}

func (s *shelf) get(id nip90.ID) any {
	s.mu.Lock()
	defer s.mu.Unlock()
	if v, ok := s.young[id]; ok {
		return v
	}
	return s.old[id]
}

// put keeps v, which takes about size bytes.
func (s *shelf) put(id nip90.ID, v any, size int) {
	size += 256
	if size > shelfBytes/16 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.young == nil || s.size+size > shelfBytes {
		s.young, s.old, s.size = make(map[nip90.ID]any), s.young, 0
	}
	s.young[id] = v
	s.size += size
}

// announced is when each service of a key was announced, by the mark of its d.
type announced struct {
	marks    [32]byte // the ids of the facts, by exclusive or
	facts    int
	at       int64 // when it was read, unix seconds
	services map[[8]byte]service
	first    int64 // of all services, 0 = none
}

type service struct {
	first   int64 // created_at of its oldest announcement
	deleted int64 // created_at of the newest one that its author deleted, 0 = none
}

func (m *memory) announcedBy(pk nip90.PubKey) *announced {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.announced[pk]
}

func (m *memory) keepAnnounced(pk nip90.PubKey, a *announced) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if old := m.announced[pk]; old != nil {
		m.remembered -= len(old.services)
	}
	m.remembered += len(a.services)
	if m.announced == nil || m.remembered > maxMemories {
		m.announced, m.remembered = make(map[nip90.PubKey]*announced), len(a.services)
	}
	m.announced[pk] = a
}

// oldestOf is when the oldest job was asked that a key was last seen to have answered; 0 = not looked up yet.
func (m *memory) oldestOf(pk nip90.PubKey) int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.oldest[pk]
}

func (m *memory) keepOldest(pk nip90.PubKey, at int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.oldest == nil || len(m.oldest) >= maxMemories {
		m.oldest = make(map[nip90.PubKey]int64)
	}
	m.oldest[pk] = at
}
