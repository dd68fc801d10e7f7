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
	}
	c := chooser{lens: lens{Reader: r, x: x, now: at.now}, q: q, budget: maxExamined}
	return page, c.fill(&page, at)
}

// chooser walks one list of jobs and keeps what a query asks for.
type chooser struct {
	lens
	q      ThreadQuery
	budget int
	could  []int // kinds that the provider of q.For answers
}

// fill walks the list; for q.For twice: first what nobody has answered, then what others have.
func (c *chooser) fill(page *ThreadPage, at cursor) error {
	phases := byte(1)
	if !c.q.For.IsZero() {
		phases = 2
		hs, err := c.handlersOf(c.q.For)
		if err != nil {
			return err
		}
		for _, h := range hs {
			c.could = append(c.could, h.Kinds...)
		}
	}
	for at.phase < phases {
		more, err := c.walk(page, &at)
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

// list is the prefix of the shortest list that holds everything the query could want.
func (c *chooser) list() []byte {
	switch {
	case !c.q.Provider.IsZero():
		return keyOf(keyByProvider, c.q.Provider[:])
	case !c.q.Customer.IsZero():
		return keyOf(keyByCustomer, c.q.Customer[:])
	}
	return []byte{keyJob}
}

// walk fills the page from the list and says whether there may be more; at moves along.
func (c *chooser) walk(page *ThreadPage, at *cursor) (more bool, err error) {
	prefix := c.list()
	start := prefix
	if c.q.Until != 0 {
		start = append(slices.Clone(prefix), descending(c.q.Until)...)
	}
	if len(at.key) > 0 {
		if len(at.key) != timeLen+idLen {
			return false, ErrCursor
		}
		start = append(slices.Clone(prefix), at.key...)
	}
	var fault error
	err = c.Scan(prefix, start, func(key, _ []byte) bool {
		created, root, ok := splitTimed(key)
		if !ok || bytes.Equal(key[len(prefix):], at.key) {
			return true
		}
		if c.q.Since != 0 && created < c.q.Since {
			return false
		}
		if len(page.Items) == pageSize(c.q.Limit) || c.budget == 0 {
			more = true
			return false
		}
		c.budget--
		at.key = bytes.Clone(key[len(prefix):])
		var t Thread
		if t, ok, fault = c.consider(root, at.phase); ok {
			page.Items = append(page.Items, t)
		}
		return fault == nil
	})
	if err == nil {
		err = fault
	}
	return more, err
}

// consider applies the cheap conditions first.
func (c *chooser) consider(root nip90.ID, phase byte) (Thread, bool, error) {
	row, folded, ok, err := current(c, root)
	if err != nil || !ok || !row.is(rowSeen) {
		return Thread{}, false, err
	}
	if c.q.Kind != 0 && row.kind != c.q.Kind || !c.x.inState(&row, c.q.State, c.now) {
		return Thread{}, false, nil
	}
	if !c.q.Provider.IsZero() && !c.q.Customer.IsZero() {
		if listed, err := has(c, byCustomerKey(c.q.Customer, row.created, root)); err != nil || !listed {
			return Thread{}, false, err
		}
	}
	if !c.q.For.IsZero() {
		if ok, err := c.open(root, &row, phase); err != nil || !ok {
			return Thread{}, false, err
		}
	}
	if c.q.Payment != "" {
		if row.answers+row.payments == 0 && c.q.Payment != payNone.String() {
			return Thread{}, false, nil
		}
		top, err := c.x.paymentState(c, root, folded, c.now)
		if err != nil || top.String() != c.q.Payment {
			return Thread{}, false, err
		}
	}
	return c.thread(root)
}

// open says whether q.For could still answer a job: in phase 0 one that nobody has answered, in phase 1 the others.
func (c *chooser) open(root nip90.ID, row *threadRow, phase byte) (bool, error) {
	if !slices.Contains(c.could, row.kind) || (row.answers == 0) != (phase == 0) {
		return false, nil
	}
	if expired(row.expires, c.now) || row.cancelled() || row.results > 0 {
		return false, nil
	}
	side, err := readSide(c, root, c.q.For)
	if err != nil || side.answers > 0 {
		return false, err
	}
	f, ok, err := c.Fact(root)
	if err != nil || !ok {
		return false, err
	}
	return len(f.People) == 0 || slices.Contains(f.People, c.q.For) || f.Has(store.FactMorePeople), nil
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
