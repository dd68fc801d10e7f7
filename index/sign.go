package index

import (
	"bytes"

	"dvmrelay/nip90"
	"dvmrelay/store"
)

// isBeat says whether a kind is a sign of life. A ping (7007) asks for one and is none.
func isBeat(kind int) bool {
	return kind == 11998 || kind == 11999 || kind >= 11316 && kind <= 11320
}

// handlerFact: who once announced a handler is a provider, as long as the fact is kept.
func (w *work) handlerFact(f *store.Fact) error {
	if err := w.ensure(handlerFactKey(f.Author, f.ID)); err != nil {
		return err
	}
	return w.ensureProvider(f.Author)
}

// handler points the address at its newest stored version.
func (w *work) handler(f *store.Fact, m *nip90.Handler) error {
	if !f.Has(store.FactBody) {
		return nil
	}
	return w.sign(handlerKey(f.Author, m.D), signRow{id: f.ID, created: f.CreatedAt, kinds: m.Kinds})
}

// beat remembers the newest sign of life of each service of a key. The heartbeat's kind is replaceable though its
// services are told apart by d, so this is noted before the store replaces one service's by another's.
func (w *work) beat(f *store.Fact, m *nip90.Heartbeat) error {
	if !isBeat(f.Kind) {
		return nil
	}
	return w.sign(beatKey(f.Author, m.D), signRow{id: f.ID, created: f.CreatedAt})
}

func (w *work) sign(key []byte, row signRow) error {
	b, err := w.t.Value(key)
	if err != nil {
		return err
	}
	if b != nil {
		old, err := decodeSign(b)
		if err != nil {
			return err
		}
		if !old.newer(row.created, row.id) {
			return nil
		}
	}
	w.t.Set(key, row.encode())
	return nil
}

// signGone: a replaced version was pointed away from, or will be in the same transaction, by the one that replaced it.
// A heartbeat stays noted after it expired, but not when its author takes it back.
func (w *work) signGone(f *store.Fact, why store.Loss) error {
	table := byte(keyHandler)
	if isBeat(f.Kind) {
		table = keyBeat
		if why != store.LossDeleted && why != store.LossErased {
			return nil
		}
	} else if why == store.LossReplaced {
		return nil
	}
	var gone []byte
	var fault error
	err := w.t.Scan(keyOf(table, f.Author[:]), nil, func(key, value []byte) bool {
		row, err := decodeSign(value)
		if err != nil {
			fault = err
			return false
		}
		if row.id == f.ID {
			gone = bytes.Clone(key)
		}
		return gone == nil
	})
	if err == nil {
		err = fault
	}
	if err == nil && gone != nil {
		w.t.Delete(gone)
	}
	return err
}
