package index

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"dvmrelay/nip90"
	"dvmrelay/store"
)

// The names of sources that are no relay's address.
const (
	SelfSource  = selfURL // this relay's own sockets, as in Coverage and Gap
	OtherSource = "other" // relays beyond the first thousand, and whatever had an event before sources were recorded
)

// The numbers of sources. A relay gets the next free one when it is first named, and keeps it for ever.
const (
	numberOther = 0
	numberSelf  = 1
	firstNumber = 2
)

const (
	// maxSources bounds the relays that have a number; those of the configuration may go to twice that.
	maxSources = 1000
	// maxSeenOn bounds the sources that one event remembers; the first count.
	maxSeenOn      = 16
	sourcesVersion = 1
	// maxNumber is the highest number that a row may hold.
	maxNumber = firstNumber + 2*maxSources - 1
)

func sourceKey(number uint16) []byte {
	return keyOf(keySource, []byte{'s'}, binary.BigEndian.AppendUint16(nil, number))
}

func exclusiveKey(number uint16) []byte {
	return keyOf(keySource, []byte{'c'}, binary.BigEndian.AppendUint16(nil, number))
}

// recordedKey is since when sources are recorded, unix seconds.
func recordedKey() []byte { return keyOf(keySource, []byte{'t'}) }

func seenKey(id nip90.ID) []byte { return keyOf(keySeen, id[:]) }

// numberOf is the number at the end of a key of keySource.
func numberOf(key []byte) (uint16, bool) {
	if len(key) != 4 {
		return 0, false
	}
	return binary.BigEndian.Uint16(key[2:]), true
}

// sourceSet is the sources of one event, in the order in which they were first met.
type sourceSet struct {
	n    uint8
	list [maxSeenOn]uint16
}

func (s *sourceSet) numbers() []uint16 { return s.list[:s.n] }

func (s *sourceSet) has(number uint16) bool { return slices.Contains(s.list[:s.n], number) }

// full: it takes no others.
func (s *sourceSet) full() bool { return s.n == maxSeenOn }

// add says whether the set has changed.
func (s *sourceSet) add(number uint16) bool {
	if s.full() || s.has(number) {
		return false
	}
	s.list[s.n] = number
	s.n++
	return true
}

// join adds all of another set, and says whether this one has changed.
func (s *sourceSet) join(o *sourceSet) (changed bool) {
	for _, number := range o.numbers() {
		changed = s.add(number) || changed
	}
	return changed
}

// exclusive is the upstream that alone had the event. This relay's own sockets are none.
func (s *sourceSet) exclusive() (uint16, bool) {
	return s.list[0], s.n == 1 && s.list[0] >= firstNumber
}

func (s *sourceSet) encode() []byte {
	b := append(make([]byte, 0, 1+2*int(s.n)), sourcesVersion)
	for _, number := range s.numbers() {
		b = binary.AppendUvarint(b, uint64(number))
	}
	return b
}

var errSources = errors.New("row of sources is damaged")

func decodeSources(b []byte) (s sourceSet, err error) {
	if len(b) < 2 || b[0] != sourcesVersion {
		return s, errSources
	}
	for b = b[1:]; len(b) > 0; {
		number, n := binary.Uvarint(b)
		if n <= 0 || number > maxNumber || !s.add(uint16(number)) {
			return sourceSet{}, errSources
		}
		b = b[n:]
	}
	return s, nil
}

// readSources are the sources of an event, as its row has them; empty when it has none.
func readSources(r store.Reader, id nip90.ID) (sourceSet, error) {
	b, err := r.Value(seenKey(id))
	if err != nil || b == nil {
		return sourceSet{}, err
	}
	s, err := decodeSources(b)
	if err != nil {
		return s, fmt.Errorf("read sources of event %s: %w", id, err)
	}
	return s, nil
}

// ownSources are the sources that a fact itself tells of.
func ownSources(f *store.Fact) (s sourceSet) {
	if f.Has(store.FactOwn) {
		s.add(numberSelf)
	}
	return s
}

// countExclusive moves the number of events that only one upstream had.
func countExclusive(t store.Txn, number uint16, by int64) error {
	key := exclusiveKey(number)
	b, err := t.Value(key)
	if err != nil {
		return err
	}
	count, _ := binary.Uvarint(b)
	switch now := int64(count) + by; {
	case now > 0:
		t.Set(key, binary.AppendUvarint(nil, uint64(now)))
	case b != nil:
		t.Delete(key)
	}
	return nil
}

// forgetSources takes the row of an event whose fact goes.
func (x *Index) forgetSources(t store.Txn, id nip90.ID) error {
	x.seen.sources.drop(id)
	b, err := t.Value(seenKey(id))
	if err != nil || b == nil {
		return err
	}
	t.Delete(seenKey(id))
	s, err := decodeSources(b)
	if err != nil {
		return nil // whatever it said, it goes; Check counts anew
	}
	if number, alone := s.exclusive(); alone {
		return countExclusive(t, number, -1)
	}
	return nil
}

// seenOn are the names of the sources that had an event, in the order in which they were first met.
func (l *lens) seenOn(f *store.Fact) ([]string, error) {
	s, err := readSources(l, f.ID)
	if err != nil {
		return nil, err
	}
	if s.n == 0 {
		s = ownSources(f)
	}
	names := make([]string, 0, s.n)
	for _, number := range s.numbers() {
		name, err := l.sourceName(number)
		if err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	return names, nil
}

// seenOnID is seenOn when the fact is not at hand.
func (l *lens) seenOnID(id nip90.ID) ([]string, error) {
	f, ok, err := l.Fact(id)
	if err != nil || !ok {
		return []string{}, err
	}
	return l.seenOn(&f)
}

// sourceName is the name behind a number. Names never change, so they are read once.
func (l *lens) sourceName(number uint16) (string, error) {
	switch number {
	case numberOther:
		return OtherSource, nil
	case numberSelf:
		return SelfSource, nil
	}
	if names := l.x.seen.names.Load(); names != nil && (*names)[number] != "" {
		return (*names)[number], nil
	}
	names, err := sourceNames(l)
	if err != nil {
		return "", err
	}
	l.x.seen.names.Store(&names)
	if names[number] == "" {
		return "", fmt.Errorf("source %d has no name: %w", number, errSources)
	}
	return names[number], nil
}

// sourceNames are the names of all sources that have a number of their own.
func sourceNames(r store.Reader) (map[uint16]string, error) {
	names := make(map[uint16]string)
	err := r.Scan(keyOf(keySource, []byte{'s'}), nil, func(key, value []byte) bool {
		if number, ok := numberOf(key); ok {
			names[number] = string(value)
		}
		return true
	})
	return names, err
}

// Exclusive counts, by the address of each upstream, the events that no other source was seen to have. Upstreams without
// any are left out.
func (x *Index) Exclusive(r store.Reader) (map[string]uint64, error) {
	l := lens{Reader: r, x: x}
	counts := make(map[uint16]uint64)
	err := r.Scan(keyOf(keySource, []byte{'c'}), nil, func(key, value []byte) bool {
		if number, ok := numberOf(key); ok {
			counts[number], _ = binary.Uvarint(value)
		}
		return true
	})
	if err != nil {
		return nil, fmt.Errorf("count exclusive events: %w", err)
	}
	out := make(map[string]uint64, len(counts))
	for number, n := range counts {
		name, err := l.sourceName(number)
		if err != nil {
			return nil, fmt.Errorf("count exclusive events: %w", err)
		}
		out[name] = n
	}
	return out, nil
}
