package month

import (
	"bytes"
	"cmp"
	"math"
	"slices"
	"time"

	"dvmrelay/nip90"
)

// Reference says what is to be said of a list of events, in the plainest way. It is not safe for concurrent use.
type Reference struct {
	UnansweredAfter, StalledAfter time.Duration

	facts []fact
	seen  map[nip90.ID]bool
}

// NewReference makes a reference with the default delays.
func NewReference() *Reference {
	return &Reference{UnansweredAfter: 10 * time.Minute, StalledAfter: 10 * time.Minute, seen: make(map[nip90.ID]bool)}
}

// Add takes an event; one that it has changes nothing.
func (r *Reference) Add(p *nip90.Parsed) {
	if !r.seen[p.ID] {
		r.seen[p.ID] = true
		r.facts = append(r.facts, factOf(p))
	}
}

// Len is the number of distinct events.
func (r *Reference) Len() int { return len(r.facts) }

// Job is a request with everything that is about it; or, when Seen is false, answers whose request is not here.
type Job struct {
	Root      nip90.ID
	Seen      bool
	Kind      int
	Customer  nip90.PubKey
	CreatedAt int64
	Expires   int64
	Addressed []nip90.PubKey
	Cancelled bool
	Members   []nip90.ID // oldest first, without the request
	Loose     nip90.ID   // a cancel of so many jobs that it need not be a member
	Sides     map[nip90.PubKey]*Side
	Silence   int64      // the newest answer or payment
	From, To  []nip90.ID // jobs that this one builds on, and that build on it, the latter in the order of their ids

	State   string
	Stalled bool
	Payment string

	Answers, Results, Feedbacks, Errors int64
	Asked, Claimed                      int64
	Claims                              int64

	members []*fact
}

// Side is one provider's part in a job.
type Side struct {
	State, Payment                      string
	Answers, Results, Feedbacks, Errors int64
	FirstFeedback, FirstResult          int64 // 0 = none
	HasAsk                              bool
	Asked, Claimed, Refunded            int64
	Claims, Refunds                     int64
	InvoiceExpires                      int64
	PaidAt                              int64

	last    int64
	said    *fact
	ask     *fact
	claimed map[string]bool
	given   map[string]bool
}

// View is everything as it stands at one time.
type View struct {
	Now  int64
	Jobs map[nip90.ID]*Job
	// Gone are keys that were forgotten.
	Gone map[nip90.PubKey]int64

	list     []*Job // of Jobs, in no order
	ref      *Reference
	facts    map[nip90.ID]*fact
	placed   map[nip90.ID]nip90.ID
	erased   []*fact                     // requests of who was forgotten
	mentions map[nip90.ID][]nip90.PubKey // who ever answered with this job among the candidates
}

// At works everything out as it is seen at now.
func (r *Reference) At(now time.Time) *View {
	v := &View{
		Now: now.Unix(), Jobs: make(map[nip90.ID]*Job), Gone: make(map[nip90.PubKey]int64), ref: r,
		facts: make(map[nip90.ID]*fact), placed: make(map[nip90.ID]nip90.ID), mentions: make(map[nip90.ID][]nip90.PubKey),
	}
	for i := range r.facts {
		if f := &r.facts[i]; f.vanish {
			v.Gone[f.author] = max(v.Gone[f.author], f.at)
		}
	}
	for i := range r.facts {
		f := &r.facts[i]
		if f.answer() {
			for _, id := range f.links {
				v.mentions[id] = append(v.mentions[id], f.author)
			}
		}
		switch until, gone := v.Gone[f.author]; {
		case !gone || f.at > until || f.vanish:
			v.facts[f.id] = f
		case f.role == nip90.RoleRequest:
			v.erased = append(v.erased, f)
		}
	}
	v.requests()
	v.answers()
	v.followers()
	v.chains()
	for _, j := range v.Jobs {
		v.fold(j)
		v.list = append(v.list, j)
	}
	return v
}

func (v *View) requests() {
	for _, f := range v.facts {
		if f.role == nip90.RoleRequest {
			v.Jobs[f.id] = &Job{
				Root: f.id, Seen: true, Kind: f.kind, Customer: f.author, CreatedAt: f.at, Expires: f.expires, Addressed: f.named,
				From: f.chained,
			}
		}
	}
}

func (v *View) chains() {
	for _, f := range v.facts {
		for _, id := range f.chained {
			if j := v.Jobs[id]; j != nil {
				j.To = append(j.To, f.id)
			}
		}
	}
	for _, j := range v.Jobs {
		slices.SortFunc(j.To, func(a, b nip90.ID) int { return bytes.Compare(a[:], b[:]) })
	}
}

// answers belong to the first job they name that is here; while none is, to the first they name; naming none, to
// themselves.
func (v *View) answers() {
	for _, f := range v.facts {
		if !f.answer() {
			continue
		}
		root := f.id
		if len(f.links) > 0 {
			root = f.links[0]
		}
		for i := len(f.links) - 1; i >= 0; i-- {
			if o := v.facts[f.links[i]]; o != nil && o.role == nip90.RoleRequest {
				root = o.id
			}
		}
		// A result that does not say which job it means belongs to one of its kind, if it names one.
		if f.role == nip90.RoleResult && !f.sure {
			for i := len(f.links) - 1; i >= 0; i-- {
				if o := v.facts[f.links[i]]; o != nil && o.role == nip90.RoleRequest && o.kind+1000 == f.kind {
					root = o.id
				}
			}
		}
		v.placed[f.id] = root
	}
	for id, root := range v.placed {
		v.join(root, v.facts[id])
	}
}

func (v *View) join(root nip90.ID, f *fact) {
	j := v.Jobs[root]
	if j == nil {
		j = &Job{Root: root}
		v.Jobs[root] = j
	}
	j.members = append(j.members, f)
}

// followers are payments and reports, which belong where the first thing belongs that they name and that is here; and
// cancels, which belong to every job of their author that they name.
func (v *View) followers() {
	for _, f := range v.facts {
		switch {
		case f.pays() || f.role == nip90.RoleReport:
			for _, id := range f.links {
				o := v.facts[id]
				if o == nil {
					continue
				}
				if o.role == nip90.RoleRequest {
					v.join(o.id, f)
					break
				}
				if o.answer() {
					v.join(v.placed[o.id], f)
					break
				}
			}
		case f.role == nip90.RoleCancel:
			for i, id := range f.links {
				if j := v.Jobs[id]; j != nil && j.Seen && j.Customer == f.author && !slices.Contains(f.links[:i], id) {
					v.join(id, f)
					j.Cancelled = true
				}
			}
		}
	}
}

func (v *View) fold(j *Job) {
	slices.SortFunc(j.members, func(a, b *fact) int {
		return cmp.Or(cmp.Compare(a.at, b.at), bytes.Compare(a.id[:], b.id[:]))
	})
	j.Sides = make(map[nip90.PubKey]*Side)
	for _, f := range j.members {
		j.Members = append(j.Members, f.id)
		switch {
		case f.role == nip90.RoleCancel && len(f.links) > 10:
			j.Loose = f.id
		case f.answer():
			j.Silence = f.at
			j.side(f.author).hear(f)
		case f.pays():
			j.Silence = f.at
			j.pay(f)
		}
	}
	for _, s := range j.Sides {
		s.State = s.state()
		s.Payment = v.sidePayment(s)
		j.Answers += s.Answers
		j.Results += s.Results
		j.Feedbacks += s.Feedbacks
		j.Errors += s.Errors
		j.Asked = plus(j.Asked, s.Asked)
		j.Claimed = plus(j.Claimed, s.Claimed)
		j.Claims += s.Claims
	}
	j.State = v.state(j)
	j.Stalled = v.stalled(j)
	j.Payment = payment(j)
}

// plus is the sum, as far as it fits.
func plus(a, b int64) int64 {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}

func (j *Job) side(key nip90.PubKey) *Side {
	s := j.Sides[key]
	if s == nil {
		s = &Side{claimed: make(map[string]bool), given: make(map[string]bool)}
		j.Sides[key] = s
	}
	return s
}
