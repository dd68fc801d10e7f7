package month

import (
	"slices"

	"dvmrelay/nip90"
)

// Query chooses what is counted; zero fields choose all.
type Query struct {
	Since, Until int64 // unix seconds, inclusive
	Kind         int
	Provider     nip90.PubKey
	ExcludeKinds []int
}

// Counts are the plain sums, under the names that the index gives them.
type Counts struct {
	Requests, Addressed, Cancelled, Answered, Results, Feedbacks, Errors, Unlinked, First int64
	AskedMsat, ClaimedMsat, PaidJobs, Undelivered                                         int64
}

// Totals are what a window comes to, with every value that a quantile is taken of.
type Totals struct {
	Counts
	Customers, Providers int64
	// MostCustomers and MostProviders also count who was forgotten since, and who answered what turned out to be about
	// another job: distinct counts may remember them.
	MostCustomers, MostProviders int64
	Judged, JudgedAnswered       int64 // jobs old enough, not cancelled; of these answered
	ExcludedPending              int64

	FirstFeedbackMs, FirstResultMs, PaidToResultMs, PriceMsat []int64 // sorted
}

func (q *Query) wants(kind int) bool {
	return (q.Kind == 0 || q.Kind == kind) && !slices.Contains(q.ExcludeKinds, kind)
}

// Stats loops over all jobs and counts.
func (v *View) Stats(q Query) Totals {
	var t Totals
	customers, providers := make(map[nip90.PubKey]bool), make(map[nip90.PubKey]bool)
	for _, j := range v.list {
		switch {
		case !j.Seen:
			v.orphan(&t, j, &q)
		case !q.holds(j.CreatedAt, j.Kind):
		case q.Provider.IsZero():
			v.whole(&t, j)
			customers[j.Customer] = true
			for p, s := range j.Sides {
				if s.Answers > 0 {
					providers[p] = true
				}
			}
		default:
			v.part(&t, j, q.Provider)
			if s := j.Sides[q.Provider]; s != nil && s.Answers > 0 {
				customers[j.Customer], providers[q.Provider] = true, true
			}
		}
	}
	t.Customers, t.Providers = int64(len(customers)), int64(len(providers))
	v.remembered(&q, customers, providers)
	t.MostCustomers, t.MostProviders = int64(len(customers)), int64(len(providers))
	for _, list := range [][]int64{t.FirstFeedbackMs, t.FirstResultMs, t.PaidToResultMs, t.PriceMsat} {
		slices.Sort(list)
	}
	return t
}

// remembered adds who may have been met on the way: before an answer went to a better job, before a key was forgotten.
func (v *View) remembered(q *Query, customers, providers map[nip90.PubKey]bool) {
	met := func(root nip90.ID, customer nip90.PubKey) {
		if q.Provider.IsZero() {
			customers[customer] = true
			for _, p := range v.mentions[root] {
				providers[p] = true
			}
		} else if slices.Contains(v.mentions[root], q.Provider) {
			customers[customer], providers[q.Provider] = true, true
		}
	}
	for _, j := range v.list {
		if j.Seen && q.holds(j.CreatedAt, j.Kind) {
			met(j.Root, j.Customer)
		}
	}
	for _, f := range v.erased {
		if q.holds(f.at, f.kind) {
			met(f.id, f.author)
		}
	}
}

func (q *Query) holds(at int64, kind int) bool {
	return at >= q.Since && at <= q.Until && q.wants(kind)
}

func (v *View) orphan(t *Totals, j *Job, q *Query) {
	in := func(at int64) bool { return at >= q.Since && at <= q.Until && q.Kind == 0 }
	if q.Provider.IsZero() {
		if in(j.Silence) {
			t.Unlinked += j.Answers
		}
	} else if s := j.Sides[q.Provider]; s != nil && in(s.last) {
		t.Unlinked += s.Answers
	}
}

// judge counts a job as one of those that show how many are answered.
func (v *View) judge(t *Totals, j *Job, answered bool) {
	switch {
	case j.Cancelled:
		t.Cancelled++
		return
	case v.Now-j.CreatedAt <= int64(v.ref.UnansweredAfter.Seconds()):
		t.ExcludedPending++
	default:
		t.Judged++
		if answered {
			t.JudgedAnswered++
		}
	}
	if answered {
		t.Answered++
	}
}

// whole counts a job with all its providers.
func (v *View) whole(t *Totals, j *Job) {
	t.Requests++
	if len(j.Addressed) > 0 {
		t.Addressed++
	}
	v.judge(t, j, j.Answers > 0)
	t.Results += j.Results
	t.Feedbacks += j.Feedbacks
	t.Errors += j.Errors
	t.AskedMsat = plus(t.AskedMsat, j.Asked)
	t.ClaimedMsat = plus(t.ClaimedMsat, j.Claimed)
	if j.Claims > 0 {
		t.PaidJobs++
		if j.Results == 0 {
			t.Undelivered++
		}
	}
	if j.Results > 0 {
		t.First++
	}
	first, done := int64(0), int64(0)
	for _, s := range j.Sides {
		if s.Feedbacks > 0 && (first == 0 || s.FirstFeedback < first) {
			first = s.FirstFeedback
		}
		if s.Results > 0 && (done == 0 || s.FirstResult < done) {
			done = s.FirstResult
		}
		t.money(s)
	}
	t.times(j, first, done)
}

// part counts one provider's side of a job.
func (v *View) part(t *Totals, j *Job, p nip90.PubKey) {
	if slices.Contains(j.Addressed, p) {
		t.Addressed++
	}
	s := j.Sides[p]
	if s == nil {
		return
	}
	t.ClaimedMsat = plus(t.ClaimedMsat, s.Claimed)
	if s.Claims > 0 {
		t.PaidJobs++
		if s.Results == 0 {
			t.Undelivered++
		}
	}
	if s.Answers == 0 {
		return
	}
	t.Requests++
	t.Answered++ // of a provider, cancelled or not: it did its part
	t.Results += s.Results
	t.Feedbacks += s.Feedbacks
	t.Errors += s.Errors
	t.AskedMsat = plus(t.AskedMsat, s.Asked)
	if s.Results > 0 && j.winner() == p {
		t.First++
	}
	t.times(j, s.FirstFeedback, s.FirstResult)
	t.money(s)
}

// winner is who sent the first result; of two in the same second, the lowest key.
func (j *Job) winner() (first nip90.PubKey) {
	at := int64(0)
	for p, s := range j.Sides {
		if s.Results == 0 {
			continue
		}
		if at == 0 || s.FirstResult < at || s.FirstResult == at && p.String() < first.String() {
			at, first = s.FirstResult, p
		}
	}
	return first
}

// times adds how long it took; an answer that is older than its request says nothing about that.
func (t *Totals) times(j *Job, feedback, result int64) {
	if feedback != 0 && feedback >= j.CreatedAt {
		t.FirstFeedbackMs = append(t.FirstFeedbackMs, (feedback-j.CreatedAt)*1000)
	}
	if result != 0 && result >= j.CreatedAt {
		t.FirstResultMs = append(t.FirstResultMs, (result-j.CreatedAt)*1000)
	}
}

// money adds what a provider asked, and how long after it was paid its first result came.
func (t *Totals) money(s *Side) {
	if s.HasAsk {
		t.PriceMsat = append(t.PriceMsat, s.Asked)
	}
	if s.Claims > 0 && s.Results > 0 && s.FirstResult >= s.PaidAt {
		t.PaidToResultMs = append(t.PaidToResultMs, (s.FirstResult-s.PaidAt)*1000)
	}
}
