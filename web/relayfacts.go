package web

import (
	"encoding/json"
	"time"
)

// RelayFacts are what anybody may know of this relay. Times are unix seconds; what is not known is absent.
type RelayFacts struct {
	URL string `json:"url,omitempty"`
	// Information is the document of NIP-11, as it is served: name, version, NIPs and limits are told from it.
	Information json.RawMessage `json:"information"`
	Kinds       []RelayKinds    `json:"kinds"`
	Rules       []string        `json:"rules"` // what else decides on an event, in words

	StartedAt int64 `json:"started_at"`

	Events    int64 `json:"events"` // held with their bodies
	Facts     int64 `json:"facts"`  // events ever counted
	Waiting   int64 `json:"waiting"`
	TreeBytes int64 `json:"tree_bytes"` // events, facts and indexes on disk, as of the last minute
	LogBytes  int64 `json:"log_bytes"`  // long values on disk

	DiskFree  uint64 `json:"disk_free_bytes,omitempty"`
	DiskFloor uint64 `json:"disk_floor_bytes,omitempty"` // below that much, events are refused
	DiskFull  bool   `json:"disk_full"`
	Growth    Growth `json:"growth"`

	Sockets       int64  `json:"sockets"`
	Subscriptions int64  `json:"subscriptions"`
	Queue         int64  `json:"queue"` // events that wait for the writer
	Memory        uint64 `json:"memory_bytes,omitempty"`

	// SignIn says whether administrators can prove themselves: on, no-url or no-admins.
	SignIn string `json:"sign_in"`
	// SignURL is what they sign for. NIP-98.
	SignURL string `json:"sign_url,omitempty"`
}

// The values of RelayFacts.SignIn.
const (
	SignInOn       = "on"
	SignInNoURL    = "no-url"    // relay.url is empty
	SignInNoAdmins = "no-admins" // relay.admins is empty
)

// RelayKinds are kinds of events that are accepted alike.
type RelayKinds struct {
	Kinds string `json:"kinds"` // ranges, as people write them
	Name  string `json:"name,omitempty"`
	When  string `json:"when,omitempty"` // the condition; empty = always
	Gated bool   `json:"gated,omitempty"`
}

// Growth is how fast the database grows, by what was measured.
type Growth struct {
	Known       bool   `json:"known"`
	OverSeconds int64  `json:"over_seconds"`           // how long it was measured so far, a week at most
	PerDay      int64  `json:"bytes_per_day"`          // not above 0: it does not grow
	DaysLeft    *int64 `json:"days_left,omitempty"`    // until the floor is reached, if it goes on like this
	Needs       int64  `json:"needs_seconds,omitzero"` // how long must be measured before anything is said
}

// Days is DaysLeft; 0 when that is not known.
func (g Growth) Days() int64 {
	if g.DaysLeft == nil {
		return 0
	}
	return *g.DaysLeft
}

// RelayInsight is what administrators may see besides. Nobody else is given any of it.
type RelayInsight struct {
	Open          int               `json:"open"` // sockets
	Sockets       []SocketFacts     `json:"sockets"`
	Slow          []SlowSocket      `json:"slow"`
	Costly        []CostlyQuery     `json:"costly"`
	RefusedByRule map[string]uint64 `json:"refused_by_rule"`
	Refused       map[string]int64  `json:"refused"`
	Dropped       map[string]int64  `json:"dropped"`
	NegRefused    map[string]int64  `json:"negotiations_refused"`
}

// SocketFacts are one open socket.
type SocketFacts struct {
	Address       string   `json:"address"`
	Keys          []string `json:"keys"` // that it has proved (NIP-42), in hex
	Agent         string   `json:"agent,omitempty"`
	Since         int64    `json:"since"`
	QueueBytes    int64    `json:"queue_bytes"`
	QueuedEvents  int64    `json:"queued_events"`
	StillMS       int64    `json:"still_ms"` // how long it has taken nothing though something waits
	SentBytes     int64    `json:"sent_bytes"`
	ReceivedBytes int64    `json:"received_bytes"`
	Subscriptions int64    `json:"subscriptions"`
	LiveValues    int64    `json:"live_values"`
	Answers       int64    `json:"answers"`   // REQ and COUNT that wait
	InFlight      int64    `json:"in_flight"` // events being judged
}

// SlowSocket is one that was ended since its peer did not read.
type SlowSocket struct {
	SocketFacts
	At  int64  `json:"at"`
	Why string `json:"why"` // slow-write or overflow
}

// CostlyQuery is one that took much work. Shape counts what filters name, and names none of it.
type CostlyQuery struct {
	At      int64    `json:"at"`
	Verb    string   `json:"verb"`
	Shape   string   `json:"shape"`
	TookMS  int64    `json:"took_ms"`
	Events  int64    `json:"events"`
	Refused string   `json:"refused,omitempty"`
	Address string   `json:"address"`
	Keys    []string `json:"keys"`
}

// up is how long the relay has run.
func (f *RelayFacts) up(now time.Time) time.Duration { return now.Sub(time.Unix(f.StartedAt, 0)) }
