package policies_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"dvmrelay/index"
	"dvmrelay/nip90"
	"dvmrelay/policies"
	"dvmrelay/store"
	"dvmrelay/store/storetest"

	"github.com/nbd-wtf/go-nostr"
)

var _ policies.Known = (*index.KnownView)(nil)

// hub is a real store with a real index, whose writer asks the last rule.
type hub struct {
	*storetest.Running
	rules *policies.Set
	keys  map[string]string // by name
	now   time.Time
	ahead int64 // seconds that events are made ahead of now
}

func newHub(t *testing.T) *hub {
	t.Helper()
	h := &hub{keys: map[string]string{}, now: time.Unix(1_800_000_000, 0)}
	now := func() time.Time { return h.now }
	x := index.New(index.Options{UnansweredAfter: time.Minute, StalledAfter: time.Minute, KeepCustomer: true, Now: now})
	standing := policies.View(func() (policies.Known, func()) {
		s := h.Snapshot()
		return x.Known(s), s.Close
	})
	var err error
	if h.rules, err = policies.New(policies.DefaultOptions(), policies.Deps{Standing: standing, Now: now}); err != nil {
		t.Fatal(err)
	}
	h.Running = storetest.Open(t, storetest.Check(x.Check), storetest.With(func(o *store.Options) {
		o.Indexer, o.Now = x, now
		o.Admit = func(txn store.Txn, p *nip90.Parsed) error { return h.rules.Admit(x.Known(txn), p) }
	}))
	for i, name := range []string{"customer", "provider", "wallet", "stranger"} {
		h.keys[name] = fmt.Sprintf("%064x", i+1)
	}
	return h
}

// event is signed by the named key.
func (h *hub) event(t *testing.T, by string, kind int, tags ...nostr.Tag) *nip90.Parsed {
	t.Helper()
	evt := nostr.Event{Kind: kind, CreatedAt: nostr.Timestamp(h.now.Unix() + h.ahead), Tags: tags}
	if err := evt.Sign(h.keys[by]); err != nil {
		t.Fatal(err)
	}
	raw, err := evt.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	p, err := nip90.Open(&evt, raw, nip90.DoorSocket, h.now)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func (h *hub) pubKey(t *testing.T, name string) string {
	t.Helper()
	pk, err := nostr.GetPublicKey(h.keys[name])
	if err != nil {
		t.Fatal(err)
	}
	return pk
}

// save wants the event stored, or with refused the last rule's words.
func (h *hub) save(t *testing.T, what string, p *nip90.Parsed, refused bool) {
	t.Helper()
	outcome, _, err := h.Save(context.Background(), p)
	if !refused {
		if err != nil || outcome != store.Stored {
			t.Fatalf("%s: outcome %d, %v; want it stored", what, outcome, err)
		}
		return
	}
	r, ok := policies.AsRejection(err)
	if !ok || r.Error() != "restricted: names no job or provider known here yet" {
		t.Fatalf("%s: outcome %d, %v; want it refused", what, outcome, err)
	}
}

// TestStory_WhatBecomesKnown tells a job, its payment and its end to a real store and index: what was refused before
// enters once it is about something known.
func TestStory_WhatBecomesKnown(t *testing.T) {
	h := newHub(t)
	request := h.event(t, "customer", 5300, nostr.Tag{"i", "x", "text"})
	job := nostr.Tag{"e", request.Event.ID}
	feedback := h.event(t, "provider", 7000, nostr.Tag{"status", "payment-required"}, job, nostr.Tag{"amount", "1000"})
	zap := h.event(t, "wallet", 9735, nostr.Tag{"e", feedback.Event.ID}, nostr.Tag{"p", h.pubKey(t, "provider")})
	profile := h.event(t, "provider", 0)
	report := h.event(t, "stranger", 1984, nostr.Tag{"p", h.pubKey(t, "provider")})
	cancel := h.event(t, "customer", 5, job)
	notes := h.event(t, "provider", 31990, nostr.Tag{"d", "x"}, nostr.Tag{"k", "1"})
	vanish := h.event(t, "customer", 62, nostr.Tag{"relay", "ALL_RELAYS"})

	for what, p := range map[string]*nip90.Parsed{"zap": zap, "profile": profile, "report": report, "cancel": cancel, "notes": notes, "vanish": vanish} {
		h.save(t, what+" before the job", p, true)
	}
	h.save(t, "request", request, false)
	h.save(t, "zap of an answer not here", zap, true)
	h.save(t, "profile of no provider yet", profile, true)
	h.save(t, "feedback", feedback, false)
	h.save(t, "zap", zap, false)
	h.save(t, "profile", profile, false)
	h.save(t, "report", report, false)
	h.save(t, "handler of notes by a provider", notes, false)
	h.save(t, "profile of a stranger", h.event(t, "stranger", 0), true)
	h.save(t, "cancel", cancel, false)
	h.save(t, "zap of the job whose body is gone", h.event(t, "wallet", 9735, job, nostr.Tag{"p", h.pubKey(t, "stranger")}), false)
	h.save(t, "vanish", vanish, false)
	h.ahead = 1 // what was made before is gone for good, what is made after is judged anew
	h.save(t, "profile of a key that vanished", h.event(t, "customer", 0), true)
}

// TestStory_KnownWithinTheSameGroup submits a job and what is about it without waiting in between.
func TestStory_KnownWithinTheSameGroup(t *testing.T) {
	h := newHub(t)
	request := h.event(t, "customer", 5300)
	result := h.event(t, "provider", 6300, nostr.Tag{"e", request.Event.ID})
	zap := h.event(t, "wallet", 9735, nostr.Tag{"e", result.Event.ID})
	var pending []*store.Pending
	for _, p := range []*nip90.Parsed{request, result, zap, h.event(t, "customer", 0)} {
		w, err := h.Submit(context.Background(), p)
		if err != nil {
			t.Fatal(err)
		}
		pending = append(pending, w)
	}
	for i, w := range pending {
		if outcome, _, err := w.Wait(context.Background()); err != nil || outcome != store.Stored {
			t.Errorf("event %d: outcome %d, %v", i+1, outcome, err)
		}
	}
}

// TestStory_ExemptAnswers empties the bucket of an address and goes on answering a known job as a known provider.
func TestStory_ExemptAnswers(t *testing.T) {
	h := newHub(t)
	request := h.event(t, "customer", 5300)
	h.save(t, "request", request, false)
	ctx := policies.WithPeer(context.Background(), &policies.Peer{Addr: "192.0.2.1"})
	answer := h.event(t, "provider", 6300, nostr.Tag{"e", request.Event.ID})
	for range policies.DefaultLimits().EventsBurst {
		if err := h.rules.CheckGate(ctx, answer); err != nil {
			t.Fatal(err)
		}
	}
	if err := h.rules.CheckGate(ctx, answer); err == nil {
		t.Fatal("an unknown provider was exempt")
	}
	h.save(t, "answer", answer, false)
	if err := h.rules.CheckGate(ctx, answer); err != nil {
		t.Errorf("a known provider was not exempt: %v", err)
	}
	if err := h.rules.CheckGate(ctx, request); err == nil {
		t.Error("a request was exempt")
	}
}
