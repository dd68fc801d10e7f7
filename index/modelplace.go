package index

import (
	"slices"

	"dvmrelay/nip90"
	"dvmrelay/store"
)

// named are the facts that a link may mean.
func (m *model) named(l store.FactLink) []store.Fact {
	var out []store.Fact
	for _, id := range m.byShort[prefixOf(l.ID)] {
		if !l.Full || id == l.ID {
			out = append(out, m.facts[id])
		}
	}
	return out
}

func (m *model) place(f *store.Fact) (roots []nip90.ID, waits []prefix8) {
	short := func(n int) (out []prefix8) {
		for _, l := range f.Links[:n] {
			out = append(out, prefixOf(l.ID))
		}
		return out
	}
	switch {
	case isAnswer(f) && len(f.Links) == 0:
		return []nip90.ID{f.ID}, nil
	case isAnswer(f):
		best, at := nip90.ID{}, -1
		for i := len(f.Links) - 1; i >= 0; i-- {
			for _, o := range m.named(f.Links[i]) {
				if isRequest(&o) {
					best, at = o.ID, i
					break
				}
			}
		}
		if f.Role == nip90.RoleResult && f.Flags&store.FactSure == 0 && at >= 0 {
			for i, l := range f.Links {
				for _, o := range m.named(l) {
					if isRequest(&o) {
						if o.Kind+1000 == f.Kind {
							return []nip90.ID{o.ID}, short(i)
						}
						break
					}
				}
			}
			if len(f.Links) > 1 {
				others := short(len(f.Links))
				return []nip90.ID{best}, append(others[:at:at], others[at+1:]...)
			}
		}
		if at >= 0 {
			return []nip90.ID{best}, short(at)
		}
		if len(f.Links) == 1 {
			return []nip90.ID{f.Links[0].ID}, nil
		}
		return []nip90.ID{f.Links[0].ID}, short(len(f.Links))
	case isPayment(f) || f.Role == nip90.RoleReport:
		for i, l := range f.Links {
			for _, o := range m.named(l) {
				if isRequest(&o) {
					return []nip90.ID{o.ID}, short(i + 1)
				}
				if isAnswer(&o) {
					roots, _ = m.place(&o)
					return roots, short(i + 1)
				}
			}
		}
		return nil, short(len(f.Links))
	case f.Role == nip90.RoleCancel:
		for _, l := range f.Links {
			for _, o := range m.named(l) {
				if isRequest(&o) && m.blinder.Of(o.Author) == m.blinder.Of(f.Author) {
					if !slices.Contains(roots, o.ID) {
						roots = append(roots, o.ID)
					}
					break
				}
			}
		}
		return roots, short(len(f.Links))
	}
	return nil, nil
}
