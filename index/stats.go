package index

import (
	"slices"

	"dvmrelay/nip90"
	"dvmrelay/store"
)

// maxCounted bounds the jobs, and the threads without a request, that one Stats reads.
const maxCounted = 200_000

// Stats counts what was asked between since and until, both inclusive unix seconds, and what came of it as seen at now.
// An until or now of 0 is the clock of Options.
func (x *Index) Stats(r store.Reader, since, until, now int64) (Stats, error) {
	now = x.now(now)
	if until == 0 {
		until = now
	}
	s := Stats{Since: since, Until: until, Complete: true}
	c := counter{
		x: x, r: r, now: now, stats: &s,
		customers: make(map[nip90.PubKey]struct{}), providers: make(map[nip90.PubKey]struct{}),
	}
	if err := c.jobs(); err != nil {
		return s, err
	}
	if err := c.orphans(); err != nil {
		return s, err
	}
	s.Customers, s.Providers = int64(len(c.customers)), int64(len(c.providers))
	if c.judged > 0 {
		rate := float64(c.answered) / float64(c.judged)
		s.AnswerRate = &rate
	}
	return s, nil
}

type counter struct {
	x                    *Index
	r                    store.Reader
	now                  int64
	stats                *Stats
	customers, providers map[nip90.PubKey]struct{}
	judged, answered     int64
}

func (c *counter) jobs() error {
	prefix := []byte{keyJob}
	left := maxCounted
	var fault error
	err := c.r.Scan(prefix, append(slices.Clone(prefix), descending(c.stats.Until)...), func(key, _ []byte) bool {
		created, root, ok := splitTimed(key)
		if !ok || created < c.stats.Since {
			return false
		}
		if left == 0 {
			c.stats.Complete = false
			return false
		}
		left--
		fault = c.job(root)
		return fault == nil
	})
	if err == nil {
		err = fault
	}
	return err
}

func (c *counter) job(root nip90.ID) error {
	row, folded, ok, err := current(c.r, root)
	if err != nil || !ok {
		return err
	}
	s := c.stats
	s.Requests++
	s.Results += row.results
	s.Feedbacks += row.feedbacks
	s.Errors += row.errors
	s.AskedMsat += max(row.asked, 0)
	s.ClaimedMsat += max(row.claimed, 0)
	switch {
	case row.cancelled():
	case c.now-row.created <= c.x.unansweredAfter():
		s.ExcludedPending++
	default:
		c.judged++
		if row.answers > 0 {
			c.answered++
		}
	}
	f, ok, err := c.r.Fact(root)
	if err != nil {
		return err
	}
	if ok && c.x.keepsCustomer(&f) {
		c.customers[f.Author] = struct{}{}
	}
	if row.answers == 0 {
		return nil
	}
	return eachSide(c.r, root, folded, func(p nip90.PubKey, side *sideRow) bool {
		if side.answers > 0 {
			c.providers[p] = struct{}{}
		}
		return true
	})
}

func (c *counter) orphans() error {
	left := maxCounted
	var fault error
	err := c.r.Scan([]byte{keyOrphan}, nil, func(key, _ []byte) bool {
		if left == 0 {
			c.stats.Complete = false
			return false
		}
		left--
		root, _ := lastID(key)
		row, _, _, err := current(c.r, root)
		if err != nil {
			fault = err
			return false
		}
		if row.silence >= c.stats.Since && row.silence <= c.stats.Until {
			c.stats.Unlinked += row.answers
		}
		return true
	})
	if err == nil {
		err = fault
	}
	return err
}
