package index

import (
	"encoding/binary"

	"dvmrelay/store"
)

// sources checks who had which events. These rows are no fold of events: what can be held is that each is of a fact, names
// sources that there are, and that the counts of exclusive events are those of the rows.
func (c *checker) sources() error {
	names, err := c.sourceTable()
	if err != nil {
		return err
	}
	alone := make(map[uint16]uint64)
	err = c.r.Scan([]byte{keySeen}, nil, func(key, value []byte) bool {
		id, ok := lastID(key)
		if !ok || len(key) != 1+idLen {
			return c.fault("sources %x: bad length", key)
		}
		set, err := decodeSources(value)
		if err != nil {
			return c.fault("sources of %s: %w", id, err)
		}
		f, ok := c.m.facts[id]
		if !ok {
			return c.fault("sources of %s, which has no fact", id)
		}
		if f.Has(store.FactOwn) && set.list[0] != numberSelf {
			return c.fault("sources of %s: %v; it came first by a socket", id, set.numbers())
		}
		for _, number := range set.numbers() {
			if number >= firstNumber && !names[number] && !c.fault("sources of %s: %d is none", id, number) {
				return false
			}
		}
		if number, ok := set.exclusive(); ok {
			alone[number]++
		}
		return true
	})
	if err != nil {
		return err
	}
	return c.exclusives(alone)
}

// sourceTable checks the sources themselves, and gives the numbers that are taken.
func (c *checker) sourceTable() (map[uint16]bool, error) {
	taken, named := make(map[uint16]bool), make(map[string]bool)
	err := c.r.Scan([]byte{keySource, 's'}, nil, func(key, value []byte) bool {
		number, ok := numberOf(key)
		name := string(value)
		if !ok || number < firstNumber || number > maxNumber || name == "" || len(name) > maxSourceBytes || named[name] {
			return c.fault("source %x: %q", key, value)
		}
		taken[number], named[name] = true, true
		return true
	})
	return taken, err
}

func (c *checker) exclusives(want map[uint16]uint64) error {
	err := c.r.Scan([]byte{keySource, 'c'}, nil, func(key, value []byte) bool {
		number, ok := numberOf(key)
		count, n := binary.Uvarint(value)
		if !ok || n != len(value) || count == 0 || count != want[number] {
			return c.fault("exclusive events %x: %x, want %d", key, value, want[number])
		}
		delete(want, number)
		return true
	})
	if err != nil {
		return err
	}
	for number, count := range want {
		if !c.fault("exclusive events of source %d: none, want %d", number, count) {
			break
		}
	}
	return nil
}
