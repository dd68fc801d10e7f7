package store

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"dvmrelay/nip90"
)

// Options configure a store. The toml keys stand in section [store].
type Options struct {
	Dir       string `toml:"-"`
	Sync      string `toml:"sync"`       // "batch" (default): OK means on disk; "none": OK means in memory
	FreeFloor int64  `toml:"free_floor"` // bytes; writes are refused below this much free space, or a tenth of a small volume; 0 = none

	// VanishURL is this relay's own URL as NIP-62 requests name it; empty obeys ALL_RELAYS only.
	VanishURL string `toml:"-"`
	// BlindKeys lets nothing that is kept of an event name its author or those it names once its body is gone, but who
	// answered, announced or beat: pseudonyms stand in their place, made with a secret of this store. Default false.
	BlindKeys bool `toml:"-"`
	// QueryBudget is the work one Query or Count may do, without the time its consumer holds it; 0 = 2 s.
	QueryBudget time.Duration `toml:"-"`
	// SweepEvery is the pause between looks for expired events; 0 = 1 s.
	SweepEvery time.Duration `toml:"-"`

	Now     func() time.Time               `toml:"-"`
	Log     *slog.Logger                   `toml:"-"`
	Indexer Indexer                        `toml:"-"`
	Admit   func(Txn, *nip90.Parsed) error `toml:"-"` // the last rule, decided by the writer inside the group, before the event is written; nil accepts all. An event that it refuses with an Unmet waits
	// Backfilling says whether upstreams are still asked for their past: what that brings waits as long. It is asked by the
	// writer, now and then, and must not block. nil: never.
	Backfilling func() bool `toml:"-"`
	// Committed is told in commit order, by the writer, before Save returns; it must not block. It hears the events that
	// wrote something, each followed by those that waited for it, and, with a nil Parsed, what sweeping and erasing moved (Outcome FactOnly or Deleted).
	Committed func(version uint64, cs []Commit) `toml:"-"`
	// Disk tells the free and total bytes of the volume that holds dir; nil asks the system.
	Disk func(dir string) (free, total uint64, err error) `toml:"-"`
}

// The values of Options.Sync.
const (
	SyncBatch = "batch"
	SyncNone  = "none"
)

// DefaultFreeFloor is the free space below which writes are refused, in bytes.
const DefaultFreeFloor = 2 << 30

const (
	defaultQueryBudget = 2 * time.Second
	defaultSweepEvery  = time.Second
)

// DefaultOptions are the options of a store that nobody configured; Dir is still to be set.
func DefaultOptions() Options {
	return Options{Sync: SyncBatch, FreeFloor: DefaultFreeFloor}
}

// Validate says what is wrong with the options, all faults at once, each beginning with its toml key.
func (o Options) Validate() error {
	var faults []error
	if o.Sync != SyncBatch && o.Sync != SyncNone && o.Sync != "" {
		faults = append(faults, fmt.Errorf("store.sync: %q: must be %q or %q", o.Sync, SyncBatch, SyncNone))
	}
	if o.FreeFloor < 0 {
		faults = append(faults, fmt.Errorf("store.free_floor: %d: must not be negative", o.FreeFloor))
	}
	return errors.Join(faults...)
}

func (o Options) withDefaults() Options {
	if o.Sync == "" {
		o.Sync = SyncBatch
	}
	if o.QueryBudget <= 0 {
		o.QueryBudget = defaultQueryBudget
	}
	if o.SweepEvery <= 0 {
		o.SweepEvery = defaultSweepEvery
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Disk == nil {
		o.Disk = diskSpace
	}
	return o
}
