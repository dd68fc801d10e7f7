package nip90

import (
	"regexp"
	"strings"
	"testing"

	"github.com/nbd-wtf/go-nostr"
)

func TestLint_SaysMoreThanTheParser(t *testing.T) {
	for _, c := range []struct {
		name string
		evt  *nostr.Event
		want string
	}{
		{"nothing odd", ev(5050, "", nostr.Tag{"i", "x", "text"}), "-"},
		{"the parser's findings come first", ev(5050, "", nostr.Tag{"input", "x"}, nostr.Tag{"output", "text"}), "input-tag-name,output-not-mime"},
		{"kind above the range", ev(68001, ""), "kind-out-of-range,kind-historic"},
		{"kind below the range", ev(-1, ""), "kind-out-of-range"},
		{"first draft", ev(65005, ""), "kind-historic"},
		{"superseded kind", ev(5004, "", nostr.Tag{"i", "x", "text"}), "kind-historic"},
		{"kind of nobody", ev(5777, "", nostr.Tag{"i", "x", "text"}), "kind-unregistered"},
		{"result of a registered kind", ev(6050, "", nostr.Tag{"e", id1}, nostr.Tag{"p", aliceKey}), "no-request-tag"},
		{"negative time", &nostr.Event{Kind: 5300, CreatedAt: -1}, "created-at-odd"},
		{"born expired", ev(5300, "", nostr.Tag{"expiration", "1739999999"}), "born-expired"},
		{"expiration in words", ev(5300, "", nostr.Tag{"expiration", "soon"}), "expiration-unreadable"},
		{"bare expiration", ev(5300, "", nostr.Tag{"expiration"}), "expiration-unreadable"},
		{"two expirations", ev(5300, "", nostr.Tag{"expiration", "1750000000"}, nostr.Tag{"expiration", "1750000000"}), "expiration-twice"},
		{"the same tag twice", ev(5300, "", nostr.Tag{"p", aliceKey}, nostr.Tag{"p", aliceKey}), "duplicate-tag"},
		{"LAN relay", ev(5300, "", nostr.Tag{"relays", "ws://192.168.1.103:9090/relay"}), "relay-unreachable"},
		{"onion relay", ev(5300, "", nostr.Tag{"relays", "wss://abc.onion"}), "relay-unreachable"},
		{"relay with a stroke", ev(5300, "", nostr.Tag{"relays", "wss://relay.primal.net/|"}), "relay-unreachable"},
		{"relay without scheme", ev(5300, "", nostr.Tag{"relays", "relay.primal.net"}), "relay-unreachable"},
		{"relay twice", ev(5300, "", nostr.Tag{"relays", "wss://a.b", "wss://A.b/"}), "relay-repeated"},
		{"relay as tag name in a result", ev(6304, "", nostr.Tag{"wss://a.b"}), "unlinked,relay-as-tag-name"},
		{"prompt in the content", ev(5050, "write a poem"), "prompt-in-content"},
		{"a filter in the content", ev(5400, `{"kinds":[1]}`), "-"},
		{"nothing at all", ev(5500, ""), "no-input"},
		{"discovery needs nothing", ev(5300, ""), "-"},
		{"encrypted, but open", ev(5050, nip04Payload, nostr.Tag{"encrypted"}, nostr.Tag{"p", aliceKey}, nostr.Tag{"param", "a", "b"}), "encrypted-clear-input"},
		{"prose in feedback", ev(7000, "started 👍", nostr.Tag{"e", id1}, nostr.Tag{"p", aliceKey}, nostr.Tag{"status", "processing"}), "feedback-prose"},
		{"discovery result in prose", ev(6300, "No results found", nostr.Tag{"e", id1}, nostr.Tag{"p", aliceKey}), "no-request-tag,result-list-unreadable"},
		{"discovery result without brackets", ev(6302, `["p","x"],["p","y"]`, nostr.Tag{"e", id1}, nostr.Tag{"p", aliceKey}), "no-request-tag,result-list-unreadable"},
		{"discovery result of addresses", ev(6300, `[["a","34236:x:y"],["e","z","wss://r"]]`, nostr.Tag{"e", id1}, nostr.Tag{"p", aliceKey}), "no-request-tag"},
		{"customer of itself", ev(7000, "", nostr.Tag{"e", id1}, nostr.Tag{"p", bobKey}, nostr.Tag{"status", "success"}), "answers-itself"},
		{"handler of no job", ev(31990, "", nostr.Tag{"d", "1703150957505"}, nostr.Tag{"k", "1"}), "handler-no-job-kind"},
		{"handler named by a kind", ev(31990, "", nostr.Tag{"d", "5050"}, nostr.Tag{"k", "5050"}), "d-is-kind"},
		{"zap of a profile", ev(9321, "", nostr.Tag{"proof", `{"amount":1,"secret":"a"}`}), "zap-no-event"},
		{"hash in a name", ev(6050, "", nostr.Tag{"e", id1}, nostr.Tag{"p", aliceKey}, nostr.Tag{"#x", "y"}), "hash-in-tag-name,no-request-tag"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := codes(Lint(c.evt)); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func TestLint_ContainsTheParsersFindings(t *testing.T) {
	for _, evt := range readEvents(t, "testdata/real-events.jsonl") {
		found, all := mustParse(t, evt).Findings(), Lint(evt)
		if len(all) < len(found) {
			t.Fatalf("event %s: got %d of lint, %d of the parser", evt.ID, len(all), len(found))
		}
		for i, f := range found {
			if all[i] != f {
				t.Errorf("event %s: got %v, want %v", evt.ID, all[i], f)
			}
		}
	}
}

func TestFindings_AreWellFormed(t *testing.T) {
	kebab := regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
	seen := map[string]bool{}
	for o := oddNone + 1; o < oddLast; o++ {
		f := oddities[o]
		if !kebab.MatchString(f.Code) || !strings.HasSuffix(f.Text, ".") || f.Section == "" {
			t.Errorf("oddity %d: got %+v, want a code, a sentence and a section", o, f)
		}
		if seen[f.Code] {
			t.Errorf("code %s appears twice", f.Code)
		}
		seen[f.Code] = true
	}
}

func TestFindings_ShowNoControlCharacters(t *testing.T) {
	m := mustParse(t, ev(7000, "", nostr.Tag{"status", "\x00<b>\n" + strings.Repeat("é", 100) + "\xff"}))
	for _, f := range m.Findings() {
		if strings.ContainsFunc(f.Text, isControl) || len(f.Text) > 300 || !strings.Contains(pretty(f), f.Code) {
			t.Errorf("got %q", f.Text)
		}
	}
}

func TestKinds(t *testing.T) {
	for _, c := range []struct {
		kind                       int
		request, result, dvm, reg  bool
		resultOf, requestOf        int
		name                       string
		heartbeat, feedback, squat bool
	}{
		{kind: 5000, request: true, dvm: true, reg: true, resultOf: 6000, name: "Text Extraction"},
		{kind: 6002, result: true, dvm: true, reg: true, requestOf: 5002, name: "Translation result"},
		{kind: 5777, request: true, dvm: true, resultOf: 6777},
		{kind: 6777, result: true, dvm: true, requestOf: 5777},
		{kind: 5128, reg: true, squat: true, name: "Site Manifest Snapshot"},
		{kind: 6128, result: true, dvm: true},
		{kind: 5969, reg: true, squat: true, name: "Zap Poll"},
		{kind: 6969, reg: true, squat: true, name: "Zap Poll"},
		{kind: 7000, dvm: true, reg: true, feedback: true, name: "Job feedback"},
		{kind: 11998, dvm: true, reg: true, heartbeat: true, name: "Heartbeat"},
		{kind: 31990, dvm: true, reg: true, name: "Handler information"},
		{kind: 1},
		{kind: 4999},
		{kind: -5},
	} {
		if IsRequest(c.kind) != c.request || IsResult(c.kind) != c.result || IsDVM(c.kind) != c.dvm || Registered(c.kind) != c.reg ||
			IsHeartbeat(c.kind) != c.heartbeat || IsFeedback(c.kind) != c.feedback || IsSquatter(c.kind) != c.squat {
			t.Errorf("kind %d: got request %t, result %t, dvm %t, registered %t, heartbeat %t, feedback %t, squatter %t", c.kind, IsRequest(c.kind),
				IsResult(c.kind), IsDVM(c.kind), Registered(c.kind), IsHeartbeat(c.kind), IsFeedback(c.kind), IsSquatter(c.kind))
		}
		if ResultKind(c.kind) != c.resultOf || RequestKind(c.kind) != c.requestOf || KindName(c.kind) != c.name {
			t.Errorf("kind %d: got result %d, request %d, name %q; want %d, %d, %q", c.kind, ResultKind(c.kind), RequestKind(c.kind), KindName(c.kind), c.resultOf, c.requestOf, c.name)
		}
	}
	kinds := Kinds()
	if len(kinds) != 103 {
		t.Errorf("got %d kinds, want 103", len(kinds))
	}
	for i := 1; i < len(kinds); i++ {
		if kinds[i-1].Kind >= kinds[i].Kind {
			t.Errorf("kind %d stands after %d", kinds[i].Kind, kinds[i-1].Kind)
		}
	}
	kinds[0].Name = "changed"
	if Kinds()[0].Name == "changed" {
		t.Error("the caller's copy is the table itself")
	}
}
