package index

import (
	"bytes"
	"encoding/binary"
	"math"

	"dvmrelay/nip90"
	"dvmrelay/store"
)

// jobRow is a job as a list of jobs has it.
type jobRow struct {
	at    int64 // created_at of its request, 0 while that is not here
	root  nip90.ID
	kind  int // 0 = the list does not say
	flags byte
	told  bool // flags are told
}

// before orders jobs newest first, equal times by lowest id, as the keys of every list do.
func (a *jobRow) before(b *jobRow) bool {
	if a.at != b.at {
		return a.at > b.at
	}
	return less(a.root, b.root)
}

func (a *jobRow) key() []byte { return append(descending(a.at), a.root[:]...) }

// readJobRow reads a row of one of the lists.
func readJobRow(key, value []byte) (row jobRow, ok bool) {
	if row.at, row.root, ok = splitTimed(key); !ok {
		return row, false
	}
	switch {
	case (key[0] == keyJob || key[0] == keyClass) && len(value) == 3:
		row.kind, row.flags, row.told = int(binary.BigEndian.Uint16(value)), value[2], true
	case key[0] == keyByKind && len(value) == 1:
		row.kind, row.flags, row.told = int(binary.BigEndian.Uint16(key[1:])), value[0], true
	}
	return row, true
}

// ascendingTime reads a time that orders oldest first.
func ascendingTime(b []byte) int64 { return int64(binary.BigEndian.Uint64(b) ^ (1 << 63)) }

// jobList reads one list of jobs, newest first, a batch at a time.
type jobList struct {
	r      store.Reader
	prefix []byte
	next   []byte // where the next batch begins, nil at the end
	since  int64
	rows   []jobRow
	pos    int
	batch  int // rows
}

// maxBatch is how many rows of a list are read at once, once it is known that many are wanted.
const maxBatch = 512

// head is the first row that was not taken; nil at the end.
func (l *jobList) head() (*jobRow, error) {
	if l.pos == len(l.rows) && l.next != nil {
		if err := l.fill(); err != nil {
			return nil, err
		}
		l.batch = min(2*l.batch, maxBatch)
	}
	if l.pos == len(l.rows) {
		return nil, nil
	}
	return &l.rows[l.pos], nil
}

func (l *jobList) fill() error {
	from := l.next
	l.rows, l.pos, l.next = l.rows[:0], 0, nil
	return l.r.Scan(l.prefix, from, func(key, value []byte) bool {
		row, ok := readJobRow(key, value)
		if !ok {
			return true
		}
		if row.at < l.since {
			return false
		}
		if len(l.rows) == l.batch {
			l.next = bytes.Clone(key)
			return false
		}
		l.rows = append(l.rows, row)
		return true
	})
}

// jobLists are several lists read as one; a job that stands in more than one comes once.
type jobLists []*jobList

// take is the next job; false at the end.
func (u jobLists) take() (best jobRow, ok bool, err error) {
	for _, l := range u {
		h, err := l.head()
		if err != nil {
			return best, false, err
		}
		if h != nil && (!ok || h.before(&best)) {
			best, ok = *h, true
		}
	}
	if !ok {
		return best, false, nil
	}
	for _, l := range u {
		if l.pos < len(l.rows) && l.rows[l.pos].root == best.root && l.rows[l.pos].at == best.at {
			l.pos++
		}
	}
	return best, true, nil
}

// span is the part of a list that is wanted.
type span struct {
	since, until int64  // created_at of the request, 0 = no bound
	after        []byte // jobRow.key of the last job that was had; nil = from the beginning
}

func (s span) start(prefix []byte) []byte {
	switch {
	case s.after != nil:
		return append(append(bytes.Clone(prefix), s.after...), 0)
	case s.until != 0:
		return append(bytes.Clone(prefix), descending(s.until)...)
	}
	return prefix
}

// jobSource is one way to find jobs: the lists that together hold all that is wanted.
type jobSource struct {
	prefixes [][]byte
	proves   condition // what holds for every job in them
}

func (s *jobSource) open(r store.Reader, of span, batch int) jobLists {
	since := of.since
	if since == 0 {
		since = math.MinInt64
	}
	var u jobLists
	for _, p := range s.prefixes {
		u = append(u, &jobList{r: r, prefix: p, next: of.start(p), since: since, batch: batch})
	}
	return u
}

// probe is how far lists are read to tell which is the shortest.
const probe = 100

// shortest opens the source with the fewest jobs. Of long ones it is the one whose hundredth job is the oldest: its jobs
// are the farthest apart.
func shortest(r store.Reader, sources []jobSource, of span) (best jobLists, proves condition, err error) {
	if len(sources) == 1 {
		return sources[0].open(r, of, probe), sources[0].proves, nil
	}
	bestRows, bestAge := 0, int64(0)
	for i := range sources {
		u := sources[i].open(r, of, probe)
		rows, age := 0, int64(math.MinInt64)
		for _, l := range u {
			if err := l.fill(); err != nil {
				return nil, 0, err
			}
			rows += len(l.rows)
			if l.next != nil {
				age = max(age, l.rows[len(l.rows)-1].at)
			}
		}
		if best == nil || age < bestAge || age == bestAge && rows < bestRows {
			best, proves, bestRows, bestAge = u, sources[i].proves, rows, age
		}
	}
	return best, proves, nil
}
