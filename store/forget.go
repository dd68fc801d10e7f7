package store

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"strconv"
	"strings"

	"dvmrelay/nip90"

	"github.com/dgraph-io/badger/v4"
	"github.com/nbd-wtf/go-nostr"
)

// marks are the fronts of the keys that ever left a tombstone or vanished. Most authors did neither, and need no look at
// those tables. It only grows, and belongs to the writer.
type marks map[[hintLen]byte]struct{}

func (m marks) add(pk nip90.PubKey) { m[[hintLen]byte(pk[:hintLen])] = struct{}{} }

func (m marks) has(pk nip90.PubKey) bool {
	_, ok := m[[hintLen]byte(pk[:hintLen])]
	return ok
}

// loadMarks leaps through the tables of what is forgotten, from author to author.
func loadMarks(txn *badger.Txn) marks {
	m := make(marks)
	past := bytes.Repeat([]byte{0xff}, idLen+kindLen)
	for _, table := range []byte{tabTomb, tabAddrTomb, tabVanish} {
		it := txn.NewIterator(keysOnly([]byte{table}))
		for it.Seek([]byte{table}); it.Valid(); {
			key := it.Item().Key()
			if len(key) < 1+32 {
				it.Next()
				continue
			}
			pk := nip90.PubKey(key[1:33])
			m.add(pk)
			it.Seek(append(keyBase(table, pk), past...))
		}
		it.Close()
	}
	return m
}

// obeyDeletion removes what a kind 5 names, as far as it is its author's, and leaves tombstones for what is still to
// come. NIP-09.
func (g *group) obeyDeletion(del *Fact, tags []byte) (Change, error) {
	var change Change
	var removed int
	w := walkTags(tags)
	for t, ok := w.next(); ok; t, ok = w.next() {
		letter, single := letterOf(t.name)
		if !single || !t.hasValue {
			continue
		}
		var more Change
		var n int
		var err error
		switch letter {
		case 'e':
			more, n, err = g.deleteID(del, plain(t.value), removed < inlineDeletions)
		case 'a':
			more, n, err = g.deleteAddress(del, string(plain(t.value)), removed < inlineDeletions)
		}
		if err != nil {
			return change, err
		}
		change.Merge(more)
		removed += n
	}
	if removed > inlineDeletions {
		g.over.set(taskKey(taskDelete, del.ID), binary.AppendUvarint(nil, 0))
	}
	return change, nil
}

// deleteID returns how many bodies went, or have to go when now is false.
func (g *group) deleteID(del *Fact, value []byte, now bool) (Change, int, error) {
	id, ok := hexID(value)
	if !ok || id == del.ID {
		return Change{}, 0, nil
	}
	f, known, err := g.Fact(id)
	if err != nil {
		return Change{}, 0, err
	}
	switch {
	case !known:
		return Change{}, 0, g.setTombstone(del.Author, tombKey(id), appendTime(append([]byte(nil), del.ID[:]...), del.CreatedAt))
	case !g.s.blinder.Same(f.Author, del.Author) || f.Kind == nip90.KindDeletion || f.Kind == nip90.KindVanish || f.Has(FactDeleted):
		return Change{}, 0, nil
	case !now:
		return Change{}, 1, nil
	}
	change, err := g.markDeleted(&f, del.ID)
	return change, 1, err
}

func (g *group) deleteAddress(del *Fact, value string, now bool) (Change, int, error) {
	kind, d, ok := ownAddress(value, del.Author)
	if !ok {
		return Change{}, 0, nil
	}
	key := addrTombKey(kind, d)
	old, err := g.tombstone(del.Author, key)
	if err != nil {
		return Change{}, 0, err
	}
	if len(old) < timeLen || getTime(old) < del.CreatedAt {
		if err := g.setTombstone(del.Author, key, append(appendTime(nil, del.CreatedAt), del.ID[:]...)); err != nil {
			return Change{}, 0, err
		}
	}
	head, err := g.Value(replaceKey(kind, del.Author, d))
	if err != nil || len(head) != placeLen {
		return Change{}, 0, err
	}
	p := place(head)
	if p.time() > del.CreatedAt {
		return Change{}, 0, nil
	}
	if !now {
		return Change{}, 1, nil
	}
	f, ok, err := g.Fact(p.id())
	if err != nil || !ok {
		return Change{}, 0, err
	}
	change, err := g.markDeleted(&f, del.ID)
	return change, 1, err
}

// ownAddress reads kind:pubkey:d; false unless it is an address of this author.
func ownAddress(value string, author nip90.PubKey) (kind uint16, d [32]byte, ok bool) {
	k, rest, ok1 := strings.Cut(value, ":")
	pk, name, ok2 := strings.Cut(rest, ":")
	n, err := strconv.ParseUint(k, 10, 16)
	if !ok1 || !ok2 || err != nil || pk != author.String() {
		return 0, d, false
	}
	switch {
	case isAddressable(int(n)):
		return uint16(n), sha256.Sum256([]byte(name)), true
	case isReplaceable(int(n)):
		return uint16(n), sha256.Sum256(nil), true
	}
	return 0, d, false
}

// obeyVanish notes that everything of the author up to now is to be erased, and refused from here on. NIP-62.
func (g *group) obeyVanish(f *Fact, tags []byte) error {
	if !g.s.vanishesHere(tags) {
		return nil
	}
	row := append(appendTime(nil, f.CreatedAt), f.ID[:]...)
	old, err := g.tombstone(f.Author, vanishKey)
	if err != nil {
		return err
	}
	if len(old) >= timeLen && getTime(old) >= f.CreatedAt {
		return nil
	}
	if err := g.setTombstone(f.Author, vanishKey, row); err != nil {
		return err
	}
	g.over.set(taskKey(taskVanish, f.Author), row)
	g.vanish = append(g.vanish, vanishing{f.Author, f.CreatedAt, f.ID})
	return nil
}

func (s *Store) vanishesHere(tags []byte) bool {
	w := walkTags(tags)
	for t, ok := w.next(); ok; t, ok = w.next() {
		if string(plain(t.name)) != "relay" || !t.hasValue {
			continue
		}
		value := string(plain(t.value))
		if value == allRelays {
			return true
		}
		if s.o.VanishURL != "" && nostr.NormalizeURL(value) == nostr.NormalizeURL(s.o.VanishURL) {
			return true
		}
	}
	return false
}
