package index

import (
	"bytes"
	"fmt"

	"dvmrelay/nip90"
	"dvmrelay/store"
)

// facts is the set of facts as it stands.
type facts struct{ store.Reader }

// match finds the fact that a link names and that is wanted. Of several with the same first eight bytes it is the one
// with the lowest id.
func (v facts) match(l store.FactLink, wanted func(*store.Fact) bool) (found store.Fact, ok bool, err error) {
	if l.Full {
		f, ok, err := v.Fact(l.ID)
		return f, ok && wanted(&f), err
	}
	prefix := prefixOf(l.ID)
	var start nip90.ID
	copy(start[:], prefix[:])
	err = store.ScanFacts(v, start, func(f store.Fact) bool {
		if !bytes.HasPrefix(f.ID[:], prefix[:]) {
			return false
		}
		if ok = wanted(&f); ok {
			found = f
		}
		return !ok
	})
	if err != nil {
		return found, false, fmt.Errorf("find event %x: %w", prefix, err)
	}
	return found, ok, nil
}

func isRequest(f *store.Fact) bool { return f.Role == nip90.RoleRequest }

func isRequestOrAnswer(f *store.Fact) bool { return isRequest(f) || isAnswer(f) }

// placement says which threads an event belongs to, and whose arrival could change that.
type placement struct {
	roots []nip90.ID
	waits []prefix8
}

// place is a function of the facts alone. DESIGN's "Roots".
func (v facts) place(f *store.Fact) (placement, error) {
	switch f.Role {
	case nip90.RoleResult, nip90.RoleFeedback:
		return v.placeAnswer(f)
	case nip90.RoleZap, nip90.RoleNutzap, nip90.RoleReport:
		return v.placeAbout(f)
	case nip90.RoleCancel:
		return v.placeCancel(f)
	}
	return placement{}, nil
}

// unsure says whether the kind of a request decides which of several links a result belongs to.
func unsure(f *store.Fact) bool {
	return f.Role == nip90.RoleResult && len(f.Links) > 1 && !f.Has(store.FactSure)
}

// placeAnswer: the first link whose request is here; while none is, the first link; without links, the answer itself. Of a
// result that does not say which it means, a request of its kind comes before the others. NIP-90 "Job results".
func (v facts) placeAnswer(f *store.Fact) (placement, error) {
	if len(f.Links) == 0 {
		return placement{roots: []nip90.ID{f.ID}}, nil
	}
	var second *placement // a request is here, but not of the result's kind
	for i, l := range f.Links {
		request, ok, err := v.match(l, isRequest)
		if err != nil {
			return placement{}, err
		}
		switch {
		case !ok:
		case !unsure(f) || request.Kind == f.Kind-1000:
			return placement{[]nip90.ID{request.ID}, prefixes(f.Links[:i])}, nil
		case second == nil:
			second = &placement{[]nip90.ID{request.ID}, append(prefixes(f.Links[:i]), prefixes(f.Links[i+1:])...)}
		}
	}
	if second != nil {
		return *second, nil
	}
	p := placement{roots: []nip90.ID{f.Links[0].ID}}
	if len(f.Links) > 1 {
		p.waits = prefixes(f.Links)
	}
	return p, nil
}

// placeAbout places payments and reports: where the first thing named that is here belongs; nowhere while nothing is.
// They follow that thing, so they wait on it for ever.
func (v facts) placeAbout(f *store.Fact) (placement, error) {
	for i, l := range f.Links {
		about, ok, err := v.match(l, isRequestOrAnswer)
		if err != nil {
			return placement{}, err
		}
		if !ok {
			continue
		}
		p := placement{[]nip90.ID{about.ID}, prefixes(f.Links[:i+1])}
		if isAnswer(&about) {
			of, err := v.placeAnswer(&about)
			if err != nil {
				return placement{}, err
			}
			p.roots = of.roots
		}
		return p, nil
	}
	return placement{waits: prefixes(f.Links)}, nil
}

// placeCancel: every request of the same author that a kind 5 names. NIP-90 "Cancellation".
func (v facts) placeCancel(f *store.Fact) (placement, error) {
	b, err := store.BlinderOf(v)
	if err != nil {
		return placement{}, err
	}
	p := placement{waits: prefixes(f.Links)}
	for _, l := range f.Links {
		request, ok, err := v.match(l, func(r *store.Fact) bool { return isRequest(r) && b.Same(r.Author, f.Author) })
		if err != nil {
			return placement{}, err
		}
		if ok {
			p.roots = append(p.roots, request.ID)
		}
	}
	return p, nil
}

func prefixes(links []store.FactLink) []prefix8 {
	if len(links) == 0 {
		return nil
	}
	out := make([]prefix8, len(links))
	for i, l := range links {
		out[i] = prefixOf(l.ID)
	}
	return out
}
