package index

import (
	"fmt"

	"dvmrelay/nip90"
	"dvmrelay/store"
)

// Person is what is known of a key that may have asked for jobs, answered them, or both.
type Person struct {
	PubKey   string `json:"pubkey"`
	Npub     string `json:"npub"`
	Name     string `json:"name"`     // of its profile, else of its newest announcement; empty = unknown
	About    string `json:"about"`    // of its profile
	Known    bool   `json:"known"`    // any event of it was ever counted
	Customer bool   `json:"customer"` // asked for a job that is remembered with its customer
	Provider bool   `json:"provider"` // announced a handler or answered a job
	Serves   []int  `json:"serves"`   // kinds of requests that its announcements name, ascending
}

// Person tells of a key. It reads a profile and the announcements of that key, and no jobs.
func (x *Index) Person(r store.Reader, pk nip90.PubKey) (Person, error) {
	l := lens{Reader: r, x: x, now: x.now(0)}
	p := Person{PubKey: pk.String(), Npub: nip90.Npub(pk), Serves: []int{}}
	known := x.Known(r)
	for _, ask := range []struct {
		of func(nip90.PubKey) (bool, error)
		to *bool
	}{{known.Author, &p.Known}, {known.Customer, &p.Customer}, {known.Provider, &p.Provider}} {
		var err error
		if *ask.to, err = ask.of(pk); err != nil {
			return p, err
		}
	}
	said, err := l.profile(pk)
	if err != nil {
		return p, fmt.Errorf("read profile of %s: %w", pk, err)
	}
	if said != nil {
		p.Name, p.About = said.name, said.about
	}
	hs, err := l.handlersOf(pk)
	if err != nil {
		return p, err
	}
	var kinds []int
	for _, h := range hs {
		if p.Name == "" {
			p.Name = h.Name
		}
		kinds = append(kinds, h.Kinds...)
	}
	p.Serves = append(p.Serves, kindSetOf(kinds).list()...)
	return p, nil
}

// Names are the names that keys gave themselves in their profiles, of those that did. It looks at the first MaxLimit keys.
func (x *Index) Names(r store.Reader, keys []nip90.PubKey) (map[nip90.PubKey]string, error) {
	l := lens{Reader: r, x: x, now: x.now(0)}
	names := make(map[nip90.PubKey]string)
	for _, pk := range keys[:min(len(keys), MaxLimit)] {
		if _, twice := names[pk]; twice {
			continue
		}
		said, err := l.profile(pk)
		if err != nil {
			return names, fmt.Errorf("read profile of %s: %w", pk, err)
		}
		names[pk] = ""
		if said != nil {
			names[pk] = said.name
		}
	}
	for pk, name := range names {
		if name == "" {
			delete(names, pk)
		}
	}
	return names, nil
}

// KeepsCustomers says whether customers are remembered for longer than the bodies of their requests.
func (x *Index) KeepsCustomers() bool { return x.o.KeepCustomer }

// Asked is what became of the newest jobs of one customer.
type Asked struct {
	Jobs        int   `json:"jobs"`
	More        bool  `json:"more,omitempty"` // there are older ones, which are not counted
	Answered    int   `json:"answered"`       // with an answer of any kind
	Delivered   int   `json:"delivered"`      // with a result
	AskedMsat   int64 `json:"asked_msat"`     // by all providers together
	ClaimedMsat int64 `json:"claimed_msat"`
	FirstAt     int64 `json:"first_at"` // when the oldest of these was asked, unix seconds; 0 = none
	LastAt      int64 `json:"last_at"`
}

// The bounds of one Asked.
const (
	maxAskedJobs = 200
	maxAskedFold = 2_000 // events of jobs whose sums wait, which are read for it; the rest count as they were summed
)

// Asked counts the newest 200 jobs of a customer.
func (x *Index) Asked(r store.Reader, customer nip90.PubKey) (a Asked, err error) {
	var fault error
	left := int64(maxAskedFold)
	err = r.Scan(keyOf(keyByCustomer, customer[:]), nil, func(key, _ []byte) bool {
		at, root, ok := splitTimed(key)
		if a.More = a.Jobs == maxAskedJobs; !ok || a.More {
			return false
		}
		row, ok, err := readThread(r, root)
		if err == nil && ok && row.is(rowStale) && row.members <= left {
			left -= row.members
			row, _, ok, err = current(r, root)
		}
		if fault = err; err != nil {
			return false
		}
		if ok {
			a.add(&row, at)
		}
		return true
	})
	if err == nil {
		err = fault
	}
	return a, err
}

func (a *Asked) add(row *threadRow, at int64) {
	if a.Jobs++; a.LastAt == 0 {
		a.LastAt = at
	}
	a.FirstAt = at
	if row.answers > 0 {
		a.Answered++
	}
	if row.results > 0 {
		a.Delivered++
	}
	a.AskedMsat += max(row.asked, 0)
	a.ClaimedMsat += max(row.claimed, 0)
}
