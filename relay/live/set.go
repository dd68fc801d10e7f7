package live

import (
	"iter"
	"math/bits"
	"slices"
)

// linear is up to which size a set is searched from end to end.
const linear = 8

// exactSet is a set of 32-byte values. Unless set, it does not constrain anything.
type exactSet struct {
	set  bool
	list [][32]byte            // while there are few
	many map[[32]byte]struct{} // afterwards
}

func (s *exactSet) add(v [32]byte) {
	s.set = true
	if s.has(v) {
		return
	}
	if s.many == nil && len(s.list) < linear {
		s.list = append(s.list, v)
		return
	}
	if s.many == nil {
		s.many = make(map[[32]byte]struct{}, 2*linear)
		for _, old := range s.list {
			s.many[old] = struct{}{}
		}
		s.list = nil
	}
	s.many[v] = struct{}{}
}

func (s *exactSet) has(v [32]byte) bool {
	if s.many != nil {
		_, ok := s.many[v]
		return ok
	}
	for i := range s.list {
		if s.list[i] == v {
			return true
		}
	}
	return false
}

func (s *exactSet) size() int { return len(s.list) + len(s.many) }

func (s *exactSet) all() iter.Seq[[32]byte] {
	return func(yield func([32]byte) bool) {
		for _, v := range s.list {
			if !yield(v) {
				return
			}
		}
		for v := range s.many {
			if !yield(v) {
				return
			}
		}
	}
}

// pageBits is how many kinds one page holds.
const pageBits = 256

// page is the part of a kind set that lies in one page.
type page struct {
	number int
	bits   [pageBits / 64]uint64
}

func pageOf(kind int) int { return kind / pageBits }

// kindSet is a set of kinds as bitmaps, by page. Unless set, it does not constrain anything.
type kindSet struct {
	set   bool
	pages []page // sorted
}

func (s *kindSet) find(number int) (int, bool) {
	return slices.BinarySearchFunc(s.pages, number, func(p page, n int) int { return p.number - n })
}

func (s *kindSet) add(kind int) {
	s.set = true
	i, ok := s.find(pageOf(kind))
	if !ok {
		s.pages = slices.Insert(s.pages, i, page{number: pageOf(kind)})
	}
	bit := kind % pageBits
	s.pages[i].bits[bit/64] |= 1 << (bit % 64)
}

func (s *kindSet) has(kind int) bool {
	var i int
	var ok bool
	if len(s.pages) == 1 {
		ok = s.pages[0].number == pageOf(kind)
	} else {
		i, ok = s.find(pageOf(kind))
	}
	if !ok {
		return false
	}
	bit := kind % pageBits
	return s.pages[i].bits[bit/64]&(1<<(bit%64)) != 0
}

func (s *kindSet) size() int {
	n := 0
	for i := range s.pages {
		for _, w := range s.pages[i].bits {
			n += bits.OnesCount64(w)
		}
	}
	return n
}

func (s *kindSet) all() iter.Seq[int] {
	return func(yield func(int) bool) {
		for i := range s.pages {
			p := &s.pages[i]
			for j, w := range p.bits {
				for ; w != 0; w &= w - 1 {
					if !yield(p.number*pageBits + j*64 + bits.TrailingZeros64(w)) {
						return
					}
				}
			}
		}
	}
}
