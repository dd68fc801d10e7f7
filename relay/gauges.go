package relay

import (
	"strings"
	"sync/atomic"

	"dvmrelay/relay/live"
)

// Gauges are the relay's figures at one moment, for metrics. The maps have closed sets of keys.
type Gauges struct {
	Sockets       int64 // open now
	Subscriptions int64 // live now
	InFlight      int64 // events being judged now
	Negotiations  int64 // reconciliations open now
	NegBytes      int64 // memory that they hold
	Answering     int64 // REQ and COUNT that wait for their answer now

	Opened         int64            // sockets since the start
	RefusedSockets int64            // handshakes refused
	Dropped        map[string]int64 // sockets ended, by reason
	Messages       int64            // received
	Malformed      int64            // of those, unreadable
	BytesIn        int64
	BytesOut       int64
	Writes         int64 // system calls that sent something
	Reqs           int64
	Counts         int64
	Closed         int64 // CLOSED sent
	NegOpens       int64
	NegAnswers     int64            // NEG-MSG sent
	NegRefused     map[string]int64 // NEG-ERR sent, by prefix
	StoredSent     int64            // stored events sent
	Delivered      int64            // live events sent
	Auths          int64            // keys authenticated
	AuthFails      int64

	Verified       int64            // signatures checked
	BadSignatures  int64            // of those, wrong
	SharedChecks   int64            // events for which the check of another copy stood
	Verifying      int64            // being checked now
	Accepted       int64            // events answered with OK true, duplicates apart
	Duplicates     int64            // answered with OK true and `duplicate:`
	Refused        map[string]int64 // answered with OK false, by NIP-01 prefix
	RefusedByRule  map[string]uint64
	Live           live.Stats
	AnnounceQueued int64 // groups that wait to be told to live subscribers
}

// counts count verdicts.
type counts struct {
	accepted       atomic.Int64
	duplicates     atomic.Int64
	refusedSockets atomic.Int64
	refused        [9]atomic.Int64
}

// refusals are the labels of refused events; the last stands for whatever is none of the others.
var refusals = [...]string{"invalid", "blocked", "restricted", "rate-limited", "pow", "auth-required", "error", "unsupported", "other"}

func (c *counts) verdict(v Verdict) {
	switch {
	case v.OK && v.Reason == "":
		c.accepted.Add(1)
	case v.OK:
		c.duplicates.Add(1)
	default:
		c.refused[refusalOf(v.Reason)].Add(1)
	}
}

func refusalOf(reason string) int {
	prefix := prefixOf(reason)
	for i, name := range refusals {
		if name == prefix {
			return i
		}
	}
	return len(refusals) - 1
}

// prefixOf is the machine-readable prefix of a reason. NIP-01.
func prefixOf(reason string) string {
	prefix, _, _ := strings.Cut(reason, ":")
	return prefix
}

// Gauges reads the figures.
func (r *Relay) Gauges() Gauges {
	c := &r.counters
	g := Gauges{
		Sockets: c.Sockets.Load(), Subscriptions: c.Subscriptions.Load(), InFlight: c.InFlight.Load(), Answering: c.Answering.Load(),
		Opened: c.Opened.Load(), RefusedSockets: r.counts.refusedSockets.Load(), Dropped: c.Dropped(),
		Messages: c.Messages.Load(), Malformed: c.Malformed.Load(), BytesIn: c.BytesIn.Load(), BytesOut: c.BytesOut.Load(),
		Writes: c.Writes.Load(), Reqs: c.Reqs.Load(), Counts: c.Counts.Load(), Closed: c.Closed.Load(),
		StoredSent: c.Stored.Load(), Delivered: c.Delivered.Load(), Auths: c.Auths.Load(), AuthFails: c.AuthFails.Load(),
		Verified: r.verifier.checked.Load(), BadSignatures: r.verifier.bad.Load(), SharedChecks: r.verifier.shared.Load(), Verifying: int64(len(r.verifier.cores)),
		Accepted: r.counts.accepted.Load(), Duplicates: r.counts.duplicates.Load(), Refused: make(map[string]int64, len(refusals)),
		RefusedByRule: r.d.Policies.Counts(), Live: r.live.Stats(), AnnounceQueued: int64(len(r.announcements)),
	}
	g.Negotiations, g.NegBytes = c.Negotiations.Load(), c.NegBytes.Load()
	g.NegOpens, g.NegAnswers, g.NegRefused = c.NegOpens.Load(), c.NegAnswers.Load(), c.NegRefused()
	for i, name := range refusals {
		g.Refused[name] = r.counts.refused[i].Load()
	}
	return g
}
