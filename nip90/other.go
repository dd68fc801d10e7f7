package nip90

import (
	"slices"

	"github.com/nbd-wtf/go-nostr"
)

// parseHeartbeat reads the heartbeat family.
func parseHeartbeat(evt *nostr.Event) *Heartbeat {
	m := &Heartbeat{Kind: evt.Kind}
	var n notes
	hasD := false
	for _, tag := range evt.Tags {
		if !n.named(tag) {
			continue
		}
		switch tag[0] {
		case "d":
			if !hasD && len(tag) > 1 {
				m.D, hasD = tag[1], true
			}
		case "p":
			m.Providers = appendPubKey(m.Providers, tag, &n)
		}
	}
	if !hasD && evt.Kind == KindHeartbeat {
		n.add(oddHeartbeatNoD)
	}
	m.Links = plainLinks(evt, &n)
	m.findings = n.list
	return m
}

// parseCancel reads kind 5. NIP-09.
func parseCancel(evt *nostr.Event) *Cancel {
	m := &Cancel{Reason: evt.Content}
	var n notes
	var seen [1024]uint64
	for _, tag := range evt.Tags {
		if !n.named(tag) {
			continue
		}
		v := value(tag, 1)
		switch tag[0] {
		case "e":
			m.addID(evt, v, &n)
		case "a":
			addr, ok := ParseAddress(v)
			switch {
			case !ok:
				n.addf(oddCancelAddress, v)
			case len(m.Addresses) >= maxTargets:
				n.addf(oddTooMany, "a")
			default:
				m.Addresses = append(m.Addresses, addr)
			}
		case "k":
			if k, ok := parseKind(v); ok && seen[k>>6]&(1<<(k&63)) == 0 && len(m.Kinds) < maxKinds {
				seen[k>>6] |= 1 << (k & 63)
				m.Kinds = append(m.Kinds, k)
			}
		}
	}
	if len(m.IDs) == 0 && len(m.Addresses) == 0 {
		n.add(oddCancelEmpty)
	}
	m.findings = n.list
	return m
}

func (m *Cancel) addID(evt *nostr.Event, v string, n *notes) {
	id, odd := readID(v)
	switch {
	case id.IsZero():
		n.addf(oddBadID, v)
	case v == evt.ID:
		n.add(oddSelfReference)
	case len(m.IDs) >= maxTargets:
		n.addf(oddTooMany, "e")
	default:
		n.add(odd)
		m.IDs = append(m.IDs, id)
	}
}

// parseOther reads what stands beside the jobs.
func parseOther(evt *nostr.Event) *Other {
	m := &Other{Kind: evt.Kind}
	var n notes
	if IsSquatter(evt.Kind) {
		n.add(oddSquatter)
	}
	for _, tag := range evt.Tags {
		if !n.named(tag) {
			continue
		}
		switch tag[0] {
		case "p":
			m.About = appendPubKey(m.About, tag, &n)
		case "a":
			m.Addresses = appendAddress(m.Addresses, value(tag, 1))
		case "d":
			if m.D == "" {
				m.D = value(tag, 1)
			}
		case "relay", "r":
			m.addRelay(tag)
		case "l":
			m.say(KindLabel, value(tag, 1))
		}
		if tag[0] == "e" || tag[0] == "p" {
			m.say(KindReport, value(tag, 2))
		}
	}
	if pk, ok := ParsePubKey(m.D); ok && evt.Kind >= 30000 && evt.Kind < 40000 {
		m.About = appendPubKey(m.About, nostr.Tag{"p", pk.String()}, &n)
	}
	m.Links = plainLinks(evt, &n)
	if evt.Kind == KindProfile {
		m.Profile = readProfile(evt.Content, &n)
	}
	m.findings = n.list
	return m
}

// maxSays bounds what is read of one report or label.
const maxSays = 8

// say adds a word of a report or a label: of the events of that kind.
func (m *Other) say(kind int, word string) {
	if m.Kind == kind && word != "" && len(m.Says) < maxSays && !slices.Contains(m.Says, word) {
		m.Says = append(m.Says, word)
	}
}

func (m *Other) addRelay(tag nostr.Tag) {
	wanted := (tag[0] == "relay" && (m.Kind == KindVanish || m.Kind == KindNutzapInfo)) || (tag[0] == "r" && m.Kind == KindRelayList)
	if v := value(tag, 1); wanted && v != "" && len(m.Relays) < maxRelays {
		m.Relays = append(m.Relays, v)
		if m.Kind == KindRelayList && value(tag, 2) != "read" {
			m.Writes = append(m.Writes, v)
		}
	}
}

// appendAddress reads an `a` tag's value, overlooking what is none.
func appendAddress(list []Address, v string) []Address {
	addr, ok := ParseAddress(v)
	if !ok || len(list) >= maxKeys {
		return list
	}
	return append(list, addr)
}

// readProfile reads the content of kind 0 with the tolerance that handlers get, which share its members.
func readProfile(content string, n *notes) *Profile {
	var h Handler
	if content == "" || !h.readContent(content, n) {
		return nil
	}
	return &Profile{Name: h.Name, About: h.About, Picture: h.Picture, Lud16: h.Lud16}
}

// Protected says whether only its author may publish an event. NIP-70.
func Protected(evt *nostr.Event) bool {
	if evt == nil {
		return false
	}
	for _, tag := range evt.Tags {
		if len(tag) > 0 && tag[0] == "-" {
			return true
		}
	}
	return false
}
