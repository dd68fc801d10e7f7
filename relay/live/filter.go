package live

import (
	"crypto/sha256"
	"fmt"
	"math"
	"slices"
	"strings"

	"dvmrelay/nip90"

	"github.com/nbd-wtf/go-nostr"
)

// Filter is a filter of NIP-01 and what was read from its search. The conditions are ANDed. Threads, like every list of
// nostr.Filter, constrains nothing when nil and matches nothing when empty.
type Filter struct {
	nostr.Filter
	// Threads wants the events of these threads: those with one of them among their roots, and those themselves. When an
	// event named here arrives and belongs to another thread, that thread is followed from then on.
	Threads []nip90.ID
	// Job wants the events of jobs like this.
	Job *Job
	// Extra, if not nil, is asked last. It is called while the index is locked for matching: it must be quick, must not
	// block and must not call the index.
	Extra func(Event) bool
}

// Job is what is asked of the job that an event belongs to; zero fields ask nothing. One that asks nothing at all matches
// events of no job too, and only sees to it that Event.Jobs is filled in for Extra.
type Job struct {
	Provider  nip90.PubKey // has answered it
	Customer  nip90.PubKey
	Kind      int // of the request
	Encrypted *bool
}

func (j *Job) matches(e *Event) bool {
	if *j == (Job{}) {
		return true
	}
	for i := range e.Jobs {
		o := &e.Jobs[i]
		if (j.Customer.IsZero() || j.Customer == o.Customer) && (j.Kind == 0 || j.Kind == o.Kind) &&
			(j.Encrypted == nil || *j.Encrypted == o.Encrypted) &&
			(j.Provider.IsZero() || slices.Contains(o.Providers, j.Provider)) {
			return true
		}
	}
	return false
}

// Values counts the values in filters: ids, authors, kinds, tag values, threads, and what is asked of jobs as one.
func Values(filters []Filter) int {
	n := 0
	for i := range filters {
		f := &filters[i]
		n += len(f.IDs) + len(f.Authors) + len(f.Kinds) + len(f.Threads)
		if f.Job != nil {
			n++
		}
		for _, values := range f.Tags {
			n += len(values)
		}
	}
	return n
}

// matcher is a filter made ready. It keeps no string of the filter that it was made from.
type matcher struct {
	since, until int64
	kinds        kindSet
	ids          exactSet
	authors      exactSet
	threads      exactSet
	tags         []tagSet
	job          *Job
	extra        func(Event) bool
}

// tagSet is the wanted values of one letter. Values of 64 lowercase hex characters are kept as 32 bytes, long ones as
// their hash, others as they are, sorted.
type tagSet struct {
	letter byte
	exact  exactSet
	long   exactSet
	texts  []string
}

func (t *tagSet) size() int { return t.exact.size() + t.long.size() + len(t.texts) }

// longest is up to which length in bytes a tag's value is kept as it is.
const longest = 64

// compile makes a matcher. It is nil for a filter that can match nothing.
func compile(f *Filter) (*matcher, error) {
	m := &matcher{since: math.MinInt64, until: math.MaxInt64, extra: f.Extra}
	if f.Since != nil {
		m.since = int64(*f.Since)
	}
	if f.Until != nil {
		m.until = int64(*f.Until)
	}
	if f.Job != nil {
		job := *f.Job
		m.job = &job
	}
	possible := m.since <= m.until
	for _, list := range []struct {
		name string
		from []string
		to   *exactSet
	}{{"ids", f.IDs, &m.ids}, {"authors", f.Authors, &m.authors}} {
		for _, s := range list.from {
			v, ok := nip90.ParseID(s)
			if !ok {
				return nil, fmt.Errorf("%w: %s holds what is not 64 lowercase hex characters", ErrUnreadable, list.name)
			}
			list.to.add(v)
		}
		possible = possible && (list.from == nil || len(list.from) > 0)
	}
	for _, id := range f.Threads {
		m.threads.add(id)
	}
	possible = possible && (f.Threads == nil || len(f.Threads) > 0)
	for _, kind := range f.Kinds {
		if kind >= 0 && kind <= math.MaxUint16 {
			m.kinds.add(kind)
		}
	}
	possible = possible && (f.Kinds == nil || m.kinds.set)
	for name, values := range f.Tags {
		if len(name) != 1 || name[0] >= hashed || name[0] <= dimLast {
			return nil, fmt.Errorf("%w: tag %q is not one letter", ErrUnreadable, name)
		}
		if values == nil {
			continue
		}
		m.tags = append(m.tags, newTagSet(name[0], values))
		possible = possible && len(values) > 0
	}
	if !possible {
		return nil, nil
	}
	return m, nil
}

func newTagSet(letter byte, values []string) tagSet {
	t := tagSet{letter: letter}
	for _, s := range values {
		if v, ok := nip90.ParseID(s); ok {
			t.exact.add(v)
		} else if len(s) > longest {
			t.long.add(sha256.Sum256([]byte(s)))
		} else {
			t.texts = append(t.texts, strings.Clone(s))
		}
	}
	slices.Sort(t.texts)
	t.texts = slices.Compact(t.texts)
	return t
}

// tag is the set of one letter, nil if the filter does not name it.
func (m *matcher) tag(letter byte) *tagSet {
	for i := range m.tags {
		if m.tags[i].letter == letter {
			return &m.tags[i]
		}
	}
	return nil
}

// longs is how many values are known by their hash.
func (m *matcher) longs() int {
	n := 0
	for i := range m.tags {
		n += m.tags[i].long.size()
	}
	return n
}

// matches holds an event against the whole filter. The tag by which the entry was found needs no second look: being
// found under one of its values is the proof.
func (e *entry) matches(v *view) bool {
	p := v.event.Parsed
	if p.CreatedAt < e.since || p.CreatedAt > e.until ||
		e.kinds.set && !e.kinds.has(p.Event.Kind) ||
		e.ids.set && !e.ids.has(p.ID) ||
		e.authors.set && !e.authors.has(p.Author) ||
		e.threads.set && !e.inThreads(&v.event) ||
		e.job != nil && !e.job.matches(&v.event) {
		return false
	}
	for i := range e.tags {
		t := &e.tags[i]
		if e.via.space == spaceExact && e.via.dim == t.letter {
			continue
		}
		if !v.hasAny(t) {
			return false
		}
	}
	return e.extra == nil || e.extra(v.event)
}

func (m *matcher) inThreads(e *Event) bool {
	if m.threads.has(e.Parsed.ID) {
		return true
	}
	for _, root := range e.Roots {
		if m.threads.has(root) {
			return true
		}
	}
	return false
}
