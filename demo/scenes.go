package demo

import (
	"strings"

	"dvmrelay/nip90"

	"github.com/nbd-wtf/go-nostr"
)

// bornExpired is brought by an upstream: this relay's own sockets would refuse it.
func (s *writer) bornExpired() {
	s.ask(s.someone(), s.errand(5050), order{expires: -1_000})
	s.last().brought = true
}

func (s *writer) expires() {
	s.ask(s.someone(), s.errand(5302), order{expires: 60_000, to: []*provider{s.cast("Tinker's Old Bench")}})
}

// late is brought by an upstream when it had expired.
func (s *writer) late() {
	s.ask(s.someone(), s.errand(5002), order{expires: 30_000})
	s.wait(90_000)
	s.last().due, s.last().brought = s.at, true
}

// malformed asks in the content, where nobody looks.
func (s *writer) malformed() {
	e := s.errand(5050)
	s.say(s.someone().key, &nostr.Event{Kind: e.kind, Content: e.in, Tags: nostr.Tags{{"output", plain}}}, nil)
}

// sealedForNobody is written without the builders, which refuse it.
func (s *writer) sealedForNobody() {
	s.say(s.someone().key, &nostr.Event{Kind: 5050, Content: s.noise(220), Tags: nostr.Tags{{"encrypted"}}}, nil)
}

// sealed is an encrypted job from end to end.
func (s *writer) sealed() {
	p := s.cast("Longhand Writer")
	j := s.ask(s.someone(), s.errand(5050), order{sealed: true, to: []*provider{p}, bid: 60_000})
	s.about(p.pace)
	ask := s.bill(p, j, p.price, 600)
	s.about(12_000)
	s.nutzap(j.who.key, p.key, ask, p.price)
	s.about(p.pace)
	s.deliver(p, j, nip90.ResultOptions{Content: s.noise(600), Encrypted: true})
}

func (s *writer) unwatched() {
	s.ask(s.someone(), s.errand(5000), order{relays: []string{"wss://island.demo.example", s.upstream(0)}})
}

func (s *writer) startsOnly() {
	p := s.cast("Reader's Aid")
	j := s.ask(s.someone(), s.errand(5000), order{})
	s.about(p.pace)
	s.busy(p, j)
}

func (s *writer) partialOnly() {
	p := s.cast("Plainspeak")
	e := s.errand(5050)
	j := s.ask(s.someone(), e, order{})
	s.about(p.pace)
	s.busy(p, j)
	s.about(p.pace)
	s.feedback(p, j, nip90.Partial, nip90.FeedbackOptions{Content: e.out[:strings.LastIndex(e.out[:len(e.out)*2/3], " ")]})
}

func (s *writer) onlyError() {
	p := s.cast("PixelBot")
	j := s.ask(s.someone(), s.errand(5100), order{to: []*provider{p}, bid: 600_000})
	s.about(p.pace)
	s.fail(p, j)
}

func (s *writer) cancelled() {
	p := s.cast("Painter")
	j := s.ask(s.someone(), s.errand(5100), order{bid: 2_500_000})
	s.about(p.pace)
	s.bill(p, j, p.price, 600)
	s.about(30_000)
	s.cancel(j)
}

// builtUpon: a job without an answer here, whose outcome another one used.
func (s *writer) builtUpon() {
	who, p := s.someone(), s.cast("Plainspeak")
	first := s.ask(who, s.errand(5000), order{relays: []string{s.upstream(1)}})
	s.about(45_000)
	then := s.ask(who, errandOf(5050, 6), order{inputs: []nip90.Input{{Data: first.ID, Type: "job"}}})
	s.about(p.pace)
	s.deliver(p, then, nip90.ResultOptions{})
}

// chain is three jobs, each of which takes what the one before gave.
func (s *writer) chain() {
	who, read, turn, speak := s.someone(), s.cast("Reader's Aid"), s.cast("Babel Bridge"), s.cast("Narrator")
	first := s.ask(who, errandOf(5000, 2), order{bid: 25_000})
	s.paidPart(read, first)
	s.about(5_000)
	second := s.ask(who, errand{kind: 5002, param: "language", value: "de", output: plain, out: "Guten Morgen. Heute folgen wir dem Wasser von dort, wo es fällt, bis dorthin, wo es gemessen wird."},
		order{inputs: []nip90.Input{{Data: first.ID, Type: "job"}}, bid: 6_000})
	s.paidPart(turn, second)
	s.about(5_000)
	third := s.ask(who, errand{kind: 5250, param: "voice", value: "warm", output: audio}, order{inputs: []nip90.Input{{Data: second.ID, Type: "job"}}, bid: 20_000})
	s.paidPart(speak, third)
}

// paidPart is a job that goes as it should.
func (s *writer) paidPart(p *provider, j job) {
	s.about(p.pace / 2)
	ask := s.bill(p, j, p.msat(), 600)
	s.about(8_000)
	s.zap(j.who.key, p.key, ask, p.msat())
	s.about(2_000)
	s.busy(p, j)
	s.about(p.pace)
	s.deliver(p, j, nip90.ResultOptions{})
}

func (s *writer) rivals() {
	good, bad := s.cast("Painter"), s.cast("PixelBot")
	j := s.ask(s.someone(), s.errand(5100), order{bid: 3_000_000, relays: []string{s.upstream(0), s.upstream(1)}})
	began := s.at
	s.about(bad.pace)
	s.busy(bad, j)
	s.about(bad.pace)
	s.feedback(bad, j, nip90.Error, nip90.FeedbackOptions{Text: errorWords[0]})
	s.at = began
	s.paidPart(good, j)
}

func (s *writer) reported() {
	p := s.cast("Dev Log Discovery")
	j := s.ask(s.someone(), s.errand(5300), order{})
	s.about(p.pace)
	result := s.deliver(p, j, nip90.ResultOptions{Content: s.list("e", 2)})
	s.about(30_000)
	s.report(j.who.key, result, "spam", "Two notes, and both are advertisements.")
	s.about(20_000)
	s.label(s.someone().key, result, "unhelpful")
}
