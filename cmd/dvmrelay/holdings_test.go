package main

import (
	"slices"
	"testing"

	"dvmrelay/nip90"
	"dvmrelay/store/storetest"

	"github.com/nbd-wtf/go-nostr"
)

func TestHoldings_AreWhatTheStoreHas(t *testing.T) {
	s := storetest.Open(t)
	job := storetest.Parsed(t, nostr.Event{PubKey: "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798", Kind: 5300, CreatedAt: 1_700_000_000})
	s.Put(t, job)
	h, n := holdings{s.Store}, 0
	for item, err := range h.Items(t.Context(), nostr.Filter{Kinds: []int{5300}}) {
		if n++; err != nil || item.ID != job.ID || item.CreatedAt != job.CreatedAt {
			t.Errorf("got %+v, %v, want the job", item, err)
		}
	}
	if n != 1 {
		t.Errorf("got %d items, want 1", n)
	}
	if got, err := h.Known([]nip90.ID{job.ID, {7}}); err != nil || !slices.Equal(got, []bool{true, false}) {
		t.Errorf("got %v, %v, want the first", got, err)
	}
}
