package store

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"dvmrelay/nip90"
)

const (
	// waitSeconds is how long an event waits for what it is about.
	waitSeconds = 600
	// maxPerAwaited is how many events wait for one thing.
	maxPerAwaited = 16
)

// room bounds what waits.
type room struct {
	events int
	bytes  int64
}

// shelfRoom is the room on a shelf.
type shelfRoom struct {
	// all is for what waits, but for what was met during a backfill. Clients cannot take all of it, or a flood from one
	// socket would cost what upstreams bring, which is asked for only once.
	all, socket room
	backfill    room
}

func defaultRoom() shelfRoom {
	return shelfRoom{all: room{10_000, 64 << 20}, socket: room{5_000, 32 << 20}, backfill: room{100_000, 256 << 20}}
}

// shelf knows in memory what waits on disk, so that an event that nobody waits for costs a few looks into a map. It
// belongs to the writer, but for the ids.
type shelf struct {
	rows    map[nip90.ID]*held
	by      map[Awaited][]*held // in the order of coming
	authors map[nip90.PubKey]map[*held]struct{}
	taken   [shelfClasses]room
	most    shelfRoom
	last    uint64 // seq of the newest

	mu  sync.RWMutex // guards below
	ids map[nip90.ID]struct{}

	size, adopted, dropped, refused atomic.Int64
}

// heldChange is a row that a group put on the shelf, or took off it.
type heldChange struct {
	row  *held
	gone bool
}

func newShelf() *shelf {
	return &shelf{
		most: defaultRoom(), rows: make(map[nip90.ID]*held), by: make(map[Awaited][]*held),
		authors: make(map[nip90.PubKey]map[*held]struct{}), ids: make(map[nip90.ID]struct{}),
	}
}

// load reads the shelf. Damaged rows are left out, and go when their time is over.
func (s *shelf) load(r Reader) error {
	var rows []*held
	err := r.Scan([]byte{tabHeld}, nil, func(key, value []byte) bool {
		if h, err := decodeHeld(key, value); err == nil {
			row := h.held
			rows = append(rows, &row)
		}
		return true
	})
	if err != nil {
		return err
	}
	slices.SortFunc(rows, func(a, b *held) int {
		return cmp.Or(cmp.Compare(a.since, b.since), slices.Compare(a.id[:], b.id[:]))
	})
	for _, row := range rows {
		s.add(row)
		s.ids[row.id] = struct{}{}
		s.size.Add(row.size)
	}
	return nil
}

func (s *shelf) add(row *held) {
	if row.seq == 0 {
		s.last++
		row.seq = s.last
	}
	s.rows[row.id] = row
	for _, a := range row.awaits {
		s.by[a] = append(s.by[a], row)
	}
	mine := s.authors[row.author]
	if mine == nil {
		mine = make(map[*held]struct{}, 1)
		s.authors[row.author] = mine
	}
	mine[row] = struct{}{}
	s.taken[row.class].add(row.size, 1)
}

func (s *shelf) remove(row *held) {
	delete(s.rows, row.id)
	for _, a := range row.awaits {
		list := s.by[a]
		if i := slices.Index(list, row); i >= 0 {
			list = slices.Delete(list, i, i+1)
		}
		if len(list) == 0 {
			delete(s.by, a)
		} else {
			s.by[a] = list
		}
	}
	mine := s.authors[row.author]
	if delete(mine, row); len(mine) == 0 {
		delete(s.authors, row.author)
	}
	s.taken[row.class].add(-row.size, -1)
}

// undo takes changes back, the newest first.
func (s *shelf) undo(changes []heldChange) {
	for _, c := range slices.Backward(changes) {
		if c.gone {
			s.add(c.row)
		} else {
			s.remove(c.row)
		}
	}
}

// publish lets others see what a group changed.
func (s *shelf) publish(changes []heldChange) {
	if len(changes) == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range changes {
		if c.gone {
			delete(s.ids, c.row.id)
			s.size.Add(-c.row.size)
		} else {
			s.ids[c.row.id] = struct{}{}
			s.size.Add(c.row.size)
		}
	}
}

func (s *shelf) has(id nip90.ID) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	_, ok := s.ids[id]
	return ok
}

func (s *shelf) len() int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return len(s.ids)
}

func (r *room) add(size int64, n int) {
	r.events += n
	r.bytes += size
}

// fits says whether one more event of a size fits beside what is taken.
func (r room) fits(size int64, taken ...room) bool {
	for _, t := range taken {
		r.events -= t.events
		r.bytes -= t.bytes
	}
	return r.events > 0 && r.bytes >= size
}

// hasRoom says whether another event of a class and size may wait.
func (s *shelf) hasRoom(class shelfClass, size int64) bool {
	socket, feed := s.taken[shelfSocket], s.taken[shelfFeed]
	switch class {
	case shelfBackfill:
		return s.most.backfill.fits(size, s.taken[class])
	case shelfSocket:
		return s.most.socket.fits(size, socket) && s.most.all.fits(size, socket, feed)
	}
	return s.most.all.fits(size, socket, feed)
}

// open are those of the awaited things for which one more event may wait.
func (s *shelf) open(awaits []Awaited) []Awaited {
	out := make([]Awaited, 0, min(len(awaits), MaxAwaited))
	for _, a := range awaits {
		if len(out) < MaxAwaited && len(s.by[a]) < maxPerAwaited && !slices.Contains(out, a) {
			out = append(out, a)
		}
	}
	return out
}

// all is everything that waits, in the order of coming.
func (s *shelf) all() []*held {
	rows := slices.Collect(maps.Values(s.rows))
	slices.SortFunc(rows, func(a, b *held) int { return cmp.Compare(a.seq, b.seq) })
	return rows
}

// wanting are the rows that wait for one of these things, in the order of their coming.
func (s *shelf) wanting(things []Awaited) (rows []*held) {
	for _, a := range things {
		rows = append(rows, s.by[a]...)
	}
	slices.SortFunc(rows, func(a, b *held) int { return cmp.Compare(a.seq, b.seq) })
	return slices.Compact(rows)
}

// of are rows of an author made up to then, at most n.
func (s *shelf) of(pk nip90.PubKey, until int64, n int) (rows []*held) {
	for row := range s.authors[pk] {
		if len(rows) == n {
			break
		}
		if row.created <= until {
			rows = append(rows, row)
		}
	}
	return rows
}

// Waits says whether an event is kept until what it is about arrives. It is never served.
func (s *Store) Waits(id nip90.ID) bool { return s.shelf.has(id) }
