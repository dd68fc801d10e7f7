package index

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"dvmrelay/nip90"
)

var errRow = errors.New("row is damaged")

// The flags of a threadRow.
const (
	rowSeen      = 1 << iota // the request has a fact
	rowCancelled             // its customer deleted it
	rowStale                 // an event left a long thread: sums are to be folded again before they are believed
	rowAddressed             // the request names providers
	rowEncrypted             // the request is encrypted
)

// rowHeads are the flags that come with the request.
const rowHeads = rowSeen | rowAddressed | rowEncrypted

// threadRow is what a list needs to know of a job without reading its events.
type threadRow struct {
	flags    byte
	kind     int   // of the request, 0 while it is not here
	created  int64 // of the request, 0 while it is not here
	expires  int64
	members  int64 // answers, payments, reports and cancels
	cancels  int64 // kind 5 by the customer
	payments int64
	silence  int64 // newest answer or payment; counts while answers or payments are above 0
	changes  int64 // since the row went stale
	sums

	firstFeedback int64        // created_at of the oldest feedback; counts while feedbacks > 0
	firstResult   int64        // created_at of the oldest result; counts while results > 0
	firstBy       nip90.PubKey // who gave it, of several in one second the lowest; zero while there is none
}

// sums are what the sides of a thread add up to. A side's share changes by differences, so an event costs one side.
type sums struct {
	states    [6]int64 // providers by nip90.Status
	answers   int64
	feedbacks int64
	results   int64 // that are not errors
	errors    int64 // results and feedbacks that say error
	claims    int64 // distinct payments
	refunders int64 // providers that paid back
	askers    int64 // providers that asked for money
	asked     int64 // msat
	claimed   int64 // msat
}

func (r *threadRow) is(flag byte) bool { return r.flags&flag != 0 }

func (r *threadRow) set(flag byte, on bool) {
	r.flags &^= flag
	if on {
		r.flags |= flag
	}
}

func (r *threadRow) cancelled() bool { return r.is(rowCancelled) || r.cancels > 0 }

// move replaces a side's old share by its new one.
func (s *sums) move(before, after sums) {
	for i := range s.states {
		s.states[i] += after.states[i] - before.states[i]
	}
	s.answers += after.answers - before.answers
	s.feedbacks += after.feedbacks - before.feedbacks
	s.results += after.results - before.results
	s.errors += after.errors - before.errors
	s.claims += after.claims - before.claims
	s.refunders += after.refunders - before.refunders
	s.askers += after.askers - before.askers
	s.asked += after.asked - before.asked
	s.claimed += after.claimed - before.claimed
}

func (r *threadRow) numbers() [18]*int64 {
	return [...]*int64{
		&r.created, &r.expires, &r.members, &r.cancels, &r.payments, &r.silence, &r.changes, &r.answers, &r.feedbacks,
		&r.results, &r.errors, &r.claims, &r.refunders, &r.asked, &r.claimed, &r.askers, &r.firstFeedback, &r.firstResult,
	}
}

func (r *threadRow) encode() []byte {
	b := make([]byte, 0, 112)
	b = append(b, 2, r.flags)
	b = binary.AppendVarint(b, int64(r.kind))
	for _, v := range r.numbers() {
		b = binary.AppendVarint(b, *v)
	}
	for _, v := range r.states {
		b = binary.AppendVarint(b, v)
	}
	if r.results > 0 {
		b = append(b, r.firstBy[:]...)
	}
	return b
}

func decodeThread(b []byte) (threadRow, error) {
	var r threadRow
	d := decoder{b: b}
	if d.byte() != 2 {
		d.bad = true
	}
	r.flags = d.byte()
	r.kind = int(d.int())
	for _, v := range r.numbers() {
		*v = d.int()
	}
	for i := range r.states {
		r.states[i] = d.int()
	}
	if r.results > 0 {
		r.firstBy = nip90.PubKey(d.id())
	}
	return r, d.end("thread")
}

// begin notes the first of what the sides of a thread say.
func (r *threadRow) begin(p nip90.PubKey, s *sideRow) {
	if s.feedbacks > 0 && (r.feedbacks == s.feedbacks || s.first < r.firstFeedback) {
		r.firstFeedback = s.first
	}
	if s.results == 0 {
		return
	}
	if r.firstBy.IsZero() || s.firstResult < r.firstResult || s.firstResult == r.firstResult && bytes.Compare(p[:], r.firstBy[:]) < 0 {
		r.firstResult, r.firstBy = s.firstResult, p
	}
}

// class is what came of a request, as keyClass files it.
func (r *threadRow) class() byte {
	switch {
	case r.results > 0:
		return classSuccess
	case r.cancelled():
		return classCancelled
	case r.states[nip90.Partial] > 0:
		return classPartial
	case r.states[nip90.PaymentRequired] > 0:
		return classPaymentRequired
	case r.states[nip90.Processing] > 0:
		return classProcessing
	case r.states[nip90.Error] > 0:
		return classError
	}
	return classOpen
}

// classes are all that a request is in; none while it is not here.
func (r *threadRow) classes() (list [5]byte) {
	if !r.is(rowSeen) {
		return list
	}
	list[0] = r.class()
	for i, c := range [...]struct {
		name byte
		is   bool
	}{{classAsked, r.askers > 0}, {classClaimed, r.claims > 0}, {classRefunded, r.refunders > 0}, {classEncrypted, r.is(rowEncrypted)}} {
		if c.is {
			list[i+1] = c.name
		}
	}
	return list
}

// listed is the value of a request's rows in the lists.
func (r *threadRow) listed() []byte {
	return append(binary.BigEndian.AppendUint16(nil, uint16(r.kind)), r.listFlags())
}

func (r *threadRow) listFlags() byte {
	if r.is(rowEncrypted) {
		return listEncrypted
	}
	return 0
}

// sideRow is one provider's side of a thread.
type sideRow struct {
	answers, feedbacks, results, errors int64
	first                               int64 // created_at of the oldest feedback; counts while feedbacks > 0
	last                                int64 // created_at of the newest answer; counts while answers > 0
	firstResult                         int64 // counts while results > 0
	said                                said
	ask                                 ask
	claims, claimed                     int64 // distinct payments to the provider, msat
	refunds, refunded                   int64 // distinct payments back to the customer, msat
	paidAt                              int64 // newest payment to the provider; counts while claims > 0
}

// said is the newest feedback that says something.
type said struct {
	status  nip90.Status // StatusNone: nothing was said yet
	content bool
	at      int64
	id      nip90.ID
}

// ask is the newest ask.
type ask struct {
	set       bool
	at        int64
	id        nip90.ID
	msat      int64
	invoiceAt int64 // when its invoice expires, 0 = no invoice
}

func (s *sideRow) numbers() [14]*int64 {
	return [...]*int64{
		&s.answers, &s.feedbacks, &s.results, &s.errors, &s.first, &s.last, &s.firstResult,
		&s.claims, &s.claimed, &s.refunds, &s.refunded, &s.paidAt, &s.said.at, &s.ask.at,
	}
}

func (s *sideRow) encode() []byte {
	b := make([]byte, 0, 160)
	var flags byte
	if s.said.content {
		flags |= 1
	}
	if s.ask.set {
		flags |= 2
	}
	b = append(b, 1, flags, byte(s.said.status))
	for _, v := range s.numbers() {
		b = binary.AppendVarint(b, *v)
	}
	if s.said.status != nip90.StatusNone {
		b = append(b, s.said.id[:]...)
	}
	if s.ask.set {
		b = binary.AppendVarint(b, s.ask.msat)
		b = binary.AppendVarint(b, s.ask.invoiceAt)
		b = append(b, s.ask.id[:]...)
	}
	return b
}

func decodeSide(b []byte) (sideRow, error) {
	var s sideRow
	d := decoder{b: b}
	d.version()
	flags := d.byte()
	s.said.status = nip90.Status(d.byte())
	s.said.content, s.ask.set = flags&1 != 0, flags&2 != 0
	for _, v := range s.numbers() {
		*v = d.int()
	}
	if s.said.status != nip90.StatusNone {
		s.said.id = d.id()
	}
	if s.ask.set {
		s.ask.msat, s.ask.invoiceAt, s.ask.id = d.int(), d.int(), d.id()
	}
	return s, d.end("side")
}

// paymentRow is the one receipt that counts among those with the same fingerprint: the one with the lowest id.
type paymentRow struct {
	id   nip90.ID
	msat int64
}

func (p *paymentRow) encode() []byte {
	return binary.AppendVarint(append([]byte{1}, p.id[:]...), p.msat)
}

func decodePayment(b []byte) (paymentRow, error) {
	d := decoder{b: b}
	d.version()
	p := paymentRow{id: d.id()}
	p.msat = d.int()
	return p, d.end("payment")
}

// signRow points at the newest event of an address: a handler or a heartbeat.
type signRow struct {
	id      nip90.ID
	created int64
	kinds   []int // of a handler
}

func (h *signRow) encode() []byte {
	b := binary.AppendVarint(append([]byte{1}, h.id[:]...), h.created)
	b = binary.AppendVarint(b, int64(len(h.kinds)))
	for _, k := range h.kinds {
		b = binary.AppendVarint(b, int64(k))
	}
	return b
}

func decodeSign(b []byte) (signRow, error) {
	d := decoder{b: b}
	d.version()
	h := signRow{id: d.id()}
	h.created = d.int()
	for n := d.int(); n > 0 && !d.bad; n-- {
		h.kinds = append(h.kinds, int(d.int()))
	}
	return h, d.end("handler")
}

// newer says whether the event (created, id) takes the place of h. NIP-01: the lowest id wins a tie.
func (h *signRow) newer(created int64, id nip90.ID) bool {
	if created != h.created {
		return created > h.created
	}
	return less(id, h.id)
}

type decoder struct {
	b   []byte
	bad bool
}

func (d *decoder) version() {
	if d.byte() != 1 {
		d.bad = true
	}
}

func (d *decoder) byte() byte {
	if len(d.b) == 0 {
		d.bad = true
		return 0
	}
	v := d.b[0]
	d.b = d.b[1:]
	return v
}

func (d *decoder) int() int64 {
	v, n := binary.Varint(d.b)
	if n <= 0 {
		d.bad, d.b = true, nil
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) id() nip90.ID {
	if len(d.b) < idLen {
		d.bad, d.b = true, nil
		return nip90.ID{}
	}
	v := nip90.ID(d.b[:idLen])
	d.b = d.b[idLen:]
	return v
}

func (d *decoder) end(what string) error {
	if d.bad || len(d.b) != 0 {
		return fmt.Errorf("read %s row: %w", what, errRow)
	}
	return nil
}
