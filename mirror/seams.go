package mirror

import (
	"context"
	"iter"

	"dvmrelay/nip90"

	"github.com/nbd-wtf/go-nostr"
)

// Watched names the keys whose profiles, payments, reputation and withdrawals are asked for. It is safe for concurrent use.
type Watched interface {
	// Providers are those that were active since then, unix seconds, the most active first; at most limit.
	Providers(since int64, limit int) ([]nip90.PubKey, error)
	// Customers are those that asked for a job since then, unix seconds, the newest first; at most limit.
	Customers(since int64, limit int) ([]nip90.PubKey, error)
}

// Item is an event as NIP-77 compares it.
type Item struct {
	CreatedAt int64
	ID        nip90.ID
}

// Holdings say what is stored here. It is safe for concurrent use.
type Holdings interface {
	// Items are the events with a body that match, in no particular order. The filter's limit does not count. The first
	// error ends it.
	Items(ctx context.Context, f nostr.Filter) iter.Seq2[Item, error]
	// Known says which of these ids were ever counted here, body still here or not.
	Known(ids []nip90.ID) ([]bool, error)
}
