package store

import (
	"bytes"
	"context"
	"encoding/binary"

	"dvmrelay/nip90"
)

// stepRemovals is how many events one step of upkeep removes, so that no writer waits long behind it.
const stepRemovals = 128

// sweepStep removes bodies that have expired. NIP-40.
func (w *writer) sweepStep(g *group) (Change, error) {
	ids, more, err := g.expired(stepRemovals)
	w.sweep = more
	if err != nil {
		return Change{}, err
	}
	var change Change
	for _, x := range ids {
		one, err := g.expire(x)
		if err != nil {
			return change, err
		}
		change.Merge(one)
	}
	return change, nil
}

// expired returns the keys of the expiry table that are due, at most n, and whether there are more.
func (g *group) expired(n int) (keys [][]byte, more bool, err error) {
	err = g.Scan([]byte{tabExpiry}, nil, func(key, _ []byte) bool {
		if len(key) != 1+timeLen+idLen || getTime(key[1:]) > g.now {
			return false
		}
		if more = len(keys) == n; more {
			return false
		}
		keys = append(keys, bytes.Clone(key))
		return true
	})
	return keys, more, err
}

func (g *group) expire(key []byte) (Change, error) {
	g.over.delete(key)
	f, ok, err := g.Fact(nip90.ID(key[1+timeLen:]))
	if err != nil || !ok || !f.Has(FactBody) {
		return Change{}, err
	}
	return g.removeBody(&f, LossExpired, nip90.ID{})
}

// taskStep does a piece of the first task in line.
func (w *writer) taskStep(g *group) (Change, error) {
	var key, value []byte
	err := g.Scan([]byte{tabTask}, nil, func(k, v []byte) bool {
		key, value = bytes.Clone(k), bytes.Clone(v)
		return false
	})
	if err != nil {
		return Change{}, err
	}
	if w.tasks = key != nil; !w.tasks {
		return Change{}, nil
	}
	if len(key) != 2+32 {
		g.over.delete(key)
		return Change{}, nil
	}
	switch key[1] {
	case taskVanish:
		return g.eraseStep(nip90.PubKey(key[2:]), key, value)
	case taskDelete:
		return g.deleteStep(nip90.ID(key[2:]), key, value)
	}
	g.over.delete(key)
	return Change{}, nil
}

// eraseStep erases a piece of what a vanished key left here: bodies with their facts, then bare facts, then tombstones.
// Only the request to vanish itself stays. NIP-62.
func (g *group) eraseStep(pk nip90.PubKey, task, row []byte) (Change, error) {
	if len(row) != timeLen+idLen {
		g.over.delete(task)
		return Change{}, nil
	}
	until, request := getTime(row), nip90.ID(row[timeLen:])
	if waiting := g.s.shelf.of(pk, until, stepRemovals); len(waiting) > 0 {
		for _, row := range waiting {
			g.drop(row)
		}
		return Change{}, nil
	}
	ids, err := g.vanishedBodies(pk, until, request)
	if err == nil && len(ids) < stepRemovals {
		ids, err = g.vanishedGraves(ids, pk, until)
	}
	if err != nil {
		return Change{}, err
	}
	var change Change
	for _, id := range ids {
		f, ok, err := g.Fact(id)
		if err != nil {
			return change, err
		}
		if !ok {
			continue
		}
		one, err := g.removeBody(&f, LossErased, request)
		if err != nil {
			return change, err
		}
		change.Merge(one)
	}
	if len(ids) > 0 {
		return change, nil
	}
	left, err := g.dropTombs(pk, until)
	if err == nil && !left {
		g.over.delete(task)
		g.done = append(g.done, pk)
	}
	return change, err
}

// vanishedBodies finds stored events of a key in the author table, kind by kind, skipping what is newer.
func (g *group) vanishedBodies(pk nip90.PubKey, until int64, request nip90.ID) (ids []nip90.ID, err error) {
	base := keyBase(tabAuthor, pk)
	for start := base; start != nil && err == nil; {
		var next []byte
		err = g.Scan(base, start, func(key, _ []byte) bool {
			if len(key) != len(base)+kindLen+placeLen {
				return true
			}
			p := place(key[len(base)+kindLen:])
			if p.time() > until {
				from := placeOf(until, nip90.ID{})
				next = append(bytes.Clone(key[:len(base)+kindLen]), from[:]...)
				return false
			}
			if p.id() != request {
				ids = append(ids, p.id())
			}
			return len(ids) < stepRemovals
		})
		start = next
	}
	return ids, err
}

func (g *group) vanishedGraves(ids []nip90.ID, pk nip90.PubKey, until int64) ([]nip90.ID, error) {
	for _, name := range g.s.blinder.names(pk) {
		base := keyBase(tabGrave, name)
		err := g.Scan(base, graveKey(name, placeOf(until, nip90.ID{})), func(key, _ []byte) bool {
			if len(key) == len(base)+placeLen {
				p := place(key[len(base):])
				ids = append(ids, p.id())
			}
			return len(ids) < stepRemovals
		})
		if err != nil || len(ids) >= stepRemovals {
			return ids, err
		}
	}
	return ids, nil
}

// dropTombs removes tombstones that deletions up to then left; it says whether there may be more.
func (g *group) dropTombs(pk nip90.PubKey, until int64) (more bool, err error) {
	var keys [][]byte
	drop := func(prefix []byte, madeAt func(row []byte) (int64, bool)) error {
		return g.Scan(prefix, nil, func(key, value []byte) bool {
			if at, ok := madeAt(value); ok && at <= until {
				keys = append(keys, bytes.Clone(key))
			}
			return len(keys) < 8*stepRemovals
		})
	}
	for _, name := range g.s.blinder.names(pk) {
		err = drop(keyBase(tabTomb, name), func(row []byte) (int64, bool) {
			if len(row) != idLen+timeLen {
				return 0, false
			}
			return getTime(row[idLen:]), true
		})
		if err != nil {
			return false, err
		}
		err = drop(keyBase(tabAddrTomb, name), func(row []byte) (int64, bool) {
			if len(row) < timeLen {
				return 0, false
			}
			return getTime(row), true
		})
		if err != nil {
			return false, err
		}
	}
	for _, key := range keys {
		g.over.delete(key)
	}
	return len(keys) >= 8*stepRemovals, nil
}

// deleteStep goes on with a deletion that named more than one transaction should remove. The row holds how many tags
// are done.
func (g *group) deleteStep(id nip90.ID, task, row []byte) (Change, error) {
	var change Change
	done, n := binary.Uvarint(row)
	f, ok, err := g.Fact(id)
	if err != nil {
		return change, err
	}
	var b body
	if ok && n > 0 && f.Has(FactBody) {
		if b, ok, err = readBody(g, &f); err != nil {
			return change, err
		}
	} else {
		ok = false
	}
	if !ok {
		g.over.delete(task)
		return change, nil
	}
	w := walkTags(b.tags)
	seen, removed := uint64(0), 0
	for t, more := w.next(); more; t, more = w.next() {
		if seen++; seen <= done || !t.hasValue {
			continue
		}
		var one Change
		var n int
		switch letter, _ := letterOf(t.name); letter {
		case 'e':
			one, n, err = g.deleteID(&f, plain(t.value), true)
		case 'a':
			one, n, err = g.deleteAddress(&f, string(plain(t.value)), true)
		}
		if err != nil {
			return change, err
		}
		change.Merge(one)
		if removed += n; removed >= stepRemovals {
			g.over.set(task, binary.AppendUvarint(nil, seen))
			return change, nil
		}
	}
	g.over.delete(task)
	return change, nil
}

// Sweep removes everything that has expired by now, and what has waited in vain; Run does so by itself in small steps.
func (s *Store) Sweep(ctx context.Context) error {
	for {
		var more bool
		err := s.do(ctx, func(g *group) error {
			keys, left, err := g.expired(stepRemovals)
			if err != nil {
				return err
			}
			for _, key := range keys {
				if _, err := g.expire(key); err != nil {
					return err
				}
			}
			lapsing, err := g.lapsed(stepRemovals)
			more = left || lapsing
			return err
		})
		if err != nil || !more {
			return err
		}
	}
}
