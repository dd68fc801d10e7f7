package index

import (
	"encoding/binary"
	"math"
	"slices"

	"dvmrelay/store"
)

const (
	// maxEdge is how many jobs may be read one by one to count a part of an hour. A window whose edge holds more is widened
	// to the hour, and says so.
	maxEdge = 2_000
	// maxPending bounds the young jobs that one Stats looks at.
	maxPending = 5_000
	// maxGaps is how many gaps an answer names, newest first left out.
	maxGaps = 100
	// lastTime is the last second that an event may have.
	lastTime = 1<<40 - 1
)

// Stats counts what was asked within a window, and what came of it as seen at q.Now. Windows are exact to the second but
// for three: unlinked answers, distinct keys and a provider's figures count whole hours; and where an edge of the window
// holds more than 2,000 jobs it is moved outward to the hour. Since and Until are what was counted.
func (x *Index) Stats(r store.Reader, q StatsQuery) (Stats, error) {
	c := counting{x: x, r: r, q: q, now: x.now(q.Now), complete: true}
	if err := c.choose(); err != nil {
		return Stats{}, err
	}
	if err := c.count(); err != nil {
		return Stats{}, err
	}
	return c.stats()
}

// counting is one Stats in the making.
type counting struct {
	x   *Index
	r   store.Reader
	q   StatsQuery
	now int64

	since, until int64
	plus, minus  []dim // whose sums are added, and taken away again
	crowds       []dim // whose distinct keys are counted
	total        tally
	rows         totals // to be added to total
	customers    gathering
	providers    gathering
	series       series
	complete     bool
}

// choose finds the window and the rollups that answer the query.
func (c *counting) choose() error {
	c.since, c.until = min(max(c.q.Since, 0), lastTime), min(max(c.q.Until, 0), lastTime)
	if c.q.Until == 0 {
		c.until = min(max(c.now, 0), lastTime)
	}
	b, err := store.BlinderOf(c.r)
	if err != nil {
		return err
	}
	c.q.Provider = b.Of(c.q.Provider)
	one := !c.q.Provider.IsZero()
	switch {
	case one:
		c.plus = []dim{jobsOf(c.q.Provider, 0)}
		return c.begin()
	case c.q.Kind != 0:
		c.plus = []dim{jobsOfKind(c.q.Kind)}
	default:
		c.plus = []dim{allJobs()}
	}
	c.crowds = c.plus
	for i, k := range c.q.ExcludeKinds {
		switch {
		case slices.Contains(c.q.ExcludeKinds[:i], k):
		case c.q.Kind == k:
			c.plus, c.minus, c.crowds = nil, nil, nil
			return nil
		case c.q.Kind == 0:
			c.minus = append(c.minus, jobsOfKind(k))
		}
	}
	if len(c.minus) == 0 {
		return c.begin()
	}
	kinds, err := c.kinds(c.since, c.until)
	if err != nil {
		return err
	}
	c.crowds = nil
	for _, k := range kinds {
		if !slices.Contains(c.q.ExcludeKinds, k) {
			c.crowds = append(c.crowds, jobsOfKind(k))
		}
	}
	return c.begin()
}

// begin moves a window without a beginning to the first day that has anything.
func (c *counting) begin() error {
	if c.since > 0 || len(c.plus) == 0 {
		return nil
	}
	first := c.plus[0].levels()
	l := first[len(first)-1]
	prefix := l.prefix(keyRollup, &c.plus[0])
	return c.r.Scan(prefix, nil, func(key, _ []byte) bool {
		slot, _ := slotAfter(prefix, key)
		c.since = min(int64(slot)*l.seconds, c.until)
		return false
	})
}

// KindsSeen lists the kinds of the requests that were made in the days of a window, ascending.
func (x *Index) KindsSeen(r store.Reader, since, until int64) ([]int, error) {
	c := counting{x: x, r: r}
	return c.kinds(min(max(since, 0), lastTime), min(max(until, 0), lastTime))
}

func (c *counting) kinds(since, until int64) (kinds []int, err error) {
	day := levels[1]
	table := keyOf(keyRollup, []byte{day.name, dimKind})
	from, to := day.slot(since), day.slot(until)
	for next := 0; next <= math.MaxUint16; {
		start := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint16(slices.Clone(table), uint16(next)), from)
		found, slot := -1, uint32(0)
		err = c.r.Scan(table, start, func(key, _ []byte) bool {
			found, slot = int(binary.BigEndian.Uint16(key[len(table):])), binary.BigEndian.Uint32(key[len(table)+2:])
			return false
		})
		if err != nil || found < 0 {
			return kinds, err
		}
		switch {
		case slot >= from && slot <= to:
			kinds = append(kinds, found)
			next = found + 1
		case slot > to:
			next = found + 1
		default:
			next = found // its first days are older than the window
		}
	}
	return kinds, nil
}

// count adds up the window: single jobs where it begins or ends within an hour, and between them hours and days.
func (c *counting) count() error {
	c.series = newSeries(c.q.Step, c.since, c.until, c.wholeHours())
	if c.since > c.until || len(c.plus) == 0 {
		return nil
	}
	from, to := levels[0].slot(c.since), levels[0].slot(c.until)
	if !c.wholeHours() {
		if done, err := c.edges(&from, &to); err != nil || done {
			return err
		}
	} else {
		c.since = int64(from) * hourSeconds
		if end := int64(to)*hourSeconds + hourSeconds - 1; end < c.now {
			c.until = end
		}
	}
	if from > to {
		return nil
	}
	return c.slots(from, to, nil)
}

// wholeHours says whether the window is made of whole hours.
func (c *counting) wholeHours() bool { return c.q.WholeHours || !c.q.Provider.IsZero() }

// slots adds hours, and whole days where the series does not want them apart. With only, just these sums of them.
func (c *counting) slots(from, to uint32, only *[2]int) error {
	const perDay = uint32(daySeconds / hourSeconds)
	first, last := (from+perDay-1)/perDay, (to+1)/perDay // days, last excluded
	if !c.q.Provider.IsZero() || c.series.step < daySeconds && c.series.step > 0 || first >= last {
		return c.sum(levels[0], from, to, only)
	}
	if from < first*perDay {
		if err := c.sum(levels[0], from, first*perDay-1, only); err != nil {
			return err
		}
	}
	if err := c.sum(levels[1], first, last-1, only); err != nil {
		return err
	}
	if last*perDay <= to {
		return c.sum(levels[0], last*perDay, to, only)
	}
	return nil
}

func (c *counting) sum(l level, from, to uint32, only *[2]int) error {
	for sign, dims := range map[int64][]dim{1: c.plus, -1: c.minus} {
		for _, d := range dims {
			err := c.scan(keyRollup, l, d, from, to, func(slot uint32, value []byte) error {
				if c.series.step == 0 && only == nil {
					met := &c.customers
					if c.q.NoDistinct {
						met = nil
					}
					return c.rows.add(value, sign, met)
				}
				t, err := decodeTally(value)
				if err != nil {
					return err
				}
				if only != nil {
					all := t
					t = &tally{}
					for _, i := range only {
						t.n[i] = all.n[i]
					}
				}
				c.total.add(t, sign)
				if t.met != nil && !c.q.NoDistinct {
					c.customers.add(t.met.customers)
				}
				if i := c.series.index(int64(slot) * l.seconds); i >= 0 {
					c.series.sums[i].add(t, sign)
				}
				return nil
			})
			if err != nil {
				return err
			}
		}
	}
	if !c.q.Provider.IsZero() {
		return nil
	}
	return c.meet(l, from, to)
}

func (c *counting) meet(l level, from, to uint32) error {
	if c.q.NoDistinct {
		return nil
	}
	for _, d := range c.crowds {
		err := c.scan(keyCrowd, l, d, from, to, func(_ uint32, value []byte) error {
			row := decoder{b: value}
			row.version()
			c.customers.read(&row)
			c.providers.read(&row)
			return row.end("crowd")
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (c *counting) scan(table byte, l level, d dim, from, to uint32, fn func(slot uint32, value []byte) error) error {
	var fault error
	prefix := l.prefix(table, &d)
	err := c.r.Scan(prefix, l.key(table, &d, from), func(key, value []byte) bool {
		slot, kind := slotAfter(prefix, key)
		if slot > to {
			return false
		}
		if d.ofProvider() && (c.q.Kind != 0 && kind != c.q.Kind || slices.Contains(c.q.ExcludeKinds, kind)) {
			return true
		}
		fault = fn(slot, value)
		return fault == nil
	})
	if err == nil {
		err = fault
	}
	return err
}
