package index

import (
	"cmp"
	"fmt"
	"slices"

	"dvmrelay/nip90"
	"dvmrelay/store"
)

// StoryQuery chooses how much of a thread is told.
type StoryQuery struct {
	Most  int      // events of the thread, 0 = 1000; what its providers did later comes beside them
	After nip90.ID // rows begin behind this event; zero = with the first
	Rows  int      // events in Rows, 0 = none
}

// Story is a thread as a page tells it, which may be a part of a long one.
type Story struct {
	Thread // its events are the first of it, and of each of some providers the last word, ask, first result and payment
	Graph  Graph
	Rows   []Entry
	Later  bool   // there are events behind Rows
	First  int    // how many of Events stand there without a gap between them
	Count  int64  // events of the whole thread
	Called string // as its customer names itself
}

// landmarkSides is of how many providers the later deeds are looked up, and landmarkSteps how many events each look takes.
const (
	landmarkSides = 8
	landmarkSteps = 64
)

// Story tells the thread that an event belongs to, in time that does not grow with it; false for an id that belongs to no
// thread known here. What it says of the whole, as state, providers and reasons, is as Thread says.
func (x *Index) Story(r store.Reader, id nip90.ID, q StoryQuery) (Story, bool, error) {
	root, ok, err := x.Root(r, id)
	if err != nil || !ok {
		return Story{}, false, err
	}
	l := lens{Reader: r, x: x, now: x.now(0), most: q.Most}
	o, ok, err := l.opened(root)
	if err != nil || !ok {
		return Story{}, false, err
	}
	s := Story{Thread: o.Thread, First: l.first, Count: o.row.members, Rows: []Entry{}}
	if o.RequestSeen {
		s.Count++
	}
	if customer, ok := nip90.ParsePubKey(o.Customer); ok {
		self, err := l.profile(customer)
		if err != nil {
			return Story{}, false, fmt.Errorf("read profile of %s: %w", customer, err)
		}
		if self != nil {
			s.Called = self.name
		}
	}
	if s.Graph, err = x.draw(r, &s.Thread); err != nil {
		return Story{}, false, err
	}
	if q.Rows > 0 {
		err = l.rows(&s, &o, q)
	}
	return s, true, err
}

// rows adds the events behind one of them.
func (l *lens) rows(s *Story, o *opened, q StoryQuery) error {
	if q.After.IsZero() {
		n := min(q.Rows, s.First)
		s.Rows, s.Later = o.Events[:n], n < s.First || l.cut
		return nil
	}
	f, ok, err := l.Fact(q.After)
	if err != nil || !ok {
		return err
	}
	start := append(memberKey(o.ID, f.CreatedAt, q.After), 0)
	if q.After == o.ID {
		start = nil // the request stands before all others
	}
	var ids []nip90.ID
	err = l.Scan(keyOf(keyMember, o.ID[:]), start, func(key, _ []byte) bool {
		if id, ok := lastID(key); ok {
			ids = append(ids, id)
		}
		return len(ids) <= q.Rows
	})
	if err != nil {
		return err
	}
	if len(ids) > q.Rows {
		ids, s.Later = ids[:q.Rows], true
	}
	part := *o
	part.Events, part.members = []Entry{}, nil
	if err := l.entries(&part, ids); err != nil {
		return err
	}
	s.Rows = part.Events
	return l.remark(&part)
}

// landmarks are what the providers did behind the events that are told: last words, asks, first results and payments.
func (l *lens) landmarks(o *opened, told []nip90.ID) ([]nip90.ID, error) {
	sides := slices.Clone(o.sides)
	slices.SortStableFunc(sides, func(a, b sided) int {
		return cmp.Or(cmp.Compare(min(b.results, 1), min(a.results, 1)), cmp.Compare(min(b.claims, 1), min(a.claims, 1)), cmp.Compare(a.first, b.first))
	})
	have := make(map[nip90.ID]bool, len(told))
	for _, id := range told {
		have[id] = true
	}
	type mark struct {
		at int64
		id nip90.ID
	}
	var found []mark
	add := func(at int64, id nip90.ID) {
		if !id.IsZero() && !have[id] {
			have[id] = true
			found = append(found, mark{at, id})
		}
	}
	for i := range sides[:min(len(sides), landmarkSides)] {
		s := &sides[i]
		if s.said.status != nip90.StatusNone {
			add(s.said.at, s.said.id)
		}
		if s.ask.set {
			add(s.ask.at, s.ask.id)
		}
		if s.results > 0 {
			id, err := l.happened(o.ID, s.firstResult, func(f *store.Fact) bool {
				return f.Role == nip90.RoleResult && !isError(f) && l.by(f, s.pk)
			})
			if err != nil {
				return nil, err
			}
			add(s.firstResult, id)
		}
		if s.claims > 0 {
			id, err := l.happened(o.ID, s.paidAt, func(f *store.Fact) bool { return isPayment(f) })
			if err != nil {
				return nil, err
			}
			add(s.paidAt, id)
		}
	}
	slices.SortFunc(found, func(a, b mark) int { return cmp.Or(cmp.Compare(a.at, b.at), slices.Compare(a.id[:], b.id[:])) })
	var ids []nip90.ID
	for _, m := range found {
		ids = append(ids, m.id)
	}
	return ids, nil
}

func (l *lens) by(f *store.Fact, pk nip90.PubKey) bool {
	author, err := unveiled(l, f.Author)
	return err == nil && author == pk
}

// happened finds an event of a thread that was made in one second; zero when it is not among the first of that second.
func (l *lens) happened(root nip90.ID, at int64, is func(*store.Fact) bool) (found nip90.ID, err error) {
	var fault error
	left := landmarkSteps
	err = l.Scan(keyOf(keyMember, root[:]), memberKey(root, at, nip90.ID{}), func(key, _ []byte) bool {
		id, _ := lastID(key)
		f, ok, err := l.Fact(id)
		if err != nil || ok && f.CreatedAt > at {
			fault = err
			return false
		}
		if ok && is(&f) {
			found = id
			return false
		}
		left--
		return left > 0
	})
	return found, cmp.Or(err, fault)
}

// Bystander is a provider that could have answered a job and did not.
type Bystander struct {
	PubKey    string `json:"pubkey"`
	Name      string `json:"name,omitempty"`
	Addressed bool   `json:"addressed"` // the job names it
	LastSeen  int64  `json:"last_seen"` // 0 = never
	LastBeat  int64  `json:"last_beat"` // 0 = never
}

// Supply is who could have answered a job.
type Supply struct {
	Providers int         `json:"providers"` // that serve its kind, as far as is known
	Online    int         `json:"online"`
	Silent    []Bystander `json:"silent"` // newest sign of life first
}

// Supply tells who serves the kind of a job, and some who said nothing: those whom it names, or when it names nobody, those
// who were met before it was asked.
func (x *Index) Supply(r store.Reader, t *Thread, most int) (Supply, error) {
	s := Supply{Silent: []Bystander{}}
	v := handlerView{lens: lens{Reader: r, x: x, now: x.now(0)}}
	var err error
	if v.t, err = v.table(false); err != nil {
		return s, err
	}
	answered := make(map[string]bool, len(t.Providers))
	for i := range t.Providers {
		answered[t.Providers[i].PubKey] = true
	}
	var list []*standing
	for pk, st := range v.t.providers {
		if !st.kinds.has(t.Kind) {
			continue
		}
		s.Providers++
		if within(st.lastBeat, v.now, aliveSeconds) {
			s.Online++
		}
		if len(t.Addressed) == 0 && t.RequestSeen && st.firstSeen <= t.CreatedAt && !store.IsPseudonym(pk) && !answered[pk.String()] {
			list = append(list, st)
		}
	}
	for _, text := range t.Addressed {
		if pk, ok := nip90.ParsePubKey(text); ok && !answered[text] && len(list) < maxOfOne {
			list = append(list, cmp.Or(v.standing(pk), &standing{pk: pk}))
		}
	}
	slices.SortFunc(list, func(a, b *standing) int {
		return cmp.Or(cmp.Compare(b.lastSeen, a.lastSeen), slices.Compare(a.pk[:], b.pk[:]))
	})
	for _, st := range list[:min(len(list), most)] {
		b := Bystander{PubKey: st.pk.String(), Addressed: len(t.Addressed) > 0, LastSeen: st.lastSeen, LastBeat: st.lastBeat}
		p := Provider{}
		if err := v.introduce(t, &p, st.pk); err != nil {
			return s, fmt.Errorf("name provider %s: %w", st.pk, err)
		}
		b.Name = p.Name
		s.Silent = append(s.Silent, b)
	}
	return s, nil
}

// Beats are the newest heartbeats of keys, unix seconds; a key without one is absent.
func (x *Index) Beats(r store.Reader, keys []nip90.PubKey) (map[nip90.PubKey]int64, error) {
	l := lens{Reader: r, x: x, now: x.now(0)}
	out := make(map[nip90.PubKey]int64, len(keys))
	for _, pk := range keys {
		at, err := l.lastBeat(pk)
		if err != nil {
			return nil, fmt.Errorf("read heartbeats of %s: %w", pk, err)
		}
		if at != 0 {
			out[pk] = at
		}
	}
	return out, nil
}
