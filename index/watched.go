package index

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"sync"
	"time"

	"dvmrelay/nip90"
	"dvmrelay/store"
)

const (
	// watchedTime is how long an answer of a Watched is good.
	watchedTime = 30 * time.Second
	// watchedShare is the part of its time that a Watched looks at most: what took long is good for longer.
	watchedShare = 50
	// maxJobsWatched bounds the jobs that are looked at for their customers.
	maxJobsWatched = 50_000
)

// Watched names the keys whose profiles, payments and withdrawals are of interest. An answer may be half a minute old, or
// older when it was dear. Safe for concurrent use; one caller at a time looks, while the others wait.
type Watched struct {
	x    *Index
	view func(func(store.Reader) error) error

	providers, customers lookout
}

// lookout is what was last found.
type lookout struct {
	mu    sync.Mutex // guards below; it is held while the store is read, so that many who ask cost no more than one
	keys  []nip90.PubKey
	limit int
	back  int64 // how far back it looked, in seconds
	until time.Time
}

// NewWatched looks through view, which gives a view of the store that ends with fn.
func NewWatched(x *Index, view func(fn func(store.Reader) error) error) *Watched {
	return &Watched{x: x, view: view}
}

// Providers are as Index.Providers says.
func (w *Watched) Providers(since int64, limit int) ([]nip90.PubKey, error) {
	return w.look(&w.providers, since, limit, w.x.Providers)
}

// Customers are as Index.Customers says.
func (w *Watched) Customers(since int64, limit int) ([]nip90.PubKey, error) {
	return w.look(&w.customers, since, limit, w.x.Customers)
}

// look asks again if the last answer is too old, or answers something else.
func (w *Watched) look(o *lookout, since int64, limit int, find func(store.Reader, int64, int) ([]nip90.PubKey, error)) ([]nip90.PubKey, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	began := time.Now()
	back := w.x.now(0) - since
	if began.Before(o.until) && o.limit == limit && max(o.back-back, back-o.back) <= 60 {
		return slices.Clone(o.keys), nil
	}
	var keys []nip90.PubKey
	err := w.view(func(r store.Reader) (err error) {
		keys, err = find(r, since, limit)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("find who is watched: %w", err)
	}
	o.keys, o.limit, o.back = keys, limit, back
	o.until = began.Add(max(watchedTime, watchedShare*time.Since(began)))
	return slices.Clone(keys), nil
}

// active is when a provider was last seen.
type active struct {
	pk       nip90.PubKey
	answered bool // since then
	at       int64
}

// before says that a is to be watched before b.
func (a *active) before(b *active) int {
	if a.answered != b.answered {
		if a.answered {
			return -1
		}
		return 1
	}
	return cmp.Or(cmp.Compare(b.at, a.at), bytes.Compare(a.pk[:], b.pk[:]))
}

// Providers lists known providers that answered a job, announced a handler or beat since then, unix seconds: those that
// answered first, each group the most recent first; at most limit. Announcements cost nothing, so that many keys that only
// announce shall not stand before those that work.
func (x *Index) Providers(r store.Reader, since int64, limit int) ([]nip90.PubKey, error) {
	signs, err := lastSigns(r)
	if err != nil {
		return nil, err
	}
	var all []nip90.PubKey
	err = r.Scan([]byte{keyProvider}, nil, func(key, _ []byte) bool {
		if len(key) == 1+idLen {
			all = append(all, nip90.PubKey(key[1:]))
		}
		return true
	})
	if err != nil {
		return nil, err
	}
	var list []active
	for _, pk := range all {
		at, err := lastAnswer(r, pk)
		if err != nil {
			return nil, err
		}
		a := active{pk: pk, answered: at >= since, at: max(at, signs[pk])}
		if a.at >= since {
			list = append(list, a)
		}
	}
	slices.SortFunc(list, func(a, b active) int { return a.before(&b) })
	out := make([]nip90.PubKey, 0, min(len(list), max(limit, 0)))
	for _, a := range list[:cap(out)] {
		out = append(out, a.pk)
	}
	return out, nil
}

// lastSigns is when each key last announced or beat.
func lastSigns(r store.Reader) (map[nip90.PubKey]int64, error) {
	signs := make(map[nip90.PubKey]int64)
	for _, table := range [...]byte{keyHandler, keyBeat} {
		var fault error
		err := r.Scan([]byte{table}, nil, func(key, value []byte) bool {
			if len(key) < 1+idLen {
				return true
			}
			row, err := decodeSign(value)
			if err != nil {
				fault = err
				return false
			}
			pk := nip90.PubKey(key[1 : 1+idLen])
			signs[pk] = max(signs[pk], row.created)
			return true
		})
		if err == nil {
			err = fault
		}
		if err != nil {
			return nil, err
		}
	}
	return signs, nil
}

// orphansExamined is how many of a provider's answers to unseen requests tell when it last answered.
const orphansExamined = 16

// lastAnswer is when the newest job was asked that a key answered.
func lastAnswer(r store.Reader, pk nip90.PubKey) (at int64, err error) {
	var roots []nip90.ID
	err = r.Scan(keyOf(keyByProvider, pk[:]), nil, func(key, _ []byte) bool {
		created, root, ok := splitTimed(key)
		if ok && created > 0 {
			at = created
			return false
		}
		roots = append(roots, root)
		return len(roots) < orphansExamined
	})
	if err != nil {
		return at, err
	}
	for _, root := range roots {
		side, err := readSide(r, root, pk)
		if err != nil {
			return at, err
		}
		at = max(at, side.last)
	}
	return at, nil
}

// Customers lists keys that asked for a job since then, unix seconds, the most recent first; at most limit, and among the
// last 50,000 jobs. There are none when customers are not to be remembered.
func (x *Index) Customers(r store.Reader, since int64, limit int) (out []nip90.PubKey, err error) {
	if !x.o.KeepCustomer {
		return nil, nil
	}
	seen := make(map[nip90.PubKey]bool)
	examined := 0
	var fault error
	err = r.Scan([]byte{keyJob}, nil, func(key, _ []byte) bool {
		asked, root, ok := splitTimed(key)
		if examined++; !ok || asked < since || len(out) >= limit || examined > maxJobsWatched {
			return false
		}
		f, ok, err := r.Fact(root)
		if err != nil {
			fault = err
			return false
		}
		if ok && !f.Author.IsZero() && !seen[f.Author] {
			seen[f.Author] = true
			out = append(out, f.Author)
		}
		return true
	})
	if err == nil {
		err = fault
	}
	return out, err
}
