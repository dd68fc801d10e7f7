package negentropy

import (
	"bytes"
	"fmt"
	"math"
)

// infinity is the time of the bound above everything.
const infinity = math.MaxUint64

// maxVarint is the most bytes that a number of 64 bits takes.
const maxVarint = 10

// bound is a place in the order of items: a time and as much of an id as is needed.
type bound struct {
	time uint64
	len  int
	id   [idSize]byte
}

func (b *bound) prefix() []byte { return b.id[:b.len] }

// above says whether an item stands before the bound.
func (b *bound) above(i *Item) bool {
	if t := uint64(i.CreatedAt); t != b.time {
		return t < b.time
	}
	return bytes.Compare(i.ID[:], b.prefix()) < 0
}

// before says whether b stands before o.
func (b *bound) before(o *bound) bool {
	if b.time != o.time {
		return b.time < o.time
	}
	return bytes.Compare(b.prefix(), o.prefix()) < 0
}

// between is the shortest bound above one item and not above the next.
func between(one, next *Item) bound {
	b := bound{time: uint64(next.CreatedAt)}
	if one.CreatedAt != next.CreatedAt {
		return b
	}
	for b.len < idSize-1 && one.ID[b.len] == next.ID[b.len] {
		b.len++
	}
	b.len++
	copy(b.id[:], next.ID[:b.len])
	return b
}

// reader takes a message apart. Times are differences to the bound before.
type reader struct {
	b    []byte
	last bound
}

// open reads the version of a message.
func open(msg []byte) (r reader, spoken byte, err error) {
	if len(msg) == 0 {
		return r, 0, fmt.Errorf("no version: %w", ErrMalformed)
	}
	if msg[0] < firstVersion || msg[0] > lastVersion {
		return r, 0, fmt.Errorf("version byte %#x: %w", msg[0], ErrMalformed)
	}
	return reader{b: msg[1:]}, msg[0], nil
}

func (r *reader) more() bool { return len(r.b) > 0 }

func (r *reader) varint() (n uint64, err error) {
	for i, c := range r.b {
		if n > math.MaxUint64>>7 || i == maxVarint {
			return 0, fmt.Errorf("number over 64 bits: %w", ErrMalformed)
		}
		n = n<<7 | uint64(c&0x7f)
		if c < 0x80 {
			r.b = r.b[i+1:]
			return n, nil
		}
	}
	return 0, fmt.Errorf("number is cut off: %w", ErrMalformed)
}

func (r *reader) take(n int) ([]byte, error) {
	if n > len(r.b) {
		return nil, fmt.Errorf("%d bytes wanted, %d left: %w", n, len(r.b), ErrMalformed)
	}
	b := r.b[:n]
	r.b = r.b[n:]
	return b, nil
}

// bound reads the upper bound of a range. It cannot be below the one before.
func (r *reader) bound() (b bound, err error) {
	diff, err := r.varint()
	if err != nil {
		return b, err
	}
	// Zero is infinity, anything else one more than the difference.
	b.time = infinity
	if diff > 0 && diff-1 < infinity-r.last.time {
		b.time = r.last.time + diff - 1
	}
	n, err := r.varint()
	if err != nil {
		return b, err
	}
	if n > idSize {
		return b, fmt.Errorf("bound of %d bytes: %w", n, ErrMalformed)
	}
	id, err := r.take(int(n))
	if err != nil {
		return b, err
	}
	b.len = copy(b.id[:], id)
	if b.before(&r.last) {
		return b, fmt.Errorf("bounds do not ascend: %w", ErrMalformed)
	}
	r.last = b
	return b, nil
}

// ids reads a list of ids, one behind the other.
func (r *reader) ids() ([]byte, error) {
	n, err := r.varint()
	if err != nil {
		return nil, err
	}
	if n > uint64(len(r.b)/idSize) {
		return nil, fmt.Errorf("%d ids in %d bytes: %w", n, len(r.b), ErrMalformed)
	}
	return r.take(int(n) * idSize)
}

// writer puts a message together.
type writer struct {
	b    []byte
	last uint64 // time of the bound before
}

func newWriter() writer { return writer{b: []byte{version}} }

func appendVarint(b []byte, n uint64) []byte {
	shift := 0
	for n>>shift > 0x7f {
		shift += 7
	}
	for ; shift > 0; shift -= 7 {
		b = append(b, byte(n>>shift)|0x80)
	}
	return append(b, byte(n)&0x7f)
}

func (w *writer) bound(b *bound) {
	if b.time == infinity {
		w.b = append(w.b, 0, 0)
		w.last = infinity
		return
	}
	w.b = appendVarint(w.b, b.time-w.last+1)
	w.last = b.time
	w.b = appendVarint(w.b, uint64(b.len))
	w.b = append(w.b, b.prefix()...)
}

func (w *writer) skip(to *bound) {
	w.bound(to)
	w.b = append(w.b, modeSkip)
}

func (w *writer) fingerprint(to *bound, fp [fingerprintSize]byte) {
	w.bound(to)
	w.b = append(append(w.b, modeFingerprint), fp[:]...)
}

func (w *writer) ids(to *bound, items []Item) {
	w.bound(to)
	w.b = appendVarint(append(w.b, modeIDs), uint64(len(items)))
	for i := range items {
		w.b = append(w.b, items[i].ID[:]...)
	}
}
