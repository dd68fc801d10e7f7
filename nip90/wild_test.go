package nip90

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/nbd-wtf/go-nostr"
)

// The actors of the tests.
const (
	aliceKey = "7782f93c5762538e1f7ccc5af83cd8018a528b9cd965048386ca1b75335f24c6" // customer
	bobKey   = "f45f5667ffe7649d7c9f648930c9498cda88974e7ea28929194d0167cdcbc124" // provider
	carolKey = "89669b03bb25232f33192fdda77b8e36e3d3886e9b55b3c74b95091e916c8f98" // somebody else
	id1      = "1111111111111111111111111111111111111111111111111111111111111111"
	id2      = "2222222222222222222222222222222222222222222222222222222222222222"
	id3      = "3333333333333333333333333333333333333333333333333333333333333333"
	selfID   = "5555555555555555555555555555555555555555555555555555555555555555"
)

// ev is an event by Bob.
func ev(kind int, content string, tags ...nostr.Tag) *nostr.Event {
	return &nostr.Event{ID: selfID, PubKey: bobKey, CreatedAt: 1_740_000_000, Kind: kind, Tags: tags, Content: content}
}

// job is a request by Alice with its true id.
func job(kind int, content string, tags ...nostr.Tag) *nostr.Event {
	evt := &nostr.Event{PubKey: aliceKey, CreatedAt: 1_740_000_000, Kind: kind, Tags: tags, Content: content, Sig: strings.Repeat("0", 128)}
	evt.ID = evt.GetID()
	return evt
}

func quoteOf(t testing.TB, evt *nostr.Event) string {
	t.Helper()
	b, err := json.Marshal(evt)
	if err != nil {
		t.Fatalf("quote event: %v", err)
	}
	return string(b)
}

func id(s string) ID {
	id, _ := ParseID(s) // the constants above are valid
	return id
}

func key(s string) PubKey {
	pk, _ := ParsePubKey(s) // the constants above are valid
	return pk
}

// pretty is a JSON of everything exported, for comparing and printing.
func pretty(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprintf("%+v", v)
	}
	return string(b)
}

func TestParse_RequestTagShapes(t *testing.T) {
	plain := job(5050, "say \"hi\"\n\\ü\x01/", nostr.Tag{"i", "a \"quoted\" input\twith\\ü and 🍋", "text"}, nostr.Tag{"output", "text/plain"})
	nested := job(5050, "", nostr.Tag{"request", quoteOf(t, plain)})
	true1, nestedID := id(plain.ID), id(nested.ID)
	js := quoteOf(t, plain)
	escaped := strings.NewReplacer("ü", "\\u00fc", "🍋", "\\ud83c\\udf4b", "/plain", "\\/plain").Replace(js)
	wrong := strings.Replace(js, "text/plain", "text/html", 1)
	unsigned := fmt.Sprintf(`{"pubkey":"%s","created_at":1740000000,"kind":5050,"tags":[["i","x","text"]],"content":""}`, aliceKey)
	unsignedID := id((&nostr.Event{PubKey: aliceKey, CreatedAt: 1740000000, Kind: 5050, Tags: nostr.Tags{{"i", "x", "text"}}}).GetID())
	py := job(5250, "", nostr.Tag{"i", "it's", "text"}, nostr.Tag{"param", "language", "en"})
	python := fmt.Sprintf(`{'id': '%s', 'pubkey': '%s', 'created_at': 1740000000, 'kind': 5250, 'tags': [['i', "it's", 'text'], ['param', 'language', 'en']], 'content': '', 'sig': None}`, py.ID, aliceKey)

	for _, c := range []struct {
		name, request string
		want          ID
		trusted       bool
		code          string
	}{
		{"as the NIP has it", js, true1, true, ""},
		{"with spaces and newlines", strings.NewReplacer(`,"tags":`, ", \n \"tags\" : ", `],[`, "] ,\t[").Replace(js), true1, true, ""},
		{"with other escapes", escaped, true1, true, ""},
		{"with a foreign field", strings.Replace(js, "{", `{"_id":{"$oid":"1"},`, 1), true1, true, ""},
		{"quoting a quote", quoteOf(t, nested), nestedID, true, ""},
		{"id is not the hash", wrong, true1, false, "request-tag-hash"},
		{"a tag that is no string", strings.Replace(js, `"text/plain"`, `5`, 1), true1, false, "request-tag-hash"},
		{"raw id", id1, id(id1), false, "request-tag-raw-id"},
		{"raw id as nevent", Nevent(id(id1), PubKey{}, 0), id(id1), false, "request-tag-raw-id"},
		{"Python literal", python, id(py.ID), true, "request-tag-python"},
		{"Python literal cut off", python[:120], id(py.ID), false, "request-tag-python"},
		{"backslashes stripped", strings.ReplaceAll(js, `\`, ""), true1, false, "request-tag-broken"},
		{"backslashes stripped from a quote of a quote", strings.ReplaceAll(quoteOf(t, nested), `\`, ""), nestedID, false, "request-tag-broken"},
		{"stringified twice", fmt.Sprintf("%q", js), true1, false, "request-tag-broken"},
		{"cut off", js[:len(js)/2], true1, false, "request-tag-broken"},
		{"unsigned template", unsigned, unsignedID, false, "request-tag-unsigned"},
		{"template without author", `{"kind":5050,"tags":[],"content":""}`, ID{}, false, "request-tag-no-id"},
		{"empty", "", ID{}, false, "request-tag-no-id"},
		{"prose", "please", ID{}, false, "request-tag-no-id"},
		{"lone surrogate", strings.Replace(js, "ü", `\ud800`, 1), true1, false, "request-tag-hash"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := mustParse(t, ev(6050, "", nostr.Tag{"request", c.request}, nostr.Tag{"p", aliceKey})).(*Result)
			if c.want.IsZero() {
				if len(m.Links) != 0 || !strings.Contains(codes(m.Findings()), c.code) {
					t.Fatalf("got links %v, findings %s; want none and %s", m.Links, codes(m.Findings()), c.code)
				}
				return
			}
			if len(m.Links) != 1 || m.Links[0].ID != c.want || m.Links[0].Trusted != c.trusted {
				t.Fatalf("got links %s, want %s trusted %t", pretty(m.Links), c.want, c.trusted)
			}
			if got := codes(m.Findings()); c.code == "" && strings.Contains(got, "request-tag") || !strings.Contains(got, c.code) {
				t.Errorf("got findings %s, want %q", got, c.code)
			}
		})
	}
}

func TestParse_LinkPreference(t *testing.T) {
	request := job(5050, "hello")
	quote := quoteOf(t, request)
	quoted := id(request.ID)
	bad := strings.Replace(quote, "hello", "hullo", 1)
	for _, c := range []struct {
		name string
		tags nostr.Tags
		want []Link
	}{
		{"one e", nostr.Tags{{"e", id1, "wss://r"}}, []Link{{ID: id(id1), Relay: "wss://r"}}},
		{"marker at 3", nostr.Tags{{"e", id1}, {"e", id2, "wss://r", "job"}}, []Link{{ID: id(id2), Relay: "wss://r", Marker: "job"}, {ID: id(id1)}}},
		{"marker at 2", nostr.Tags{{"e", id1}, {"e", id2, "job"}}, []Link{{ID: id(id2), Marker: "job"}, {ID: id(id1)}}},
		{"marker after empty relay", nostr.Tags{{"e", id1}, {"e", id2, "", "request"}}, []Link{{ID: id(id2), Marker: "request"}, {ID: id(id1)}}},
		{
			"request before root before plain before reply",
			nostr.Tags{{"e", id3, "", "reply"}, {"e", id1}, {"e", id2, "", "root"}, {"e", request.ID, "", "request"}},
			[]Link{{ID: quoted, Marker: "request"}, {ID: id(id2), Marker: "root"}, {ID: id(id1)}, {ID: id(id3), Marker: "reply"}},
		},
		{"the proved e before the first", nostr.Tags{{"e", id1}, {"e", request.ID}, {"request", quote}}, []Link{{ID: quoted, Trusted: true}, {ID: id(id1)}}},
		{"an unproved quote moves nothing", nostr.Tags{{"e", id1}, {"e", request.ID}, {"request", bad}}, []Link{{ID: id(id1)}, {ID: quoted}}},
		{"e before another request.id", nostr.Tags{{"request", quote}, {"e", id1}}, []Link{{ID: id(id1)}, {ID: quoted, Trusted: true}}},
		{"repetitions merge", nostr.Tags{{"e", id1}, {"e", id1, "wss://r"}, {"e", id1, "", "job"}}, []Link{{ID: id(id1), Relay: "wss://r", Marker: "job"}}},
		{"unknown marker is kept and plain", nostr.Tags{{"e", id1, "", bobKey}}, []Link{{ID: id(id1), Marker: bobKey}}},
		{"uppercase", nostr.Tags{{"e", strings.ToUpper("ab") + id1[2:]}}, []Link{{ID: id("ab" + id1[2:])}}},
		{"note", nostr.Tags{{"e", Note(id(id1))}}, []Link{{ID: id(id1)}}},
		{"self reference dropped", nostr.Tags{{"e", selfID}, {"e", id1}}, []Link{{ID: id(id1)}}},
		{"garbage dropped", nostr.Tags{{"e"}, {"e", ""}, {"e", "xyz"}, {}, {""}}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, kind := range []int{6050, 7000} {
				var got []Link
				switch m := mustParse(t, ev(kind, "", c.tags...)).(type) {
				case *Result:
					got = m.Links
				case *Feedback:
					got = m.Links
				}
				if !reflect.DeepEqual(got, c.want) {
					t.Errorf("kind %d:\n got %s\nwant %s", kind, pretty(got), pretty(c.want))
				}
			}
		})
	}
}

func TestParse_ManyLinksKeepTheBest(t *testing.T) {
	var tags nostr.Tags
	for i := range 2000 {
		tags = append(tags, nostr.Tag{"e", fmt.Sprintf("%064x", i+1)})
	}
	tags = append(tags, nostr.Tag{"e", id1, "", "job"})
	m := mustParse(t, ev(6050, "", tags...)).(*Result)
	if len(m.Links) != MaxLinks || m.Links[0].ID != id(id1) || m.Links[1].ID != id(fmt.Sprintf("%064x", 1)) {
		t.Errorf("got %d links, first %v", len(m.Links), m.Links[:2])
	}
	if !strings.Contains(codes(m.Findings()), "too-many-links") {
		t.Errorf("got findings %s, want too-many-links", codes(m.Findings()))
	}
}

func TestParse_LateMarkersReplacePlainLinks(t *testing.T) {
	var tags nostr.Tags
	for i := range 40 {
		tags = append(tags, nostr.Tag{"e", fmt.Sprintf("%064x", i+1)})
	}
	for i := range 20 {
		tags = append(tags, nostr.Tag{"e", fmt.Sprintf("%064x", 100+i), "", "root"})
	}
	tags = append(tags, nostr.Tag{"e", id1, "", "job"}, nostr.Tag{"e", id2, "", "reply"})
	m := mustParse(t, ev(7000, "", tags...)).(*Feedback)
	if len(m.Links) != MaxLinks || m.Links[0].ID != id(id1) {
		t.Fatalf("got %d links, first %s", len(m.Links), m.Links[0].ID)
	}
	for _, l := range m.Links[1:] {
		if l.Marker != "root" {
			t.Errorf("got link %s with marker %q, want root", l.ID, l.Marker)
		}
	}
	sixteen := append(nostr.Tags(nil), tags[:MaxLinks]...)
	m = mustParse(t, ev(7000, "", append(sixteen, tags[0], tags[1])...)).(*Feedback)
	if strings.Contains(codes(m.Findings()), "too-many-links") {
		t.Errorf("got %s, though sixteen links and repetitions fit", codes(m.Findings()))
	}
}

func TestParse_Customer(t *testing.T) {
	request := job(5050, "")
	quote := quoteOf(t, request)
	for _, c := range []struct {
		name string
		tags nostr.Tags
		want string
	}{
		{"one", nostr.Tags{{"p", aliceKey}}, aliceKey},
		{"the same twice", nostr.Tags{{"p", aliceKey}, {"p", aliceKey}}, aliceKey},
		{"provider first", nostr.Tags{{"p", bobKey}, {"p", aliceKey}}, aliceKey},
		{"only itself", nostr.Tags{{"p", bobKey}}, bobKey},
		{"the trusted quote decides", nostr.Tags{{"p", carolKey}, {"p", aliceKey}, {"request", quote}}, aliceKey},
		{"none", nostr.Tags{}, ""},
		{"garbage", nostr.Tags{{"p", "me"}, {"p"}}, ""},
		{"npub", nostr.Tags{{"p", Npub(key(aliceKey))}}, aliceKey},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := mustParse(t, ev(6050, "", append(c.tags, nostr.Tag{"e", id1})...)).(*Result)
			if m.Customer != key(c.want) {
				t.Errorf("got %s, want %s", m.Customer, c.want)
			}
		})
	}
}

func TestParse_KindsInTheJobRange(t *testing.T) {
	quote := quoteOf(t, job(5251, "a song"))
	for _, c := range []struct {
		name string
		evt  *nostr.Event
		want Message
		code string
	}{
		{"5128", ev(5128, ""), &Other{}, "squatter-kind"},
		{"5129", ev(5129, ""), &Other{}, "squatter-kind"},
		{"5666", ev(5666, ""), &Other{}, "squatter-kind"},
		{"5969", ev(5969, ""), &Other{}, "squatter-kind"},
		{"6666", ev(6666, ""), &Other{}, "squatter-kind"},
		{"6969", ev(6969, "", nostr.Tag{"e", id1}), &Other{}, "squatter-kind"},
		{"4999", ev(4999, ""), &Other{}, "-"},
		{"5000", ev(5000, ""), &Request{}, "-"},
		{"5999", ev(5999, ""), &Request{}, "-"},
		{"6000 without a job", ev(6000, "addfollow", nostr.Tag{"p", aliceKey}), &Result{}, "unlinked"},
		{"6999", ev(6999, "", nostr.Tag{"e", id1}, nostr.Tag{"p", aliceKey}), &Result{}, "-"},
		{"7000", ev(7000, "", nostr.Tag{"e", id1}, nostr.Tag{"p", aliceKey}, nostr.Tag{"status", "processing"}), &Feedback{}, "-"},
		{"7001", ev(7001, ""), &Other{}, "-"},
		{"music result in the request range", ev(5651, "", nostr.Tag{"e", id1}, nostr.Tag{"p", aliceKey}), &Result{}, "result-in-request-range"},
		{"any result in the request range that quotes", ev(5700, "", nostr.Tag{"request", quote}, nostr.Tag{"p", aliceKey}), &Result{}, "result-in-request-range"},
		{"5651 without a job", ev(5651, ""), &Request{}, "-"},
		{"a request with an unreadable request tag", ev(5700, "", nostr.Tag{"request", "please"}), &Request{}, "-"},
		{"another result kind", ev(6900, "", nostr.Tag{"request", quote}, nostr.Tag{"p", aliceKey}), &Result{}, "result-kind"},
		{"generic result", ev(6999, "", nostr.Tag{"e", id1}, nostr.Tag{"p", aliceKey}, nostr.Tag{"j", "x"}), &Result{}, "-"},
		{"first draft", ev(65000, ""), &Other{}, "-"},
		{"first draft, above the range", ev(68001, ""), &Other{}, "-"},
		{"negative", ev(-1, ""), &Other{}, "-"},
		{"ping", ev(7007, "", nostr.Tag{"p", aliceKey}), &Heartbeat{}, "-"},
		{"heartbeat", ev(11998, "", nostr.Tag{"d", "one"}), &Heartbeat{}, "-"},
		{"heartbeat without d", ev(11998, ""), &Heartbeat{}, "heartbeat-no-d"},
		{"encrypted announcement", ev(11999, ""), &Heartbeat{}, "-"},
		{"ContextVM first", ev(11316, ""), &Heartbeat{}, "-"},
		{"ContextVM last", ev(11320, ""), &Heartbeat{}, "-"},
		{"beside ContextVM", ev(11321, ""), &Other{}, "-"},
		{"zap request", ev(9734, ""), &Other{}, "-"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := mustParse(t, c.evt)
			if reflect.TypeOf(got) != reflect.TypeOf(c.want) {
				t.Fatalf("got %T, want %T", got, c.want)
			}
			if codes(got.Findings()) != c.code {
				t.Errorf("got findings %s, want %s", codes(got.Findings()), c.code)
			}
		})
	}
}

func TestParse_OtherKeepsWhatItIsAbout(t *testing.T) {
	m := mustParse(t, ev(1984, "spam", nostr.Tag{"p", aliceKey}, nostr.Tag{"e", id1}, nostr.Tag{"p", aliceKey})).(*Other)
	if m.Role() != RoleReport || len(m.About) != 1 || len(m.Links) != 1 {
		t.Errorf("got role %s, about %v, links %v; want report, one, one", m.Role(), m.About, m.Links)
	}
	if m := mustParse(t, ev(1984, "", nostr.Tag{"p", aliceKey})); m.Role() != RoleNone {
		t.Errorf("got role %s for a report of a key, want none", m.Role())
	}
}

func TestParse_OtherKinds(t *testing.T) {
	addr := Address{31990, key(bobKey), "x"}
	for _, c := range []struct {
		name string
		evt  *nostr.Event
		want Other
		code string
	}{
		{"profile", ev(0, `{"name":"N","about":"A","image":"P","lud16":"l@x.y"}`), Other{Profile: &Profile{"N", "A", "P", "l@x.y"}}, "-"},
		{"broken profile", ev(0, `{"name":`), Other{}, "handler-content-unreadable"},
		{"empty profile", ev(0, ""), Other{}, "-"},
		{"relay list", ev(10002, "", nostr.Tag{"r", "wss://a", "read"}, nostr.Tag{"r"}, nostr.Tag{"relay", "wss://b"}), Other{Kind: 10002, Relays: []string{"wss://a"}}, "-"},
		{"nutzap mints", ev(10019, "", nostr.Tag{"relay", "wss://a"}, nostr.Tag{"mint", "https://m"}), Other{Kind: 10019, Relays: []string{"wss://a"}}, "-"},
		{"vanish", ev(62, "bye", nostr.Tag{"relay", "ALL_RELAYS"}), Other{Kind: 62, Relays: []string{"ALL_RELAYS"}}, "-"},
		{"assertion", ev(30382, "", nostr.Tag{"d", aliceKey}), Other{Kind: 30382, D: aliceKey, About: []PubKey{key(aliceKey)}}, "-"},
		{
			"review", ev(31117, "", nostr.Tag{"d", "r"}, nostr.Tag{"a", addr.String()}, nostr.Tag{"e", id1}, nostr.Tag{"p", aliceKey}),
			Other{Kind: 31117, D: "r", About: []PubKey{key(aliceKey)}, Links: []Link{{ID: id(id1)}}, Addresses: []Address{addr}},
			"-",
		},
		{"label of a result", ev(1985, "", nostr.Tag{"e", id1}), Other{Kind: 1985, Links: []Link{{ID: id(id1)}}}, "-"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := mustParse(t, c.evt).(*Other)
			if pretty(m) != pretty(&c.want) || codes(m.Findings()) != c.code {
				t.Errorf("\n got %s %s\nwant %s %s", pretty(m), codes(m.Findings()), pretty(&c.want), c.code)
			}
		})
	}
}

func TestProtected(t *testing.T) {
	if !Protected(ev(5050, "", nostr.Tag{"-"})) || Protected(ev(5050, "", nostr.Tag{"--"}, nostr.Tag{})) || Protected(nil) {
		t.Error("only an event with a - tag is protected")
	}
}

func TestExpiration(t *testing.T) {
	for _, c := range []struct {
		name string
		tags nostr.Tags
		want int64
	}{
		{"none", nil, 0},
		{"plain", nostr.Tags{{"expiration", "1739407683"}}, 1739407683},
		{"spaces", nostr.Tags{{"expiration", " 1739407683 "}}, 1739407683},
		{"no value", nostr.Tags{{"expiration"}}, 0},
		{"text", nostr.Tags{{"expiration", "soon"}}, 0},
		{"negative", nostr.Tags{{"expiration", "-5"}}, 1},
		{"zero", nostr.Tags{{"expiration", "0"}}, 1},
		{"wraps", nostr.Tags{{"expiration", strings.Repeat("9", 30)}}, 0},
		{"float", nostr.Tags{{"expiration", "1739407683.5"}}, 0},
		{"second is readable", nostr.Tags{{"expiration", "x"}, {"expiration", "7"}}, 7},
		{"exp is something else", nostr.Tags{{"exp", "1739407683"}}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := Expiration(ev(5300, "", c.tags...)); got != c.want {
				t.Errorf("got %d, want %d", got, c.want)
			}
		})
	}
	if got := Expiration(nil); got != 0 {
		t.Errorf("got %d for nil, want 0", got)
	}
}

func TestParse_NilIsRefused(t *testing.T) {
	if msg, err := Parse(nil); err == nil || msg != nil {
		t.Errorf("got %v, %v; want an error", msg, err)
	}
	if got := Lint(nil); got != nil {
		t.Errorf("got %v, want nothing", got)
	}
}
