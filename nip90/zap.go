package nip90

import (
	"crypto/sha256"
	"strings"

	"github.com/nbd-wtf/go-nostr"
)

// parseZap reads kind 9735. NIP-57 "Appendix E".
func parseZap(evt *nostr.Event) *Zap {
	m := &Zap{}
	var n notes
	var bolt11, description string
	for _, tag := range evt.Tags {
		if !n.named(tag) {
			continue
		}
		v := value(tag, 1)
		switch tag[0] {
		case "p":
			m.Recipient = firstKey(m.Recipient, v, &n)
		case "a":
			m.Addresses = appendAddress(m.Addresses, v)
		case "P":
			m.Sender = firstKey(m.Sender, v, &n)
		case "bolt11":
			if bolt11 == "" {
				bolt11 = v
			}
		case "description":
			if description == "" {
				description = v
			}
		}
	}
	m.Links = plainLinks(evt, &n)
	m.readInvoice(bolt11, &n)
	m.readDescription(description, &n)
	m.findings = n.list
	return m
}

func firstKey(have PubKey, v string, n *notes) PubKey {
	if !have.IsZero() {
		return have
	}
	pk, odd := readPubKey(v)
	if pk.IsZero() {
		n.addf(oddBadPubKey, v)
	} else {
		n.add(odd)
	}
	return pk
}

func (m *Zap) readInvoice(s string, n *notes) {
	bolt11, prefixed, ok := cutInvoice(s)
	if !ok {
		n.add(oddZapNoInvoice)
		return
	}
	m.Bolt11 = bolt11
	if m.Invoice = noteInvoice(bolt11, prefixed, n); m.Invoice != nil {
		m.Msat = m.Invoice.Msat
	}
}

// readDescription reads the quoted zap request for sender and amount, and compares its hash with the invoice's.
func (m *Zap) readDescription(s string, n *notes) {
	if s == "" {
		n.add(oddZapNoDescription)
		return
	}
	if m.Invoice != nil {
		switch m.Invoice.DescriptionHash {
		case [32]byte{}:
			n.add(oddZapHashAbsent)
		case sha256.Sum256([]byte(s)):
		default:
			n.add(oddZapHash)
		}
	}
	var pubkey, tags string
	if !eachMember(s, func(key, raw string) {
		switch key {
		case "pubkey":
			pubkey, _ = unquote(raw) // no key when it is no string
		case "tags":
			tags = raw
		}
	}) {
		n.add(oddZapDescription)
		return
	}
	m.readZapper(pubkey, n)
	m.readZapTags(tags, n)
}

func (m *Zap) readZapper(pubkey string, n *notes) {
	author, odd := readPubKey(pubkey)
	switch {
	case author.IsZero():
		n.add(oddZapDescription)
	case m.Sender.IsZero():
		n.add(odd)
		m.Sender = author
	case m.Sender != author:
		n.add(oddZapSender)
	}
}

func (m *Zap) readZapTags(tags string, n *notes) {
	var amount string
	count := 0
	eachElement(tags, func(raw string) bool {
		name, v := tagHead(raw)
		switch name {
		case "amount":
			if amount == "" {
				amount = v
			}
		case "anon":
			n.add(oddZapAnonymous)
		}
		count++
		return count < maxTargets
	})
	if amount == "" {
		return
	}
	f := parseFigure(amount)
	switch {
	case !f.ok:
		n.addf(f.odd, amount)
	case m.Msat == 0:
		m.Msat = f.scaled(unitNone)
	case f.scaled(unitNone) != m.Msat:
		n.addf(oddZapAmount, amount)
	}
}

// tagHead is the first two elements of a tag in JSON.
func tagHead(raw string) (name, v string) {
	at := 0
	eachElement(raw, func(item string) bool {
		text, _ := unquote(item) // what is no string is no tag's element
		if at == 0 {
			name = text
		} else {
			v = text
		}
		at++
		return at < 2
	})
	return name, v
}

// parseNutzap reads kind 9321. NIP-61.
func parseNutzap(evt *nostr.Event) *Nutzap {
	m := &Nutzap{}
	var n notes
	var sum figure
	unit, amount := "sat", ""
	for _, tag := range evt.Tags {
		if !n.named(tag) {
			continue
		}
		v := value(tag, 1)
		switch tag[0] {
		case "p":
			m.Recipient = firstKey(m.Recipient, v, &n)
		case "u":
			if m.Mint == "" {
				m.Mint = v
			}
		case "unit":
			unit = v
		case "amount":
			amount = v
		case "proof":
			m.addProof(v, &sum, &n)
		}
	}
	m.Links = plainLinks(evt, &n)
	u, ok := parseUnit(strings.TrimSpace(unit))
	if !ok {
		n.addf(oddNutzapUnit, unit)
	} else {
		m.Msat = sum.scaled(u)
	}
	if len(m.Proofs) == 0 {
		n.add(oddNutzapProof)
	}
	if f := parseFigure(amount); amount != "" && (!f.ok || f.msat != sum.msat) {
		n.addf(oddNutzapAmount, amount)
	}
	m.findings = n.list
	return m
}

// addProof counts a proof once, known by the hash of its secret.
func (m *Nutzap) addProof(s string, sum *figure, n *notes) {
	var secret, amount string
	ok := eachMember(s, func(key, raw string) {
		switch key {
		case "secret":
			secret = raw
		case "amount":
			amount = raw
		}
	})
	text, isText := unquote(secret)
	f := parseFigure(amount)
	if !ok || !isText || text == "" || !f.ok {
		n.add(oddNutzapProof)
		return
	}
	hash := ID(sha256.Sum256([]byte(text))).String()
	for _, have := range m.Proofs {
		if have == hash {
			n.add(oddNutzapTwice)
			return
		}
	}
	if len(m.Proofs) >= maxProofs {
		n.addf(oddTooMany, "proof")
		return
	}
	m.Proofs = append(m.Proofs, hash)
	sum.msat = min(MaxMsat, sum.msat.Add(f.msat))
}
