package index

import (
	"strings"

	"dvmrelay/nip90"
	"dvmrelay/store"
)

// OpenJob is a job that is not at its end, and where answers to it may be published.
type OpenJob struct {
	ID        nip90.ID
	Kind      int
	CreatedAt int64    // unix seconds
	Relays    []string // that its request names, as written, at most maxOpenRelays
	Writes    []string // that the relay lists of those who answered it or are named by it name, as many. NIP-65
}

const (
	maxOpenRelays    = 32
	maxOpenProviders = 16   // of one job, whose relay lists are read
	maxOpenBytes     = 256  // of an address
	maxOpenWork      = 5000 // jobs looked at
	maxOpenOfOne     = 30   // jobs of one customer
)

// OpenJobs lists jobs made since then, unix seconds, that are neither delivered nor cancelled, expired or failed, and that
// name relays where answers may be: the newest first, at most limit, at most 30 of one customer. It looks at the newest
// 5000 jobs only.
func (x *Index) OpenJobs(r store.Reader, since int64, limit int) ([]OpenJob, error) {
	l := lens{Reader: r, x: x, now: x.now(0)}
	var out []OpenJob
	var fault error
	of := map[nip90.PubKey]int{}
	looked := 0
	err := r.Scan([]byte{keyJob}, nil, func(key, _ []byte) bool {
		asked, root, ok := splitTimed(key)
		if !ok || asked < since || len(out) >= limit || looked >= maxOpenWork {
			return false
		}
		looked++
		j, customer, ok, err := l.openJob(root, of)
		if err != nil {
			fault = err
			return false
		}
		if ok {
			of[customer]++
			out = append(out, j)
		}
		return true
	})
	if err == nil {
		err = fault
	}
	return out, err
}

// openJob reads one job; false when it is at its end, names no relays, or its customer has enough of them in of.
func (l *lens) openJob(root nip90.ID, of map[nip90.PubKey]int) (j OpenJob, customer nip90.PubKey, ok bool, err error) {
	row, folded, ok, err := current(l, root)
	if err != nil || !ok || !row.is(rowSeen) {
		return j, customer, false, err
	}
	switch row.state(l.now) {
	case StateOpen, StateProcessing, StatePaymentRequired, StatePartial:
	default:
		return j, customer, false, nil
	}
	if row.expires != 0 && row.expires <= l.now {
		return j, customer, false, nil
	}
	f, ok, err := l.Fact(root)
	if err != nil || !ok || of[f.Author] >= maxOpenOfOne {
		return j, customer, false, err
	}
	j = OpenJob{ID: root, Kind: row.kind, CreatedAt: row.created}
	people, err := l.addressed(&f)
	if err != nil {
		return j, customer, false, err
	}
	if p, err := l.body(&f); err != nil {
		return j, customer, false, err
	} else if p != nil {
		if m, ok := p.Message.(*nip90.Request); ok {
			j.Relays = openRelays(nil, m.Relays)
		}
	}
	people = people[:min(len(people), maxOpenProviders)]
	err = eachSide(l, root, folded, func(pk nip90.PubKey, s *sideRow) bool {
		if s.answers > 0 {
			people = append(people, pk)
		}
		return len(people) < 2*maxOpenProviders
	})
	if err != nil {
		return j, customer, false, err
	}
	for _, pk := range people {
		list, err := l.writes(pk)
		if err != nil {
			return j, customer, false, err
		}
		j.Writes = openRelays(j.Writes, list)
	}
	return j, f.Author, len(j.Relays)+len(j.Writes) > 0, nil
}

// writes are the relays that a key says it publishes on. NIP-65.
func (l *lens) writes(pk nip90.PubKey) ([]string, error) {
	id, ok, err := store.Newest(l, nip90.KindRelayList, pk)
	if err != nil || !ok {
		return nil, err
	}
	p, err := l.bodyOf(id)
	if err != nil || p == nil {
		return nil, err
	}
	m, ok := p.Message.(*nip90.Other)
	if !ok {
		return nil, nil
	}
	return m.Writes, nil
}

// openRelays adds what is short enough, until there are enough.
func openRelays(list, more []string) []string {
	for _, u := range more {
		if len(list) >= maxOpenRelays {
			break
		}
		if u != "" && len(u) <= maxOpenBytes {
			list = append(list, strings.Clone(u))
		}
	}
	return list
}

// Following says where answers to a job were looked for beside the sources that are heard all the time. What implements
// Listening may implement it, too. Safe for concurrent use.
type Following interface {
	// Followed are the relays that were listened on for the job with this request, while it was open.
	Followed(root nip90.ID) []string
}
