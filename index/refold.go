package index

import (
	"bytes"
	"fmt"

	"dvmrelay/nip90"
	"dvmrelay/store"
)

// folding is a thread folded from its members' facts.
type folding struct {
	row      threadRow
	sides    map[nip90.PubKey]*sideRow
	payments map[string]paymentRow
	veil
}

// fold reads every member of a thread. row brings what is known of the request; customer is zero while it is not here.
func fold(r store.Reader, root nip90.ID, row threadRow, customer nip90.PubKey) (*folding, error) {
	v, err := newVeil(r)
	if err != nil {
		return nil, err
	}
	n := &folding{row: row, sides: make(map[nip90.PubKey]*sideRow), payments: make(map[string]paymentRow), veil: v}
	n.row.sums, n.row.members, n.row.cancels, n.row.payments, n.row.silence, n.row.changes = sums{}, 0, 0, 0, 0, 0
	n.row.firstFeedback, n.row.firstResult, n.row.firstBy = 0, 0, nip90.PubKey{}
	n.row.set(rowStale, false)
	var fault error
	err = r.Scan(keyOf(keyMember, root[:]), nil, func(key, _ []byte) bool {
		id, _ := lastID(key)
		f, ok, err := r.Fact(id)
		if err == nil && !ok {
			err = fmt.Errorf("member %s of thread %s has no fact: %w", id, root, errRow)
		}
		if err == nil {
			err = n.add(root, &f, customer)
		}
		fault = err
		return err == nil
	})
	if err == nil {
		err = fault
	}
	if err != nil {
		return nil, err
	}
	unveil(n.veil, n.sides)
	for p, s := range n.sides {
		n.row.move(sums{}, s.share())
		n.row.begin(p, s)
	}
	return n, nil
}

func (n *folding) side(p nip90.PubKey) *sideRow {
	s := n.sides[p]
	if s == nil {
		s = &sideRow{}
		n.sides[p] = s
	}
	return s
}

func (n *folding) add(root nip90.ID, f *store.Fact, customer nip90.PubKey) error {
	n.row.members++
	switch {
	case f.Role == nip90.RoleCancel:
		n.row.cancels++
		return nil
	case isAnswer(f):
		n.side(n.answers(f.Author)).add(f)
	case isPayment(f):
		n.row.payments++
		n.pay(root, f, customer)
	default:
		return nil
	}
	// Members come oldest first.
	n.row.silence = f.CreatedAt
	return nil
}

func (n *folding) pay(root nip90.ID, f *store.Fact, customer nip90.PubKey) {
	d, ok := flow(n.blinder, f, customer)
	if !ok {
		return
	}
	key := string(paymentKey(root, d, fingerprint(f)))
	var had *paymentRow
	if p, ok := n.payments[key]; ok {
		had = &p
	}
	if n.side(d.provider).pay(f, d, had) {
		n.payments[key] = paymentRow{f.ID, amount(f.Msat)}
	}
}

// refold folds a thread from its members and writes what differs.
func (w *work) refold(o *openThread) error {
	customer, err := w.customer(o)
	if err != nil {
		return err
	}
	n, err := fold(w.t, o.root, o.threadRow, customer)
	if err != nil {
		return err
	}
	o.threadRow = n.row
	if err := w.rewriteSides(o, n.sides); err != nil {
		return err
	}
	want := make(map[string][]byte, len(n.payments))
	for key, p := range n.payments {
		want[key] = p.encode()
	}
	return w.rewrite(keyOf(keyPayment, o.root[:]), want)
}

func (w *work) rewriteSides(o *openThread, sides map[nip90.PubKey]*sideRow) error {
	before := make(map[nip90.PubKey]*sideRow)
	if err := eachSide(w.t, o.root, nil, func(p nip90.PubKey, s *sideRow) bool {
		before[p] = s
		return true
	}); err != nil {
		return err
	}
	for p, was := range before {
		if sides[p] != nil {
			continue
		}
		w.t.Delete(sideKey(o.root, p))
		if err := w.dropProvider(o, p); err != nil {
			return err
		}
		if err := w.sideMoved(o, p, was, &sideRow{}); err != nil {
			return err
		}
	}
	for p, s := range sides {
		was := before[p]
		if was == nil {
			was = &sideRow{}
		}
		if *was == *s {
			continue
		}
		w.t.Set(sideKey(o.root, p), s.encode())
		if err := w.sideMoved(o, p, was, s); err != nil {
			return err
		}
	}
	for p, s := range sides {
		listed, err := has(w.t, byProviderKey(p, o.created, o.root))
		if err != nil {
			return err
		}
		switch {
		case s.answers > 0 && !listed:
			err = w.addProvider(o, p)
		case s.answers == 0 && listed:
			err = w.dropProvider(o, p)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func providerOfSide(key []byte) nip90.PubKey { return nip90.PubKey(key[1+idLen:]) }

// rewrite makes the rows under a prefix those that are wanted.
func (w *work) rewrite(prefix []byte, want map[string][]byte) error {
	var gone [][]byte
	err := w.t.Scan(prefix, nil, func(key, value []byte) bool {
		v, ok := want[string(key)]
		if !ok {
			gone = append(gone, bytes.Clone(key))
		} else if bytes.Equal(v, value) {
			delete(want, string(key))
		}
		return true
	})
	if err != nil {
		return err
	}
	for _, key := range gone {
		w.t.Delete(key)
	}
	for key, value := range want {
		w.t.Set([]byte(key), value)
	}
	return nil
}
