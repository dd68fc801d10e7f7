package mirror

import (
	"maps"
	"slices"
	"sync"
	"time"
)

// State words of an upstream.
const (
	StateConnecting  = "connecting"
	StateBackfilling = "backfilling" // live, and still reading what was published before
	StateLive        = "live"        // nothing is known to be missing
	StateRefused     = "refused"     // connected, but it does not serve what is asked
	StateWaiting     = "waiting"     // unreachable or lost; tried again later
	StatePaused      = "paused"      // left alone until PausedUntil, since it lied
)

// Status is what an upstream looks like from here. Times are unix seconds. It is a copy: safe to keep.
type Status struct {
	URL         string            `json:"url"`
	State       string            `json:"state"`
	Reason      string            `json:"reason,omitempty"`        // one word on why it is not live
	HeardSince  int64             `json:"heard_since,omitempty"`   // connected and subscribed since then, without a break
	LastEventAt int64             `json:"last_event_at,omitempty"` // when an event last came, wanted or not
	LagSeconds  int64             `json:"lag_seconds"`             // how long ago it was last heard completely; 0 while live
	Accepted    uint64            `json:"accepted"`
	Duplicates  uint64            `json:"duplicates"`
	Ignored     uint64            `json:"ignored"` // stale, deleted or expired
	Waiting     uint64            `json:"waiting"` // kept until what they are about arrives, whether it came since or not
	Rejected    map[string]uint64 `json:"rejected"`
	Connects    uint64            `json:"connects"`
	Backfill    *Backfill         `json:"backfill,omitempty"` // absent until the first connection
	Gaps        []Gap             `json:"gaps,omitempty"`     // the newest since it was first heard, oldest first, at most 20

	Strikes     int              `json:"strikes"`                // faults in the last ten minutes; from 1,000 on it is paused
	PausedUntil int64            `json:"paused_until,omitempty"` // while it is paused
	Bytes       uint64           `json:"bytes"`                  // of messages received
	SlowedMS    int64            `json:"slowed_ms"`              // how long reading waited for its budget, in milliseconds
	Unheard     map[string]int64 `json:"unheard,omitempty"`      // seconds of the last day in which it was not heard, by Gap.Why

	slowed time.Duration
	Parts  []PartStatus `json:"parts,omitempty"` // of what is asked, while connected
}

// unheardTime is how far back Status.Unheard reaches.
const unheardTime = 24 * time.Hour

// maxGaps bounds Status.Gaps.
const maxGaps = 20

// Backfill is how far the past of an upstream was read: everything since Until, or everything asked for when Done.
type Backfill struct {
	Done  bool  `json:"done"`
	Until int64 `json:"until,omitempty"`
	// How says how the last window was read: HowReconciled or HowPages.
	How string `json:"how,omitempty"`
	// Why says in one word why it was read page by page.
	Why      string `json:"why,omitempty"`
	Compared uint64 `json:"compared"` // windows read by NIP-77
	Faults   uint64 `json:"faults"`   // windows in which NIP-77 failed; what is in them was read page by page
}

// maxReasons bounds the words under which refusals are counted.
const maxReasons = 32

// Words under which the mirror itself refuses.
const (
	reasonID       = "bad-id"
	reasonShape    = "malformed"
	reasonAbsent   = "not-given" // it told an id and did not give the event
	reasonUnasked  = "unasked"
	reasonOther    = "other"
	reasonAuth     = "auth-required"
	reasonClosed   = "closed"
	reasonDial     = "unreachable"
	reasonDNS      = "dns"
	reasonTLS      = "tls"
	reasonLost     = "connection-lost"
	reasonSilent   = "silent"
	reasonEndless  = "endless"
	reasonSlow     = "too-slow"
	reasonTooBig   = "message-too-big"
	reasonBinary   = "binary"
	reasonLimit    = "limit-ignored"
	reasonSink     = "not-taken"
	reasonProgress = "progress-not-saved"
)

// tally is the live side of a Status.
type tally struct {
	mu    sync.Mutex // guards below
	s     Status
	heard int64 // unix seconds when it last ceased to be live, 0 = never yet
	marks map[string]mark
	read  Backfill // how the last window was read; the rest is worked out when somebody asks
}

func newTally(url string) *tally {
	return &tally{s: Status{URL: url, State: StateConnecting, Rejected: map[string]uint64{}}, marks: map[string]mark{}}
}

func (t *tally) update(fn func(*Status)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	fn(&t.s)
}

func (t *tally) count(v Verdict) {
	t.update(func(s *Status) {
		switch v.Outcome {
		case Stored:
			s.Accepted++
		case Duplicate:
			s.Duplicates++
		case Ignored:
			if v.Reason == ReasonWaiting {
				s.Waiting++
			} else {
				s.Ignored++
			}
		case Refused:
			if v.Reason == "" {
				v.Reason = reasonOther
			}
			refuse(s, v.Reason)
		case Failed:
		}
	})
}

func (t *tally) refuse(reason string) { t.update(func(s *Status) { refuse(s, reason) }) }

func refuse(s *Status, reason string) {
	if _, ok := s.Rejected[reason]; !ok && len(s.Rejected) >= maxReasons {
		reason = reasonOther
	}
	s.Rejected[reason]++
}

// progress notes how far a part came.
func (t *tally) progress(part string, m mark) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.marks[part] = m
}

// only forgets the progress of parts that are read no more.
func (t *tally) only(reaches []*reach) {
	t.mu.Lock()
	defer t.mu.Unlock()
	maps.DeleteFunc(t.marks, func(part string, _ mark) bool {
		return !slices.ContainsFunc(reaches, func(r *reach) bool { return r.part.name == part })
	})
}

// wasRead notes how a window is read and why so.
func (t *tally) wasRead(how, why string, fault bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.read.How, t.read.Why = how, why
	switch {
	case fault:
		t.read.Faults++
	case how == HowReconciled:
		t.read.Compared++
	}
}

// absent counts events that were told of and not given. A few are gone in the meantime everywhere.
func (t *tally) absent(n int) {
	for range n {
		t.refuse(reasonAbsent)
	}
}

// lost notes that it is no longer heard.
func (t *tally) lost(at time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.heard = at.Unix()
}

func (t *tally) snapshot(now time.Time) Status {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.s
	s.Rejected, s.SlowedMS, s.Parts = maps.Clone(t.s.Rejected), t.s.slowed.Milliseconds(), t.s.parts()
	if len(t.marks) == 0 {
		return s
	}
	b := t.read
	b.Done = true
	heard := int64(0)
	for _, m := range t.marks {
		if w, ok := m.next(); ok {
			b.Done = false
			b.Until = max(b.Until, w.Until)
		}
		if heard == 0 || m.Heard < heard {
			heard = m.Heard
		}
	}
	s.Backfill = &b
	switch {
	case s.State == StateLive && !b.Done:
		s.State = StateBackfilling
	case s.State != StateLive:
		s.LagSeconds = max(0, now.Unix()-max(heard, t.heard))
	}
	return s
}
