package nip90

import (
	"encoding/json"
	"strings"

	"github.com/nbd-wtf/go-nostr"
)

const maxHandlerParams = 64 << 10

// parseHandler reads kind 31990 in all its spellings. NIP-89 "Handler information".
func parseHandler(evt *nostr.Event) *Handler {
	m := &Handler{}
	var n notes
	var seen [1024]uint64 // one bit per kind
	var fallback Handler
	hasD := false
	for _, tag := range evt.Tags {
		if !n.named(tag) {
			continue
		}
		v := value(tag, 1)
		switch tag[0] {
		case "d":
			if !hasD {
				m.D, hasD = v, len(tag) > 1
			}
		case "k":
			m.addKind(v, &seen, &n)
		case "relays":
			m.addRelays(tag[1:])
		default:
			fallback.readProfileTag(tag[0], v)
		}
	}
	if !hasD {
		n.add(oddHandlerNoD)
	}
	m.readContent(evt.Content, &n)
	m.fill(&fallback, &n)
	m.findings = n.list
	return m
}

func (m *Handler) addKind(v string, seen *[1024]uint64, n *notes) {
	k, ok := parseKind(strings.TrimSpace(v))
	if !ok {
		n.addf(oddHandlerKind, v)
		return
	}
	word, bit := k>>6, uint64(1)<<(k&63)
	if seen[word]&bit != 0 {
		return
	}
	if len(m.Kinds) >= maxKinds {
		n.addf(oddTooMany, "k")
		return
	}
	seen[word] |= bit
	m.Kinds = append(m.Kinds, k)
}

func (m *Handler) addRelays(urls []string) {
	for _, u := range urls {
		if u != "" && len(m.Relays) < maxRelays {
			m.Relays = append(m.Relays, u)
		}
	}
}

// readProfileTag keeps what some put into tags instead of the content.
func (m *Handler) readProfileTag(name, v string) {
	switch name {
	case "name":
		m.Name = v
	case "about", "description":
		m.About = v
	case "picture", "image":
		m.Picture = v
	case "lud16":
		m.Lud16 = v
	case "amount", "price":
		if price, ok := parsePrice(v); ok {
			m.Price = price
		}
	}
}

// fill takes from the tags what the content left open.
func (m *Handler) fill(tags *Handler, n *notes) {
	used := false
	for _, f := range []struct{ to, from *string }{
		{&m.Name, &tags.Name}, {&m.About, &tags.About}, {&m.Picture, &tags.Picture}, {&m.Lud16, &tags.Lud16},
	} {
		if *f.to == "" && *f.from != "" {
			*f.to, used = *f.from, true
		}
	}
	if m.Price.Kind == PriceUnknown && tags.Price.Kind != PriceUnknown {
		m.Price, used = tags.Price, true
	}
	if used {
		n.add(oddHandlerTags)
	}
}

// readContent reads the JSON of the content; an empty one means that the author's profile counts. It says whether
// there was something to read.
func (m *Handler) readContent(content string, n *notes) bool {
	content = strings.TrimSpace(content)
	if content == "" {
		return false
	}
	if !json.Valid([]byte(content)) {
		repaired, ok := pythonToJSON(content)
		if !ok {
			n.add(oddHandlerContent)
			return false
		}
		n.add(oddHandlerPython)
		content = repaired
	}
	var image, display string
	ok := eachMember(content, func(key, raw string) {
		switch key {
		case "image":
			image = looseString(raw, n)
		case "display_name", "displayName":
			display = looseString(raw, n)
		default:
			m.readMember(key, raw, n)
		}
	})
	if !ok {
		n.add(oddHandlerContent)
		return false
	}
	if m.Picture == "" {
		m.Picture = image
	}
	if m.Name == "" {
		m.Name = display
	}
	return true
}

func (m *Handler) readMember(key, raw string, n *notes) {
	switch key {
	case "name":
		m.Name = looseString(raw, n)
	case "about":
		m.About = looseString(raw, n)
	case "picture":
		m.Picture = looseString(raw, n)
	case "lud16":
		m.Lud16 = looseString(raw, n)
	case "encryptionSupported", "supportsEncryption":
		m.Encryption = m.Encryption || looseBool(raw, n)
	case "cashuAccepted", "acceptsNutZaps":
		m.Nutzaps = m.Nutzaps || looseBool(raw, n)
	case "subscription":
		m.Subscribe = looseBool(raw, n)
	case "amount":
		m.readPrice(raw, n)
	case "nip90Params":
		if len(raw) > maxHandlerParams || raw == "" || (raw[0] != '{' && raw[0] != '[') {
			if raw != "null" {
				n.add(oddHandlerParams)
			}
			return
		}
		m.Params = []byte(raw)
	}
}

// readPrice reads the amount of the content: a number or text.
func (m *Handler) readPrice(raw string, n *notes) {
	text, isText := unquote(raw)
	if !isText {
		text = raw
	}
	if text == "" || text == "null" {
		return
	}
	price, ok := parsePrice(text)
	if !ok {
		n.addf(oddHandlerPrice, text)
		return
	}
	m.Price = price
}

func parsePrice(s string) (Price, bool) {
	if len(s) > 200 {
		return Price{}, false
	}
	switch strings.ToLower(strings.TrimSpace(s)) {
	case "free":
		return Price{Kind: PriceFree}, true
	case "flexible":
		return Price{Kind: PriceFlexible}, true
	}
	f := parseFigure(s)
	switch {
	case !f.ok:
		return Price{}, false
	case f.msat == 0:
		return Price{Kind: PriceFree}, true
	}
	return Price{Kind: PriceFixed, Msat: f.scaled(unitNone)}, true
}

// looseString is the text of a member that should be a string; a number is taken as it is written.
func looseString(raw string, n *notes) string {
	if s, ok := unquote(raw); ok {
		return s
	}
	if raw == "null" {
		return ""
	}
	n.add(oddHandlerSpelling)
	if raw[0] == '{' || raw[0] == '[' {
		return ""
	}
	return raw
}

// looseBool is the truth of a member that should be true or false.
func looseBool(raw string, n *notes) bool {
	switch raw {
	case "true":
		return true
	case "false", "null":
		return false
	}
	n.add(oddHandlerSpelling)
	s, _ := unquote(raw) // a number stays as it is
	switch strings.ToLower(s) {
	case "true", "yes", "1":
		return true
	}
	return raw == "1"
}

// parseRecommendation reads kind 31989. NIP-89 "Recommendation event".
func parseRecommendation(evt *nostr.Event) *Recommendation {
	m := &Recommendation{}
	var n notes
	for _, tag := range evt.Tags {
		if !n.named(tag) {
			continue
		}
		v := value(tag, 1)
		switch tag[0] {
		case "d":
			if m.D == "" {
				m.D = v
			}
		case "a":
			addr, ok := ParseAddress(v)
			switch {
			case !ok || addr.Kind != KindHandler:
				n.addf(oddRecommendAddress, v)
			case len(m.Handlers) >= maxKeys:
				n.addf(oddTooMany, "a")
			default:
				m.Handlers = append(m.Handlers, addr)
				m.Hints = append(m.Hints, hintOf(tag))
			}
		}
	}
	kind, ok := parseKind(m.D)
	if !ok {
		n.addf(oddRecommendKind, m.D)
	} else {
		m.Kind = kind
	}
	if len(m.Handlers) == 0 {
		n.add(oddRecommendEmpty)
	}
	m.findings = n.list
	return m
}

// hintOf reads what follows the address in an `a` tag. A hint that is no relay is as good as none.
func hintOf(tag nostr.Tag) HandlerHint {
	h := HandlerHint{Platform: value(tag, 3)}
	if relay := value(tag, 2); isRelay(relay) {
		h.Relay = relay
	}
	return h
}

func isRelay(s string) bool { return strings.HasPrefix(s, "wss://") || strings.HasPrefix(s, "ws://") }
