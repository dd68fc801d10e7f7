package month

import (
	"strings"

	"github.com/nbd-wtf/go-nostr"
)

// side is one provider at work on a job.
type side struct {
	*job
	who  *provider
	key  string
	at   int64  // when it speaks next
	said string // the id of its last answer
}

// work lets the providers answer that do.
func (j *job) work() {
	sides := j.to
	if len(sides) == 0 {
		sides = []int{j.server()}
	} else if happens(j.rng, .03) {
		sides = sides[1:] // the one that was named stays silent
	}
	for range 4 {
		if j.often(shareRival) {
			sides = append(sides, j.server())
		}
	}
	for _, n := range sides {
		if int64(j.request.CreatedAt) == j.at || !j.w.leaves(j.w.providers[n].key) {
			j.start(n).serve()
		}
	}
}

func (j *job) start(n int) *side {
	who := &j.w.providers[n]
	s := &side{job: j, who: who, key: who.key, at: int64(j.request.CreatedAt)}
	if (who.rotates != 0 && j.at > who.rotates) || j.often(shareRotated) {
		s.key = who.next
	}
	switch {
	case j.often(shareClock) && !j.w.leaves(s.key):
		s.at = j.offClock()
	case j.often(shareLate):
		s.at = j.at + j.rng.Int64N(4*day)
	case j.often(shareEarly):
		s.at -= 30
	}
	return s
}

// pause lets seconds pass.
func (s *side) pause(most int64) { s.at += s.rng.Int64N(most + 1) }

// serve is the way of most jobs: a word, perhaps money, the result, another word.
func (s *side) serve() {
	s.pause(4)
	p := s.about
	for share := p.feedback; share > 0; share-- {
		if happens(s.rng, share) && !happens(s.rng, p.feedbackAmount) {
			s.feedback(s.word("processing"))
			s.pause(6)
		}
	}
	if happens(s.rng, p.feedbackAmount) && !s.bargain() {
		return
	}
	s.pause(40)
	if s.often(shareError) {
		s.fail()
		if !s.often(shareRetry) {
			return
		}
		s.pause(30)
	}
	if happens(s.rng, .02) {
		s.say("partial", "half of it")
		s.pause(10)
	}
	s.deliver()
	for s.rng.IntN(25) == 0 {
		s.pause(60)
		s.deliver()
	}
	if s.often(shareSuccessWords) {
		s.feedback(s.word("success"))
	}
}

// word is a status as somebody may spell it.
func (s *side) word(status string) string {
	if s.often(sharePong) {
		return one(s.rng, "pong", "subscription-active", "subscription-success")
	}
	if !s.often(shareSpelling) {
		return status
	}
	switch status {
	case "processing":
		return one(s.rng, "started", "scheduled", "chain-scheduled", "Processing", "busy", "")
	case "payment-required":
		return one(s.rng, "payment_required", "subscription-required", "Payment Required")
	case "error":
		return one(s.rng, "failed", "payment-rejected", "ERROR")
	}
	return status
}

func (s *side) fail() {
	if s.rng.IntN(3) == 0 {
		s.publish(s.resultKind(), "An error occurred", append(s.links(true), tag("status", "error", "out of memory")))
		return
	}
	s.feedback(s.word("error"))
}

func (s *side) feedback(status string) nostr.Event { return s.say(status, "") }

// say is a feedback: with its status in a tag, in the content, in a ciphertext or not at all.
func (s *side) say(status, content string, more ...nostr.Tag) nostr.Event {
	tags := append(s.links(false), more...)
	p := s.about
	switch {
	case happens(s.rng, p.sealed):
		return s.publish(7000, sealed(s.rng), append(tags, tag("encrypted")))
	case happens(s.rng, .001):
		return s.publish(7000, `{"status":"`+status+`","message":"so it is"}`, tags)
	case happens(s.rng, .004):
		return s.publish(7000, "NIP90 DVM task started", tags)
	case happens(s.rng, .1):
		tags = append(tags, tag("status", status, ""))
	default:
		tags = append(tags, tag("status", status, "so it is"))
	}
	return s.publish(7000, content, tags)
}

func (s *side) resultKind() int {
	kind := s.about.kind + 1000
	switch {
	case s.about.kind == 5251:
		return 5651
	case s.often(shareWrongKind):
		return one(s.rng, 6999, 6900, s.about.kind+1)
	}
	return kind
}

// deliver is a result.
func (s *side) deliver() {
	p := s.about
	tags := s.links(true)
	if happens(s.rng, p.status) {
		tags = append(tags, tag("status", "success"))
	} else if happens(s.rng, p.shortStatus) {
		tags = append(tags, tag("s", one(s.rng, "payment-required", "success")))
	}
	if happens(s.rng, p.resultAmount) {
		tags = append(tags, s.price().tags...)
	}
	content := `[["e","` + strings.Repeat("ab", 32) + `"]]`
	if happens(s.rng, p.encrypted) {
		content = sealed(s.rng)
		tags = append(tags, tag("encrypted"))
	}
	e := s.publish(s.resultKind(), content, tags)
	if s.often(shareGift) {
		s.pay(e, 1000*(1+s.rng.Int64N(50)), "")
	}
	if s.often(shareReport) {
		s.w.emit(event(s.w.key("critic", 1), one(s.rng, 1984, 1985), s.at+100, "no good", tag("e", e.ID, "spam"), tag("p", s.key)))
	}
}

// publish emits an answer. A few are taken back later.
func (s *side) publish(kind int, content string, tags nostr.Tags) nostr.Event {
	if s.often(shareExpiring) {
		tags = append(tags, tag("expiration", number(s.at+600)))
	}
	e := s.w.emit(event(s.key, kind, s.at, content, tags...))
	s.said = e.ID
	if s.w.answers = append(s.w.answers, e.ID); len(s.w.answers) > someAnswers {
		s.w.answers = s.w.answers[1:]
	}
	if s.often(shareDeleted) {
		s.w.emit(event(s.key, 5, s.at+s.rng.Int64N(2*hour), "", tag("e", e.ID), tag("k", number(kind))))
	}
	return e
}

// crowd is a job with thousands of feedbacks by few providers.
func (j *job) crowd() {
	var sides []*side
	for n := range 7 {
		sides = append(sides, j.start(n))
	}
	for n := range min(6000, max(100, j.w.o.Requests/20)) {
		s := sides[n%len(sides)]
		s.at = j.at + j.rng.Int64N(day)
		s.publish(7000, "", nostr.Tags{tag("e", j.request.ID), tag("p", j.request.PubKey), tag("status", s.word(one(s.rng, "processing", "partial", "error")), number(n))})
	}
	sides[3].at = j.at + day
	sides[3].deliver()
}

// ends is what a job's customer, and strangers, do about it in the end.
func (j *job) ends() {
	at := int64(j.request.CreatedAt)
	if j.often(shareCancelled) {
		e := event(j.request.PubKey, 5, at+one(j.rng, int64(0), 2, 30, hour), "", tag("e", j.request.ID), tag("k", number(j.about.kind)))
		if j.rng.IntN(4) == 0 && len(j.w.recent) > 0 {
			e.Tags = append(e.Tags, tag("e", one(j.rng, j.w.recent...).ID)) // maybe somebody else's
			e.ID = e.GetID()
		}
		j.w.emit(e)
	}
	if j.often(shareForeign) {
		j.w.emit(event(j.w.key("stranger", 1), 5, at+5, "", tag("e", j.request.ID)))
	}
}
