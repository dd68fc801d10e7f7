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
}

// fold reads every member of a thread. row brings what is known of the request; customer is zero while it is not here.
func fold(r store.Reader, root nip90.ID, row threadRow, customer nip90.PubKey) (*folding, error) {
	n := &folding{row: row, sides: make(map[nip90.PubKey]*sideRow), payments: make(map[string]paymentRow)}
	n.row.sums, n.row.members, n.row.cancels, n.row.payments, n.row.silence, n.row.changes = sums{}, 0, 0, 0, 0, 0
	n.row.set(rowStale, false)
	var fault error
	err := r.Scan(keyOf(keyMember, root[:]), nil, func(key, _ []byte) bool {
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
	for _, s := range n.sides {
		n.row.move(sums{}, s.share())
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
		n.side(f.Author).add(f)
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
	d, ok := flow(f, customer)
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
	_, err = w.rewrite(keyOf(keyPayment, o.root[:]), want)
	return err
}

func (w *work) rewriteSides(o *openThread, sides map[nip90.PubKey]*sideRow) error {
	want := make(map[string][]byte, len(sides))
	for p, s := range sides {
		want[string(sideKey(o.root, p))] = s.encode()
	}
	gone, err := w.rewrite(keyOf(keySide, o.root[:]), want)
	if err != nil {
		return err
	}
	for _, key := range gone {
		if err := w.dropProvider(o, providerOfSide(key)); err != nil {
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

// rewrite makes the rows under a prefix those that are wanted, and returns the keys that had to go.
func (w *work) rewrite(prefix []byte, want map[string][]byte) (gone [][]byte, err error) {
	err = w.t.Scan(prefix, nil, func(key, value []byte) bool {
		v, ok := want[string(key)]
		if !ok {
			gone = append(gone, bytes.Clone(key))
		} else if bytes.Equal(v, value) {
			delete(want, string(key))
		}
		return true
	})
	if err != nil {
		return nil, err
	}
	for _, key := range gone {
		w.t.Delete(key)
	}
	for key, value := range want {
		w.t.Set([]byte(key), value)
	}
	return gone, nil
}
