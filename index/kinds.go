package index

import (
	"cmp"
	"slices"

	"dvmrelay/nip90"
	"dvmrelay/store"
)

// KindQuery chooses the window that kinds are counted in; zero fields are the 30 days up to now.
type KindQuery struct {
	Since, Until int64 // unix seconds, inclusive
	Limit        int   // 0 = 200, at most 1000
	Now          int64
}

// KindPage lists the kinds that were asked for or are announced, most requests first.
type KindPage struct {
	Since int64      `json:"since"`
	Until int64      `json:"until"`
	Items []KindHead `json:"items"`
	More  bool       `json:"more,omitempty"` // there are others, with fewer requests
}

// KindHead is the demand for a kind within a window beside its supply now.
type KindHead struct {
	Kind          int        `json:"kind"`
	Name          string     `json:"name"`
	Status        string     `json:"status"` // how firmly it is described; empty when it is in no list
	Requests      int64      `json:"requests"`
	Addressed     int64      `json:"addressed"` // requests that name a provider
	Answered      int64      `json:"answered"`
	AnswerRate    *float64   `json:"answer_rate"`
	Results       int64      `json:"results"`
	Errors        int64      `json:"errors"`
	Customers     int64      `json:"customers"`
	Providers     int64      `json:"providers"` // that answered
	Handlers      int        `json:"handlers"`  // announcements held for it
	Online        int        `json:"online"`    // of these, with a heartbeat at most 900 s old
	AskedMsat     int64      `json:"asked_msat"`
	ClaimedMsat   int64      `json:"claimed_msat"`
	PriceMsat     *Quantiles `json:"price_msat"`
	FirstResultMs *Quantiles `json:"first_result_ms"`
	Unserved      bool       `json:"unserved"` // it was asked for, nobody announces it, and nobody answered
}

// KindDetail is one kind with its history and who serves it.
type KindDetail struct {
	KindHead
	Stats     Stats          `json:"stats"`
	ServedBy  []KindProvider `json:"served_by"` // most answered first, at most 50
	Announced []string       `json:"announced"` // addresses of its handlers, newest first, at most 200
}

// KindProvider is one who announces a kind or answered it lately.
type KindProvider struct {
	PubKey   string    `json:"pubkey"`
	Npub     string    `json:"npub"`
	Name     string    `json:"name"`
	Online   bool      `json:"online"`
	LastSeen int64     `json:"last_seen"`
	Measured *Measured `json:"measured"` // of this kind, over 30 days
}

const (
	maxKindRows     = 1000
	maxKindServers  = 50
	maxKindHandlers = 200
)

// supply is who announces a kind.
type supply struct{ handlers, online int }

// Kinds lists the kinds of a window.
func (x *Index) Kinds(r store.Reader, q KindQuery) (KindPage, error) {
	l := lens{Reader: r, x: x, now: x.now(q.Now)}
	since, until := l.window(q)
	page := KindPage{Since: since, Until: until, Items: []KindHead{}}
	seen, err := x.KindsSeen(r, since, until)
	if err != nil {
		return page, err
	}
	offered, err := l.supplies(0)
	if err != nil {
		return page, err
	}
	quiet := l.quiet()
	for _, k := range seen {
		if len(page.Items) == maxKindRows {
			page.More = true
			break
		}
		s, err := quiet.Stats(r, StatsQuery{Kind: k, WholeHours: until-since >= daySeconds, Since: since, Until: until, Step: -1, Now: l.now})
		if err != nil {
			return page, err
		}
		page.Items = append(page.Items, kindHead(k, &s, offered[k]))
		delete(offered, k)
	}
	for k, o := range offered {
		page.Items = append(page.Items, kindHead(k, &Stats{}, o))
	}
	slices.SortFunc(page.Items, func(a, b KindHead) int {
		return cmp.Or(cmp.Compare(b.Requests, a.Requests), cmp.Compare(b.Handlers, a.Handlers), cmp.Compare(a.Kind, b.Kind))
	})
	limit := q.Limit
	if limit <= 0 {
		limit = MaxLimit
	}
	if limit = min(limit, maxKindRows); len(page.Items) > limit {
		page.Items, page.More = page.Items[:limit], true
	}
	return page, nil
}

func (l *lens) window(q KindQuery) (since, until int64) {
	since, until = q.Since, q.Until
	if until == 0 {
		until = l.now
	}
	if since == 0 {
		since = max(until-measuredSeconds, 0)
	}
	return since, until
}

func kindHead(kind int, s *Stats, o supply) KindHead {
	h := KindHead{
		Kind: kind, Name: nip90.KindName(kind), Requests: s.Requests, Addressed: s.Addressed, Answered: s.Answered,
		AnswerRate: s.AnswerRate, Results: s.Results, Errors: s.Errors, Customers: s.Customers, Providers: s.Providers,
		Handlers: o.handlers, Online: o.online, AskedMsat: s.AskedMsat, ClaimedMsat: s.ClaimedMsat, PriceMsat: s.PriceMsat,
		FirstResultMs: s.FirstResultMs,
	}
	if info, ok := nip90.LookupKind(kind); ok {
		h.Status = string(info.Status)
	}
	h.Unserved = h.Requests > 0 && h.Handlers == 0 && h.Answered == 0
	return h
}

// supplies counts the announcements for each kind, or for one only.
func (l *lens) supplies(kind int) (map[int]supply, error) {
	rows, err := l.handlerRowsFor([]byte{keyHandler}, maxExamined, kind)
	if err != nil {
		return nil, err
	}
	out := make(map[int]supply)
	for i := range rows {
		online, err := l.online(&rows[i])
		if err != nil {
			return nil, err
		}
		jobs := rows[i].jobs
		if kind != 0 {
			jobs = kindSetOf([]int{kind})
		}
		for _, k := range jobs.list() {
			o := out[k]
			o.handlers++
			if online {
				o.online++
			}
			out[k] = o
		}
	}
	return out, nil
}

// KindDetail shows one kind of request; false for a kind that is none, or that was neither asked for nor is announced.
func (x *Index) KindDetail(r store.Reader, kind int, q KindQuery) (KindDetail, bool, error) {
	d := KindDetail{ServedBy: []KindProvider{}, Announced: []string{}}
	if !nip90.IsRequest(kind) {
		return d, false, nil
	}
	v := handlerView{lens: lens{Reader: r, x: x, now: x.now(q.Now)}}
	since, until := v.window(q)
	var err error
	if d.Stats, err = x.Stats(r, StatsQuery{Kind: kind, Since: since, Until: until, Now: v.now}); err != nil {
		return d, false, err
	}
	offered, err := v.supplies(kind)
	if err != nil {
		return d, false, err
	}
	if d.Stats.Requests == 0 && offered[kind].handlers == 0 {
		return d, false, nil
	}
	d.KindHead = kindHead(kind, &d.Stats, offered[kind])
	if d.Announced, err = v.addresses(kind); err != nil {
		return d, false, err
	}
	if v.t, err = v.table(false); err != nil {
		return d, false, err
	}
	v.t.looked.Store(kind, true)
	d.ServedBy, err = v.servers(kind)
	return d, true, err
}

func (l *lens) addresses(kind int) ([]string, error) {
	rows, err := l.handlerRowsFor([]byte{keyHandler}, maxExamined, kind)
	if err != nil {
		return nil, err
	}
	newestFirst(rows)
	out := []string{}
	for i := range rows[:min(len(rows), maxKindHandlers)] {
		c, err := l.card(rows[i].id)
		if err != nil {
			return nil, err
		}
		if c != nil {
			out = append(out, c.h.Address)
		}
	}
	return out, nil
}

// servers are the providers of a kind by what they answered; the others by their keys.
func (v *handlerView) servers(kind int) ([]KindProvider, error) {
	if list, ok := v.t.servers.Load(kind); ok {
		return slices.Clone(list.([]KindProvider)), nil
	}
	var all []*standing
	for _, s := range v.t.providers {
		if s.kinds.has(kind) {
			all = append(all, s)
		}
	}
	slices.SortFunc(all, func(a, b *standing) int {
		return cmp.Or(cmp.Compare(b.measured.Answered, a.measured.Answered), cmp.Compare(b.lastSeen, a.lastSeen), slices.Compare(a.pk[:], b.pk[:]))
	})
	g, err := v.gauge(v.t.at-measuredSeconds, v.t.at)
	if err != nil {
		return nil, err
	}
	out := []KindProvider{}
	for _, s := range all[:min(len(all), maxKindServers)] {
		head, err := v.head(s)
		if err != nil {
			return nil, err
		}
		m, err := g.ofKind(s, kind)
		if err != nil {
			return nil, err
		}
		out = append(out, KindProvider{head.PubKey, head.Npub, head.Name, head.Online, head.LastSeen, m})
	}
	slices.SortStableFunc(out, func(a, b KindProvider) int { return cmp.Compare(b.Measured.Answered, a.Measured.Answered) })
	v.t.servers.Store(kind, slices.Clone(out))
	return out, nil
}
