package nip90

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/nbd-wtf/go-nostr"
)

func TestParseStatus_Table(t *testing.T) {
	for _, c := range []struct {
		word         string
		want         Status
		known, exact bool
	}{
		{"processing", Processing, true, true},
		{"payment-required", PaymentRequired, true, true},
		{"partial", Partial, true, true},
		{"error", Error, true, true},
		{"success", Success, true, true},
		{"payment_required", PaymentRequired, true, false},
		{"subscription-required", PaymentRequired, true, false},
		{"started", Processing, true, false},
		{"scheduled", Processing, true, false},
		{"chain-scheduled", Processing, true, false},
		{"failed", Error, true, false},
		{"payment-rejected", Error, true, false},
		{"pong", StatusNone, true, false},
		{"subscription-active", StatusNone, true, false},
		{"subscription-success", StatusNone, true, false},
		{" Success ", Success, true, false},
		{"PAYMENT REQUIRED", PaymentRequired, true, false},
		{"", StatusNone, false, false},
		{"none", StatusNone, false, false},
		{"offer", StatusNone, false, false},
		{strings.Repeat("x", 100_000), StatusNone, false, false},
	} {
		t.Run(clip(c.word, 30), func(t *testing.T) {
			got, known, exact := ParseStatus(c.word)
			if got != c.want || known != c.known || exact != c.exact {
				t.Errorf("got %s, known %t, exact %t; want %s, %t, %t", got, known, exact, c.want, c.known, c.exact)
			}
		})
	}
}

// The two payloads are of the real events; nobody here can read them.
const (
	nip04Payload = "igO5DqKFxst127yUEU1CfARp5upsuE7GqhAP7VKwXAo=?iv=KS/hw2BJZEgy6iGPHDFJbw=="
	nip44Prefix  = "AoW/0V2EkNbcBwaT2qgtjpy3zYvOGpZH5zQkofsxyxndGcolaSo3WWc1g2oyOvY6Sl4x4q48quNCnTb3vBDVFsDiXlZ6lyvbf4IZKC+SaA3Rua"
)

func nip44Payload() string { return nip44Prefix + strings.Repeat("A", 132-len(nip44Prefix)) }

func TestParse_FeedbackStatus(t *testing.T) {
	head := nostr.Tags{{"e", id1}, {"p", aliceKey}}
	for _, c := range []struct {
		name    string
		content string
		tags    nostr.Tags
		want    Status
		said    string
		text    string
		code    string
	}{
		{"plain", "", nostr.Tags{{"status", "error", "out of fuel"}}, Error, "error", "out of fuel", "-"},
		{"empty text", "", nostr.Tags{{"status", "success", ""}}, Success, "success", "", "-"},
		{"other spelling", "", nostr.Tags{{"status", "started"}}, Processing, "started", "", "status-nonstandard"},
		{"pong changes nothing", "", nostr.Tags{{"status", "pong"}}, StatusNone, "pong", "", "status-nonstandard"},
		{"unknown word", "", nostr.Tags{{"status", "offer"}}, Processing, "offer", "", "status-unknown"},
		{"no status", "NIP90 DVM task started", nil, Processing, "", "", "status-missing"},
		{"status without value", "", nostr.Tags{{"status"}}, Processing, "", "", "status-missing"},
		{"two statuses", "", nostr.Tags{{"status", "partial"}, {"status", "error"}}, Partial, "partial", "", "status-twice"},
		{"s tag", "", nostr.Tags{{"s", "payment-required", "no token"}, {"amount", "5"}}, PaymentRequired, "payment-required", "no token", "status-in-s-tag"},
		{"s tag of another meaning", "", nostr.Tags{{"s", "abc"}}, Processing, "", "", "status-missing"},
		{"in the content", `{"status":"error","message":"no"}`, nil, Error, "error", "no", "status-in-content"},
		{"in the content, other word", `{"status":"offer"}`, nil, Processing, "offer", "", "status-in-content,status-unknown"},
		{"content without status", `{"domain":"fake"}`, nil, Processing, "", "", "status-missing"},
		{"content is broken", `{"status":"err`, nil, Processing, "", "", "status-missing"},
		{"status of a number", `{"status":5}`, nil, Processing, "", "", "status-missing"},
		{"the tag wins over the content", `{"status":"error"}`, nostr.Tags{{"status", "success"}}, Success, "success", "", "-"},
		{"encrypted", nip04Payload, nostr.Tags{{"encrypted"}}, Processing, "", "", "status-encrypted"},
		{"encrypted with a status outside", nip04Payload, nostr.Tags{{"encrypted"}, {"status", "success"}}, Success, "success", "", "-"},
		{"payment required without amount", "", nostr.Tags{{"status", "payment-required"}}, PaymentRequired, "payment-required", "", "amount-missing"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := mustParse(t, ev(7000, c.content, append(head, c.tags...)...)).(*Feedback)
			if m.Status != c.want || m.Said != c.said || m.Text != c.text || codes(m.Findings()) != c.code {
				t.Errorf("got %s %q %q %s; want %s %q %q %s", m.Status, m.Said, m.Text, codes(m.Findings()), c.want, c.said, c.text, c.code)
			}
		})
	}
}

func TestParse_ResultStatus(t *testing.T) {
	head := nostr.Tags{{"e", id1}, {"p", aliceKey}}
	for _, c := range []struct {
		name    string
		content string
		tags    nostr.Tags
		want    Status
		code    string
	}{
		{"none", "", nil, StatusNone, "-"},
		{"success", "", nostr.Tags{{"status", "success"}}, Success, "-"},
		{"error", "", nostr.Tags{{"status", "error"}}, Error, "-"},
		{"unknown word changes nothing", "", nostr.Tags{{"status", "200"}}, StatusNone, "status-unknown"},
		{"content is the result, not a status", `{"status":"error"}`, nil, StatusNone, "-"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := mustParse(t, ev(6050, c.content, append(head, c.tags...)...)).(*Result)
			if m.Status != c.want || codes(m.Findings()) != c.code {
				t.Errorf("got %s, %s; want %s, %s", m.Status, codes(m.Findings()), c.want, c.code)
			}
		})
	}
}

// shape is what the tags of a request come to.
type shape struct {
	inputs  []Input
	params  []Param
	relays  []string
	chained []ID
	task    string
	prepaid bool
}

// requestCase is a request's tags and what they come to.
type requestCase struct {
	name string
	tags nostr.Tags
	want shape
	code string
}

func checkRequests(t *testing.T, cases []requestCase) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			m := mustParse(t, ev(5050, "", c.tags...)).(*Request)
			got := shape{m.Inputs, m.Params, m.Relays, m.Chained, m.Task, m.Prepaid}
			if !reflect.DeepEqual(got, c.want) || codes(m.Findings()) != c.code {
				t.Errorf("\n got %+v %s\nwant %+v %s", got, codes(m.Findings()), c.want, c.code)
			}
		})
	}
}

func TestParse_RequestInputs(t *testing.T) {
	checkRequests(t, []requestCase{
		{
			"as the NIP has it",
			nostr.Tags{{"i", "x", "text"}, {"param", "language", "es"}, {"relays", "wss://a", "wss://b"}},
			shape{inputs: []Input{{Data: "x", Type: "text"}}, params: []Param{{"language", []string{"es"}}}, relays: []string{"wss://a", "wss://b"}},
			"-",
		},
		{"no tags", nil, shape{}, "-"},
		{
			"input with relay and marker",
			nostr.Tags{{"i", id1, "event", "wss://r", "zap_target"}},
			shape{inputs: []Input{{Data: id1, Type: "event", Relay: "wss://r", Marker: "zap_target"}}},
			"-",
		},
		{"input without type", nostr.Tags{{"i", "x"}}, shape{inputs: []Input{{Data: "x"}}}, "input-no-type"},
		{"input of type prompt", nostr.Tags{{"i", "x", "prompt"}}, shape{inputs: []Input{{Data: "x", Type: "prompt"}}}, "input-type-prompt"},
		{"input of unknown type", nostr.Tags{{"i", "x", "json"}}, shape{inputs: []Input{{Data: "x", Type: "json"}}}, "input-unknown-type"},
		{"empty input", nostr.Tags{{"i", "", "text"}}, shape{inputs: []Input{{Type: "text"}}}, "input-empty"},
		{"bare input", nostr.Tags{{"i"}}, shape{inputs: []Input{{}}}, "input-no-type,input-empty"},
		{"input tag, type first", nostr.Tags{{"input", "text", "Hi"}}, shape{inputs: []Input{{Data: "Hi", Type: "text"}}}, "input-tag-name"},
		{"input tag, type last", nostr.Tags{{"input", "Hi", "text"}}, shape{inputs: []Input{{Data: "Hi", Type: "text"}}}, "input-tag-name"},
		{"input tag without type", nostr.Tags{{"input", "hello"}}, shape{inputs: []Input{{Data: "hello"}}}, "input-tag-name"},
		{"empty input tag", nostr.Tags{{"input"}}, shape{}, "input-tag-name,input-empty"},
		{"earlier job", nostr.Tags{{"i", id1, "job"}}, shape{inputs: []Input{{Data: id1, Type: "job"}}, chained: []ID{id(id1)}}, "-"},
		{
			"earlier job twice",
			nostr.Tags{{"i", id1, "job"}, {"i", id1, "job"}},
			shape{inputs: []Input{{Data: id1, Type: "job"}, {Data: id1, Type: "job"}}, chained: []ID{id(id1)}},
			"-",
		},
		{
			"earlier job as nevent",
			nostr.Tags{{"i", Nevent(id(id1), PubKey{}, 5050), "job"}},
			shape{inputs: []Input{{Data: Nevent(id(id1), PubKey{}, 5050), Type: "job"}}, chained: []ID{id(id1)}},
			"input-not-hex",
		},
		{
			"earlier job as address",
			nostr.Tags{{"i", "30023:" + bobKey + ":x", "job"}},
			shape{inputs: []Input{{Data: "30023:" + bobKey + ":x", Type: "job"}}},
			"input-job-unreadable",
		},
		{"its own job", nostr.Tags{{"i", selfID, "job"}}, shape{inputs: []Input{{Data: selfID, Type: "job"}}}, "self-reference"},
		{
			"event as naddr",
			nostr.Tags{{"i", Naddr(Address{30023, key(bobKey), "x"}), "event"}},
			shape{inputs: []Input{{Data: Naddr(Address{30023, key(bobKey), "x"}), Type: "event"}}},
			"input-not-hex",
		},
	})
}

func TestParse_RequestOtherTags(t *testing.T) {
	checkRequests(t, []requestCase{
		{"param with three values", nostr.Tags{{"param", "range", "300", "360"}}, shape{params: []Param{{"range", []string{"300", "360"}}}}, "-"},
		{"param without value", nostr.Tags{{"param", "fast"}}, shape{params: []Param{{"fast", []string{}}}}, "param-no-value"},
		{"bare param", nostr.Tags{{"param"}}, shape{}, "param-no-value"},
		{
			"params as tags",
			nostr.Tags{{"alignment", "raw"}, {"range", "1", "2"}},
			shape{params: []Param{{"alignment", []string{"raw"}}, {"range", []string{"1", "2"}}}},
			"param-as-tag",
		},
		{"relay as tag name", nostr.Tags{{"wss://a", "wss://b"}}, shape{relays: []string{"wss://a", "wss://b"}}, "relay-as-tag-name"},
		{"ws relay as tag name", nostr.Tags{{"ws://a"}}, shape{relays: []string{"ws://a"}}, "relay-as-tag-name"},
		{"relay in the singular", nostr.Tags{{"relay", "wss://a"}}, shape{relays: []string{"wss://a"}}, "relay-tag-singular"},
		{"exp", nostr.Tags{{"exp", "1740000060"}}, shape{}, "exp-tag"},
		{"hash in the name", nostr.Tags{{"#j", "translate"}}, shape{task: "translate"}, "hash-in-tag-name"},
		{"generic job", nostr.Tags{{"j", "translate"}}, shape{task: "translate"}, "-"},
		{"cashu", nostr.Tags{{"cashu", "cashuA..."}}, shape{prepaid: true}, "payment-in-request"},
		{"takedeeznuts", nostr.Tags{{"takedeeznuts", "cashuA..."}}, shape{prepaid: true}, "payment-in-request"},
		{"amount in ecash", nostr.Tags{{"amount", "1", "ecash"}}, shape{prepaid: true}, "payment-in-request"},
		{"empty tags", nostr.Tags{{}, {""}, {"i", "x", "text"}}, shape{inputs: []Input{{Data: "x", Type: "text"}}}, "empty-tag"},
	})
}

func TestParse_Encryption(t *testing.T) {
	sealed44 := nip44Payload()
	for _, c := range []struct {
		name, content string
		tags          nostr.Tags
		want          Encryption
		code          string
	}{
		{"plain", "hello", nil, Plain, "-"},
		{"NIP-04", nip04Payload, nostr.Tags{{"encrypted"}, {"p", aliceKey}}, NIP04, "-"},
		{"NIP-44", sealed44, nostr.Tags{{"encrypted"}, {"p", aliceKey}}, NIP44, "-"},
		{"with a value", sealed44, nostr.Tags{{"encrypted", "1"}, {"p", aliceKey}}, NIP44, "-"},
		{"NIP-04 without tag", nip04Payload, nil, NIP04, "encrypted-untagged"},
		{"NIP-44 without tag", sealed44, nil, NIP44, "encrypted-untagged"},
		{"says so but is not", "hello", nostr.Tags{{"encrypted"}, {"p", aliceKey}}, UnknownEncrypted, "encrypted-unknown"},
		{"no content", "", nostr.Tags{{"encrypted"}, {"p", aliceKey}}, UnknownEncrypted, "encrypted-unknown"},
		{"no provider", sealed44, nostr.Tags{{"encrypted"}}, NIP44, "encrypted-without-provider"},
		{"prose with ?iv=", "what is ?iv= in a url", nil, Plain, "-"},
		{"a url with ?iv=", "https://example.com/?iv=KS/hw2BJZEgy6iGPHDFJbw==", nil, Plain, "-"},
		{"short base64", "AoW/0V2EkNbc", nil, Plain, "-"},
		{"base64 of another version", "Z" + sealed44[1:], nil, Plain, "-"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := mustParse(t, ev(5050, c.content, c.tags...)).(*Request)
			if m.Encrypted != c.want || codes(m.Findings()) != c.code {
				t.Errorf("got %d, %s; want %d, %s", m.Encrypted, codes(m.Findings()), c.want, c.code)
			}
		})
	}
}

func TestParse_Cancel(t *testing.T) {
	m := mustParse(t, ev(5, "changed my mind", nostr.Tag{"e", id1}, nostr.Tag{"e", selfID}, nostr.Tag{"e", "x"},
		nostr.Tag{"a", "31990:" + bobKey + ":"}, nostr.Tag{"a", "nope"}, nostr.Tag{"k", "5050"}, nostr.Tag{"k", "5050"})).(*Cancel)
	want := &Cancel{IDs: []ID{id(id1)}, Addresses: []Address{{31990, key(bobKey), ""}}, Kinds: []int{5050}, Reason: "changed my mind"}
	if pretty(m) != pretty(want) || codes(m.Findings()) != "self-reference,bad-event-id,deletion-address-unreadable" {
		t.Errorf("got %s %s\nwant %s", pretty(m), codes(m.Findings()), pretty(want))
	}
	if m := mustParse(t, ev(5, "")); codes(m.Findings()) != "deletion-empty" {
		t.Errorf("got %s, want deletion-empty", codes(m.Findings()))
	}
}

func TestParse_BoundsHoldForEveryKind(t *testing.T) {
	var tags nostr.Tags
	for i := range 2000 {
		n := fmt.Sprintf("%064x", i+1)
		for _, name := range []string{"i", "param", "p", "e", "t", "relays", "proof", "a", "k"} {
			tags = append(tags, nostr.Tag{name, n, "v"})
		}
	}
	for _, kind := range []int{5, 5050, 6050, 7000, 7007, 9321, 9735, 11998, 31989, 31990, 1984, 5128} {
		msg := mustParse(t, ev(kind, "", tags...))
		if n := len(msg.Findings()); n > MaxFindings {
			t.Errorf("kind %d: got %d findings", kind, n)
		}
		switch m := msg.(type) {
		case *Request:
			if len(m.Inputs) != maxInputs || len(m.Params) != maxParams || len(m.Providers) != maxKeys || len(m.Topics) != maxTopics || len(m.Relays) != maxRelays {
				t.Errorf("got %d inputs, %d params, %d providers, %d topics, %d relays", len(m.Inputs), len(m.Params), len(m.Providers), len(m.Topics), len(m.Relays))
			}
		case *Cancel:
			if len(m.IDs) != 2000 {
				t.Errorf("got %d deletions, want all 2000", len(m.IDs))
			}
		}
	}
}
