package index

import (
	"encoding/binary"
	"slices"

	"dvmrelay/nip90"
)

// edges counts the hours that the window has only a part of, and leaves the whole ones between.
func (c *counting) edges(from, to *uint32) (done bool, err error) {
	start, end := int64(*from)*hourSeconds, int64(*to)*hourSeconds+hourSeconds-1
	if small := c.series.step > 0 && c.series.step < hourSeconds; *from == *to || small {
		if c.since == start && c.until == end && !small {
			return false, nil
		}
		fine, err := c.jobs(c.since, c.until, 1)
		if err != nil {
			return false, err
		}
		if fine {
			return true, c.slots(*from, *to, &wholeOnly)
		}
		if small {
			c.series = newSeries(hourSeconds, c.since, c.until, false)
		}
	}
	if c.since > start {
		if err := c.part(start, c.since, min(start+hourSeconds-1, c.until), true); err != nil || *from == *to {
			return true, err
		}
		*from++
	}
	if c.until < end {
		if err := c.part(int64(*to)*hourSeconds, int64(*to)*hourSeconds, c.until, false); err != nil || *from == *to {
			return true, err
		}
		*to--
	}
	return false, nil
}

// part counts the part of an hour between two times by reading the jobs of whichever is shorter: the part, or the rest of
// the hour, which is then taken away. When those are too many the whole hour is counted, and the window is moved.
func (c *counting) part(start, since, until int64, first bool) error {
	slot, end := levels[0].slot(start), start+hourSeconds-1
	inside := until-since < (since-start)+(end-until)
	if c.until >= c.now && until == c.until {
		inside = false // what lies in the future is little
	}
	if inside {
		if fine, err := c.jobs(since, until, 1); err != nil || fine {
			if err != nil {
				return err
			}
			return c.slots(slot, slot, &wholeOnly)
		}
	} else {
		before, err := c.jobs(start, since-1, -1)
		if err != nil {
			return err
		}
		after, err := c.jobs(until+1, end, -1)
		if err != nil {
			return err
		}
		if before && after {
			return c.slots(slot, slot, nil)
		}
		// Too many to be taken away one by one: what was taken is added again.
		if before {
			_, err = c.jobs(start, since-1, 1)
		} else if after {
			_, err = c.jobs(until+1, end, 1)
		}
		if err != nil {
			return err
		}
	}
	if first {
		c.since = start
	} else {
		c.until = end
	}
	return c.slots(slot, slot, nil)
}

// wholeOnly are the sums that are taken from the hour even where jobs are counted one by one.
var wholeOnly = [...]int{sumUnlinked, sumLate}

// jobs adds the jobs asked between two times, sign times. False, and nothing added, when they are too many.
func (c *counting) jobs(since, until, sign int64) (bool, error) {
	var sum tally
	points := make(map[int]*tally)
	n := 0
	if since > until {
		return true, nil
	}
	err := c.each(since, until, func(root nip90.ID, at int64) (bool, error) {
		if n++; n > maxEdge {
			return false, nil
		}
		row, ok, err := readThread(c.r, root)
		if err != nil || !ok {
			return err == nil, err
		}
		one, err := c.job(root, &row)
		if err != nil {
			return false, err
		}
		sum.add(one, sign)
		if i := c.series.index(at); i >= 0 {
			if points[i] == nil {
				points[i] = &tally{}
			}
			points[i].add(one, sign)
		}
		return true, nil
	})
	if err != nil || n > maxEdge {
		return false, err
	}
	c.total.add(&sum, 1)
	for i, t := range points {
		c.series.sums[i].add(t, 1)
	}
	return true, nil
}

// job is what one job adds.
func (c *counting) job(root nip90.ID, row *threadRow) (*tally, error) {
	none, is := newPart(), row.part()
	t := (&tally{}).with(&none, &is)
	if row.askers+row.claims == 0 {
		return t, nil
	}
	err := eachSide(c.r, root, nil, func(_ nip90.PubKey, s *sideRow) bool {
		is := s.market(row.head())
		t = t.with(&none, &is)
		return true
	})
	return t, err
}

// each walks the requests between two times that the query counts, newest first.
func (c *counting) each(since, until int64, fn func(root nip90.ID, at int64) (bool, error)) error {
	prefix := []byte{keyJob}
	if c.q.Kind != 0 {
		prefix = binary.BigEndian.AppendUint16([]byte{keyByKind}, uint16(c.q.Kind))
	}
	var fault error
	err := c.r.Scan(prefix, append(slices.Clone(prefix), descending(until)...), func(key, value []byte) bool {
		at, root, ok := splitTimed(key)
		if !ok || at < since {
			return false
		}
		if c.q.Kind == 0 && len(value) > 1 && slices.Contains(c.q.ExcludeKinds, int(binary.BigEndian.Uint16(value))) {
			return true
		}
		ok, fault = fn(root, at)
		return ok
	})
	if err == nil {
		err = fault
	}
	return err
}
