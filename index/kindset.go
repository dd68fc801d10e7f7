package index

import (
	"encoding/binary"
	"math/bits"

	"dvmrelay/nip90"
)

// firstRequest is the lowest kind that is a job request.
const firstRequest = 5000

// kindSet is a set of request kinds. The zero value is empty; sets can be compared.
type kindSet [16]uint64

// kindSetOf takes the request kinds of a list.
func kindSetOf(kinds []int) (s kindSet) {
	for _, k := range kinds {
		s.add(k)
	}
	return s
}

func (s *kindSet) add(kind int) {
	if i := kind - firstRequest; nip90.IsRequest(kind) && i < 64*len(s) {
		s[i>>6] |= 1 << (i & 63)
	}
}

func (s *kindSet) has(kind int) bool {
	i := kind - firstRequest
	return i >= 0 && i < 64*len(s) && s[i>>6]&(1<<(i&63)) != 0
}

func (s kindSet) with(o kindSet) kindSet {
	for i := range s {
		s[i] |= o[i]
	}
	return s
}

// within is what both sets hold.
func (s kindSet) within(o kindSet) kindSet {
	for i := range s {
		s[i] &= o[i]
	}
	return s
}

// without is what o does not hold.
func (s kindSet) without(o kindSet) kindSet {
	for i := range s {
		s[i] &^= o[i]
	}
	return s
}

func (s kindSet) len() (n int) {
	for _, w := range s {
		n += bits.OnesCount64(w)
	}
	return n
}

// list is the kinds in ascending order, never nil.
func (s kindSet) list() []int {
	out := make([]int, 0, s.len())
	for i, w := range s {
		for ; w != 0; w &= w - 1 {
			out = append(out, firstRequest+64*i+bits.TrailingZeros64(w))
		}
	}
	return out
}

// order sorts sets as their kinds in ascending order do.
func (s kindSet) order() []byte {
	b := make([]byte, 0, 2*sortedKinds)
	for i, k := range s.list() {
		if i == sortedKinds {
			break
		}
		b = binary.BigEndian.AppendUint16(b, uint16(k))
	}
	return append(b, 0, 0)
}

// sortedKinds is how many of its kinds decide a handler's place.
const sortedKinds = 32
