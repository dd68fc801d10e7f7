package store

import (
	"fmt"
	"slices"

	"dvmrelay/nip90"

	"github.com/nbd-wtf/go-nostr"
)

// matcher is a filter made ready: parsed ids and keys, kinds as bits, and tag values in sets. NIP-01.
type matcher struct {
	ids      map[[32]byte]struct{}      // nil = any
	authors  map[[32]byte]struct{}      // nil = any
	hints    map[[hintLen]byte]struct{} // the fronts of the authors
	kinds    []uint16                   // sorted, each once; nil = any
	kindBits *[1024]uint64              // the same, for long lists
	tags     []tagWanted
	since    int64
	until    int64
	nothing  bool // no event can match
}

// tagWanted is one #x of a filter.
type tagWanted struct {
	name   string
	values []string
	set    map[string]struct{} // for long lists
}

const (
	fewValues   = 8
	maxTagNames = 64
)

func compile(f nostr.Filter) (*matcher, error) {
	if f.Search != "" {
		return nil, fmt.Errorf("search: %w", ErrBadFilter)
	}
	if len(f.Tags) > maxTagNames {
		return nil, fmt.Errorf("%d tag names: %w", len(f.Tags), ErrBadFilter)
	}
	m := &matcher{since: 0, until: maxTime}
	m.ids = hexSet(f.IDs)
	m.authors = hexSet(f.Authors)
	if m.authors != nil {
		m.hints = make(map[[hintLen]byte]struct{}, len(m.authors))
		for pk := range m.authors {
			m.hints[[hintLen]byte(pk[:hintLen])] = struct{}{}
		}
	}
	m.nothing = f.IDs != nil && len(m.ids) == 0 || f.Authors != nil && len(m.authors) == 0 || f.LimitZero
	if f.Kinds != nil {
		m.setKinds(f.Kinds)
	}
	for name, values := range f.Tags {
		if values == nil {
			continue
		}
		t := tagWanted{name: name, values: values}
		if len(values) > fewValues {
			t.set = make(map[string]struct{}, len(values))
			for _, v := range values {
				t.set[v] = struct{}{}
			}
		}
		m.nothing = m.nothing || len(values) == 0
		m.tags = append(m.tags, t)
	}
	if f.Since != nil {
		m.since = max(0, int64(*f.Since))
	}
	if f.Until != nil {
		m.until = min(maxTime, int64(*f.Until))
	}
	m.nothing = m.nothing || m.since > m.until
	return m, nil
}

func hexSet(values []string) map[[32]byte]struct{} {
	if values == nil {
		return nil
	}
	set := make(map[[32]byte]struct{}, len(values))
	for _, v := range values {
		if id, ok := nip90.ParseID(v); ok {
			set[id] = struct{}{}
		}
	}
	return set
}

func (m *matcher) setKinds(kinds []int) {
	m.kinds = make([]uint16, 0, len(kinds))
	for _, k := range kinds {
		if k >= 0 && k <= maxKind {
			m.kinds = append(m.kinds, uint16(k))
		}
	}
	slices.Sort(m.kinds)
	m.kinds = slices.Compact(m.kinds)
	m.nothing = m.nothing || len(m.kinds) == 0
	if len(m.kinds) > fewValues {
		m.kindBits = new([1024]uint64)
		for _, k := range m.kinds {
			m.kindBits[k>>6] |= 1 << (k & 63)
		}
	}
}

func (m *matcher) hasKind(k uint16) bool {
	switch {
	case m.kinds == nil:
		return true
	case m.kindBits != nil:
		return m.kindBits[k>>6]&(1<<(k&63)) != 0
	}
	return slices.Contains(m.kinds, k)
}

// mayBeBy judges an index key by the front of the author in its value.
func (m *matcher) mayBeBy(hint []byte) bool {
	if m.hints == nil || len(hint) < hintLen {
		return true
	}
	_, ok := m.hints[[hintLen]byte(hint)]
	return ok
}

// matches checks a stored event against the whole filter.
func (m *matcher) matches(b *body) bool {
	if m.nothing || b.CreatedAt < m.since || b.CreatedAt > m.until || !m.hasKind(uint16(b.Kind)) {
		return false
	}
	if m.ids != nil {
		if _, ok := m.ids[b.ID]; !ok {
			return false
		}
	}
	if m.authors != nil {
		if _, ok := m.authors[b.PubKey]; !ok {
			return false
		}
	}
	return len(m.tags) == 0 || m.matchesTags(b.tags)
}

func (m *matcher) matchesTags(tags []byte) bool {
	var found uint64
	all := uint64(1)<<len(m.tags) - 1
	w := walkTags(tags)
	for t, ok := w.next(); ok; t, ok = w.next() {
		if !t.hasValue {
			continue
		}
		name := plain(t.name)
		for i := range m.tags {
			want := &m.tags[i]
			if found&(1<<i) == 0 && string(name) == want.name && want.has(plain(t.value)) {
				if found |= 1 << i; found == all {
					return true
				}
			}
		}
	}
	return false
}

func (t *tagWanted) has(value []byte) bool {
	if t.set != nil {
		_, ok := t.set[string(value)]
		return ok
	}
	for _, v := range t.values {
		if string(value) == v {
			return true
		}
	}
	return false
}
