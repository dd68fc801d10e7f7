package index

import (
	"bytes"
	"errors"
	"fmt"

	"dvmrelay/nip90"
	"dvmrelay/store"
)

// maxFaults is how many faults Check names.
const maxFaults = 20

// Check holds the index to the facts: it works out every row anew in the plainest way, from all facts at once, and
// compares byte by byte. It reads everything and names up to 20 faults. It is for an index that keeps customers.
func Check(r store.Reader) error { return New(Options{KeepCustomer: true}).Check(r) }

// Check is the package's Check under the options of x.
func (x *Index) Check(r store.Reader) error {
	m := newModel(x)
	if err := m.read(r); err != nil {
		return fmt.Errorf("read facts: %w", err)
	}
	if err := m.build(r); err != nil {
		return err
	}
	c := checker{r: r, m: m}
	if err := c.staleThreads(); err != nil {
		return err
	}
	for table := keyThread; table <= keyLast; table++ {
		if err := c.table(byte(table)); err != nil {
			return err
		}
	}
	if err := c.table(keyName); err != nil {
		return err
	}
	for key := range m.rows {
		if !c.tolerated([]byte(key)) && !c.fault("row %x is missing", key) {
			break
		}
	}
	if err := c.rollups(); err != nil {
		return err
	}
	if err := c.sources(); err != nil {
		return err
	}
	return errors.Join(c.faults...)
}

type checker struct {
	r      store.Reader
	m      *model
	moving bool              // some events are still to be taken to their threads
	stale  map[nip90.ID]bool // long threads whose sums wait to be folded again
	faults []error
}

func (c *checker) fault(format string, args ...any) bool {
	c.faults = append(c.faults, fmt.Errorf(format, args...))
	return len(c.faults) < maxFaults
}

func (c *checker) staleThreads() error {
	c.stale = make(map[nip90.ID]bool)
	var err error
	if c.moving, err = some(c.r, queuePrefix()); err != nil {
		return err
	}
	return c.r.Scan([]byte{keyThread}, nil, func(key, value []byte) bool {
		row, err := decodeThread(value)
		if err != nil {
			return c.fault("thread %x: %w", key[1:], err)
		}
		root, _ := lastID(key)
		c.stale[root] = row.is(rowStale)
		return true
	})
}

// table compares the rows of one table and crosses off what was expected.
func (c *checker) table(table byte) error {
	return c.r.Scan([]byte{table}, nil, func(key, value []byte) bool {
		want, ok := c.m.rows[string(key)]
		delete(c.m.rows, string(key))
		switch {
		case c.tolerated(key):
			return true
		case table == keyBeat:
			return c.beat(key, value)
		case !ok:
			return c.fault("row %x dangles", key)
		case !bytes.Equal(want, value):
			return c.fault("row %x is %x and should be %x", key, value, want)
		}
		return true
	})
}

// tolerated says whether a row hangs on a thread whose sums are known to be behind.
func (c *checker) tolerated(key []byte) bool {
	if c.moving {
		switch key[0] {
		case keyThread, keySide, keyMember, keyPayment, keyByProvider, keyProvider, keyName, keyWait, keyOrphan, keyClass:
			return true
		}
	}
	switch key[0] {
	case keyThread, keySide, keyPayment:
		return c.stale[nip90.ID(key[1:1+idLen])]
	case keyByProvider, keyClass:
		_, root, _ := splitTimed(key)
		return c.stale[root]
	case keyProvider, keyName:
		for _, stale := range c.stale {
			if stale {
				return true
			}
		}
	}
	return false
}

// beat: the body of a heartbeat names its service, and bodies go; what is left to hold is the event it points at.
func (c *checker) beat(key, value []byte) bool {
	row, err := decodeSign(value)
	if err != nil {
		return c.fault("heartbeat %x: %w", key, err)
	}
	f, ok := c.m.facts[row.id]
	if !ok || !isBeat(f.Kind) || f.CreatedAt != row.created || !bytes.Equal(key[1:1+idLen], f.Author[:]) {
		return c.fault("heartbeat %x points at %s, which is not its event", key, row.id)
	}
	return true
}
