package negentropy

import "fmt"

// exchange works one message through and writes the answer. After each range, out tells what is to be said up to from,
// except that a settled stretch at its end is not written yet.
type exchange struct {
	set  *Set
	in   reader
	out  writer
	room int // how far ranges may fill out; 0 = no bound
	// list deals with the ids that the other side has up to a bound; our own end at upper. full says that the answer is.
	list func(upper int, to bound, ids []byte) (full bool, err error)

	from    int   // our first item that is not dealt with
	before  bound // the upper bound of the range before
	settled bool  // the stretch before it needs no more words
}

func (x *exchange) run() error {
	for n := 1; x.in.more(); n++ {
		full, err := x.take()
		if err != nil {
			return fmt.Errorf("range %d: %w", n, err)
		}
		if full {
			x.rest()
			return nil
		}
	}
	return nil
}

// take deals with one range. full says that the answer has no room for it.
func (x *exchange) take() (full bool, err error) {
	to, err := x.in.bound()
	if err != nil {
		return false, err
	}
	mode, err := x.in.varint()
	if err != nil {
		return false, err
	}
	upper := x.set.find(x.from, &to)
	switch mode {
	case modeSkip:
		x.settled = true
	case modeFingerprint:
		full, err = x.compare(upper, to)
	case modeIDs:
		var ids []byte
		if ids, err = x.in.ids(); err == nil {
			full, err = x.list(upper, to, ids)
		}
	default:
		err = fmt.Errorf("mode %d: %w", mode, ErrMalformed)
	}
	if full || err != nil {
		return full, err
	}
	x.from, x.before = upper, to
	return false, nil
}

// compare reads the fingerprint of a range; where ours differs, it answers with smaller ranges.
func (x *exchange) compare(upper int, to bound) (full bool, err error) {
	theirs, err := x.in.take(fingerprintSize)
	if err != nil {
		return false, err
	}
	if x.set.fingerprint(x.from, upper) == [fingerprintSize]byte(theirs) {
		x.settled = true
		return false, nil
	}
	length, last, settled := len(x.out.b), x.out.last, x.settled
	x.settle()
	x.split(x.from, upper, to)
	if x.room > 0 && len(x.out.b) > x.room {
		x.out.b, x.out.last, x.settled = x.out.b[:length], last, settled
		return true, nil
	}
	return false, nil
}

// settle writes down that all up to the range before is settled, if it is.
func (x *exchange) settle() {
	if x.settled {
		x.out.skip(&x.before)
		x.settled = false
	}
}

// rest ends the answer with one fingerprint for all that is not dealt with.
func (x *exchange) rest() {
	x.settle()
	x.out.fingerprint(&bound{time: infinity}, x.set.fingerprint(x.from, x.set.Len()))
}

// split writes the items of a range: their ids if they are few, else fingerprints of its parts.
func (x *exchange) split(lower, upper int, to bound) {
	n := upper - lower
	if n < 2*buckets {
		x.out.ids(&to, x.set.items[lower:upper])
		return
	}
	for i := range buckets {
		end := lower + n/buckets
		if i < n%buckets {
			end++
		}
		b := to
		if i < buckets-1 {
			b = between(&x.set.items[end-1], &x.set.items[end])
		}
		x.out.fingerprint(&b, x.set.fingerprint(lower, end))
		lower = end
	}
}

// tell writes the ids that we have in a range, as many as there is room for.
func (x *exchange) tell(upper int, to bound) (full bool) {
	x.settle()
	items := x.set.items[x.from:upper]
	if x.room == 0 || len(items)*idSize <= x.room-len(x.out.b) {
		x.out.ids(&to, items)
		return false
	}
	n := max(0, (x.room-len(x.out.b))/idSize)
	if n == 0 {
		return true
	}
	end := between(&items[n-1], &items[n])
	x.out.ids(&end, items[:n])
	x.from += n
	return true
}
