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

// hexValue is one more than the value of a lowercase hexadecimal digit, 0 for anything else.
var hexValue = [256]byte{
	'0': 1, '1': 2, '2': 3, '3': 4, '4': 5, '5': 6, '6': 7, '7': 8, '8': 9, '9': 10,
	'a': 11, 'b': 12, 'c': 13, 'd': 14, 'e': 15, 'f': 16,
}

func decodeHex(dst []byte, s string) bool {
	if len(s) != 2*len(dst) {
		return false
	}
	for i := range dst {
		hi, lo := hexValue[s[2*i]], hexValue[s[2*i+1]]
		if hi == 0 || lo == 0 {
			return false
		}
		dst[i] = (hi-1)<<4 | (lo - 1)
	}
	return true
}

func nibble(c byte) (byte, bool) {
	v := hexValue[c]
	return v - 1, v != 0
}
