package index

import (
	"encoding/binary"
	"time"

	"dvmrelay/nip90"
	"dvmrelay/store"
)

// sealAfter is how long after its end an hour is sealed: from then on erasing a thread leaves its anonymous counts.
const sealAfter = int64(35 * 24 * time.Hour / time.Second)

const (
	hourSeconds = int64(time.Hour / time.Second)
	daySeconds  = 24 * hourSeconds
)

// dim names whose jobs a rollup counts: everybody's, those of a kind, or one provider's side of those of a kind. What a
// provider did is the sum over its kinds.
type dim struct {
	table    byte // dimAll and so on
	provider nip90.PubKey
	kind     uint16
}

const (
	dimAll      = 0
	dimKind     = 1
	dimProvider = 2
)

func allJobs() dim              { return dim{table: dimAll} }
func jobsOfKind(kind int) dim   { return dim{table: dimKind, kind: uint16(kind)} }
func (d *dim) ofProvider() bool { return d.table == dimProvider }

// jobsOf is a provider's side of the jobs of a kind; 0 while it is not known.
func jobsOf(p nip90.PubKey, kind int) dim {
	return dim{table: dimProvider, provider: p, kind: uint16(kind)}
}

// level is a length of time that rollups are kept for.
type level struct {
	name    byte
	seconds int64
}

var levels = [...]level{{'h', hourSeconds}, {'d', daySeconds}}

// levels are those that a dim is kept for: of providers only hours, which are few enough.
func (d *dim) levels() []level {
	if d.ofProvider() {
		return levels[:1]
	}
	return levels[:]
}

// slot is the number of the hour or day that a time lies in. Times are bounded by the store: 0 to 2^40-1.
func (l level) slot(at int64) uint32 { return uint32(max(at, 0) / l.seconds) }

// prefix is what the keys of a dim begin with; those of a provider end with the kind.
func (l level) prefix(table byte, d *dim) []byte {
	b := append(make([]byte, 0, 48), table, l.name, d.table)
	switch d.table {
	case dimKind:
		b = binary.BigEndian.AppendUint16(b, d.kind)
	case dimProvider:
		b = append(b, d.provider[:]...)
	}
	return b
}

func (l level) key(table byte, d *dim, slot uint32) []byte {
	b := binary.BigEndian.AppendUint32(l.prefix(table, d), slot)
	if d.ofProvider() {
		b = binary.BigEndian.AppendUint16(b, d.kind)
	}
	return b
}

// slotAfter reads the slot of a key behind its prefix, and the kind of a provider's.
func slotAfter(prefix, key []byte) (slot uint32, kind int) {
	rest := key[len(prefix):]
	if len(rest) >= 6 {
		kind = int(binary.BigEndian.Uint16(rest[4:]))
	}
	return binary.BigEndian.Uint32(rest), kind
}

// head is what a thread's rows are counted under.
type head struct {
	seen    bool
	kind    int
	created int64
}

func (r *threadRow) head() head { return head{r.is(rowSeen), r.kind, r.created} }

// when is the time that the thread counts at: that of its request, or of its last answer while that is not here.
func (r *threadRow) when() int64 {
	if r.is(rowSeen) {
		return r.created
	}
	return r.silence
}

// part is what the thread adds to everybody's and its kind's rollup.
func (r *threadRow) part() part {
	p := newPart()
	if !r.is(rowSeen) {
		p.n[sumUnlinked] = r.answers
		return p
	}
	p.n[sumRequests] = 1
	p.n[sumAddressed] = bit(r.is(rowAddressed))
	p.n[sumCancelled] = bit(r.cancelled())
	p.n[sumAnswered] = bit(r.answers > 0 && !r.cancelled())
	p.n[sumResults], p.n[sumFeedbacks], p.n[sumErrors] = r.results, r.feedbacks, r.errors
	p.n[sumFirst] = bit(r.results > 0)
	p.n[sumAsked], p.n[sumClaimed] = r.asked, r.claimed
	p.n[sumPaid] = bit(r.claims > 0)
	p.n[sumUndelivered] = bit(r.claims > 0 && r.results == 0)
	if r.feedbacks > 0 {
		p.h[histFirstFeedback] = bucketOf(r.firstFeedback - r.created)
	}
	if r.results > 0 {
		p.h[histFirstResult] = bucketOf(r.firstResult - r.created)
	}
	return p
}

func bit(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// part is what a side of a thread adds to its provider's rollups.
func (s *sideRow) part(h head) part {
	p := newPart()
	if !h.seen {
		p.n[sumUnlinked] = s.answers
		return p
	}
	p.n[sumRequests] = bit(s.answers > 0)
	p.n[sumAnswered] = p.n[sumRequests]
	p.n[sumResults], p.n[sumFeedbacks], p.n[sumErrors] = s.results, s.feedbacks, s.errors
	p.n[sumClaimed] = s.claimed
	p.n[sumPaid] = bit(s.claims > 0)
	p.n[sumUndelivered] = bit(s.claims > 0 && s.results == 0)
	if s.ask.set {
		p.n[sumAsked] = s.ask.msat
	}
	if s.feedbacks > 0 {
		p.h[histFirstFeedback] = bucketOf(s.first - h.created)
	}
	if s.results > 0 {
		p.h[histFirstResult] = bucketOf(s.firstResult - h.created)
	}
	h2 := s.market(h)
	p.h[histPaidToResult], p.h[histPrice] = h2.h[histPaidToResult], h2.h[histPrice]
	return p
}

// market is the part of a side that its thread's rollups count as well: prices, and how long the paid had to wait.
func (s *sideRow) market(h head) part {
	p := newPart()
	if !h.seen {
		return p
	}
	if s.ask.set {
		p.h[histPrice] = bucketOf(s.ask.msat)
	}
	if s.claims > 0 && s.results > 0 && s.firstResult >= s.paidAt {
		p.h[histPaidToResult] = bucketOf(s.firstResult - s.paidAt)
	}
	return p
}

// when is the time that the side counts at.
func (s *sideRow) when(h head) int64 {
	if h.seen {
		return h.created
	}
	return s.last
}

// rolling is what one event changes in the rollups of a dim at a time.
type rolling struct {
	d  dim
	at int64
	n  [sums_]int64
	h  []histChange
}

type histChange struct {
	hist, bucket int
	n            int64
}

// maxRolling is how many rollups one event changes before they are written; few change more than eight.
const maxRolling = 16

// roll replaces one part by another in the rollups of d at a time. They are written by flush.
func (w *work) roll(d dim, at int64, before, after *part) error {
	if *before == *after {
		return nil
	}
	var r *rolling
	for i := range w.rolls {
		if o := &w.rolls[i]; o.at == at && o.d == d {
			r = o
			break
		}
	}
	if r == nil {
		if len(w.rolls) == maxRolling {
			if err := w.flush(); err != nil {
				return err
			}
		}
		w.rolls = append(w.rolls, rolling{d: d, at: at})
		r = &w.rolls[len(w.rolls)-1]
	}
	for i := range r.n {
		r.n[i] += after.n[i] - before.n[i]
	}
	for i := range before.h {
		if before.h[i] != after.h[i] {
			r.change(i, before.h[i], -1)
			r.change(i, after.h[i], 1)
		}
	}
	return nil
}

func (r *rolling) change(hist, bucket int, n int64) {
	if bucket == noBucket {
		return
	}
	for i := range r.h {
		if c := &r.h[i]; c.hist == hist && c.bucket == bucket {
			c.n += n
			return
		}
	}
	r.h = append(r.h, histChange{hist, bucket, n})
}

// flush writes what roll collected.
func (w *work) flush() error {
	for i := range w.rolls {
		r := &w.rolls[i]
		sealed := r.at/hourSeconds*hourSeconds+hourSeconds+sealAfter <= w.t.Now()
		gained, lost := r, (*rolling)(nil)
		if sealed && w.erasing {
			gained, lost = r.parted()
		}
		for _, l := range r.d.levels() {
			late := sealed && !w.erasing && !w.x.building.Load()
			if err := w.rollInto(l.key(keyRollup, &r.d, l.slot(r.at)), gained, late); err != nil {
				return err
			}
			if lost == nil {
				continue
			}
			if err := w.rollInto(l.key(keySealed, &r.d, l.slot(r.at)), lost, false); err != nil {
				return err
			}
		}
	}
	w.rolls = w.rolls[:0]
	return nil
}

func (w *work) rollInto(key []byte, r *rolling, late bool) error {
	t, err := tallyAt(w.t, key)
	if err != nil {
		return err
	}
	next := t.rolled(r)
	if late {
		next.n[sumLate]++
	}
	w.t.SetLate(key, next)
	return nil
}

// parted is how an erased event changes a sealed hour: the hour keeps what it counted, as a remainder, and an answer that
// moves on because of that is not counted again with another job. What has no job any more is unlinked.
func (r *rolling) parted() (gained, lost *rolling) {
	gained, lost = &rolling{}, &rolling{}
	for i, n := range r.n {
		lost.n[i] = -n
	}
	// Unlinked is never sealed: it says what is without its job now.
	gained.n[sumUnlinked], lost.n[sumUnlinked] = r.n[sumUnlinked], 0
	for _, c := range r.h {
		lost.h = append(lost.h, histChange{c.hist, c.bucket, -c.n})
	}
	return gained, lost
}

func tallyAt(t store.Txn, key []byte) (*tally, error) {
	if late := t.Late(key); late != nil {
		return late.(*tally), nil
	}
	b, err := t.Value(key)
	if err != nil || b == nil {
		return &tally{}, err
	}
	return decodeTally(b)
}

// meet notes who was there. What was met is never forgotten: it is a sketch and names nobody.
func (w *work) meet(d dim, at int64, who met) error {
	for _, l := range d.levels() {
		key := l.key(keyCrowd, &d, l.slot(at))
		c := &crowd{}
		if late := w.t.Late(key); late != nil {
			c = late.(*crowd)
		} else if b, err := w.t.Value(key); err != nil {
			return err
		} else if b != nil {
			if c, err = decodeCrowd(b); err != nil {
				return err
			}
		}
		if next, changed := c.with(who); changed {
			w.t.SetLate(key, next)
		} else {
			w.t.Hold(key, c)
		}
	}
	return nil
}
