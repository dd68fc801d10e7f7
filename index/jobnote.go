package index

import (
	"slices"

	"dvmrelay/nip90"
	"dvmrelay/store"
)

// maxNoted is how many providers of a job a JobNote names.
const maxNoted = 64

// JobNote is what a live search must know of a job.
type JobNote struct {
	Kind      int          // of the request
	Customer  nip90.PubKey // zero when it is not remembered
	Encrypted bool
	Addressed []nip90.PubKey // whom the request names; noted for encrypted jobs only
	Providers []nip90.PubKey // who answered, at most 64, and the author that was asked about if it did
}

// JobNote notes the job with this request; false while that is not here. It is as safe for concurrent use as its Reader.
func (x *Index) JobNote(r store.Reader, root nip90.ID, author nip90.PubKey) (n JobNote, ok bool, err error) {
	row, ok, err := readThread(r, root)
	if err != nil || !ok || !row.is(rowSeen) {
		return n, false, err
	}
	f, ok, err := r.Fact(root)
	if err != nil || !ok {
		return n, false, err
	}
	n.Kind, n.Encrypted = row.kind, row.is(rowEncrypted)
	if x.keepsCustomer(&f) {
		n.Customer = f.Author
	}
	if n.Encrypted {
		l := lens{Reader: r, x: x, now: x.now(0)}
		if n.Addressed, err = l.addressed(&f); err != nil {
			return n, false, err
		}
	}
	if row.answers == 0 {
		return n, true, nil
	}
	side, err := readSide(r, root, author)
	if err != nil {
		return n, false, err
	}
	if side.answers > 0 {
		n.Providers = append(n.Providers, author)
	}
	err = eachSide(r, root, nil, func(p nip90.PubKey, s *sideRow) bool {
		if s.answers > 0 && p != author {
			n.Providers = append(n.Providers, p)
		}
		return len(n.Providers) < maxNoted
	})
	return n, err == nil, err
}

// addressed are all whom a request names. A fact knows the first few.
func (l *lens) addressed(f *store.Fact) ([]nip90.PubKey, error) {
	people := make([]nip90.PubKey, len(f.People))
	for i, pk := range f.People {
		var err error
		if people[i], err = unveiled(l, pk); err != nil {
			return nil, err
		}
	}
	if !f.Has(store.FactMorePeople) {
		return people, nil
	}
	p, err := l.bodyOf(f.ID)
	if err != nil || p == nil {
		return people, err
	}
	if m, ok := p.Message.(*nip90.Request); ok {
		return slices.Concat(people, m.Providers), nil
	}
	return people, nil
}
