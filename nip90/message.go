// Package nip90 is the vocabulary of Data Vending Machines: every kind, tag, status and payment convention of NIP-90
// and the shapes that real software emits, parsed into types; builders and kind helpers for programs that speak it;
// and a linter that explains what is odd about an event. It knows nothing of relays or storage.
//
// Every function is safe for concurrent use; none panics, whatever a stranger signs.
package nip90

import (
	"time"

	"github.com/nbd-wtf/go-nostr"
)

// Message is what an event means to a Data Vending Machine. The set is sealed: *Request, *Result, *Feedback, *Handler,
// *Recommendation, *Heartbeat, *Zap, *Nutzap, *Cancel, *Other.
type Message interface {
	// Role is the part that the event plays in a thread, or RoleNone for one that belongs to no thread.
	Role() Role
	// Findings are what the parser had to overlook or repair, in the order of the tags.
	Findings() []Finding
	sealed()
}

// Door is where an event came in. Rules differ by door: a socket is told why, a mirror is silent.
type Door uint8

// The doors of a relay.
const (
	DoorSocket   Door = iota // a client's websocket
	DoorMirror               // live from an upstream relay
	DoorBackfill             // stored events of an upstream relay
	DoorImport               // a file
	DoorSync                 // one-off reconciliation with another relay
)

// Parsed is an event that was read once at the door and is carried everywhere after: nobody reads its tags again for
// their meaning. It is immutable after Open returns.
type Parsed struct {
	Event   *nostr.Event
	Raw     []byte // the JSON as it is stored and sent, without foreign top-level fields
	Message Message

	ID        ID
	Author    PubKey
	CreatedAt int64 // unix seconds
	Expires   int64 // unix seconds, 0 = never. NIP-40
	Received  time.Time
	Door      Door
	Source    string // the relay that it was read from, as a URL; empty when none was
}

// Role is the part that an event plays in a job's thread.
type Role uint8

// The roles. Refund is never parsed: it is a zap or nutzap that the fold sees flow from provider to customer.
const (
	RoleNone Role = iota
	RoleRequest
	RoleResult
	RoleFeedback
	RoleZap
	RoleNutzap
	RoleCancel
	RoleRefund
	RoleReport
)

var roleNames = [...]string{"none", "request", "result", "feedback", "zap", "nutzap", "cancel", "refund", "report"}

// String is the name that the HTTP API uses.
func (r Role) String() string {
	if int(r) < len(roleNames) {
		return roleNames[r]
	}
	return "unknown"
}

// Status is what a provider says of a job, normalized. NIP-90 "Job feedback".
type Status uint8

// The statuses in rank order: of two feedbacks made in the same second the higher status counts.
const (
	StatusNone Status = iota // nothing said, or something that changes nothing ("pong")
	Processing
	PaymentRequired
	Partial
	Error
	Success
)

var statusNames = [...]string{"none", "processing", "payment-required", "partial", "error", "success"}

// String is the spelling of NIP-90.
func (s Status) String() string {
	if int(s) < len(statusNames) {
		return statusNames[s]
	}
	return "unknown"
}

// Finding is one odd thing about an event: what, where the protocol says otherwise, and what was made of it.
type Finding struct {
	Code    string `json:"code"`    // stable, kebab-case
	Text    string `json:"text"`    // one sentence for a person
	Section string `json:"section"` // such as `NIP-90 "Job request"`
}

// Encryption is how the private part of an event is sealed, as far as the outside shows.
type Encryption uint8

// The kinds of encryption seen on job traffic.
const (
	Plain            Encryption = iota
	NIP04                       // content ends in ?iv=
	NIP44                       // content is a version 2 payload
	UnknownEncrypted            // says ["encrypted"], looks like neither
)

// Link points from an answer or payment to an event it is about.
type Link struct {
	ID     ID
	Relay  string
	Marker string // job, request, root, reply or empty
	// Trusted is set when the link comes from a `request` tag whose id is the hash of what it quotes.
	Trusted bool
}

// Input is one `i` tag. NIP-90 "Job request".
type Input struct {
	Data   string
	Type   string // url, event, job, text, prompt, or empty when the tag does not say
	Relay  string
	Marker string
}

// Param is one `param` tag, with all its values. NIP-90 "Job request".
type Param struct {
	Name   string
	Values []string
}

// Ask is the money in an `amount` tag or beside it, in every form seen in use.
type Ask struct {
	Set     bool
	Msat    Msat     // what is asked, after unit repair
	Invoice *Invoice // the bolt11 that came along, if it can be read
	Bolt11  string   // the invoice as text without its lightning: prefix; empty when none
	Address string   // a lightning address in the invoice's place
	Method  string   // bolt11, address, ecash or empty
}

// MaxLinks is how many links of one event are kept.
const MaxLinks = 16

// Request is a job request, kinds 5000-5999. NIP-90 "Job request".
type Request struct {
	Kind      int
	Inputs    []Input
	Output    string // MIME type, empty when the tag is absent
	Params    []Param
	Bid       Msat // the most the customer will pay, in msat; 0 when absent
	BidSet    bool
	MaxBid    Msat     // a second number in the bid tag, 0 when absent
	Relays    []string // where the customer will look for answers, as written
	Providers []PubKey // `p`: who is preferred; others may answer
	Topics    []string // `t`
	Encrypted Encryption
	Chained   []ID   // `i` of type job: earlier jobs that this one builds on
	Task      string // `j`: what a generic job (5999) is about
	Prepaid   bool   // a payment came along with the request
	Content   string
	findings  []Finding
}

// Result is a job result, kinds 6000-6999 and the result-like squatters that name a job. NIP-90 "Job result".
type Result struct {
	Kind      int
	Links     []Link // candidates for the request, best first, at most MaxLinks
	Customer  PubKey // zero when no `p`
	Ask       Ask
	Status    Status // results of the common kinds carry a status tag
	Said      string // the status as written, empty when absent
	Text      string // the status tag's free text
	Inputs    []Input
	Encrypted Encryption
	Content   string
	// QuotedKind is the kind of the request that the request tag quotes, 0 when it does not tell. It is a claim.
	QuotedKind int
	findings   []Finding
}

// Feedback is kind 7000. NIP-90 "Job feedback".
type Feedback struct {
	Status    Status
	Said      string // the status as written, empty when absent
	Text      string
	Links     []Link // candidates for the request, best first, at most MaxLinks
	Customer  PubKey
	Ask       Ask
	Encrypted Encryption
	Content   string
	findings  []Finding
}

// Handler is a service announcement, kind 31990. NIP-89.
type Handler struct {
	D          string
	Kinds      []int // `k` tags that are numbers, in order, without repetition
	Name       string
	About      string
	Picture    string
	Lud16      string
	Price      Price
	Encryption bool // says it can read encrypted jobs
	Nutzaps    bool
	Subscribe  bool // asks for a subscription
	Relays     []string
	Params     []byte // nip90Params as JSON, nil when absent
	findings   []Finding
}

// PriceKind is how a handler prices its work.
type PriceKind uint8

// The ways a handler states its price.
const (
	PriceUnknown PriceKind = iota
	PriceFree
	PriceFixed
	PriceFlexible
)

// Price is what a handler announces; Msat counts only for PriceFixed.
type Price struct {
	Kind PriceKind
	Msat Msat
}

// Recommendation is kind 31989: one key recommends handlers for a kind. NIP-89.
type Recommendation struct {
	Kind     int // from `d`; 0 when it is no number
	D        string
	Handlers []Address
	Hints    []HandlerHint // of the handler at the same place in Handlers
	findings []Finding
}

// HandlerHint is what a recommendation says beside a handler's address; empty = nothing. NIP-89 "Recommendation event".
type HandlerHint struct {
	Relay    string // ws:// or wss://, where the announcement may be found
	Platform string // such as web or ios
}

// Address names an addressable event. NIP-01 "a".
type Address struct {
	Kind   int
	PubKey PubKey
	D      string
}

// Heartbeat is a sign of life or an announcement in the heartbeat family: 11998, 11999, 11316-11320, and a ping, 7007.
type Heartbeat struct {
	Kind      int
	D         string
	Links     []Link
	Providers []PubKey // `p`: whom a ping asks
	findings  []Finding
}

// Zap is a zap receipt, kind 9735. It is a claim of payment, not a proof. NIP-57.
type Zap struct {
	Links     []Link    // the zapped events
	Addresses []Address // `a`: the zapped addressable events
	Recipient PubKey    // `p`
	Sender    PubKey    // `P`, or the author of the quoted zap request; zero when unknown
	Msat      Msat      // from the invoice; from the zap request when the invoice names none
	Invoice   *Invoice
	Bolt11    string
	findings  []Finding
}

// Nutzap is kind 9321. NIP-61.
type Nutzap struct {
	Links     []Link
	Recipient PubKey
	Msat      Msat // the sum of its proofs
	Mint      string
	Proofs    []string // the secrets' hashes, for telling distinct payments apart
	findings  []Finding
}

// Cancel is kind 5. NIP-09; NIP-90 "Cancellation".
type Cancel struct {
	IDs       []ID
	Addresses []Address
	Kinds     []int
	Reason    string
	findings  []Finding
}

// Other is an event that a relay for Data Vending Machines keeps beside the jobs: profiles (0), relay lists (10002),
// nutzap mints (10019), vanish requests (62), reputation and reports (30333, 31117, 30085, 30382, 1985, 1984).
type Other struct {
	Kind      int
	D         string    // `d` of the addressable ones
	About     []PubKey  // `p`, and the key that `d` of a kind above 30000 holds. NIP-85
	Links     []Link    // `e`
	Addresses []Address // `a`
	Relays    []string  // `relay` of 62 and 10019, `r` of 10002, as written
	Writes    []string  // those of Relays that its author publishes on: of 10002, all that are not marked read. NIP-65
	Profile   *Profile  // of kind 0, nil when its content is no JSON object
	Says      []string  // what kind a report is of (NIP-56), or the labels of kind 1985 (NIP-32); at most 8
	findings  []Finding
}

// Profile is what a key says of itself, kind 0. NIP-24.
type Profile struct {
	Name    string
	About   string
	Picture string
	Lud16   string
}

// Role implements Message.
func (*Request) Role() Role        { return RoleRequest }
func (*Result) Role() Role         { return RoleResult }
func (*Feedback) Role() Role       { return RoleFeedback }
func (*Handler) Role() Role        { return RoleNone }
func (*Recommendation) Role() Role { return RoleNone }
func (*Heartbeat) Role() Role      { return RoleNone }
func (*Zap) Role() Role            { return RoleZap }
func (*Nutzap) Role() Role         { return RoleNutzap }
func (*Cancel) Role() Role         { return RoleCancel }

// Role is RoleReport for reports and labels that name an event, RoleNone otherwise.
func (m *Other) Role() Role {
	if (m.Kind == KindReport || m.Kind == KindLabel) && len(m.Links) > 0 {
		return RoleReport
	}
	return RoleNone
}

// Findings implements Message.
func (m *Request) Findings() []Finding        { return m.findings }
func (m *Result) Findings() []Finding         { return m.findings }
func (m *Feedback) Findings() []Finding       { return m.findings }
func (m *Handler) Findings() []Finding        { return m.findings }
func (m *Recommendation) Findings() []Finding { return m.findings }
func (m *Heartbeat) Findings() []Finding      { return m.findings }
func (m *Zap) Findings() []Finding            { return m.findings }
func (m *Nutzap) Findings() []Finding         { return m.findings }
func (m *Cancel) Findings() []Finding         { return m.findings }
func (m *Other) Findings() []Finding          { return m.findings }

func (*Request) sealed()        {}
func (*Result) sealed()         {}
func (*Feedback) sealed()       {}
func (*Handler) sealed()        {}
func (*Recommendation) sealed() {}
func (*Heartbeat) sealed()      {}
func (*Zap) sealed()            {}
func (*Nutzap) sealed()         {}
func (*Cancel) sealed()         {}
func (*Other) sealed()          {}
