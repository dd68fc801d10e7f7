package negentropy

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"math/bits"
	"slices"
	"sort"
)

// Set is a set of items in the order of the protocol: by time, then id. It never changes and is safe for concurrent use. It
// costs 42 bytes an item.
type Set struct {
	items []Item
	sums  []sum // sums[i] is the sum of the ids in the first i*block items
}

// block is how many items one stored sum stands for.
const block = 16

// NewSet makes a set of items. It takes the slice over, sorts it, and drops repetitions and items before 1970, which the
// protocol cannot name.
func NewSet(items []Item) *Set {
	items = slices.DeleteFunc(items, func(i Item) bool { return i.CreatedAt < 0 })
	slices.SortFunc(items, compare)
	s := &Set{items: slices.Compact(items)}
	s.sums = make([]sum, 0, len(s.items)/block+1)
	var total sum
	for i := range s.items {
		if i%block == 0 {
			s.sums = append(s.sums, total)
		}
		total.add(&s.items[i].ID)
	}
	if len(s.items)%block == 0 {
		s.sums = append(s.sums, total)
	}
	return s
}

func compare(a, b Item) int {
	if c := cmp.Compare(a.CreatedAt, b.CreatedAt); c != 0 {
		return c
	}
	return bytes.Compare(a.ID[:], b.ID[:])
}

// Len is how many items the set has.
func (s *Set) Len() int { return len(s.items) }

// find is the first item from index from on that is not below b.
func (s *Set) find(from int, b *bound) int {
	if b.time == infinity {
		return len(s.items)
	}
	rest := s.items[from:]
	return from + sort.Search(len(rest), func(i int) bool { return !b.above(&rest[i]) })
}

// fingerprint is that of the items from lower up to, not including, upper.
func (s *Set) fingerprint(lower, upper int) (fp [fingerprintSize]byte) {
	var total sum
	if upper-lower <= 2*block {
		total.addAll(s.items[lower:upper])
	} else {
		total = s.prefix(upper)
		total.sub(s.prefix(lower))
	}
	var buf [idSize + maxVarint]byte
	for i, w := range total {
		binary.LittleEndian.PutUint64(buf[8*i:], w)
	}
	h := sha256.Sum256(appendVarint(buf[:idSize], uint64(upper-lower)))
	copy(fp[:], h[:])
	return fp
}

// prefix is the sum of the first n ids.
func (s *Set) prefix(n int) sum {
	total := s.sums[n/block]
	total.addAll(s.items[n/block*block : n])
	return total
}

// sum is a number modulo 2^256, the least word first.
type sum [4]uint64

func (s *sum) addAll(items []Item) {
	for i := range items {
		s.add(&items[i].ID)
	}
}

func (s *sum) add(id *[idSize]byte) {
	var carry uint64
	for i := range s {
		s[i], carry = bits.Add64(s[i], binary.LittleEndian.Uint64(id[8*i:]), carry)
	}
}

func (s *sum) sub(o sum) {
	var borrow uint64
	for i := range s {
		s[i], borrow = bits.Sub64(s[i], o[i], borrow)
	}
}
