// Package wire is what travels between a relay and its clients: the frames of NIP-01 with the labels of NIP-42, NIP-45,
// NIP-67 and NIP-77, the hash and signature of an event, and a small client. It knows nothing of jobs or storage.
//
// Frames are read by one strict JSON reader: bounded in depth, UTF-8 only, no lone surrogates, no repeated keys, integers
// written as integers. What it accepts means the same to every JSON library. Nothing in it panics, whatever arrives.
//
// Strings of one parsed frame share one allocation: a value that is kept much longer than its frame should be cloned.
package wire

import "github.com/nbd-wtf/go-nostr"

// The labels of frames. NIP-01, NIP-42, NIP-45, NIP-77.
const (
	LabelEvent    = "EVENT"
	LabelReq      = "REQ"
	LabelCount    = "COUNT"
	LabelClose    = "CLOSE"
	LabelAuth     = "AUTH"
	LabelNegOpen  = "NEG-OPEN"
	LabelNegMsg   = "NEG-MSG"
	LabelNegClose = "NEG-CLOSE"
	LabelNegErr   = "NEG-ERR"
	LabelOK       = "OK"
	LabelEOSE     = "EOSE"
	LabelClosed   = "CLOSED"
	LabelNotice   = "NOTICE"
)

// MaxKind is the highest kind an event may have. NIP-01.
const MaxKind = 65535

// Limits bound what one frame may make the reader build; 0 means no bound. The size of the frame itself is bounded by
// whoever reads the socket.
type Limits struct {
	MaxSubID   int // characters of a subscription id
	MaxFilters int // filters of one REQ or COUNT
	MaxValues  int // values in one field of a filter
	MaxTags    int // tags of one event
	MaxContent int // characters of an event's content
}

// DefaultLimits are the limits that a relay advertises by default.
func DefaultLimits() Limits {
	return Limits{MaxSubID: 64, MaxFilters: 16, MaxValues: 2500, MaxTags: 2000, MaxContent: 256 << 10}
}

// Command is what a client asks of a relay. The set is sealed: Event, Req, Count, Close, Auth, NegOpen, NegMsg, NegClose,
// each as a value.
type Command interface{ command() }

// Event publishes an event. Neither id nor signature has been checked. NIP-01 "EVENT".
type Event struct {
	Event *nostr.Event
	// Raw is the event as compact JSON without foreign top-level fields. It is the caller's own copy.
	Raw []byte
}

// Req asks for stored events and those to come. NIP-01 "REQ".
type Req struct {
	Sub     string
	Filters []nostr.Filter
}

// Count asks how many events match. NIP-45.
type Count struct {
	Sub     string
	Filters []nostr.Filter
}

// Close ends a subscription. NIP-01 "CLOSE".
type Close struct{ Sub string }

// Auth answers a challenge. Neither id nor signature has been checked. NIP-42.
type Auth struct {
	Event *nostr.Event
	Raw   []byte // as in Event
}

// NegOpen begins a reconciliation. NIP-77.
type NegOpen struct {
	Sub     string
	Filter  nostr.Filter
	Message string // hexadecimal, even length
}

// NegMsg continues a reconciliation. NIP-77.
type NegMsg struct {
	Sub     string
	Message string // hexadecimal, even length
}

// NegClose ends a reconciliation. NIP-77.
type NegClose struct{ Sub string }

func (Event) command()    {}
func (Req) command()      {}
func (Count) command()    {}
func (Close) command()    {}
func (Auth) command()     {}
func (NegOpen) command()  {}
func (NegMsg) command()   {}
func (NegClose) command() {}

// Malformed says why a frame cannot be taken, and to what an answer can be addressed.
type Malformed struct {
	Label   string // one of the labels a client may send; empty when it cannot be read or is not one of them
	EventID string // 64 lowercase hex of an EVENT or AUTH; empty when it cannot be read
	Sub     string // the subscription id, cut to 64 characters
	HasSub  bool   // whether Sub was read; it may be empty
	Reason  string // for a person, beginning with "invalid: " or "unsupported: "
}

// Error is the reason.
func (m *Malformed) Error() string { return m.Reason }
