package web

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"time"

	"dvmrelay/index"
	"dvmrelay/store"
)

const (
	overviewJobs    = 20
	overviewSummary = 90 // characters of a summary, unless all inputs are shown
	dominantKind    = 5300
)

// overview is what the first page shows.
type overview struct {
	Verdict verdict     `json:"verdict"`
	Strip   stripShown  `json:"strip"`
	Needs   index.Needs `json:"needs"`
	Day     index.Stats `json:"day"`
	Live    []liveJob   `json:"live"`
	// FirstRun: no job was ever seen.
	FirstRun  bool       `json:"first_run"`
	Without   []int      `json:"exclude_kind"`
	Upstreams []Upstream `json:"-"`
}

// verdict is how the hub is, in two lines.
type verdict struct {
	Hearing     int   `json:"hearing"`   // upstreams
	Upstreams   int   `json:"upstreams"` // in all
	LastEventAt int64 `json:"last_event_at,omitempty"`
	// HeardShare is the part of the last day, or of the time since this relay began, in which upstreams were heard.
	HeardShare   *float64 `json:"heard_share"`
	HeardSince   int64    `json:"heard_since,omitempty"` // that the share is of
	Whole        bool     `json:"whole_day"`
	Backfilling  int      `json:"backfilling"` // upstreams whose past is being read
	BackfilledTo int64    `json:"backfilled_to,omitempty"`
}

func (s *Site) overviewScreen() *screen {
	return &screen{
		path: "/{$}", file: "overview.html", style: []string{"overview.css"}, live: []string{"verdict", "strip", "rows", "needs", "figures", "live"}, load: s.overview,
	}
}

// recent are the jobs of the last 15 minutes.
func (s *Site) recent() *index.Recent {
	if s.fed {
		return s.d.Watch.Recent()
	}
	return index.NewWatch(index.WatchOptions{Now: s.d.Now}).Recent() // knows nothing, and reads it
}

// overview reads what the first page shows.
func (s *Site) overview(ctx context.Context, v *visit) (*sheet, error) {
	now := v.Now
	without, err := parsedKinds("exclude_kind", v.Query["exclude_kind"])
	if err != nil {
		return nil, err
	}
	slices.Sort(without)
	without = slices.Compact(without)
	o := &overview{Upstreams: s.d.Upstreams(), Without: without}
	if o.Without == nil {
		o.Without = []int{}
	}
	recent := s.recent()
	if err := recent.Fill(s.d.Index, s.d.View); err != nil {
		return nil, fmt.Errorf("read recent jobs: %w", err)
	}
	if o.Day, err = s.day(ctx, without); err != nil {
		return nil, fmt.Errorf("count a day: %w", err)
	}
	err = s.view(ctx, func(r store.Reader) error { return s.readOverview(r, o, recent, now) })
	if err != nil {
		return nil, fmt.Errorf("read overview: %w", err)
	}
	for i := range o.Live {
		s.veil(&o.Live[i].Thread)
	}
	o.Verdict = s.verdict(o.Upstreams, recent.Heard(), now)
	o.Strip.draw(s.d.Index.Heard(o.Strip.Since, o.Strip.Until), len(o.Upstreams))
	return &sheet{About: s.d.Description, Data: o}, nil
}

// day counts the last 24 hours without some kinds. While the site runs it is what was counted a moment ago.
func (s *Site) day(ctx context.Context, without []int) (index.Stats, error) {
	without = slices.Clone(without)
	return lately(ctx, s, &s.days, fmt.Sprint(without), func(ctx context.Context) (index.Stats, error) {
		now := s.d.Now()
		return s.count(ctx, index.StatsQuery{
			Since: index.WindowStart("24h", now), Until: now.Unix(), Now: now.Unix(), ExcludeKinds: without, NoDistinct: true, Step: -1,
		})
	})
}

func (s *Site) readOverview(r store.Reader, o *overview, recent *index.Recent, now time.Time) (err error) {
	if o.Strip.Strip, err = recent.Strip(s.d.Index, r, o.Without); err != nil {
		return err
	}
	if o.Needs, err = s.d.Index.Needs(r); err != nil {
		return err
	}
	page, err := s.d.Index.Threads(r, index.ThreadQuery{Limit: overviewJobs, Without: o.Without, Now: now.Unix()})
	if err != nil {
		return err
	}
	o.Live = make([]liveJob, len(page.Items))
	for i := range page.Items {
		o.Live[i].Thread = page.Items[i]
	}
	o.FirstRun = len(o.Live) == 0 && len(o.Without) == 0 && o.Strip.Jobs == 0
	return nil
}

func (s *Site) verdict(ups []Upstream, heard time.Time, now time.Time) verdict {
	v := verdict{Upstreams: len(ups)}
	if !heard.IsZero() {
		v.LastEventAt = heard.Unix()
	}
	for _, u := range ups {
		if u.State == "live" || u.State == "backfilling" {
			v.Hearing++
		}
		if b := u.Backfill; b != nil && !b.Done {
			v.Backfilling++
			v.BackfilledTo = max(v.BackfilledTo, b.Until)
		}
		v.LastEventAt = max(v.LastEventAt, u.LastEventAt)
	}
	v.LastEventAt = min(v.LastEventAt, now.Unix())
	began := s.d.Index.Heard(now.Unix(), now.Unix()).ObservedSince
	if began == 0 {
		return v
	}
	day := index.WindowStart("24h", now)
	v.HeardSince, v.Whole = max(began, day), began <= day
	if share, ok := heardShare(s.d.Index.Heard(v.HeardSince, now.Unix()).Coverage); ok {
		v.HeardShare = &share
	}
	return v
}

// heardShare is the part of a window in which upstreams were heard; this relay's own doors count when there are none.
func heardShare(list []index.Coverage) (float64, bool) {
	var heard, all [2]int64 // others, self
	for _, c := range list {
		self := 0
		if c.URL == index.SelfSource {
			self = 1
		}
		heard[self] += c.HeardSeconds
		all[self] += c.WindowSeconds
	}
	for i := range all {
		if all[i] > 0 {
			return float64(heard[i]) / float64(all[i]), true
		}
	}
	return 0, false
}

// Sign is the state of the hub as a sign beside the words.
func (v verdict) Sign() string {
	switch {
	case v.Upstreams > 0 && v.Hearing == 0:
		return "○"
	case v.Hearing < v.Upstreams:
		return "◐"
	}
	return "●"
}

// Class is its colour.
func (v verdict) Class() string {
	return map[string]string{"○": "bad", "◐": "warn", "●": "good"}[v.Sign()]
}

// Due is how many jobs of the day are old enough to be judged.
func (o *overview) Due() int64 { return o.Day.Requests - o.Day.Cancelled - o.Day.ExcludedPending }

// Crowd says whether the kind that most jobs are of is left out.
func (o *overview) Crowd() bool { return !slices.Contains(o.Without, dominantKind) }

// Toggle is the page with that kind, or without it.
func (o *overview) Toggle() string {
	kinds := slices.Clone(o.Without)
	if o.Crowd() {
		kinds = append(kinds, dominantKind)
	} else {
		kinds = slices.DeleteFunc(kinds, func(k int) bool { return k == dominantKind })
	}
	q := url.Values{}
	for _, k := range kinds {
		q.Add("exclude_kind", itoa(k))
	}
	if len(q) == 0 {
		return "/"
	}
	return "/?" + q.Encode()
}

// Behind are the upstreams whose past is being read, at most a few.
func (o *overview) Behind() (list []Upstream) {
	for _, u := range o.Upstreams {
		if u.Backfill != nil && !u.Backfill.Done && len(list) < 8 {
			list = append(list, u)
		}
	}
	return list
}

// liveJob is a job as the list of the newest ones shows it.
type liveJob struct{ index.Thread }

// Result is how long the first result took; empty while there is none.
func (j *liveJob) Result() string {
	first := int64(0)
	for _, p := range j.Providers {
		if p.FirstResultAt != 0 && (first == 0 || p.FirstResultAt < first) {
			first = p.FirstResultAt
		}
	}
	if first == 0 {
		return ""
	}
	return took(first - j.CreatedAt)
}

// Sign is the state that is shown: what was paid for in vain stands before the rest.
func (j *liveJob) Sign() string {
	if j.Payment == "undelivered" && j.State != index.StateSuccess {
		return j.Payment
	}
	return j.State
}

// By is who answered first with a result, or who answered at all; nil while nobody did.
func (j *liveJob) By() *index.Provider {
	var best *index.Provider
	for i := range j.Providers {
		p := &j.Providers[i]
		if best == nil || p.FirstResultAt != 0 && (best.FirstResultAt == 0 || p.FirstResultAt < best.FirstResultAt) {
			best = p
		}
	}
	return best
}

// took is a time in whole seconds as people read it: events tell no more.
func took(seconds int64) string {
	if seconds <= 0 {
		return "< 1 s"
	}
	if seconds < 120 {
		return fmt.Sprintf("%d s", seconds)
	}
	return lasting(time.Duration(seconds) * time.Second)
}
