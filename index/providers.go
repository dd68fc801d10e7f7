package index

import (
	"cmp"
	"slices"
	"strings"

	"dvmrelay/nip90"
	"dvmrelay/store"
)

// ProviderQuery chooses providers; zero fields choose all.
type ProviderQuery struct {
	Kind   int // announced or answered lately
	Online *bool
	Q      string // words that all occur in its profile, its key or its announcements
	Sort   string // one of HandlerSorts; "" is SortNew
	Cursor string
	Limit  int
	Now    int64
}

// ProviderPage is a page of providers. Next is empty on the last page.
type ProviderPage struct {
	Items []ProviderHead `json:"items"`
	Next  string         `json:"next_cursor,omitempty"`
}

// ProviderHead is a key that announced a handler or answered a job.
type ProviderHead struct {
	PubKey        string    `json:"pubkey"`
	Npub          string    `json:"npub"`
	Name          string    `json:"name"` // of its profile, else of its newest announcement
	About         string    `json:"about"`
	Picture       string    `json:"picture"`
	Lud16         string    `json:"lud16"`
	Nip05         string    `json:"nip05"`          // as its profile says, not verified
	Kinds         []int     `json:"kinds"`          // announced or answered lately
	HandlersCount int       `json:"handlers_count"` // announcements held
	Online        bool      `json:"online"`         // a heartbeat is at most 900 s old
	FirstSeen     int64     `json:"first_seen"`     // its first announcement, or the oldest job that it answered; 0 = unknown
	LastSeen      int64     `json:"last_seen"`
	LastAnswerAt  int64     `json:"last_answer_at"` // 0 = none
	Measured      *Measured `json:"measured"`       // over 30 days
	Rank          *Rank     `json:"rank,omitempty"` // in lists
	Price         Price     `json:"price"`          // the lowest that its announcements state
	FindingCodes  []string  `json:"finding_codes"`  // what is odd about it and its announcements, each code once
}

// ProviderDetail is all that is known of a provider.
type ProviderDetail struct {
	ProviderHead
	Handlers []Handler       `json:"handlers"` // newest first, at most 50
	ByKind   []KindMeasured  `json:"by_kind"`  // most answered first, at most 32
	Relays   []string        `json:"relays"`   // of its relay list and its announcements
	Findings []nip90.Finding `json:"findings"`
}

// KindMeasured is what a provider did of one kind.
type KindMeasured struct {
	Kind     int       `json:"kind"`
	Name     string    `json:"name"`
	Measured *Measured `json:"measured"`
}

const (
	maxHandlersShown = 50
	maxKindsShown    = 32
)

// ProviderPage lists providers by what was measured of them a moment ago.
func (x *Index) ProviderPage(r store.Reader, q ProviderQuery) (ProviderPage, error) {
	page := ProviderPage{Items: []ProviderHead{}}
	at, by, err := x.begin(q.Sort, q.Cursor, q.Now)
	if err != nil {
		return page, err
	}
	v := handlerView{lens: lens{Reader: r, x: x, now: at.now}}
	if v.t, err = v.table(q.Cursor != ""); err != nil {
		return page, err
	}
	list, err := v.providersFor(q, by)
	if err != nil {
		return page, err
	}
	from, err := sortPlaces(list, &at, idLen)
	if err != nil {
		return page, err
	}
	for i := from; i < len(list); i++ {
		p, err := v.head(list[i].item)
		if err != nil {
			return page, err
		}
		v.spent += len(p.Name) + len(p.About) + len(p.Picture) + len(p.Lud16) + len(p.Nip05) + 6*len(p.Kinds)
		if len(page.Items) == pageSize(q.Limit) || len(page.Items) > 0 && v.spent > maxBodies {
			at.key = list[i-1].place
			page.Next = at.String()
			break
		}
		if err := v.offer(&p, list[i].item); err != nil {
			return page, err
		}
		p.Rank = list[i].rank
		page.Items = append(page.Items, p)
	}
	return page, nil
}

func (v *handlerView) providersFor(q ProviderQuery, by string) ([]sorted[*standing], error) {
	words := strings.Fields(strings.ToLower(q.Q))
	list := make([]sorted[*standing], 0, len(v.t.providers))
	for pk, s := range v.t.providers {
		if q.Kind != 0 && !s.kinds.has(q.Kind) || q.Online != nil && within(s.lastBeat, v.now, aliveSeconds) != *q.Online {
			continue
		}
		r := ranked{
			kinds: s.kinds, announced: s.announced, beat: s.lastBeat, firstSeen: s.firstSeen, answered: s.lastAnswer, measured: s.measured,
		}
		if len(words) > 0 || by == SortName || by == SortPrice {
			speaks, err := v.speak(&r, pk, words)
			if err != nil {
				return nil, err
			}
			if !speaks {
				continue
			}
		}
		rank, place := r.rank(by)
		list = append(list, sorted[*standing]{append(place, pk[:]...), rank, s})
	}
	return list, nil
}

// speak finds a provider's name and its lowest announced price, and says whether it has all the words.
func (v *handlerView) speak(r *ranked, pk nip90.PubKey, words []string) (bool, error) {
	cards, err := v.cardsOf(pk, maxOfOne)
	if err != nil {
		return false, err
	}
	p, err := v.profile(pk)
	if err != nil {
		return false, err
	}
	text := pk.String()
	if p != nil {
		r.name = p.name
		text += " " + strings.ToLower(p.name+" "+p.about+" "+p.nip05)
	}
	for _, c := range cards {
		r.name = cmp.Or(r.name, c.h.Name)
		r.price = lower(r.price, c.h.Price)
	}
	for _, w := range words {
		if !strings.Contains(text, w) && !slices.ContainsFunc(cards, func(c *card) bool { return strings.Contains(c.text, w) }) {
			return false, nil
		}
	}
	return true, nil
}

// lower is the lower of two prices that say what something costs.
func lower(a, b Price) Price {
	cost := func(p Price) (int64, bool) {
		if p.Msat != nil {
			return int64(*p.Msat), true
		}
		return 0, p.Kind == "free"
	}
	x, known := cost(a)
	y, other := cost(b)
	if other && (!known || y < x) {
		return b
	}
	return a
}

// cardsOf are the announcements of a key, newest first.
func (l *lens) cardsOf(pk nip90.PubKey, limit int) ([]*card, error) {
	rows, err := l.handlerRows(keyOf(keyHandler, pk[:]), maxHandlersOfOne)
	if err != nil {
		return nil, err
	}
	newestFirst(rows)
	var out []*card
	for i := range rows[:min(len(rows), limit)] {
		c, err := l.card(rows[i].id)
		if err != nil {
			return nil, err
		}
		if c != nil {
			out = append(out, c)
		}
	}
	return out, nil
}

func newestFirst(rows []handlerEntry) {
	slices.SortStableFunc(rows, func(a, b handlerEntry) int { return cmp.Compare(b.created, a.created) })
}

// head is a provider as it stands in a list.
func (l *lens) head(s *standing) (ProviderHead, error) {
	p := ProviderHead{
		PubKey: s.pk.String(), Npub: nip90.Npub(s.pk), Kinds: s.kinds.list(), HandlersCount: s.handlers,
		Online: within(s.lastBeat, l.now, aliveSeconds), FirstSeen: s.firstSeen, LastSeen: s.lastSeen, LastAnswerAt: s.lastAnswer,
		Measured: s.measured,
	}
	said, err := l.profile(s.pk)
	if err != nil {
		return p, err
	}
	if said != nil {
		p.Name, p.About, p.Picture, p.Lud16, p.Nip05 = said.name, said.about, said.picture, said.lud16, said.nip05
	}
	if p.Name != "" && p.About != "" && p.Picture != "" && p.Lud16 != "" || s.handlers == 0 {
		return p, nil
	}
	cards, err := l.cardsOf(s.pk, 1)
	if err != nil {
		return p, err
	}
	for _, c := range cards {
		p.Name, p.About = cmp.Or(p.Name, c.h.Name), cmp.Or(p.About, c.h.About)
		p.Picture, p.Lud16 = cmp.Or(p.Picture, c.h.Picture), cmp.Or(p.Lud16, c.h.Lud16)
	}
	return p, nil
}

// Provider shows one provider, worked out now; false for a key that never announced a handler nor answered a job.
func (x *Index) Provider(r store.Reader, pk nip90.PubKey) (ProviderDetail, bool, error) {
	v := handlerView{lens: lens{Reader: r, x: x, now: x.now(0)}}
	s, g, err := v.standingOf(pk, v.now-measuredSeconds, v.now)
	if err != nil || s == nil {
		return noDetail(), false, err
	}
	d, err := v.detail(s, g)
	return d, err == nil, err
}

// ProviderChecked is Provider and Checkup of one look.
func (x *Index) ProviderChecked(r store.Reader, pk nip90.PubKey) (ProviderDetail, Checkup, bool, error) {
	v := handlerView{lens: lens{Reader: r, x: x, now: x.now(0)}}
	s, g, err := v.standingOf(pk, v.now-measuredSeconds, v.now)
	if err != nil || s == nil {
		return noDetail(), Checkup{}, false, err
	}
	d, err := v.detail(s, g)
	if err != nil {
		return d, Checkup{}, false, err
	}
	c, err := v.lens.checkup(s, g)
	return d, c, err == nil, err
}

func noDetail() ProviderDetail {
	return ProviderDetail{Handlers: []Handler{}, ByKind: []KindMeasured{}, Relays: []string{}, Findings: []nip90.Finding{}}
}

// detail shows a provider that stands so.
func (v *handlerView) detail(s *standing, g *gauge) (ProviderDetail, error) {
	d := noDetail()
	var err error
	if v.t, err = v.table(false); err != nil {
		return d, err
	}
	v.own = s
	if d.ProviderHead, err = v.head(s); err != nil {
		return d, err
	}
	if err := v.offer(&d.ProviderHead, s); err != nil {
		return d, err
	}
	if err := v.announcements(&d, s); err != nil {
		return d, err
	}
	if d.ByKind, err = g.byKind(s); err != nil {
		return d, err
	}
	list, err := v.relays(nip90.KindRelayList, s.pk)
	if err != nil {
		return d, err
	}
	if list != nil {
		d.Relays = relayNames(d.Relays, *list)
	}
	for i := range d.Handlers {
		d.Relays = relayNames(d.Relays, d.Handlers[i].Relays)
	}
	v.providerFindings(&d, s)
	return d, nil
}

// announcements shows the newest handlers of a provider, each measured now.
func (v *handlerView) announcements(d *ProviderDetail, s *standing) error {
	rows, err := v.handlerRows(keyOf(keyHandler, s.pk[:]), maxHandlersOfOne)
	if err != nil {
		return err
	}
	newestFirst(rows)
	for i := range rows[:min(len(rows), maxHandlersShown)] {
		h, ok, err := v.whole(&rows[i])
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		if v.spent += h.size(); v.spent > maxBodies && len(d.Handlers) > 0 {
			break
		}
		d.Handlers = append(d.Handlers, h)
	}
	return nil
}

// byKind measures a provider kind by kind: those that were asked for at all.
func (g *gauge) byKind(s *standing) ([]KindMeasured, error) {
	out := []KindMeasured{}
	for _, k := range s.kinds.within(g.seen).list() {
		if len(out) == maxKindsOfOne {
			break
		}
		m, err := g.service(s, kindSetOf([]int{k}))
		if err != nil {
			return nil, err
		}
		out = append(out, KindMeasured{k, nip90.KindName(k), m})
	}
	slices.SortStableFunc(out, func(a, b KindMeasured) int { return cmp.Compare(b.Measured.Answered, a.Measured.Answered) })
	return out[:min(len(out), maxKindsShown)], nil
}

func (v *handlerView) providerFindings(d *ProviderDetail, s *standing) {
	add := adder(&d.Findings)
	if s.handlers == 0 {
		add("unannounced", sectionHandler, "It answers jobs and has no announcement here, so that nobody can find it by kind.")
	}
	if !within(s.lastSeen, v.now, measuredSeconds) {
		add("stale", sectionAppendix, "No announcement, heartbeat or answer for %d days.", (v.now-s.lastSeen)/86400)
	}
	v.measuredFindings(&Handler{}, s.measured, add)
}
