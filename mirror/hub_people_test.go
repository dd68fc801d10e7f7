package mirror_test

import (
	"context"
	"slices"
	"testing"

	"dvmrelay/index"
	"dvmrelay/mirror"
	"dvmrelay/nip90"
	"dvmrelay/wire"

	"github.com/nbd-wtf/go-nostr"
)

// signedBy signs an event with a key of its own.
func signedBy(t *testing.T, key string, kind int, at nostr.Timestamp, tags ...nostr.Tag) (*nostr.Event, []byte) {
	t.Helper()
	evt := &nostr.Event{Kind: kind, CreatedAt: at, Tags: tags}
	if kind == 0 {
		evt.Content = `{"name":"a machine"}`
	}
	if err := evt.Sign(key); err != nil {
		t.Fatal(err)
	}
	return evt, wire.AppendEventJSON(nil, evt)
}

// TestHubs_WhatIsSaidOfAProviderArrives: a hub that knows a provider mirrors one that has its profile, a zap and, later,
// more of them, and what a customer withdraws.
func TestHubs_WhatIsSaidOfAProviderArrives(t *testing.T) {
	a, b := newHub(t), newHub(t)
	provider, customer := nostr.GeneratePrivateKey(), nostr.GeneratePrivateKey()
	pk, err := nostr.GetPublicKey(provider)
	if err != nil {
		t.Fatal(err)
	}
	put := func(to []*hub, evt *nostr.Event, raw []byte) *nostr.Event {
		t.Helper()
		for _, h := range to {
			if v := h.submit(evt, raw); v.Outcome != mirror.Stored {
				t.Fatalf("submit kind %d: %+v", evt.Kind, v)
			}
		}
		return evt
	}
	now, all, upstream := nostr.Now(), []*hub{a, b}, []*hub{a}
	send := func(to []*hub, key string, kind int, at nostr.Timestamp, tags ...nostr.Tag) *nostr.Event {
		t.Helper()
		evt, raw := signedBy(t, key, kind, at, tags...)
		return put(to, evt, raw)
	}
	send(all, provider, 31990, now-9000, nostr.Tag{"d", "x"}, nostr.Tag{"k", "5300"})
	job := send(all, customer, 5300, now-4000, nostr.Tag{"i", "x", "text"})
	answer := send(all, provider, 6300, now-3900, nostr.Tag{"e", job.ID}, nostr.Tag{"p", job.PubKey})
	zapper := nostr.GeneratePrivateKey()
	zap := func(at nostr.Timestamp) *nostr.Event {
		return send(upstream, zapper, 9735, at, nostr.Tag{"p", pk}, nostr.Tag{"e", answer.ID}, nostr.Tag{"bolt11", "lnbc1"}, nostr.Tag{"description", "{}"})
	}
	want := []*nostr.Event{
		send(upstream, provider, 0, now-500_000), send(upstream, provider, 10002, now-8000, nostr.Tag{"r", "wss://relay.example"}),
		zap(now - 3000), send(upstream, customer, 0, now-9000),
	}

	m := mirror.New(mirror.Options{Upstreams: []string{a.addr}, Watched: index.NewWatched(b.index, b.store.View)}, b.relay, b.store.Store)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- m.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("run mirror: %v", err)
		}
	})
	for _, evt := range want {
		b.until("what was there before", func() bool { return b.holds(evt) })
	}
	b.until("the live subscriptions", func() bool {
		parts := m.Upstreams()[0].Parts
		return len(parts) == 4 && !slices.ContainsFunc(parts, func(p mirror.PartStatus) bool { return p.State != mirror.HeardLive })
	})
	for _, evt := range []*nostr.Event{zap(now), send(upstream, provider, 0, now), send(upstream, customer, 5, now, nostr.Tag{"e", job.ID}, nostr.Tag{"k", "5300"})} {
		b.until("what comes live", func() bool { return b.holds(evt) })
	}
	if st := m.Upstreams()[0]; len(st.Rejected) > 0 {
		t.Errorf("rejected = %v, want none", st.Rejected)
	}
}

// holds says whether a hub serves an event.
func (h *hub) holds(evt *nostr.Event) bool {
	h.t.Helper()
	for raw, err := range h.store.Query(context.Background(), nostr.Filter{IDs: []string{evt.ID}, Limit: 1}) {
		if err != nil {
			h.t.Fatal(err)
		}
		return raw.ID == mustID(h.t, evt.ID)
	}
	return false
}

func mustID(t testing.TB, id string) nip90.ID {
	t.Helper()
	ref, err := nip90.ParseReference(id)
	if err != nil {
		t.Fatal(err)
	}
	return ref.ID
}
