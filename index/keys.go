package index

import (
	"crypto/sha256"
	"encoding/binary"

	"dvmrelay/nip90"
)

// The first bytes of the index's keys. docs/STORAGE.md draws each one; old ones never change meaning.
const (
	keyThread      = 0x81 // root → threadRow
	keySide        = 0x82 // root, provider → sideRow
	keyMember      = 0x83 // root, time, id → nothing
	keyPayment     = 0x84 // root, provider, direction, fingerprint → paymentRow
	keyJob         = 0x85 // ^time, root → kind, flags
	keyByCustomer  = 0x86 // customer, ^time, root → nothing
	keyByProvider  = 0x87 // provider, ^time, root → nothing
	keyProvider    = 0x88 // provider → nothing
	keyWait        = 0x8a // eight bytes of a named id, id of who names it → nothing; with no id: there are such
	keyHandler     = 0x8b // author, hash of d → handlerRow
	keyHandlerFact = 0x8c // author, id → nothing
	keyBeat        = 0x8d // author, hash of d → beatRow
	keyOrphan      = 0x8e // root of a thread whose request is not here → nothing
	keyChain       = 0x8f // eight bytes of a job, id of the job that builds on it → nothing; with no id: there are such
	keyByKind      = 0x90 // kind, ^time, root → flags
	keyClass       = 0x91 // class, ^time, root → kind, flags
	keyLast        = keyClass
	keyRollup      = 0x92 // level, dim, slot → tally
	keyCrowd       = 0x93 // level, dim, slot → crowd
	keySealed      = 0x94 // level, dim, slot → tally of what was erased after it was sealed
	keyName        = 0x95 // pseudonym of a known provider → provider
	keySource      = 0x96 // 's', number → the address of a relay; 'c', number → its exclusive events; 't' → since when
	keySeen        = 0x97 // id → the numbers of the sources that had it
)

// The classes of keyClass. A request is in exactly one of the first seven, by what came of it, and in any of the others.
const (
	classOpen            = 'o' // no answer, not cancelled
	classProcessing      = 'p'
	classPaymentRequired = 'y'
	classPartial         = 'a'
	classError           = 'e'
	classSuccess         = 's'
	classCancelled       = 'c'
	classAsked           = 'A' // some provider asked for money
	classClaimed         = 'C' // some payment is claimed
	classRefunded        = 'R' // something was paid back
	classEncrypted       = 'E'
)

// listEncrypted is the flag in the values of keyJob, keyByKind and keyClass.
const listEncrypted = 1

const (
	idLen     = 32
	prefixLen = 8
	timeLen   = 8
	hashLen   = 16
)

// prefix8 is how the later links of a fact name an event.
type prefix8 [prefixLen]byte

func prefixOf(id nip90.ID) prefix8 { return prefix8(id[:prefixLen]) }

func keyOf(first byte, parts ...[]byte) []byte {
	n := 1
	for _, p := range parts {
		n += len(p)
	}
	k := make([]byte, 1, n)
	k[0] = first
	for _, p := range parts {
		k = append(k, p...)
	}
	return k
}

// ascending orders times oldest first, descending newest first; both keep negative times in order.
func ascending(at int64) []byte {
	return binary.BigEndian.AppendUint64(nil, uint64(at)^(1<<63))
}

func descending(at int64) []byte {
	return binary.BigEndian.AppendUint64(nil, ^(uint64(at) ^ (1 << 63)))
}

func descendingTime(b []byte) int64 { return int64(^binary.BigEndian.Uint64(b) ^ (1 << 63)) }

func threadKey(root nip90.ID) []byte               { return keyOf(keyThread, root[:]) }
func sideKey(root nip90.ID, p nip90.PubKey) []byte { return keyOf(keySide, root[:], p[:]) }
func memberKey(root nip90.ID, at int64, id nip90.ID) []byte {
	return keyOf(keyMember, root[:], ascending(at), id[:])
}

func paymentKey(root nip90.ID, d direction, fingerprint [8]byte) []byte {
	dir := byte(0)
	if d.refund {
		dir = 1
	}
	return keyOf(keyPayment, root[:], d.provider[:], []byte{dir}, fingerprint[:])
}
func jobKey(at int64, root nip90.ID) []byte { return keyOf(keyJob, descending(at), root[:]) }
func byKindKey(kind int, at int64, root nip90.ID) []byte {
	return keyOf(keyByKind, binary.BigEndian.AppendUint16(nil, uint16(kind)), descending(at), root[:])
}

func classKey(class byte, at int64, root nip90.ID) []byte {
	return keyOf(keyClass, []byte{class}, descending(at), root[:])
}

func byCustomerKey(c nip90.PubKey, at int64, root nip90.ID) []byte {
	return keyOf(keyByCustomer, c[:], descending(at), root[:])
}

func byProviderKey(p nip90.PubKey, at int64, root nip90.ID) []byte {
	return keyOf(keyByProvider, p[:], descending(at), root[:])
}
func providerKey(p nip90.PubKey) []byte            { return keyOf(keyProvider, p[:]) }
func waitKey(named prefix8, id nip90.ID) []byte    { return keyOf(keyWait, named[:], id[:]) }
func waitMarkKey(named prefix8) []byte             { return keyOf(keyWait, named[:]) }
func chainKey(earlier prefix8, id nip90.ID) []byte { return keyOf(keyChain, earlier[:], id[:]) }
func chainMarkKey(earlier prefix8) []byte          { return keyOf(keyChain, earlier[:]) }
func orphanKey(root nip90.ID) []byte               { return keyOf(keyOrphan, root[:]) }
func handlerKey(a nip90.PubKey, d string) []byte   { return keyOf(keyHandler, a[:], hashOf(d)) }
func beatKey(a nip90.PubKey, d string) []byte      { return keyOf(keyBeat, a[:], hashOf(d)) }
func handlerFactKey(a nip90.PubKey, id nip90.ID) []byte {
	return keyOf(keyHandlerFact, a[:], id[:])
}

// hashOf shortens a d tag, which may be as long as its author likes.
func hashOf(d string) []byte {
	sum := sha256.Sum256([]byte(d))
	return sum[:hashLen]
}

// isMark tells the marks of keyWait and keyChain, which a point read can find, from the rows behind them.
func isMark(key []byte) bool { return len(key) == 1+prefixLen }

// lastID is the id that ends a key.
func lastID(key []byte) (nip90.ID, bool) {
	if len(key) < 1+idLen {
		return nip90.ID{}, false
	}
	return nip90.ID(key[len(key)-idLen:]), true
}

// splitTimed takes the time and the id off the end of a key of a list that is newest first.
func splitTimed(key []byte) (at int64, id nip90.ID, ok bool) {
	if len(key) < 1+timeLen+idLen {
		return 0, id, false
	}
	id, _ = lastID(key)
	return descendingTime(key[len(key)-idLen-timeLen : len(key)-idLen]), id, true
}
