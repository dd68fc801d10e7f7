package session

import (
	"slices"
	"strings"
	"sync/atomic"
)

// Drop is why a socket ended.
type Drop uint8

// The reasons. The first two are the peer's own doing and no fault.
const (
	DropLeft      Drop = iota // the peer closed, or its connection broke
	DropShutdown              // the relay is going down
	DropProtocol              // it broke RFC 6455
	DropBinary                // it sent a binary frame
	DropTooBig                // a message over the limit
	DropFragments             // a message in too many frames
	DropNonsense              // three unreadable frames in a row
	DropSilent                // no answer to a ping
	DropSlowFrame             // a frame that never got finished
	DropSlowWrite             // it did not take what it had asked for within the write deadline
	DropOverflow              // more live events than it read
	drops
)

var dropNames = [drops]string{
	"left", "shutdown", "protocol", "binary", "too-big", "fragments", "nonsense", "silent", "slow-frame", "slow-write", "overflow",
}

// String is the label of metrics.
func (d Drop) String() string {
	if d < drops {
		return dropNames[d]
	}
	return "other"
}

// Counters count what all sessions of one relay do. All methods are safe for concurrent use.
type Counters struct {
	Sockets       atomic.Int64 // open now
	Opened        atomic.Int64
	Subscriptions atomic.Int64 // live now
	InFlight      atomic.Int64 // events being judged now
	Answering     atomic.Int64 // REQ and COUNT being answered or waiting for it now

	Messages  atomic.Int64 // received
	Malformed atomic.Int64 // of those, unreadable
	BytesIn   atomic.Int64
	BytesOut  atomic.Int64
	Writes    atomic.Int64 // system calls that sent something
	Stored    atomic.Int64 // stored events sent as answers
	Delivered atomic.Int64 // live events sent
	Reqs      atomic.Int64
	Counts    atomic.Int64
	Closed    atomic.Int64 // CLOSED sent
	NegOpens  atomic.Int64
	Auths     atomic.Int64 // keys authenticated
	AuthFails atomic.Int64

	Negotiations atomic.Int64 // open now
	NegBytes     atomic.Int64 // memory that they hold
	NegAnswers   atomic.Int64 // NEG-MSG sent

	dropped    [drops]atomic.Int64
	negRefused [len(negReasons)]atomic.Int64
}

// negReasons are the labels of NEG-ERR; the last stands for whatever is none of the others.
var negReasons = [...]string{"blocked", "closed", "invalid", "restricted", "auth-required", "rate-limited", "unsupported", "error", "other"}

// negRefusal counts a NEG-ERR by the prefix of its reason.
func (c *Counters) negRefusal(reason string) {
	prefix, _, _ := strings.Cut(reason, ":")
	i := slices.Index(negReasons[:], prefix)
	if i < 0 {
		i = len(negReasons) - 1
	}
	c.negRefused[i].Add(1)
}

// NegRefused is how many NEG-ERR were sent, by the prefix of their reason.
func (c *Counters) NegRefused() map[string]int64 {
	m := make(map[string]int64, len(negReasons))
	for i, name := range negReasons {
		m[name] = c.negRefused[i].Load()
	}
	return m
}

// Dropped is how many sockets ended for each reason.
func (c *Counters) Dropped() map[string]int64 {
	m := make(map[string]int64, drops)
	for d := Drop(0); d < drops; d++ {
		m[d.String()] = c.dropped[d].Load()
	}
	return m
}
