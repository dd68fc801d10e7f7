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

// save wants an outcome.
func (h *hub) save(t *testing.T, what string, p *nip90.Parsed, want store.Outcome) {
	t.Helper()
	if outcome, _, err := h.Save(context.Background(), p); err != nil || outcome != want {
		t.Fatalf("%s: outcome %d, %v; want %d", what, outcome, err, want)
	}
}

// TestStory_WhatWaits brings everything before what it is about: it waits, and enters with that.
func TestStory_WhatWaits(t *testing.T) {
	h := newHub(t)
	request := h.event(t, "customer", 5300)
	feedback := h.event(t, "provider", 7000, nostr.Tag{"e", request.Event.ID})
	provider := nostr.Tag{"p", h.pubKey(t, "provider")}
	for _, p := range []*nip90.Parsed{
		h.event(t, "wallet", 9735, nostr.Tag{"e", feedback.Event.ID}),
		h.event(t, "wallet", 9321, provider),
		h.event(t, "provider", 0),
		h.event(t, "stranger", 1984, provider),
		h.event(t, "stranger", 1984, nostr.Tag{"e", feedback.Event.ID}),
		h.event(t, "provider", 5, nostr.Tag{"e", feedback.Event.ID}),
		h.event(t, "provider", 31990, nostr.Tag{"d", "x"}, nostr.Tag{"k", "1"}),
		h.event(t, "provider", 62, nostr.Tag{"relay", "wss://elsewhere.example"}),
	} {
		h.save(t, "before the answer", p, store.Waiting)
	}
	_, change, err := h.Save(context.Background(), feedback)
	if err != nil || len(change.Adopted) != 8 {
		t.Errorf("answer: %d adopted, %v; want 8", len(change.Adopted), err)
	}
	h.save(t, "customer's profile", h.event(t, "customer", 0), store.Waiting)
	h.save(t, "report of the request", h.event(t, "stranger", 1984, nostr.Tag{"e", request.Event.ID}), store.Waiting)
	h.save(t, "recommendation", h.event(t, "stranger", 31989, nostr.Tag{"d", "1"}, nostr.Tag{"a", "31990:" + provider[1] + ":y"}), store.Waiting)
	if _, change, err = h.Save(context.Background(), request); err != nil || len(change.Adopted) != 1 {
		t.Errorf("request: %d adopted, %v; want the profile alone: nobody reports requests", len(change.Adopted), err)
	}
	if _, change, err = h.Save(context.Background(), h.event(t, "provider", 31990, nostr.Tag{"d", "y"}, nostr.Tag{"k", "5300"})); err != nil || len(change.Adopted) != 1 {
		t.Errorf("handler: %d adopted, %v; want its recommendation", len(change.Adopted), err)
	}
	_, _, err = h.Save(context.Background(), h.event(t, "stranger", 1984))
	if r, ok := policies.AsRejection(err); !ok || r.Error() != "restricted: names no job or provider known here yet" {
		t.Errorf("report of nothing: %v, want it refused", err)
	}
}

// TestStory_DeniedWhileItWaits: who is denied meanwhile does not come in with what was waited for.
func TestStory_DeniedWhileItWaits(t *testing.T) {
	h := newHub(t)
	request := h.event(t, "customer", 5300)
	h.save(t, "zap", h.event(t, "wallet", 9735, nostr.Tag{"e", request.Event.ID}), store.Waiting)
	h.save(t, "another's zap", h.event(t, "stranger", 9735, nostr.Tag{"e", request.Event.ID}), store.Waiting)
	o := policies.DefaultOptions()
	o.Rules.Deny = []string{h.pubKey(t, "wallet")}
	if err := h.rules.Reload(o); err != nil {
		t.Fatal(err)
	}
	_, change, err := h.Save(context.Background(), request)
	if st := h.Stats(); err != nil || len(change.Adopted) != 1 || st.Facts != 2 || st.Waiting != 0 {
		t.Errorf("%d adopted, %d facts, %d wait, %v; want the stranger's zap alone", len(change.Adopted), st.Facts, st.Waiting, err)
	}
}

// TestStory_WhatBecomesKnown tells a job, its payment and its end to a real store and index: what would wait before enters
// once it is about something known.
func TestStory_WhatBecomesKnown(t *testing.T) {
	h := newHub(t)
	request := h.event(t, "customer", 5300, nostr.Tag{"i", "x", "text"})
	job := nostr.Tag{"e", request.Event.ID}
	feedback := h.event(t, "provider", 7000, nostr.Tag{"status", "payment-required"}, job, nostr.Tag{"amount", "1000"})
	h.save(t, "request", request, store.Stored)
	h.save(t, "feedback", feedback, store.Stored)
	h.save(t, "zap", h.event(t, "wallet", 9735, nostr.Tag{"e", feedback.Event.ID}, nostr.Tag{"p", h.pubKey(t, "provider")}), store.Stored)
	h.save(t, "profile", h.event(t, "provider", 0), store.Stored)
	h.save(t, "report", h.event(t, "stranger", 1984, nostr.Tag{"p", h.pubKey(t, "provider")}), store.Stored)
	h.save(t, "handler of notes by a provider", h.event(t, "provider", 31990, nostr.Tag{"d", "x"}, nostr.Tag{"k", "1"}), store.Stored)
	h.save(t, "profile of a stranger", h.event(t, "stranger", 0), store.Waiting)
	h.save(t, "cancel", h.event(t, "customer", 5, job), store.Stored)
	h.save(t, "zap of the job whose body is gone", h.event(t, "wallet", 9735, job, nostr.Tag{"p", h.pubKey(t, "stranger")}), store.Stored)
	h.save(t, "vanish", h.event(t, "customer", 62, nostr.Tag{"relay", "ALL_RELAYS"}), store.Stored)
	h.ahead = 1 // what was made before is gone for good, what is made after is judged anew
	h.save(t, "profile of a key that vanished", h.event(t, "customer", 0), store.Waiting)
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
	h.save(t, "request", request, store.Stored)
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
	h.save(t, "answer", answer, store.Stored)
	if err := h.rules.CheckGate(ctx, answer); err != nil {
		t.Errorf("a known provider was not exempt: %v", err)
	}
	if err := h.rules.CheckGate(ctx, request); err == nil {
		t.Error("a request was exempt")
	}
}
