package index

import (
	"bytes"
	"hash/fnv"

	"dvmrelay/nip90"
	"dvmrelay/store"
)

const (
	// maxAnnouncements bounds the announcements of one key, all versions counted, that tell when it was first seen.
	maxAnnouncements = 4096
	// announcedFor is how long it is believed that no announcement was deleted after the fact, in seconds.
	announcedFor = 600
	// recentJobs is how many of its newest jobs tell when a provider last answered, and what.
	recentJobs = 8
	// futureSeconds is how far a clock may be ahead for its signs of life to count.
	futureSeconds = 900
	// maxSeconds is later than any created_at that is kept.
	maxSeconds = 1 << 40
)

// within says whether something happened in the last so many seconds. What claims to be of the future does not count:
// else one false date would keep a dead service alive for years.
func within(at, now, seconds int64) bool { return now-at <= seconds && at-now <= futureSeconds }

// announcedBy reads when each service of a key was announced: a function of its facts alone.
func (l *lens) announcedBy(pk nip90.PubKey) (*announced, error) {
	var ids []nip90.ID
	err := l.Scan(keyOf(keyHandlerFact, pk[:]), nil, func(key, _ []byte) bool {
		if id, ok := lastID(key); ok {
			ids = append(ids, id)
		}
		return len(ids) < maxAnnouncements
	})
	if err != nil {
		return nil, err
	}
	return l.announcedIn(pk, ids)
}

// announcedIn is announcedBy when the ids of the announcements are at hand.
func (l *lens) announcedIn(pk nip90.PubKey, ids []nip90.ID) (*announced, error) {
	a := &announced{at: l.now, facts: len(ids), services: make(map[[8]byte]service)}
	for _, id := range ids {
		for i := range id {
			a.marks[i] ^= id[i]
		}
	}
	if old := l.x.seen.announcedBy(pk); old != nil && old.marks == a.marks && old.facts == a.facts &&
		l.now >= old.at && l.now-old.at < announcedFor {
		return old, nil
	}
	for _, id := range ids {
		f, ok, err := l.Fact(id)
		if err != nil {
			return nil, err
		}
		if !ok {
			continue
		}
		s, known := a.services[f.Payment]
		if !known || f.CreatedAt < s.first {
			s.first = f.CreatedAt
		}
		if f.Has(store.FactDeleted) {
			s.deleted = max(s.deleted, f.CreatedAt)
		}
		a.services[f.Payment] = s
		if a.first == 0 || f.CreatedAt < a.first {
			a.first = f.CreatedAt
		}
	}
	l.x.seen.keepAnnounced(pk, a)
	return a, nil
}

// answering is what a provider answered lately.
type answering struct {
	last  int64   // created_at of its newest answer to its newest jobs, 0 = none
	kinds kindSet // of these jobs
	sum   uint64  // tells whether anything was added to these jobs
}

func (l *lens) answering(pk nip90.PubKey) (answering, error) {
	var out answering
	var roots []nip90.ID
	err := l.Scan(keyOf(keyByProvider, pk[:]), nil, func(key, _ []byte) bool {
		if root, ok := lastID(key); ok {
			roots = append(roots, root)
		}
		return len(roots) < recentJobs
	})
	if err != nil {
		return out, err
	}
	sum := fnv.New64a()
	for _, root := range roots {
		side, err := readSide(l, root, pk)
		if err != nil {
			return out, err
		}
		if side.answers > 0 && side.last <= l.now+futureSeconds {
			out.last = max(out.last, side.last)
		}
		row, _, err := readThread(l, root)
		if err != nil {
			return out, err
		}
		out.kinds.add(row.kind)
		_, _ = sum.Write(root[:])
		_, _ = sum.Write(side.encode()) // a hash fails never
	}
	out.sum = sum.Sum64()
	return out, nil
}

// jobUntil is when the newest job was asked, at or before a time, that a provider answered; 0 = none. Jobs whose request is
// not here have no time and do not count.
func (l *lens) jobUntil(pk nip90.PubKey, at int64) (newest int64, err error) {
	prefix := keyOf(keyByProvider, pk[:])
	err = l.Scan(prefix, append(bytes.Clone(prefix), descending(at)...), func(key, _ []byte) bool {
		newest, _, _ = splitTimed(key)
		return false
	})
	return max(newest, 0), err
}

// firstMet is when a provider first announced itself (0 = never) or answered: the created_at of that announcement, or of
// the oldest job that it answered; 0 = never. Usually that costs one look.
func (l *lens) firstMet(pk nip90.PubKey, announced int64) (int64, error) {
	known := announced
	if at := l.x.seen.oldestOf(pk); at != 0 && (known == 0 || at < known) {
		known = at
	}
	before := int64(maxSeconds)
	if known != 0 {
		before = known - 1
	}
	at, err := l.jobUntil(pk, before)
	if err != nil || at == 0 {
		return known, err
	}
	for lo := int64(1); lo < at; {
		middle := lo + (at-lo)/2
		older, err := l.jobUntil(pk, middle)
		if err != nil {
			return 0, err
		}
		if older != 0 {
			at = older
		} else {
			lo = middle + 1
		}
	}
	l.x.seen.keepOldest(pk, at)
	return at, nil
}

// lastBeat is the newest sign of life of any service of a key; 0 = none.
func (l *lens) lastBeat(pk nip90.PubKey) (at int64, err error) {
	var fault error
	left := maxOfOne
	err = l.Scan(keyOf(keyBeat, pk[:]), nil, func(_, value []byte) bool {
		row, err := decodeSign(value)
		if err != nil {
			fault = err
			return false
		}
		if row.created <= l.now+futureSeconds {
			at = max(at, row.created)
		}
		left--
		return left > 0
	})
	if err == nil {
		err = fault
	}
	return at, err
}
