package web

import (
	"context"

	"dvmrelay/index"
)

// newestJobs is how many jobs stand on a page that is of more than jobs.
const newestJobs = 10

// history is what the pages of one provider and of one kind share: a window to choose, what happened in it as charts, and
// the newest jobs.
type history struct {
	Window   string
	Chips    []chip
	Series   *series
	Complete bool // the series is of all that there was
	Jobs     []index.Thread
}

// historyOf begins the history of the page at path. It fails with elsewhere when path was not asked for as it is spelled.
func historyOf(v *visit, path string, spelled bool) (h history, err error) {
	if h.Window, err = windowOf(v.Query); err != nil {
		return h, err
	}
	if !spelled {
		return h, elsewhere{withQuery(path, windowAlone(v.Query))}
	}
	h.Chips = windowChips(path, nil, h.Window)
	return h, nil
}

// draw makes two charts: some lines under a title, and how long the first result took.
func (h *history) draw(st *index.Stats, about, title string, lines ...string) {
	points := st.Series
	if h.Window == "all" {
		points = begun(points)
	}
	h.Complete = st.Complete
	h.Series = drawn("history", about, points, []string{title, "First result, median"}, lines, []string{"p50"})
}

// newest reads the newest jobs of a history.
func (s *Site) newest(ctx context.Context, h *history, of jobsInput) error {
	of.Limit = newestJobs
	jobs, err := s.jobs(ctx, &of)
	if err != nil {
		return err
	}
	h.Jobs = jobs.Body.Items
	return nil
}

// charted is the sheet of a page with charts.
func charted(title, about string, page any) *sheet {
	return &sheet{Title: title, About: about, Script: []string{"uplot.min.js", "charts.js"}, Style: []string{"uplot.min.css"}, Data: page}
}
