package policies

import (
	"errors"
	"fmt"
	"time"

	"github.com/nbd-wtf/go-nostr"
)

// Limits are what one peer may ask of the relay; the toml keys stand in section [limits]. Zero means no limit, for every
// key. NIP-11 advertises exactly these numbers.
type Limits struct {
	MessageBytes  int64 `toml:"message_bytes"`  // one websocket message; default 512 KiB
	ContentLength int   `toml:"content_length"` // characters of the content of one event, as NIP-11 counts; default 262144
	Tags          int   `toml:"tags"`           // tags of one event; default 2,000
	FutureSecs    int   `toml:"future_seconds"` // how far created_at may lie ahead; default 900

	Subscriptions int `toml:"subscriptions"` // open at once on one socket; default 64
	LiveValues    int `toml:"live_values"`   // filter values of all live subscriptions of one socket; default 20,000
	Filters       int `toml:"filters"`       // in one REQ or COUNT; default 16
	Values        int `toml:"values"`        // in one field of one filter; default 2,500
	DefaultLimit  int `toml:"default_limit"` // events for a filter without a limit; default 500
	MaxLimit      int `toml:"max_limit"`     // a higher limit is lowered to this; default 5,000

	NegSessions int   `toml:"neg_sessions"` // reconciliations open at once on one socket; default 16. NIP-77
	NegItems    int   `toml:"neg_items"`    // events that one of them may compare; default 500,000
	NegBytes    int64 `toml:"neg_bytes"`    // memory that those of all sockets may hold; default 64 MiB

	ConnectionsPerIP int `toml:"connections_per_ip"` // sockets of one address; default 100
	EventsPerSecond  int `toml:"events_per_second"`  // events of one address; default 100
	EventsBurst      int `toml:"events_burst"`       // events that one address may send at once; default 1,000
	ReqsPerSecond    int `toml:"reqs_per_second"`    // REQ, COUNT and NEG-OPEN of one address; default 50
	ReqsBurst        int `toml:"reqs_burst"`         // REQ, COUNT and NEG-OPEN that one address may send at once; default 500
	RequestsPerKey   int `toml:"requests_per_key"`   // job requests of one key in a second; default 10
	RequestsBurst    int `toml:"requests_burst"`     // job requests that one key may send at once; default 100

	QueryBudget    time.Duration `toml:"query_budget"`     // work of one query; default 2 s
	WriteDeadline  time.Duration `toml:"write_deadline"`   // one write to a socket; default 10 s
	LiveQueueBytes int64         `toml:"live_queue_bytes"` // live events that wait for a slow reader; default 8 MiB
}

// DefaultLimits are the limits of a relay without configuration.
func DefaultLimits() Limits {
	return Limits{
		MessageBytes: 512 << 10, ContentLength: 256 << 10, Tags: 2000, FutureSecs: 900,
		Subscriptions: 64, LiveValues: 20_000, Filters: 16, Values: 2500, DefaultLimit: 500, MaxLimit: 5000,
		NegSessions: 16, NegItems: 500_000, NegBytes: 64 << 20,
		ConnectionsPerIP: 100, EventsPerSecond: 100, EventsBurst: 1000, ReqsPerSecond: 50, ReqsBurst: 500,
		RequestsPerKey: 10, RequestsBurst: 100,
		QueryBudget: 2 * time.Second, WriteDeadline: 10 * time.Second, LiveQueueBytes: 8 << 20,
	}
}

// Validate returns every fault, joined; each begins with its toml key.
func (l Limits) Validate() error {
	var faults []error
	for _, n := range []struct {
		key string
		val int64
	}{
		{"message_bytes", l.MessageBytes},
		{"content_length", int64(l.ContentLength)},
		{"tags", int64(l.Tags)},
		{"future_seconds", int64(l.FutureSecs)},
		{"subscriptions", int64(l.Subscriptions)},
		{"live_values", int64(l.LiveValues)},
		{"filters", int64(l.Filters)},
		{"values", int64(l.Values)},
		{"default_limit", int64(l.DefaultLimit)},
		{"max_limit", int64(l.MaxLimit)},
		{"neg_sessions", int64(l.NegSessions)},
		{"neg_items", int64(l.NegItems)},
		{"neg_bytes", l.NegBytes},
		{"connections_per_ip", int64(l.ConnectionsPerIP)},
		{"events_per_second", int64(l.EventsPerSecond)},
		{"events_burst", int64(l.EventsBurst)},
		{"reqs_per_second", int64(l.ReqsPerSecond)},
		{"reqs_burst", int64(l.ReqsBurst)},
		{"requests_per_key", int64(l.RequestsPerKey)},
		{"requests_burst", int64(l.RequestsBurst)},
		{"live_queue_bytes", l.LiveQueueBytes},
	} {
		if n.val < 0 {
			faults = append(faults, fmt.Errorf("limits.%s: %d: must not be negative", n.key, n.val))
		}
	}
	if l.QueryBudget < 0 {
		faults = append(faults, fmt.Errorf("limits.query_budget: %s: must not be negative", l.QueryBudget))
	}
	if l.WriteDeadline < 0 {
		faults = append(faults, fmt.Errorf("limits.write_deadline: %s: must not be negative", l.WriteDeadline))
	}
	if l.MaxLimit > 0 && l.DefaultLimit > l.MaxLimit {
		faults = append(faults, fmt.Errorf("limits.default_limit: %d: must not be above limits.max_limit, %d", l.DefaultLimit, l.MaxLimit))
	}
	if l.MessageBytes > 0 && int64(l.ContentLength) > l.MessageBytes {
		faults = append(faults, fmt.Errorf("limits.content_length: %d: must not be above limits.message_bytes, %d: such an event could never arrive", l.ContentLength, l.MessageBytes))
	}
	return errors.Join(faults...)
}

// Bound gives a filter the limit that it will be served with: the default where it asks for none, the highest where it
// asks for more. A limit of zero (LimitZero) stays. A Limit of 0 without LimitZero afterwards means that no limit is
// configured.
func (l Limits) Bound(f *nostr.Filter) {
	if f.LimitZero {
		f.Limit = 0
		return
	}
	if f.Limit == 0 {
		f.Limit = l.DefaultLimit
	}
	if l.MaxLimit > 0 && (f.Limit == 0 || f.Limit > l.MaxLimit) {
		f.Limit = l.MaxLimit
	}
}
