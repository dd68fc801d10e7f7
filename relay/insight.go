package relay

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"dvmrelay/policies"
	"dvmrelay/relay/session"
)

const (
	// costlyKept is how many of the most costly answers of the last hour are remembered, and slowKept how many sockets that
	// ended since their peer did not read; only in memory.
	costlyKept = 20
	slowKept   = 20
	costlyFor  = time.Hour
	// costlyFrom is what an answer must cost to be remembered at all.
	costlyFrom = 5 * time.Millisecond
	// queuesShown is how many open sockets are named, those for which most waits first.
	queuesShown = 20
	maxAgent    = 100 // bytes
	maxShape    = 4   // filters that are described
)

// Insight is what administrators may see of who asks, and of what that costs.
type Insight struct {
	Sockets []session.View // the open ones for which most waits, at most 20
	Open    int
	Slow    []SlowPeer // ended since their peer did not read, newest first, at most 20
	Costly  []Costly   // the most costly answers of the last hour, at most 20
}

// SlowPeer is a socket that the relay ended since its peer did not read what it had asked for.
type SlowPeer struct {
	At   time.Time
	Why  string // slow-write or overflow
	View session.View
}

// Costly is an answer that took much work. Of the filters the shape is kept, never what they ask for.
type Costly struct {
	At      time.Time
	Verb    string // REQ, COUNT or NEG-OPEN
	Shape   string
	Took    time.Duration
	Events  int
	Refused string // the prefix of the refusal; empty when it was answered
	Peer    *policies.Peer
}

// Insight looks at sockets and records. It takes time with the number of sockets, and is for administrators.
func (r *Relay) Insight() Insight {
	open := r.list()
	views := make([]session.View, 0, len(open))
	for _, s := range open {
		views = append(views, s.View())
	}
	slices.SortFunc(views, func(a, b session.View) int {
		return cmp.Or(cmp.Compare(b.Queue, a.Queue), cmp.Compare(b.Sent, a.Sent), a.Begun.Compare(b.Begun))
	})
	now := r.d.Now()
	return Insight{Sockets: views[:min(len(views), queuesShown)], Open: len(open), Slow: r.slow.all(), Costly: r.costly.all(now)}
}

// costlies are the most costly answers of the last hour. An answer that is not among them costs two loads.
type costlies struct {
	from  atomic.Int64 // nanoseconds of work from which on an answer may be among them; 0 = costlyFrom
	until atomic.Int64 // unix nanoseconds when the first of them is too old, and from may be too high

	mu   sync.Mutex // guards below
	list []Costly   // most costly first
}

// note takes an answer, if it is one of the most costly.
func (c *costlies) note(now time.Time, cost *session.Cost) {
	if int64(cost.Took) <= c.from.Load() && now.UnixNano() < c.until.Load() {
		return
	}
	one := Costly{At: now, Verb: cost.Verb, Shape: shapeOf(cost.Queries), Took: cost.Took, Events: cost.Events, Refused: cost.Refused, Peer: cost.Peer}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.prune(now)
	at, _ := slices.BinarySearchFunc(c.list, one, func(a, b Costly) int { return cmp.Compare(b.Took, a.Took) })
	c.list = slices.Insert(c.list, at, one)
	c.list = c.list[:min(len(c.list), costlyKept)]
	c.bound(now)
}

// prune lets go of what is too old. The mutex is held.
func (c *costlies) prune(now time.Time) {
	c.list = slices.DeleteFunc(c.list, func(x Costly) bool { return now.Sub(x.At) >= costlyFor })
}

// bound works out what the next answer is held against. The mutex is held.
func (c *costlies) bound(now time.Time) {
	first, least := now, time.Duration(0)
	for _, x := range c.list {
		if x.At.Before(first) {
			first = x.At
		}
	}
	if len(c.list) == costlyKept {
		least = c.list[costlyKept-1].Took
	}
	c.from.Store(int64(least))
	c.until.Store(first.Add(costlyFor).UnixNano())
}

func (c *costlies) all(now time.Time) []Costly {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.prune(now)
	c.bound(now)
	return slices.Clone(c.list)
}

// slows are the sockets that were ended since their peer did not read.
type slows struct {
	mu   sync.Mutex // guards below
	list []SlowPeer // oldest first
}

func (s *slows) note(now time.Time, v session.View, why session.Drop) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.list) == slowKept {
		s.list = append(s.list[:0], s.list[1:]...)
	}
	s.list = append(s.list, SlowPeer{At: now, Why: why.String(), View: v})
}

func (s *slows) all() []SlowPeer {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := slices.Clone(s.list)
	slices.Reverse(all)
	return all
}

// shapeOf says in words how many values filters have in which fields, and never which.
func shapeOf(queries []session.Query) string {
	var b strings.Builder
	for i := range queries {
		if i > 0 {
			b.WriteString(" | ")
		}
		if i == maxShape {
			fmt.Fprintf(&b, "%d more filters", len(queries)-i)
			break
		}
		b.WriteString(shapeOfOne(&queries[i]))
	}
	return b.String()
}

func shapeOfOne(q *session.Query) string {
	var parts []string
	count := func(name string, n int) {
		if n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, name))
		}
	}
	count("ids", len(q.IDs))
	count("kinds", len(q.Kinds))
	count("authors", len(q.Authors))
	names, others := []string{}, 0
	for name, values := range q.Tags {
		if len(name) == 1 && (name[0]|0x20 >= 'a' && name[0]|0x20 <= 'z') {
			names = append(names, name)
		} else {
			others += len(values)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		count("#"+name, len(q.Tags[name]))
	}
	count("other tags", others)
	if q.Wanted != nil {
		parts = append(parts, "search")
	}
	if q.Since != nil {
		parts = append(parts, "since")
	}
	if q.Until != nil {
		parts = append(parts, "until")
	}
	if q.Limit > 0 {
		parts = append(parts, fmt.Sprintf("limit %d", q.Limit))
	}
	if len(parts) == 0 {
		return "everything"
	}
	return strings.Join(parts, ", ")
}

// agentOf is what a peer calls itself, shortened.
func agentOf(agent string) string {
	return strings.ToValidUTF8(strings.Clone(agent[:min(len(agent), maxAgent)]), "")
}
