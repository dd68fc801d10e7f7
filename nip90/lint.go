package nip90

import (
	"encoding/json"
	"net/netip"
	"net/url"
	"strings"

	"github.com/nbd-wtf/go-nostr"
)

// nostrBegan is when the first event was made, in unix seconds: 2020-11-07.
const nostrBegan = 1604707200

// Lint says everything that is odd about an event: the findings of the parser, then what the parser has no need to
// mention. It never refuses; nothing it says makes an event worthless. An event without oddities gives nil.
func Lint(evt *nostr.Event) []Finding {
	msg, err := Parse(evt)
	if err != nil {
		return nil
	}
	n := resume(msg.Findings())
	lintEvent(evt, n)
	lintTags(evt, n)
	lintExpiration(evt, n)
	switch m := msg.(type) {
	case *Request:
		lintRequest(evt, m, n)
	case *Result:
		lintResult(evt, m, n)
	case *Feedback:
		lintCustomer(evt, m.Customer, n)
		lintFeedback(m, n)
	case *Handler:
		lintHandler(m, n)
	case *Zap:
		lintTarget(m.Links, n)
	case *Nutzap:
		lintTarget(m.Links, n)
	}
	return n.list
}

// resume is notes that know which codes are said already.
func resume(found []Finding) *notes {
	n := &notes{list: append([]Finding(nil), found...)}
	for _, f := range found {
		for o := oddNone + 1; o < oddLast; o++ {
			if oddities[o].Code == f.Code {
				n.seen[(o>>6)&1] |= 1 << (o & 63)
			}
		}
	}
	return n
}

func lintEvent(evt *nostr.Event, n *notes) {
	if evt.Kind < 0 || evt.Kind > 65535 {
		n.add(oddKindRange)
	}
	if evt.CreatedAt < nostrBegan {
		n.add(oddCreatedAt)
	}
	info, known := LookupKind(evt.Kind)
	switch {
	case known && info.Status == KindHistoric, isDraftKind(evt.Kind):
		n.add(oddKindHistoric)
	case (IsRequest(evt.Kind) || IsResult(evt.Kind)) && !described(evt.Kind):
		n.add(oddKindUnregistered)
	}
}

// isDraftKind says whether a kind is one of the first drafts': 65000-65010, 65100, 68001-68005.
func isDraftKind(k int) bool {
	return (k >= 65000 && k <= 65010) || k == 65100 || (k >= 68001 && k <= 68005)
}

// described says whether somebody wrote down what a job kind means.
func described(kind int) bool {
	info, ok := LookupKind(kind)
	if !ok {
		info, ok = LookupKind(RequestKind(kind))
	}
	return ok && info.Status != KindObserved && info.Status != KindSquatting
}

// lintTags looks at tags whatever the kind.
func lintTags(evt *nostr.Event, n *notes) {
	seen := make(map[[2]string]bool, min(len(evt.Tags), 64))
	for _, tag := range evt.Tags {
		if !n.named(tag) {
			continue
		}
		switch {
		case strings.HasPrefix(tag[0], "wss://"), strings.HasPrefix(tag[0], "ws://"):
			n.add(oddRelayTagName)
			lintRelays(tag, n)
		case tag[0][0] == '#':
			n.addf(oddHashTag, tag[0])
		case tag[0] == "relays":
			lintRelays(tag[1:], n)
		case tag[0] == "exp":
			n.add(oddExpTag)
		case len(tag) > 1 && (tag[0] == "e" || tag[0] == "p" || tag[0] == "i"):
			key := [2]string{tag[0], tag[1]}
			if seen[key] {
				n.addf(oddDuplicateTag, tag[0])
			}
			seen[key] = true
		}
	}
}

func lintRelays(urls []string, n *notes) {
	seen := make(map[string]bool, min(len(urls), maxRelays))
	for i, s := range urls {
		if i >= maxRelays {
			return
		}
		if !reachable(s) {
			n.addf(oddRelayURL, s)
		}
		key := strings.TrimRight(strings.ToLower(s), "/")
		if seen[key] {
			n.addf(oddRelayTwice, s)
		}
		seen[key] = true
	}
}

// reachable says whether a relay's address can mean the same machine to everybody.
func reachable(s string) bool {
	u, err := url.Parse(s)
	if err != nil || (u.Scheme != "wss" && u.Scheme != "ws") || u.Host == "" || strings.ContainsAny(s, "|\\ ") {
		return false
	}
	host := strings.ToLower(u.Hostname())
	if host == "localhost" || strings.HasSuffix(host, ".local") || strings.HasSuffix(host, ".onion") {
		return false
	}
	if ip, err := netip.ParseAddr(host); err == nil {
		return ip.IsGlobalUnicast() && !ip.IsPrivate()
	}
	return true
}

func lintExpiration(evt *nostr.Event, n *notes) {
	count := 0
	for _, tag := range evt.Tags {
		if len(tag) == 0 || tag[0] != "expiration" {
			continue
		}
		count++
		if _, ok := parseSeconds(value(tag, 1)); !ok {
			n.addf(oddExpirationBad, value(tag, 1))
		}
	}
	if count > 1 {
		n.add(oddExpirationTwice)
	}
	if at := Expiration(evt); at > 0 && at < int64(evt.CreatedAt) {
		n.add(oddBornExpired)
	}
}

func lintRequest(evt *nostr.Event, m *Request, n *notes) {
	if m.Encrypted == Plain && len(m.Inputs) == 0 {
		switch {
		case m.Content != "" && m.Content[0] != '{' && m.Content[0] != '[':
			n.add(oddPromptInContent) // some kinds are described with JSON there: 5400, 5910
		case m.Content == "" && len(m.Params) == 0 && evt.Kind/100 != 53:
			n.add(oddNoInput) // discovery, 53xx, needs none: who asks is what is asked
		}
	}
	if m.Encrypted != Plain && (len(m.Inputs) > 0 || len(m.Params) > 0) {
		n.add(oddClearInput)
	}
	if m.Output != "" && !isMIME(m.Output) {
		n.addf(oddOutput, m.Output)
	}
}

func isMIME(s string) bool {
	kind, rest, ok := strings.Cut(s, "/")
	return ok && kind != "" && rest != "" && !strings.ContainsAny(kind, " ;,")
}

func lintResult(evt *nostr.Event, m *Result, n *notes) {
	lintCustomer(evt, m.Customer, n)
	if len(m.Links) > 0 && count(evt, "request") == 0 && m.Encrypted == Plain {
		n.add(oddNoRequestTag)
	}
	switch m.Kind {
	case 6300, 6301, 6302, 6303:
		if m.Encrypted == Plain && len(m.Links) > 0 && !isTagList(m.Content) {
			n.add(oddDiscoveryContent)
		}
	}
}

// isTagList says whether a content is a JSON list of e, a or p tags.
func isTagList(s string) bool {
	good := true
	ok := eachElement(s, func(raw string) bool {
		name, v := tagHead(raw)
		good = v != "" && (name == "e" || name == "a" || name == "p")
		return good
	})
	return ok && good && json.Valid([]byte(s))
}

func lintFeedback(m *Feedback, n *notes) {
	if m.Encrypted != Plain || m.Content == "" || m.Status == Partial || m.Status == Success {
		return
	}
	if c := m.Content[0]; c != '{' && c != '[' {
		n.add(oddProse)
	}
}

func lintHandler(m *Handler, n *notes) {
	jobs := false
	for _, k := range m.Kinds {
		jobs = jobs || IsRequest(k)
	}
	if !jobs {
		n.add(oddNoDVMKind)
	}
	if _, ok := parseKind(m.D); ok {
		n.add(oddSharedD)
	}
}

func lintTarget(links []Link, n *notes) {
	if len(links) == 0 {
		n.add(oddZapNoEvent)
	}
}

func lintCustomer(evt *nostr.Event, customer PubKey, n *notes) {
	if !customer.IsZero() && customer.String() == evt.PubKey {
		n.add(oddOwnCustomer)
	}
}
