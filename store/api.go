package store

import (
	"context"
	"iter"
	"log/slog"
	"time"

	"dvmrelay/nip90"

	"github.com/nbd-wtf/go-nostr"
)

// Options configure a store. The toml keys stand in section [store].
type Options struct {
	Dir       string `toml:"-"`
	Sync      string `toml:"sync"`       // "batch" (default): OK means on disk; "none": OK means in memory
	FreeFloor int64  `toml:"free_floor"` // bytes; writes are refused below this much free space

	Now       func() time.Time                  `toml:"-"`
	Log       *slog.Logger                      `toml:"-"`
	Indexer   Indexer                           `toml:"-"`
	Admit     func(Txn, *nip90.Parsed) error    `toml:"-"` // the last rule, decided by the writer inside the group; nil accepts all
	Committed func(version uint64, cs []Commit) `toml:"-"` // told in commit order, by the writer, before Save returns; must not block
}

// Store is an open store. All methods are safe for concurrent use.
type Store struct{}

// Open opens or creates the store in o.Dir. Nothing is written before Run.
func Open(o Options) (*Store, error) { panic("not yet") }

// Run writes what Save brings, expires, and watches the disk, until ctx ends; then it finishes what was begun.
func (s *Store) Run(ctx context.Context) error { panic("not yet") }

// Close closes the store; Run must have returned.
func (s *Store) Close() error { panic("not yet") }

// Pending is an event on its way to disk.
type Pending struct{}

// Submit queues an event. Events are committed in the order of Submit. It blocks only while the queue is full.
func (s *Store) Submit(ctx context.Context, p *nip90.Parsed) (*Pending, error) { panic("not yet") }

// Wait returns when the event is on disk (or why it is not).
func (p *Pending) Wait(ctx context.Context) (Outcome, Change, error) { panic("not yet") }

// Save is Submit and Wait.
func (s *Store) Save(ctx context.Context, p *nip90.Parsed) (Outcome, Change, error) {
	panic("not yet")
}

// Known says whether an event with this id was ever counted here.
func (s *Store) Known(id nip90.ID) (bool, error) { panic("not yet") }

// Snapshot opens a view of what is published now.
func (s *Store) Snapshot() Snapshot { panic("not yet") }

// Query answers one filter from a snapshot of its own.
func (s *Store) Query(ctx context.Context, f nostr.Filter) iter.Seq2[Raw, error] { panic("not yet") }
