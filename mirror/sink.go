package mirror

import (
	"context"

	"dvmrelay/nip90"
)

// Outcome is what became of an event that was handed on.
type Outcome uint8

// The outcomes. Only Failed holds the mirror back: the event counts as not received, and is asked for again.
const (
	Stored    Outcome = iota // new here
	Duplicate                // was here already
	Ignored                  // true but of no use: stale, deleted, expired; or kept until what it is about is here
	Refused                  // against a rule, or forged
	Failed                   // could not be decided: the disk is full, the relay is closing
)

// Verdict is the sink's answer.
type Verdict struct {
	Outcome Outcome
	// Reason says in one word why an event was refused: a NIP-01 prefix or the name of a rule. It comes from a closed
	// set and is shown to everybody.
	Reason string
	// Err is set with Failed.
	Err error
}

// Sink takes events whose id is the hash of their content; the signature is not checked yet. It returns when the
// event is on disk or was refused. It is safe for concurrent use.
type Sink interface {
	Submit(ctx context.Context, p *nip90.Parsed) Verdict
}

// State keeps progress across restarts. The store implements it.
type State interface {
	// Meta reads a value; nil and no error when there is none.
	Meta(key string) ([]byte, error)
	// SetMeta writes a value; it is on disk when it returns.
	SetMeta(ctx context.Context, key string, value []byte) error
}

// ReasonSignature goes with Refused: the signature does not fit id and key, which no honest upstream sends.
const ReasonSignature = "bad-signature"

// Reasons that go with Ignored.
const (
	ReasonStale    = "stale"     // a newer version of the address is here
	ReasonDeleted  = "deleted"   // its author deleted it, or vanished
	ReasonFactOnly = "fact-only" // it had expired
	ReasonWaiting  = "waiting"   // kept on disk until what it is about arrives
)
