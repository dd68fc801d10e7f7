package index

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"dvmrelay/store"
	"dvmrelay/store/storetest"
)

func TestRebuild_WhileEventsComeIn(t *testing.T) {
	g := &traffic{rng: seeded(t)}
	g.make(600)
	order := g.shuffled()
	half := len(order) / 2
	r := newRig(t, nil)
	r.put(t, order[:half]...)
	built := make(chan error, 1)
	go func() { built <- r.x.Rebuild(context.Background(), r.Store) }()
	ctx := context.Background()
	for _, e := range order[half:] {
		if _, _, err := r.Save(ctx, storetest.Parsed(t, e)); err != nil {
			t.Errorf("save event %s: %v", e.ID, err)
		}
	}
	if err := <-built; err != nil {
		t.Fatalf("rebuild: %v", err)
	}
	got := r.dump(t)

	plain := newRig(t, nil)
	plain.put(t, order...)
	sameRows(t, got, plain.dump(t))
}

// TestUnfinished_NeverInAFreshStore: events may come before anybody settles the index, as an import's do.
func TestUnfinished_NeverInAFreshStore(t *testing.T) {
	r := newRig(t, nil)
	unfinished := func() (is bool) {
		t.Helper()
		if err := r.View(func(v store.Reader) (err error) { is, err = r.x.Unfinished(v); return err }); err != nil {
			t.Fatal(err)
		}
		return is
	}
	if unfinished() {
		t.Error("an empty store: got unfinished")
	}
	r.put(t, request("alice", 0))
	if unfinished() {
		t.Error("after the first event: got unfinished")
	}
	if err := r.Update(context.Background(), func(tx store.Txn) error { tx.Delete(layoutKey()); return nil }); err != nil {
		t.Fatal(err)
	}
	r.x.formed.Store(false) // as after a start
	if !unfinished() {
		t.Error("rows without a form: got finished")
	}
	r.put(t, request("bob", 1))
	if !unfinished() {
		t.Error("rows without a form, and one event more: got finished")
	}
	if err := r.x.Rebuild(context.Background(), r.Store); err != nil {
		t.Fatalf("rebuild: %v", err)
	}
	if unfinished() {
		t.Error("after a rebuild: got unfinished")
	}
}

func TestRebuild_BrokenOffIsSeen(t *testing.T) {
	r := newRig(t, nil)
	r.put(t, request("alice", 0))
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := r.x.Rebuild(ctx, r.Store); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v, want %v", err, context.Canceled)
	}
	// What a crash half-way leaves behind.
	if err := r.Update(context.Background(), func(tx store.Txn) error { tx.Set(unfinishedKey(), nil); return nil }); err != nil {
		t.Fatal(err)
	}
	unfinished := false
	if err := r.View(func(v store.Reader) (err error) { unfinished, err = r.x.Unfinished(v); return err }); err != nil || !unfinished {
		t.Errorf("unfinished: got %t, %v; want true", unfinished, err)
	}
	if err := r.x.Rebuild(context.Background(), r.Store); err != nil {
		t.Fatalf("rebuild: %v", err)
	}
	r.put(t, request("bob", 1))
}

// TestRebuild_WhatIsErasedBeforeItsTurn: a rebuild placed an answer by the fact of a request that it had not come to; then
// that request is erased.
func TestRebuild_WhatIsErasedBeforeItsTurn(t *testing.T) {
	r := newRig(t, nil)
	gone, other := request("alice", 1), request("carol", 2)
	answer := feedback("bob", 3, "processing", gone.ID, tag("e", other.ID))
	r.put(t, gone, other, answer)
	ctx := context.Background()
	r.x.building.Store(true)
	for table := keyThread; table <= keyRollup; table++ {
		if err := dropTable(ctx, r.Store, []byte{byte(table)}, nil); err != nil {
			t.Fatal(err)
		}
	}
	fold := func(id string) {
		t.Helper()
		err := r.Update(ctx, func(txn store.Txn) error {
			f, ok, err := txn.Fact(mustID(t, id))
			if err != nil || !ok {
				return fmt.Errorf("no fact of %s: %w", id, err)
			}
			_, err = r.x.Apply(txn, f, nil)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	fold(answer.ID)
	r.put(t, event("alice", 62, 10, "", tag("relay", "ALL_RELAYS")))
	r.sweep(t)
	fold(other.ID)
	r.x.building.Store(false)
	r.settle(t)
	if th, _ := r.thread(t, answer.ID); th.ID != mustID(t, other.ID) {
		t.Errorf("the answer belongs to %s, want the request that is left", th.ID)
	}
}
