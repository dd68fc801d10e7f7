package store

import "dvmrelay/nip90"

// MaxFactBytes bounds the stored form of a fact.
const MaxFactBytes = 256

// FactFlag is one bit of what a fact remembers.
type FactFlag uint16

// The flags of a fact.
const (
	FactBody       FactFlag = 1 << iota // the event itself is still stored
	FactEncrypted                       // its content or inputs are sealed
	FactErrorTag                        // a result that says it is an error
	FactContent                         // a feedback with content (a partial result)
	FactDeleted                         // its author deleted it
	FactBornDead                        // it had expired before it arrived
	FactMoreLinks                       // links did not all fit
	FactMorePeople                      // people did not all fit
	FactAsk                             // Msat is an ask or a bid that was really written
	FactInvoice                         // the ask came with a readable invoice
	FactSure                            // an answer's first link is marked as the job's, or proved by a quote of the request
	FactOwn                             // it came first by one of this relay's own sockets
)

// FactLink is a link of a fact: the whole id, or, past the first, its first eight bytes with the rest zero.
type FactLink struct {
	ID   nip90.ID
	Full bool
}

// Fact is what is remembered of an event for ever, after its body has expired or was deleted: at most MaxFactBytes.
// An id with a fact counts once.
type Fact struct {
	ID        nip90.ID
	Author    nip90.PubKey
	Kind      int
	CreatedAt int64 // unix seconds
	Expires   int64 // unix seconds, 0 = never
	Received  int64 // unix seconds, when it first came here
	Role      nip90.Role
	Status    nip90.Status
	Flags     FactFlag
	Msat      nip90.Msat // bid of a request, ask of an answer, claim of a zap or nutzap
	InvoiceAt int64      // unix seconds when the invoice of the ask expires, 0 = none
	// Payment tells things apart that are alike: the fingerprint of a receipt's invoice or of a nutzap's proofs; of a
	// handler or a heartbeat, which have no payment, the first eight bytes of the SHA-256 of their d, also of an empty one.
	Payment [8]byte
	// People: addressed providers of a request, the customer of an answer, {sender, recipient} of a payment.
	People []nip90.PubKey
	// Links: candidates for the request of an answer, best first; chained jobs of a request; targets of a cancel.
	Links []FactLink
}

// Has says whether all given flags are set.
func (f *Fact) Has(flag FactFlag) bool { return f.Flags&flag == flag }
