package demo

import (
	"slices"

	"dvmrelay/nip90"

	"github.com/nbd-wtf/go-nostr"
)

// ordinary is a job of every day: somebody asks, some answer, some are paid.
func (s *writer) ordinary() {
	kind := s.kind()
	who, e := pick(s.d, s.w.customers), s.errand(kind)
	crowd := slices.Clone(s.w.serving[kind])
	s.d.Shuffle(len(crowd), func(i, j int) { crowd[i], crowd[j] = crowd[j], crowd[i] })
	var o order
	if s.d.chance(0.25) {
		o.to = crowd[:1]
		crowd = crowd[:1]
	}
	if s.d.chance(0.6) {
		o.relays = []string{s.upstream(0), s.upstream(1)}
	}
	if p := crowd[0]; p.msat() > 0 {
		o.bid = p.msat() * s.d.between(10, 15) / 10 / 1000 * 1000
	}
	if s.d.chance(0.1) {
		o.expires = 24 * 3600_000
	}
	j := s.ask(who, e, o)
	began := s.at
	if s.d.chance(0.02) {
		s.about(9_000)
		s.cancel(j)
		return
	}
	if s.d.chance(0.03) {
		return // some are never answered
	}
	most := min(len(crowd), 1+s.d.IntN(3))
	for i, p := range crowd[:most] {
		s.at = began
		s.serve(p, j, i == 0)
	}
}

// kind throws a kind as people ask for them.
func (s *writer) kind() int {
	total := 0
	for _, d := range demand {
		total += d.weight
	}
	n := s.d.IntN(total)
	for _, d := range demand {
		if n -= d.weight; n < 0 {
			return d.kind
		}
	}
	return demand[0].kind
}

// serve is what a provider makes of a job. Chosen is whom the customer pays.
func (s *writer) serve(p *provider, j job, chosen bool) {
	s.about(p.pace / 2)
	if s.d.chance(0.6) {
		s.busy(p, j)
	}
	s.about(p.pace / 2)
	if s.d.chance(p.trouble) {
		s.fail(p, j)
		return
	}
	if p.msat() > 0 {
		ask := s.bill(p, j, p.msat(), 3600)
		s.about(14_000)
		if !chosen || !s.d.chance(0.8) {
			return
		}
		s.pay(p, j, ask, p.msat())
		s.about(p.pace)
		if s.d.chance(0.4) {
			s.busy(p, j)
			s.about(p.pace)
		}
	} else if out := []rune(j.errand.out); len(out) > 40 && s.d.chance(0.5) {
		s.feedback(p, j, nip90.Partial, nip90.FeedbackOptions{Content: string(out[:len(out)/2])})
		s.about(p.pace)
	}
	result := s.deliver(p, j, nip90.ResultOptions{})
	switch {
	case s.d.chance(0.05):
		s.about(20_000)
		s.zap(j.who.key, p.key, result, s.d.between(1, 5)*21_000)
	case s.d.chance(0.04):
		s.about(8_000)
		s.feedback(p, j, nip90.Success, nip90.FeedbackOptions{Text: pick(s.d, doneWords)})
	case s.d.chance(0.02):
		s.about(60_000)
		s.label(pick(s.d, s.w.customers).key, result, "helpful")
	}
}

// pay is the way in which a provider is paid.
func (s *writer) pay(p *provider, j job, ask *nostr.Event, msat int64) {
	if p.nutzaps && s.d.chance(0.3) {
		s.nutzap(j.who.key, p.key, ask, msat)
		return
	}
	s.zap(j.who.key, p.key, ask, msat)
}

// scene is a story that is told again and again, so that nothing that can become of a job is ever off the stage.
type scene struct {
	name string
	play func(*writer)
	long bool // it may go on for as long as lasting
}

// scenes are all of them. What they leave behind is held by TestMarket_EverythingIsOnStage.
func scenes() []scene {
	return []scene{
		{name: "nobody serves the kind", play: (*writer).unserved},
		{name: "the addressed provider is silent", play: (*writer).silentWell},
		{name: "paid, no result", play: (*writer).paidNoResult, long: true},
		{name: "the addressed provider is offline", play: (*writer).sleepingOwl},
		{name: "the invoice runs out", play: (*writer).invoiceRunsOut},
		{name: "the bid is below every price", play: (*writer).lowBid},
		{name: "a chain of jobs", play: (*writer).chain},
		{name: "the ask is above the bid", play: (*writer).dearPainter},
		{name: "success without a result", play: (*writer).emptySuccess},
		{name: "waits for a payment", play: (*writer).awaitsPayment},
		{name: "made when it had expired", play: (*writer).bornExpired},
		{name: "paid back", play: (*writer).paidBack},
		{name: "nobody can read it", play: (*writer).malformed},
		{name: "starts, then silence", play: (*writer).startsOnly},
		{name: "paid too little", play: (*writer).paidTooLittle},
		{name: "encrypted for nobody", play: (*writer).sealedForNobody},
		{name: "expires unanswered", play: (*writer).expires},
		{name: "encrypted, paid by nutzap", play: (*writer).sealed},
		{name: "asks where nobody listens", play: (*writer).unwatched},
		{name: "partial, then silence", play: (*writer).partialOnly},
		{name: "answered elsewhere", play: (*writer).builtUpon},
		{name: "nothing but an error", play: (*writer).onlyError},
		{name: "cancelled", play: (*writer).cancelled},
		{name: "comes too late", play: (*writer).late},
		{name: "one fails, another delivers", play: (*writer).rivals},
		{name: "reported and labelled", play: (*writer).reported},
	}
}

func (s *writer) someone() *customer { return pick(s.d, s.w.customers) }

func (s *writer) cast(name string) *provider { return s.w.byName[name] }

func (s *writer) unserved() {
	s.ask(s.someone(), s.errand(5999), order{relays: []string{s.upstream(0)}})
}

func (s *writer) silentWell() {
	s.ask(s.someone(), s.errand(5050), order{to: []*provider{s.cast("Echo Well")}})
}

func (s *writer) sleepingOwl() {
	s.ask(s.someone(), s.errand(5250), order{to: []*provider{s.cast("Night Owl Media")}, bid: 90_000})
}

func (s *writer) lowBid() {
	s.ask(s.someone(), s.errand(5900), order{bid: 10_000})
}

func (s *writer) dearPainter() {
	p := s.cast("Painter")
	j := s.ask(s.someone(), s.errand(5100), order{bid: 1_000_000})
	s.about(p.pace)
	s.bill(p, j, p.price, 24*3600)
}

func (s *writer) awaitsPayment() {
	p := s.cast("Longhand Writer")
	j := s.ask(s.someone(), s.errand(5050), order{to: []*provider{p}, bid: 60_000})
	s.about(p.pace)
	s.bill(p, j, p.price, 24*3600)
}

func (s *writer) invoiceRunsOut() {
	p := s.cast("Voicebox")
	j := s.ask(s.someone(), s.errand(5250), order{bid: 40_000})
	s.about(p.pace)
	s.busy(p, j)
	s.about(p.pace)
	s.bill(p, j, p.price, 90)
}

func (s *writer) paidNoResult() {
	p := s.cast(pick(s.d, []string{"Painter", "PixelBot", "Longhand Writer", "Voicebox", "Babel Bridge"}))
	j := s.ask(s.someone(), s.errand(p.kinds[0]), order{bid: p.price * 3 / 2, relays: []string{s.upstream(0), s.upstream(2)}})
	s.about(p.pace)
	s.busy(p, j)
	s.about(p.pace)
	ask := s.bill(p, j, p.price, 600)
	s.about(40_000)
	s.zap(j.who.key, p.key, ask, p.price)
	s.makeAmends(p, j)
}

// makeAmends is what comes of it when somebody was paid and fell silent: long after, most deliver, some pay back, and of
// few nothing is heard again.
func (s *writer) makeAmends(p *provider, j job) {
	end := s.d.IntN(25)
	if end == 0 {
		return
	}
	s.wait(s.d.between(20*60_000, 26*60_000)) // so that one is on stage at any time
	if end <= 18 {
		s.deliver(p, j, nip90.ResultOptions{})
		return
	}
	s.payBack(p, j)
}

// payBack ends a paid job in an error, and the payment goes back.
func (s *writer) payBack(p *provider, j job) {
	s.fail(p, j)
	s.about(15_000)
	s.zap(p.key, j.who.key, j.Event, p.price)
}

func (s *writer) paidBack() {
	p := s.cast("PixelBot")
	j := s.ask(s.someone(), s.errand(5100), order{to: []*provider{p}, bid: 600_000})
	s.about(p.pace)
	ask := s.bill(p, j, p.price, 600)
	s.about(20_000)
	s.zap(j.who.key, p.key, ask, p.price)
	s.about(30_000)
	s.payBack(p, j)
}

func (s *writer) paidTooLittle() {
	p := s.cast("Longhand Writer")
	j := s.ask(s.someone(), s.errand(5050), order{bid: 60_000})
	s.about(p.pace)
	ask := s.bill(p, j, p.price, 600)
	s.about(15_000)
	s.nutzap(j.who.key, p.key, ask, 21_000)
	s.about(p.pace)
	s.deliver(p, j, nip90.ResultOptions{})
}

func (s *writer) emptySuccess() {
	p := s.cast("Plainspeak")
	j := s.ask(s.someone(), s.errand(5050), order{})
	s.about(p.pace)
	s.busy(p, j)
	s.about(p.pace)
	s.feedback(p, j, nip90.Success, nip90.FeedbackOptions{Text: pick(s.d, doneWords)})
}
