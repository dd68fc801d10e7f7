package demo

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"

	"dvmrelay/nip90"

	"github.com/nbd-wtf/go-nostr"
)

// line is one event of the script and when it is said.
type line struct {
	evt *nostr.Event
	due int64 // unix milliseconds
	// staged are the upstreams that have it, by number.
	staged []int
	// brought means that a staged upstream brings it, as what a socket would refuse, too, comes to a relay.
	brought bool
}

// writer writes one story. What goes wrong is remembered, so that a story reads as one.
type writer struct {
	w     *world
	d     dice
	speed float64 // how much faster than life
	at    int64   // unix milliseconds, where the story stands
	lines []line
	err   error
}

// wait lets time go by in the story, in milliseconds of life.
func (s *writer) wait(ms int64) { s.at += int64(float64(ms) / s.speed) }

// about is a wait of ms, give or take a half.
func (s *writer) about(ms int64) { s.wait(s.d.between(ms/2, ms*3/2)) }

func (s *writer) now() int64 { return s.at / 1000 }

// after is a moment a while from now in the story, in unix seconds: the while is in milliseconds of life.
func (s *writer) after(ms int64) int64 { return (s.at + int64(float64(ms)/s.speed)) / 1000 }

// say signs an event and puts it into the script. It gives the event back, whole.
func (s *writer) say(by key, evt *nostr.Event, err error) *nostr.Event {
	if s.err == nil {
		s.err = err
	}
	if evt == nil {
		evt = &nostr.Event{}
	}
	if s.err == nil {
		evt.CreatedAt = nostr.Timestamp(s.now())
		s.err = by.sign(evt)
	}
	s.lines = append(s.lines, line{evt: evt, due: s.at, staged: s.heardBy()})
	return evt
}

// heardBy throws which upstreams have an event: most are on a few, some on one only.
func (s *writer) heardBy() []int {
	var on []int
	for i := range upstreamList {
		if s.d.chance(upstreamList[i].share) {
			on = append(on, i)
		}
	}
	return on
}

// last is the line that was said last.
func (s *writer) last() *line { return &s.lines[len(s.lines)-1] }

// job is a request as it is told.
type job struct {
	*nostr.Event
	who    *customer
	kind   int
	errand errand
	relays []string
}

// order are the ways in which a request departs from the plainest one.
type order struct {
	to      []*provider
	bid     int64
	expires int64 // milliseconds after it was made; below 0 before
	relays  []string
	sealed  bool
	inputs  []nip90.Input // instead of the errand's
	extra   nostr.Tags
}

// ask lets a customer ask for an errand.
func (s *writer) ask(who *customer, e errand, o order) job {
	opt := nip90.RequestOptions{Output: e.output, Bid: nip90.Msat(o.bid), Relays: o.relays, CreatedAt: s.now(), Extra: o.extra, Inputs: o.inputs}
	if o.inputs == nil {
		in := e.in
		if e.how == "event" {
			in = s.d.hex(32)
		}
		opt.Inputs = []nip90.Input{{Data: in, Type: e.how}}
	}
	if e.param != "" {
		opt.Params = []nip90.Param{{Name: e.param, Values: []string{e.value}}}
	}
	for _, p := range o.to {
		opt.Providers = append(opt.Providers, p.pubkey())
	}
	if o.expires != 0 {
		opt.Expires = s.after(o.expires)
	}
	if o.sealed {
		opt.Sealed, opt.Output = s.noise(220), ""
	}
	evt, err := nip90.NewRequest(e.kind, opt)
	return job{Event: s.say(who.key, evt, err), who: who, kind: e.kind, errand: e, relays: o.relays}
}

// noise looks like what NIP-44 makes of a text; there is no text in it.
func (s *writer) noise(n int) string {
	b := append([]byte{2}, s.d.bytes(n-n%3+2)...)
	return base64.StdEncoding.EncodeToString(b)
}

func (s *writer) feedback(p *provider, j job, status nip90.Status, o nip90.FeedbackOptions) *nostr.Event {
	if s.err != nil {
		return &nostr.Event{}
	}
	evt, err := nip90.NewFeedback(j.Event, status, o)
	return s.say(p.key, evt, err)
}

// busy is a word of a provider that works.
func (s *writer) busy(p *provider, j job) {
	s.feedback(p, j, nip90.Processing, nip90.FeedbackOptions{Text: pick(s.d, busyWords)})
}

// fail ends a provider's part in an error.
func (s *writer) fail(p *provider, j job) {
	s.feedback(p, j, nip90.Error, nip90.FeedbackOptions{Text: pick(s.d, errorWords)})
}

// bill asks for a payment with an invoice that can be paid for so many seconds.
func (s *writer) bill(p *provider, j job, msat, expiry int64) *nostr.Event {
	bolt11, err := invoice{msat: msat, at: s.now(), expiry: expiry, description: fmt.Sprintf("%s: job of kind %d", p.name, j.kind)}.encode(s.d, s.w.node)
	if err != nil {
		return s.say(p.key, nil, err)
	}
	return s.feedback(p, j, nip90.PaymentRequired, nip90.FeedbackOptions{Text: pick(s.d, askWords), Msat: nip90.Msat(msat), Bolt11: bolt11})
}

// deliver is a provider's result.
func (s *writer) deliver(p *provider, j job, o nip90.ResultOptions) *nostr.Event {
	if s.err != nil {
		return &nostr.Event{}
	}
	if o.Content == "" {
		o.Content = s.outcome(j)
	}
	evt, err := nip90.NewResult(j.Event, o)
	return s.say(p.key, evt, err)
}

// outcome is what a good provider makes of an errand.
func (s *writer) outcome(j job) string {
	if j.errand.out != "" {
		return j.errand.out
	}
	switch j.kind {
	case 5300, 5302:
		return s.list("e", int(s.d.between(3, 9)))
	case 5301:
		return s.list("p", int(s.d.between(2, 5)))
	case 5100:
		return "https://pictures.demo.example/made/" + s.d.hex(6) + ".png"
	case 5250:
		return "https://sounds.demo.example/made/" + s.d.hex(6) + ".mp3"
	case 5900:
		return base64.StdEncoding.EncodeToString(s.d.bytes(96))
	}
	return "It is done, number " + strconv.FormatInt(s.d.between(100, 999), 10) + "."
}

// list is tags as results of discovery have them.
func (s *writer) list(name string, n int) string {
	tags := make(nostr.Tags, n)
	for i := range tags {
		tags[i] = nostr.Tag{name, s.d.hex(32)}
	}
	b, err := json.Marshal(tags)
	if err != nil && s.err == nil {
		s.err = err
	}
	return string(b)
}

// zap is the receipt of a payment that names an event. NIP-57.
func (s *writer) zap(from, to key, about *nostr.Event, msat int64) *nostr.Event {
	request := &nostr.Event{Kind: 9734, CreatedAt: nostr.Timestamp(s.now()), Content: pick(s.d, thanks), Tags: nostr.Tags{
		{"relays", s.upstream(0), s.upstream(1)}, {"amount", strconv.FormatInt(msat, 10)}, {"p", to.public}, {"e", about.ID},
	}}
	if err := from.sign(request); err != nil && s.err == nil {
		s.err = err
	}
	description := request.String()
	hash := sha256.Sum256([]byte(description))
	bolt11, err := invoice{msat: msat, at: s.now() - 1, expiry: 600, hashed: hash[:]}.encode(s.d, s.w.node)
	return s.say(s.w.cashier, &nostr.Event{Kind: nip90.KindZap, Tags: nostr.Tags{
		{"p", to.public}, {"P", from.public}, {"e", about.ID}, {"bolt11", bolt11}, {"description", description}, {"preimage", s.d.hex(32)},
	}}, err)
}

// nutzap is a payment in ecash that names an event. NIP-61.
func (s *writer) nutzap(from, to key, about *nostr.Event, msat int64) *nostr.Event {
	tags := nostr.Tags{}
	for sat, left := int64(1), msat/1000; left > 0; sat, left = sat*2, left/2 {
		if left&1 == 1 {
			proof := fmt.Sprintf(`{"amount":%d,"C":"02%s","id":"00%s","secret":"%s"}`, sat, s.d.hex(32), s.d.hex(7), s.d.hex(32))
			tags = append(tags, nostr.Tag{"proof", proof})
		}
	}
	tags = append(tags, nostr.Tag{"unit", "sat"}, nostr.Tag{"u", mint}, nostr.Tag{"e", about.ID, s.upstream(0)}, nostr.Tag{"p", to.public})
	return s.say(from, &nostr.Event{Kind: nip90.KindNutzap, Content: pick(s.d, thanks), Tags: tags}, nil)
}

// mint is where the ecash of the demo claims to come from.
const mint = "https://mint.demo.example"

func (s *writer) upstream(i int) string { return upstreamList[i].url }

// cancel takes a job back. NIP-09.
func (s *writer) cancel(j job) {
	if s.err != nil {
		return
	}
	evt, err := nip90.NewCancel(pick(s.d, regrets), s.now(), j.Event)
	s.say(j.who.key, evt, err)
}

// report is a complaint about a result. NIP-56.
func (s *writer) report(by key, result *nostr.Event, kind, words string) {
	s.say(by, &nostr.Event{Kind: nip90.KindReport, Content: words, Tags: nostr.Tags{{"e", result.ID, kind}, {"p", result.PubKey, kind}}}, nil)
}

// label is a word about a result. NIP-32.
func (s *writer) label(by key, result *nostr.Event, word string) {
	s.say(by, &nostr.Event{Kind: 1985, Tags: nostr.Tags{
		{"L", "example.demo.quality"}, {"l", word, "example.demo.quality"}, {"e", result.ID}, {"p", result.PubKey},
	}}, nil)
}
