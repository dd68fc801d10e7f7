package mirror

import (
	"cmp"
	"slices"
)

// The ways in which a part of what is asked is heard.
const (
	HeardLive    = "live"
	HeardPolled  = "polled"  // the upstream bears too few subscriptions: some of it is read again and again instead
	HeardRefused = "refused" // asked for again later
)

// PartStatus is how one part of what is asked of an upstream is heard.
type PartStatus struct {
	Name          string `json:"name"` // a: jobs, b: handlers, c: providers, d: customers
	State         string `json:"state"`
	Reason        string `json:"reason,omitempty"` // one word on why it is refused
	Subscriptions int    `json:"subscriptions"`    // that are open
	Keys          int    `json:"keys"`             // whom it is about
	Pending       int    `json:"pending"`          // of these, whose past was not read yet
}

// part changes what is said of a part.
func (t *tally) part(name string, fn func(*PartStatus)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := range t.s.Parts {
		if t.s.Parts[i].Name == name {
			fn(&t.s.Parts[i])
			return
		}
	}
	p := PartStatus{Name: name}
	fn(&p)
	t.s.Parts = append(t.s.Parts, p)
}

// parts are a copy for who asks; nothing while not connected.
func (s *Status) parts() []PartStatus {
	if s.State == StateConnecting || s.State == StateWaiting {
		return nil
	}
	all := slices.Clone(s.Parts)
	slices.SortFunc(all, func(a, b PartStatus) int { return cmp.Compare(a.Name, b.Name) })
	return all
}

// tells says how the part is heard; reason is why it was refused, if it was.
func (st *stand) tells(reason string) {
	_, polls := st.polled()
	n, keys := len(st.live), len(st.whom())
	st.s.u.tally.part(st.r.part.name, func(p *PartStatus) {
		p.State, p.Subscriptions, p.Keys, p.Reason = HeardLive, n, keys, reason
		switch {
		case reason != "":
			p.State, p.Subscriptions = HeardRefused, 0
		case polls:
			p.State = HeardPolled
		}
	})
}
