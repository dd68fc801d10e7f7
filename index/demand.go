package index

import (
	"hash/maphash"
	"sync"
)

const (
	// maxEdges bounds the parts of hours whose requests are remembered.
	maxEdges = 1 << 14
	// edgesBelievedFor is how long they are believed while the sums of the hour stand still, in seconds.
	edgesBelievedFor = believedFor
)

// edgeSeed is for sums of rows, which never leave this process.
var edgeSeed = maphash.MakeSeed()

// edgeOf is a kind from a second on, up to the end of the hour that this second lies in.
type edgeOf struct {
	kind  int
	since int64
}

// edge is how many requests of a part of an hour name no provider, as long as all that is counted of that hour stays as it
// was.
type edge struct {
	sum  uint64 // of the row of the whole hour
	at   int64  // when it was counted
	open int64
}

// edgeMemory remembers parts of hours, which can only be counted job by job: the first of each provider and kind is wanted anew
// with every look at that provider. Safe for concurrent use.
type edgeMemory struct {
	mu sync.Mutex // guards below
	by map[edgeOf]edge
}

func (m *edgeMemory) get(of edgeOf, sum uint64, now int64) (int64, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e, ok := m.by[of]
	if !ok || e.sum != sum || now < e.at || now-e.at > edgesBelievedFor {
		return 0, false
	}
	return e.open, true
}

func (m *edgeMemory) put(of edgeOf, e edge) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.by == nil || len(m.by) >= maxEdges {
		m.by = make(map[edgeOf]edge)
	}
	m.by[of] = e
}

// demand counts the requests of a kind that name no provider, from a time on to the end of the gauge's last hour: what
// Stats says of that, and nothing else of it.
func (g *gauge) demand(kind int, since int64) (int64, error) {
	hour := levels[0]
	first, last := hour.slot(since), hour.slot(g.until)
	if since > g.until {
		return 0, nil
	}
	n := int64(0)
	if start := int64(first) * hourSeconds; since > start {
		var err error
		if first == last {
			n, err = g.part(kind, start, since)
			return max(n, 0), err
		}
		if n, err = g.edge(kind, start, since); err != nil {
			return 0, err
		}
		first++
	}
	c := g.counting(kind)
	if err := c.slots(first, last, nil); err != nil {
		return 0, err
	}
	return max(n+c.open(), 0), nil
}

func (g *gauge) counting(kind int) *counting {
	return &counting{
		x: g.quiet, r: g, now: g.now, since: g.since, until: g.until, plus: []dim{jobsOfKind(kind)},
		q: StatsQuery{Kind: kind, Step: -1, NoDistinct: true},
	}
}

// open is how many of the requests that were counted name no provider.
func (c *counting) open() int64 {
	return c.total.n[sumRequests] + c.rows.n[sumRequests] - c.total.n[sumAddressed] - c.rows.n[sumAddressed]
}

// edge is part, or what part said of the hour while it was as it is.
func (g *gauge) edge(kind int, start, since int64) (int64, error) {
	d := jobsOfKind(kind)
	row, err := g.Value(levels[0].key(keyRollup, &d, levels[0].slot(start)))
	if err != nil || row == nil {
		return 0, err
	}
	of, sum := edgeOf{kind, since}, maphash.Bytes(edgeSeed, row)
	if n, ok := g.x.seen.edges.get(of, sum, g.now); ok {
		return n, nil
	}
	n, err := g.part(kind, start, since)
	if err == nil {
		g.x.seen.edges.put(of, edge{sum, g.now, n})
	}
	return n, err
}

// part counts the hour that begins at start, from since on, as Stats does.
func (g *gauge) part(kind int, start, since int64) (int64, error) {
	c := g.counting(kind)
	c.since = since
	from, to := levels[0].slot(start), levels[0].slot(g.until)
	if from == to {
		done, err := c.edges(&from, &to)
		if err == nil && !done {
			err = c.slots(from, to, nil)
		}
		return c.open(), err
	}
	err := c.part(start, since, start+hourSeconds-1, true)
	return c.open(), err
}
