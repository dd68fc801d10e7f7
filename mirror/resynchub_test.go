package mirror_test

import (
	"context"
	"iter"
	"slices"
	"testing"
	"time"

	"dvmrelay/mirror"
	"dvmrelay/nip90"
	"dvmrelay/wire"

	"github.com/google/go-cmp/cmp"
	"github.com/nbd-wtf/go-nostr"
)

// hubHoldings is what a hub's store has.
type hubHoldings struct{ h *hub }

func (o hubHoldings) Items(ctx context.Context, f nostr.Filter) iter.Seq2[mirror.Item, error] {
	return func(yield func(mirror.Item, error) bool) {
		for item, err := range o.h.store.Items(ctx, f) {
			if !yield(mirror.Item{CreatedAt: item.CreatedAt, ID: item.ID}, err) {
				return
			}
		}
	}
}

func (o hubHoldings) Known(ids []nip90.ID) ([]bool, error) { return o.h.store.AllKnown(ids) }

// Two whole relays, of which each has what the other lacks: a sync in each direction by NIP-77 makes them the same.
func TestHubs_SyncBothWaysByNIP77MakesThemTheSame(t *testing.T) {
	a, b := newHub(t), newHub(t)
	now := nostr.Now()
	for i := range 400 {
		evt := &nostr.Event{Kind: 5300 + i%5, CreatedAt: now - nostr.Timestamp(i*600+3600), Tags: nostr.Tags{{"i", "x", "text"}}}
		if err := evt.Sign(nostr.GeneratePrivateKey()); err != nil {
			t.Fatal(err)
		}
		raw := wire.AppendEventJSON(nil, evt)
		for n, h := range []*hub{a, b} {
			if i%20 != 10*n { // each lacks every twentieth
				h.submit(evt, raw)
			}
		}
	}
	for _, pair := range [][2]*hub{{a, b}, {b, a}} {
		from, to := pair[0], pair[1]
		rep, err := mirror.Sync(t.Context(), mirror.SyncOptions{
			Options: mirror.Options{Holdings: hubHoldings{to}, Backfill: 30 * 24 * time.Hour}, URL: from.addr,
		}, to.relay)
		if err != nil {
			t.Fatal(err)
		}
		if rep.Compared != 1 || rep.Faults != 0 || rep.Stored != 20 || rep.Events > 25 {
			t.Errorf("report = %+v, want the 20 that are missing, found by one comparison", rep)
		}
	}
	if d := cmp.Diff(a.served(), b.served()); d != "" {
		t.Errorf("the hubs differ: -first +second\n%s", d)
	}
	if n := len(a.served()); n != 400 {
		t.Errorf("%d events in the end, want 400", n)
	}
}

// A mirror that begins with most of what its upstream has asks for the rest alone.
func TestHubs_BackfillByNIP77OfWhatIsMostlyHere(t *testing.T) {
	a, b := newHub(t), newHub(t)
	var missed []string
	for i := range 300 {
		evt := &nostr.Event{Kind: 5300, CreatedAt: nostr.Now() - nostr.Timestamp(i*600+3600), Tags: nostr.Tags{{"i", "x", "text"}}}
		if err := evt.Sign(nostr.GeneratePrivateKey()); err != nil {
			t.Fatal(err)
		}
		raw := wire.AppendEventJSON(nil, evt)
		a.submit(evt, raw)
		if i%50 == 0 {
			missed = append(missed, evt.ID)
			continue
		}
		b.submit(evt, raw)
	}
	m := mirror.New(mirror.Options{Upstreams: []string{a.addr}, Holdings: hubHoldings{b}}, b.relay, b.store.Store)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- m.Run(ctx) }()
	b.until("backfill", func() bool {
		u := m.Upstreams()[0]
		return u.State == mirror.StateLive && u.Backfill != nil && u.Backfill.Done
	})
	st := m.Upstreams()[0]
	cancel()
	if err := <-done; err != nil {
		t.Errorf("run mirror: %v", err)
	}
	for _, id := range missed {
		if !slices.Contains(b.served(), id) {
			t.Errorf("event %s is missing", id)
		}
	}
	if st.Backfill.Compared == 0 || st.Backfill.Faults != 0 || st.Accepted != uint64(len(missed)) {
		t.Errorf("status = %+v, backfill = %+v, want %d accepted after a comparison", st, st.Backfill, len(missed))
	}
}
