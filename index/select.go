package index

import (
	"bytes"
	"cmp"
	"math"
	"slices"

	"dvmrelay/nip90"
	"dvmrelay/store"
)

// Selection is what a search asks for: events of jobs, announcements, or both. All that is set is ANDed; at least one of the
// first nine must be. NIP-50.
type Selection struct {
	Thread    nip90.ID // the job that this event belongs to, and the event itself
	State     string   // one of States
	Payment   string   // one of Payments
	Kind      int      // of the request
	Provider  nip90.PubKey
	Customer  nip90.PubKey
	Encrypted *bool
	Online    bool     // announcements of services that are alive
	Words     []string // as Words makes them: all occur in an announcement's name or description, or in a request's input

	// What the rest of the filter leaves. It narrows the work; events that do not match may still be among the answers.
	Kinds        []int // nil = any
	Since, Until int64 // created_at of the events, inclusive; 0 = no bound
	// Private: encrypted jobs are left out unless one of Readers asked for them or is addressed.
	Private bool
	Readers []nip90.PubKey
	// Work, if not nil, is what this and further selections may cost together; it is counted down. See SelectWork.
	Work *int
	Now  int64 // unix seconds, 0 = the clock of Options
}

// The bounds of one Selection; Thread alone has none.
const (
	MaxSelectedJobs   = 120   // that have events in the window
	MaxSelectedEvents = 2_000 // of all of them, counted before the rest of a filter is applied
	maxEventsOfJob    = 1_000 // oldest first
)

// SelectWork is what the selections of one question may cost together, about two full ones.
const SelectWork = 2 * maxWork

// jobSlack is how much younger than its events a request may say it is, in seconds.
const jobSlack = 60

// Place is where an event stands in the order of NIP-01.
type Place struct {
	At int64 // created_at
	ID nip90.ID
}

func (a Place) compare(b Place) int {
	if a.At != b.At {
		return cmp.Compare(b.At, a.At)
	}
	return bytes.Compare(a.ID[:], b.ID[:])
}

// Selected are events, newest first, equal times by lowest id, each once; their bodies may be gone. Unless Complete there
// are more: what is here belongs to the newest jobs.
type Selected struct {
	Places   []Place
	Complete bool
}

// Select finds the events that a search asks for. It is as safe for concurrent use as its Reader.
func (x *Index) Select(r store.Reader, q Selection) (Selected, error) {
	left := maxWork
	if q.Work != nil {
		left = min(left, *q.Work)
	}
	s := selector{q: q, finder: finder{
		lens: lens{Reader: r, x: x, now: x.now(q.Now)},
		left: left,
		want: jobWant{
			state: q.State, payment: q.Payment, kind: q.Kind, provider: q.Provider, customer: q.Customer, encrypted: q.Encrypted,
			words: q.Words, private: q.Private, readers: q.Readers,
		},
	}}
	s.out.Complete = true
	err := s.run()
	if q.Work != nil {
		*q.Work -= left - s.left
	}
	if err != nil {
		return Selected{}, err
	}
	slices.SortFunc(s.out.Places, Place.compare)
	s.out.Places = slices.Compact(s.out.Places)
	return s.out, nil
}

type selector struct {
	finder
	q   Selection
	out Selected
}

// ofJobs says whether anything is asked that only a job can be.
func (q *Selection) ofJobs() bool {
	return !q.Thread.IsZero() || q.State != "" || q.Payment != "" || q.Kind != 0 || !q.Provider.IsZero() || !q.Customer.IsZero() ||
		q.Encrypted != nil
}

// onlyThread: nothing is asked of the job but which it is.
func (q *Selection) onlyThread() bool {
	return q.State == "" && q.Payment == "" && q.Kind == 0 && q.Provider.IsZero() && q.Customer.IsZero() && q.Encrypted == nil && len(q.Words) == 0
}

func (s *selector) run() error {
	q := &s.q
	switch {
	case q.Online && q.ofJobs():
		return nil // an announcement belongs to no job
	case q.Online:
		return s.handlers()
	case !q.Thread.IsZero():
		return s.thread()
	case q.ofJobs():
		return s.jobs()
	case len(q.Words) == 0:
		return nil
	}
	forJobs := s.left / 4
	s.left -= forJobs
	if err := s.handlers(); err != nil {
		return err
	}
	s.left = max(s.left, 0) + forJobs
	return s.jobs()
}

// jobs adds the events of the jobs that are wanted.
func (s *selector) jobs() error {
	requests, members := s.roles()
	if !requests && !members {
		return nil
	}
	of := span{}
	if s.q.Until != 0 && s.q.Until < math.MaxInt64-jobSlack {
		of.until = s.q.Until + jobSlack
	}
	if !members {
		of.since, of.until, s.want.kinds = s.q.Since, s.q.Until, s.q.Kinds
	}
	found := 0
	_, more, err := s.walk(of, func(j *job) (bool, error) {
		had := len(s.out.Places)
		if found >= MaxSelectedJobs || had >= MaxSelectedEvents {
			return false, nil
		}
		err := s.events(j, maxEventsOfJob)
		if len(s.out.Places) > had {
			found++
		}
		return true, err
	})
	if more {
		s.out.Complete = false
	}
	return err
}

// roles says whether requests, and whether other events of jobs, can be among what the filter wants.
func (s *selector) roles() (requests, members bool) {
	requests = s.q.Kinds == nil || slices.ContainsFunc(s.q.Kinds, nip90.IsRequest)
	// Kind 5651 is a request's, and what some answer with.
	members = s.q.Kinds == nil || slices.ContainsFunc(s.q.Kinds, func(k int) bool { return !nip90.IsRequest(k) || k == 5651 })
	return requests, members && len(s.q.Words) == 0
}

// events adds the events of a job, at most most of them, oldest first.
func (s *selector) events(j *job, most int) error {
	requests, members := s.roles()
	if requests && j.row.is(rowSeen) && (s.q.Kinds == nil || j.row.kind == 0 || slices.Contains(s.q.Kinds, j.row.kind)) {
		s.add(Place{j.row.created, j.root})
	}
	if !members || j.row.members == 0 {
		return nil
	}
	s.left -= costScan
	prefix := keyOf(keyMember, j.root[:])
	start := prefix
	if s.q.Since > 0 {
		start = append(bytes.Clone(prefix), ascending(s.q.Since)...)
	}
	n := 0
	err := s.Scan(prefix, start, func(key, _ []byte) bool {
		id, ok := lastID(key)
		if !ok || len(key) < len(prefix)+timeLen {
			return true
		}
		if n++; n > most {
			s.out.Complete = false
			return false
		}
		return s.add(Place{ascendingTime(key[len(prefix):]), id})
	})
	s.left -= n
	return err
}

// add takes an event if it lies in the window; false when it is younger.
func (s *selector) add(p Place) bool {
	if s.q.Until != 0 && p.At > s.q.Until {
		return false
	}
	if s.q.Since == 0 || p.At >= s.q.Since {
		s.out.Places = append(s.out.Places, p)
	}
	return true
}

// thread adds the named event and all others of its job.
func (s *selector) thread() error {
	root, ok, err := s.x.Root(s, s.q.Thread)
	if err != nil {
		return err
	}
	j := job{root: root}
	if ok {
		if j.row, _, err = readThread(s, root); err != nil {
			return err
		}
	}
	if may, err := s.known(&j); err != nil || !may {
		return err
	}
	if s.q.onlyThread() {
		f, here, err := s.Fact(s.q.Thread)
		if err != nil {
			return err
		}
		if here {
			s.add(Place{f.CreatedAt, f.ID})
		}
		if !ok {
			return nil
		}
		return s.events(&j, math.MaxInt)
	}
	if !ok || !j.row.is(rowSeen) {
		return nil
	}
	found, ok, err := s.judge(&jobRow{at: j.row.created, root: root})
	if err != nil || !ok {
		return err
	}
	return s.events(&found, math.MaxInt)
}
