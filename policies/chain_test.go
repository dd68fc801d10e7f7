package policies

import (
	"context"
	"testing"
	"time"

	"dvmrelay/nip90"

	"github.com/nbd-wtf/go-nostr"
)

const npubB = "npub1hwamhwamhwamhwamhwamhwamhwamhwamhwamhwamhwamhwamhwasxw04hu"

// adminLists are lists that an administrator keeps.
type adminLists struct {
	allow map[nip90.PubKey]bool
	deny  map[nip90.PubKey]string
}

func (l adminLists) Allowed(pk nip90.PubKey) (bool, bool) { return l.allow[pk], len(l.allow) > 0 }
func (l adminLists) Denied(pk nip90.PubKey) (string, bool) {
	reason, denied := l.deny[pk]
	return reason, denied
}

func TestLists_Words(t *testing.T) {
	c := newClock()
	a, b := mustKey(t, hexA), mustKey(t, hexB)
	for _, tc := range []struct {
		name  string
		rules RuleOptions
		admin Lists
		want  string // for an event by b
	}{
		{"no lists", RuleOptions{}, nil, ""},
		{"allowed by hex", RuleOptions{Allow: []string{hexA, hexB}}, nil, ""},
		{"allowed by npub", RuleOptions{Allow: []string{npubB}}, nil, ""},
		{"not allowed", RuleOptions{Allow: []string{hexA}}, nil, "restricted: only listed keys may publish here, ask the operator"},
		{"denied by npub", RuleOptions{Deny: []string{npubB}}, nil, "blocked: this key may not publish here"},
		{"deny wins", RuleOptions{Allow: []string{hexB}, Deny: []string{hexB}}, nil, "blocked: this key may not publish here"},
		{"denied with a reason", RuleOptions{}, adminLists{deny: map[nip90.PubKey]string{b: "spam"}}, "blocked: this key may not publish here: spam"},
		{"somebody else denied", RuleOptions{}, adminLists{deny: map[nip90.PubKey]string{a: "spam"}}, ""},
		{"allowed by one of two lists", RuleOptions{Allow: []string{hexA}}, adminLists{allow: map[nip90.PubKey]bool{b: true}}, ""},
		{"allowed by neither list", RuleOptions{Allow: []string{hexA}}, adminLists{allow: map[nip90.PubKey]bool{a: true}}, "restricted: only listed keys may publish here, ask the operator"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newSet(t, func(o *Options) { o.Rules = tc.rules }, Deps{Now: c.now, Lists: tc.admin})
			for _, door := range []nip90.Door{nip90.DoorSocket, nip90.DoorMirror, nip90.DoorImport} {
				wantRefusal(t, s.CheckChain(context.Background(), open(t, event(c, 5300), door, c.now())), tc.want)
			}
		})
	}
}

func TestLists_WhoIsDeniedMayStillVanish(t *testing.T) {
	c := newClock()
	for name, rules := range map[string]RuleOptions{"denied": {Deny: []string{hexB}}, "not allowed": {Allow: []string{hexA}}} {
		t.Run(name, func(t *testing.T) {
			s := newSet(t, func(o *Options) { o.Rules = rules }, Deps{Now: c.now})
			vanish := event(c, 62, nostr.Tag{"relay", "ALL_RELAYS"})
			wantRefusal(t, s.CheckChain(context.Background(), open(t, vanish, nip90.DoorSocket, c.now())), "")
		})
	}
}

func TestProtected_Words(t *testing.T) {
	c := newClock()
	a, b := mustKey(t, hexA), mustKey(t, hexB)
	const asAuthor = "auth-required: this event is protected, authenticate as its author to publish it"
	for _, tc := range []struct {
		name string
		ctx  context.Context
		door nip90.Door
		want string
	}{
		{"nobody authenticated", from("192.0.2.1"), nip90.DoorSocket, asAuthor},
		{"the author", from("192.0.2.1", a, b), nip90.DoorSocket, ""},
		{"somebody else", from("192.0.2.1", a), nip90.DoorSocket, "restricted: this event is protected, only its author may publish it"},
		{"no way to authenticate", WithPeer(context.Background(), &Peer{Addr: "192.0.2.1"}), nip90.DoorSocket, "restricted: this event is protected, only its author may publish it"},
		{"an upstream", context.Background(), nip90.DoorMirror, "restricted: this event is protected, only its author may publish it"},
		{"a file", context.Background(), nip90.DoorImport, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newSet(t, nil, Deps{Now: c.now})
			for _, tag := range []nostr.Tag{{"-"}, {"-", ""}} {
				wantRefusal(t, s.CheckChain(tc.ctx, open(t, event(c, 5300, nostr.Tag{"t", "x"}, tag), tc.door, c.now())), tc.want)
			}
			wantRefusal(t, s.CheckChain(tc.ctx, open(t, event(c, 5300, nostr.Tag{"x", "-"}), tc.door, c.now())), "")
		})
	}
}

func TestKeyRate_CountsJobRequestsOfOneKey(t *testing.T) {
	c := newClock()
	s := newSet(t, nil, Deps{Now: c.now})
	request := open(t, event(c, 5300), nip90.DoorSocket, c.now())
	result := open(t, event(c, 6300), nip90.DoorSocket, c.now())
	other := event(c, 5300)
	other.PubKey = hexC
	const refused = "rate-limited: more than 10 job requests per second by this key, or 100 at once: wait and send again"
	for i := range 100 {
		// The address changes: the key counts, not where it sends from.
		wantRefusal(t, s.CheckChain(from("192.0.2."+itoa(int64(i))), request), "")
	}
	wantRefusal(t, s.CheckChain(from("192.0.2.1"), request), refused)
	wantRefusal(t, s.CheckChain(from("192.0.2.1"), result), "")
	wantRefusal(t, s.CheckChain(from("192.0.2.1"), open(t, other, nip90.DoorSocket, c.now())), "")
	wantRefusal(t, s.CheckChain(context.Background(), request), "")
	wantRefusal(t, s.CheckChain(WithPeer(context.Background(), &Peer{Addr: "127.0.0.1", Exempt: true}), request), "")
	c.pass(time.Second)
	for range 10 {
		wantRefusal(t, s.CheckChain(from("192.0.2.1"), request), "")
	}
	wantRefusal(t, s.CheckChain(from("192.0.2.1"), request), refused)
}

func TestGate_ForgedRequestsSpendNobodysKeyBudget(t *testing.T) {
	c := newClock()
	s := newSet(t, nil, Deps{Now: c.now})
	request := open(t, event(c, 5300), nip90.DoorSocket, c.now())
	for range 1000 {
		wantRefusal(t, s.CheckGate(from("198.51.100.7"), request), "") // never verified, so never in the chain
	}
	for range 100 {
		wantRefusal(t, s.CheckChain(from("192.0.2.1"), request), "")
	}
}

func TestReload_PutsOtherRulesInForce(t *testing.T) {
	c := newClock()
	s := newSet(t, nil, Deps{Now: c.now})
	note := open(t, event(c, 1), nip90.DoorSocket, c.now())
	if err := s.CheckGate(context.Background(), note); err == nil {
		t.Fatal("a note was accepted")
	}
	o := s.Options()
	o.Kinds.Allow = []KindRange{{1, 1}}
	o.Limits.Tags = -1
	if err := s.Reload(o); err == nil {
		t.Fatal("a faulty configuration was accepted")
	}
	if s.Limits().Tags != 2000 || s.Kinds().Accepts(1) {
		t.Fatal("a faulty configuration changed something")
	}
	o.Limits.Tags = 1
	if err := s.Reload(o); err != nil {
		t.Fatal(err)
	}
	wantRefusal(t, s.CheckGate(context.Background(), note), "")
	two := open(t, event(c, 1, nostr.Tag{"t", "x"}, nostr.Tag{"t", "y"}), nip90.DoorSocket, c.now())
	wantRefusal(t, s.CheckGate(context.Background(), two), "invalid: 2 tags are too many, at most 1 are accepted")
}

func TestReload_KeepsTheBucketsOfAnUnchangedRate(t *testing.T) {
	c := newClock()
	s := newSet(t, nil, Deps{Now: c.now})
	for range 1000 {
		s.Limiter().AllowEvent("192.0.2.1")
	}
	o := s.Options()
	o.Rules.MinPoW = 1
	if err := s.Reload(o); err != nil {
		t.Fatal(err)
	}
	if s.Limiter().AllowEvent("192.0.2.1") {
		t.Error("an unrelated change filled an empty bucket")
	}
	o.Limits.EventsPerSecond = 200
	if err := s.Reload(o); err != nil {
		t.Fatal(err)
	}
	if !s.Limiter().AllowEvent("192.0.2.1") {
		t.Error("the new rate is not in force")
	}
}
