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
