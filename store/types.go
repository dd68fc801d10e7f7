// Package store keeps events in Badger: the event, its indexes, its fact, its tombstones and whatever an Indexer adds,
// all in one transaction, one sync for a group of events, and answers filters from a snapshot.
package store

import (
	"context"
	"errors"
	"iter"

	"dvmrelay/nip90"

	"github.com/nbd-wtf/go-nostr"
)

// Outcome is what became of an event.
type Outcome uint8

// The outcomes of Save.
const (
	Stored    Outcome = iota // on disk, and now served
	Duplicate                // was here already
	Stale                    // a newer version of its address is here: counted, never served
	Deleted                  // its author deleted it, or vanished, before it came
	Waiting                  // kept until what it is about arrives
	FactOnly                 // already expired: counted, never served
)

// Change says what a commit moved.
type Change struct {
	Version uint64     // the commit it became visible with; 0 when nothing was written
	Roots   []nip90.ID // the threads that changed
	Adopted []nip90.ID // waiting events that it let in, which follow it as commits of their own
}

// Merge adds the roots and adoptions of another change.
func (c *Change) Merge(o Change) {
	c.Roots = append(c.Roots, o.Roots...)
	c.Adopted = append(c.Adopted, o.Adopted...)
}

// Head is the part of a stored event that is kept decoded beside its JSON.
type Head struct {
	ID        nip90.ID
	PubKey    nip90.PubKey
	CreatedAt int64
	Expires   int64 // unix seconds, 0 = never
	Kind      int
}

// Raw is a stored event: its JSON exactly as it is sent, and its decoded head. JSON is valid until the iterator that
// yielded it moves on; copy it to keep it.
type Raw struct {
	Head
	JSON []byte
}

// Reader is a consistent view of the whole store at one version. It is not safe for concurrent use.
type Reader interface {
	// Version is the commit that this view stands at.
	Version() uint64
	// Value reads one key; nil and no error when it is absent. The slice is valid until the Reader closes.
	Value(key []byte) ([]byte, error)
	// Lasting is Value for a key that is asked for again and again: a Reader of one version remembers what it found.
	Lasting(key []byte) ([]byte, error)
	// Scan walks the keys that begin with prefix, in key order, from start on (nil = the beginning of the prefix; start
	// must itself begin with prefix), until fn returns false. Key and value are valid inside fn only.
	Scan(prefix, start []byte, fn func(key, value []byte) bool) error
	// Fact reads what is remembered of an event, body or not.
	Fact(id nip90.ID) (Fact, bool, error)
	// Event reads the body of an event, expired or not; false when there is none.
	Event(id nip90.ID) (Raw, bool, error)
}

// Txn is what an Indexer sees of a commit group: point reads and scans see what earlier events of the group wrote.
// Writes of an event whose Apply fails are undone. Keys of an Indexer begin with a byte of IndexSpace.
type Txn interface {
	Reader
	Set(key, value []byte)
	Delete(key []byte)
	// Late is what SetLate or Hold left at a key in this group; nil when nothing did.
	Late(key []byte) Late
	// Hold lets Late find a value that was read and decoded, and writes nothing.
	Hold(key []byte, v Late)
	// SetLate writes a value that is encoded when the group ends, for rows that change with nearly every event of it.
	SetLate(key []byte, v Late)
	// Now is the clock of the group in unix seconds. State must not depend on it.
	Now() int64
}

// Late is a value that is encoded once, at the end of its group, or when something reads its key before. It is immutable.
type Late interface {
	// Encode gives the row; nil removes it.
	Encode() []byte
	// Size is about how long the row will be, in bytes.
	Size() int
}

// IndexSpace is the first byte from which on keys belong to the Indexer.
const IndexSpace = 0x80

// Loss is why a body, or a fact, goes away.
type Loss uint8

// The losses. Only Erased takes the fact too.
const (
	LossExpired  Loss = iota // NIP-40
	LossDeleted              // NIP-09, by its author
	LossReplaced             // a newer version of the address
	LossRetention
	LossErased // NIP-62 or a ban: the fact goes too
)

// Indexer folds events into views, inside the transaction of the event. Apply and Remove are idempotent and give the
// same state for any order of the same events.
type Indexer interface {
	// Apply takes a new fact. p.Message carries the parsed event; p is nil when a fact is folded again without its body.
	Apply(t Txn, f Fact, p *nip90.Parsed) (Change, error)
	// Remove hears that the body of f is gone, or with LossErased the fact itself. by is the deleting event's id, or zero.
	Remove(t Txn, f Fact, why Loss, by nip90.ID) (Change, error)
}

// Commit is one event of a committed group, as Options.Committed hears it.
type Commit struct {
	Parsed  *nip90.Parsed
	Outcome Outcome
	Change  Change
}

// Errors of the store that a caller tells apart.
var (
	ErrDiskFull  = errors.New("disk full, reads only")
	ErrLocked    = errors.New("data directory is in use by another process")
	ErrClosed    = errors.New("store is closed")
	ErrReadOnly  = errors.New("store is read-only")
	ErrSchema    = errors.New("data directory was written by a newer version")
	ErrBudget    = errors.New("query took more than its budget")
	ErrBadFilter = errors.New("filter cannot be served")
)

// Snapshot is a Reader that answers filters. Close it; it holds disk space while open. It is not safe for concurrent
// use, but any number of snapshots may be open.
type Snapshot interface {
	Reader
	// Query yields what matches, newest first, equal times by lowest id, at most f.Limit (0 with LimitZero = none; the
	// caller has applied its default). Expired events are never yielded. The first error ends the iteration.
	Query(ctx context.Context, f nostr.Filter) iter.Seq2[Raw, error]
	// Count counts what Query would yield without a limit.
	Count(ctx context.Context, f nostr.Filter) (int64, error)
	// Items yields what Query would yield without a limit, as keys tell it: in no particular order, and an event with several
	// of the wanted values of a tag perhaps as often. What the consumer does may count as work of the query. The first error ends
	// the iteration.
	Items(ctx context.Context, f nostr.Filter) iter.Seq2[Item, error]
	Close()
}
