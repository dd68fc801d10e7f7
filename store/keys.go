package store

import (
	"crypto/sha256"
	"encoding/binary"

	"dvmrelay/nip90"
)

// The tables: the first byte of every key. docs/STORAGE.md draws each key byte by byte.
const (
	tabEvent    = 'e'
	tabFact     = 'f'
	tabAuthor   = 'a'
	tabKind     = 'k'
	tabP        = 'p'
	tabTag      = 't'
	tabReplace  = 'r'
	tabExpiry   = 'x'
	tabTomb     = 'd'
	tabAddrTomb = 'z'
	tabVanish   = 'v'
	tabTask     = 'w'
	tabGrave    = 'g'
	tabHeld     = 'h'
	tabMeta     = 'm'
	tabSystem   = 's'
)

const (
	timeLen = 5
	idLen   = 32
	kindLen = 2
	// placeLen is the length of a place: inverted time and id, the end of every index key.
	placeLen = timeLen + idLen
	// maxTime is the largest created_at and expiration that a key can hold, in unix seconds.
	maxTime = 1<<40 - 1
	// maxKind is the largest kind of NIP-01.
	maxKind = 1<<16 - 1
)

// place is where an event stands in the order of answers: inverted created_at, then id. Smaller is earlier.
type place [placeLen]byte

func placeOf(t int64, id nip90.ID) (p place) {
	putTime(p[:timeLen], maxTime-t)
	copy(p[timeLen:], id[:])
	return p
}

func (p *place) time() int64 { return maxTime - getTime(p[:timeLen]) }

func (p *place) id() (id nip90.ID) {
	copy(id[:], p[timeLen:])
	return id
}

func putTime(dst []byte, t int64) {
	dst[0] = byte(t >> 32)
	binary.BigEndian.PutUint32(dst[1:timeLen], uint32(t))
}

func getTime(src []byte) int64 {
	return int64(src[0])<<32 | int64(binary.BigEndian.Uint32(src[1:timeLen]))
}

func appendTime(b []byte, t int64) []byte {
	return append(b, byte(t>>32), byte(t>>24), byte(t>>16), byte(t>>8), byte(t))
}

func appendKind(b []byte, kind uint16) []byte { return append(b, byte(kind>>8), byte(kind)) }

func eventKey(b []byte, p *place, kind uint16) []byte {
	b = append(b, tabEvent)
	b = append(b, p[:]...)
	return appendKind(b, kind)
}

func factKey(id nip90.ID) []byte { return append([]byte{tabFact}, id[:]...) }

// keyBase is the front of the author and p tables, up to the kind.
func keyBase(table byte, pk nip90.PubKey) []byte {
	return append([]byte{table}, pk[:]...)
}

// tagBase is the front of the tag table, up to the time.
func tagBase(b []byte, letter byte, value []byte) []byte {
	b = append(b, tabTag, letter)
	return appendTagValue(b, value)
}

const (
	tagValueHex  = 0
	tagValueHash = 1
)

// appendTagValue writes a tag value as 33 bytes: 64 lowercase hex digits decoded, anything else hashed, and a byte that
// tells the two apart.
func appendTagValue(b, value []byte) []byte {
	if id, ok := hexID(value); ok {
		b = append(b, tagValueHex)
		return append(b, id[:]...)
	}
	h := sha256.Sum256(value)
	b = append(b, tagValueHash)
	return append(b, h[:]...)
}

func hexID(v []byte) (id [32]byte, ok bool) {
	if len(v) != 64 {
		return id, false
	}
	for i := range id {
		hi, lo := hexDigit(v[2*i]), hexDigit(v[2*i+1])
		if hi > 15 || lo > 15 {
			return id, false
		}
		id[i] = hi<<4 | lo
	}
	return id, true
}

func hexDigit(c byte) byte {
	switch {
	case c >= '0' && c <= '9':
		return c - '0'
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10
	}
	return 255
}

func expiryKey(expires int64, id nip90.ID) []byte {
	b := appendTime([]byte{tabExpiry}, expires)
	return append(b, id[:]...)
}

func replaceKey(kind uint16, pk nip90.PubKey, d [32]byte) []byte {
	b := appendKind([]byte{tabReplace}, kind)
	b = append(b, pk[:]...)
	return append(b, d[:]...)
}

func tombKey(id nip90.ID) func(author nip90.PubKey) []byte {
	return func(author nip90.PubKey) []byte { return append(keyBase(tabTomb, author), id[:]...) }
}

func addrTombKey(kind uint16, d [32]byte) func(author nip90.PubKey) []byte {
	return func(author nip90.PubKey) []byte {
		return append(appendKind(keyBase(tabAddrTomb, author), kind), d[:]...)
	}
}

func vanishKey(pk nip90.PubKey) []byte { return keyBase(tabVanish, pk) }

func graveKey(pk nip90.PubKey, p place) []byte { return append(keyBase(tabGrave, pk), p[:]...) }

const (
	taskVanish = 'v'
	taskDelete = 'd'
)

func taskKey(kind byte, id [32]byte) []byte { return append([]byte{tabTask, kind}, id[:]...) }

func metaKey(name string) []byte { return append([]byte{tabMeta}, name...) }

var (
	schemaKey = []byte{tabSystem, 'v'}
	countsKey = []byte{tabSystem, 'c'}
)

func isReplaceable(kind int) bool {
	return kind == 0 || kind == 3 || kind >= 10000 && kind < 20000
}

func isAddressable(kind int) bool { return kind >= 30000 && kind < 40000 }
