package main

import (
	"context"
	"iter"

	"dvmrelay/mirror"
	"dvmrelay/nip90"
	"dvmrelay/store"

	"github.com/nbd-wtf/go-nostr"
)

// holdings tells the mirror what the store has.
type holdings struct{ store *store.Store }

var _ mirror.Holdings = holdings{}

// Items implements mirror.Holdings.
func (h holdings) Items(ctx context.Context, f nostr.Filter) iter.Seq2[mirror.Item, error] {
	return func(yield func(mirror.Item, error) bool) {
		for item, err := range h.store.Items(ctx, f) {
			if !yield(mirror.Item{CreatedAt: item.CreatedAt, ID: item.ID}, err) {
				return
			}
		}
	}
}

// Known implements mirror.Holdings.
func (h holdings) Known(ids []nip90.ID) ([]bool, error) { return h.store.AllKnown(ids) }
