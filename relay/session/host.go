package session

import (
	"context"
	"log/slog"
	"time"

	"dvmrelay/index"
	"dvmrelay/nip90"
	"dvmrelay/relay/live"
	"dvmrelay/store"
	"dvmrelay/wire"

	"github.com/nbd-wtf/go-nostr"
)

// Options are what one socket may do. Zero means no bound, unless a field says otherwise.
type Options struct {
	URL             string        // the relay's own address; empty: NIP-42 is off
	MaxMessage      int           // bytes; 0 = 128 MiB
	Subscriptions   int           // live at once
	LiveValues      int           // filter values of all live subscriptions
	LiveQueueBytes  int64         // live events that wait for a slow reader
	MaxInFlight     int           // events being judged at once; 0 = 256
	WriteDeadline   time.Duration // for one write; 0 = none
	MessageDeadline time.Duration // from the first to the last byte of a message; 0 = none
	PingInterval    time.Duration // of silence before a ping; 0 = no pings
	PongWait        time.Duration // for the answer
	EOSEHint        bool          // NIP-67
	SealedReads     bool          // encrypted jobs are read by author and `p` only
	Negentropy      bool          // NIP-77
	NegSessions     int           // reconciliations open at once
	NegItems        int           // events that one of them may compare
	NegBytes        int64         // memory that those of all sockets may hold
	Frame           wire.Limits
}

// unlimited stands in for no bound on a message.
const unlimited = 128 << 20

// defaultInFlight is how many events of one socket are judged at once.
const defaultInFlight = 256

func (o Options) withDefaults() Options {
	if o.MaxMessage <= 0 {
		o.MaxMessage = unlimited
	}
	if o.MaxInFlight <= 0 {
		o.MaxInFlight = defaultInFlight
	}
	return o
}

// Slots bound what all sockets together have under way.
type Slots interface {
	Acquire(ctx context.Context, n int64) error
	Release(n int64)
}

// Store opens views of what is stored.
type Store interface{ Snapshot() store.Snapshot }

// Query is one filter as it is served: with its limit bounded, and its search read.
type Query struct {
	nostr.Filter
	Wanted *index.Selection // what the search field asks for; nil when there is none
}

// thread is the event whose thread is asked for; zero when none is.
func (q *Query) thread() nip90.ID {
	if q.Wanted == nil {
		return nip90.ID{}
	}
	return q.Wanted.Thread
}

// Host is what every session of a relay shares. It is immutable once a session runs; everything in it is safe for
// concurrent use. All fields but Gated, TooSlow and Spent are required.
type Host struct {
	Options  Options
	Counters *Counters
	Store    Store
	Live     *live.Index
	Slots    Slots
	// Gatherers bound how many sets are made for reconciliations at once.
	Gatherers Slots
	Now       func() time.Time
	Log       *slog.Logger

	// Submit judges and stores an event. It calls turn.Wait before it queues the event and turn.Pass after.
	Submit func(ctx context.Context, p *nip90.Parsed, turn *Turn) Verdict
	// Verify checks a signature, in turn with everybody else's.
	Verify func(ctx context.Context, evt *nostr.Event, id [32]byte) (bool, error)
	// Admit counts a REQ, COUNT or NEG-OPEN and reads its filters. The error is a *policies.Rejection.
	Admit func(ctx context.Context, filters []nostr.Filter) ([]Query, error)

	// Roots are the threads that an event belongs to, as far as they are known; empty when the event is not.
	Roots func(r store.Reader, id nip90.ID) ([]nip90.ID, error)
	// Select finds the events that a search asks for.
	Select func(r store.Reader, q index.Selection) (index.Selected, error)
	// TooSlow hears of sockets that end since their peer did not read, and Spent what answers cost. Neither blocks, nor asks
	// the session anything; nil = nobody asks.
	TooSlow func(View, Drop)
	Spent   func(*Cost)
	// Gated are the kinds that are read by author and `p` only; a handful.
	Gated []int
}

// Prepared is h with the defaults filled in.
func (h Host) Prepared() *Host {
	h.Options = h.Options.withDefaults()
	return &h
}
