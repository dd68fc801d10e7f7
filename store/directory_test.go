package store_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"dvmrelay/store"
	"dvmrelay/store/storetest"

	"github.com/dgraph-io/badger/v4"
	"github.com/nbd-wtf/go-nostr"
)

// eventually polls until the condition holds.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	look := time.NewTicker(time.Millisecond)
	defer look.Stop()
	for !condition() {
		select {
		case <-look.C:
		case <-deadline:
			t.Fatalf("%s: not within 20 s", what)
		}
	}
}

func inDir(dir string) storetest.Option {
	return storetest.With(func(o *store.Options) { o.Dir = dir })
}

func TestOpen_SecondOpenIsLocked(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	s := storetest.Open(t, inDir(dir))
	o := store.DefaultOptions()
	o.Dir = dir
	if _, err := store.Open(o); !errors.Is(err, store.ErrLocked) {
		t.Errorf("second open: got %v, want ErrLocked", err)
	}
	info, err := os.Stat(dir)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("mode of the directory: got %v, %v, want 0700", info.Mode(), err)
	}
	s.Stop()
	storetest.Open(t, inDir(dir))
}

func TestOpen_EmptyLogFilesAreRemoved(t *testing.T) {
	dir := t.TempDir()
	s := storetest.Open(t, inDir(dir))
	p := storetest.Parsed(t, event(1, 5300, 1000))
	s.Put(t, p)
	s.Stop()
	for _, name := range []string{"00099.mem", "000099.vlog"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s = storetest.Open(t, inDir(dir))
	if got := s.IDs(t, nostr.Filter{}); len(got) != 1 || got[0] != p.Event.ID {
		t.Errorf("after repair: got %v, want %s", got, p.ID)
	}
}

func TestOpen_NewerSchemaIsRefused(t *testing.T) {
	dir := t.TempDir()
	storetest.Open(t, inDir(dir)).Stop()
	db, err := badger.OpenManaged(badger.DefaultOptions(dir).WithLogger(nil))
	if err != nil {
		t.Fatal(err)
	}
	txn := db.NewTransactionAt(db.MaxVersion(), true)
	if err := errors.Join(txn.Set([]byte("sv"), []byte{0, 0, 0, 99}), txn.CommitAt(db.MaxVersion()+1, nil), db.Close()); err != nil {
		t.Fatal(err)
	}
	o := store.DefaultOptions()
	o.Dir = dir
	if _, err := store.Open(o); !errors.Is(err, store.ErrSchema) {
		t.Errorf("open: got %v, want ErrSchema", err)
	}
}

func TestStore_CountsSurviveCleanAndUncleanEnds(t *testing.T) {
	dir := t.TempDir()
	s := storetest.Open(t, inDir(dir), fixed(1))
	for n := range 30 {
		s.Put(t, storetest.Parsed(t, event(1, 5300+n%3, int64(1000+n))))
	}
	want := s.Stats()
	s.Stop()
	for _, end := range []string{"clean", "unclean"} {
		s = storetest.Open(t, inDir(dir), fixed(1))
		got := s.Stats()
		if got.Facts != want.Facts || got.Bodies != want.Bodies || got.Events[5301] != 10 {
			t.Errorf("%s: got %+v, want %+v", end, got, want)
		}
		// A commit after the counts were left makes them stale, as a crash would.
		if err := s.SetMeta(context.Background(), "mark", []byte("1")); err != nil {
			t.Fatal(err)
		}
		s.Stop()
		forgetCounts(t, dir)
	}
}

// forgetCounts makes the counts row stale by committing behind its back.
func forgetCounts(t *testing.T, dir string) {
	t.Helper()
	db, err := badger.OpenManaged(badger.DefaultOptions(dir).WithLogger(nil))
	if err != nil {
		t.Fatal(err)
	}
	txn := db.NewTransactionAt(db.MaxVersion(), true)
	if err := errors.Join(txn.Set([]byte("mx"), nil), txn.CommitAt(db.MaxVersion()+1, nil), db.Close()); err != nil {
		t.Fatal(err)
	}
}

func TestStore_FullDiskRefusesWritesServesReadsAndRecovers(t *testing.T) {
	var free atomic.Uint64
	free.Store(10 << 30)
	s := storetest.Open(t, fixed(1), storetest.With(func(o *store.Options) {
		o.FreeFloor, o.SweepEvery = 2<<30, time.Millisecond
		o.Disk = func(string) (uint64, uint64, error) { return free.Load(), 100 << 30, nil }
	}))
	s.Put(t, storetest.Parsed(t, event(1, 5300, 1000)))
	free.Store(1 << 30)
	eventually(t, "full disk", func() bool { return errors.Is(s.Health(), store.ErrDiskFull) })
	_, _, err := s.Save(context.Background(), storetest.Parsed(t, event(1, 5300, 1001)))
	if !errors.Is(err, store.ErrDiskFull) {
		t.Errorf("save: got %v, want ErrDiskFull", err)
	}
	if got := s.IDs(t, nostr.Filter{}); len(got) != 1 {
		t.Errorf("read: got %v, want one event", got)
	}
	free.Store(3 << 30)
	eventually(t, "room again", func() bool { return s.Health() == nil })
	s.Put(t, storetest.Parsed(t, event(1, 5300, 1001)))
}

func TestStore_FloorShrinksOnSmallVolumes(t *testing.T) {
	s := storetest.Open(t, storetest.With(func(o *store.Options) {
		o.FreeFloor = store.DefaultFreeFloor
		o.Disk = func(string) (uint64, uint64, error) { return 1 << 30, 5 << 30, nil }
	}))
	if st := s.Stats(); st.DiskFloor != 512<<20 || st.DiskFull {
		t.Errorf("floor: got %d, full %t, want %d and room", st.DiskFloor, st.DiskFull, 512<<20)
	}
}

func TestOptions_ValidateNamesTheKeys(t *testing.T) {
	err := store.Options{Sync: "often", FreeFloor: -1}.Validate()
	if err == nil || !strings.Contains(err.Error(), "store.sync: ") || !strings.Contains(err.Error(), "store.free_floor: ") {
		t.Errorf("got %v, want both keys named", err)
	}
	if err := store.DefaultOptions().Validate(); err != nil {
		t.Errorf("defaults: %v", err)
	}
}

func TestStore_ClosedStoreSaysSo(t *testing.T) {
	s := storetest.Open(t)
	p := storetest.Parsed(t, event(1, 5300, 1000))
	s.Stop()
	_, _, saveErr := s.Save(context.Background(), p)
	_, knownErr := s.Known(p.ID)
	_, countErr := s.Count(context.Background(), nostr.Filter{})
	var queryErr error
	for _, err := range s.Query(context.Background(), nostr.Filter{}) {
		queryErr = err
	}
	for _, err := range []error{saveErr, knownErr, countErr, queryErr, s.Health()} {
		if !errors.Is(err, store.ErrClosed) {
			t.Errorf("got %v, want ErrClosed", err)
		}
	}
}

func TestOpen_CloseWithoutRun(t *testing.T) {
	o := store.DefaultOptions()
	o.Dir = t.TempDir()
	s, err := store.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
}
