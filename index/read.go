package index

import (
	"fmt"
	"time"

	"dvmrelay/nip90"
	"dvmrelay/store"

	"github.com/nbd-wtf/go-nostr"
)

// maxEvents is how many events of a thread are shown at once.
const maxEvents = 1000

// maxProviders is how many providers of a thread are shown.
const maxProviders = 1000

// Root finds the thread of an event: its request's id, or while the request is not here, the id that the answers name.
// False when the event belongs to no thread known here.
func (x *Index) Root(r store.Reader, id nip90.ID) (nip90.ID, bool, error) {
	f, ok, err := r.Fact(id)
	if err != nil {
		return id, false, err
	}
	if !ok {
		row, known, err := readThread(r, id)
		return id, known && row.members > 0, err
	}
	if isRequest(&f) {
		return id, true, nil
	}
	roots, err := whereabouts(r, &f)
	if err != nil || len(roots) == 0 {
		return nip90.ID{}, false, err
	}
	return roots[0], true, nil
}

// ThreadIDs lists the events of the thread that id belongs to: the request, if it is here, then the rest, oldest first;
// at most limit (0 = all). The root is zero for an id that belongs to no thread known here.
func (x *Index) ThreadIDs(r store.Reader, id nip90.ID, limit int) ([]nip90.ID, nip90.ID, error) {
	root, ok, err := x.Root(r, id)
	if err != nil || !ok {
		return nil, nip90.ID{}, err
	}
	ids, err := threadIDs(r, root, limit)
	return ids, root, err
}

// threadIDs lists the events of the thread with this root, which may itself be an answer that belongs elsewhere.
func threadIDs(r store.Reader, root nip90.ID, limit int) ([]nip90.ID, error) {
	row, _, err := readThread(r, root)
	if err != nil {
		return nil, err
	}
	var ids []nip90.ID
	if row.is(rowSeen) {
		ids = append(ids, root)
		if limit == 1 {
			return ids, nil
		}
		if limit > 1 {
			limit--
		}
	}
	rest, err := members(r, root, limit)
	return append(ids, rest...), err
}

// parsed reads the meaning of a stored event again; nil when its body is gone, expired or damaged.
func parsed(r store.Reader, f *store.Fact, now int64) (*nip90.Parsed, error) {
	if !f.Has(store.FactBody) || expired(f.Expires, now) {
		return nil, nil
	}
	raw, ok, err := r.Event(f.ID)
	if err != nil || !ok {
		return nil, err
	}
	var evt nostr.Event
	// What is stored is whole: encoding/json would walk it three times.
	if err := evt.UnmarshalJSON(raw.JSON); err != nil {
		return nil, fmt.Errorf("read event %s: %w", f.ID, err)
	}
	body := append([]byte(nil), raw.JSON...)
	p, err := nip90.Open(&evt, body, nip90.DoorImport, time.Unix(f.Received, 0))
	if err != nil {
		return nil, fmt.Errorf("read event %s: %w", f.ID, err)
	}
	return p, nil
}

func expired(at, now int64) bool { return at != 0 && at <= now }

// current is a thread's row and its sides; a row that went stale is folded again, in memory.
func current(r store.Reader, root nip90.ID) (row threadRow, folded map[nip90.PubKey]*sideRow, ok bool, err error) {
	row, ok, err = readThread(r, root)
	if err != nil || !ok || !row.is(rowStale) {
		return row, nil, ok, err
	}
	var customer nip90.PubKey
	if row.is(rowSeen) {
		f, _, err := r.Fact(root)
		if err != nil {
			return row, nil, false, err
		}
		customer = f.Author
	}
	n, err := fold(r, root, row, customer)
	if err != nil {
		return row, nil, false, err
	}
	return n.row, n.sides, true, nil
}

// eachSide walks the sides of a thread until fn returns false.
func eachSide(r store.Reader, root nip90.ID, folded map[nip90.PubKey]*sideRow, fn func(nip90.PubKey, *sideRow) bool) error {
	if folded != nil {
		for p, s := range folded {
			if !fn(p, s) {
				break
			}
		}
		return nil
	}
	var fault error
	err := r.Scan(keyOf(keySide, root[:]), nil, func(key, value []byte) bool {
		s, err := decodeSide(value)
		if err != nil {
			fault = err
			return false
		}
		return fn(providerOfSide(key), &s)
	})
	if err == nil {
		err = fault
	}
	return err
}

// paymentState is the highest payment state of a thread's providers.
func (x *Index) paymentState(r store.Reader, root nip90.ID, folded map[nip90.PubKey]*sideRow, now int64) (payment, error) {
	top := payNone
	err := eachSide(r, root, folded, func(_ nip90.PubKey, s *sideRow) bool {
		top = max(top, s.payment(now, x.stalledAfter()))
		return top < payRefunded
	})
	return top, err
}
