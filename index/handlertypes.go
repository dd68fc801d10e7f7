package index

import "dvmrelay/nip90"

// HandlerQuery chooses handlers; zero fields choose all.
type HandlerQuery struct {
	Kind   int
	Online *bool
	Q      string // words that all occur in name, description, address or kinds
	Sort   string // one of HandlerSorts; "" is SortNew
	Cursor string // Next of the page before; it carries the Now and the Sort of the first page
	Limit  int    // 0 = 50, at most MaxLimit
	Now    int64  // unix seconds, 0 = the clock of Options
}

// The orders of handlers and providers. What has no value to be sorted by stands last; equals stand by their keys.
const (
	SortAnswerRate  = "answer_rate"  // highest first, then who could have answered more
	SortFirstResult = "first_result" // median time to the first result, shortest first
	SortPrice       = "price"        // what was asked, as a median, else what is announced; lowest first
	SortSeen        = "seen"         // newest sign of life first
	SortNew         = "new"          // newest first seen first
	SortName        = "name"         // by name in lower case
	SortKind        = "kind"         // by kinds
)

// HandlerSorts are the values that HandlerQuery.Sort and ProviderQuery.Sort take, apart from "".
func HandlerSorts() []string {
	return []string{SortAnswerRate, SortFirstResult, SortPrice, SortSeen, SortNew, SortName, SortKind}
}

// HandlerPage is a page of handlers. Next is empty on the last page.
type HandlerPage struct {
	Items []Handler `json:"items"`
	Next  string    `json:"next_cursor,omitempty"`
}

// Handler is a NIP-89 announcement, with what else is known of the service. Name, picture, lud16 and relays come from the
// key's profile and relay list where the announcement says nothing.
type Handler struct {
	Address       string          `json:"address"`
	PubKey        string          `json:"pubkey"`
	Kinds         []int           `json:"kinds"`
	Name          string          `json:"name"`
	About         string          `json:"about"`
	Picture       string          `json:"picture"`
	Params        any             `json:"params"` // nip90Params as JSON, null when absent
	Price         Price           `json:"price"`  // as announced
	Encryption    bool            `json:"encryption"`
	Nutzaps       bool            `json:"nutzaps"` // announced, or its key has a nutzap list. NIP-61
	Lud16         string          `json:"lud16"`
	Relays        []string        `json:"relays"`
	SeenOn        []string        `json:"seen_on"`        // the sources that had its newest version, as of an event of a thread
	RecommendedBy int             `json:"recommended_by"` // keys whose kind 31989 names the address, at most 1000 are counted
	Reports       int             `json:"reports"`        // keys that reported the author, kind 1984, likewise
	Online        bool            `json:"online"`         // a heartbeat is at most 900 s old
	FirstSeen     int64           `json:"first_seen"`     // created_at of the oldest announcement of the address, unix seconds
	LastSeen      int64           `json:"last_seen"`      // newest announcement or heartbeat held, or answer of its key, unix seconds
	SupersededBy  string          `json:"superseded_by,omitempty"`
	Measured      *Measured       `json:"measured"` // over 30 days, of its kinds; null for a key that was met in the last seconds
	Findings      []nip90.Finding `json:"findings"`
	Rank          *Rank           `json:"rank,omitempty"` // in lists
}

// Price is how a handler prices its work: free, fixed, flexible or unknown.
type Price struct {
	Kind string      `json:"kind"`
	Msat *nip90.Msat `json:"msat,omitempty"`
}

// Rank is what an item of a list was sorted by.
type Rank struct {
	By    string           `json:"by"`    // the sort
	Value any              `json:"value"` // a number, a name or kinds; null when it has none
	Of    map[string]int64 `json:"of"`    // what the value is made of
}

// Measured is what a provider, or one of its services, really did within a window.
type Measured struct {
	Since           int64      `json:"since"` // unix seconds
	Until           int64      `json:"until"`
	Eligible        int64      `json:"eligible"`  // requests of its kinds since it was first seen that name no provider, and those that name it
	Addressed       int64      `json:"addressed"` // requests that name it
	Answered        int64      `json:"answered"`  // jobs it answered in any way
	First           int64      `json:"first"`     // jobs whose first result was its
	Results         int64      `json:"results"`   // that are not errors
	Errors          int64      `json:"errors"`
	AnswerRate      *float64   `json:"answer_rate"`       // answered / eligible, at most 1; null when nothing was eligible
	FirstFeedbackMs *Quantiles `json:"first_feedback_ms"` // from the request, in milliseconds; null while there is none
	FirstResultMs   *Quantiles `json:"first_result_ms"`
	PaidToResultMs  *Quantiles `json:"paid_to_result_ms"`
	AskedMsat       int64      `json:"asked_msat"`
	ClaimedMsat     int64      `json:"claimed_msat"`
	PaidJobs        int64      `json:"paid_jobs"`
	Undelivered     int64      `json:"undelivered"` // paid jobs without a result so far
	PriceMsat       *Quantiles `json:"price_msat"`  // what it asked for a job
}
