package policies

import (
	"context"
	"errors"
	"testing"

	"dvmrelay/nip90"

	"github.com/nbd-wtf/go-nostr"
)

const refusedUnknown = "restricted: names no job or provider known here yet"

func TestAdmit_Rows(t *testing.T) {
	c := newClock()
	a, b, idC := mustKey(t, hexA), mustKey(t, hexB), mustID(t, hexC)
	provider := func(pk nip90.PubKey) func(*memory) { return func(m *memory) { m.providers[pk] = true } }
	customer := func(pk nip90.PubKey) func(*memory) { return func(m *memory) { m.customers[pk] = true } }
	seen := func(m *memory) { m.events[idC] = true }
	asked := func(m *memory) { m.requests[idC] = true }
	address := func(m *memory) { m.addresses[nip90.Address{Kind: 31990, PubKey: a, D: "x"}] = true }
	author := func(m *memory) { m.authors[b] = true }
	e, p := nostr.Tag{"e", hexC}, nostr.Tag{"p", hexA}
	for _, tc := range []struct {
		name  string
		kind  int
		tags  nostr.Tags
		known func(*memory) // nil: nothing is known
		ok    bool
	}{
		{"request", 5300, nil, nil, true},
		{"result of an unknown job", 6300, nostr.Tags{e}, nil, true},
		{"feedback on an unknown job", 7000, nostr.Tags{e}, nil, true},
		{"ping", 7007, nostr.Tags{p}, nil, true},
		{"heartbeat", 11998, nostr.Tags{{"d", "x"}}, nil, true},

		{"handler of a job kind", 31990, nostr.Tags{{"d", "x"}, {"k", "5300"}}, nil, true},
		{"handler of the first kind", 31990, nostr.Tags{{"k", "1"}, {"k", "5000"}}, nil, true},
		{"handler of feedback", 31990, nostr.Tags{{"k", "7000"}}, nil, true},
		{"handler of notes", 31990, nostr.Tags{{"d", "x"}, {"k", "1"}, {"k", "7001"}, {"k", "4999"}}, nil, false},
		{"handler without kinds", 31990, nostr.Tags{{"d", "x"}}, nil, false},
		{"handler of notes by a provider", 31990, nostr.Tags{{"d", "x"}, {"k", "1"}}, provider(b), true},
		{"handler of notes by a customer", 31990, nostr.Tags{{"d", "x"}, {"k", "1"}}, customer(b), false},

		{"recommendation for a job kind", 31989, nostr.Tags{{"d", "5300"}}, nil, true},
		{"recommendation for notes", 31989, nostr.Tags{{"d", "1"}, {"a", "31990:" + hexA + ":x"}}, nil, false},
		{"recommendation of a known handler", 31989, nostr.Tags{{"d", "1"}, {"a", "31990:" + hexA + ":x"}}, address, true},
		{"postcard", 31989, nostr.Tags{{"d", "2026-" + hexA}}, provider(b), false},

		{"deletion of something unknown", 5, nostr.Tags{e}, nil, false},
		{"deletion of something known", 5, nostr.Tags{{"e", hexA}, e}, seen, true},
		{"deletion of a kind of ours", 5, nostr.Tags{e, {"k", "5300"}}, nil, true},
		{"deletion of a handler", 5, nostr.Tags{{"a", "31990:" + hexB + ":new"}}, nil, true},
		{"deletion of notes", 5, nostr.Tags{e, {"k", "1"}}, nil, false},
		{"deletion of zaps unknown here", 5, nostr.Tags{e, {"k", "9735"}}, nil, false},
		{"deletion of a known address", 5, nostr.Tags{{"a", "30023:" + hexA + ":x"}}, func(m *memory) { m.addresses[nip90.Address{Kind: 30023, PubKey: a, D: "x"}] = true }, true},
		{"deletion of nothing", 5, nil, provider(b), false},

		{"vanishing stranger", 62, nostr.Tags{{"relay", "ALL_RELAYS"}}, nil, false},
		{"vanishing provider", 62, nostr.Tags{{"relay", "ALL_RELAYS"}}, provider(b), true},
		{"vanishing customer", 62, nostr.Tags{{"relay", "ALL_RELAYS"}}, customer(b), true},
		{"vanishing author of anything", 62, nostr.Tags{{"relay", "ALL_RELAYS"}}, author, true},

		{"profile of a stranger", 0, nil, provider(a), false},
		{"profile of a provider", 0, nil, provider(b), true},
		{"profile of a customer", 0, nil, customer(b), true},
		{"relay list of a customer", 10002, nil, customer(b), true},
		{"relay list of a stranger", 10002, nil, author, false},
		{"mints of a provider", 10019, nil, provider(b), true},

		{"zap of nothing known", 9735, nostr.Tags{e, p}, nil, false},
		{"zap of a known event", 9735, nostr.Tags{e, p}, seen, true},
		{"zap of a known request", 9735, nostr.Tags{e, p}, asked, true},
		{"zap of a provider", 9735, nostr.Tags{p}, provider(a), true},
		{"zap of a customer", 9735, nostr.Tags{p}, customer(a), false},
		{"nutzap of a provider", 9321, nostr.Tags{p}, provider(a), true},
		{"nutzap of a known event", 9321, nostr.Tags{p, e}, seen, true},
		{"nutzap of nothing known", 9321, nostr.Tags{p, e}, provider(b), false},

		{"report of a provider", 1984, nostr.Tags{p}, provider(a), true},
		{"report of a stranger", 1984, nostr.Tags{p, e}, nil, false},
		{"report of a known result", 1984, nostr.Tags{e}, seen, true},
		{"report of a known request", 1984, nostr.Tags{e}, asked, false},
		{"label of a provider", 1985, nostr.Tags{p}, provider(a), true},
		{"assertion about a provider", 30382, nostr.Tags{{"d", hexA}, p}, provider(a), true},
		{"reputation of a provider", 30333, nostr.Tags{{"d", "x"}, p}, provider(a), true},
		{"reputation of a stranger", 31117, nostr.Tags{{"d", "x"}, p}, provider(b), false},
		{"reputation by a provider", 30085, nostr.Tags{{"d", "x"}, p}, provider(b), false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newSet(t, nil, Deps{Now: c.now})
			m := newMemory()
			if tc.known != nil {
				tc.known(m)
			}
			want := ""
			if !tc.ok {
				want = refusedUnknown
			}
			for _, door := range []nip90.Door{nip90.DoorSocket, nip90.DoorMirror, nip90.DoorImport} {
				evt := event(c, tc.kind, tc.tags...)
				wantRefusal(t, s.Admit(m, open(t, evt, door, c.now())), want)
			}
			if got := s.Counts()[nameKnown]; tc.ok != (got == 0) {
				t.Errorf("counted %d refusals", got)
			}
		})
	}
}

func TestAdmit_AllowLiftsTheCondition(t *testing.T) {
	c := newClock()
	s := newSet(t, func(o *Options) { o.Kinds.Allow = []KindRange{{0, 0}, {1984, 1985}} }, Deps{Now: c.now})
	for kind, want := range map[int]string{0: "", 1984: "", 10002: refusedUnknown} {
		wantRefusal(t, s.Admit(newMemory(), open(t, event(c, kind), nip90.DoorSocket, c.now())), want)
	}
}

func TestAdmit_ErrorOfKnownIsNoRefusal(t *testing.T) {
	c := newClock()
	s := newSet(t, nil, Deps{Now: c.now})
	m := newMemory()
	m.err = errors.New("disk gone")
	for _, tc := range []struct {
		kind int
		tags nostr.Tags
	}{
		{0, nil},
		{31990, nil},
		{31989, nostr.Tags{{"d", "1"}, {"a", "31990:" + hexA + ":x"}}},
		{5, nostr.Tags{{"e", hexC}}},
		{62, nil},
		{9735, nostr.Tags{{"p", hexA}}},
		{9321, nostr.Tags{{"e", hexC}}},
		{1984, nostr.Tags{{"e", hexC}}},
	} {
		err := s.Admit(m, open(t, event(c, tc.kind, tc.tags...), nip90.DoorSocket, c.now()))
		if _, refused := AsRejection(err); refused || !errors.Is(err, m.err) {
			t.Errorf("kind %d: got %v, want the error of Known", tc.kind, err)
		}
	}
	if got := s.Counts()[nameKnown]; got != 0 {
		t.Errorf("counted %d refusals, want none", got)
	}
}

// TestAdmit_RealEvents plays real events in the order of their creation: jobs and their answers enter by themselves, and
// real zaps, which are about other things, only once what they name is known.
func TestAdmit_RealEvents(t *testing.T) {
	c := newClock()
	s := newSet(t, nil, Deps{Now: c.now})
	m := newMemory()
	for _, evt := range readEvents(t, "testdata/real-events.jsonl") {
		p := open(t, evt, nip90.DoorImport, c.now())
		if s.CheckGate(context.Background(), p) != nil {
			continue
		}
		want := ""
		// One handler of notes and one postcard misuse the kinds of NIP-89.
		if h, ok := p.Message.(*nip90.Handler); ok && !anyJobKind(h.Kinds) {
			want = refusedUnknown
		}
		if r, ok := p.Message.(*nip90.Recommendation); ok && !isJobKind(r.Kind) {
			want = refusedUnknown
		}
		wantRefusal(t, s.Admit(m, p), want)
	}
	for _, evt := range readEvents(t, "testdata/real-zaps.jsonl") {
		p := open(t, evt, nip90.DoorMirror, c.now())
		if err := s.CheckGate(context.Background(), p); err != nil {
			t.Errorf("kind %d %s: %v", evt.Kind, evt.ID, err)
		}
		wantRefusal(t, s.Admit(newMemory(), p), refusedUnknown)
		var payee nip90.PubKey
		var links []nip90.Link
		switch z := p.Message.(type) {
		case *nip90.Zap:
			payee, links = z.Recipient, z.Links
		case *nip90.Nutzap:
			payee, links = z.Recipient, z.Links
		default:
			t.Fatalf("kind %d parsed as %T", evt.Kind, p.Message)
		}
		known := newMemory()
		known.providers[payee] = true
		want := ""
		if payee.IsZero() { // one nutzap names nobody
			want = refusedUnknown
		}
		wantRefusal(t, s.Admit(known, p), want)
		if len(links) > 0 {
			known = newMemory()
			known.events[links[len(links)-1].ID] = true
			wantRefusal(t, s.Admit(known, p), "")
		}
	}
}

func anyJobKind(kinds []int) bool {
	for _, k := range kinds {
		if isJobKind(k) {
			return true
		}
	}
	return false
}
