package store_test

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"dvmrelay/nip90"
	"dvmrelay/store"
	"dvmrelay/store/storetest"

	"github.com/nbd-wtf/go-nostr"
)

// itemsOf are the ids that Items yields, sorted, each once. Time and kind of each are checked against the event.
func itemsOf(t *testing.T, s *storetest.Running, f nostr.Filter) []string {
	t.Helper()
	snap := s.Snapshot()
	defer snap.Close()
	ids := []string{}
	for item, err := range snap.Items(t.Context(), f) {
		if err != nil {
			t.Fatalf("items of %s: %v", f, err)
		}
		raw, ok, err := snap.Event(item.ID)
		if err != nil || !ok || raw.CreatedAt != item.CreatedAt || raw.Kind != item.Kind {
			t.Fatalf("items of %s: %v: the event is %+v, %v, %v", f, item, raw.Head, ok, err)
		}
		ids = append(ids, item.ID.String())
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

func TestItems_LeaveOutWhatHasExpired(t *testing.T) {
	var now atomic.Int64
	now.Store(1_700_000_000)
	s := storetest.Open(t, storetest.With(func(o *store.Options) {
		o.Now, o.SweepEvery = func() time.Time { return time.Unix(now.Load(), 0) }, time.Hour
	}))
	brief := storetest.Parsed(t, event(1, 5300, now.Load(), nostr.Tag{"expiration", "1700000100"}, nostr.Tag{"p", key(9)}))
	lasting := storetest.Parsed(t, event(1, 5300, now.Load()-1, nostr.Tag{"p", key(9)}))
	s.Put(t, brief)
	s.Put(t, lasting)
	filters := []nostr.Filter{
		{},
		{Kinds: []int{5300, 6300}},
		{Authors: []string{lasting.Event.PubKey}},
		{Tags: nostr.TagMap{"p": {key(9)}}},
		{Authors: []string{lasting.Event.PubKey}, Tags: nostr.TagMap{"p": {key(9)}}},
		{IDs: []string{brief.Event.ID, lasting.Event.ID}},
		{Limit: 1},
		{LimitZero: true},
	}
	for _, f := range filters {
		if got := itemsOf(t, s, f); len(got) != 2 {
			t.Errorf("%s: got %d items, want 2", f, len(got))
		}
	}
	now.Add(200)
	for _, f := range filters {
		if got := itemsOf(t, s, f); !slices.Equal(got, []string{lasting.Event.ID}) {
			t.Errorf("%s: got %v, want the one that lasts", f, got)
		}
	}
}

func TestItems_EndWhenNobodyWantsMore(t *testing.T) {
	s := storetest.Open(t)
	for i := range 20 {
		s.Put(t, storetest.Parsed(t, event(i%3, 5300+i%4, 1_700_000_000+int64(i))))
	}
	for _, f := range []nostr.Filter{{}, {Kinds: []int{5300, 5301, 5302, 5303}}, {Authors: []string{key(0), key(1)}}} {
		n := 0
		for _, err := range s.Items(t.Context(), f) {
			if err != nil {
				t.Fatal(err)
			}
			if n++; n == 3 {
				break
			}
		}
		if n != 3 {
			t.Errorf("%s: got %d items, want 3", f, n)
		}
	}
}

func TestItems_ErrorsAreTold(t *testing.T) {
	s := storetest.Open(t, storetest.With(func(o *store.Options) { o.QueryBudget = time.Nanosecond }))
	for i := range 200 {
		s.Put(t, storetest.Parsed(t, event(1, 5300, 1_700_000_000+int64(i))))
	}
	failing := func(ctx context.Context, f nostr.Filter) (err error) {
		for _, e := range s.Items(ctx, f) {
			if err != nil {
				t.Fatal("the iteration goes on after an error")
			}
			err = e
		}
		return err
	}
	if err := failing(t.Context(), nostr.Filter{}); !errors.Is(err, store.ErrBudget) {
		t.Errorf("got %v, want ErrBudget", err)
	}
	if err := failing(t.Context(), nostr.Filter{Search: "x"}); !errors.Is(err, store.ErrBadFilter) {
		t.Errorf("got %v, want ErrBadFilter", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := failing(ctx, nostr.Filter{}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
}

func TestAllKnown_RemembersWhatHasNoBody(t *testing.T) {
	s := storetest.Open(t)
	job := storetest.Parsed(t, event(1, 5300, 1_700_000_000))
	dead := storetest.Parsed(t, event(1, 5300, 1_700_000_000, nostr.Tag{"expiration", "1700000001"}))
	s.Put(t, job)
	if out := s.Put(t, dead); out != store.FactOnly {
		t.Fatalf("got outcome %v, want FactOnly", out)
	}
	got, err := s.AllKnown([]nip90.ID{{1}, job.ID, dead.ID})
	if want := []bool{false, true, true}; err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
}
