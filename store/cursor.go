package store

import (
	"bytes"
	"encoding/binary"
	"slices"

	"dvmrelay/nip90"

	"github.com/dgraph-io/badger/v4"
)

// window is the part of the order of answers that is still wanted, both ends included.
type window struct {
	from, to place
}

func (m *matcher) window() window {
	var last nip90.ID
	for i := range last {
		last[i] = 0xff
	}
	return window{from: placeOf(m.until, nip90.ID{}), to: placeOf(m.since, last)}
}

// after returns the window behind a place.
func (w window) after(p place) window {
	for i := len(p) - 1; i >= 0; i-- {
		if p[i]++; p[i] != 0 {
			break
		}
	}
	w.from = p
	return w
}

// candidate is an event that an index key points to.
type candidate struct {
	place place
	kind  uint16
}

// best keeps the n candidates that come first; its root is the one that comes last.
type best struct {
	n    int
	heap []candidate
}

// offer is false when the candidate comes behind n better ones.
func (b *best) offer(p *place, kind uint16) bool {
	if len(b.heap) < b.n {
		b.heap = append(b.heap, candidate{*p, kind})
		if len(b.heap) == b.n {
			for i := b.n/2 - 1; i >= 0; i-- {
				b.sink(i)
			}
		}
		return true
	}
	if bytes.Compare(p[:], b.heap[0].place[:]) >= 0 {
		return false
	}
	b.heap[0] = candidate{*p, kind}
	b.sink(0)
	return true
}

func (b *best) sink(i int) {
	for {
		child := 2*i + 1
		if child >= len(b.heap) {
			return
		}
		if r := child + 1; r < len(b.heap) && bytes.Compare(b.heap[r].place[:], b.heap[child].place[:]) > 0 {
			child = r
		}
		if bytes.Compare(b.heap[i].place[:], b.heap[child].place[:]) >= 0 {
			return
		}
		b.heap[i], b.heap[child] = b.heap[child], b.heap[i]
		i = child
	}
}

// sorted returns the candidates in order, each once.
func (b *best) sorted() []candidate {
	slices.SortFunc(b.heap, func(x, y candidate) int { return bytes.Compare(x.place[:], y.place[:]) })
	return slices.CompactFunc(b.heap, func(x, y candidate) bool { return x.place == y.place })
}

// walker reads index keys through one iterator over one table.
type walker struct {
	it    *badger.Iterator
	m     *matcher
	clock *clock
	key   []byte
}

// hinted says whether the key under the iterator may be by a wanted author.
func (w *walker) hinted() bool {
	if w.m.hints == nil {
		return true
	}
	hint, err := itemValue(w.it.Item())
	// An unreadable hint decides nothing: the event itself will be checked.
	return err != nil || w.m.mayBeBy(hint)
}

// kindsOf walks base | kind | place for the given kinds (nil = all that are there), each within the window, newest
// first, and leaps over what is not wanted. When fn returns false, the next kind is tried.
func (w *walker) kindsOf(base []byte, kinds []uint16, win window, fn func(*place, uint16) bool) error {
	i, kind := 0, uint16(0)
	if kinds != nil {
		kind = kinds[0]
	}
	keyLen := len(base) + kindLen + placeLen
	for {
		w.key = append(appendKind(append(w.key[:0], base...), kind), win.from[:]...)
		w.it.Seek(w.key)
		for {
			if err := w.clock.tick(); err != nil {
				return err
			}
			if !w.it.Valid() {
				return nil
			}
			key := w.it.Item().Key()
			if len(key) != keyLen || !bytes.HasPrefix(key, base) {
				return nil
			}
			found := binary.BigEndian.Uint16(key[len(base):])
			p := (*place)(key[len(base)+kindLen:])
			if found != kind {
				if kinds == nil {
					kind = found
				} else {
					n, _ := slices.BinarySearch(kinds[i:], found)
					if i += n; i == len(kinds) {
						return nil
					}
					kind = kinds[i]
				}
				if kind != found || bytes.Compare(p[:], win.from[:]) < 0 {
					break
				}
			}
			if bytes.Compare(p[:], win.to[:]) > 0 || w.hinted() && !fn(p, kind) {
				if kinds == nil {
					if kind == maxKind {
						return nil
					}
					kind++
				} else {
					if i++; i == len(kinds) {
						return nil
					}
					kind = kinds[i]
				}
				break
			}
			w.it.Next()
		}
	}
}

// flat walks base | place | kind within the window, newest first, until fn returns false.
func (w *walker) flat(base []byte, win window, fn func(*place, uint16) bool) error {
	keyLen := len(base) + placeLen + kindLen
	w.key = append(append(w.key[:0], base...), win.from[:]...)
	for w.it.Seek(w.key); w.it.Valid(); w.it.Next() {
		if err := w.clock.tick(); err != nil {
			return err
		}
		key := w.it.Item().Key()
		if len(key) != keyLen || !bytes.HasPrefix(key, base) {
			return nil
		}
		p := (*place)(key[len(base):])
		if bytes.Compare(p[:], win.to[:]) > 0 {
			return nil
		}
		kind := binary.BigEndian.Uint16(key[len(base)+placeLen:])
		if w.m.hasKind(kind) && w.hinted() && !fn(p, kind) {
			return nil
		}
	}
	return nil
}
