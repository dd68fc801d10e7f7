package store

import (
	"errors"
	"fmt"

	"dvmrelay/nip90"

	"github.com/dgraph-io/badger/v4"
)

var errForeignKey = errors.New("key is outside the space of the indexer")

// group is one transaction in the making. It is the Txn that an Indexer sees.
type group struct {
	view
	s    *Store
	over *overlay
	now  int64

	// What the group will change in memory once it is published.
	deltas  []kindDelta
	vanish  []vanishing
	done    []nip90.PubKey // vanishing keys whose erasing is complete
	facts   int64
	held    []heldChange // done to the shelf already, undone with the group
	adopted int64
	dropped int64 // waiting events that were given up
	tries   int   // waiting events that were decided again
	foreign error // an Indexer wrote where it must not
}

type kindDelta struct {
	kind  uint16
	delta int64
}

// vanishing is a key that is being erased: everything up to then but the request itself.
type vanishing struct {
	key     nip90.PubKey
	until   int64
	request nip90.ID
}

// mark is a point that a group can be rolled back to.
type mark struct {
	undo, deltas, vanish, done, held int
	facts, adopted, dropped          int64
}

var _ Txn = (*group)(nil)

// newGroup begins a group of about so many events on what is published now.
func (s *Store) newGroup(events int) *group {
	version := s.published.Load()
	return &group{
		view: view{txn: s.db.NewTransactionAt(version, false), version: version},
		s:    s, over: newOverlay(events), now: s.o.Now().Unix(),
	}
}

func (g *group) mark() mark {
	return mark{len(g.over.undo), len(g.deltas), len(g.vanish), len(g.done), len(g.held), g.facts, g.adopted, g.dropped}
}

func (g *group) rollback(m mark) {
	g.over.rollback(m.undo)
	g.deltas, g.vanish, g.done, g.facts = g.deltas[:m.deltas], g.vanish[:m.vanish], g.done[:m.done], m.facts
	g.s.shelf.undo(g.held[m.held:])
	g.held, g.adopted, g.dropped = g.held[:m.held], m.adopted, m.dropped
	g.foreign = nil
}

// Value implements Reader.
func (g *group) Value(key []byte) ([]byte, error) {
	if value, known := g.over.get(key); known {
		return value, nil
	}
	return g.view.Value(key)
}

// Lasting implements Reader. What a group sees changes with each of its events.
func (g *group) Lasting(key []byte) ([]byte, error) { return g.Value(key) }

// Scan implements Reader. The prefix must not be empty.
func (g *group) Scan(prefix, start []byte, fn func(key, value []byte) bool) error {
	if len(prefix) == 0 {
		return errors.New("scan in a transaction: prefix is empty")
	}
	if start == nil {
		start = prefix
	}
	return g.over.scan(&g.view, prefix, start, fn)
}

// Fact implements Reader.
func (g *group) Fact(id nip90.ID) (Fact, bool, error) { return readFact(g, id) }

// Event implements Reader.
func (g *group) Event(id nip90.ID) (Raw, bool, error) { return readEvent(g, id) }

// Set implements Txn.
func (g *group) Set(key, value []byte) {
	if len(key) == 0 || key[0] < IndexSpace {
		g.foreign = fmt.Errorf("set %x: %w", key, errForeignKey)
		return
	}
	g.over.set(key, value)
}

// Delete implements Txn.
func (g *group) Delete(key []byte) {
	if len(key) == 0 || key[0] < IndexSpace {
		g.foreign = fmt.Errorf("delete %x: %w", key, errForeignKey)
		return
	}
	g.over.delete(key)
}

// Late implements Txn.
func (g *group) Late(key []byte) Late { return g.over.late(key) }

// Hold implements Txn.
func (g *group) Hold(key []byte, v Late) { g.over.hold(key, v) }

// SetLate implements Txn.
func (g *group) SetLate(key []byte, v Late) {
	if len(key) == 0 || key[0] < IndexSpace {
		g.foreign = fmt.Errorf("set %x: %w", key, errForeignKey)
		return
	}
	g.over.setLate(key, v)
}

// Now implements Txn.
func (g *group) Now() int64 { return g.now }

func (g *group) putFact(f *Fact) {
	var buf [MaxFactBytes]byte
	g.over.set(factKey(f.ID), f.appendTo(buf[:0]))
}

// share of Badger's transaction bounds that a group fills before it is committed; the rest is for the one event that
// goes over it.
const fullShare = 0.8

func (g *group) full() bool {
	return float64(g.over.count) > fullShare*float64(g.s.maxCount) || float64(g.over.bytes) > fullShare*float64(g.s.maxBytes)
}

func (g *group) tooBig() bool {
	return g.over.count+1 >= g.s.maxCount || g.over.bytes+1024 >= g.s.maxBytes
}

// write commits the group at the given version; nothing is published yet.
func (g *group) write(version uint64) error {
	txn := g.s.db.NewTransactionAt(g.version, true)
	defer txn.Discard()
	for key, c := range g.over.cells {
		if !c.written {
			continue
		}
		var err error
		if value, gone := c.read(); gone {
			err = txn.Delete([]byte(key))
		} else {
			err = txn.SetEntry(badger.NewEntry([]byte(key), value))
		}
		if err != nil {
			return fmt.Errorf("stage key %x: %w", key, err)
		}
	}
	if err := txn.CommitAt(version, nil); err != nil {
		return fmt.Errorf("commit version %d: %w", version, err)
	}
	return nil
}
