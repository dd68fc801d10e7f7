package store

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"dvmrelay/nip90"
)

const (
	bodyVersion = 1
	bodyHeadMin = 1 + 32 + timeLen
)

var errBody = errors.New("stored event is damaged")

// body is a stored event as it is read back.
type body struct {
	Raw
	tags []byte // the JSON of the tags, within Raw.JSON
}

// appendBody writes the value of an event: version, author, expiry, where its tags stand, its JSON.
func appendBody(b []byte, author nip90.PubKey, expires int64, raw []byte) []byte {
	from, to := tagSpan(raw)
	b = append(b, bodyVersion)
	b = append(b, author[:]...)
	b = appendTime(b, expires)
	b = binary.AppendUvarint(b, uint64(from))
	b = binary.AppendUvarint(b, uint64(to-from))
	return append(b, raw...)
}

// decodeBody reads a stored event; its slices are parts of value.
func decodeBody(p *place, kind uint16, value []byte, out *body) error {
	if len(value) < bodyHeadMin+2 || value[0] != bodyVersion {
		return fmt.Errorf("event %s: %w", p.id(), errBody)
	}
	out.ID, out.CreatedAt, out.Kind = p.id(), p.time(), int(kind)
	copy(out.PubKey[:], value[1:33])
	out.Expires = getTime(value[33:])
	rest := value[bodyHeadMin:]
	from, n := binary.Uvarint(rest)
	if n <= 0 {
		return fmt.Errorf("event %s: %w", out.ID, errBody)
	}
	rest = rest[n:]
	size, n := binary.Uvarint(rest)
	if n <= 0 {
		return fmt.Errorf("event %s: %w", out.ID, errBody)
	}
	out.JSON = rest[n:]
	if from > uint64(len(out.JSON)) || size > uint64(len(out.JSON))-from {
		return fmt.Errorf("event %s: %w", out.ID, errBody)
	}
	out.tags = out.JSON[from : from+size]
	return nil
}

// decodeEventKey reads place and kind from a key of the event table.
func decodeEventKey(key []byte) (p place, kind uint16, ok bool) {
	if len(key) != 1+placeLen+kindLen {
		return p, 0, false
	}
	copy(p[:], key[1:])
	return p, binary.BigEndian.Uint16(key[1+placeLen:]), true
}

// hintLen is how much of its author an index key carries in its value, so that a filter's authors are told apart without
// reading the event.
const hintLen = 8

// indexKeys calls fn with every index key of an event: author, kind, p and single-letter tags. fn must copy the key.
func indexKeys(b *body, fn func(key []byte)) {
	p := placeOf(b.CreatedAt, b.ID)
	kind := uint16(b.Kind)
	key := make([]byte, 0, 80)

	key = append(appendKind(append(append(key, tabAuthor), b.PubKey[:]...), kind), p[:]...)
	fn(key)
	key = append(appendKind(append(key[:0], tabKind), kind), p[:]...)
	fn(key)

	w := walkTags(b.tags)
	for t, ok := w.next(); ok; t, ok = w.next() {
		letter, single := letterOf(t.name)
		if !single || !t.hasValue {
			continue
		}
		value := plain(t.value)
		if pk, hex := hexID(value); hex && letter == 'p' {
			key = append(appendKind(append(append(key[:0], tabP), pk[:]...), kind), p[:]...)
		} else {
			key = appendKind(append(tagBase(key[:0], letter, value), p[:]...), kind)
		}
		fn(key)
	}
}

// firstTag returns the first value of the first tag with this one-letter name, nil when there is none.
func firstTag(tags []byte, letter byte) []byte {
	w := walkTags(tags)
	for t, ok := w.next(); ok; t, ok = w.next() {
		if l, single := letterOf(t.name); single && l == letter && t.hasValue {
			return plain(t.value)
		}
	}
	return nil
}

// addressOf returns the hash that stands for the event's `d` among its author's events of its kind; false when the kind
// is neither replaceable nor addressable. Kinds 10000-19999 have one address per key, whatever their `d` says.
func addressOf(kind int, tags []byte) (d [32]byte, ok bool) {
	switch {
	case isReplaceable(kind):
		return sha256.Sum256(nil), true
	case isAddressable(kind):
		return sha256.Sum256(firstTag(tags, 'd')), true
	}
	return d, false
}
