// Package index folds facts into views: job threads and NIP-89 handlers, in the same transaction as the event. Its
// state is a pure fold over the set of facts: any order, any repetition, one result.
package index

import (
	"encoding/json"
	"time"

	"dvmrelay/nip90"
)

// Options configure the index. The toml keys stand in section [index].
type Options struct {
	UnansweredAfter time.Duration    `toml:"unanswered_after"` // default 10 min
	StalledAfter    time.Duration    `toml:"stalled_after"`    // default 10 min
	KeepCustomer    bool             `toml:"keep_customer"`    // default true
	Now             func() time.Time `toml:"-"`
	// Listening tells what was heard when; nil = nothing is known of it.
	Listening Listening `toml:"-"`
	// Inputs is how much of a job's input free text finds: "show", "truncate" (default) or "hide", as web.inputs says.
	Inputs string `toml:"-"`
	// URL is this relay's own address, which counts as watched; empty = unknown.
	URL string `toml:"-"`
}

// Thread is a job and everything that answers it. DESIGN's shape of the HTTP API.
type Thread struct {
	ID           nip90.ID   `json:"id"`
	Kind         int        `json:"kind"`
	KindName     string     `json:"kind_name"`
	Customer     string     `json:"customer"`
	CreatedAt    int64      `json:"created_at"`
	ExpiresAt    int64      `json:"expires_at,omitempty"`
	State        string     `json:"state"`
	Stalled      bool       `json:"stalled"`
	Payment      string     `json:"payment"`
	Encrypted    bool       `json:"encrypted"`
	Summary      string     `json:"summary"`
	Output       string     `json:"output"`
	BidMsat      *int64     `json:"bid_msat,omitempty"`
	Addressed    []string   `json:"addressed"`
	Relays       []string   `json:"relays"`
	AskedMsat    int64      `json:"asked_msat"`
	ClaimedMsat  int64      `json:"claimed_msat"`
	ResultsCount int        `json:"results_count"`
	Providers    []Provider `json:"providers"`
	Events       []Entry    `json:"events,omitempty"`
	Why          []Why      `json:"why,omitzero"` // what explains how the job stands; nil in lists
	ChainedFrom  []nip90.ID `json:"chained_from"`
	ChainedTo    []nip90.ID `json:"chained_to"`
	RequestSeen  bool       `json:"request_seen"`       // false while only answers have come
	Unlinked     bool       `json:"unlinked,omitempty"` // this is an answer that names no job; it is counted apart
	More         bool       `json:"more,omitempty"`     // there are more events or providers, or some stand here without their words
}

// Provider is one provider's side of a thread.
type Provider struct {
	PubKey           string   `json:"pubkey"`
	Name             string   `json:"name,omitempty"`
	Handler          string   `json:"handler,omitempty"`
	State            string   `json:"state"`
	Payment          string   `json:"payment"` // as of the thread, between the customer and this provider
	StatusText       string   `json:"status_text,omitempty"`
	FirstFeedbackAt  int64    `json:"first_feedback_at,omitempty"`
	FirstResultAt    int64    `json:"first_result_at,omitempty"`
	AskedMsat        int64    `json:"asked_msat"`
	ClaimedMsat      int64    `json:"claimed_msat"`
	RefundedMsat     int64    `json:"refunded_msat"`
	PaymentMethods   []string `json:"payment_methods"`
	Invoice          string   `json:"invoice,omitempty"`
	InvoiceExpiresAt int64    `json:"invoice_expires_at,omitempty"`
	PaidAt           int64    `json:"paid_at,omitempty"`
}

// Entry is one event of a thread.
type Entry struct {
	ID         nip90.ID        `json:"id"`
	Kind       int             `json:"kind"`
	PubKey     string          `json:"pubkey"`
	CreatedAt  int64           `json:"created_at"`
	Role       string          `json:"role"`
	Status     string          `json:"status,omitempty"`
	StatusText string          `json:"status_text,omitempty"`
	AmountMsat *int64          `json:"amount_msat,omitempty"`
	SeenOn     []string        `json:"seen_on"` // the sources that had it, in the order in which they were first met; at most 16
	Findings   []nip90.Finding `json:"findings"`
	Expired    bool            `json:"expired"`
	Event      json.RawMessage `json:"event,omitempty"`
}
