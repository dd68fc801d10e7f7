package wire

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/nbd-wtf/go-nostr"
)

// ParseCommand reads one frame from a client. Nothing in the result refers to frame. Exactly one of the results is nil.
func ParseCommand(frame []byte, lim Limits) (Command, *Malformed) {
	text := string(frame)
	p := newParser(text, lim)
	defer p.release()
	if !utf8.ValidString(text) {
		p.fail("the frame is not valid UTF-8")
	} else if cmd, ok := p.command(); ok {
		return cmd, nil
	}
	m := addressee(text)
	m.Reason = p.reason
	return nil, m
}

// label reads how every frame begins.
func (p *parser) label() (string, bool) {
	if p.peek() != '[' {
		return "", p.wrongType("a frame", "an array")
	}
	p.i++
	if p.peek() != '"' {
		return "", p.wrongType("the first element of a frame", "a string")
	}
	return p.text()
}

// command reads a whole frame.
func (p *parser) command() (Command, bool) {
	label, ok := p.label()
	if !ok {
		return nil, false
	}
	if !known(label) {
		return nil, p.fail("unknown message " + strconv.Quote(cut(label, 32)))
	}
	if !p.comma(label) {
		return nil, false
	}
	if label == LabelEvent || label == LabelAuth {
		return p.signed(label)
	}
	sub, ok := p.sub()
	if !ok {
		return nil, false
	}
	switch label {
	case LabelReq, LabelCount:
		filters, ok := p.filters(label)
		if !ok {
			return nil, false
		}
		if label == LabelCount {
			return Count{Sub: sub, Filters: filters}, true
		}
		return Req{Sub: sub, Filters: filters}, true
	case LabelClose:
		return Close{Sub: sub}, p.end(label)
	case LabelNegClose:
		return NegClose{Sub: sub}, p.end(label)
	case LabelNegMsg:
		msg, ok := p.negMessage(label)
		return NegMsg{Sub: sub, Message: msg}, ok && p.end(label)
	}
	return p.negOpen(sub)
}

func known(label string) bool {
	switch label {
	case LabelEvent, LabelReq, LabelCount, LabelClose, LabelAuth, LabelNegOpen, LabelNegMsg, LabelNegClose:
		return true
	}
	return false
}

func (p *parser) signed(label string) (Command, bool) {
	evt, raw, ok := p.event()
	if !ok || !p.end(label) {
		return nil, false
	}
	if label == LabelAuth {
		return Auth{Event: evt, Raw: raw}, true
	}
	return Event{Event: evt, Raw: raw}, true
}

func (p *parser) negOpen(sub string) (Command, bool) {
	if !p.comma(LabelNegOpen) {
		return nil, false
	}
	f, ok := p.filter("the filter")
	if !ok {
		return nil, false
	}
	msg, ok := p.negMessage(LabelNegOpen)
	return NegOpen{Sub: sub, Filter: f, Message: msg}, ok && p.end(LabelNegOpen)
}

func (p *parser) negMessage(label string) (string, bool) {
	if !p.comma(label) {
		return "", false
	}
	if p.peek() != '"' {
		return "", p.wrongType("the message of "+label, "a string")
	}
	s, ok := p.text()
	if ok && (len(s)%2 != 0 || !lowerHex(strings.ToLower(s))) {
		return "", p.fail("the message of " + label + " must be hexadecimal")
	}
	return s, ok
}

// comma goes to the next element of the frame.
func (p *parser) comma(label string) bool {
	if p.peek() == ']' {
		return p.fail(label + " lacks an element")
	}
	if !p.take(',') {
		return p.syntax("a comma")
	}
	return true
}

// end closes the frame.
func (p *parser) end(label string) bool {
	if p.peek() == ',' {
		return p.fail(label + " has an element too many")
	}
	if !p.take(']') {
		return p.syntax("the end of the frame")
	}
	return p.done()
}

func (p *parser) sub() (string, bool) {
	if p.peek() != '"' {
		return "", p.wrongType("the subscription id", "a string")
	}
	sub, ok := p.text()
	if !ok {
		return "", false
	}
	if sub == "" {
		return "", p.fail("the subscription id is empty")
	}
	if n := p.lim.MaxSubID; n > 0 && len(sub) > n && utf8.RuneCountInString(sub) > n {
		return "", p.fail("the subscription id is longer than " + strconv.Itoa(n) + " characters")
	}
	return sub, true
}

func (p *parser) filters(label string) ([]nostr.Filter, bool) {
	var filters []nostr.Filter
	for p.peek() != ']' {
		if !p.comma(label) {
			return nil, false
		}
		if p.lim.MaxFilters > 0 && len(filters) >= p.lim.MaxFilters {
			return nil, p.fail(label + " has more than " + strconv.Itoa(p.lim.MaxFilters) + " filters")
		}
		f, ok := p.filter("filter " + strconv.Itoa(len(filters)+1))
		if !ok {
			return nil, false
		}
		filters = append(filters, f)
	}
	if len(filters) == 0 {
		return nil, p.fail(label + " has no filter")
	}
	return filters, p.end(label)
}

// maxAnsweredSub is how much of a subscription id goes back to who sent a longer one, in characters.
const maxAnsweredSub = 64

// addressee reads from a frame that cannot be taken whatever an answer needs.
func addressee(text string) *Malformed {
	m := new(Malformed)
	r := reader{s: text}
	if !r.take('[') || r.peek() != '"' {
		return m
	}
	label, ok := r.text()
	if !ok || !known(label) {
		return m
	}
	m.Label = strings.Clone(label)
	if !r.take(',') {
		return m
	}
	if label == LabelEvent || label == LabelAuth {
		m.EventID = r.findID()
		return m
	}
	if r.peek() != '"' {
		return m
	}
	if sub, ok := r.text(); ok {
		m.Sub, m.HasSub = strings.Clone(cut(sub, maxAnsweredSub)), true
	}
	return m
}

// cut is the first n characters of s.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for i := range s {
		if n == 0 {
			return s[:i]
		}
		n--
	}
	return s
}
