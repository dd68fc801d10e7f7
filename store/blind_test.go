package store_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"dvmrelay/nip90"
	"dvmrelay/store"
	"dvmrelay/store/storetest"

	"github.com/dgraph-io/badger/v4"
	"github.com/nbd-wtf/go-nostr"
)

func blinding(now *atomic.Int64) storetest.Option {
	return storetest.With(func(o *store.Options) {
		o.BlindKeys, o.SweepEvery = true, time.Hour
		o.Now = func() time.Time { return time.Unix(now.Load(), 0) }
	})
}

func pubkey(t testing.TB, n int) nip90.PubKey {
	t.Helper()
	pk, ok := nip90.ParsePubKey(key(n))
	if !ok {
		t.Fatalf("%s is no key", key(n))
	}
	return pk
}

// person is a key that does not occur in a row by chance.
const person = 0xe7

// naming are the keys of rows that hold a key of a person, as bytes or as hex.
func naming(t testing.TB, s *storetest.Running, n int) (rows []string) {
	t.Helper()
	pk := pubkey(t, n)
	err := s.View(func(r store.Reader) error {
		return r.Scan(nil, nil, func(k, v []byte) bool {
			for _, needle := range [][]byte{pk[:], []byte(hex.EncodeToString(pk[:]))} {
				if bytes.Contains(k, needle) || bytes.Contains(v, needle) {
					rows = append(rows, fmt.Sprintf("%q: %q", k, v))
				}
			}
			return true
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

func blinderOf(t testing.TB, s *storetest.Running) (b *store.Blinder) {
	t.Helper()
	if err := s.Update(context.Background(), func(txn store.Txn) (err error) {
		b, err = store.BlinderOf(txn)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return b
}

func factOf(t testing.TB, s *storetest.Running, id string) (f store.Fact, ok bool) {
	t.Helper()
	want, _ := nip90.ParseID(id)
	if err := s.View(func(r store.Reader) (err error) {
		f, ok, err = r.Fact(want)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return f, ok
}

func withID(e nostr.Event) nostr.Event {
	e.ID = e.GetID()
	return e
}

func TestBlinder_PseudonymsAreSteadyAndTheStoresOwn(t *testing.T) {
	var now atomic.Int64
	dir := t.TempDir()
	s := storetest.Open(t, blinding(&now), inDir(dir))
	other := blinderOf(t, storetest.Open(t, blinding(&now)))
	b, alice, bob := blinderOf(t, s), pubkey(t, 1), pubkey(t, 2)
	veiled := b.Of(alice)
	switch {
	case !store.IsPseudonym(veiled), store.IsPseudonym(alice):
		t.Errorf("%s and %s cannot be told apart", veiled, alice)
	case b.Of(veiled) != veiled, b.Of(bob) == veiled, b.Of(nip90.PubKey{}) != nip90.PubKey{}:
		t.Error("pseudonyms of pseudonyms, of others or of nobody are wrong")
	case other.Of(alice) == veiled:
		t.Error("two stores give one key the same pseudonym")
	case (*store.Blinder)(nil).Of(alice) != alice:
		t.Error("without a secret a key has a pseudonym")
	case !b.Same(alice, veiled), !b.Same(veiled, alice), b.Same(bob, veiled), b.Same(alice, bob), !b.Same(alice, alice):
		t.Error("Same takes people for each other")
	case !b.Contains([]nip90.PubKey{bob, veiled}, alice), b.Contains([]nip90.PubKey{bob}, alice):
		t.Error("Contains is wrong")
	case !b.Always():
		t.Error("the store does not know that it began so")
	}
	s.Stop()
	if again := blinderOf(t, storetest.Open(t, blinding(&now), inDir(dir))); again.Of(alice) != veiled || !again.Always() {
		t.Error("a restart gives a key another pseudonym")
	}
}

func TestBlindKeys_WhatIsKeptNamesNobodyButProviders(t *testing.T) {
	var now atomic.Int64
	now.Store(1000)
	s := storetest.Open(t, blinding(&now))
	mortal, about := nostr.Tag{"expiration", "1500"}, nostr.Tag{"p", key(person)}
	job := withID(event(person, 5300, 1000, mortal, nostr.Tag{"p", key(2)}))
	never := withID(event(person, 5300, 1001))
	for _, e := range []nostr.Event{
		job,
		event(person, 5300, 1002, nostr.Tag{"expiration", "900"}),
		event(person, 0, 1000, mortal), event(person, 0, 1001, mortal),
		event(person, 5, 1003, mortal, nostr.Tag{"e", never.ID}, nostr.Tag{"a", "10002:" + key(person) + ":"}), never,
		event(person, 10002, 1002, mortal),
		event(person, 62, 900, mortal, nostr.Tag{"relay", "ALL_RELAYS"}),
		event(2, 7000, 1001, mortal, about, nostr.Tag{"e", job.ID}, nostr.Tag{"status", "processing"}),
		event(2, 31990, 1001, mortal, nostr.Tag{"d", "x"}, nostr.Tag{"k", "5300"}), event(2, 11998, 1001, mortal),
		event(3, 1984, 1002, mortal, about),
		event(person, 9321, 1002, mortal, nostr.Tag{"p", key(2)}, nostr.Tag{"e", job.ID}),
	} {
		s.Put(t, storetest.Parsed(t, e))
	}
	if len(naming(t, s, person)) == 0 {
		t.Error("while there are bodies no row names the person: this test looks in the wrong place")
	}
	now.Store(2000)
	if err := s.Sweep(context.Background()); err != nil {
		t.Fatal(err)
	}
	for _, row := range naming(t, s, person) {
		t.Errorf("named in %s", row)
	}
	if rows := naming(t, s, 2); len(rows) != 6 { // three facts and three graves
		t.Errorf("the provider is named in %q, want the facts of its answer, its announcement and its heartbeat, and their graves", rows)
	}
}

func TestBlindKeys_DeletionFindsWhatItsAuthorWrote(t *testing.T) {
	var now atomic.Int64
	now.Store(1000)
	s := storetest.Open(t, blinding(&now))
	job := withID(event(person, 5300, 1000, nostr.Tag{"expiration", "1500"}))
	s.Put(t, storetest.Parsed(t, job))
	now.Store(2000)
	if err := s.Sweep(context.Background()); err != nil {
		t.Fatal(err)
	}
	s.Put(t, storetest.Parsed(t, event(3, 5, 2000, nostr.Tag{"e", job.ID})))
	if f, ok := factOf(t, s, job.ID); !ok || f.Has(store.FactDeleted) || f.Has(store.FactBody) {
		t.Errorf("after a stranger's deletion: %+v, %t", f, ok)
	}
	s.Put(t, storetest.Parsed(t, event(person, 5, 2000, nostr.Tag{"e", job.ID})))
	if f, _ := factOf(t, s, job.ID); !f.Has(store.FactDeleted) || !blinderOf(t, s).Same(f.Author, pubkey(t, person)) {
		t.Errorf("after its author's deletion: %+v", f)
	}
}

func TestBlindKeys_TombstonesKeepTheirForce(t *testing.T) {
	var now atomic.Int64
	now.Store(1000)
	dir := t.TempDir()
	s := storetest.Open(t, blinding(&now), inDir(dir))
	late := withID(event(person, 5300, 1000))
	s.Put(t, storetest.Parsed(t, event(person, 5, 1010, nostr.Tag{"e", late.ID}, nostr.Tag{"a", "10002:" + key(person) + ":"})))
	s.Stop() // what keeps authors without tombstones cheap is read back
	s = storetest.Open(t, blinding(&now), inDir(dir))
	for name, c := range map[string]struct {
		e    nostr.Event
		want store.Outcome
	}{
		"deleted before it came":            {late, store.Deleted},
		"an address up to its deletion":     {event(person, 10002, 1010), store.Deleted},
		"an address after its deletion":     {event(person, 10002, 1011), store.Stored},
		"somebody else's address":           {event(4, 10002, 1010), store.Stored},
		"another event of the same author":  {event(person, 5300, 1001), store.Stored},
		"the deletion does not bind others": {event(4, 5300, 1000), store.Stored},
	} {
		if got := s.Put(t, storetest.Parsed(t, c.e)); got != c.want {
			t.Errorf("%s: got %v, want %v", name, got, c.want)
		}
	}
}

func TestBlindKeys_VanishErasesWhatStandsUnderThePseudonym(t *testing.T) {
	var now atomic.Int64
	now.Store(1000)
	s := storetest.Open(t, blinding(&now))
	gone := withID(event(person, 5300, 1000, nostr.Tag{"expiration", "1500"}))
	here := withID(event(person, 5300, 1001))
	answer := withID(event(person, 7000, 1002, nostr.Tag{"expiration", "1500"}, nostr.Tag{"e", here.ID}, nostr.Tag{"status", "error"}))
	other := withID(event(4, 5300, 1000, nostr.Tag{"expiration", "1500"}))
	for _, e := range []nostr.Event{gone, here, answer, other} {
		s.Put(t, storetest.Parsed(t, e))
	}
	now.Store(2000)
	if err := s.Sweep(context.Background()); err != nil {
		t.Fatal(err)
	}
	known := func(n int) (known bool) {
		if err := s.View(func(r store.Reader) (err error) {
			known, err = store.HasAuthor(r, pubkey(t, n))
			return err
		}); err != nil {
			t.Fatal(err)
		}
		return known
	}
	if !known(person) || !known(4) || known(5) {
		t.Error("HasAuthor does not see through pseudonyms")
	}
	s.Put(t, storetest.Parsed(t, event(person, 62, 1500, nostr.Tag{"relay", "ALL_RELAYS"})))
	eventually(t, "erased", func() bool {
		found := 0
		for _, e := range []nostr.Event{gone, here, answer} {
			if _, ok := factOf(t, s, e.ID); ok {
				found++
			}
		}
		return found == 0 && s.Stats().Vanishing == 0
	})
	if _, ok := factOf(t, s, other.ID); !ok {
		t.Error("somebody else's fact went too")
	}
	if got := s.Put(t, storetest.Parsed(t, gone)); got != store.Deleted {
		t.Errorf("what was forgotten may come back: %v", got)
	}
}

// TestBlindAll_BringsThePastInLine: a store that named people for a while, and one that never did, end with the same.
func TestBlindAll_BringsThePastInLine(t *testing.T) {
	var now atomic.Int64
	now.Store(1000)
	dir := t.TempDir()
	late := withID(event(person, 5300, 1003))
	events := []nostr.Event{
		withID(event(person, 5300, 1000, nostr.Tag{"expiration", "1500"}, nostr.Tag{"p", key(2)})),
		event(person, 5, 1010, nostr.Tag{"expiration", "1500"}, nostr.Tag{"e", late.ID}, nostr.Tag{"a", "10002:" + key(person) + ":"}),
		event(person, 62, 900, nostr.Tag{"relay", "ALL_RELAYS"}, nostr.Tag{"expiration", "1500"}),
		event(2, 6300, 1002, nostr.Tag{"expiration", "1500"}, nostr.Tag{"p", key(person)}),
		event(4, 5300, 1000),
	}
	s := storetest.Open(t, inDir(dir), blinding(&now), storetest.With(func(o *store.Options) { o.BlindKeys = false }))
	for _, e := range events {
		s.Put(t, storetest.Parsed(t, e))
	}
	if blinderOf(t, s) != nil {
		t.Error("a store without the option has a secret")
	}
	now.Store(2000)
	if err := s.Sweep(context.Background()); err != nil {
		t.Fatal(err)
	}
	if err := s.BlindAll(context.Background()); err != nil || len(naming(t, s, person)) == 0 {
		t.Errorf("without the option BlindAll has changed something, or %v", err)
	}
	s.Stop()

	s = storetest.Open(t, inDir(dir), blinding(&now))
	if b := blinderOf(t, s); b == nil || b.Always() {
		t.Error("a store that got the option late has no secret, or claims that it always had one")
	}
	for range 2 {
		if err := s.BlindAll(context.Background()); err != nil {
			t.Fatal(err)
		}
		for _, row := range naming(t, s, person) {
			t.Errorf("named in %s", row)
		}
	}
	if got := s.Put(t, storetest.Parsed(t, late)); got != store.Deleted {
		t.Errorf("a tombstone has lost its force: %v", got)
	}
	if got := s.Put(t, storetest.Parsed(t, event(person, 1984, 900))); got != store.Deleted {
		t.Errorf("a vanished key comes back: %v", got)
	}
	if _, ok := factOf(t, s, events[3].ID); !ok {
		f, ok := factOf(t, s, withID(events[3]).ID)
		if !ok || f.Author != pubkey(t, 2) {
			t.Errorf("the provider's fact: %+v, %t, want it under its own name", f, ok)
		}
	}
}

// TestBlindKeys_NothingInTheDatabaseAfterCompaction looks past every abstraction, at what Badger itself gives out once it
// has compacted. In the files older versions may lie for longer, which is not promised away.
func TestBlindKeys_NothingInTheDatabaseAfterCompaction(t *testing.T) {
	var now atomic.Int64
	now.Store(1000)
	dir := t.TempDir()
	s := storetest.Open(t, inDir(dir), blinding(&now))
	for i := range 50 {
		s.Put(t, storetest.Parsed(t, event(person, 5300, int64(1000+i), nostr.Tag{"expiration", "1500"})))
	}
	now.Store(2000)
	if err := s.Sweep(context.Background()); err != nil {
		t.Fatal(err)
	}
	s.Stop()
	db, err := badger.OpenManaged(badger.DefaultOptions(dir).WithLogger(nil))
	if err != nil {
		t.Fatal(err)
	}
	db.SetDiscardTs(db.MaxVersion())
	if err := db.Flatten(1); err != nil {
		t.Fatal(err)
	}
	pk := pubkey(t, person)
	txn := db.NewTransactionAt(db.MaxVersion(), false)
	it := txn.NewIterator(badger.IteratorOptions{})
	for it.Rewind(); it.Valid(); it.Next() {
		value, err := it.Item().ValueCopy(nil)
		if err != nil {
			t.Fatal(err)
		}
		if row := append(it.Item().KeyCopy(nil), value...); bytes.Contains(row, pk[:]) || bytes.Contains(row, []byte(key(person))) {
			t.Errorf("row %q names the person", row)
		}
	}
	it.Close()
	txn.Discard()
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("files of the store: %v, %v", files, err)
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(content, []byte(key(person))) {
			t.Logf("%s still holds an old version: deletion on the medium is not promised", filepath.Base(file))
		}
	}
}
