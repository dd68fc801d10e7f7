package store

import (
	"dvmrelay/nip90"
)

// way is how candidates are found.
type way uint8

const (
	wayIDs   way = iota // point reads
	wayTime             // the event table, newest first
	wayKinds            // a table with the kind in front of the time, under each base
	wayFlat             // the tag table, under each base
)

// leg is one way to the answer. A leg with checks gives up after so many candidates that did not match, and the next
// leg goes on behind its last one.
type leg struct {
	way    way
	table  byte
	bases  [][]byte
	kinds  []uint16 // nil = all
	checks int      // 0 = as many as it takes
}

const (
	// The costs that plans are compared by, in the time one index key takes.
	costSeek = 8
	costRead = 4

	fewBases  = 32 // so many cursors are always worth it
	unlimited = 1 << 20
)

// plan chooses the legs for a filter. limit 0 is none.
func (s *Store) plan(m *matcher, limit int) []leg {
	if m.nothing {
		return nil
	}
	if m.ids != nil {
		return []leg{{way: wayIDs}}
	}
	kinds, sum := s.kinds.present(m.kinds)
	if len(kinds) == 0 {
		return nil
	}
	if limit <= 0 || limit > unlimited {
		limit = unlimited
	}
	broad := s.broad(m, kinds, sum, limit)
	narrow, ok := m.narrow(kinds)
	if !ok {
		return []leg{broad}
	}
	cursors := int64(len(narrow.bases))
	if m.kinds != nil && sum <= 4*cursors {
		return []leg{broad}
	}
	if cursors <= fewBases {
		return []leg{narrow}
	}
	// Many cursors: what is wanted may well be among the newest, so look there first, for about what the seeks cost.
	broad.checks = 2*min(limit, 1000) + 256
	return []leg{broad, narrow}
}

// broad is the way for a filter without authors and tags: kind by kind, or everything by time when most of it matches.
func (s *Store) broad(m *matcher, kinds []uint16, sum int64, limit int) leg {
	_, total := s.kinds.present(nil)
	byTime := leg{way: wayTime, table: tabEvent}
	byKind := leg{way: wayKinds, table: tabKind, bases: [][]byte{{tabKind}}, kinds: kinds}
	if m.kinds == nil {
		return byTime
	}
	want := min(int64(limit), sum)
	if sum <= 0 {
		return byKind
	}
	timeCost := want * total / sum * costRead
	kindCost := int64(len(kinds))*costSeek + want*costRead
	if timeCost <= kindCost {
		return byTime
	}
	return byKind
}

// narrow picks the index that promises the fewest keys; false when the filter names neither author nor letter tag.
func (m *matcher) narrow(present []uint16) (leg, bool) {
	var kinds []uint16
	if m.kinds != nil {
		kinds = present
	}
	chosen, weight := leg{}, 0
	consider := func(w int, l func() leg) {
		if weight == 0 || w < weight {
			chosen, weight = l(), w
		}
	}
	for i := range m.tags {
		t := &m.tags[i]
		if len(t.name) != 1 {
			continue
		}
		if _, ok := letterOf([]byte(t.name)); !ok {
			continue
		}
		consider(len(t.values)+t.penalty(), func() leg { return t.leg(kinds) })
	}
	if m.authors != nil {
		consider(len(m.authors)+penaltyAuthor, func() leg {
			l := leg{way: wayKinds, table: tabAuthor, kinds: kinds}
			for pk := range m.authors {
				l.bases = append(l.bases, keyBase(tabAuthor, pk))
			}
			return l
		})
	}
	return chosen, weight > 0
}

// The penalties order indexes by how many events one value usually has.
const (
	penaltyID     = 1
	penaltyD      = 10
	penaltyAuthor = 20
	penaltyP      = 30
	penaltyText   = 200
)

func (t *tagWanted) penalty() int {
	switch t.name[0] {
	case 'p', 'P':
		return penaltyP
	case 'd', 'a':
		return penaltyD
	}
	for _, v := range t.values {
		if _, ok := nip90.ParseID(v); !ok {
			return penaltyText
		}
	}
	return penaltyID
}

// leg makes the cursors of a tag. Values of p that are no keys stand in the tag table, the others in their own; a filter
// that mixes the two leaves out what can stand in neither, and so takes the tag table only for the texts.
func (t *tagWanted) leg(kinds []uint16) leg {
	if t.name != "p" {
		l := leg{way: wayFlat, table: tabTag}
		for _, v := range t.values {
			l.bases = append(l.bases, tagBase(nil, t.name[0], []byte(v)))
		}
		return l
	}
	l := leg{way: wayKinds, table: tabP, kinds: kinds}
	for _, v := range t.values {
		if pk, ok := nip90.ParsePubKey(v); ok {
			l.bases = append(l.bases, keyBase(tabP, pk))
		} else {
			l.bases = append(l.bases, tagBase(nil, 'p', []byte(v)))
		}
	}
	return l
}
