package demo

import (
	"encoding/json"
	"fmt"
	"strconv"

	"dvmrelay/nip90"

	"github.com/nbd-wtf/go-nostr"
)

const day = 24 * 3600 // seconds

// announcements are what the cast says of itself, in steps: all of a step is there before the next comes. Moment is when
// the directory was filled, in unix seconds.
func (w *world) announcements(moment int64) ([][]line, error) {
	s := &writer{w: w, d: newDice(w.seed, streamCast), speed: 1}
	var steps [][]line
	step := func() {
		steps = append(steps, s.lines)
		s.lines = nil
	}
	w.earlier(s, moment)
	step()
	s.atSecond(moment - 2*day)
	gone := w.byName["Gone and Back"]
	s.say(gone.key, &nostr.Event{Kind: nip90.KindDeletion, Content: "moving house", Tags: nostr.Tags{{"a", gone.address().String()}, {"k", "31990"}}}, nil)
	step()
	for _, p := range w.providers {
		s.atSecond(moment - p.age*day)
		if p == gone {
			s.atSecond(moment - 2*day + 900)
		}
		evt, err := p.handler(s.now())
		s.say(p.key, evt, err)
		s.last().staged = append(s.last().staged, p.relays...)
	}
	w.oddities(s, moment)
	step()
	for _, p := range w.providers {
		w.profile(s, p, moment)
	}
	owl := w.byName["Night Owl Media"] // it beat its last two days ago
	for i := range int64(4) {
		s.atSecond(moment - 2*day - (4-i)*300)
		s.beat(owl, 0)
	}
	step()
	w.voices(s, moment)
	step()
	return steps, s.err
}

func (s *writer) atSecond(at int64) { s.at = at * 1000 }

// earlier are versions that newer ones replace, or that were deleted.
func (w *world) earlier(s *writer, moment int64) {
	painter := *w.byName["Painter"]
	painter.price, painter.about = 1_500_000, "Images in ink."
	s.atSecond(moment - (painter.age+40)*day)
	evt, err := painter.handler(s.now())
	s.say(painter.key, evt, err)
	gone := w.byName["Gone and Back"]
	s.atSecond(moment - gone.age*day)
	evt, err = gone.handler(s.now())
	s.say(gone.key, evt, err)
}

// oddities are announcements as careless people make them.
func (w *world) oddities(s *writer, moment int64) {
	old := *w.byName["Timestamper"] // it moved to another d and left this one behind
	old.d = "timestamp-1"
	s.atSecond(moment - 130*day)
	evt, err := old.handler(s.now())
	s.say(old.key, evt, err)
	twice := *w.byName["Trending Notes"]
	twice.d = "trending-test"
	s.atSecond(moment - 190*day)
	evt, err = twice.handler(s.now())
	s.say(twice.key, evt, err)
	s.atSecond(moment - 18*day)
	s.say(newKey(w.seed, "provider Broken Brackets"), &nostr.Event{
		Kind: nip90.KindHandler, Content: `{"name": "Broken Brackets", "about": "text generation", "amount": "free"`,
		Tags: nostr.Tags{{"d", "broken"}, {"k", "5050"}},
	}, nil)
}

// profile is what else a provider says of itself. NIP-01, NIP-65, NIP-61.
func (w *world) profile(s *writer, p *provider, moment int64) {
	s.atSecond(moment - p.age*day + 60)
	if p.silent && !p.beats {
		s.atSecond(moment - p.age*day)
	}
	s.say(p.key, &nostr.Event{Kind: nip90.KindProfile, Content: profileOf(p.name, p.about, p.picture, p.lud16())}, nil)
	list := nostr.Tags{}
	for _, i := range p.relays {
		list = append(list, nostr.Tag{"r", upstreamList[i].url})
	}
	s.say(p.key, &nostr.Event{Kind: nip90.KindRelayList, Tags: list}, nil)
	if p.nutzaps {
		s.say(p.key, &nostr.Event{Kind: nip90.KindNutzapInfo, Tags: nostr.Tags{
			{"relay", upstreamList[0].url}, {"mint", mint, "sat"}, {"pubkey", "02" + newKey(w.seed, "ecash "+p.name).public},
		}}, nil)
	}
}

func profileOf(name, about, picture, lud16 string) string {
	b, _ := json.Marshal(struct { // strings always can be written
		Name    string `json:"name"`
		About   string `json:"about"`
		Picture string `json:"picture,omitempty"`
		Lud16   string `json:"lud16,omitempty"`
	}{name, about, picture, lud16})
	return string(b)
}

// voices are recommendations. NIP-89.
func (w *world) voices(s *writer, moment int64) {
	for i, c := range w.customers {
		for _, kind := range []int{5300, 5050, 5100, 5002, 5250}[:1+i%3] {
			serving := w.serving[kind]
			p := serving[(i*i+1)%len(serving)]
			s.atSecond(moment - int64(3+i*4)*day)
			evt, err := nip90.NewRecommendation(nip90.RecommendationOptions{
				Kind: kind, Handlers: []nip90.Address{p.address()}, Hints: []nip90.HandlerHint{{Relay: upstreamList[p.relays[0]].url, Platform: "web"}}, CreatedAt: s.now(),
			})
			s.say(c.key, evt, err)
		}
	}
}

// faces are the profiles of customers, who are known once they asked for something.
func (w *world) faces(moment int64) ([]line, error) {
	s := &writer{w: w, d: newDice(w.seed, streamFaces), speed: 1}
	for i, c := range w.customers {
		s.atSecond(moment - int64(30+i*9)*day)
		s.say(c.key, &nostr.Event{Kind: nip90.KindProfile, Content: profileOf(c.name, c.about, face(c.name), "")}, nil)
		if i%2 == 0 {
			s.say(c.key, &nostr.Event{Kind: nip90.KindRelayList, Tags: nostr.Tags{{"r", upstreamList[i%4].url}, {"r", upstreamList[i%4+1].url, "read"}}}, nil)
		}
	}
	return s.lines, s.err
}

// beat is a sign of life, good until expires; 0 = for ever.
func (s *writer) beat(p *provider, expires int64) {
	evt, err := nip90.NewHeartbeat(p.d, s.now(), expires)
	if evt != nil {
		evt.Content = fmt.Sprintf(`{"status":"online","jobs":%s}`, strconv.FormatInt(s.d.between(0, 40), 10))
	}
	s.say(p.key, evt, err)
}
