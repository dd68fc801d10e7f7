package nip90

import (
	"encoding/hex"
)

// ID is an event id: the SHA-256 of the event's NIP-01 serialization.
type ID [32]byte

// PubKey is an x-only public key on secp256k1. NIP-01.
type PubKey [32]byte

// ParseID reads an event id: exactly 64 lowercase hexadecimal characters, as NIP-01 writes it.
func ParseID(s string) (ID, bool) {
	var id ID
	return id, decodeHex(id[:], s)
}

// ParsePubKey reads a public key: exactly 64 lowercase hexadecimal characters, as NIP-01 writes it.
// It does not check that the key is a point of the curve.
func ParsePubKey(s string) (PubKey, bool) {
	var pk PubKey
	return pk, decodeHex(pk[:], s)
}

// String is the lowercase hexadecimal form.
func (id ID) String() string { return hex.EncodeToString(id[:]) }

// IsZero says whether no id was given.
func (id ID) IsZero() bool { return id == ID{} }

// MarshalText is the lowercase hexadecimal form, for JSON.
func (id ID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// String is the lowercase hexadecimal form.
func (pk PubKey) String() string { return hex.EncodeToString(pk[:]) }

// IsZero says whether no key was given.
func (pk PubKey) IsZero() bool { return pk == PubKey{} }

// MarshalText is the lowercase hexadecimal form, for JSON.
func (pk PubKey) MarshalText() ([]byte, error) { return []byte(pk.String()), nil }

func decodeHex(dst []byte, s string) bool {
	if len(s) != 2*len(dst) {
		return false
	}
	for i := range dst {
		hi, ok1 := nibble(s[2*i])
		lo, ok2 := nibble(s[2*i+1])
		if !ok1 || !ok2 {
			return false
		}
		dst[i] = hi<<4 | lo
	}
	return true
}

func nibble(c byte) (byte, bool) {
	switch {
	case c >= '0' && c <= '9':
		return c - '0', true
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10, true
	}
	return 0, false
}
