package index

import (
	"cmp"
	"slices"

	"dvmrelay/nip90"
	"dvmrelay/store"
)

const (
	// needsUnanswered and needsPaid are how far back Needs looks, in seconds: who waits longer has been given up.
	needsUnanswered = 3600
	needsPaid       = daySeconds
	// leftUnanswered and leftPaid are what its two walks may cost, as maxWork.
	leftUnanswered = 3000
	leftPaid       = 6000
	// maxNeeds is how many jobs it names, maxNeedsPaid of them paid ones unless there is room.
	maxNeeds     = 8
	maxNeedsPaid = 4
	// Of the unanswered jobs, of how many it is looked whom they address, and for how many kinds who serves them.
	needsLooked = 24
	needsKinds  = 8
)

// The reasons of a Need, the most urgent first.
const (
	NeedPaid       = "paid-no-result"
	NeedOffline    = "addressed-provider-offline"
	NeedNoProvider = "no-provider-for-kind"
	NeedUnanswered = "unanswered"
)

// Needs are jobs that somebody should look at: paid within a day without a result, or asked within the last hour and not
// answered for unanswered_after.
type Needs struct {
	After          int64  `json:"unanswered_after"` // seconds
	Unanswered     int    `json:"unanswered"`
	UnansweredMore bool   `json:"unanswered_more"` // there may be more than were counted
	Paid           int    `json:"paid"`
	PaidMore       bool   `json:"paid_more"`
	Items          []Need `json:"items"` // the most urgent ones
}

// Need is a job that somebody should look at. Unanswered jobs of a kind that suffer from the same are one Need: the one
// that waits the longest.
type Need struct {
	ID          nip90.ID `json:"id"`
	Kind        int      `json:"kind"`
	KindName    string   `json:"kind_name,omitempty"`
	Why         string   `json:"why"`   // one of the Need constants
	Since       int64    `json:"since"` // silent, or unanswered; unix seconds
	Jobs        int      `json:"jobs"`  // that are like this one, itself among them
	ClaimedMsat int64    `json:"claimed_msat,omitempty"`
	Provider    string   `json:"provider,omitempty"`     // who was paid, or is addressed
	LastSeenAt  int64    `json:"last_seen_at,omitempty"` // of the addressed provider; absent when it was never seen
}

// Needs looks for jobs that somebody should look at, now.
func (x *Index) Needs(r store.Reader) (Needs, error) {
	l := lens{Reader: r, x: x, now: x.now(0)}
	out := Needs{After: x.unansweredAfter(), Items: []Need{}}
	paid, more, err := l.paidJobs()
	if err != nil {
		return out, err
	}
	out.Paid, out.PaidMore = len(paid), more
	waiting, more, err := l.waitingJobs()
	if err != nil {
		return out, err
	}
	out.Unanswered, out.UnansweredMore = len(waiting), more
	rest, err := l.unserved(waiting)
	if err != nil {
		return out, err
	}
	own := min(len(paid), max(maxNeedsPaid, maxNeeds-len(rest)), maxNeeds)
	for i := range paid[:own] {
		n, err := l.paidNeed(&paid[i])
		if err != nil {
			return out, err
		}
		out.Items = append(out.Items, n)
	}
	out.Items = append(out.Items, rest[:min(len(rest), maxNeeds-own)]...)
	return out, nil
}

// paidJobs are the jobs of a day with a claimed payment, no result of anybody and silence.
func (l *lens) paidJobs() (list []job, more bool, err error) {
	claimed := jobSource{prefixes: [][]byte{{keyClass, classClaimed}}}
	lists := claimed.open(l, span{since: l.now - needsPaid}, probe)
	f := finder{lens: *l, left: leftPaid, want: jobWant{payment: payUndelivered.String()}}
	for {
		at, ok, err := lists.take()
		if err != nil || !ok || f.left <= 0 {
			return list, ok, err
		}
		f.left--
		j, ok, err := f.current(at.root)
		if err != nil {
			return list, false, err
		}
		if !ok || j.row.results > 0 { // which most have
			continue
		}
		if ok, err = f.paid(&j); err != nil {
			return list, false, err
		}
		if ok {
			list = append(list, j)
		}
	}
}

// waitingJobs are the jobs of an hour that nobody answered in time.
func (l *lens) waitingJobs() (list []job, more bool, err error) {
	of := span{since: l.now - needsUnanswered, until: l.now - l.x.unansweredAfter()}
	if of.since > of.until {
		return nil, false, nil
	}
	f := finder{lens: *l, left: leftUnanswered, want: jobWant{state: StateUnanswered}}
	_, more, err = f.walk(of, func(j *job) (bool, error) {
		if j.row.claims == 0 {
			list = append(list, *j)
		}
		return true, nil
	})
	return list, more, err
}

func (l *lens) paidNeed(j *job) (Need, error) {
	n := Need{ID: j.root, Kind: j.row.kind, KindName: nip90.KindName(j.row.kind), Why: NeedPaid, Jobs: 1}
	err := eachSide(l, j.root, j.folded, func(pk nip90.PubKey, s *sideRow) bool {
		if s.payment(l.now, l.x.stalledAfter()) == payUndelivered {
			n.ClaimedMsat += max(s.claimed, 0)
			if s.heard() > n.Since {
				n.Since, n.Provider = s.heard(), shown(pk)
			}
		}
		return true
	})
	return n, err
}

// unserved says what the jobs that nobody answered suffer from. They come newest first.
func (l *lens) unserved(jobs []job) (list []Need, err error) {
	w := reasons{lens: l, signs: make(map[nip90.PubKey]pulse)}
	known := make(map[int]bool)
	at := make(map[Need]int) // alike, by what they have in common
	looked := 0
	for i := range jobs {
		j := &jobs[i]
		n := Need{ID: j.root, Kind: j.row.kind, KindName: nip90.KindName(j.row.kind), Why: NeedUnanswered, Since: j.row.created, Jobs: 1}
		w.o = &opened{Thread: Thread{ID: j.root, Kind: j.row.kind, CreatedAt: j.row.created}, row: j.row}
		switch {
		case !j.row.is(rowAddressed):
			err = w.lonely(&n, known)
		case looked < needsLooked:
			looked++
			err = w.missing(&n)
		}
		if err != nil {
			return nil, err
		}
		alike := Need{Kind: n.Kind, Why: n.Why, Provider: n.Provider}
		if before, ok := at[alike]; ok {
			n.Jobs += list[before].Jobs
			list[before] = n
			continue
		}
		at[alike] = len(list)
		list = append(list, n)
	}
	order := []string{NeedOffline, NeedNoProvider, NeedUnanswered}
	slices.SortStableFunc(list, func(a, b Need) int {
		return cmp.Or(cmp.Compare(slices.Index(order, a.Why), slices.Index(order, b.Why)), cmp.Compare(a.Since, b.Since))
	})
	return list, nil
}

// missing says whether all that the job addresses are gone; of them the one that was seen last stands for all.
func (w *reasons) missing(n *Need) error {
	f, ok, err := w.Fact(n.ID)
	if err != nil || !ok {
		return err
	}
	people, err := providersAmong(w, f.People)
	if err != nil {
		return err
	}
	var best pulse
	var who nip90.PubKey
	for _, pk := range people {
		life, err := w.life(pk)
		if err != nil {
			return err
		}
		if !w.offline(&life) {
			return nil
		}
		if who.IsZero() || life.at > best.at {
			best, who = life, pk
		}
	}
	if who.IsZero() {
		return nil
	}
	n.Why, n.Provider, n.LastSeenAt = NeedOffline, who.String(), best.at
	return nil
}

// lonely says whether nobody is known who serves the job's kind.
func (w *reasons) lonely(n *Need, known map[int]bool) error {
	served, looked := known[n.Kind]
	if !looked {
		if len(known) == needsKinds {
			return nil
		}
		var err error
		if served, err = w.served(n.Kind); err != nil {
			return err
		}
		known[n.Kind] = served
	}
	if !served {
		n.Why = NeedNoProvider
	}
	return nil
}

// served says whether a kind is announced by somebody, or one of its last jobs was answered; true also when that cannot
// be told.
func (w *reasons) served(kind int) (bool, error) {
	answered, _, err := w.everServed(kind)
	if err != nil || answered {
		return true, err
	}
	supply, whole, err := w.supply(kind, 1)
	return len(supply) > 0 || !whole, err
}
