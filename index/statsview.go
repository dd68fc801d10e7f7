package index

import (
	"time"

	"dvmrelay/nip90"
)

// stats shows what was counted.
func (c *counting) stats() (Stats, error) {
	t := &c.total
	t.add(c.rows.tally(), 1)
	s := Stats{
		Since: c.since, Until: c.until, Counts: t.counts(), Customers: c.customers.sketch().count(), Providers: c.providers.sketch().count(),
		FirstFeedbackMs: t.h[histFirstFeedback].quantiles(1000), FirstResultMs: t.h[histFirstResult].quantiles(1000),
		PaidToResultMs: t.h[histPaidToResult].quantiles(1000), PriceMsat: t.h[histPrice].quantiles(1),
	}
	if !c.q.Provider.IsZero() {
		s.Providers = min(s.Requests, 1)
	} else if err := c.rate(&s); err != nil {
		return s, err
	}
	s.Complete = c.complete
	heard := c.x.Heard(c.since, c.until)
	s.ObservedSince, s.Coverage, s.Gaps = heard.ObservedSince, heard.Coverage, heard.Gaps
	if err := c.imported(&s); err != nil {
		return s, err
	}
	s.Series = c.series.points(c.x.o.Listening, c.since, c.until)
	return s, nil
}

func (t *tally) counts() Counts {
	n := &t.n
	return Counts{
		Requests: n[sumRequests], Addressed: n[sumAddressed], Cancelled: n[sumCancelled], Answered: n[sumAnswered],
		Results: n[sumResults], Feedbacks: n[sumFeedbacks], Errors: n[sumErrors], Unlinked: n[sumUnlinked], First: n[sumFirst],
		AskedMsat: n[sumAsked], ClaimedMsat: n[sumClaimed], PaidJobs: n[sumPaid], Undelivered: n[sumUndelivered], Late: n[sumLate],
	}
}

// rate judges the requests that are old enough.
func (c *counting) rate(s *Stats) error {
	if len(c.plus) == 0 || c.since > c.until {
		return nil
	}
	var answered int64
	left := maxPending
	young := max(c.since, c.now-c.x.unansweredAfter())
	err := c.each(young, c.until, func(root nip90.ID, _ int64) (bool, error) {
		if left == 0 {
			c.complete = false
			return false, nil
		}
		left--
		row, ok, err := readThread(c.r, root)
		if err != nil || !ok || row.cancelled() {
			return err == nil, err
		}
		s.ExcludedPending++
		if row.answers > 0 {
			answered++
		}
		return true, nil
	})
	if err != nil {
		return err
	}
	if due := s.Requests - s.Cancelled - s.ExcludedPending; due > 0 {
		rate := float64(s.Answered-answered) / float64(due)
		s.AnswerRate = &rate
	}
	return nil
}

// imported counts the requests of hours before this relay listened, the hour in which it began among them.
func (c *counting) imported(s *Stats) error {
	if s.ObservedSince <= c.since || c.since > c.until || len(c.plus) == 0 {
		return nil
	}
	until := min(c.until, s.ObservedSince-1)
	if until == c.until {
		s.Imported = s.Requests
		return nil
	}
	past := counting{x: c.x, r: c.r, q: c.q, now: c.now, since: c.since, until: until, plus: c.plus, minus: c.minus}
	past.q.Step, past.q.NoDistinct, past.q.WholeHours = -1, true, true
	if err := past.count(); err != nil {
		return err
	}
	s.Imported = min(past.total.n[sumRequests]+past.rows.n[sumRequests], s.Requests)
	return nil
}

// The steps of a series, in seconds. The last stands for calendar months.
const (
	stepFine  = 300
	stepMonth = 30 * daySeconds
	maxPoints = 1_000
)

// series cuts a window into steps.
type series struct {
	step   int64 // seconds; 0 = no series
	starts []int64
	sums   []tally
}

// newSeries cuts a window into steps of about the seconds asked for; 0 lets the window choose, below 0 asks for none.
func newSeries(step, since, until int64, whole bool) series {
	span := until - since
	if step < 0 || span < 0 {
		return series{}
	}
	if step == 0 {
		switch {
		case span <= 2*hourSeconds:
			step = stepFine
		case span <= 3*daySeconds:
			step = hourSeconds
		case span <= 120*daySeconds:
			step = daySeconds
		default:
			step = stepMonth
		}
	}
	s := series{step: stepMonth}
	for _, fit := range [...]int64{stepFine, hourSeconds, daySeconds} {
		if step <= fit && (!whole || fit >= hourSeconds) && span/fit < maxPoints {
			s.step = fit
			break
		}
	}
	for at := s.start(since); at <= until && len(s.starts) < maxPoints; at = s.next(at) {
		s.starts = append(s.starts, at)
	}
	s.sums = make([]tally, len(s.starts))
	return s
}

// start is the beginning of the step that a time lies in.
func (s *series) start(at int64) int64 {
	if s.step != stepMonth {
		return at / s.step * s.step
	}
	t := time.Unix(at, 0).UTC()
	return time.Date(t.Year(), t.Month(), 1, 0, 0, 0, 0, time.UTC).Unix()
}

func (s *series) next(start int64) int64 {
	if s.step != stepMonth {
		return start + s.step
	}
	return time.Unix(start, 0).UTC().AddDate(0, 1, 0).Unix()
}

// index is the step of a time, -1 if there is none.
func (s *series) index(at int64) int {
	if s.step == 0 || len(s.starts) == 0 || at < s.starts[0] {
		return -1
	}
	i := int((at - s.starts[0]) / s.step)
	if s.step == stepMonth {
		from, to := time.Unix(s.starts[0], 0).UTC(), time.Unix(at, 0).UTC()
		i = (to.Year()-from.Year())*12 + int(to.Month()-from.Month())
	}
	if i >= len(s.starts) {
		return -1
	}
	return i
}

// points shows the steps. Where nothing was heard and nothing came in another way, nothing is said.
func (s *series) points(l Listening, since, until int64) []Point {
	out := make([]Point, len(s.starts))
	for i, at := range s.starts {
		p, t := &out[i], &s.sums[i]
		p.At = at
		from, to := max(at, since), min(s.next(at)-1, until)
		if l != nil && from <= to {
			var heard int64
			for _, c := range l.Coverage(from, to) {
				heard = max(heard, c.HeardSeconds)
			}
			p.Gap = heard*2 < to-from+1
		}
		if p.Gap && t.empty() {
			continue
		}
		n := t.n
		p.Requests, p.Answered, p.Results, p.Errors, p.ClaimedMsat = &n[sumRequests], &n[sumAnswered], &n[sumResults], &n[sumErrors], &n[sumClaimed]
		if q := t.h[histFirstResult].quantiles(1000); q != nil {
			p.FirstResultP50Ms = &q.P50
		}
	}
	return out
}
