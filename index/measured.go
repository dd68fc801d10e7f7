package index

import (
	"sync"

	"dvmrelay/nip90"
	"dvmrelay/store"
)

const (
	// measuredSeconds is the window of what is measured, unless another is asked for.
	measuredSeconds = 30 * 86400
	// maxKindsOfOne bounds the kinds of one provider that are counted: a strange announcement names two thousand.
	maxKindsOfOne = 128
	// maxServicesOfOne bounds the sets of kinds of one key that are measured apart.
	maxServicesOfOne = 16
)

// gauge measures providers within one window.
type gauge struct {
	*lens
	since, until int64
	quiet        *Index                // does not ask when each source was heard, which nobody here wants to know
	of, before   *standing             // the provider at hand, and how it stood a moment ago, if that counts still
	seen         kindSet               // kinds that were asked for within the window
	asked        map[askedAs]openCount // of what was counted so far
}

type askedAs struct {
	kind  int
	since int64
}

// openCount is how many requests of a kind name no provider.
type openCount int64

// gauge measures whole hours, as the rollups of providers do.
func (l *lens) gauge(since, until int64) (*gauge, error) {
	g := &gauge{
		lens: l, since: since / hourSeconds * hourSeconds, until: until/hourSeconds*hourSeconds + hourSeconds - 1,
		quiet: l.quiet(), asked: make(map[askedAs]openCount),
	}
	kinds, err := l.x.KindsSeen(l, g.since, g.until)
	g.seen = kindSetOf(kinds)
	return g, err
}

// quiet is the index without asking when each source was heard.
func (l *lens) quiet() *Index {
	x := &Index{o: l.x.o, seen: l.x.seen}
	x.o.Listening = nil
	return x
}

// open counts the requests of a kind that any provider could answer.
func (g *gauge) open(kind int, since int64) (openCount, error) {
	if !g.seen.has(kind) {
		return 0, nil
	}
	as := askedAs{kind, max(since, g.since)}
	if n, ok := g.asked[as]; ok {
		return n, nil
	}
	count, err := g.demand(kind, as.since)
	if err != nil {
		return 0, err
	}
	n := openCount(count)
	g.asked[as] = n
	return n, nil
}

// provider measures what a key does in some of all its kinds.
func (g *gauge) provider(pk nip90.PubKey, met int64, all, some kindSet) (*Measured, error) {
	q := StatsQuery{Provider: pk, WholeHours: true, Since: g.since, Until: g.until, Step: -1, NoDistinct: true, Now: g.now}
	if others := all.without(some); others != (kindSet{}) {
		if one := some.list(); len(one) == 1 {
			q.Kind = one[0]
		} else {
			q.ExcludeKinds = others.within(g.seen).list()
		}
	}
	m := g.measuredBefore(all, some)
	if m == nil {
		var s Stats
		if g.of == nil || g.of.counted {
			var err error
			if s, err = g.quiet.Stats(g, q); err != nil {
				return nil, err
			}
		}
		m = measuredOf(&s)
	}
	m.Since, m.Until = g.since, g.until
	m.Eligible = m.Addressed
	kinds := some.within(g.seen).list()
	for _, k := range kinds[:min(len(kinds), maxKindsOfOne)] {
		n, err := g.open(k, met)
		if err != nil {
			return nil, err
		}
		m.Eligible += int64(n)
	}
	m.rate()
	return m, nil
}

// measuredBefore is a copy of what was measured a moment ago; nil when it is to be measured again.
func (g *gauge) measuredBefore(all, some kindSet) *Measured {
	if g.before == nil || g.before.kinds != all {
		return nil
	}
	old := g.before.measured
	if some != all {
		old = g.before.services[some]
	}
	if old == nil {
		kept, _ := g.before.lately.Load(some)
		old, _ = kept.(*Measured)
	}
	if old == nil {
		return nil
	}
	m := *old
	m.AnswerRate = nil
	return &m
}

// measuredOf takes over what the statistics of a provider say; who was eligible is not among it.
func measuredOf(s *Stats) *Measured {
	return &Measured{
		Addressed: s.Addressed, Answered: s.Answered, First: s.First, Results: s.Results, Errors: s.Errors,
		FirstFeedbackMs: s.FirstFeedbackMs, FirstResultMs: s.FirstResultMs, PaidToResultMs: s.PaidToResultMs,
		AskedMsat: s.AskedMsat, ClaimedMsat: s.ClaimedMsat, PaidJobs: s.PaidJobs, Undelivered: s.Undelivered,
		PriceMsat: s.PriceMsat,
	}
}

func (m *Measured) rate() {
	if m.Eligible <= 0 {
		return
	}
	rate := min(float64(m.Answered)/float64(m.Eligible), 1)
	m.AnswerRate = &rate
}

// standing is what is known of a provider without its words.
type standing struct {
	pk                              nip90.PubKey
	kinds                           kindSet // announced, or answered within the window
	handlers                        int     // announcements held
	firstSeen, lastSeen, lastAnswer int64
	lastBeat, announced             int64     // announced: created_at of its newest announcement held
	measured                        *Measured // all that it does
	announcements                   *announced
	counted                         bool   // was ever asked by name, or heard
	sum                             uint64 // of its newest jobs
	measuredAt                      int64
	services                        map[kindSet]*Measured // by kinds, where they are not all of its kinds
	lately                          *sync.Map             // as services: what was measured since, also for the tables before and after
}

// of is what a service of the provider with these kinds was measured at.
func (s *standing) of(kinds kindSet) *Measured {
	if s == nil {
		return nil
	}
	if m := s.services[kinds]; m != nil {
		return m
	}
	return s.measured
}

// standing looks at one provider. rows are its announcements; all may be nil.
func (g *gauge) standing(pk nip90.PubKey, rows []handlerEntry, all *roll) (*standing, error) {
	s := &standing{pk: pk, handlers: len(rows)}
	var err error
	if s.announcements, err = all.announcedBy(g.lens, pk); err != nil {
		return nil, err
	}
	s.firstSeen = s.announcements.first
	if all.mayHaveAnswered(pk) {
		if s.firstSeen, err = g.firstMet(pk, s.firstSeen); err != nil {
			return nil, err
		}
		recent, err := g.answering(pk)
		if err != nil {
			return nil, err
		}
		s.kinds, s.lastAnswer, s.sum = recent.kinds, recent.last, recent.sum
	}
	if s.lastBeat, err = all.lastBeat(g.lens, pk); err != nil {
		return nil, err
	}
	for i := range rows {
		s.announced = max(s.announced, rows[i].created)
		s.kinds = s.kinds.with(rows[i].jobs)
	}
	s.lastSeen = max(s.lastAnswer, s.lastBeat, s.announced)
	s.counted, s.measuredAt, s.lately = all.mayBeCounted(pk), g.now, new(sync.Map)
	g.of, g.before = s, nil
	if old := all.before(s, g.now); old != nil {
		g.before, s.measuredAt = old, old.measuredAt
		if old.kinds == s.kinds {
			s.lately = old.lately
		}
	}
	if s.measured, err = g.provider(pk, s.firstSeen, s.kinds, s.kinds); err != nil {
		return nil, err
	}
	return s, g.measureServices(s, rows)
}

// measureServices measures the services of a key apart, if it has several that differ.
func (g *gauge) measureServices(s *standing, rows []handlerEntry) error {
	for i := range rows {
		jobs := rows[i].jobs
		if s.services[jobs] != nil || len(s.services) == maxServicesOfOne {
			continue
		}
		m, err := g.service(s, jobs)
		if err != nil {
			return err
		}
		if m == s.measured {
			continue
		}
		if s.services == nil {
			s.services = make(map[kindSet]*Measured)
		}
		s.services[jobs] = m
	}
	return nil
}

// service measures what a provider does of some kinds. With all of its kinds, or none, that is all that it does.
func (g *gauge) service(s *standing, jobs kindSet) (*Measured, error) {
	if jobs == (kindSet{}) || s.kinds.without(jobs) == (kindSet{}) {
		return s.measured, nil
	}
	return g.provider(s.pk, s.firstSeen, s.kinds.with(jobs), jobs)
}

// ofKind is service for one kind, which is remembered until the provider does something.
func (g *gauge) ofKind(s *standing, kind int) (*Measured, error) {
	jobs := kindSetOf([]int{kind})
	g.of, g.before = s, s
	m, err := g.service(s, jobs)
	if err == nil && m != s.measured {
		s.lately.Store(jobs, m)
	}
	return m, err
}

// standingOf looks at one provider now; false for a key that never announced or answered.
func (l *lens) standingOf(pk nip90.PubKey, since, until int64) (*standing, *gauge, error) {
	if known, err := has(l, providerKey(pk)); err != nil || !known {
		return nil, nil, err
	}
	rows, err := l.handlerRows(keyOf(keyHandler, pk[:]), maxHandlersOfOne)
	if err != nil {
		return nil, nil, err
	}
	g, err := l.gauge(since, until)
	if err != nil {
		return nil, nil, err
	}
	s, err := g.standing(pk, rows, nil)
	return s, g, err
}

// Measured is what a provider did from since to until (0 = the 30 days up to now), or with a kind other than 0 what it
// did of that kind. It is worked out now. False for a key that never announced a handler nor answered a job.
func (x *Index) Measured(r store.Reader, pk nip90.PubKey, kind int, since, until int64) (Measured, bool, error) {
	l := lens{Reader: r, x: x, now: x.now(0)}
	if until == 0 {
		until = l.now
	}
	if since == 0 {
		since = until - measuredSeconds
	}
	s, g, err := l.standingOf(pk, since, until)
	if err != nil || s == nil {
		return Measured{}, false, err
	}
	var of kindSet
	of.add(kind)
	m, err := g.service(s, of)
	if err != nil {
		return Measured{}, false, err
	}
	return *m, true, nil
}
