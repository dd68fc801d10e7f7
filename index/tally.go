package index

import (
	"encoding/binary"

	"dvmrelay/nip90"
)

// The sums of a tally. Their order is the order on disk: a new one goes to the end.
const (
	sumRequests = iota
	sumAddressed
	sumCancelled
	sumAnswered
	sumResults
	sumFeedbacks
	sumErrors
	sumUnlinked
	sumFirst
	sumAsked
	sumClaimed
	sumPaid
	sumUndelivered
	sumLate // changes after the hour was sealed; not a sum over threads
	sums_
)

// The histograms of a tally, in seconds, seconds, seconds and millisatoshi.
const (
	histFirstFeedback = iota
	histFirstResult
	histPaidToResult
	histPrice
	hists_
)

// tally is what the jobs of an hour or a day add up to, for all of them, a kind, a provider, or a provider and a kind. It
// is immutable once it stands in a transaction.
type tally struct {
	n [sums_]int64
	h [hists_]hist
	// met are the customers of a provider's tally; nil elsewhere.
	met *crowd
}

// part is what one thread, or one side of a thread, adds to a tally.
type part struct {
	n [sums_]int64
	h [hists_]int // a bucket, or noBucket
}

func newPart() part {
	return part{h: [hists_]int{noBucket, noBucket, noBucket, noBucket}}
}

// with replaces one part by another.
func (t *tally) with(before, after *part) *tally {
	out := *t
	for i := range out.n {
		out.n[i] += after.n[i] - before.n[i]
	}
	for i := range out.h {
		if before.h[i] != after.h[i] {
			out.h[i] = out.h[i].with(before.h[i], -1).with(after.h[i], 1)
		}
	}
	return &out
}

// rolled is the tally after a change.
func (t *tally) rolled(r *rolling) *tally {
	out := *t
	for i := range out.n {
		out.n[i] += r.n[i]
	}
	for _, c := range r.h {
		out.h[c.hist] = out.h[c.hist].with(c.bucket, c.n)
	}
	return &out
}

// add adds another tally, sign times.
func (t *tally) add(o *tally, sign int64) {
	for i := range t.n {
		t.n[i] += sign * o.n[i]
	}
	for i := range t.h {
		t.h[i] = t.h[i].plus(o.h[i], sign)
	}
}

// same says whether two tallies agree on what threads add up to.
func (t *tally) same(o *tally) bool {
	a, b := *t, *o
	a.n[sumLate], b.n[sumLate] = 0, 0
	a.met, b.met = nil, nil
	a.add(&b, -1)
	return a.empty()
}

// empty says whether there is nothing to keep.
func (t *tally) empty() bool {
	if t.met != nil {
		return false
	}
	for i := range t.h {
		if len(t.h[i]) > 0 {
			return false
		}
	}
	return t.n == [sums_]int64{}
}

// Encode implements store.Late: an empty tally has no row.
func (t *tally) Encode() []byte {
	if t.empty() {
		return nil
	}
	b := append(make([]byte, 0, t.Size()), 1, sums_)
	for _, v := range t.n {
		b = binary.AppendVarint(b, v)
	}
	for _, h := range t.h {
		b = h.appendTo(b)
	}
	if t.met != nil {
		all := t.met.gathered()
		b = all.customers.appendTo(b)
	}
	return b
}

// Size implements store.Late.
func (t *tally) Size() int {
	n := 64
	if t.met != nil {
		n += t.met.Size()
	}
	for _, h := range t.h {
		n += 4 * len(h)
	}
	return n
}

func decodeTally(b []byte) (*tally, error) {
	d := decoder{b: b}
	d.version()
	t := &tally{}
	n := int(d.byte())
	for i := range n {
		if v := d.int(); i < sums_ {
			t.n[i] = v
		}
	}
	for i := range t.h {
		t.h[i] = d.hist()
	}
	if len(d.b) > 0 {
		t.met = &crowd{customers: d.sketch()}
	}
	return t, d.end("rollup")
}

// crowd is who was met in an hour or a day. It is immutable once it stands in a transaction; newcomers wait beside the
// sketches, so that one more key does not copy them.
type crowd struct {
	customers, providers sketch
	fresh                []met
}

// maxFresh is how many newcomers wait.
const maxFresh = 64

// met is one key seen in an hour.
type met struct {
	customer bool
	mark     uint64
}

func customerMet(k nip90.PubKey) met { return met{true, markOf(k)} }
func providerMet(k nip90.PubKey) met { return met{false, markOf(k)} }

// with adds a key and says whether that changed anything.
func (c *crowd) with(who met) (*crowd, bool) {
	if c == nil {
		c = &crowd{}
	}
	for _, m := range c.fresh {
		if m == who {
			return c, false
		}
	}
	known := &c.providers
	if who.customer {
		known = &c.customers
	}
	if known.has(who.mark) {
		return c, false
	}
	out := *c
	out.fresh = append(c.fresh[:len(c.fresh):len(c.fresh)], who)
	if len(out.fresh) > maxFresh {
		out = out.gathered()
	}
	return &out, true
}

// gathered is the crowd with its newcomers in the sketches.
func (c *crowd) gathered() crowd {
	out := crowd{customers: c.customers, providers: c.providers}
	var customers, providers []uint64
	for _, m := range c.fresh {
		if m.customer {
			customers = append(customers, m.mark)
		} else {
			providers = append(providers, m.mark)
		}
	}
	out.customers = out.customers.plus(customers)
	out.providers = out.providers.plus(providers)
	return out
}

// Encode implements store.Late.
func (c *crowd) Encode() []byte {
	all := c.gathered()
	return all.providers.appendTo(all.customers.appendTo(append(make([]byte, 0, all.Size()), 1)))
}

// Size implements store.Late.
func (c *crowd) Size() int {
	return 8 + markBytes*(len(c.customers.marks)+len(c.providers.marks)+len(c.fresh)) + len(c.customers.registers) + len(c.providers.registers)
}

func decodeCrowd(b []byte) (*crowd, error) {
	d := decoder{b: b}
	d.version()
	c := &crowd{customers: d.sketch()}
	c.providers = d.sketch()
	return c, d.end("crowd")
}

// buckets is how many buckets there are.
const buckets = 32 + 58*32

// totals adds up many rows without making a tally of each.
type totals struct {
	n [sums_]int64
	h [hists_]*[buckets]int64 // nil while empty
}

// add reads a row of a tally; a crowd at its end goes to met, unless that is nil.
func (s *totals) add(row []byte, sign int64, met *gathering) error {
	d := decoder{b: row}
	d.version()
	for i, n := 0, int(d.byte()); i < n; i++ {
		if v := d.int(); i < sums_ {
			s.n[i] += sign * v
		}
	}
	for i := range s.h {
		n, bucket := d.uint(), 0
		for ; n > 0 && !d.bad; n-- {
			bucket += int(d.uint() & 0xffff)
			v := d.int()
			if bucket >= buckets {
				d.bad = true
				break
			}
			if s.h[i] == nil {
				s.h[i] = new([buckets]int64)
			}
			s.h[i][bucket] += sign * v
		}
	}
	if met != nil && len(d.b) > 0 {
		met.read(&d)
	} else {
		d.b = nil
	}
	return d.end("rollup")
}

// tally is what was added up.
func (s *totals) tally() *tally {
	t := &tally{n: s.n}
	for i, h := range s.h {
		if h == nil {
			continue
		}
		for bucket, n := range h {
			if n != 0 {
				t.h[i] = append(t.h[i], histBucket{bucket, n})
			}
		}
	}
	return t
}
