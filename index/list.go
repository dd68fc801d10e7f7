package index

import (
	"bytes"
	"fmt"
	"slices"

	"dvmrelay/nip90"
	"dvmrelay/store"
)

// Threads lists jobs, newest first. Jobs whose request is not here are not listed.
func (x *Index) Threads(r store.Reader, q ThreadQuery) (ThreadPage, error) {
	page := ThreadPage{Items: []Thread{}}
	if q.State != "" && !slices.Contains(States(), q.State) {
		return page, fmt.Errorf("state %q: %w", q.State, ErrQuery)
	}
	if q.Payment != "" && !slices.Contains(Payments(), q.Payment) {
		return page, fmt.Errorf("payment %q: %w", q.Payment, ErrQuery)
	}
	at := cursor{now: x.now(q.Now)}
	if q.Cursor != "" {
		var err error
		if at, err = parseCursor(q.Cursor); err != nil {
			return page, err
		}
		if len(at.key) != 0 && len(at.key) != timeLen+idLen {
			return page, ErrCursor
		}
	}
	l := lister{q: q, finder: finder{
		lens: lens{Reader: r, x: x, now: at.now},
		left: maxWork,
		want: jobWant{
			state: q.State, payment: q.Payment, kind: q.Kind, provider: q.Provider, customer: q.Customer, encrypted: q.Encrypted,
			words: Words(q.Text), answers: q.For,
		},
	}}
	return page, l.fill(&page, at)
}

// lister fills a page with jobs.
type lister struct {
	finder
	q ThreadQuery
}

// fill walks the jobs; for q.For twice: first what nobody has answered, then what others have.
func (l *lister) fill(page *ThreadPage, at cursor) error {
	phases := byte(1)
	if !l.q.For.IsZero() {
		phases = 2
		hs, err := l.handlersOf(l.q.For)
		if err != nil {
			return err
		}
		for _, h := range hs {
			l.want.could = append(l.want.could, h.Kinds...)
		}
		slices.Sort(l.want.could)
		l.want.could = slices.Compact(l.want.could)
		if len(l.want.could) == 0 {
			return nil
		}
	}
	for at.phase < phases {
		more, err := l.turn(page, &at)
		if err != nil {
			return err
		}
		if more {
			page.Next = at.String()
			return nil
		}
		at = cursor{now: at.now, phase: at.phase + 1}
	}
	return nil
}

// turn goes on with a phase from where at stands, and says whether there may be more; at moves along.
func (l *lister) turn(page *ThreadPage, at *cursor) (more bool, err error) {
	l.want.phase = at.phase
	of := span{since: l.q.Since, until: l.q.Until}
	if len(at.key) > 0 {
		of.after = at.key
	}
	at.key, more, err = l.walk(of, func(j *job) (bool, error) {
		if len(page.Items) == pageSize(l.q.Limit) {
			return false, nil
		}
		t, ok, err := l.thread(j.root)
		if ok && err == nil {
			page.Items = append(page.Items, t)
		}
		return true, err
	})
	return more, err
}

// Providers lists keys that answered a job asked since activeSince (unix seconds), or have announced a handler or beaten
// since, most recent first; at most limit.
func (x *Index) Providers(r store.Reader, activeSince int64, limit int) ([]nip90.PubKey, error) {
	var all []nip90.PubKey
	err := r.Scan([]byte{keyProvider}, nil, func(key, _ []byte) bool {
		all = append(all, nip90.PubKey(key[1:]))
		return true
	})
	if err != nil {
		return nil, err
	}
	type active struct {
		pk nip90.PubKey
		at int64
	}
	var list []active
	for _, pk := range all {
		at, err := lastActive(r, pk)
		if err != nil {
			return nil, err
		}
		if at >= activeSince {
			list = append(list, active{pk, at})
		}
	}
	slices.SortFunc(list, func(a, b active) int {
		if a.at != b.at {
			if a.at > b.at {
				return -1
			}
			return 1
		}
		return bytes.Compare(a.pk[:], b.pk[:])
	})
	out := make([]nip90.PubKey, 0, min(len(list), limit))
	for _, a := range list[:min(len(list), limit)] {
		out = append(out, a.pk)
	}
	return out, nil
}

// Customers lists keys that asked for a job since askedSince (unix seconds) and may be remembered, most recent first; at
// most limit.
func (x *Index) Customers(r store.Reader, askedSince int64, limit int) ([]nip90.PubKey, error) {
	seen := make(map[nip90.PubKey]struct{})
	var out []nip90.PubKey
	var fault error
	err := r.Scan([]byte{keyJob}, nil, func(key, _ []byte) bool {
		asked, root, ok := splitTimed(key)
		if !ok || asked < askedSince || len(out) >= limit {
			return false
		}
		f, ok, err := r.Fact(root)
		if err != nil || !ok || !x.keepsCustomer(&f) {
			fault = err
			return err == nil
		}
		if _, again := seen[f.Author]; !again {
			seen[f.Author] = struct{}{}
			out = append(out, f.Author)
		}
		return true
	})
	if err == nil {
		err = fault
	}
	return out, err
}

// orphansExamined is how many of a provider's answers to unseen requests tell when it was last active.
const orphansExamined = 16

func lastActive(r store.Reader, pk nip90.PubKey) (at int64, err error) {
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
	var fault error
	for _, table := range [...]byte{keyHandler, keyBeat} {
		err := r.Scan(keyOf(table, pk[:]), nil, func(_, value []byte) bool {
			row, err := decodeSign(value)
			if err != nil {
				fault = err
				return false
			}
			at = max(at, row.created)
			return true
		})
		if err != nil {
			return at, err
		}
	}
	return at, fault
}
