package store

import (
	"bytes"
	"errors"
	"fmt"

	"dvmrelay/nip90"

	"github.com/dgraph-io/badger/v4"
)

// view reads Badger at one version.
type view struct {
	txn     *badger.Txn
	version uint64
	lasting map[string][]byte // what Lasting found
}

var _ Reader = (*view)(nil)

// Version implements Reader.
func (v *view) Version() uint64 { return v.version }

// Value implements Reader.
func (v *view) Value(key []byte) ([]byte, error) {
	item, err := v.txn.Get(key)
	if errors.Is(err, badger.ErrKeyNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read key %x: %w", key, err)
	}
	value, err := itemValue(item)
	if err != nil {
		return nil, fmt.Errorf("read key %x: %w", key, err)
	}
	if value == nil {
		value = []byte{}
	}
	return value, nil
}

// maxLasting bounds what a view remembers.
const maxLasting = 1024

// Lasting implements Reader.
func (v *view) Lasting(key []byte) ([]byte, error) {
	if value, ok := v.lasting[string(key)]; ok {
		return value, nil
	}
	value, err := v.Value(key)
	if err != nil || len(v.lasting) >= maxLasting {
		return value, err
	}
	if v.lasting == nil {
		v.lasting = make(map[string][]byte)
	}
	v.lasting[string(key)] = value
	return value, nil
}

// itemValue returns the value of an item without copying it out of the LSM tree, where every value of ours lives.
func itemValue(item *badger.Item) (value []byte, err error) {
	err = item.Value(func(b []byte) error {
		value = b
		return nil
	})
	return value, err
}

// keysOnly is how every iterator of ours is opened: Badger's prefetching starts a goroutine for each value, and values
// of the LSM tree are at hand anyway.
func keysOnly(prefix []byte) badger.IteratorOptions {
	return badger.IteratorOptions{Prefix: prefix}
}

// Scan implements Reader.
func (v *view) Scan(prefix, start []byte, fn func(key, value []byte) bool) error {
	if start == nil {
		start = prefix
	}
	if !bytes.HasPrefix(start, prefix) {
		return fmt.Errorf("scan %x: start %x is outside the prefix", prefix, start)
	}
	it := v.txn.NewIterator(keysOnly(prefix))
	defer it.Close()
	for it.Seek(start); it.Valid(); it.Next() {
		item := it.Item()
		value, err := itemValue(item)
		if err != nil {
			return fmt.Errorf("read key %x: %w", item.Key(), err)
		}
		if !fn(item.Key(), value) {
			return nil
		}
	}
	return nil
}

// Fact implements Reader.
func (v *view) Fact(id nip90.ID) (Fact, bool, error) { return readFact(v, id) }

// Event implements Reader.
func (v *view) Event(id nip90.ID) (Raw, bool, error) { return readEvent(v, id) }

func readFact(r Reader, id nip90.ID) (Fact, bool, error) {
	value, err := r.Value(factKey(id))
	if err != nil || value == nil {
		return Fact{}, false, err
	}
	f, err := decodeFact(id, value)
	return f, err == nil, err
}

func readEvent(r Reader, id nip90.ID) (Raw, bool, error) {
	f, ok, err := r.Fact(id)
	if err != nil || !ok || !f.Has(FactBody) {
		return Raw{}, false, err
	}
	b, ok, err := readBody(r, &f)
	return b.Raw, ok, err
}

func readBody(r Reader, f *Fact) (b body, ok bool, err error) {
	p := placeOf(f.CreatedAt, f.ID)
	value, err := r.Value(eventKey(nil, &p, uint16(f.Kind)))
	if err != nil || value == nil {
		return b, false, err
	}
	err = decodeBody(&p, uint16(f.Kind), value, &b)
	return b, err == nil, err
}

// ScanFacts calls fn with every fact from start on in the order of their ids, until fn returns false.
func ScanFacts(r Reader, start nip90.ID, fn func(Fact) bool) error {
	var fault error
	err := r.Scan([]byte{tabFact}, factKey(start), func(key, value []byte) bool {
		var id nip90.ID
		copy(id[:], key[1:])
		f, err := decodeFact(id, value)
		if err != nil {
			fault = err
			return false
		}
		return fn(f)
	})
	return errors.Join(fault, err)
}
