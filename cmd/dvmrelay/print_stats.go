package main

import (
	"fmt"
	"strings"

	"dvmrelay/index"
	"dvmrelay/web"
)

// maxGaps is how many gaps a page names.
const maxGaps = 10

// stats draws counts: of which time they are, how well it was heard, and what happened in it.
func (p *page) stats(st web.WindowStats) {
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

func (p *page) heard(st web.WindowStats) {
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

func (p *page) counts(st web.WindowStats) {
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
		q    *index.Quantiles
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
func (p *page) series(points []index.Point) {
	if len(points) == 0 {
		return
	}
	p.line("\nfrom %s to %s UTC; a dot is a time that was not heard", clock(points[0].At), clock(points[len(points)-1].At))
	for _, row := range []struct {
		name string
		of   func(index.Point) *int64
	}{
		{"requests", func(x index.Point) *int64 { return x.Requests }},
		{"answered", func(x index.Point) *int64 { return x.Answered }},
		{"results", func(x index.Point) *int64 { return x.Results }},
		{"errors", func(x index.Point) *int64 { return x.Errors }},
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
