package index

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"dvmrelay/nip90"
	"dvmrelay/store"
)

const (
	maxNameRunes   = 200
	maxPlaceBytes  = 2048 // of an address of a picture, a lud16 or a nip05
	maxRelayBytes  = 512
	maxRelaysShown = 50
	sortedName     = 128 // bytes of a name that decide its place
)

// card is what an announcement says, read once.
type card struct {
	author    nip90.PubKey
	d         string
	h         Handler // what does not change with time
	blank     bool    // NIP-89: an empty content means that the profile speaks for the handler
	subscribe bool    // asks for a subscription
	jobs      kindSet // the request kinds among its kinds
	text      string  // of name, description, address and kinds, in lower case
}

// profile is what a key says of itself, kind 0.
type profile struct{ name, about, picture, lud16, nip05 string }

// shelved gives what was made of a stored event, from the shelf if it lies there; nil when its body may not be shown.
func shelved[T any](l *lens, id nip90.ID, of func(*nip90.Parsed) (*T, int)) (*T, error) {
	f, ok, err := l.Fact(id)
	if err != nil || !ok || !f.Has(store.FactBody) || expired(f.Expires, l.now) {
		return nil, err
	}
	if gone, err := store.Vanished(l, &f); err != nil || gone {
		return nil, err
	}
	if v, ok := l.x.seen.cards.get(id).(*T); ok {
		return v, nil
	}
	p, err := parsed(l, &f, l.now)
	if err != nil || p == nil {
		return nil, err
	}
	v, size := of(p)
	if v != nil {
		l.x.seen.cards.put(id, v, size)
	}
	return v, nil
}

// newest gives what was made of the newest version of a replaceable event of a key; nil when there is none.
func newest[T any](l *lens, kind int, pk nip90.PubKey, of func(*nip90.Parsed) (*T, int)) (*T, error) {
	id, ok, err := store.Newest(l, kind, pk)
	if err != nil || !ok {
		return nil, err
	}
	return shelved(l, id, of)
}

func (l *lens) card(id nip90.ID) (*card, error) {
	c, err := shelved(l, id, cardOf)
	if err != nil {
		return nil, fmt.Errorf("read handler %s: %w", id, err)
	}
	return c, nil
}

// glance is card for what only sorts and chooses, which is looked at again before it is shown: it may be of an
// announcement that has gone since.
func (l *lens) glance(id nip90.ID) (*card, error) {
	if c, ok := l.x.seen.cards.get(id).(*card); ok {
		return c, nil
	}
	return l.card(id)
}

func (l *lens) profile(pk nip90.PubKey) (*profile, error) {
	return newest(l, nip90.KindProfile, pk, profileOf)
}

// relays are what a key names in its relay list, kind 10002, or with another kind in that one.
func (l *lens) relays(kind int, pk nip90.PubKey) (*[]string, error) {
	return newest(l, kind, pk, func(p *nip90.Parsed) (*[]string, int) {
		m, ok := p.Message.(*nip90.Other)
		if !ok {
			return nil, 0
		}
		list := relayNames(nil, m.Relays)
		return &list, len(strings.Join(list, ""))
	})
}

// relayNames adds what is not there yet, cleaned and bounded.
func relayNames(list, more []string) []string {
	for _, u := range more {
		if len(list) >= maxRelaysShown {
			break
		}
		if len(u) <= maxRelayBytes && !slices.Contains(list, u) {
			list = append(list, strings.ToValidUTF8(u, ""))
		}
	}
	return list
}

func cardOf(p *nip90.Parsed) (*card, int) {
	m, ok := p.Message.(*nip90.Handler)
	if !ok {
		return nil, 0
	}
	c := &card{author: p.Author, d: strings.Clone(m.D), blank: p.Event.Content == "", subscribe: m.Subscribe, h: Handler{
		Address: nip90.Address{Kind: nip90.KindHandler, PubKey: p.Author, D: m.D}.String(), PubKey: p.Author.String(),
		Kinds: append([]int{}, m.Kinds...), Name: nameOf(m.Name), About: wordsOf(m.About), Picture: linkOf(m.Picture),
		Lud16: linkOf(m.Lud16), Encryption: m.Encryption, Nutzaps: m.Nutzaps, Relays: relayNames([]string{}, m.Relays),
		Price: priceOf(m.Price), LastSeen: p.CreatedAt, Findings: append([]nip90.Finding{}, nip90.Lint(p.Event)...),
	}}
	c.jobs = kindSetOf(c.h.Kinds)
	if json.Valid(m.Params) {
		c.h.Params = json.RawMessage(slices.Clone(m.Params))
	}
	words := []string{c.h.Name, c.h.About, c.h.Address}
	for _, k := range c.h.Kinds {
		words = append(words, fmt.Sprint(k))
	}
	c.text = strings.ToLower(strings.Join(words, " "))
	size := c.h.size() + len(c.text) + 8*len(c.h.Kinds) + len(c.d)
	for _, f := range c.h.Findings {
		size += len(f.Text)
	}
	return c, size
}

func priceOf(p nip90.Price) Price {
	switch p.Kind {
	case nip90.PriceFree:
		return Price{Kind: "free"}
	case nip90.PriceFixed:
		msat := p.Msat
		return Price{Kind: "fixed", Msat: &msat}
	case nip90.PriceFlexible:
		return Price{Kind: "flexible"}
	}
	return Price{Kind: "unknown"}
}

func profileOf(p *nip90.Parsed) (*profile, int) {
	var said struct {
		Name        any `json:"name"`
		DisplayName any `json:"display_name"`
		About       any `json:"about"`
		Picture     any `json:"picture"`
		Lud16       any `json:"lud16"`
		NIP05       any `json:"nip05"`
	}
	if p.Event.Kind != nip90.KindProfile || json.Unmarshal([]byte(p.Event.Content), &said) != nil {
		return nil, 0 // a profile that cannot be read says nothing
	}
	name := nameOf(text(said.Name))
	if name == "" {
		name = nameOf(text(said.DisplayName))
	}
	of := &profile{name, wordsOf(text(said.About)), linkOf(text(said.Picture)), linkOf(text(said.Lud16)), linkOf(text(said.NIP05))}
	return of, len(of.name) + len(of.about) + len(of.picture) + len(of.lud16) + len(of.nip05)
}

func text(v any) string {
	s, _ := v.(string) // strangers write numbers here; those say nothing
	return s
}

// nameOf is a stranger's name in one line of at most 200 characters, without what would disorder the text around it.
func nameOf(s string) string {
	s = s[:min(len(s), 8*maxNameRunes)]
	s = strings.Join(strings.Fields(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return visible(r)
	}, strings.ToValidUTF8(s, ""))), " ")
	n := 0
	for i := range s {
		if n == maxNameRunes {
			return s[:i]
		}
		n++
	}
	return strings.Clone(s)
}

// wordsOf is a stranger's text, of as many lines as it has.
func wordsOf(s string) string {
	return strings.Clone(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' && r != '\t' {
			return -1
		}
		return visible(r)
	}, strings.ToValidUTF8(s, "")))
}

// visible drops the characters that turn the direction of the text that follows them, and those that cannot be seen.
func visible(r rune) rune {
	switch {
	case r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069, r == 0x200b, r == 0x200e, r == 0x200f, r == 0xfeff:
		return -1
	}
	return r
}

// linkOf is an address that a stranger gives; one that is too long for an address is none.
func linkOf(s string) string {
	if len(s) > maxPlaceBytes {
		return ""
	}
	return wordsOf(s)
}
