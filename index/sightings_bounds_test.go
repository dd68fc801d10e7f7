package index

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"dvmrelay/nip90"
	"dvmrelay/store"
	"dvmrelay/store/storetest"
)

// TestSightings_UnknownIDsCostNothing: a million of them leave no row and no memory behind.
func TestSightings_UnknownIDsCostNothing(t *testing.T) {
	w := newWatched(t, t.TempDir())
	var id nip90.ID
	for i := range uint64(1_000_000) {
		binary.BigEndian.PutUint64(id[:], i)
		w.g.Saw(id, "wss://a.example")
		if i == 3*sightMost {
			if st := w.g.Stats(); st.Pending != sightMost || st.Dropped < sightMost {
				t.Errorf("%+v, want %d that wait and the rest dropped", st, sightMost)
			}
			w.flush(t)
		}
	}
	if st := w.g.Stats(); st.Pending > sightMost || st.Pending+int(st.Dropped)+int(st.Unknown) != 1_000_000 {
		t.Errorf("%+v, want each counted once", st)
	}
	w.flush(t)
	if n := w.g.awaited.size(); n > 2*maxAwaited {
		t.Errorf("%d unknown events are remembered, want at most %d", n, 2*maxAwaited)
	}
	if s := view(t, w.rig, Sizes); s.Seen != 0 {
		t.Errorf("%d rows, want none", s.Seen)
	}
	if got := w.numbers(t); len(got) != 0 {
		t.Errorf("sources %v, want none while nothing was written", got)
	}
}

// TestSightings_OfAdoptedEventsCount: an event that waits for what it is about was seen before it is known. Who brought it
// first is told even if a crash came between.
func TestSightings_OfAdoptedEventsCount(t *testing.T) {
	for _, crash := range []bool{false, true} {
		w := newWatched(t, t.TempDir())
		job := storetest.Parsed(t, request("alice", 0))
		job.Door, job.Source = nip90.DoorMirror, "wss://a.example"
		w.g.Saw(job.ID, job.Source)
		w.g.Saw(job.ID, "wss://b.example")
		w.flush(t)
		if crash {
			w.sightings(t)
		}
		w.Put(t, job)
		w.g.Committed(1, []store.Commit{{}, {Parsed: job}})
		w.flush(t)
		want := []string{"wss://a.example", "wss://b.example"}
		if crash {
			want = want[:1]
		}
		if got := w.seenOn(t, job.ID); !slices.Equal(got, want) {
			t.Errorf("crash %t: seen on %v, want %v", crash, got, want)
		}
	}
}

// TestSightings_StrangersRelaysAreBounded: beyond a thousand they share a name, but those of the configuration have theirs.
func TestSightings_StrangersRelaysAreBounded(t *testing.T) {
	w := newWatched(t, t.TempDir())
	var ids []nip90.ID
	for i := range maxSources + 50 {
		p := storetest.Parsed(t, event("alice", 5100, 0, fmt.Sprint(i)))
		p.Door = nip90.DoorMirror
		w.Put(t, p)
		ids = append(ids, p.ID)
		w.g.Saw(p.ID, fmt.Sprintf("wss://r%d.example", i))
	}
	w.g.Expect("wss://mine.example")
	w.g.Saw(ids[0], "wss://mine.example")
	w.flush(t)
	if got, want := w.seenOn(t, ids[0]), []string{"wss://r0.example", "wss://mine.example"}; !slices.Equal(got, want) {
		t.Errorf("the first was seen on %v, want %v", got, want)
	}
	if got := w.seenOn(t, ids[len(ids)-1]); !slices.Equal(got, []string{OtherSource}) {
		t.Errorf("the last was seen on %v, want %v", got, OtherSource)
	}
	before := w.numbers(t)
	if len(before) != maxSources+1 {
		t.Errorf("%d sources, want %d", len(before), maxSources+1)
	}
	w.Stop()
	w = newWatched(t, w.dir)
	w.g.Saw(ids[1], "wss://late.example")
	w.g.Saw(ids[1], "wss://mine.example")
	w.flush(t)
	if after := w.numbers(t); !maps.Equal(after, before) {
		t.Errorf("the numbers have changed over a restart")
	}
	if got, want := w.seenOn(t, ids[1]), []string{"wss://r1.example", OtherSource, "wss://mine.example"}; !slices.Equal(got, want) {
		t.Errorf("the second was seen on %v, want %v", got, want)
	}
}

func TestSightings_RunWritesByItselfAndAtTheEnd(t *testing.T) {
	w := newWatched(t, t.TempDir())
	var ids []nip90.ID
	for i := range 3 * sightStep {
		p := storetest.Parsed(t, event("alice", 5100, 0, fmt.Sprint(i)))
		w.Put(t, p)
		ids = append(ids, p.ID)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- w.g.Run(ctx) }()
	w.g.Saw(ids[0], "wss://a.example")
	for deadline := time.Now().Add(20 * time.Second); len(w.seenOn(t, ids[0])) == 0; {
		if time.Now().After(deadline) {
			t.Fatal("nothing is written")
		}
	}
	for _, id := range ids {
		w.g.Saw(id, "wss://b.example")
	}
	cancel()
	if err := <-ran; err != nil {
		t.Fatalf("run: %v", err)
	}
	if s := view(t, w.rig, Sizes); s.Seen != int64(len(ids)) {
		t.Errorf("%d rows after the end, want %d", s.Seen, len(ids))
	}
	if got, want := w.exclusive(t), map[string]uint64{"wss://b.example": uint64(len(ids) - 1)}; !maps.Equal(got, want) {
		t.Errorf("exclusive %v, want %v", got, want)
	}
}

// TestSightings_WhatCannotBeWrittenWaits: and is written once the store takes it again.
func TestSightings_WhatCannotBeWrittenWaits(t *testing.T) {
	w := newWatched(t, t.TempDir())
	p := storetest.Parsed(t, request("alice", 0))
	w.Put(t, p)
	w.g.Saw(p.ID, "wss://a.example")
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	for at := int64(1); w.g.Flush(ended) == nil; at++ { // it may be written before ctx is looked at
		p = storetest.Parsed(t, request("alice", at))
		w.Put(t, p)
		w.g.Saw(p.ID, "wss://a.example")
	}
	w.g.Saw(p.ID, "wss://b.example")
	if st := w.g.Stats(); st.Pending != 1 {
		t.Errorf("%d wait, want 1", st.Pending)
	}
	w.flush(t)
	if got, want := w.seenOn(t, p.ID), []string{"wss://a.example", "wss://b.example"}; !slices.Equal(got, want) {
		t.Errorf("seen on %v, want %v", got, want)
	}
	w.Stop()
	w.g.Saw(p.ID, "wss://c.example")
	if err := w.g.Flush(context.Background()); !errors.Is(err, store.ErrClosed) {
		t.Errorf("a closed store: %v, want %v", err, store.ErrClosed)
	}
}

// TestSightings_ErasedWhileTheIndexIsDropped: a rebuild leaves the table alone, so erasing must not.
func TestSightings_ErasedWhileTheIndexIsDropped(t *testing.T) {
	w := newWatched(t, t.TempDir())
	p := storetest.Parsed(t, request("alice", 0))
	w.Put(t, p)
	w.g.Saw(p.ID, "wss://a.example")
	w.flush(t)
	w.x.dropping.Store(true)
	w.put(t, event("alice", 62, 10, "", tag("relay", "ALL_RELAYS")))
	w.sweep(t)
	w.x.dropping.Store(false)
	if got := view(t, w.rig, Sizes); got.Seen != 0 {
		t.Errorf("%d rows are left, want none", got.Seen)
	}
	if err := w.x.Rebuild(context.Background(), w.Store); err != nil {
		t.Fatal(err)
	}
}

// TestSightings_AfterErasing: what is remembered of an event in memory goes with its row.
func TestSightings_AfterErasing(t *testing.T) {
	w := newWatched(t, t.TempDir())
	p := storetest.Parsed(t, request("alice", 0))
	w.Put(t, p)
	for range 2 {
		w.g.Saw(p.ID, "wss://a.example")
		w.flush(t)
		if got := w.exclusive(t); got["wss://a.example"] != 1 {
			t.Errorf("exclusive %v, want one", got)
		}
		if err := w.Update(context.Background(), func(txn store.Txn) error { return w.x.forgetSources(txn, p.ID) }); err != nil {
			t.Fatal(err)
		}
	}
}

func TestCheck_FindsWrongSources(t *testing.T) {
	cases := []struct {
		name string
		harm func(store.Txn, nip90.ID)
	}{
		{"a count that is too high", func(t store.Txn, _ nip90.ID) { t.Set(exclusiveKey(firstNumber), []byte{9}) }},
		{"a count that is lost", func(t store.Txn, _ nip90.ID) { t.Delete(exclusiveKey(firstNumber)) }},
		{"a row without a fact", func(t store.Txn, _ nip90.ID) { t.Set(seenKey(nip90.ID{1}), []byte{1, 1}) }},
		{"a row that cannot be read", func(t store.Txn, id nip90.ID) { t.Set(seenKey(id), []byte{1, 2, 2}) }},
		{"a source that is none", func(t store.Txn, id nip90.ID) { t.Set(seenKey(id), []byte{1, 2, 7}) }},
		{"a source that is lost", func(t store.Txn, _ nip90.ID) { t.Delete(sourceKey(firstNumber)) }},
		{"a name twice", func(t store.Txn, _ nip90.ID) { t.Set(sourceKey(firstNumber+1), []byte("wss://a.example")) }},
	}
	w := newWatched(t, t.TempDir())
	p := storetest.Parsed(t, request("alice", 0))
	p.Door = nip90.DoorMirror
	w.Put(t, p)
	w.g.Saw(p.ID, "wss://a.example")
	w.flush(t)
	undo := func(t store.Txn) error {
		t.Set(seenKey(p.ID), []byte{1, firstNumber})
		t.Set(sourceKey(firstNumber), []byte("wss://a.example"))
		t.Set(exclusiveKey(firstNumber), []byte{1})
		t.Delete(seenKey(nip90.ID{1}))
		t.Delete(sourceKey(firstNumber + 1))
		return nil
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			ctx := context.Background()
			if err := w.Update(ctx, func(txn store.Txn) error { c.harm(txn, p.ID); return nil }); err != nil {
				t.Fatal(err)
			}
			if err := w.View(w.x.Check); err == nil {
				t.Error("Check finds nothing")
			}
			if err := w.Update(ctx, undo); err != nil {
				t.Fatal(err)
			}
		})
	}
}
