package index

import (
	"fmt"

	"dvmrelay/nip90"
	"dvmrelay/store"
)

// rollups holds the rollups to the threads as they stand: sealed remains and what threads contribute make the sums, and
// everybody who was met is in the sketches.
func (c *checker) rollups() error {
	w := &work{t: &ledger{Reader: c.r, late: make(map[string]store.Late)}, x: New(c.m.x.o)}
	w.x.building.Store(true)
	if err := c.contribute(w); err != nil {
		return fmt.Errorf("add up the threads: %w", err)
	}
	if err := w.flush(); err != nil {
		return err
	}
	return w.t.(*ledger).compare(c)
}

// contribute adds up all threads and sides from their rows.
func (c *checker) contribute(w *work) error {
	rows := make(map[nip90.ID]*openThread)
	var fault error
	err := c.r.Scan([]byte{keyThread}, nil, func(key, value []byte) bool {
		var o openThread
		o.root, _ = lastID(key)
		o.threadRow, fault = decodeThread(value)
		if fault == nil {
			rows[o.root] = &o
			fault = w.threadMoved(&threadRow{}, &o.threadRow)
		}
		if f, ok := c.m.facts[o.root]; ok && fault == nil && isRequest(&f) {
			fault = w.requestMoved(&f, 1)
		}
		return fault == nil
	})
	if err == nil {
		err = fault
	}
	if err != nil {
		return err
	}
	err = c.r.Scan([]byte{keySide}, nil, func(key, value []byte) bool {
		var s sideRow
		if s, fault = decodeSide(value); fault == nil {
			if o := rows[nip90.ID(key[1:1+idLen])]; o != nil {
				fault = w.sideMoved(o, providerOfSide(key), &sideRow{}, &s)
			}
		}
		return fault == nil
	})
	if err == nil {
		err = fault
	}
	return err
}

// ledger collects rollups in memory, over what was erased after it was sealed.
type ledger struct {
	store.Reader
	late map[string]store.Late
}

// Set, Delete and Now make a ledger a store.Txn. Nothing of work that is used here writes plain rows.
func (l *ledger) Set([]byte, []byte) {}

// Delete does nothing.
func (l *ledger) Delete([]byte) {}

// Now is a time at which nothing is sealed.
func (l *ledger) Now() int64 { return 0 }

// Late is what was collected for a row.
func (l *ledger) Late(key []byte) store.Late { return l.late[string(key)] }

// Hold does nothing.
func (l *ledger) Hold([]byte, store.Late) {}

// SetLate collects.
func (l *ledger) SetLate(key []byte, v store.Late) { l.late[string(key)] = v }

// Value shows none of the sums that are to be checked, but the sealed ones, from which they begin.
func (l *ledger) Value(key []byte) ([]byte, error) {
	switch key[0] {
	case keyRollup:
		return l.Reader.Value(append([]byte{keySealed}, key[1:]...))
	case keyCrowd:
		return nil, nil
	}
	return l.Reader.Value(key)
}

func (l *ledger) compare(c *checker) error {
	err := l.Scan([]byte{keySealed}, nil, func(key, value []byte) bool {
		k := string(append([]byte{keyRollup}, key[1:]...))
		if l.late[k] == nil {
			t, err := decodeTally(value)
			if err != nil {
				return c.fault("sealed rollup %x: %w", key, err)
			}
			l.late[k] = t
		}
		return true
	})
	if err != nil {
		return err
	}
	err = l.Scan([]byte{keyRollup}, nil, func(key, value []byte) bool {
		have, err := decodeTally(value)
		if err != nil {
			return c.fault("rollup %x: %w", key, err)
		}
		want, _ := l.late[string(key)].(*tally)
		delete(l.late, string(key))
		if want == nil {
			want = &tally{}
		}
		if m := want.met; m != nil {
			if all := m.gathered(); have.met == nil || !have.met.customers.covers(all.customers) {
				return c.fault("rollup %x has not met all that were there", key)
			}
		}
		return have.same(want) || c.fault("rollup %x is %+v and should be %+v", key, have, want)
	})
	if err != nil {
		return err
	}
	err = l.Scan([]byte{keyCrowd}, nil, func(key, value []byte) bool {
		have, err := decodeCrowd(value)
		if err != nil {
			return c.fault("crowd %x: %w", key, err)
		}
		want := &crowd{}
		if c, ok := l.late[string(key)].(*crowd); ok {
			*want = c.gathered()
		}
		delete(l.late, string(key))
		return have.customers.covers(want.customers) && have.providers.covers(want.providers) ||
			c.fault("crowd %x has not met all that were there", key)
	})
	if err != nil {
		return err
	}
	for key, v := range l.late {
		if t, ok := v.(*tally); ok && t.same(&tally{}) {
			continue
		}
		if !c.fault("rollup %x is missing", key) {
			break
		}
	}
	return nil
}
