package mirror

import (
	"errors"
	"maps"
	"slices"

	"dvmrelay/nip90"
)

// Followed is what following jobs comes to. Totals count since the start. It is a copy: safe to keep.
type Followed struct {
	Jobs       int               // followed now, on relays or waiting for one
	Relays     int               // connected to now, or being dialled
	Dials      uint64            // that were tried
	Refused    map[string]uint64 // addresses not dialled or not connected to, by reason
	Lost       map[string]uint64 // connections that ended early, by reason
	Accepted   uint64            // events new here
	Duplicates uint64
	Ignored    uint64            // stale, deleted or expired
	Rejected   map[string]uint64 // events, by reason
}

// Why an address is not dialled.
const (
	refusedNoRelay = "no-relay"    // no ws or wss URL, or one with a user, a query or a fragment
	refusedHidden  = "not-public"  // a name or an address that is not of the public net
	refusedOwn     = "own-address" // of this machine
	refusedPort    = "port"
	refusedTooMany = "too-many" // beyond what one job may name
)

// Why a followed relay was left, beside the words for upstreams.
const (
	reasonGuard   = "guard"
	reasonIdle    = "idle"    // it brought nothing and others waited
	reasonFlood   = "flood"   // more than one relay may send
	reasonHostile = "hostile" // too much was forged, unasked or against a rule
	reasonServes  = "refused" // it closed the subscription
)

var (
	errHostile = errors.New("relay sends what nobody asked for")
	errServes  = errors.New("relay closed the subscription")
)

func followReason(err error) string {
	switch {
	case refusalOf(err) != "":
		return reasonGuard
	case errors.Is(err, errFlood):
		return reasonFlood
	case errors.Is(err, errHostile):
		return reasonHostile
	case errors.Is(err, errServes):
		return reasonServes
	}
	return reasonOf(err)
}

// refusalOf is the word for what the guard says; empty for other errors and none.
func refusalOf(err error) string {
	switch {
	case errors.Is(err, errNoRelay):
		return refusedNoRelay
	case errors.Is(err, errNotPublic):
		return refusedHidden
	case errors.Is(err, errOwnAddress):
		return refusedOwn
	case errors.Is(err, errBadPort):
		return refusedPort
	}
	return ""
}

type followTally struct {
	jobs                                int
	dials, accepted, duplicates, ignore uint64
	refused, lost, rejected             map[string]uint64
}

func newFollowTally() followTally {
	return followTally{refused: map[string]uint64{}, lost: map[string]uint64{}, rejected: map[string]uint64{}}
}

// Following says what following comes to. Safe for concurrent use.
func (m *Mirror) Following() Followed {
	f := m.follow
	f.mu.Lock()
	defer f.mu.Unlock()
	t := &f.tally
	return Followed{
		Jobs: t.jobs, Relays: len(f.listeners), Dials: t.dials, Refused: maps.Clone(t.refused), Lost: maps.Clone(t.lost),
		Accepted: t.accepted, Duplicates: t.duplicates, Ignored: t.ignore, Rejected: maps.Clone(t.rejected),
	}
}

// Followed are the relays that were listened on for a job, as far as this process remembers: past EOSE of a subscription
// that asked for its answers. Safe for concurrent use.
func (m *Mirror) Followed(job nip90.ID) []string {
	m.follow.mu.Lock()
	defer m.follow.mu.Unlock()
	return slices.Clone(m.follow.heard.of[job])
}

// memory holds the relays that were listened on for the newest jobs, a bounded number of them.
type memory struct {
	most  int
	of    map[nip90.ID][]string
	order []nip90.ID
}

func (h *memory) note(job nip90.ID, url string) {
	list, again := h.of[job]
	if slices.Contains(list, url) {
		return
	}
	if h.of == nil {
		h.of = map[nip90.ID][]string{}
	}
	if !again {
		h.order = append(h.order, job)
		for len(h.order) > h.most {
			delete(h.of, h.order[0])
			h.order = h.order[1:]
		}
	}
	h.of[job] = append(list, url)
}

// count notes a verdict, and says whether it was a refusal. mu must not be held.
func (f *follower) count(v Verdict) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch v.Outcome {
	case Stored:
		f.tally.accepted++
	case Duplicate:
		f.tally.duplicates++
	case Ignored:
		f.tally.ignore++
	case Refused:
		if v.Reason == "" {
			v.Reason = reasonOther
		}
		f.reject(v.Reason)
	case Failed:
	}
}

// reject counts an event that was refused. mu must be held.
func (f *follower) reject(reason string) {
	if _, ok := f.tally.rejected[reason]; !ok && len(f.tally.rejected) >= maxReasons {
		reason = reasonOther
	}
	f.tally.rejected[reason]++
}
