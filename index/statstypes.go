package index

import "dvmrelay/nip90"

// StatsQuery chooses what is counted; zero fields choose all.
type StatsQuery struct {
	Since, Until int64 // unix seconds, inclusive; an Until of 0 is Now
	Kind         int   // of the request
	Provider     nip90.PubKey
	ExcludeKinds []int // of the request
	WholeHours   bool  // widens the window to whole hours, which is cheaper
	NoDistinct   bool  // leaves Customers and Providers at 0, which is cheaper
	Step         int64 // seconds between the points of the series; 0 = chosen by the length of the window, below 0 = no series
	Now          int64 // unix seconds, 0 = the clock of Options
}

// Stats count the jobs that were asked within a window, and what came of them until now. With StatsQuery.Provider they
// count that provider's side alone: Requests are then the jobs it answered.
type Stats struct {
	Since         int64      `json:"since"`
	Until         int64      `json:"until"`
	ObservedSince int64      `json:"observed_since"` // since when this relay listens; 0 = unknown
	Coverage      []Coverage `json:"coverage"`       // how much of the window each source was heard
	Gaps          []Gap      `json:"gaps"`           // stretches of the window in which a source was not heard
	Imported      int64      `json:"imported"`       // of Requests: of a time before ObservedSince, so they came by import or backfill
	Counts
	Customers  int64    `json:"customers"`   // distinct; an estimate above about a thousand (HyperLogLog)
	Providers  int64    `json:"providers"`   // distinct, as above
	AnswerRate *float64 `json:"answer_rate"` // answered of those old enough to judge and not cancelled; null while there are none
	// ExcludedPending are requests too young to count as unanswered.
	ExcludedPending int64      `json:"excluded_pending"`
	FirstFeedbackMs *Quantiles `json:"first_feedback_ms"` // from the request to the first feedback, in milliseconds; null while there is none
	FirstResultMs   *Quantiles `json:"first_result_ms"`
	PaidToResultMs  *Quantiles `json:"paid_to_result_ms"`
	PriceMsat       *Quantiles `json:"price_msat"` // what was asked, per job and provider
	Series          []Point    `json:"series"`
	// Complete is false when the window held more than one answer may read: the counts are then of its newest part.
	Complete bool `json:"complete"`
}

// Counts are plain sums over jobs.
type Counts struct {
	Requests    int64 `json:"requests"`
	Addressed   int64 `json:"addressed"` // requests that name providers; of a provider: that name it
	Cancelled   int64 `json:"cancelled"` // by their customer; of a provider always 0
	Answered    int64 `json:"answered"`  // jobs with an answer of any kind, cancelled ones left out; of a provider all it answered
	Results     int64 `json:"results"`   // that are not errors, to these requests
	Feedbacks   int64 `json:"feedbacks"` // to these requests
	Errors      int64 `json:"errors"`    // results and feedbacks that say error
	Unlinked    int64 `json:"unlinked"`  // answers of threads whose request is not here, last heard within the window
	First       int64 `json:"first"`     // jobs with a result; of a provider: whose first result was its
	AskedMsat   int64 `json:"asked_msat"`
	ClaimedMsat int64 `json:"claimed_msat"`
	PaidJobs    int64 `json:"paid_jobs"`   // with a claimed payment
	Undelivered int64 `json:"undelivered"` // with a claimed payment and no result so far
	Late        int64 `json:"late"`        // changes to hours that had been sealed
}

// Point is one step of a series. Counts are nil where nothing was heard and nothing came in another way: unknown is not
// zero.
type Point struct {
	At               int64  `json:"at"` // unix seconds, the beginning
	Gap              bool   `json:"gap,omitempty"`
	Requests         *int64 `json:"requests"`
	Answered         *int64 `json:"answered"`
	Results          *int64 `json:"results"`
	Errors           *int64 `json:"errors"`
	ClaimedMsat      *int64 `json:"claimed_msat"`
	FirstResultP50Ms *int64 `json:"first_result_p50_ms"`
}

// Quantiles of a log-bucket histogram; each is within 1/32 of the true value.
type Quantiles struct {
	P50   int64 `json:"p50"`
	P95   int64 `json:"p95"`
	P99   int64 `json:"p99"`
	Count int64 `json:"count"`
}

// Coverage says for how much of a window a source was heard. The URL of this relay's own sockets is "self".
type Coverage struct {
	URL           string `json:"url"`
	HeardSeconds  int64  `json:"heard_seconds"`
	WindowSeconds int64  `json:"window_seconds"`
}

// Gap is a stretch of time in which a source was not heard.
type Gap struct {
	URL   string `json:"url"`
	Since int64  `json:"since"` // unix seconds
	Until int64  `json:"until"`
	Why   string `json:"why"`
}

// Heard says since when this relay listens, and how much of a window each source was heard, without counting anything.
// Of Stats all else is zero.
func (x *Index) Heard(since, until int64) Stats {
	s := Stats{Since: since, Until: until, Coverage: []Coverage{}, Gaps: []Gap{}, Series: []Point{}, Complete: true}
	if l := x.o.Listening; l != nil && since <= until {
		s.ObservedSince = l.Since()
		s.Coverage = append(s.Coverage, l.Coverage(since, until)...)
		s.Gaps = append(s.Gaps, l.Gaps(since, until, maxGaps)...)
	}
	return s
}

// Listening tells when each source was heard. Safe for concurrent use.
type Listening interface {
	// Since is when this relay began to listen, unix seconds; 0 = unknown.
	Since() int64
	// Coverage is one row for each source.
	Coverage(since, until int64) []Coverage
	// Gaps are the stretches of a window in which a source was not heard, oldest first, at most limit (0 = all).
	Gaps(since, until int64, limit int) []Gap
}
