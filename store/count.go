package store

import (
	"context"

	"dvmrelay/nip90"

	"github.com/nbd-wtf/go-nostr"
)

// fewExpired is how many expired but unswept events a count keeps in mind before it reads every event instead.
const fewExpired = 10_000

// Count implements Snapshot. Keys alone answer for kinds, authors or one tag, each with kinds and a window.
func (sn *snapshot) Count(ctx context.Context, f nostr.Filter) (int64, error) {
	f.Limit, f.LimitZero = 0, false
	q, legs, err := sn.query(ctx, f)
	if err != nil {
		return 0, err
	}
	if len(legs) == 0 {
		return 0, nil
	}
	l, gone, ok, err := q.keysSuffice()
	if err != nil {
		return 0, err
	}
	if ok {
		if n, ok := q.countByHeart(); ok && len(gone) == 0 {
			return n, nil
		}
		return q.countKeys(&l, gone)
	}
	var n int64
	for _, err := range sn.Query(ctx, f) {
		if err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

// keysAnswer finds the one table whose keys decide the filter.
func (q *query) keysAnswer() (leg, bool) {
	m := q.m
	if m.ids != nil || len(m.tags) > 1 || len(m.tags) == 1 && m.authors != nil {
		return leg{}, false
	}
	kinds, _ := q.sn.s.kinds.present(m.kinds)
	if len(m.tags) == 0 && m.authors == nil {
		return leg{way: wayKinds, table: tabKind, bases: [][]byte{{tabKind}}, kinds: kinds}, true
	}
	return m.narrow(kinds)
}

// countByHeart answers from the counts in memory when the filter has nothing but kinds and the snapshot is the newest.
func (q *query) countByHeart() (n int64, ok bool) {
	m := q.m
	if m.authors != nil || len(m.tags) > 0 || m.since > 0 || m.until < maxTime {
		return 0, false
	}
	s := q.sn.s
	turn := s.kinds.turn.Load()
	_, n = s.kinds.present(m.kinds)
	ok = turn%2 == 0 && s.published.Load() == q.sn.version && s.kinds.turn.Load() == turn
	return n, ok
}

// unswept finds the events that have expired but are still stored; few is false when there are too many.
func (q *query) unswept() (gone map[nip90.ID]struct{}, few bool, err error) {
	few = true
	err = q.sn.Scan([]byte{tabExpiry}, nil, func(key, _ []byte) bool {
		if len(key) != 1+timeLen+idLen || getTime(key[1:]) > q.now {
			return false
		}
		if few = len(gone) < fewExpired; !few {
			return false
		}
		if gone == nil {
			gone = make(map[nip90.ID]struct{})
		}
		gone[nip90.ID(key[1+timeLen:])] = struct{}{}
		return true
	})
	return gone, few, err
}

func (q *query) countKeys(l *leg, gone map[nip90.ID]struct{}) (n int64, err error) {
	// An event with two of the wanted tag values has two keys.
	var seen map[place]struct{}
	if len(q.m.tags) == 1 && len(l.bases) > 1 {
		seen = make(map[place]struct{})
	}
	count := func(p *place, _ uint16) bool {
		if gone != nil {
			if _, ok := gone[p.id()]; ok {
				return true
			}
		}
		if seen != nil {
			if _, ok := seen[*p]; ok {
				return true
			}
			seen[*p] = struct{}{}
		}
		n++
		return true
	}
	err = q.walk(l, count)
	return n, err
}
