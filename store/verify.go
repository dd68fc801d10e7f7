package store

import (
	"bytes"
	"errors"
	"fmt"

	"dvmrelay/nip90"
)

// maxFindings is how many faults Verify names.
const maxFindings = 20

// Verify holds a view of the store to its invariants: each body has its fact and all its index keys, each index key has
// its body, each fact says rightly whether there is a body. It reads everything and names up to 20 faults.
func Verify(r Reader) error {
	v := &verifier{r: r, keys: make(map[string]struct{})}
	steps := []func() error{v.bodies, v.indexes, v.factRows, v.graves}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return errors.Join(v.faults...)
}

type verifier struct {
	r      Reader
	keys   map[string]struct{} // index keys that ought to be there
	faults []error
}

func (v *verifier) fault(format string, args ...any) bool {
	v.faults = append(v.faults, fmt.Errorf(format, args...))
	return len(v.faults) < maxFindings
}

func (v *verifier) bodies() error {
	var inner error
	err := v.r.Scan([]byte{tabEvent}, nil, func(key, value []byte) bool {
		p, kind, ok := decodeEventKey(key)
		if !ok {
			return v.fault("event key %x: bad length", key)
		}
		var b body
		if err := decodeBody(&p, kind, value, &b); err != nil {
			return v.fault("%w", err)
		}
		f, ok, err := v.r.Fact(b.ID)
		if err != nil {
			inner = err
			return false
		}
		if !ok || !f.Has(FactBody) || f.Author != b.PubKey || f.Kind != b.Kind || f.CreatedAt != b.CreatedAt || f.Expires != b.Expires {
			return v.fault("event %s: body and fact %+v do not agree", b.ID, f)
		}
		indexKeys(&b, func(key []byte) { v.keys[string(key)] = struct{}{} })
		if b.Expires != 0 {
			v.keys[string(expiryKey(b.Expires, b.ID))] = struct{}{}
		}
		if d, addressed := addressOf(b.Kind, b.tags); addressed {
			head := replaceKey(kind, b.PubKey, d)
			if _, twice := v.keys[string(head)]; twice {
				return v.fault("event %s: its address has two bodies", b.ID)
			}
			v.keys[string(head)] = struct{}{}
		}
		return true
	})
	return errors.Join(inner, err)
}

func (v *verifier) indexes() error {
	for _, table := range []byte{tabAuthor, tabKind, tabP, tabTag, tabExpiry, tabReplace} {
		err := v.r.Scan([]byte{table}, nil, func(key, _ []byte) bool {
			if _, ok := v.keys[string(key)]; !ok {
				return v.fault("key %x: no event has it", key)
			}
			delete(v.keys, string(key))
			return true
		})
		if err != nil {
			return err
		}
	}
	for key := range v.keys {
		if !v.fault("key %x: missing", key) {
			break
		}
	}
	return nil
}

func (v *verifier) factRows() error {
	var inner error
	err := v.r.Scan([]byte{tabFact}, nil, func(key, value []byte) bool {
		if len(value) > MaxFactBytes || len(key) != 1+idLen {
			return v.fault("fact key %x: %d bytes", key, len(value))
		}
		f, err := decodeFact(nip90.ID(key[1:]), value)
		if err != nil {
			return v.fault("%w", err)
		}
		p := placeOf(f.CreatedAt, f.ID)
		bodyRow, err := v.r.Value(eventKey(nil, &p, uint16(f.Kind)))
		if err == nil && f.Has(FactBody) != (bodyRow != nil) {
			return v.fault("fact %s: flags %b, body there %t", f.ID, f.Flags, bodyRow != nil)
		}
		grave, err2 := v.r.Value(graveKey(f.Author, p))
		if err2 == nil && f.Has(FactBody) == (grave != nil) {
			return v.fault("fact %s: flags %b, grave there %t", f.ID, f.Flags, grave != nil)
		}
		inner = errors.Join(err, err2)
		return inner == nil
	})
	return errors.Join(inner, err)
}

func (v *verifier) graves() error {
	return v.r.Scan([]byte{tabGrave}, nil, func(key, _ []byte) bool {
		if len(key) != 1+32+placeLen {
			return v.fault("grave key %x: bad length", key)
		}
		p := place(key[33:])
		f, ok, err := v.r.Fact(p.id())
		if err != nil || !ok || !bytes.Equal(f.Author[:], key[1:33]) || f.CreatedAt != p.time() {
			return v.fault("grave %x: fact %+v, %v", key, f, err)
		}
		return true
	})
}

// KeyCounts counts the keys of the store by table, for a look at what an event costs.
func KeyCounts(r Reader) (map[byte]int, error) {
	counts := make(map[byte]int)
	err := r.Scan(nil, nil, func(key, _ []byte) bool {
		counts[key[0]]++
		return true
	})
	return counts, err
}
