package nip90

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"github.com/btcsuite/btcd/btcutil/bech32"
)

const (
	maxReferenceLength = 5000 // NIP-19 names this bound
	maxReferenceRelays = 16
)

// The entries of a NIP-19 name.
const (
	tlvSpecial = 0
	tlvRelay   = 1
	tlvAuthor  = 2
	tlvKind    = 3
)

// ErrReference is returned for what names neither an event nor a key.
var ErrReference = errors.New("not an id, a key or a NIP-19 name")

// Reference is what a person gave to name an event, a key or an addressable event.
type Reference struct {
	ID      ID       // of hex, note and nevent
	PubKey  PubKey   // of hex, npub and nprofile; the author, if told, of nevent and naddr
	Address *Address // of naddr and kind:pubkey:d
	Relays  []string // where it was seen, as far as the name says
	Kind    int      // of nevent, if told, and of naddr
	// Hex is set when only 64 hex characters were given: then ID and PubKey hold the same bytes and the caller knows
	// which is meant.
	Hex bool
}

// ParseReference reads hex, npub, note, nevent, nprofile, naddr (with or without nostr:) and kind:pubkey:d. Secret
// keys are refused like anything else, with ErrReference, and never repeated in the error. NIP-19, NIP-21.
func ParseReference(s string) (Reference, error) {
	s = strings.TrimSpace(s)
	if len(s) > 6 && strings.EqualFold(s[:6], "nostr:") {
		s = s[6:]
	}
	if len(s) > maxReferenceLength {
		return Reference{}, fmt.Errorf("%w: too long", ErrReference)
	}
	if len(s) == 64 {
		if id, ok := ParseID(strings.ToLower(s)); ok {
			return Reference{ID: id, PubKey: PubKey(id), Hex: true}, nil
		}
	}
	if addr, ok := ParseAddress(s); ok {
		return Reference{Address: &addr, PubKey: addr.PubKey, Kind: addr.Kind}, nil
	}
	hrp, words, err := bech32.DecodeNoLimit(s)
	if err != nil {
		return Reference{}, fmt.Errorf("%w: %w", ErrReference, err)
	}
	data, err := bech32.ConvertBits(words, 5, 8, false)
	if err != nil {
		return Reference{}, fmt.Errorf("%w: %w", ErrReference, err)
	}
	var ref Reference
	switch hrp {
	case "npub", "note":
		if len(data) != 32 {
			return Reference{}, fmt.Errorf("%w: %d bytes", ErrReference, len(data))
		}
		if hrp == "npub" {
			copy(ref.PubKey[:], data)
		} else {
			copy(ref.ID[:], data)
		}
		return ref, nil
	case "nevent", "nprofile", "naddr":
		return readTLV(hrp, data)
	}
	return Reference{}, fmt.Errorf("%w: unknown prefix", ErrReference)
}

// readTLV reads the entries of a NIP-19 name, each length checked, unknown ones skipped.
func readTLV(hrp string, data []byte) (Reference, error) {
	var ref Reference
	var d string
	var special, author, kind bool
	for len(data) >= 2 {
		tag, size := data[0], int(data[1])
		data = data[2:]
		if size > len(data) {
			return Reference{}, fmt.Errorf("%w: cut off", ErrReference)
		}
		v := data[:size]
		data = data[size:]
		switch {
		case tag == tlvSpecial && hrp == "naddr":
			d, special = string(v), true
		case tag == tlvSpecial && size == 32 && hrp == "nevent":
			special = copy(ref.ID[:], v) == 32
		case tag == tlvSpecial && size == 32:
			special = copy(ref.PubKey[:], v) == 32
		case tag == tlvAuthor && size == 32 && hrp != "nprofile":
			author = copy(ref.PubKey[:], v) == 32
		case tag == tlvKind && size == 4:
			if n := binary.BigEndian.Uint32(v); n <= 65535 {
				ref.Kind, kind = int(n), true
			}
		case tag == tlvRelay && len(ref.Relays) < maxReferenceRelays:
			ref.Relays = append(ref.Relays, strings.ToValidUTF8(string(v), ""))
		}
	}
	if !special || (hrp == "naddr" && (!author || !kind)) {
		return Reference{}, fmt.Errorf("%w: incomplete", ErrReference)
	}
	if hrp == "naddr" {
		ref.Address = &Address{Kind: ref.Kind, PubKey: ref.PubKey, D: d}
	}
	return ref, nil
}

// Npub is the NIP-19 name of a key.
func Npub(pk PubKey) string { return encodeName("npub", pk[:]) }

// Note is the NIP-19 name of an event, without hints.
func Note(id ID) string { return encodeName("note", id[:]) }

// Nprofile is the NIP-19 name of a key with relays where it can be found. Relays of more than 255 bytes are left out.
func Nprofile(pk PubKey, relays ...string) string {
	return encodeName("nprofile", appendRelays(appendTLV(nil, tlvSpecial, pk[:]), relays))
}

// Nevent is the NIP-19 name of an event with hints: a zero author and a kind of 0 are left out.
func Nevent(id ID, author PubKey, kind int, relays ...string) string {
	b := appendRelays(appendTLV(nil, tlvSpecial, id[:]), relays)
	if !author.IsZero() {
		b = appendTLV(b, tlvAuthor, author[:])
	}
	if kind > 0 && kind <= 65535 {
		b = appendTLV(b, tlvKind, binary.BigEndian.AppendUint32(nil, uint32(kind)))
	}
	return encodeName("nevent", b)
}

// Naddr is the NIP-19 name of an addressable event. It is empty when d is longer than 255 bytes, which NIP-19 cannot
// name.
func Naddr(a Address, relays ...string) string {
	if len(a.D) > 255 || a.Kind < 0 || a.Kind > 65535 {
		return ""
	}
	b := appendRelays(appendTLV(nil, tlvSpecial, []byte(a.D)), relays)
	b = appendTLV(b, tlvAuthor, a.PubKey[:])
	return encodeName("naddr", appendTLV(b, tlvKind, binary.BigEndian.AppendUint32(nil, uint32(a.Kind))))
}

func appendTLV(b []byte, tag byte, v []byte) []byte {
	return append(append(b, tag, byte(len(v))), v...)
}

func appendRelays(b []byte, relays []string) []byte {
	for _, r := range relays {
		if len(r) <= 255 {
			b = appendTLV(b, tlvRelay, []byte(r))
		}
	}
	return b
}

func encodeName(hrp string, data []byte) string {
	words, err := bech32.ConvertBits(data, 8, 5, true)
	if err != nil {
		return "" // cannot happen: whole bytes always convert with padding
	}
	s, err := bech32.Encode(hrp, words)
	if err != nil {
		return "" // cannot happen: every word is below 32
	}
	return s
}
