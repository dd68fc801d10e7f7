package nip90

import (
	"strings"

	"github.com/nbd-wtf/go-nostr"
)

// parseRequest reads kinds 5000-5999. NIP-90 "Job request".
func parseRequest(evt *nostr.Event) *Request {
	m := &Request{Kind: evt.Kind, Content: evt.Content}
	var n notes
	marked := false
	for _, tag := range evt.Tags {
		if !n.named(tag) {
			continue
		}
		switch tag[0] {
		case "encrypted":
			marked = true
		case "p":
			m.Providers = appendPubKey(m.Providers, tag, &n)
		case "expiration", "alt", "client", "nonce", "e", "a":
		default:
			m.readTag(evt, tag, &n)
		}
	}
	m.Encrypted = sealing(marked, evt.Content, &n)
	if m.Encrypted != Plain && len(m.Providers) == 0 && marked {
		n.add(oddEncryptedNoProvider)
	}
	m.findings = n.list
	return m
}

// readTag reads one tag of a request: those of the NIP first, then those that people make of them.
func (m *Request) readTag(evt *nostr.Event, tag nostr.Tag, n *notes) {
	switch tag[0] {
	case "i":
		m.readInput(evt, tag, n)
	case "param":
		m.addParam(tag[1:], n)
	case "output":
		if m.Output == "" {
			m.Output = value(tag, 1)
		}
	case "bid":
		m.readBid(tag, n)
	case "relays":
		m.addRelays(tag[1:], n)
	case "t":
		if v := value(tag, 1); v != "" && len(m.Topics) < maxTopics {
			m.Topics = append(m.Topics, v)
		}
	case "j":
		if m.Task == "" {
			m.Task = value(tag, 1)
		}
	case "input":
		n.add(oddInputTag)
		m.readInputTag(tag, n)
	case "relay":
		n.add(oddRelayTag)
		m.addRelays(tag[1:], n)
	case "alignment", "range":
		n.addf(oddParamTag, tag[0])
		m.addParam(tag, n)
	case "exp":
		n.add(oddExpTag)
	case "cashu", "takedeeznuts", "amount":
		n.addf(oddPrepaid, tag[0])
		m.Prepaid = true
	default:
		m.readStrayName(tag, n)
	}
}

// readStrayName looks at tags whose name is a mistake.
func (m *Request) readStrayName(tag nostr.Tag, n *notes) {
	switch {
	case strings.HasPrefix(tag[0], "wss://"), strings.HasPrefix(tag[0], "ws://"):
		n.add(oddRelayTagName)
		m.addRelays(tag, n)
	case tag[0][0] == '#':
		n.addf(oddHashTag, tag[0])
		if tag[0] == "#j" && m.Task == "" {
			m.Task = value(tag, 1)
		}
	}
}

// readInput reads an `i` tag: data, type, relay, marker.
func (m *Request) readInput(evt *nostr.Event, tag nostr.Tag, n *notes) {
	in := readInput(tag, n)
	if !m.addInput(in, n) || (in.Type != "job" && in.Type != "event") {
		return
	}
	id, odd := readID(in.Data)
	switch {
	case odd == oddNone:
	case id.IsZero() && in.Type == "job":
		n.addf(oddInputJobReference, in.Data)
	default:
		n.addf(oddInputReference, in.Data)
	}
	if in.Type != "job" || id.IsZero() {
		return
	}
	if in.Data == evt.ID {
		n.add(oddSelfReference)
		return
	}
	for _, have := range m.Chained {
		if have == id {
			return
		}
	}
	if len(m.Chained) >= MaxLinks {
		n.add(oddManyLinks)
		return
	}
	m.Chained = append(m.Chained, id)
}

// readInput reads an `i` tag wherever it stands.
func readInput(tag nostr.Tag, n *notes) Input {
	in := Input{Data: value(tag, 1), Type: value(tag, 2), Relay: value(tag, 3), Marker: value(tag, 4)}
	switch in.Type {
	case "url", "event", "job", "text":
	case "":
		n.add(oddInputType)
	case "prompt":
		n.add(oddInputPrompt)
	default:
		n.addf(oddInputUnknownType, in.Type)
	}
	if in.Data == "" {
		n.add(oddInputEmpty)
	}
	return in
}

// readInputTag reads an `input` tag, which some write with the type first and some without a type.
func (m *Request) readInputTag(tag nostr.Tag, n *notes) {
	first, second := value(tag, 1), value(tag, 2)
	switch {
	case isInputType(first) && len(tag) > 2:
		m.addInput(Input{Data: second, Type: first}, n)
	case isInputType(second):
		m.addInput(Input{Data: first, Type: second, Relay: value(tag, 3), Marker: value(tag, 4)}, n)
	case first != "":
		m.addInput(Input{Data: first}, n)
	default:
		n.add(oddInputEmpty)
	}
}

func isInputType(s string) bool {
	switch s {
	case "url", "event", "job", "text", "prompt":
		return true
	}
	return false
}

func (m *Request) addInput(in Input, n *notes) bool {
	if len(m.Inputs) >= maxInputs {
		n.addf(oddTooMany, "i")
		return false
	}
	m.Inputs = append(m.Inputs, in)
	return true
}

// addParam reads name and values of a parameter.
func (m *Request) addParam(words []string, n *notes) {
	if len(words) < 2 {
		n.addf(oddParamBare, value(words, 0))
	}
	if len(words) == 0 {
		return
	}
	if len(m.Params) >= maxParams {
		n.addf(oddTooMany, "param")
		return
	}
	m.Params = append(m.Params, Param{Name: words[0], Values: words[1:]})
}

func (m *Request) readBid(tag nostr.Tag, n *notes) {
	if m.BidSet {
		return
	}
	f := parseFigure(value(tag, 1))
	switch {
	case !f.ok:
		n.addf(oddBidBad, value(tag, 1))
		if f.odd == oddAmountNegative {
			n.add(f.odd)
		}
		return
	case f.odd != oddNone:
		n.addf(f.odd, value(tag, 1))
	}
	unit := unitNone
	if second := value(tag, 2); second != "" {
		if u, ok := parseUnit(second); ok {
			n.add(oddAmountUnit)
			unit = u
		} else if g := parseFigure(second); g.ok {
			n.add(oddBidTwo)
			m.MaxBid = g.scaled(unitNone)
		}
	}
	m.Bid, m.BidSet = f.scaled(unit), true
}

func (m *Request) addRelays(urls []string, n *notes) {
	for _, u := range urls {
		if u == "" {
			continue
		}
		if len(m.Relays) >= maxRelays {
			n.addf(oddTooMany, "relays")
			return
		}
		if m.Relays == nil {
			m.Relays = make([]string, 0, min(len(urls), maxRelays))
		}
		m.Relays = append(m.Relays, u)
	}
}

// appendPubKey reads a `p` tag into a list without repetition.
func appendPubKey(list []PubKey, tag nostr.Tag, n *notes) []PubKey {
	if len(list) >= maxKeys {
		n.addf(oddTooMany, "p") // before any comparing: thousands of keys must stay cheap
		return list
	}
	pk, odd := readPubKey(value(tag, 1))
	if pk.IsZero() {
		n.addf(oddBadPubKey, value(tag, 1))
		return list
	}
	n.add(odd)
	for _, have := range list {
		if have == pk {
			return list
		}
	}
	return append(list, pk)
}

// Param is the first value of the first parameter of that name, false when there is none.
func (m *Request) Param(name string) (string, bool) {
	for _, p := range m.Params {
		if p.Name == name {
			if len(p.Values) == 0 {
				return "", true
			}
			return p.Values[0], true
		}
	}
	return "", false
}
