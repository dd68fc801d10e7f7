// Package policies holds the rules: what may enter, what may be asked, how often. Each rule is a file. The kinds table
// is data with presets; limits are enforced here exactly as NIP-11 advertises them.
package policies

import (
	"context"

	"dvmrelay/nip90"
)

// Prefix is a machine-readable prefix of OK and CLOSED. NIP-01, NIP-42.
type Prefix string

// The prefixes in use.
const (
	Duplicate    Prefix = "duplicate"
	PoW          Prefix = "pow"
	Blocked      Prefix = "blocked"
	RateLimited  Prefix = "rate-limited"
	Invalid      Prefix = "invalid"
	Restricted   Prefix = "restricted"
	Error        Prefix = "error"
	AuthRequired Prefix = "auth-required"
	Unsupported  Prefix = "unsupported"
)

// Rejection is a refusal in words that a person can act on. It is the only error whose text a peer sees.
type Rejection struct {
	Prefix Prefix
	Reason string
}

// Error is the text of the OK or CLOSED message.
func (r *Rejection) Error() string { return string(r.Prefix) + ": " + r.Reason }

// Refuse makes a Rejection.
func Refuse(p Prefix, reason string) *Rejection { return &Rejection{Prefix: p, Reason: reason} }

// Policy is one rule. Check returns nil to accept and a *Rejection to refuse; the first refusal wins. Check is safe
// for concurrent use and never blocks.
type Policy struct {
	Name  string
	Check func(context.Context, *nip90.Parsed) error
}

// Peer is who sends: every policy finds it in its context.
type Peer struct {
	Addr   string // the address that limits count, after trusted proxies; empty for what is not a socket
	Exempt bool   // loopback without a forwarding header: no rates
	// Challenged: it was sent a challenge and may authenticate. NIP-42.
	Challenged bool
	Authed     []nip90.PubKey
	Agent      string // what it calls itself; no rule looks at it
}

// Is says whether the peer has authenticated as pk. NIP-42.
func (p *Peer) Is(pk nip90.PubKey) bool {
	if p == nil {
		return false
	}
	for _, a := range p.Authed {
		if a == pk {
			return true
		}
	}
	return false
}

type peerKey struct{}

// WithPeer puts the peer into a context.
func WithPeer(ctx context.Context, p *Peer) context.Context {
	return context.WithValue(ctx, peerKey{}, p)
}

// PeerFrom finds the peer; nil for events that came through no socket.
func PeerFrom(ctx context.Context) *Peer {
	p, _ := ctx.Value(peerKey{}).(*Peer)
	return p
}

// Known answers what the hub has met before, body still here or not. Index implements it over one view of the store.
type Known interface {
	Event(nip90.ID) (bool, error)        // it has a fact
	Provider(nip90.PubKey) (bool, error) // it announced a handler for job kinds, or answered a job
	Customer(nip90.PubKey) (bool, error) // it asked for a job
	Address(nip90.Address) (bool, error) // a handler with this address was seen
	Request(nip90.ID) (bool, error)      // it has a fact and is a job request
}

// Lists answers the allow and deny lists that administrators keep.
type Lists interface {
	Allowed(nip90.PubKey) (allowed, listed bool) // listed: an allow list is in force
	Denied(nip90.PubKey) (reason string, denied bool)
}
