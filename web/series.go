package web

import (
	"time"

	"dvmrelay/index"
)

// maxSteps is how many steps of a series a page shows, the newest.
const maxSteps = 100

// series is a history as pages show it: as charts, drawn by charts.js from the table beside them.
type series struct {
	ID, About string
	Plots     []plot
	Columns   []column
	Rows      []step
	Step      int64 // seconds
	Gaps      int   // of the rows
	Cut       bool  // there are older steps
}

// plot is one of the charts of a series: some of its columns.
type plot struct {
	Title, Pick string
	Keys        []column
}

// column is one line of a chart. Unit is n or ms; Class is the name of a colour.
type column struct{ Code, Name, Unit, Class string }

// step is one row. Its cells stand in the order of the columns.
type step struct {
	At    int64
	When  string
	Gap   bool
	Cells []figure
}

// figure is a number, or that it is not known.
type figure struct {
	Label, Text string
	Value       int64
	Known       bool
}

// lines are what a series can show.
var lines = map[string]struct {
	column
	of func(*index.Point) *int64
}{
	"requests": {column{"requests", "requests", "n", "chart-asked"}, func(p *index.Point) *int64 { return p.Requests }},
	"answered": {column{"answered", "answered", "n", "good"}, func(p *index.Point) *int64 { return p.Answered }},
	"taken":    {column{"taken", "answered", "n", "chart-asked"}, func(p *index.Point) *int64 { return p.Answered }},
	"results":  {column{"results", "results", "n", "good"}, func(p *index.Point) *int64 { return p.Results }},
	"errors":   {column{"errors", "errors", "n", "bad"}, func(p *index.Point) *int64 { return p.Errors }},
	"p50":      {column{"p50", "first result p50", "ms", "link"}, func(p *index.Point) *int64 { return p.FirstResultP50Ms }},
}

// begun leaves out the steps before the first that anything is known of.
func begun(points []index.Point) []index.Point {
	for i := range points {
		if n := points[i].Requests; n != nil && *n > 0 {
			return points[max(i-1, 0):]
		}
	}
	return nil
}

// drawn is a history with one plot for each list of columns.
func drawn(id, about string, points []index.Point, titles []string, picks ...[]string) *series {
	s := &series{ID: id, About: about, Cut: len(points) > maxSteps, Step: 86400}
	for i := 1; i < len(points); i++ {
		s.Step = points[i].At - points[i-1].At
	}
	points = points[max(len(points)-maxSteps, 0):]
	for i, pick := range picks {
		p := plot{Title: titles[i]}
		for _, name := range pick {
			s.Columns = append(s.Columns, lines[name].column)
			p.Keys = append(p.Keys, lines[name].column)
			if p.Pick != "" {
				p.Pick += " "
			}
			p.Pick += name
		}
		s.Plots = append(s.Plots, p)
	}
	for i := range points {
		s.Rows = append(s.Rows, s.row(&points[i]))
		if points[i].Gap {
			s.Gaps++
		}
	}
	return s
}

func (s *series) row(p *index.Point) step {
	row := step{At: p.At, When: stepName(p.At, s.Step), Gap: p.Gap}
	for _, c := range s.Columns {
		n := lines[c.Code].of(p)
		one := figure{Label: c.Name, Text: "–", Known: n != nil}
		switch {
		case n == nil && p.Gap:
			one.Text = "unknown"
		case n == nil:
		case c.Unit == "ms":
			one.Text, one.Value = lasting(time.Duration(*n)*time.Millisecond), *n
		default:
			one.Text, one.Value = grouped(*n), *n
		}
		row.Cells = append(row.Cells, one)
	}
	return row
}

// stepName is when a step begins, no finer than it is long.
func stepName(at, step int64) string {
	layout := "2006-01-02 15:04"
	switch {
	case step >= 28*86400:
		layout = "2006-01"
	case step >= 86400:
		layout = "2006-01-02"
	}
	return time.Unix(at, 0).UTC().Format(layout)
}
