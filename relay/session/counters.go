package session

import "sync/atomic"

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
	Auths     atomic.Int64 // keys authenticated
	AuthFails atomic.Int64

	dropped [drops]atomic.Int64
}

// Dropped is how many sockets ended for each reason.
func (c *Counters) Dropped() map[string]int64 {
	m := make(map[string]int64, drops)
	for d := Drop(0); d < drops; d++ {
		m[d.String()] = c.dropped[d].Load()
	}
	return m
}
