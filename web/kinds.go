package web

import (
	"cmp"
	"context"
	"math"
	"net/url"
	"slices"

	"dvmrelay/index"

	"github.com/danielgtaylor/huma/v2"
)

const (
	kindsShown = 80  // on one page
	kindsRead  = 200 // that are sorted together
)

// kindsPage is demand against supply.
type kindsPage struct {
	Kinds    *Kinds
	Rows     []kindRow
	Unserved []kindRow // the most asked of those that nobody serves
	Chips    []chip
	Window   string
	Sort     string
	Total    int // kinds that were read
	From     int // of the first row
	Newer    string
	Older    string
	query    url.Values
}

// kindRow is a kind with how wide its bar is, in percent of the most asked.
type kindRow struct {
	index.KindHead
	Asked, Got float64
}

// kindSorts put kinds in order; what has no value stands last.
var kindSorts = map[string]func(a, b *index.KindHead) int{
	"requests":  func(a, b *index.KindHead) int { return cmp.Compare(b.Requests, a.Requests) },
	"kind":      func(a, b *index.KindHead) int { return cmp.Compare(a.Kind, b.Kind) },
	"customers": func(a, b *index.KindHead) int { return cmp.Compare(b.Customers, a.Customers) },
	"answered":  func(a, b *index.KindHead) int { return lowLast(b.AnswerRate, a.AnswerRate) },
	"providers": func(a, b *index.KindHead) int {
		return cmp.Or(cmp.Compare(b.Handlers, a.Handlers), cmp.Compare(b.Online, a.Online))
	},
	"first_result": func(a, b *index.KindHead) int { return cmp.Compare(middle(a.FirstResultMs), middle(b.FirstResultMs)) },
	"price":        func(a, b *index.KindHead) int { return cmp.Compare(middle(a.PriceMsat), middle(b.PriceMsat)) },
	"sats":         func(a, b *index.KindHead) int { return cmp.Compare(b.ClaimedMsat, a.ClaimedMsat) },
}

func lowLast(a, b *float64) int {
	value := func(f *float64) float64 {
		if f == nil {
			return -1
		}
		return *f
	}
	return cmp.Compare(value(a), value(b))
}

func middle(q *index.Quantiles) int64 {
	if q == nil || q.Count == 0 {
		return math.MaxInt64
	}
	return q.P50
}

func (s *Site) kindsScreen() *screen {
	return &screen{path: "/kinds", file: "kinds.html", style: []string{"dvms.css"}, tab: "Kinds", live: []string{"list"}, load: s.kindsPage, api: func(v *visit) string {
		return withQuery("/kinds", windowAlone(v.Query))
	}}
}

// kindsPage reads demand against supply.
func (s *Site) kindsPage(ctx context.Context, v *visit) (*sheet, error) {
	window, err := windowOf(v.Query)
	if err != nil {
		return nil, err
	}
	sort := v.Query.Get("sort")
	if _, known := kindSorts[sort]; sort != "" && !known {
		return nil, huma.Error400BadRequest("sort: is none of the orders of kinds")
	}
	from, err := numberOf(v.Query, "from", kindsRead)
	if err != nil {
		return nil, err
	}
	got, err := s.kindsLately(ctx, window)
	if err != nil {
		return nil, err
	}
	p := &kindsPage{Kinds: got, Window: window, Sort: cmp.Or(sort, "requests"), Total: len(got.Items), From: from}
	p.query = url.Values{"sort": {sort}, "window": {v.Query.Get("window")}}
	p.Chips = windowChips("/kinds", url.Values{"sort": {sort}}, window)
	p.fill(got.Items)
	return &sheet{Title: "Kinds", About: "Which kinds of job are asked for, who serves them, how fast and for how much.", Data: p}, nil
}

// kindsLately are the kinds of a window as they were counted a moment ago while the site runs, else as they are now: each
// kind is counted by itself. The caller must not change them.
func (s *Site) kindsLately(ctx context.Context, window string) (*Kinds, error) {
	return lately(ctx, s, &s.demand, window, func(ctx context.Context) (*Kinds, error) {
		in := &kindsInput{Limit: kindsRead}
		in.Window.Window = window
		got, err := s.kinds(ctx, in)
		if err != nil {
			return nil, err
		}
		return &got.Body, nil
	})
}

// fill sorts the kinds and takes one page of them.
func (p *kindsPage) fill(items []index.KindHead) {
	most := int64(1)
	for i := range items {
		most = max(most, items[i].Requests)
	}
	rows := make([]kindRow, 0, len(items))
	for _, k := range items {
		rows = append(rows, kindRow{k, share(k.Requests, most), share(min(k.Answered, k.Requests), most)})
		if k.Unserved && len(p.Unserved) < 8 {
			p.Unserved = append(p.Unserved, rows[len(rows)-1])
		}
	}
	by := kindSorts[p.Sort]
	slices.SortStableFunc(rows, func(a, b kindRow) int { return by(&a.KindHead, &b.KindHead) })
	p.From = min(p.From, len(rows))
	p.Rows = rows[p.From:min(p.From+kindsShown, len(rows))]
	if p.From > 0 {
		p.Newer = p.with("from", itoa(max(p.From-kindsShown, 0)))
	}
	if p.From+kindsShown < len(rows) {
		p.Older = p.with("from", itoa(p.From+kindsShown))
	}
}

// share is a part in percent, with a tenth.
func share(part, of int64) float64 { return math.Round(1000*float64(part)/float64(of)) / 10 }

func (p *kindsPage) with(name, value string) string {
	q := url.Values{}
	for k, v := range p.query {
		q[k] = v
	}
	q.Set(name, value)
	return withQuery("/kinds", q)
}

// SortedBy is this list in another order, from its beginning.
func (p *kindsPage) SortedBy(by string) string {
	if by == "requests" {
		by = ""
	}
	return p.with("sort", by)
}

// Is says whether the list is in that order.
func (p *kindsPage) Is(by string) bool { return p.Sort == by }
