package index

import (
	"context"
	"errors"
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
