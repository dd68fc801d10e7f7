package mirror

import (
	"bytes"
	"slices"
	"time"
)

// window is a span of created_at, both ends included, in unix seconds, of which something may still be missing.
type window struct {
	Since int64 `json:"since"`
	Until int64 `json:"until"`
}

// mark is how far one subscription of one upstream came. Everything it selects with Floor <= created_at <= Heard was
// received and committed, except what lies in Windows.
type mark struct {
	Heard   int64    `json:"heard"`
	Floor   int64    `json:"floor"`
	Swept   int64    `json:"swept,omitempty"`   // when all of the past was last asked for again
	Windows []window `json:"windows,omitempty"` // newest first
	Kinds   []span   `json:"kinds,omitempty"`   // what it selects
	Keys    []byte   `json:"keys,omitempty"`    // whose past is being read, eight bytes of each
}

// span is a run of kinds, both ends included.
type span [2]int

// spans joins kinds in rising order to runs.
func spans(kinds []int) (all []span) {
	for _, k := range kinds {
		if n := len(all); n > 0 && all[n-1][1] == k-1 {
			all[n-1][1] = k
			continue
		}
		all = append(all, span{k, k})
	}
	return all
}

// cover notes what is selected from now on. The past is asked for again when that is more than before.
func (m *mark) cover(kinds []span) {
	covered := func(s span) bool {
		return slices.ContainsFunc(m.Kinds, func(o span) bool { return o[0] <= s[0] && s[1] <= o[1] })
	}
	if m.Heard != 0 && len(m.Kinds) > 0 && slices.ContainsFunc(kinds, func(s span) bool { return !covered(s) }) {
		m.add(window{m.Floor, m.Heard})
	}
	m.Kinds = kinds
}

// maxWindows bounds the gaps remembered; beyond it the oldest are joined, which asks twice but loses nothing.
const maxWindows = 64

// open plans what to ask when a connection opens at now: the time since the last one, and what lies below the floor
// that an earlier, shorter backfill had.
func (m *mark) open(now, floor int64, overlap time.Duration) {
	if m.Heard == 0 {
		*m = mark{Heard: now, Floor: floor, Swept: now, Windows: []window{{floor, now}}, Kinds: m.Kinds}
		return
	}
	if floor < m.Floor {
		m.add(window{floor, m.Floor})
		m.Floor = floor
	}
	since := max(m.Heard-int64(overlap/time.Second), m.Floor)
	m.Heard = max(m.Heard, now)
	m.add(window{since, m.Heard})
}

// follow plans what to ask when live subscriptions about people open at now: the time since the last ones. What was before
// the first ones is read for each key by itself.
func (m *mark) follow(now int64, overlap time.Duration) {
	if m.Heard == 0 {
		*m = mark{Heard: now, Floor: now}
		return
	}
	since := max(m.Heard-int64(overlap/time.Second), 0)
	m.Heard = max(m.Heard, now)
	m.add(window{since, m.Heard})
}

// sweep plans to ask for everything again, once per period.
func (m *mark) sweep(now int64, period time.Duration) {
	if now-m.Swept < int64(period/time.Second) {
		return
	}
	m.Swept = now
	m.Windows = []window{{m.Floor, now}}
}

// add joins a window with those it touches and keeps the order.
func (m *mark) add(w window) {
	kept := m.Windows[:0:0]
	for _, o := range m.Windows {
		if o.Since <= w.Until+1 && w.Since <= o.Until+1 {
			w.Since, w.Until = min(w.Since, o.Since), max(w.Until, o.Until)
			continue
		}
		kept = append(kept, o)
	}
	kept = append(kept, w)
	slices.SortFunc(kept, func(a, b window) int { return int(sign(b.Until - a.Until)) })
	for len(kept) > maxWindows {
		last := len(kept) - 1
		kept[last-1].Since = kept[last].Since
		kept = kept[:last]
	}
	m.Windows = kept
}

// next is the window to work on.
func (m *mark) next() (window, bool) {
	if len(m.Windows) == 0 {
		return window{}, false
	}
	return m.Windows[0], true
}

// read is what of these spans is not missing, by this mark. They must end where what is heard live begins.
func (m *mark) read(spans []window) (out []window) {
	for _, w := range spans {
		w.Since = max(w.Since, m.Floor)
		for i := len(m.Windows) - 1; i >= 0; i-- { // oldest first
			o := m.Windows[i]
			if o.Until < w.Since || w.Until < o.Since {
				continue
			}
			if w.Since < o.Since {
				out = append(out, window{w.Since, o.Since - 1})
			}
			w.Since = o.Until + 1
		}
		if w.Since <= w.Until {
			out = append(out, w)
		}
	}
	return out
}

// lower says that everything above until was received in the window that ended at from. It does nothing when the plan
// has changed meanwhile.
func (m *mark) lower(from window, until int64) {
	for i, w := range m.Windows {
		if w != from {
			continue
		}
		if until < w.Since {
			m.Windows = slices.Delete(m.Windows, i, i+1)
			return
		}
		m.Windows[i].Until = until
		return
	}
}

func sign(n int64) int64 {
	switch {
	case n < 0:
		return -1
	case n > 0:
		return 1
	}
	return 0
}

// tide follows events that are committed out of the order in which they came: its level is the newest created_at up to
// which nothing is still on its way. It is not safe for concurrent use.
type tide struct {
	first, next uint64
	done        map[uint64]int64
	level       int64
	came        []int64 // when each from first on arrived, unix seconds
}

func (t *tide) begin(at int64) uint64 {
	t.next++
	t.came = append(t.came, at)
	return t.next - 1
}

// oldest is when the first that is still on its way arrived; false when none is.
func (t *tide) oldest() (at int64, ok bool) {
	if len(t.came) == 0 {
		return 0, false
	}
	return t.came[0], true
}

func (t *tide) end(ticket uint64, createdAt int64) {
	if t.done == nil {
		t.done = map[uint64]int64{}
	}
	t.done[ticket] = createdAt
	for {
		at, ok := t.done[t.first]
		if !ok {
			return
		}
		delete(t.done, t.first)
		t.first++
		t.came = t.came[1:]
		t.level = max(t.level, at)
	}
}

func (m mark) clone() mark {
	m.Windows = slices.Clone(m.Windows)
	return m
}

func (m mark) equal(o mark) bool {
	return m.Heard == o.Heard && m.Floor == o.Floor && m.Swept == o.Swept && slices.Equal(m.Windows, o.Windows) && slices.Equal(m.Kinds, o.Kinds) &&
		bytes.Equal(m.Keys, o.Keys)
}
