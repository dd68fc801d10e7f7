package policies

import (
	"sync/atomic"
)

// The names of the rules: the closed set of labels that refusals are counted under.
const (
	nameAddressRate = "address-rate"
	nameShape       = "shape"
	nameContent     = "content"
	nameTags        = "tags"
	nameKind        = "kind"
	nameCreatedAt   = "created-at"
	nameExpired     = "expired"
	namePoW         = "pow"
	nameLists       = "lists"
	nameProtected   = "protected"
	nameKeyRate     = "key-rate"
	nameKnown       = "known"
	nameFilters     = "filters"
	nameSearch      = "search"
	nameReqRate     = "req-rate"
	nameConnections = "connections"
	nameForged      = "forged"
)

// Names are the names of all rules: the labels of Counts.
func Names() []string {
	return []string{
		nameAddressRate, nameShape, nameContent, nameTags, nameKind, nameCreatedAt, nameExpired, namePoW, nameLists,
		nameProtected, nameKeyRate, nameKnown, nameFilters, nameSearch, nameReqRate, nameConnections, nameForged,
	}
}

// counts is one counter for each name. The map itself never changes.
type counts map[string]*atomic.Uint64

func newCounts() counts {
	c := make(counts)
	for _, n := range Names() {
		c[n] = new(atomic.Uint64)
	}
	return c
}

func (c counts) add(name string) {
	if n, ok := c[name]; ok {
		n.Add(1)
	}
}

// Counts is how often each rule has refused since the start, by its name; every name is present. Safe for concurrent use.
func (s *Set) Counts() map[string]uint64 {
	out := make(map[string]uint64, len(s.counts))
	for name, n := range s.counts {
		out[name] = n.Load()
	}
	return out
}
