package web

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strconv"
	"time"

	"dvmrelay/index"

	"github.com/danielgtaylor/huma/v2"
)

const (
	upstreamsOnPage = 10 // that are shown in detail at once
	upstreamsNamed  = 30 // that stand in the table at most
	gapsOnPage      = 6
	gapsRead        = 5000 // of the last day, of all upstreams
)

// upstreamsPage is what /upstreams shows.
type upstreamsPage struct {
	All    []Upstream
	Table  []Upstream // of these, as many as a page holds
	Cards  []upstreamCard
	Heard  int
	Whys   []string // reasons that stand in the strips
	Joined bool     // some stretches are several gaps
	Since  int64    // when this relay began to listen; 0 = unknown
	Cut    bool     // there were more gaps than were read
	Page   int
	Next   int       // 0 = there is none
	Minute time.Time // that has begun: what the cards go by
}

// upstreamCard is one upstream in detail.
type upstreamCard struct {
	Upstream
	Number  int
	Strip   Strip
	Newest  []shownGap // newest first
	Missed  []missed   // seconds of the last day, most first
	Covered *float64   // of the last day
}

// shownGap is a gap of the list; Open says that it goes on, as of the minute.
type shownGap struct {
	index.Gap
	Open bool
}

// Seconds is how long it was.
func (g shownGap) Seconds() int64 { return max(0, g.Until-g.Since) }

type missed struct {
	Why     string
	Seconds int64
}

func (s *Site) upstreamsScreen() *screen {
	return &screen{
		path: "/upstreams", file: "upstreams.html", style: []string{"relay.css"}, tab: "Upstreams", live: []string{"states", "cards"}, load: s.upstreamsPage,
		api: func(*visit) string { return "/upstreams" },
	}
}

// upstreamsPage reads what is known of the upstreams. What moves by the second stands in the table; the cards go by minutes, so
// that they are seldom told anew.
func (s *Site) upstreamsPage(ctx context.Context, v *visit) (*sheet, error) {
	page := 1
	if text := v.Query.Get("page"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > 1000 {
			return nil, huma.Error400BadRequest("page: must be a number from 1 on")
		}
		page = n
	}
	got, err := s.upstreams(ctx, nil)
	if err != nil {
		return nil, err
	}
	minute := v.Now.Unix() / 60 * 60
	p := &upstreamsPage{All: got.Body.Items, Page: page, Minute: time.Unix(minute, 0)}
	p.Table = p.All[:min(len(p.All), upstreamsNamed)]
	for _, u := range p.All {
		if u.State == "live" || u.State == "backfilling" {
			p.Heard++
		}
	}
	from := (page - 1) * upstreamsOnPage
	if page > 1 && from >= len(p.All) {
		return nil, huma.Error404NotFound("There are not so many upstreams.")
	}
	heard := s.d.Index.Heard(minute-stripTime, minute)
	p.Since = heard.ObservedSince
	heard.Gaps = s.d.Index.Gaps(minute-stripTime, minute, gapsRead)
	p.Cut = len(heard.Gaps) == gapsRead
	whys := map[string]bool{}
	for i, u := range p.All[from:min(len(p.All), from+upstreamsOnPage)] {
		c := cardOf(u, heard, minute, v.Now.Unix())
		c.Number = from + i + 1
		for _, g := range c.Strip.Stretches {
			whys[g.Why] = true
			p.Joined = p.Joined || g.Count > 1
		}
		p.Cards = append(p.Cards, c)
	}
	p.Whys = slices.Sorted(maps.Keys(whys))
	if from+upstreamsOnPage < len(p.All) {
		p.Next = page + 1
	}
	return &sheet{Title: "Upstreams", About: "The relays that " + s.d.Name + " listens to, and when it could not hear them.", Data: p}, nil
}

// cardOf looks at one upstream. Its own newest gaps reach on where there were more than could be read.
func cardOf(u Upstream, heard index.Stats, minute, now int64) upstreamCard {
	c := upstreamCard{Upstream: u}
	var day []index.Gap
	for _, g := range heard.Gaps {
		if g.URL == u.URL {
			day = append(day, g)
		}
	}
	c.Covered = covered(u, heard.Coverage)
	for why, seconds := range u.Unheard {
		if len(u.Unheard) == 1 && seconds >= stripTime-60 { // all of the day, whoever keeps the ledger
			day = append(day, index.Gap{URL: u.URL, Since: minute - stripTime, Until: minute, Why: why})
		}
	}
	c.Strip = stripOf(append(day, u.Gaps...), minute)
	for _, g := range slices.Backward(u.Gaps[max(0, len(u.Gaps)-gapsOnPage):]) {
		open := g.Until >= now
		if open {
			g.Until = max(g.Since, minute)
		}
		c.Newest = append(c.Newest, shownGap{g, open})
	}
	for why, seconds := range u.Unheard {
		c.Missed = append(c.Missed, missed{why, seconds})
	}
	slices.SortFunc(c.Missed, func(a, b missed) int { return cmp.Or(cmp.Compare(b.Seconds, a.Seconds), cmp.Compare(a.Why, b.Why)) })
	return c
}

// covered is how much of the day an upstream was heard; nil when nobody knows.
func covered(u Upstream, rows []index.Coverage) *float64 {
	for _, row := range rows {
		if row.URL == u.URL && row.WindowSeconds > 0 {
			f := float64(row.HeardSeconds) / float64(row.WindowSeconds)
			return &f
		}
	}
	missed := int64(0)
	for _, seconds := range u.Unheard {
		missed += seconds
	}
	if missed >= stripTime-60 {
		return new(float64)
	}
	return nil
}
