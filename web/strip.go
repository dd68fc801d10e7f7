package web

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"dvmrelay/index"
)

const (
	stripRows  = 7   // of bars in one lane, one over the other
	stripMark  = 20  // seconds of the strip that a mark behind a bar takes
	rowHeight  = 14  // units of a lane's drawing
	laneMargin = 5   // units
	maxBands   = 12  // that are hatched, and gaps that are told in words
	maxGapRows = 3   // of labels of gaps
	gapLabel   = 390 // seconds of the strip that a label takes
)

// stripShown is the strip of the last 15 minutes, and where its parts are drawn.
type stripShown struct {
	index.Strip
	Gaps   []index.Gap `json:"gaps"`    // when an upstream was not heard
	Hushed []string    `json:"unheard"` // upstreams that were not heard in all that time

	Drawn  []drawnLane   `json:"-"`
	Bands  []drawnBand   `json:"-"` // hatched, in every lane
	Labels [][]drawnBand `json:"-"` // what the bands are, in rows
	Unsaid int           `json:"-"` // gaps without a label
}

// drawnLane is one lane. Its places are in percent from left to right, and in units from its top.
type drawnLane struct {
	*index.Lane
	Height int
	Bars   []drawnBar
	Cells  []drawnCell
}

type drawnBar struct {
	*index.Bar
	X, Width, End string // percent
	Y, Text       int    // of the bar's top, and of its marks' line
	Asked         string // percent, where money was asked for
	Says          string
}

type drawnCell struct {
	index.Cell
	X, Width, Mid string // percent
	Shade         int    // 1 to 4
	Path          string
}

// drawnBand is a stretch of time in which an upstream was not heard.
type drawnBand struct {
	X, Width string
	Name     string
	Why      string
	Right    bool // the label ends at X
	end      int64
}

// draw works out where everything stands.
func (s *stripShown) draw(heard index.Stats, upstreams int) {
	s.gaps(heard, upstreams)
	for i := range s.Lanes {
		s.Drawn = append(s.Drawn, s.lane(&s.Lanes[i]))
	}
}

// percent is where a time stands.
func (s *stripShown) percent(at int64) string { return percent(at-s.Since, s.Until-s.Since) }

func percent(part, whole int64) string {
	text := fmt.Sprintf("%.2f", 100*float64(min(max(part, 0), whole))/float64(max(whole, 1)))
	return strings.TrimSuffix(strings.TrimRight(text, "0"), ".") + "%"
}

func (s *stripShown) lane(l *index.Lane) drawnLane {
	d := drawnLane{Lane: l}
	var ends, over [stripRows]int64 // when each row is free again, and what lies over its bar
	rows := 1
	for i := range l.Bars {
		b := &l.Bars[i]
		end := b.Until
		if end == 0 {
			end = s.Until
		}
		row := 0
		for row < stripRows-1 && ends[row] > b.At {
			row++
		}
		if ends[row] <= b.At {
			ends[row] = max(end, b.At) + stripMark
		} else { // no row is free: over a bar that goes on for long
			row = slices.Index(over[:], slices.Min(over[:]))
			over[row] = max(end, b.At) + stripMark
		}
		rows = max(rows, row+1)
		d.Bars = append(d.Bars, drawnBar{
			Bar: b, X: s.percent(b.At), Width: percent(end-b.At, s.Until-s.Since), End: s.percent(end), Y: laneMargin + row*rowHeight,
			Text: laneMargin + row*rowHeight + 11, Asked: s.asked(b), Says: barSays(b, s.Until),
		})
	}
	d.Height = max(rows*rowHeight+2*laneMargin-3, 26)
	most := 1
	for _, c := range l.Cells {
		most = max(most, c.Jobs)
	}
	for _, c := range l.Cells {
		q := url.Values{"since": {fmt.Sprint(c.Since)}, "until": {fmt.Sprint(c.Until)}}
		if l.Kind != 0 {
			q.Set("kind", itoa(l.Kind))
		}
		d.Cells = append(d.Cells, drawnCell{
			Cell: c, X: s.percent(c.Since), Width: percent(c.Until+1-c.Since, s.Until-s.Since), Mid: percent(c.Since+c.Until+1-2*s.Since, 2*(s.Until-s.Since)),
			Shade: 1 + 3*c.Jobs/most, Path: "/jobs?" + q.Encode(),
		})
	}
	return d
}

// asked is where money was asked for; empty when it was not, or when there is no room beside what ended the job.
func (s *stripShown) asked(b *index.Bar) string {
	if b.AskedAt == 0 || b.Until != 0 && b.Until-b.AskedAt < stripMark/2 {
		return ""
	}
	return s.percent(b.AskedAt)
}

// barSays is a job in words.
func barSays(b *index.Bar, now int64) string {
	text := fmt.Sprintf("%d at %s: %s %s", b.Kind, clockTime(b.At), mark(b.State), b.State)
	switch {
	case b.State == "undelivered":
		text = fmt.Sprintf("%d at %s: ! paid %s sats, no result", b.Kind, clockTime(b.At), sats(b.Msat))
	case b.State == index.StateOpen:
		text = fmt.Sprintf("%d at %s: ○ nobody answered for %s", b.Kind, clockTime(b.At), took(now-b.At))
	case b.Until == 0:
		text += " for " + took(now-b.At)
	case b.State == index.StateSuccess || b.State == index.StateError:
		text += " after " + took(b.Until-b.At)
	}
	if b.AskedAt != 0 {
		text += ", $ asked"
	}
	return text
}

// clockTime is the time of a day.
func clockTime(at int64) string { return time.Unix(at, 0).UTC().Format("15:04:05") }

// Open says whether the bar runs on to now.
func (b *drawnBar) Open() bool { return b.Until == 0 }

// Took is how long the job took.
func (b *drawnBar) Took() string { return took(b.Until - b.At) }

// AxisHeight is that of the times and the labels of gaps above the lanes.
func (s *stripShown) AxisHeight() int { return s.LabelY(len(s.Labels)) - 8 }

// LabelY is where a row of labels stands.
func (s *stripShown) LabelY(row int) int { return 28 + 16*row }

// Newest are the bars and cells of all lanes as rows, newest first.
func (s *stripShown) Newest() (rows []stripRow) {
	for i := range s.Drawn {
		l := &s.Drawn[i]
		for j := range l.Bars {
			rows = append(rows, stripRow{At: l.Bars[j].At, Kind: l.Bars[j].Kind, Bar: &l.Bars[j]})
		}
		for j := range l.Cells {
			rows = append(rows, stripRow{At: l.Cells[j].Since, Kind: l.Kind, Cell: &l.Cells[j]})
		}
	}
	slices.SortStableFunc(rows, func(a, b stripRow) int { return int(b.At - a.At) })
	return rows
}

// stripRow is a bar or a cell as a row of a table.
type stripRow struct {
	At   int64
	Kind int // 0 = of several kinds
	Bar  *drawnBar
	Cell *drawnCell
}

// Clock is when it was asked.
func (r *stripRow) Clock() string { return clockTime(r.At) }

// Until is the end of a cell.
func (r *stripRow) Until() string { return clockTime(r.Cell.Until) }

// Label is what a lane is called: its kind in a word.
func (d *drawnLane) Label() string {
	if d.Kind == 0 {
		return "other"
	}
	if short := shortKinds[d.Kind]; short != "" {
		return short
	}
	return d.KindName
}

// Title names a lane in full.
func (d *drawnLane) Title() string {
	if d.Kind != 0 {
		return d.KindName
	}
	texts := make([]string, len(d.Kinds))
	for i, k := range d.Kinds {
		texts[i] = itoa(k)
	}
	return strings.Join(texts, ", ")
}

// shortKinds are the most common kinds in a word.
var shortKinds = map[int]string{
	5000: "extract", 5001: "summary", 5002: "translate", 5050: "text", 5100: "image", 5200: "video", 5202: "video", 5250: "speech",
	5300: "feed", 5301: "people", 5302: "search", 5303: "search", 5400: "count", 5500: "malware", 5900: "timestamp", 5901: "op_return", 5905: "publish",
}

// gaps tells when upstreams were not heard. One that was not heard at all is named beside the strip, for hatching all of it
// would hide the others' gaps; when none was heard, all of it is hatched.
func (s *stripShown) gaps(heard index.Stats, upstreams int) {
	s.Gaps, s.Hushed = []index.Gap{}, []string{}
	for _, g := range heard.Gaps {
		if g.Until == 0 || g.Until > s.Until {
			g.Until = s.Until
		}
		if g.Since = max(g.Since, s.Since); g.Until <= g.Since {
			continue
		}
		if g.URL != index.SelfSource && g.Until-g.Since >= s.Until-s.Since-1 {
			s.Hushed = append(s.Hushed, g.URL)
			continue
		}
		s.Gaps = append(s.Gaps, g)
	}
	bands := s.Gaps
	if upstreams > 0 && len(s.Hushed) >= upstreams {
		bands = []index.Gap{{URL: "no upstream heard", Since: s.Since, Until: s.Until}}
	}
	var until int64
	for _, g := range bands { // oldest first
		from := max(g.Since, until)
		if from < g.Until && len(s.Bands) == maxBands {
			s.Unsaid++
			continue
		}
		s.label(&g)
		if from < g.Until {
			until = g.Until
			s.Bands = append(s.Bands, drawnBand{X: s.percent(from), Width: percent(g.Until-from, s.Until-s.Since)})
		}
	}
}

// Told are the gaps that are told in words.
func (s *stripShown) Told() []index.Gap { return s.Gaps[:min(len(s.Gaps), maxBands)] }

// Mark is how a bar ends.
func (b *drawnBar) Mark() string {
	switch b.State {
	case index.StateExpired:
		return "–"
	case "undelivered":
		return "▶!"
	}
	if b.Open() {
		return "▶"
	}
	return mark(b.State)
}

// Waits says whether nobody answered.
func (b *drawnBar) Waits() bool { return b.State == index.StateOpen }

// label puts the name of a gap above it, in the first row that has room.
func (s *stripShown) label(g *index.Gap) {
	b := drawnBand{X: s.percent(g.Since), Name: bareURL(g.URL), Why: g.Why, end: g.Since + gapLabel}
	from := g.Since
	if b.end > s.Until {
		b.X, b.Right, b.end = s.percent(g.Until), true, g.Until
		from = g.Until - gapLabel
	}
	for i := range s.Labels {
		if row := s.Labels[i]; row[len(row)-1].end <= from {
			s.Labels[i] = append(row, b)
			return
		}
	}
	if len(s.Labels) == maxGapRows {
		s.Unsaid++
		return
	}
	s.Labels = append(s.Labels, []drawnBand{b})
}

// bareURL is the address of an upstream as a label shows it.
func bareURL(address string) string {
	if address == index.SelfSource {
		return "this relay"
	}
	return shorten(strings.TrimSuffix(address, "/"), 36)
}
