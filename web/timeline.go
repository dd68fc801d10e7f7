package web

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"dvmrelay/index"
	"dvmrelay/nip90"
)

const (
	linearSeconds = 60 // up to here time is drawn to scale; past it each step is a factor
	laneMarks     = 10
	timelineMarks = 28
	laneSources   = 6
	laneGaps      = 6
	labelChars    = 26
	tickRoom      = 9.0 // percent between two ticks
	charRoom      = 0.95
	markRoom      = 1.6
)

// timeline is a job in lanes. Places are percents of the width.
type timeline struct {
	Start  int64
	Linear bool // all of it is drawn to scale
	Ticks  []tick
	End    string // what the right edge is
	Lanes  []lane
	Left   int // marks that are not drawn
	Beyond int // providers without a lane
}

type tick struct {
	X    string
	Text string
	At   int64
	Edge string // the side of the text that stands at X: start, middle, end
}

// lane is one party of the job.
type lane struct {
	Who    *person
	Called string
	Beat   string // when its last heartbeat was made, if one is known
	BeatAt int64
	Note   string // instead of marks
	URL    string // of an upstream
	Bars   []bar
	Marks  []markAt
}

// bar is a stretch of time.
type bar struct {
	Class    string // work, wait, paid, silent, gap, heard
	X, X2, W string
	Text     string // in its middle, when there is room
	Middle   string
	Title    string
}

// markAt is one event, which leads to its row.
type markAt struct {
	X     string
	Sign  string
	Class string
	Text  string // beside it, when there is room
	Title string
	Path  string
	ID    string
	Left  bool // the text stands before it

	at float64
}

// drawTimeline draws a thread from its request to now, or to its last event when nothing more is awaited.
func drawTimeline(p *threadPage, gaps []index.Gap, beats map[nip90.PubKey]int64, now int64) timeline {
	start, last := p.CreatedAt, p.CreatedAt
	if !p.RequestSeen && len(p.Events) > 0 {
		start, last = p.Events[0].CreatedAt, p.Events[0].CreatedAt
	}
	for i := range p.Events {
		if e := &p.Events[i]; e.Role != nip90.RoleReport.String() || last == start {
			last = max(last, e.CreatedAt)
		}
	}
	d := draft{timeline: timeline{Start: start, End: "now"}, page: p, end: max(now, start), now: now}
	if closed(&p.Thread) {
		d.end, d.End = max(last, start), "last event"
	}
	d.span = max(d.end-start, 10)
	d.Linear = d.span <= linearSeconds
	d.ticks()
	d.parties(beats)
	for _, b := range p.Supply.Silent {
		who := p.Who(b.PubKey)
		said := "○ eligible, never answered"
		if b.Addressed {
			said = "○ addressed, never answered"
		}
		seen := " (never seen)"
		if b.LastSeen != 0 {
			seen = " (seen " + ago(time.Unix(now, 0), b.LastSeen) + ")"
		}
		d.Lanes = append(d.Lanes, lane{Who: &who, Called: p.called(b.PubKey), Note: said + seen})
	}
	d.sources(gaps)
	return d.timeline
}

// closed says whether nothing more is awaited.
func closed(t *index.Thread) bool {
	switch t.State {
	case "success", "error", "cancelled", "expired":
		return t.Payment != "undelivered"
	}
	return t.Unlinked
}

// draft is a timeline being drawn.
type draft struct {
	timeline
	page      *threadPage
	end, span int64
	now       int64
	drawn     int
}

func scaled(seconds float64) float64 {
	if seconds <= linearSeconds {
		return max(seconds, 0)
	}
	return linearSeconds * (1 + math.Log(seconds/linearSeconds))
}

// at is the place of a time in percent.
func (d *draft) at(t int64) float64 {
	return min(100*scaled(float64(t-d.Start))/scaled(float64(d.span)), 100)
}

func place(x float64) string { return strconv.FormatFloat(x, 'f', 1, 64) + "%" }

var tickSeconds = [...]int64{5, 10, 20, 40, 100, 300, 900, 3600, 4 * 3600, 86400, 7 * 86400, 30 * 86400, 365 * 86400}

func (d *draft) ticks() {
	d.Ticks = append(d.Ticks, tick{"0%", time.Unix(d.Start, 0).UTC().Format("15:04:05"), d.Start, "start"})
	last := tickRoom
	for _, s := range tickSeconds {
		x := d.at(d.Start + s)
		if s >= d.span || x < last+tickRoom/2 || x > 100-tickRoom {
			continue
		}
		d.Ticks = append(d.Ticks, tick{place(x), "+" + lastingShort(s), d.Start + s, "middle"})
		last = x + tickRoom/2
	}
	d.Ticks = append(d.Ticks, tick{"100%", d.End, d.end, "end"})
}

func lastingShort(s int64) string {
	switch {
	case s < 120:
		return fmt.Sprintf("%d s", s)
	case s < 2*3600:
		return fmt.Sprintf("%d min", (s+30)/60)
	case s < 2*86400:
		return fmt.Sprintf("%d h", (s+1800)/3600)
	}
	return fmt.Sprintf("%d d", (s+43200)/86400)
}

// parties adds the lanes of those who said something: the customer first, then providers, then others.
func (d *draft) parties(beats map[nip90.PubKey]int64) {
	p := d.page
	by := make(map[string][]*index.Entry)
	var customer, others []*index.Entry
	for i := range p.Events {
		e := &p.Events[i]
		switch e.Role {
		case nip90.RoleRequest.String(), nip90.RoleCancel.String(), nip90.RoleZap.String(), nip90.RoleNutzap.String(), nip90.RoleRefund.String():
			customer = append(customer, e)
		case nip90.RoleFeedback.String(), nip90.RoleResult.String():
			by[e.PubKey] = append(by[e.PubKey], e)
		default:
			others = append(others, e)
		}
	}
	first := lane{Called: "customer", Marks: d.marks(customer)}
	if p.Customer != "" {
		who := p.Who(p.Customer)
		first.Who, first.Called = &who, p.called(p.Customer)
	}
	d.Lanes = append(d.Lanes, first)
	list := p.inOrder()
	d.Beyond = max(len(list)-threadLanes, 0)
	for _, side := range list[:min(len(list), threadLanes)] {
		who := p.Who(side.PubKey)
		l := lane{Who: &who, Called: p.called(side.PubKey)}
		if pk, ok := nip90.ParsePubKey(side.PubKey); ok && beats[pk] != 0 {
			l.BeatAt = beats[pk]
			l.Beat = beatTime(l.BeatAt, d.now)
		}
		entries := by[side.PubKey]
		l.Bars = d.bars(&side, entries)
		l.Marks = d.marks(entries)
		if open := d.openEnd(&side, entries); open != nil {
			l.Marks = append(l.Marks, *open)
		}
		d.Lanes = append(d.Lanes, l)
	}
	if len(others) > 0 {
		d.Lanes = append(d.Lanes, lane{Called: "others", Marks: d.marks(others)})
	}
}

func beatTime(at, now int64) string {
	t := time.Unix(at, 0).UTC()
	if now-at > 86400 {
		return t.Format("2 Jan")
	}
	return t.Format("15:04")
}

// waits says whether something is still awaited of a provider.
func waits(side *index.Provider) bool {
	if side.Payment == "undelivered" {
		return true
	}
	return side.State != "success" && side.State != "error" && side.FirstResultAt == 0
}

func (d *draft) bars(side *index.Provider, entries []*index.Entry) (bars []bar) {
	if len(entries) == 0 && side.PaidAt == 0 {
		return nil
	}
	begin, last := int64(math.MaxInt64), int64(0)
	asked := int64(0)
	for _, e := range entries {
		begin, last = min(begin, e.CreatedAt), max(last, e.CreatedAt)
		if e.AmountMsat != nil && asked == 0 {
			asked = e.CreatedAt
		}
	}
	begin = min(begin, cmp.Or(side.PaidAt, begin))
	stretch := func(class string, from, to int64, text, title string) {
		if to <= from {
			return
		}
		x, x2 := d.at(from), d.at(to)
		b := bar{Class: class, X: place(x), X2: place(x2), W: place(max(x2-x, 0.4)), Middle: place((x + x2) / 2), Title: title}
		if charRoom*float64(len([]rune(text))+2) < x2-x {
			b.Text = text
		}
		bars = append(bars, b)
	}
	if asked != 0 && side.PaidAt > asked {
		stretch("work", begin, asked, "", "at work")
		stretch("wait", asked, side.PaidAt, "", "from the ask to the payment that is claimed")
		stretch("paid", side.PaidAt, max(last, side.PaidAt), "", "after the payment that is claimed")
	} else {
		stretch("work", begin, last, "", "from its first word to its last")
	}
	if waits(side) && !closed(&d.page.Thread) {
		from := max(last, side.PaidAt, begin)
		stretch("silent", from, d.end, "silent", "silent for "+lastingShort(d.end-from))
	}
	return bars
}

// openEnd is the mark at the edge of a lane that is not at its end: it leads to the last that was heard.
func (d *draft) openEnd(side *index.Provider, entries []*index.Entry) *markAt {
	if !waits(side) || closed(&d.page.Thread) || len(entries) == 0 {
		return nil
	}
	last := slices.MaxFunc(entries, func(a, b *index.Entry) int { return cmp.Compare(a.CreatedAt, b.CreatedAt) })
	m := markAt{X: "100%", Sign: "▶", Class: "open", Left: true, Title: "nothing since", Path: d.page.Row(last.ID), ID: "end-" + last.ID.String()[:16], at: 100}
	if side.Payment == "undelivered" {
		m.Sign, m.Class, m.Title = "▶!", "bad", "payment claimed, nothing since"
	}
	return &m
}

// marks draws events; of many, the first and the last.
func (d *draft) marks(entries []*index.Entry) (marks []markAt) {
	room := min(laneMarks, max(timelineMarks-d.drawn, 2))
	if len(entries) > room {
		d.Left += len(entries) - room
		kept := slices.Clone(entries)
		slices.SortStableFunc(kept, func(a, b *index.Entry) int { return cmp.Compare(dull(a), dull(b)) })
		kept = kept[:room]
		slices.SortStableFunc(kept, func(a, b *index.Entry) int { return cmp.Compare(a.CreatedAt, b.CreatedAt) })
		entries = kept
	}
	d.drawn += len(entries)
	for _, e := range entries {
		sign, class, text := signOf(e)
		x := d.at(e.CreatedAt)
		m := markAt{
			X: place(x), Sign: sign, Class: class, Text: shorten(text, labelChars), Path: d.page.Row(e.ID), ID: e.ID.String()[:16], at: x,
			Title: fmt.Sprintf("%s, %s by %s", text, time.Unix(e.CreatedAt, 0).UTC().Format("15:04:05"), d.page.called(e.PubKey)),
		}
		m.Title = fitted(m.Title, 140)
		marks = append(marks, m)
	}
	for i := range marks {
		m := &marks[i]
		need := charRoom*float64(len([]rune(m.Text))) + markRoom
		next, before := 100.0, 0.0
		if i+1 < len(marks) {
			next = marks[i+1].at
		}
		if i > 0 {
			before = marks[i-1].at + charRoom*float64(len([]rune(marks[i-1].Text))) + markRoom
			if marks[i-1].Left {
				before = marks[i-1].at + markRoom
			}
		}
		switch {
		case next-m.at > need:
		case m.at-before > need:
			m.Left = true
		default:
			m.Text = ""
		}
	}
	return marks
}

// sources adds the upstreams that were not heard for a part of the time.
func (d *draft) sources(gaps []index.Gap) {
	var urls []string
	by := make(map[string][]index.Gap)
	for _, g := range gaps {
		if g.Until == 0 || g.Until > d.end {
			g.Until = d.end
		}
		if g.Since = max(g.Since, d.Start); g.Until <= g.Since {
			continue
		}
		if by[g.URL] == nil {
			urls = append(urls, g.URL)
		}
		by[g.URL] = append(by[g.URL], g)
	}
	// Sources of which nothing was heard all the time share a lane: there is nothing to see in one for each.
	var deaf []string
	for _, u := range urls {
		if g := by[u][0]; g.Since <= d.Start && g.Until >= d.end {
			deaf = append(deaf, u)
		}
	}
	if len(deaf) > 2 {
		urls = slices.DeleteFunc(urls, func(u string) bool { return slices.Contains(deaf, u) })
		d.Lanes = append(d.Lanes, lane{Called: itoa(len(deaf)) + " sources", Bars: []bar{{
			Class: "gap", X: "0%", X2: "100%", W: "100%", Middle: "50%", Text: "not heard in this time", Title: shorten(strings.Join(deaf, ", "), 300),
		}}})
	}
	for _, u := range urls[:min(len(urls), laneSources)] {
		l := lane{Called: shorten(u, 40), URL: u, Bars: []bar{{Class: "heard", X: "0%", X2: "100%", W: "100%"}}}
		if u == index.SelfSource {
			l.Called, l.URL = "this relay", ""
		}
		for _, g := range by[u][:min(len(by[u]), laneGaps)] {
			x, x2 := d.at(g.Since), d.at(g.Until)
			text := "gap " + lastingShort(g.Until-g.Since)
			b := bar{Class: "gap", X: place(x), X2: place(x2), W: place(max(x2-x, 0.6)), Middle: place((x + x2) / 2), Title: text + ": " + shorten(g.Why, 60)}
			if charRoom*float64(len(text)+1) < x2-x {
				b.Text = text
			}
			l.Bars = append(l.Bars, b)
		}
		d.Lanes = append(d.Lanes, l)
	}
}
