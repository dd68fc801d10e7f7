package store

import (
	"encoding/binary"
	"errors"
	"fmt"

	"dvmrelay/nip90"
)

const (
	factVersion   = 1
	shortLink     = 8
	firstFullLink = 0x80 // bit of the link count: the first link is whole
	maxFactPeople = 6
)

var errFact = errors.New("stored fact is damaged")

// fit drops the links and people that the stored form has no room for and says so in the flags, so that the fact in
// hand is the fact that will be read back. The first link goes in whole, then two people, then links, then people.
func (f *Fact) fit() {
	if len(f.Links) > nip90.MaxLinks {
		f.Links = f.Links[:nip90.MaxLinks]
		f.Flags |= FactMoreLinks
	}
	room := MaxFactBytes - len(f.appendFixed(nil)) - 2
	links, people := 0, 0
	if len(f.Links) > 0 {
		links, room = 1, room-idLen
	}
	for people < len(f.People) && people < 2 && room >= 32 {
		people, room = people+1, room-32
	}
	for links < len(f.Links) && room >= shortLink {
		links, room = links+1, room-shortLink
	}
	for people < len(f.People) && people < maxFactPeople && room >= 32 {
		people, room = people+1, room-32
	}
	if links < len(f.Links) {
		f.Flags |= FactMoreLinks
	}
	if people < len(f.People) {
		f.Flags |= FactMorePeople
	}
	fitted := make([]FactLink, links)
	for i, l := range f.Links[:links] {
		if i == 0 && l.Full {
			fitted[i] = l
			continue
		}
		copy(fitted[i].ID[:shortLink], l.ID[:shortLink])
	}
	f.Links, f.People = fitted, append([]nip90.PubKey(nil), f.People[:people]...)
}

func (f *Fact) appendFixed(b []byte) []byte {
	b = append(b, factVersion, byte(f.Role), byte(f.Status))
	b = binary.BigEndian.AppendUint16(b, uint16(f.Flags))
	b = appendKind(b, uint16(f.Kind))
	b = append(b, f.Author[:]...)
	b = appendTime(b, f.CreatedAt)
	b = appendTime(b, f.Expires)
	b = appendTime(b, f.Received)
	b = appendTime(b, f.InvoiceAt)
	b = append(b, f.Payment[:]...)
	return binary.AppendVarint(b, int64(f.Msat))
}

// appendTo writes the stored form of a fact that fit has seen.
func (f *Fact) appendTo(b []byte) []byte {
	b = f.appendFixed(b)
	n := byte(len(f.Links))
	if len(f.Links) > 0 && f.Links[0].Full {
		n |= firstFullLink
	}
	b = append(b, n, byte(len(f.People)))
	for i, l := range f.Links {
		if i == 0 && l.Full {
			b = append(b, l.ID[:]...)
			continue
		}
		b = append(b, l.ID[:shortLink]...)
	}
	for _, pk := range f.People {
		b = append(b, pk[:]...)
	}
	return b
}

func decodeFact(id nip90.ID, b []byte) (Fact, error) {
	const fixed = 7 + 32 + 4*timeLen + 8
	f := Fact{ID: id}
	if len(b) < fixed+3 || b[0] != factVersion {
		return f, fmt.Errorf("fact %s: %w", id, errFact)
	}
	f.Role, f.Status = nip90.Role(b[1]), nip90.Status(b[2])
	f.Flags = FactFlag(binary.BigEndian.Uint16(b[3:]))
	f.Kind = int(binary.BigEndian.Uint16(b[5:]))
	copy(f.Author[:], b[7:])
	b = b[39:]
	f.CreatedAt, f.Expires = getTime(b), getTime(b[timeLen:])
	f.Received, f.InvoiceAt = getTime(b[2*timeLen:]), getTime(b[3*timeLen:])
	copy(f.Payment[:], b[4*timeLen:])
	b = b[4*timeLen+8:]
	msat, n := binary.Varint(b)
	if n <= 0 || len(b) < n+2 {
		return f, fmt.Errorf("fact %s: %w", id, errFact)
	}
	f.Msat = nip90.Msat(msat)
	links, full, people := int(b[n]&^firstFullLink), b[n]&firstFullLink != 0, int(b[n+1])
	b = b[n+2:]
	want := links*shortLink + people*32
	if full {
		want += idLen - shortLink
	}
	if len(b) != want || full && links == 0 {
		return f, fmt.Errorf("fact %s: %w", id, errFact)
	}
	if links > 0 {
		f.Links = make([]FactLink, links)
	}
	for i := range f.Links {
		size := shortLink
		if i == 0 && full {
			size, f.Links[i].Full = idLen, true
		}
		copy(f.Links[i].ID[:], b[:size])
		b = b[size:]
	}
	if people > 0 {
		f.People = make([]nip90.PubKey, people)
	}
	for i := range f.People {
		copy(f.People[i][:], b)
		b = b[32:]
	}
	return f, nil
}
