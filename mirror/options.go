// Package mirror reads Data Vending Machine traffic from other relays. Per upstream it holds live subscriptions,
// fetches what was published before them newest first, and remembers in the store how far it came, so that a restart or
// a lost connection asks only for what is missing.
//
// Ids are checked here; everything else about an event is decided by the Sink.
package mirror

import (
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"time"

	"dvmrelay/nip90"

	"github.com/nbd-wtf/go-nostr"
)

// Options configure the mirror. The toml keys stand in section [mirror].
type Options struct {
	// Upstreams are the relays to read from, ws:// or wss://. Empty: nothing is mirrored.
	Upstreams []string `toml:"upstreams"`
	// Backfill is how far back the first connection to an upstream asks. Default 30 days; 0 = everything.
	Backfill time.Duration `toml:"backfill"`
	// Follow is whether the hub also listens on the relays that open jobs and the relay lists of their providers name, until
	// the job ends. These are addresses that strangers choose; those that are not public are never dialled. Default false.
	Follow bool `toml:"follow"`

	// MaxMessageBytes bounds one message of an upstream. One up to 16 times as long is passed over, a longer one ends the
	// connection. Default 1 MiB, which 0 stands for.
	MaxMessageBytes int64 `toml:"message_bytes"`
	// BytesPerSecond and EventsPerSecond bound how fast one upstream is read, after a burst of ten seconds' worth. Default
	// 8 MiB and 5,000; 0 = no bound.
	BytesPerSecond  int64 `toml:"bytes_per_second"`
	EventsPerSecond int   `toml:"events_per_second"`

	// Kinds are those of DefaultKinds and PeopleKinds that are asked for; nil = all, empty = none.
	Kinds []int `toml:"-"`
	// Now is the clock; nil = time.Now.
	Now func() time.Time `toml:"-"`
	// Ledger remembers when each upstream was heard; nil = one of the mirror's own.
	Ledger *Ledger `toml:"-"`
	// Watched are the keys whose other events are asked for; nil = nobody's.
	Watched Watched `toml:"-"`
	// Jobs name the jobs to follow; nil = none are followed.
	Jobs Jobs `toml:"-"`
	// Self is this relay's own address, which is not followed; empty = unknown.
	Self string `toml:"-"`
	// Holdings are what is here already, for NIP-77; nil = only REQ is used.
	Holdings Holdings `toml:"-"`
	// Seen hears which upstream had an event, new or not, once for each time that it came; nil = nobody asks. It is safe for
	// concurrent use and does not block.
	Seen func(id nip90.ID, upstream string) `toml:"-"`
	// Sign signs as this relay, for upstreams that want to know who asks; nil = they are told nothing. NIP-42.
	Sign func(*nostr.Event) error `toml:"-"`
	// Log hears of upstreams found and lost; nil = silence.
	Log *slog.Logger `toml:"-"`

	pace   pace
	bounds bounds
}

// DefaultOptions are the options of a relay without a configuration file.
func DefaultOptions() Options {
	return Options{
		Upstreams: []string{
			"wss://nostr-pub.wellorder.net",
			"wss://relay.damus.io",
			"wss://nos.lol",
			"wss://relay.primal.net",
			"wss://offchain.pub",
			"wss://nostr.mom",
			"wss://relay.nostr.bg",
			"wss://nostr.oxtr.dev",
			"wss://nostr-relay.nokotaro.com",
			"wss://relay.nostr.wirednet.jp",
		},
		Backfill:        30 * 24 * time.Hour,
		MaxMessageBytes: 1 << 20,
		BytesPerSecond:  8 << 20,
		EventsPerSecond: 5000,
	}
}

// Validate returns every fault, joined; each begins with its toml key.
func (o Options) Validate() error {
	var faults []error
	seen := map[string]bool{}
	for i, raw := range o.Upstreams {
		addr, err := address(raw)
		switch {
		case err != nil:
			faults = append(faults, fmt.Errorf("mirror.upstreams[%d]: %q: %w", i, raw, err))
		case seen[addr]:
			faults = append(faults, fmt.Errorf("mirror.upstreams[%d]: %q: named twice", i, raw))
		}
		seen[addr] = true
	}
	if o.Backfill < 0 {
		faults = append(faults, fmt.Errorf("mirror.backfill: %s: must not be negative", o.Backfill))
	}
	faults = append(faults, o.validateBudget())
	return errors.Join(faults...)
}

// Warnings are what is accepted but has no effect, each naming its toml key: at present nothing.
func (o Options) Warnings() []string { return nil }

// address is the one spelling of an upstream under which its progress is remembered.
func address(raw string) (string, error) {
	u, err := url.Parse(strings.TrimSpace(raw))
	if err != nil {
		return "", fmt.Errorf("is no URL")
	}
	u.Scheme, u.Host = strings.ToLower(u.Scheme), strings.ToLower(u.Host)
	if u.Scheme != "ws" && u.Scheme != "wss" {
		return "", fmt.Errorf("must begin with ws:// or wss://")
	}
	if u.Host == "" {
		return "", fmt.Errorf("names no host")
	}
	if u.User != nil || u.Fragment != "" {
		return "", fmt.Errorf("must not carry a user or a fragment")
	}
	u.Path = strings.TrimRight(u.Path, "/")
	return u.String(), nil
}

// pace holds every duration and bound of the mirror in one place.
type pace struct {
	temper
	firstRetry time.Duration // the longest wait before the first retry
	maxRetry   time.Duration // the longest wait before any retry
	healthy    time.Duration // a connection that stood this long forgets earlier failures
	dial       time.Duration // to connect and shake hands
	answer     time.Duration // to answer a subscription with EOSE or CLOSED
	idle       time.Duration // between two questions for a sign of life
	split      time.Duration // before a refused subscription is asked again in smaller parts
	reissue    time.Duration // before a refused subscription is asked again as it was
	checkpoint time.Duration // between two writes of live progress
	overlap    time.Duration // asked again before the point where the last connection ended
	sweep      time.Duration // between two readings of all announcements
	watch      time.Duration // between two looks at whom to ask about
	poll       time.Duration // between two readings of what is not live
	remember   time.Duration // between two writes of whose past was read
	page       int           // events per page of backfill
	crowd      int           // fewer events than this in one answer are never a sign that more were held back
	inFlight   int           // events of one upstream on their way to the sink
	bytes      int64         // bytes of all upstreams on their way to the sink
}

func (p pace) orDefault() pace {
	if p.page != 0 {
		return p
	}
	return pace{
		firstRetry: 2 * time.Second,
		maxRetry:   5 * time.Minute,
		healthy:    time.Minute,
		dial:       20 * time.Second,
		answer:     90 * time.Second,
		idle:       15 * time.Second,
		split:      time.Second,
		reissue:    time.Minute,
		checkpoint: 10 * time.Second,
		overlap:    10 * time.Minute,
		sweep:      24 * time.Hour,
		watch:      time.Minute,
		poll:       time.Minute,
		remember:   5 * time.Minute,
		page:       500,
		crowd:      100,
		inFlight:   64,
		bytes:      32 << 20,
	}
}
