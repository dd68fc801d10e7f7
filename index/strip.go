package index

import (
	"cmp"
	"slices"

	"dvmrelay/nip90"
	"dvmrelay/store"
)

const (
	// StripLanes is how many kinds of a Strip have a lane of their own.
	StripLanes = 5
	// stripBars is how many jobs a Strip shows one by one; a lane of cells takes the room of cellsRoom of them.
	stripBars = 115
	cellsRoom = 10
	// crowded is how many jobs a minute are too many to be shown one by one.
	crowded = 20
)

// Strip is the jobs of the last 15 minutes, by kind.
type Strip struct {
	Since    int64  `json:"since"` // unix seconds; jobs asked after it
	Until    int64  `json:"until"` // and not after this
	Jobs     int    `json:"jobs"`
	Lanes    []Lane `json:"lanes"`
	Complete bool   `json:"complete"` // false when there were more than were counted
}

// Lane is one kind of a Strip, or all that have no lane of their own. It has bars or, where a minute had more than 20 jobs
// or the strip had too many, cells.
type Lane struct {
	Kind      int    `json:"kind,omitempty"` // 0 = others
	KindName  string `json:"kind_name,omitempty"`
	Kinds     []int  `json:"kinds"`               // that are in it, the ones with most jobs first, at most 8
	Jobs      int    `json:"jobs"`                //
	Customers int    `json:"customers,omitempty"` // distinct; of others not counted
	Bars      []Bar  `json:"bars,omitempty"`      // oldest first
	Cells     []Cell `json:"cells,omitempty"`     // oldest first; those without jobs are left out
}

// Cell counts the jobs of a minute.
type Cell struct {
	Since int64 `json:"since"`
	Until int64 `json:"until"` // inclusive
	Jobs  int   `json:"jobs"`
}

// Bar is one job of a Strip.
type Bar struct {
	ID      nip90.ID `json:"id"`
	Kind    int      `json:"kind"`
	At      int64    `json:"at"`                 // when it was asked
	Until   int64    `json:"until,omitempty"`    // of its first result, or of what else ended it; absent while it is open
	AskedAt int64    `json:"asked_at,omitempty"` // when a provider asked for money
	State   string   `json:"state"`              // of the job, or "undelivered": paid and no result
	Msat    int64    `json:"msat,omitempty"`     // of an undelivered one: what is claimed to be paid
}

// lanes of a Strip while it is made, without what has to be read from the store.
type stripLane struct {
	Lane
	sums []*recentKind
	all  []int // its kinds
}

// Strip shows the last 15 minutes but for some kinds. Call Fill before the view r is opened.
func (c *Recent) Strip(x *Index, r store.Reader, without []int) (Strip, error) {
	s, asked, err := c.drawn(x, r, without)
	if err != nil {
		return s, err
	}
	l := lens{Reader: r, x: x, now: s.Until}
	for i := range s.Lanes {
		for _, a := range asked[i] {
			b, ok, err := l.bar(a)
			if err != nil {
				return s, err
			}
			if ok {
				s.Lanes[i].Bars = append(s.Lanes[i].Bars, b)
			}
		}
		slices.SortFunc(s.Lanes[i].Bars, func(a, b Bar) int {
			return cmp.Or(cmp.Compare(a.At, b.At), slices.Compare(a.ID[:], b.ID[:]))
		})
	}
	return s, nil
}

// drawn counts, and names the jobs that are to be read for each lane.
func (c *Recent) drawn(x *Index, r store.Reader, without []int) (s Strip, jobs [][]nip90.ID, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.settle(r); err != nil {
		return s, nil, err
	}
	c.advance(x.now(0))
	s = Strip{Since: c.until - RecentSeconds, Until: c.until, Lanes: []Lane{}, Complete: !c.over}
	lanes := c.lanes(without)
	bars, room := 0, stripBars
	for i := range lanes {
		if l := &lanes[i]; l.crowd() {
			l.Cells = l.cells(s.Since, s.Until)
			room -= cellsRoom
		} else {
			bars += l.Jobs
		}
		s.Jobs += lanes[i].Jobs
	}
	for bars > room {
		fullest := slices.MaxFunc(lanesOf(lanes), func(a, b *stripLane) int { return cmp.Compare(a.single(), b.single()) })
		bars -= fullest.Jobs
		room -= cellsRoom
		fullest.Cells = fullest.cells(s.Since, s.Until)
	}
	for i := range lanes {
		s.Lanes = append(s.Lanes, lanes[i].Lane)
	}
	return s, c.single(lanes, s.Until), nil
}

// single names the jobs of the lanes that have bars. The mutex is held.
func (c *Recent) single(lanes []stripLane, until int64) [][]nip90.ID {
	jobs := make([][]nip90.ID, len(lanes))
	laneOf := make(map[int]int)
	for i := range lanes {
		if lanes[i].Cells == nil {
			for _, kind := range lanes[i].all {
				laneOf[kind] = i
			}
		}
	}
	for at, list := range c.seconds {
		if len(laneOf) == 0 {
			break
		}
		for i := range list {
			if lane, ok := laneOf[list[i].kind]; ok && at <= until {
				jobs[lane] = append(jobs[lane], list[i].root)
			}
		}
	}
	return jobs
}

func lanesOf(lanes []stripLane) (list []*stripLane) {
	for i := range lanes {
		list = append(list, &lanes[i])
	}
	return list
}

// lanes are the kinds with the most customers, and one lane for all others. The mutex is held.
func (c *Recent) lanes(without []int) (lanes []stripLane) {
	kinds := make([]int, 0, len(c.kinds))
	for kind := range c.kinds {
		if !slices.Contains(without, kind) {
			kinds = append(kinds, kind)
		}
	}
	slices.SortFunc(kinds, func(a, b int) int {
		ka, kb := c.kinds[a], c.kinds[b]
		return cmp.Or(cmp.Compare(len(kb.who), len(ka.who)), cmp.Compare(kb.jobs, ka.jobs), cmp.Compare(a, b))
	})
	own := min(len(kinds), StripLanes)
	for _, kind := range kinds[:own] {
		k := c.kinds[kind]
		lanes = append(lanes, stripLane{
			Lane: Lane{Kind: kind, KindName: nip90.KindName(kind), Kinds: []int{kind}, Jobs: k.jobs, Customers: len(k.who)},
			sums: []*recentKind{k}, all: []int{kind},
		})
	}
	rest := kinds[own:]
	if len(rest) == 0 {
		return lanes
	}
	slices.SortFunc(rest, func(a, b int) int {
		return cmp.Or(cmp.Compare(c.kinds[b].jobs, c.kinds[a].jobs), cmp.Compare(a, b))
	})
	other := stripLane{Lane: Lane{Kinds: rest[:min(len(rest), 8)]}, all: rest}
	for _, kind := range rest {
		other.sums = append(other.sums, c.kinds[kind])
		other.Jobs += c.kinds[kind].jobs
	}
	return append(lanes, other)
}

// single is how many bars the lane has.
func (l *stripLane) single() int {
	if l.Cells != nil {
		return 0
	}
	return l.Jobs
}

// counts are the lane's jobs by the time divided by cellSeconds.
func (l *stripLane) counts() map[int64]int {
	if len(l.sums) == 1 {
		return l.sums[0].cells
	}
	all := make(map[int64]int)
	for _, k := range l.sums {
		for at, n := range k.cells {
			all[at] += n
		}
	}
	return all
}

// crowd says whether some minute had too many jobs.
func (l *stripLane) crowd() bool {
	if l.Jobs <= crowded {
		return false
	}
	for _, n := range l.counts() {
		if n > crowded {
			return true
		}
	}
	return false
}

func (l *stripLane) cells(since, until int64) (list []Cell) {
	for at, n := range l.counts() {
		list = append(list, Cell{Since: max(at*cellSeconds, since+1), Until: min(at*cellSeconds+cellSeconds-1, until), Jobs: n})
	}
	slices.SortFunc(list, func(a, b Cell) int { return cmp.Compare(a.Since, b.Since) })
	return list
}

// bar shows a job; false when it is not here any more.
func (l *lens) bar(root nip90.ID) (b Bar, ok bool, err error) {
	row, folded, ok, err := current(l, root)
	if err != nil || !ok || !row.is(rowSeen) || row.created > l.now {
		return b, false, err
	}
	b = Bar{ID: root, Kind: row.kind, At: row.created, State: row.state(l.now)}
	paid := payNone
	if row.askers+row.claims > 0 {
		err = eachSide(l, root, folded, func(_ nip90.PubKey, s *sideRow) bool {
			if s.ask.set && (b.AskedAt == 0 || s.ask.at < b.AskedAt) {
				b.AskedAt = s.ask.at
			}
			paid = max(paid, s.payment(l.now, l.x.stalledAfter()))
			return true
		})
		if err != nil {
			return b, false, err
		}
	}
	switch b.State {
	case StateSuccess:
		b.Until = row.firstResult
	case StateError, StateCancelled:
		b.Until = row.created
		if row.answers+row.payments > 0 {
			b.Until = row.silence
		}
	case StateExpired:
		b.Until = row.expires
	}
	if paid == payUndelivered && b.State != StateSuccess {
		b.State, b.Until, b.Msat = paid.String(), 0, max(row.claimed, 0)
	}
	if b.Until != 0 {
		b.Until = min(max(b.Until, b.At), l.now)
	}
	if b.AskedAt != 0 {
		b.AskedAt = min(max(b.AskedAt, b.At), l.now)
	}
	return b, true, nil
}
