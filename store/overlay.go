package store

import (
	"bytes"
	"slices"
	"strings"
)

// overlay holds what a group has written so far, on top of the snapshot it began from. Every write can be undone back to
// a mark, so that an event which fails leaves nothing behind.
type overlay struct {
	cells map[string]*cell
	// tables holds the keys of cells by their first byte, for Scan.
	tables map[byte]*sortedKeys
	undo   []undoCell
	count  int64 // written keys
	bytes  int64 // what they take in a Badger transaction
}

type cell struct {
	value   []byte
	late    Late // stands for value until the end
	written bool // false after an undo: the snapshot shows through
	deleted bool
}

type undoCell struct {
	key  string
	cell cell
}

// sortedKeys is sorted up to a tail of newcomers, which the next scan sorts in.
type sortedKeys struct {
	sorted, tail []string
}

const (
	// entryOverhead is what Badger adds to the length of key and value when it sizes an entry.
	entryOverhead = 16
	// keysPerEvent is a guess at what an event and its views write.
	keysPerEvent = 12
)

func newOverlay(events int) *overlay {
	return &overlay{cells: make(map[string]*cell, events*keysPerEvent), tables: make(map[byte]*sortedKeys)}
}

func (o *overlay) put(key []byte, next cell) {
	c, ok := o.cells[string(key)]
	if !ok {
		k := string(key)
		c = &cell{}
		o.cells[k] = c
		t := o.tables[k[0]]
		if t == nil {
			t = &sortedKeys{}
			o.tables[k[0]] = t
		}
		t.tail = append(t.tail, k)
		o.undo = append(o.undo, undoCell{k, cell{}})
	} else {
		o.undo = append(o.undo, undoCell{string(key), *c})
	}
	o.weigh(len(key), c, -1)
	*c = next
	o.weigh(len(key), c, 1)
}

func (o *overlay) weigh(key int, c *cell, sign int64) {
	if c.written {
		o.count += sign
		size := len(c.value)
		if c.late != nil {
			size = c.late.Size()
		}
		o.bytes += sign * int64(key+size+entryOverhead)
	}
}

// rollback undoes everything since the undo log had this length.
func (o *overlay) rollback(mark int) {
	for i := len(o.undo) - 1; i >= mark; i-- {
		u := o.undo[i]
		c := o.cells[u.key]
		o.weigh(len(u.key), c, -1)
		*c = u.cell
		o.weigh(len(u.key), c, 1)
	}
	o.undo = o.undo[:mark]
}

// from returns the written keys with this prefix, in order, from start on.
func (o *overlay) from(prefix, start []byte) []string {
	t := o.tables[prefix[0]]
	if t == nil {
		return nil
	}
	if len(t.tail) > 0 {
		slices.Sort(t.tail)
		for _, k := range t.tail {
			i, _ := slices.BinarySearch(t.sorted, k)
			t.sorted = slices.Insert(t.sorted, i, k)
		}
		t.tail = t.tail[:0]
	}
	first, _ := slices.BinarySearch(t.sorted, string(start))
	last := first
	for last < len(t.sorted) && strings.HasPrefix(t.sorted[last], string(prefix)) {
		last++
	}
	// A copy, because fn of a scan may write.
	return slices.Clone(t.sorted[first:last])
}

// scan merges a scan of the snapshot with the overlay.
func (o *overlay) scan(under *view, prefix, start []byte, fn func(key, value []byte) bool) error {
	keys := o.from(prefix, start)
	stopped := false
	emit := func(key string) bool {
		c := o.cells[key]
		value, gone := c.read()
		if !c.written || gone {
			return true
		}
		stopped = !fn([]byte(key), value)
		return !stopped
	}
	err := under.Scan(prefix, start, func(key, value []byte) bool {
		for len(keys) > 0 && keys[0] < string(key) {
			if !emit(keys[0]) {
				return false
			}
			keys = keys[1:]
		}
		if len(keys) > 0 && keys[0] == string(key) {
			c := o.cells[keys[0]]
			keys = keys[1:]
			if c.written {
				v, gone := c.read()
				if gone {
					return true
				}
				value = v
			}
		}
		stopped = !fn(key, value)
		return !stopped
	})
	for i := 0; err == nil && !stopped && i < len(keys); i++ {
		emit(keys[i])
	}
	return err
}

func (o *overlay) get(key []byte) (value []byte, known bool) {
	c, ok := o.cells[string(key)]
	if !ok || !c.written {
		return nil, false
	}
	if value, gone := c.read(); !gone {
		return value, true
	}
	return nil, true
}

// read is what the cell will be in the store.
func (c *cell) read() (value []byte, gone bool) {
	if c.late != nil {
		value = c.late.Encode()
		return value, value == nil
	}
	return c.value, c.deleted
}

// late is what setLate or hold left at a key, nil when something else stands there.
func (o *overlay) late(key []byte) Late {
	if c, ok := o.cells[string(key)]; ok {
		return c.late
	}
	return nil
}

// hold keeps what was read from the snapshot, decoded. The snapshot goes on showing through.
func (o *overlay) hold(key []byte, v Late) {
	if c, ok := o.cells[string(key)]; !ok || !c.written {
		o.put(key, cell{late: v})
	}
}

func (o *overlay) setLate(key []byte, v Late) { o.put(key, cell{late: v, written: true}) }

func (o *overlay) set(key, value []byte) {
	o.put(key, cell{value: append(make([]byte, 0, len(value)), value...), written: true})
}

func (o *overlay) delete(key []byte) {
	if c, ok := o.cells[string(key)]; ok && c.written && c.deleted {
		return
	}
	o.put(bytes.Clone(key), cell{written: true, deleted: true})
}
