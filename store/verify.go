package store

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"dvmrelay/nip90"
)

// maxFindings is how many faults Verify names.
const maxFindings = 20

// Verified says what Verify looked at.
type Verified struct {
	Events  int64 // bodies
	Facts   int64
	Keys    int64 // of the indexes of bodies
	Waiting int64 // events kept until what they are about arrives
}

// Verify holds a view of the store to its invariants: each body has its fact and all its index keys, each index key has
// its body, each fact says rightly whether there is a body, and no event waits that was counted. It reads everything and names up to 20 faults. What it takes
// of memory does not grow with the store, but for the ids of what waits, which is bounded.
func Verify(r Reader) error {
	_, err := Inspect(r)
	return err
}

// Inspect is Verify, and says what it has looked at.
func Inspect(r Reader) (Verified, error) {
	v := &verifier{r: r, due: make(map[byte]int64)}
	for _, step := range []func() error{v.bodies, v.indexes, v.factRows, v.graves, v.waiting} {
		if err := step(); err != nil {
			return v.seen, errors.Join(errors.Join(v.faults...), err)
		}
		if len(v.faults) >= maxFindings {
			break
		}
	}
	return v.seen, errors.Join(v.faults...)
}

type verifier struct {
	r      Reader
	due    map[byte]int64 // how many index keys the bodies ask for, by table
	seen   Verified
	faults []error
}

func (v *verifier) fault(format string, args ...any) bool {
	v.faults = append(v.faults, fmt.Errorf(format, args...))
	return len(v.faults) < maxFindings
}

func (v *verifier) bodies() error {
	var inner error
	err := v.r.Scan([]byte{tabEvent}, nil, func(key, value []byte) bool {
		v.seen.Events++
		p, kind, ok := decodeEventKey(key)
		if !ok {
			return v.fault("event key %x: bad length", key)
		}
		var b body
		if err := decodeBody(&p, kind, value, &b); err != nil {
			return v.fault("%w", err)
		}
		f, ok, err := v.r.Fact(b.ID)
		switch {
		case errors.Is(err, errFact):
			return v.fault("%w", err)
		case err != nil:
			inner = err
			return false
		case !ok || !f.Has(FactBody) || f.Author != b.PubKey || f.Kind != b.Kind || f.CreatedAt != b.CreatedAt || f.Expires != b.Expires:
			return v.fault("event %s: body and fact %+v do not agree", b.ID, f)
		}
		if inner = v.keysOf(&b, p); inner != nil {
			return false
		}
		return len(v.faults) < maxFindings
	})
	return errors.Join(inner, err)
}

// keysOf looks for every index key of a body.
func (v *verifier) keysOf(b *body, p place) error {
	if d, addressed := addressOf(b.Kind, b.tags); addressed {
		head, err := v.r.Value(replaceKey(uint16(b.Kind), b.PubKey, d))
		if err != nil {
			return err
		}
		if v.due[tabReplace]++; !bytes.Equal(head, p[:]) {
			v.fault("event %s: its address names %x", b.ID, head)
		}
	}
	for _, key := range ownKeys(b) {
		v.due[key[0]]++
		row, err := v.r.Value(key)
		if err != nil {
			return err
		}
		if row == nil && !v.fault("event %s: key %x: missing", b.ID, key) {
			break
		}
	}
	return nil
}

// ownKeys are the different index keys of a body, all but that of its address.
func ownKeys(b *body) (keys [][]byte) {
	indexKeys(b, func(key []byte) { keys = append(keys, bytes.Clone(key)) })
	if b.Expires != 0 {
		keys = append(keys, expiryKey(b.Expires, b.ID))
	}
	slices.SortFunc(keys, bytes.Compare)
	return slices.CompactFunc(keys, bytes.Equal)
}

// indexes counts the keys of each table. Every key that a body asks for was found, so when a table has no more than those
// it has no others.
func (v *verifier) indexes() error {
	for _, table := range []byte{tabAuthor, tabKind, tabP, tabTag, tabExpiry, tabReplace} {
		n := int64(0)
		err := v.r.Scan([]byte{table}, nil, func([]byte, []byte) bool {
			n++
			return true
		})
		if err != nil {
			return err
		}
		v.seen.Keys += n
		if n > v.due[table] {
			if err := v.dangling(table, n-v.due[table]); err != nil {
				return err
			}
		}
	}
	return nil
}

// dangling names the keys of a table that no body asks for; so many are known to be there.
func (v *verifier) dangling(table byte, n int64) error {
	named := len(v.faults)
	var inner error
	err := v.r.Scan([]byte{table}, nil, func(key, value []byte) bool {
		asked, err := v.asked(key, value)
		if err != nil {
			inner = err
			return false
		}
		return asked || v.fault("key %x: no event has it", key)
	})
	if inner == nil && err == nil && len(v.faults) == named {
		v.fault("table %c: %d keys more than its events ask for", table, n)
	}
	return errors.Join(inner, err)
}

// asked says whether a body asks for an index key.
func (v *verifier) asked(key, value []byte) (bool, error) {
	id, ok := idOf(key, value)
	if !ok {
		return false, nil
	}
	f, ok, err := v.r.Fact(id)
	if errors.Is(err, errFact) || err == nil && (!ok || !f.Has(FactBody)) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	b, ok, err := readBody(v.r, &f)
	if err != nil || !ok {
		return false, err
	}
	if key[0] == tabReplace {
		d, addressed := addressOf(b.Kind, b.tags)
		return addressed && bytes.Equal(key, replaceKey(uint16(b.Kind), b.PubKey, d)), nil
	}
	return slices.ContainsFunc(ownKeys(&b), func(own []byte) bool { return bytes.Equal(own, key) }), nil
}

// idOf is the event that an index key stands for.
func idOf(key, value []byte) (id nip90.ID, ok bool) {
	at := len(key) - idLen
	switch key[0] {
	case tabTag:
		at -= kindLen
	case tabReplace:
		key, at = value, timeLen
		if len(value) != placeLen {
			return id, false
		}
	}
	if at < 1 {
		return id, false
	}
	copy(id[:], key[at:])
	return id, true
}

func (v *verifier) factRows() error {
	var inner error
	err := v.r.Scan([]byte{tabFact}, nil, func(key, value []byte) bool {
		v.seen.Facts++
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

// waiting looks for events that wait though they were counted, and for rows that cannot be read.
func (v *verifier) waiting() error {
	var inner error
	seen := make(map[nip90.ID]struct{})
	err := v.r.Scan([]byte{tabHeld}, nil, func(key, value []byte) bool {
		v.seen.Waiting++
		h, err := decodeHeld(key, value)
		if err == nil {
			_, err = h.open()
		}
		if err != nil {
			return v.fault("%w", err)
		}
		if _, twice := seen[h.id]; twice && !v.fault("event %s: waits twice", h.id) {
			return false
		}
		seen[h.id] = struct{}{}
		_, counted, err := v.r.Fact(h.id)
		if err == nil && counted {
			return v.fault("event %s: waits, and has a fact", h.id)
		}
		if !errors.Is(err, errFact) {
			inner = err
		}
		return inner == nil
	})
	return errors.Join(inner, err)
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
