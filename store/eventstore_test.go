package store_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"dvmrelay/nip90"
	"dvmrelay/store"
	"dvmrelay/store/storetest"

	"github.com/fiatjaf/eventstore"
	"github.com/fiatjaf/eventstore/slicestore"
	"github.com/nbd-wtf/go-nostr"
)

func drain(t *testing.T, s eventstore.Store, f nostr.Filter) (ids []string) {
	t.Helper()
	ch, err := s.QueryEvents(context.Background(), f)
	if err != nil {
		t.Fatal(err)
	}
	for e := range ch {
		ids = append(ids, e.ID)
	}
	slices.Sort(ids)
	return ids
}

func TestEventstore_DoesWhatSlicestoreDoes(t *testing.T) {
	s := storetest.Open(t, fixed(1))
	oracle := &slicestore.SliceStore{}
	if err := oracle.Init(); err != nil {
		t.Fatal(err)
	}
	ours := store.Eventstore{Store: s.Store, Door: nip90.DoorImport}
	regular := *storetest.Parsed(t, event(1, 5300, 999, nostr.Tag{"t", "a"})).Event
	old := *storetest.Parsed(t, event(1, 31990, 1000, nostr.Tag{"d", "x"})).Event
	fresh := *storetest.Parsed(t, event(1, 31990, 1001, nostr.Tag{"d", "x"})).Event
	steps := []struct {
		name string
		do   func(eventstore.Store) error
		want error
	}{
		{"save", func(s eventstore.Store) error { return s.SaveEvent(t.Context(), &regular) }, nil},
		{"save again", func(s eventstore.Store) error { return s.SaveEvent(t.Context(), &regular) }, eventstore.ErrDupEvent},
		{"replace", func(s eventstore.Store) error { return s.ReplaceEvent(t.Context(), &old) }, nil},
		{"replace by newer", func(s eventstore.Store) error { return s.ReplaceEvent(t.Context(), &fresh) }, nil},
		{"replace by older", func(s eventstore.Store) error { return s.ReplaceEvent(t.Context(), &old) }, nil},
		{"delete", func(s eventstore.Store) error { return s.DeleteEvent(t.Context(), &regular) }, nil},
		{"delete again", func(s eventstore.Store) error { return s.DeleteEvent(t.Context(), &regular) }, nil},
	}
	for _, step := range steps {
		for name, s := range map[string]eventstore.Store{"ours": ours, "slicestore": oracle} {
			if err := step.do(s); !errors.Is(err, step.want) {
				t.Errorf("%s, %s: got %v, want %v", step.name, name, err, step.want)
			}
		}
		for _, f := range []nostr.Filter{{}, {Kinds: []int{5300}}, {Authors: []string{key(1)}}, {Limit: 1}, {LimitZero: true}, {Tags: nostr.TagMap{"d": {"x"}}}} {
			if got, want := drain(t, ours, f), drain(t, oracle, f); !slices.Equal(got, want) {
				t.Errorf("%s: filter %s: got %v, slicestore %v", step.name, f, got, want)
			}
			n, err := ours.CountEvents(t.Context(), f)
			if want, _ := oracle.CountEvents(t.Context(), f); err != nil || n != want {
				t.Errorf("%s: filter %s: counted %d, %v, slicestore %d", step.name, f, n, err, want)
			}
		}
	}
	// The reader may leave: nothing waits for it.
	if _, err := ours.QueryEvents(t.Context(), nostr.Filter{}); err != nil {
		t.Error(err)
	}
}
