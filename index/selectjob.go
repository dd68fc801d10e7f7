package index

import (
	"encoding/binary"
	"slices"

	"dvmrelay/nip90"
	"dvmrelay/store"
)

// condition is a set of the conditions that being in a list can prove.
type condition uint8

const (
	ofProvider condition = 1 << iota
	ofCustomer
)

// jobWant is what is asked of a job. Zero fields ask nothing.
type jobWant struct {
	state, payment     string
	kind               int
	kinds              []int // one of these, nil = any
	without            []int // none of these
	provider, customer nip90.PubKey
	encrypted          *bool
	words              []string // that its input has
	answers            nip90.PubKey
	could              []int // kinds that answers serves
	phase              byte  // of answers: 0 = jobs without an answer, 1 = the others
	// private: encrypted jobs are shown to their customer and whom they address only; readers are who asks.
	private bool
	readers []nip90.PubKey
}

// job is one that was found, with its row as it stands.
type job struct {
	root   nip90.ID
	row    threadRow
	folded map[nip90.PubKey]*sideRow
}

// What looking costs, in rows of a list.
const (
	costPoint = 12  // one row looked up
	costScan  = 20  // a few rows walked
	costText  = 30  // a body read
	costBytes = 256 // bytes of a body for one more
)

// maxRefold is how many events a thread whose sums wait may have to be folded for a search; a longer one is judged by what
// its row says.
const maxRefold = 1024

// finder walks jobs and keeps those that are wanted.
type finder struct {
	lens
	want   jobWant
	proven condition
	left   int // of what this walk may cost
	lower  []byte
}

// walk calls fn with each wanted job of a span, newest first, until it returns false. at is the last job examined, and more
// says that the walk ended before its list did.
func (w *finder) walk(of span, fn func(*job) (bool, error)) (at []byte, more bool, err error) {
	lists, proven, err := shortest(w, w.want.sources(), of)
	if err != nil {
		return nil, false, err
	}
	w.proven = proven
	at = of.after
	for {
		row, ok, err := lists.take()
		if err != nil || !ok {
			return at, false, err
		}
		if w.left <= 0 {
			return at, true, nil
		}
		w.left--
		j, ok, err := w.judge(&row)
		if err != nil {
			return at, false, err
		}
		if ok {
			on, err := fn(&j)
			if err != nil || !on {
				return at, true, err
			}
		}
		at = row.key()
	}
}

// sources are the ways to find what is wanted; never none.
func (q *jobWant) sources() (out []jobSource) {
	add := func(proves condition, prefixes ...[]byte) { out = append(out, jobSource{prefixes, proves}) }
	if !q.provider.IsZero() {
		add(ofProvider, keyOf(keyByProvider, q.provider[:]))
	}
	if !q.customer.IsZero() {
		add(ofCustomer, keyOf(keyByCustomer, q.customer[:]))
	}
	if q.kind != 0 {
		add(0, kindPrefix(q.kind))
	}
	for _, kinds := range [][]int{q.kinds, q.could} {
		if len(kinds) == 0 || len(kinds) > maxUnion {
			continue
		}
		var all [][]byte
		for _, k := range kinds {
			all = append(all, kindPrefix(k))
		}
		add(0, all...)
	}
	for _, classes := range []string{classesOfState(q.state), classesOfPayment(q.payment), q.classesOfAnswers()} {
		if classes == "" {
			continue
		}
		var all [][]byte
		for _, c := range []byte(classes) {
			all = append(all, []byte{keyClass, c})
		}
		add(0, all...)
	}
	if q.encrypted != nil && *q.encrypted {
		add(0, []byte{keyClass, classEncrypted})
	}
	if len(out) == 0 {
		add(0, []byte{keyJob})
	}
	return out
}

// maxUnion is how many lists are read as one.
const maxUnion = 16

func kindPrefix(kind int) []byte {
	return keyOf(keyByKind, binary.BigEndian.AppendUint16(nil, uint16(kind)))
}

// classesOfState are the classes that a job in this state may be in; none for every class.
func classesOfState(state string) string {
	switch state {
	case StateOpen, StateUnanswered, StateExpired:
		return string(classOpen)
	case StateProcessing:
		return string(classProcessing)
	case StatePaymentRequired:
		return string(classPaymentRequired)
	case StatePartial:
		return string(classPartial)
	case StateError:
		return string(classError)
	case StateSuccess:
		return string(classSuccess)
	case StateCancelled:
		return string(classCancelled)
	case StateStalled:
		return string([]byte{classProcessing, classPartial, classClaimed})
	}
	return ""
}

func classesOfPayment(payment string) string {
	switch payment {
	case payAsked.String(), payInvoiceExpired.String():
		return string(classAsked)
	case payClaimed.String(), payMismatch.String(), payUndelivered.String():
		return string(classClaimed)
	case payRefunded.String():
		return string(classRefunded)
	}
	return ""
}

// classesOfAnswers are the classes of jobs that could still be answered. Open jobs may have answers that say nothing.
func (q *jobWant) classesOfAnswers() string {
	switch {
	case q.answers.IsZero():
		return ""
	case q.phase == 0:
		return string(classOpen)
	}
	return string([]byte{classOpen, classProcessing, classPaymentRequired, classPartial, classError})
}

// judge holds a job to all that is asked, the cheap things first.
func (w *finder) judge(at *jobRow) (j job, ok bool, err error) {
	if !w.fits(at) {
		return j, false, nil
	}
	for _, list := range []struct {
		of  condition
		who nip90.PubKey
		key func(nip90.PubKey, int64, nip90.ID) []byte
	}{{ofProvider, w.want.provider, byProviderKey}, {ofCustomer, w.want.customer, byCustomerKey}} {
		if list.who.IsZero() || w.proven&list.of != 0 {
			continue
		}
		w.left -= costPoint
		if listed, err := has(w, list.key(list.who, at.at, at.root)); err != nil || !listed {
			return j, false, err
		}
	}
	if w.enough(at) {
		j.root, j.row = at.root, threadRow{flags: rowSeen, kind: at.kind, created: at.at, members: anyMembers}
		j.row.set(rowEncrypted, at.flags&listEncrypted != 0)
	} else if j, ok, err = w.current(at.root); err != nil || !ok || !w.row(&j.row) {
		return j, false, err
	}
	for _, test := range []func(*job) (bool, error){w.known, w.open, w.paid, w.mentions} {
		if ok, err = test(&j); err != nil || !ok {
			return j, false, err
		}
	}
	return j, true, nil
}

// fits judges by what the list says.
func (w *finder) fits(at *jobRow) bool {
	return (at.kind == 0 || w.want.ofKind(at.kind)) &&
		(!at.told || w.want.encrypted == nil || *w.want.encrypted == (at.flags&listEncrypted != 0))
}

func (q *jobWant) ofKind(kind int) bool {
	return (q.kind == 0 || q.kind == kind) && (q.kinds == nil || slices.Contains(q.kinds, kind)) &&
		(q.answers.IsZero() || slices.Contains(q.could, kind)) && !slices.Contains(q.without, kind)
}

// anyMembers stands for a number of members that was not looked up.
const anyMembers = -1

// enough says whether the list tells all that the thread's row would be asked.
func (w *finder) enough(at *jobRow) bool {
	q := &w.want
	if q.state != "" || q.payment != "" || !q.answers.IsZero() || at.at == 0 {
		return false
	}
	// Only the list of a provider has jobs whose request is not here, and those stand at time 0.
	ofKind := q.kind == 0 && q.kinds == nil && len(q.without) == 0 || at.kind != 0
	return ofKind && (at.told || q.encrypted == nil && !q.private && len(q.words) == 0)
}

// current is a thread's row, folded again in memory if its sums wait and it is not too long for that.
func (w *finder) current(root nip90.ID) (j job, ok bool, err error) {
	w.left -= costPoint
	j.root = root
	j.row, ok, err = readThread(w, root)
	if err != nil || !ok || !j.row.is(rowStale) || j.row.members > maxRefold {
		return j, ok, err
	}
	w.left -= int(j.row.members) * costPoint
	j.row, j.folded, ok, err = current(w, root)
	return j, ok, err
}

// row judges by the thread's row.
func (w *finder) row(row *threadRow) bool {
	q := &w.want
	if !row.is(rowSeen) || !q.ofKind(row.kind) || q.encrypted != nil && *q.encrypted != row.is(rowEncrypted) {
		return false
	}
	if !w.x.inState(row, q.state, w.now) {
		return false
	}
	switch q.payment {
	case "":
	case payNone.String():
		return row.askers == 0 && row.claims == 0 && row.refunders == 0
	case payRefunded.String():
		return row.refunders > 0
	case payClaimed.String(), payMismatch.String(), payUndelivered.String():
		return row.claims > 0 && row.refunders == 0
	default:
		return row.askers > 0 && row.claims == 0 && row.refunders == 0
	}
	return true
}

// paid judges by the sides, where the row cannot tell.
func (w *finder) paid(j *job) (bool, error) {
	want := w.want.payment
	if want == "" || want == payNone.String() || want == payRefunded.String() {
		return true, nil
	}
	w.left -= costScan
	top, err := w.x.paymentState(w, j.root, j.folded, w.now)
	return top.String() == want, err
}

// known says whether who asks may know of a job.
func (w *finder) known(j *job) (bool, error) {
	if !w.want.private || !j.row.is(rowEncrypted) {
		return true, nil
	}
	w.left -= costPoint
	f, ok, err := w.Fact(j.root)
	if err != nil || !ok {
		return false, err
	}
	if len(w.want.readers) == 0 {
		return false, nil
	}
	people, err := w.addressed(&f)
	if err != nil {
		return false, err
	}
	for _, k := range w.want.readers {
		if here, err := named(w, append(people, f.Author), k); here || err != nil {
			return here, err
		}
	}
	return false, nil
}

// open says whether want.answers could still answer a job: in phase 0 one that nobody has answered, in phase 1 the others.
func (w *finder) open(j *job) (bool, error) {
	q, row := &w.want, &j.row
	if q.answers.IsZero() {
		return true, nil
	}
	if (row.answers == 0) != (q.phase == 0) {
		return false, nil
	}
	if expired(row.expires, w.now) || row.cancelled() || row.results > 0 {
		return false, nil
	}
	w.left -= 2 * costPoint
	side, err := readSide(w, j.root, q.answers)
	if err != nil || side.answers > 0 {
		return false, err
	}
	f, ok, err := w.Fact(j.root)
	if err != nil || !ok {
		return false, err
	}
	if len(f.People) == 0 || f.Has(store.FactMorePeople) {
		return true, nil
	}
	return named(w, f.People, q.answers)
}
