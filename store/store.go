package store

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"dvmrelay/nip90"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"
	"github.com/nbd-wtf/go-nostr"
)

// schemaVersion is the version of the keys and values; a directory with a larger one is not opened.
const schemaVersion = 1

const (
	memTableBytes   = 8 << 20
	memTables       = 3
	blockCacheBytes = 48 << 20
	indexCacheBytes = 16 << 20
	blockBytes      = 8 << 10
	tableBytes      = 1 << 20
	compactors      = 2
	queueLen        = 2048
	closeWait       = 10 * time.Second
)

// Store is an open store. All methods are safe for concurrent use.
type Store struct {
	o        Options
	db       *badger.DB
	lock     *dirLock
	maxCount int64 // entries of one transaction
	maxBytes int64
	fresh    bool // the schema row is still to be written

	published atomic.Uint64
	kinds     kindTable
	facts     atomic.Int64
	vanishing atomic.Pointer[map[nip90.PubKey]vanishing]
	disk      disk
	counters  counters
	marks     marks // touched by the writer only, once it runs
	shelf     *shelf
	blinder   *Blinder // written before the first group; nil while there is no secret

	// Touched by the writer only.
	began         int64 // unix seconds
	backfillAsked int64
	backfillSays  bool

	queue    chan *op
	started  atomic.Bool
	finished chan struct{} // closed when Run has returned, or when Close found that it never ran
	finish   sync.Once
	stopping chan struct{} // closed when nothing more is taken
	stop     sync.Once

	mu     sync.Mutex // guards below
	open   map[uint64]int
	idle   *sync.Cond // told when a snapshot closes
	closed bool
}

// Open opens or creates the store in o.Dir. Nothing is written before Run. Errors: ErrLocked, ErrSchema.
func Open(o Options) (*Store, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	o = o.withDefaults()
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("create data directory: %w", err)
	}
	lock, err := lockDir(o.Dir)
	if err != nil {
		return nil, err
	}
	s := &Store{
		o: o, lock: lock, shelf: newShelf(), queue: make(chan *op, queueLen), finished: make(chan struct{}), stopping: make(chan struct{}), open: make(map[uint64]int),
	}
	s.idle = sync.NewCond(&s.mu)
	if err := s.openBadger(); err != nil {
		return nil, errors.Join(err, lock.release())
	}
	if err := s.load(); err != nil {
		return nil, errors.Join(err, s.db.Close(), lock.release())
	}
	s.disk.begin(o)
	return s, nil
}

func (s *Store) openBadger() error {
	if err := removeEmptyLogs(s.o.Dir, s.o.Log); err != nil {
		return err
	}
	bo := badger.DefaultOptions(s.o.Dir).
		WithMemTableSize(memTableBytes).WithNumMemtables(memTables).
		WithBlockCacheSize(blockCacheBytes).WithIndexCacheSize(indexCacheBytes).
		WithBlockSize(blockBytes).WithBaseTableSize(tableBytes).WithNumCompactors(compactors).WithCompression(options.Snappy).WithNumGoroutines(compactors).
		WithValueLogFileSize(memTableBytes).
		WithDetectConflicts(false).WithMetricsEnabled(false).
		WithSyncWrites(s.o.Sync == SyncBatch).
		WithLogger(badgerLog{s.o.Log})
	// Builders of tables hold about seven times a table while they compress it, and a dozen may be at work.
	bo.TableSizeMultiplier = 1
	db, err := badger.OpenManaged(bo)
	if err != nil {
		return fmt.Errorf("open data directory %s: %w", s.o.Dir, err)
	}
	s.db, s.maxCount, s.maxBytes = db, db.MaxBatchCount(), db.MaxBatchSize()
	s.published.Store(db.MaxVersion())
	return nil
}

// removeEmptyLogs removes the empty log files that a killed process can leave and Badger cannot open.
func removeEmptyLogs(dir string, log *slog.Logger) error {
	for _, pattern := range []string{"*.mem", "*.vlog"} {
		files, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			return fmt.Errorf("list %s: %w", pattern, err)
		}
		for _, file := range files {
			info, err := os.Stat(file)
			if err != nil {
				return fmt.Errorf("inspect log: %w", err)
			}
			if info.Size() > 0 {
				continue
			}
			log.Warn("empty log file of an interrupted process removed", "file", file)
			if err := os.Remove(file); err != nil {
				return fmt.Errorf("remove empty log: %w", err)
			}
		}
	}
	return nil
}

// load checks the schema and brings counts and unfinished tasks into memory.
func (s *Store) load() error {
	v := &view{txn: s.db.NewTransactionAt(s.published.Load(), false), version: s.published.Load()}
	defer v.txn.Discard()
	schema, err := v.Value(schemaKey)
	if err != nil {
		return err
	}
	switch {
	case schema == nil:
		s.fresh = true
	case len(schema) != 4 || binary.BigEndian.Uint32(schema) > schemaVersion:
		return fmt.Errorf("schema %x, this program knows %d: %w", schema, schemaVersion, ErrSchema)
	}
	if err := s.loadCounts(v); err != nil {
		return err
	}
	s.marks = loadMarks(v.txn)
	if err := s.shelf.load(v); err != nil {
		return err
	}
	if s.blinder, err = BlinderOf(v); err != nil {
		return err
	}
	pending := make(map[nip90.PubKey]vanishing)
	err = v.Scan([]byte{tabTask, taskVanish}, nil, func(key, value []byte) bool {
		if len(key) == 2+32 && len(value) == timeLen+idLen {
			pk := nip90.PubKey(key[2:])
			pending[pk] = vanishing{pk, getTime(value), nip90.ID(value[timeLen:])}
		}
		return true
	})
	s.vanishing.Store(&pending)
	return err
}

// loadCounts takes the counts that a clean end left behind, or counts again.
func (s *Store) loadCounts(v *view) error {
	row, err := v.Value(countsKey)
	if err != nil {
		return err
	}
	if len(row) >= 16 && binary.BigEndian.Uint64(row) == v.version && s.kinds.load(row[16:]) {
		s.facts.Store(int64(binary.BigEndian.Uint64(row[8:])))
		return nil
	}
	it := v.txn.NewIterator(keysOnly([]byte{tabKind}))
	for it.Seek([]byte{tabKind}); it.Valid(); it.Next() {
		if key := it.Item().Key(); len(key) == 1+kindLen+placeLen {
			s.kinds.add(binary.BigEndian.Uint16(key[1:]), 1)
		}
	}
	it.Close()
	return v.Scan([]byte{tabFact}, nil, func([]byte, []byte) bool {
		s.facts.Add(1)
		return true
	})
}

func (s *Store) countsRow(version uint64) []byte {
	b := binary.BigEndian.AppendUint64(nil, version)
	b = binary.BigEndian.AppendUint64(b, uint64(s.facts.Load()))
	return s.kinds.appendTo(b)
}

// Close closes the store; Run must have returned. It waits for open snapshots, but not for ever.
func (s *Store) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	timer := time.AfterFunc(closeWait, s.idle.Broadcast)
	defer timer.Stop()
	deadline := time.Now().Add(closeWait)
	for len(s.open) > 0 && time.Now().Before(deadline) {
		s.idle.Wait()
	}
	left := len(s.open)
	s.mu.Unlock()
	if s.started.CompareAndSwap(false, true) {
		s.end()
	}
	<-s.finished
	if left > 0 {
		return errors.Join(fmt.Errorf("close store: %d snapshots are still open", left), s.lock.release())
	}
	return errors.Join(s.db.Close(), s.lock.release())
}

// refuse lets Submit take nothing more.
func (s *Store) refuse() { s.stop.Do(func() { close(s.stopping) }) }

func (s *Store) end() {
	s.refuse()
	s.finish.Do(func() { close(s.finished) })
}

// Known says whether an event with this id was ever counted here.
func (s *Store) Known(id nip90.ID) (known bool, err error) {
	err = s.View(func(r Reader) error {
		value, err := r.Value(factKey(id))
		known = value != nil
		return err
	})
	return known, err
}

// View gives fn a consistent view of what is published now; the view ends with fn.
func (s *Store) View(fn func(Reader) error) error {
	snap := s.Snapshot()
	defer snap.Close()
	if c, ok := snap.(closedSnapshot); ok {
		return c.err()
	}
	return fn(snap)
}

// Snapshot opens a view of what is published now.
func (s *Store) Snapshot() Snapshot {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return closedSnapshot{}
	}
	erased := s.vanishing.Load() // before the version: what is done with after this may still be in the snapshot
	version := s.published.Load()
	s.open[version]++
	return &snapshot{s: s, erased: erased, view: view{txn: s.db.NewTransactionAt(version, false), version: version}}
}

func (s *Store) release(version uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open[version]--; s.open[version] == 0 {
		delete(s.open, version)
	}
	if len(s.open) == 0 {
		s.idle.Broadcast()
	}
}

// trail lets Badger drop the versions that no open snapshot can see.
func (s *Store) trail() {
	s.mu.Lock()
	oldest := s.published.Load()
	for version := range maps.Keys(s.open) {
		oldest = min(oldest, version)
	}
	s.mu.Unlock()
	s.db.SetDiscardTs(oldest)
}

// Query answers one filter from a snapshot of its own.
func (s *Store) Query(ctx context.Context, f nostr.Filter) iter.Seq2[Raw, error] {
	return func(yield func(Raw, error) bool) {
		snap := s.Snapshot()
		defer snap.Close()
		for raw, err := range snap.Query(ctx, f) {
			if !yield(raw, err) {
				return
			}
		}
	}
}

// Count counts what Query would yield without a limit.
func (s *Store) Count(ctx context.Context, f nostr.Filter) (int64, error) {
	snap := s.Snapshot()
	defer snap.Close()
	return snap.Count(ctx, f)
}
