package main

import (
	"fmt"
	"strings"
)

// shownStats is what a page shows of stats. It is read from JSON, as the API writes it.
type shownStats struct {
	Window        string `json:"window"`
	Since         int64  `json:"since"`
	Until         int64  `json:"until"`
	ObservedSince int64  `json:"observed_since"`
	Coverage      []struct {
		URL           string `json:"url"`
		HeardSeconds  int64  `json:"heard_seconds"`
		WindowSeconds int64  `json:"window_seconds"`
	} `json:"coverage"`
	Gaps []struct {
		URL   string `json:"url"`
		Since int64  `json:"since"`
		Until int64  `json:"until"`
		Why   string `json:"why"`
	} `json:"gaps"`
	Imported        int64           `json:"imported"`
	Requests        int64           `json:"requests"`
	Addressed       int64           `json:"addressed"`
	Cancelled       int64           `json:"cancelled"`
	Answered        int64           `json:"answered"`
	Results         int64           `json:"results"`
	Feedbacks       int64           `json:"feedbacks"`
	Errors          int64           `json:"errors"`
	Unlinked        int64           `json:"unlinked"`
	First           int64           `json:"first"`
	AskedMsat       int64           `json:"asked_msat"`
	ClaimedMsat     int64           `json:"claimed_msat"`
	PaidJobs        int64           `json:"paid_jobs"`
	Undelivered     int64           `json:"undelivered"`
	Late            int64           `json:"late"`
	Customers       int64           `json:"customers"`
	Providers       int64           `json:"providers"`
	AnswerRate      *float64        `json:"answer_rate"`
	ExcludedPending int64           `json:"excluded_pending"`
	FirstFeedbackMs *shownQuantiles `json:"first_feedback_ms"`
	FirstResultMs   *shownQuantiles `json:"first_result_ms"`
	PaidToResultMs  *shownQuantiles `json:"paid_to_result_ms"`
	PriceMsat       *shownQuantiles `json:"price_msat"`
	Series          []shownPoint    `json:"series"`
	Complete        bool            `json:"complete"`
}

type shownPoint struct {
	At          int64  `json:"at"`
	Gap         bool   `json:"gap"`
	Requests    *int64 `json:"requests"`
	Answered    *int64 `json:"answered"`
	Results     *int64 `json:"results"`
	Errors      *int64 `json:"errors"`
	ClaimedMsat *int64 `json:"claimed_msat"`
}

// maxGaps is how many gaps a page names.
const maxGaps = 10

// stats draws counts: of which time they are, how well it was heard, and what happened in it.
func (p *page) stats(st shownStats) {
	window := "from " + clock(st.Since) + " to " + clock(st.Until) + " UTC"
	if st.Since == 0 {
		window = "until " + clock(st.Until) + " UTC"
	}
	if st.Window != "" {
		window = st.Window + ", " + window
	}
	p.field("window", window)
	p.heard(st)
	p.line("")
	p.counts(st)
	p.series(st.Series)
}

func (p *page) heard(st shownStats) {
	if st.ObservedSince != 0 {
		p.field("listening", "since "+clock(st.ObservedSince)+" UTC")
	}
	for i, c := range st.Coverage {
		label := ""
		if i == 0 {
			label = "heard"
		}
		share := "-"
		if c.WindowSeconds > 0 {
			share = percent(float64(c.HeardSeconds) / float64(c.WindowSeconds))
		}
		p.field(label, pad(share, 8)+clean(c.URL, 80))
	}
	for i, g := range st.Gaps {
		label := ""
		if i == 0 {
			label = "gaps"
		}
		if i == maxGaps {
			p.field("", fmt.Sprintf("and %d more", len(st.Gaps)-maxGaps))
			break
		}
		p.field(label, fmt.Sprintf("%s to %s (%s) %s: %s", clock(g.Since), clock(g.Until), span((g.Until-g.Since)*1000), clean(g.URL, 60), clean(g.Why, 60)))
	}
	if !st.Complete {
		p.field("note", "the window holds more than one answer reads; the counts are of its newest part")
	}
}

func (p *page) counts(st shownStats) {
	rate := "none old enough to judge"
	if st.AnswerRate != nil {
		rate = percent(*st.AnswerRate) + " of those old enough"
	}
	p.field("requests", fmt.Sprintf("%d by %d customers (%d name providers, %d cancelled, %d imported)", st.Requests, st.Customers, st.Addressed, st.Cancelled, st.Imported))
	p.field("answered", fmt.Sprintf("%d by %d providers, %s (%d are not)", st.Answered, st.Providers, rate, st.ExcludedPending))
	p.field("results", fmt.Sprintf("%d, of %d jobs", st.Results, st.First))
	p.field("feedback", fmt.Sprintf("%d", st.Feedbacks))
	p.field("errors", fmt.Sprintf("%d", st.Errors))
	p.field("unlinked", fmt.Sprintf("%d answers to requests that are not here", st.Unlinked))
	p.field("money", fmt.Sprintf("asked %s, claimed paid %s for %d jobs, %d of them undelivered", sats(st.AskedMsat), sats(st.ClaimedMsat), st.PaidJobs, st.Undelivered))
	if st.Late > 0 {
		p.field("late", fmt.Sprintf("changes to hours that were sealed: %d", st.Late))
	}
	var rows [][]string
	for _, x := range []struct {
		name string
		q    *shownQuantiles
		show func(int64) string
	}{
		{"first feedback", st.FirstFeedbackMs, span},
		{"first result", st.FirstResultMs, span},
		{"paid to result", st.PaidToResultMs, span},
		{"price asked", st.PriceMsat, sats},
	} {
		if x.q != nil {
			rows = append(rows, []string{x.name, x.show(x.q.P50), x.show(x.q.P95), x.show(x.q.P99), fmt.Sprint(x.q.Count)})
		}
	}
	p.table([]string{"", "P50", "P95", "P99", "OF"}, rows)
}

// sparkColumns is how wide a line of the series may be.
const sparkColumns = 96

// series draws each row of numbers as a line of blocks, one for each step of time.
func (p *page) series(points []shownPoint) {
	if len(points) == 0 {
		return
	}
	p.line("\nfrom %s to %s UTC; a dot is a time that was not heard", clock(points[0].At), clock(points[len(points)-1].At))
	for _, row := range []struct {
		name string
		of   func(shownPoint) *int64
	}{
		{"requests", func(x shownPoint) *int64 { return x.Requests }},
		{"answered", func(x shownPoint) *int64 { return x.Answered }},
		{"results", func(x shownPoint) *int64 { return x.Results }},
		{"errors", func(x shownPoint) *int64 { return x.Errors }},
	} {
		values := make([]*int64, len(points))
		for i, x := range points {
			values[i] = row.of(x)
		}
		line, top := spark(values, sparkColumns)
		p.field(row.name, line+fmt.Sprintf("  most %d", top))
	}
}

// spark draws values as blocks, at most so many; nil, which is unknown, as a dot. Several steps in one block add up, and
// are unknown only when all of them are. top is what the highest block stands for.
func spark(values []*int64, most int) (line string, top int64) {
	each := (len(values) + most - 1) / most
	var sums []*int64
	for i := 0; i < len(values); i += each {
		var sum *int64
		for _, v := range values[i:min(i+each, len(values))] {
			if v == nil {
				continue
			}
			if sum == nil {
				sum = new(int64)
			}
			*sum += *v
		}
		if sums = append(sums, sum); sum != nil {
			top = max(top, *sum)
		}
	}
	blocks := []rune("▁▂▃▄▅▆▇█")
	var b strings.Builder
	for _, sum := range sums {
		switch {
		case sum == nil:
			b.WriteRune('·')
		case *sum <= 0:
			b.WriteRune(' ')
		default:
			b.WriteRune(blocks[int64(len(blocks)-1)*(*sum)/top])
		}
	}
	return b.String(), top
}
