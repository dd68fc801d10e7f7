package index

import "dvmrelay/nip90"

// MaxLimit is the most items that one page holds.
const MaxLimit = 200

// maxExamined bounds the rows that one page looks at. A page cut short by it may be empty and still have a Next.
const maxExamined = 20_000

// ThreadQuery chooses jobs; zero fields choose all. Jobs come newest first.
type ThreadQuery struct {
	State    string // one of States
	Payment  string // one of Payments
	Kind     int    // of the request
	Provider nip90.PubKey
	Customer nip90.PubKey
	For      nip90.PubKey // what this provider could answer and has not: unanswered jobs first
	Since    int64        // unix seconds, inclusive
	Until    int64        // unix seconds, inclusive
	Cursor   string       // Next of the page before; it carries the Now of the first page
	Limit    int          // 0 = 50, at most MaxLimit
	Now      int64        // unix seconds, 0 = the clock of Options
}

// ThreadPage is a page of jobs without their events. Next is empty on the last page.
type ThreadPage struct {
	Items []Thread `json:"items"`
	Next  string   `json:"next_cursor,omitempty"`
}

// HandlerQuery chooses handlers; zero fields choose all.
type HandlerQuery struct {
	Kind   int
	Online *bool
	Q      string // words that all occur in name, description, d, key or kinds
	Sort   string // "name", "kind" or "" = newest first
	Cursor string
	Limit  int
	Now    int64
}

// HandlerPage is a page of handlers. Next is empty on the last page.
type HandlerPage struct {
	Items []Handler `json:"items"`
	Next  string    `json:"next_cursor,omitempty"`
}

// Handler is a NIP-89 announcement.
type Handler struct {
	Address    string          `json:"address"`
	PubKey     string          `json:"pubkey"`
	Kinds      []int           `json:"kinds"`
	Name       string          `json:"name"`
	About      string          `json:"about"`
	Picture    string          `json:"picture"`
	Params     any             `json:"params"` // nip90Params as JSON, null when absent
	Price      Price           `json:"price"`
	Encryption bool            `json:"encryption"`
	Nutzaps    bool            `json:"nutzaps"`
	Lud16      string          `json:"lud16"`
	Relays     []string        `json:"relays"`
	Online     bool            `json:"online"`
	LastSeen   int64           `json:"last_seen"` // newest announcement or heartbeat held, unix seconds
	Findings   []nip90.Finding `json:"findings"`
}

// Price is how a handler prices its work: free, fixed, flexible or unknown.
type Price struct {
	Kind string      `json:"kind"`
	Msat *nip90.Msat `json:"msat,omitempty"`
}

// Stats count the jobs that were asked within a window, and what came of them.
type Stats struct {
	Since       int64    `json:"since"`
	Until       int64    `json:"until"`
	Requests    int64    `json:"requests"`
	Results     int64    `json:"results"`   // that are not errors, to these requests
	Feedbacks   int64    `json:"feedbacks"` // to these requests
	Errors      int64    `json:"errors"`
	Unlinked    int64    `json:"unlinked"` // answers of threads whose request is not here, last heard within the window
	Customers   int64    `json:"customers"`
	Providers   int64    `json:"providers"`
	AnswerRate  *float64 `json:"answer_rate"` // null while no request is old enough to judge
	AskedMsat   int64    `json:"asked_msat"`
	ClaimedMsat int64    `json:"claimed_msat"`
	// ExcludedPending are requests too young to count as unanswered.
	ExcludedPending int64 `json:"excluded_pending"`
	// Complete is false when the window held more than one answer may read: the counts are then of its newest part.
	Complete bool `json:"complete"`
}
