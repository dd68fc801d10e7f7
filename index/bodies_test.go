package index

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"dvmrelay/store"
	"dvmrelay/store/storetest"

	"github.com/nbd-wtf/go-nostr"
)

// TestViews_NeverShowABodyOfAVanishingKey looks while the writer is between the request to vanish and the first step of
// erasing: facts and rows are all still there then.
func TestViews_NeverShowABodyOfAVanishingKey(t *testing.T) {
	const secret = "only mine"
	clock := &clock{}
	clock.at.Store(epoch + 1000)
	x := New(Options{KeepCustomer: true, Now: clock.Now})
	var s *storetest.Running
	seen := make(chan string, 1)
	job := event("carla", 5100, 1, "", tag("i", secret, "text"), tag("output", "text/"+strings.ReplaceAll(secret, " ", "-")))
	said := feedback("bob", 5, "processing", job.ID, tag("p", key("carla")))
	other := request("alice", 2)
	look := func(r store.Reader) error {
		var all []any
		for _, id := range []string{job.ID, other.ID} {
			th, _, err := x.Thread(r, mustID(t, id))
			if err != nil {
				return err
			}
			all = append(all, th)
		}
		jobs, err := x.Threads(r, ThreadQuery{})
		if err != nil {
			return err
		}
		handlers, err := x.Handlers(r, HandlerQuery{})
		if err != nil {
			return err
		}
		text, err := json.Marshal(append(all, jobs, handlers))
		seen <- string(text)
		return err
	}
	s = storetest.Open(t, storetest.With(func(o *store.Options) {
		o.Indexer, o.Now, o.SweepEvery = x, clock.Now, time.Hour
		o.Committed = func(_ uint64, cs []store.Commit) {
			for _, c := range cs {
				if c.Parsed != nil && c.Parsed.Event.Kind == 62 {
					if err := s.View(look); err != nil {
						seen <- err.Error()
					}
				}
			}
		}
	}), storetest.Check(x.Check))
	for _, e := range []nostr.Event{
		job, said, other,
		event("carla", 7000, 7, secret, tag("status", "success", secret), tag("e", other.ID)),
		event("carla", 31990, 3, fmt.Sprintf(`{"name":%q}`, secret), tag("d", "x"), tag("k", "5100")),
		event("carla", 5100, 50, "", tag("i", "what comes later stays", "text")),
	} {
		s.Put(t, storetest.Parsed(t, e))
	}
	if err := s.View(look); err != nil {
		t.Fatal(err)
	}
	if before := <-seen; strings.Count(before, secret) < 4 || !strings.Contains(before, "only-mine") {
		t.Fatalf("before the request the views show too little for this test: %s", before)
	}
	s.Put(t, storetest.Parsed(t, event("carla", 62, 49, "", tag("relay", "ALL_RELAYS"))))
	text := <-seen
	for _, not := range []string{secret, "only-mine"} {
		if strings.Contains(text, not) {
			t.Errorf("while the key vanishes %q is still shown: %s", not, text)
		}
	}
	for _, want := range []string{"what comes later stays", `"status":"processing"`, "paint a fox"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not shown: %s", want, text)
		}
	}
}

func TestThread_BodiesAreBounded(t *testing.T) {
	r := newRig(t, nil)
	job := request("alice", 0)
	r.put(t, job)
	for i := range int64(30) {
		r.put(t, event("bob", 6100, 1+i, strings.Repeat("x", 250<<10), tag("e", job.ID)))
	}
	th, ok := r.thread(t, job.ID)
	bytes, whole := 0, 0
	for _, e := range th.Events {
		if e.Event != nil {
			bytes += len(e.Event)
			whole++
		}
	}
	if !ok || !th.More || len(th.Events) != 31 || bytes > 4<<20 || whole < 16 || th.Events[0].Event == nil || th.Events[30].Event != nil {
		t.Errorf("%d events, %d of them whole with %d bytes, more %t, want 31, the first 16 or so whole", len(th.Events), whole, bytes, th.More)
	}
	if last := th.Events[30]; last.ID.String() == "" || last.Role != "result" || last.PubKey != key("bob") {
		t.Errorf("an event without its body says %+v, want what its fact knows", last)
	}
}

func TestThread_WhatProvidersSayIsBounded(t *testing.T) {
	r := newRig(t, nil)
	job := request("alice", 0)
	r.put(t, job)
	for i := range 30 {
		r.put(t, event(fmt.Sprintf("p%d", i), 7000, 1, "", tag("status", "processing", strings.Repeat("x", 250<<10)), tag("e", job.ID)))
	}
	page := r.list(t, ThreadQuery{})
	text, err := json.Marshal(page)
	if err != nil {
		t.Fatal(err)
	}
	if len(text) > 5<<20 || len(page.Items) != 1 || !page.Items[0].More || len(page.Items[0].Providers) != 30 {
		t.Errorf("a list of %d bytes with %d jobs, want at most 5 MiB, and one job that says there is more", len(text), len(page.Items))
	}
}

func TestWithoutSealed_ShowsEncryptedEventsByTheirFacts(t *testing.T) {
	r := newRig(t, nil)
	job := event("alice", 5100, 0, "ciphertext-of-alice", tag("p", key("bob")), tag("encrypted"), tag("output", "secret/output"), tag("bid", "5000"))
	said := event("bob", 7000, 1, "", tag("status", "payment-required", "cipherwords"), tag("e", job.ID), tag("p", key("alice")), tag("encrypted"), tag("amount", "3000"))
	plain := feedback("carol", 2, "error", job.ID)
	r.put(t, job, said, plain)
	open, _ := r.thread(t, job.ID)
	r.x = r.x.WithoutSealed()
	th, ok := r.thread(t, job.ID)
	if !ok || len(th.Events) != 3 || len(open.Events) != 3 {
		t.Fatalf("thread has %d events, openly %d, want 3", len(th.Events), len(open.Events))
	}
	text, err := json.Marshal([]any{th, r.list(t, ThreadQuery{})})
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), "cipher") || strings.Contains(string(text), "secret/output") {
		t.Errorf("shows what is in sealed events: %s", text)
	}
	if !th.Encrypted || th.BidMsat == nil || *th.BidMsat != 5000 || len(th.Addressed) != 1 || th.State != open.State || th.AskedMsat != 3000 {
		t.Errorf("thread = %+v, want what the facts know", th)
	}
	for _, e := range th.Events {
		if (e.Event != nil) != (e.ID.String() == plain.ID) {
			t.Errorf("event %s (%s) has a body: %t, want it for the plain one only", e.ID, e.Role, e.Event != nil)
		}
		if e.ID.String() == said.ID && (e.Status != "payment-required" || e.StatusText != "" || e.AmountMsat == nil) {
			t.Errorf("sealed feedback says %+v, want its status and amount without words", e)
		}
	}
	if !strings.Contains(mustJSON(t, open), "ciphertext-of-alice") {
		t.Error("openly the sealed bodies are gone too")
	}
}

func mustJSON(t testing.TB, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestHandlers_PagesAreBoundedAndJoin(t *testing.T) {
	r := newRig(t, nil)
	for i := range 40 {
		content := fmt.Sprintf(`{"name":"n%02d","about":%q,"nip90Params":{"x":%q}}`, i, strings.Repeat("x", 120<<10), strings.Repeat("y", 120<<10))
		r.put(t, event(fmt.Sprintf("p%d", i), 31990, int64(i), content, tag("d", "x"), tag("k", "5100")))
	}
	for _, sort := range []string{"", "name"} {
		seen, pages := map[string]bool{}, 0
		for q := (HandlerQuery{Sort: sort, Limit: MaxLimit}); ; pages++ {
			var page HandlerPage
			err := r.View(func(v store.Reader) (err error) {
				page, err = r.x.Handlers(v, q)
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			if n := len(mustJSON(t, page)); n > 9<<19 {
				t.Fatalf("sort %q: a page of %d bytes, want about 4 MiB at most", sort, n)
			}
			for _, h := range page.Items {
				if seen[h.Address] {
					t.Errorf("sort %q: %s stands on two pages", sort, h.Name)
				}
				seen[h.Address] = true
			}
			if q.Cursor = page.Next; q.Cursor == "" {
				break
			}
		}
		if len(seen) != 40 || pages > 4 {
			t.Errorf("sort %q: %d handlers on %d pages, want 40 on few", sort, len(seen), pages+1)
		}
	}
}
