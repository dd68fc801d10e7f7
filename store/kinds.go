package store

import (
	"cmp"
	"encoding/binary"
	"slices"
	"sync/atomic"
)

// kindCount is how many bodies of a kind are stored.
type kindCount struct {
	kind uint16
	n    *atomic.Int64
}

// kindTable knows the kinds present, so that a filter with thousands of kinds is cut down to those that exist. A kind
// once present stays in the table until the store is opened again. One goroutine adds, any number read.
type kindTable struct {
	sorted atomic.Pointer[[]kindCount]
	// turn is odd while the counts are on their way from one version to the next.
	turn atomic.Uint64
}

func (t *kindTable) all() []kindCount {
	if p := t.sorted.Load(); p != nil {
		return *p
	}
	return nil
}

func (t *kindTable) add(kind uint16, delta int64) {
	old := t.all()
	i, ok := slices.BinarySearchFunc(old, kind, func(c kindCount, k uint16) int { return cmp.Compare(c.kind, k) })
	if ok {
		old[i].n.Add(delta)
		return
	}
	c := kindCount{kind, new(atomic.Int64)}
	c.n.Store(delta)
	next := slices.Insert(slices.Clone(old), i, c)
	t.sorted.Store(&next)
}

// appendTo writes the table as kind and count, over and over.
func (t *kindTable) appendTo(b []byte) []byte {
	for _, c := range t.all() {
		b = appendKind(b, c.kind)
		b = binary.AppendVarint(b, c.n.Load())
	}
	return b
}

// load reads what appendTo wrote; false when it is damaged.
func (t *kindTable) load(b []byte) bool {
	var next []kindCount
	for len(b) > 0 {
		if len(b) < 3 {
			return false
		}
		n, size := binary.Varint(b[2:])
		if size <= 0 {
			return false
		}
		c := kindCount{binary.BigEndian.Uint16(b), new(atomic.Int64)}
		c.n.Store(n)
		next = append(next, c)
		b = b[2+size:]
	}
	t.sorted.Store(&next)
	return true
}

// present cuts sorted kinds down to those that are stored; nil kinds give all of them. sum counts their bodies.
func (t *kindTable) present(kinds []uint16) (here []uint16, sum int64) {
	all := t.all()
	if kinds == nil {
		for _, c := range all {
			here, sum = append(here, c.kind), sum+c.n.Load()
		}
		return here, sum
	}
	for len(kinds) > 0 && len(all) > 0 {
		switch c := cmp.Compare(kinds[0], all[0].kind); {
		case c < 0:
			kinds = kinds[1:]
		case c > 0:
			all = all[1:]
		default:
			here, sum = append(here, kinds[0]), sum+all[0].n.Load()
			kinds, all = kinds[1:], all[1:]
		}
	}
	return here, sum
}
