package nip90

import "github.com/nbd-wtf/go-nostr"

// parseHeartbeat reads the heartbeat family.
func parseHeartbeat(evt *nostr.Event) *Heartbeat {
	m := &Heartbeat{Kind: evt.Kind}
	var n notes
	hasD := false
	for _, tag := range evt.Tags {
		if len(tag) == 0 || tag[0] == "" {
			n.add(oddEmptyTag)
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
		if len(tag) == 0 || tag[0] == "" {
			n.add(oddEmptyTag)
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
		if len(tag) == 0 || tag[0] == "" {
			n.add(oddEmptyTag)
			continue
		}
		if tag[0] == "p" {
			m.About = appendPubKey(m.About, tag, &n)
		}
	}
	m.Links = plainLinks(evt, &n)
	m.findings = n.list
	return m
}
