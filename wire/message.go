package wire

import (
	"strconv"
	"unicode/utf8"

	"github.com/nbd-wtf/go-nostr"
)

// Message is what a relay says to its client. The set is sealed: EventMsg, OK, EOSE, Closed, Notice, AuthChallenge,
// CountMsg, NegMsg, NegErr, Unreadable, each as a value.
type Message interface{ message() }

// EventMsg is an event that a relay claims to match a subscription. Neither id nor signature has been checked, nor whether
// it matches. NIP-01 "EVENT".
type EventMsg struct {
	Sub   string
	Event *nostr.Event
	Raw   []byte // as in Event
}

// OK is what became of a published event. NIP-01 "OK".
type OK struct {
	ID       string // as the relay wrote it
	Accepted bool
	Reason   string
}

// EOSE says that what follows is live. NIP-01 "EOSE".
type EOSE struct {
	Sub  string
	Hint string // NIP-67; empty when the relay gives none
}

// Closed says that a relay ended a subscription. NIP-01 "CLOSED".
type Closed struct{ Sub, Reason string }

// Notice is a text for a person. NIP-01 "NOTICE".
type Notice struct{ Text string }

// AuthChallenge asks who the client is. NIP-42.
type AuthChallenge struct{ Challenge string }

// CountMsg answers a Count. NIP-45.
type CountMsg struct {
	Sub         string
	Count       int64
	Approximate bool
}

// NegErr ends a reconciliation. NIP-77.
type NegErr struct{ Sub, Reason string }

// Unreadable is a frame that makes no sense. It ends nothing: the next one may.
type Unreadable struct {
	Label  string // empty when it cannot be read
	Sub    string // of an EVENT that cannot be read; empty when that cannot be read either
	TooBig bool   // it was longer than may be read, and was passed over
	Reason string
}

func (EventMsg) message()      {}
func (OK) message()            {}
func (EOSE) message()          {}
func (Closed) message()        {}
func (Notice) message()        {}
func (AuthChallenge) message() {}
func (CountMsg) message()      {}
func (NegMsg) message()        {}
func (NegErr) message()        {}
func (Unreadable) message()    {}

// ParseMessage reads one frame from a relay. Nothing in the result refers to frame. Elements after those that the label
// needs are ignored, as relays add to their frames; missing reasons are empty.
func ParseMessage(frame []byte, lim Limits) Message {
	text := string(frame)
	p := newParser(text, lim)
	defer p.release()
	bad := Unreadable{}
	if !utf8.ValidString(text) {
		p.fail("the frame is not valid UTF-8")
	} else if msg, ok := p.message(&bad); ok && p.rest() {
		return msg
	}
	bad.Reason = p.reason
	return bad
}

// message reads the elements that the label needs. It tells bad what it has read.
func (p *parser) message(bad *Unreadable) (Message, bool) {
	label, ok := p.label()
	if !ok {
		return nil, false
	}
	bad.Label = cut(label, 32)
	// Every label has a string next.
	first, ok := p.element(label)
	if !ok {
		return nil, false
	}
	switch label {
	case LabelEvent:
		bad.Sub = cut(first, maxAnsweredSub)
		if !p.comma(label) {
			return nil, false
		}
		evt, raw, ok := p.event()
		return EventMsg{Sub: first, Event: evt, Raw: raw}, ok
	case LabelOK:
		if !p.comma(label) {
			return nil, false
		}
		accepted, ok := p.boolean("the third element of OK")
		if !ok {
			return nil, false
		}
		reason, ok := p.optional()
		return OK{ID: first, Accepted: accepted, Reason: reason}, ok
	case LabelCount:
		if !p.comma(label) {
			return nil, false
		}
		return p.count(first)
	case LabelNegMsg:
		msg, ok := p.negMessage(label)
		return NegMsg{Sub: first, Message: msg}, ok
	case LabelNotice:
		return Notice{Text: first}, true
	case LabelAuth:
		return AuthChallenge{Challenge: first}, true
	}
	return p.reasoned(label, first)
}

// reasoned reads the messages that name a subscription and may give a reason.
func (p *parser) reasoned(label, sub string) (Message, bool) {
	if label == LabelEOSE {
		hint, ok := p.hint()
		return EOSE{Sub: sub, Hint: hint}, ok
	}
	reason, ok := p.optional()
	switch label {
	case LabelClosed:
		return Closed{Sub: sub, Reason: reason}, ok
	case LabelNegErr:
		return NegErr{Sub: sub, Reason: reason}, ok
	}
	return nil, p.fail("unknown message " + strconv.Quote(cut(label, 32)))
}

// element reads the next element, a string.
func (p *parser) element(label string) (string, bool) {
	if !p.comma(label) {
		return "", false
	}
	if p.peek() != '"' {
		return "", p.wrongType("the second element of "+cut(label, 32), "a string")
	}
	return p.text()
}

// hint reads what an EOSE adds: a list of words, of which the first that is a string counts, or the bare word that some
// relays send. NIP-67.
func (p *parser) hint() (string, bool) {
	if !p.take(',') {
		return "", true
	}
	switch p.peek() {
	case '"':
		return p.text()
	case '[':
	default:
		return "", p.skip(1)
	}
	p.i++
	word := ""
	for first := true; ; first = false {
		again, ok := p.more(first, ']')
		if !again {
			return word, ok
		}
		if word != "" || p.peek() != '"' {
			if !p.skip(2) {
				return "", false
			}
		} else if word, ok = p.text(); !ok {
			return "", false
		}
	}
}

// optional reads the next element if it is a string.
func (p *parser) optional() (string, bool) {
	if !p.take(',') {
		return "", true
	}
	if p.peek() == '"' {
		return p.text()
	}
	return "", p.skip(1)
}

// rest skips what the label does not need.
func (p *parser) rest() bool {
	for p.take(',') {
		if !p.skip(1) {
			return false
		}
	}
	if !p.take(']') {
		return p.syntax("the end of the frame")
	}
	return p.done()
}

func (p *parser) boolean(name string) (bool, bool) {
	switch p.peek() {
	case 't':
		return true, p.word("true")
	case 'f':
		return false, p.word("false")
	}
	return false, p.wrongType(name, "true or false")
}

func (p *parser) count(sub string) (Message, bool) {
	if p.peek() != '{' {
		return nil, p.wrongType("the answer to COUNT", "an object")
	}
	p.i++
	msg := CountMsg{Sub: sub, Count: -1}
	for first := true; ; first = false {
		again, ok := p.more(first, '}')
		if !ok {
			return nil, false
		}
		if !again {
			break
		}
		key, ok := p.key()
		if !ok {
			return nil, false
		}
		switch key {
		case "count":
			msg.Count, ok = p.integer("count", 0, 1<<62)
		case "approximate":
			msg.Approximate, ok = p.boolean("approximate")
		default:
			ok = p.skip(3)
		}
		if !ok {
			return nil, false
		}
	}
	if msg.Count < 0 {
		return nil, p.fail("the answer to COUNT has no count")
	}
	return msg, true
}
