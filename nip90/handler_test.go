package nip90

import (
	"fmt"
	"testing"

	"github.com/nbd-wtf/go-nostr"
)

// handlerCase is an announcement and what it comes to.
type handlerCase struct {
	name    string
	content string
	tags    nostr.Tags
	want    Handler
	code    string
}

func checkHandlers(t *testing.T, cases []handlerCase) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			m := mustParse(t, ev(31990, c.content, c.tags...)).(*Handler)
			if pretty(m) != pretty(&c.want) || codes(m.Findings()) != c.code {
				t.Errorf("\n got %s %s\nwant %s %s", pretty(m), codes(m.Findings()), pretty(&c.want), c.code)
			}
		})
	}
}

func TestParse_HandlerSpellings(t *testing.T) {
	kd := nostr.Tags{{"d", "x"}, {"k", "5050"}}
	checkHandlers(t, []handlerCase{
		{
			"common", `{"name":"N","about":"A","picture":"P","lud16":"l@x.y","encryptionSupported":true,"acceptsNutZaps":true,"amount":"5000"}`, kd,
			Handler{D: "x", Kinds: []int{5050}, Name: "N", About: "A", Picture: "P", Lud16: "l@x.y", Encryption: true, Nutzaps: true, Price: Price{PriceFixed, 5000}},
			"-",
		},
		{
			"other names", `{"name":"N","image":"P","supportsEncryption":true,"cashuAccepted":true,"subscription":true}`, kd,
			Handler{D: "x", Kinds: []int{5050}, Name: "N", Picture: "P", Encryption: true, Nutzaps: true, Subscribe: true},
			"-",
		},
		{"picture before image", `{"image":"I","picture":"P"}`, kd, Handler{D: "x", Kinds: []int{5050}, Picture: "P"}, "-"},
		{"display name", `{"display_name":"D"}`, kd, Handler{D: "x", Kinds: []int{5050}, Name: "D"}, "-"},
		{
			"booleans as text and number", `{"encryptionSupported":"True","acceptsNutZaps":1,"subscription":"no"}`, kd,
			Handler{D: "x", Kinds: []int{5050}, Encryption: true, Nutzaps: true},
			"handler-field-spelling",
		},
		{"null everywhere", `{"name":null,"amount":null,"nip90Params":null,"encryptionSupported":null}`, kd, Handler{D: "x", Kinds: []int{5050}}, "-"},
		{"empty content", "", kd, Handler{D: "x", Kinds: []int{5050}}, "-"},
		{"broken content", `{"name":`, kd, Handler{D: "x", Kinds: []int{5050}}, "handler-content-unreadable"},
		{"content is a list", `[]`, kd, Handler{D: "x", Kinds: []int{5050}}, "handler-content-unreadable"},
		{
			"profile in tags", "", append(kd, nostr.Tag{"name", "N"}, nostr.Tag{"about", "A"}, nostr.Tag{"image", "P"}, nostr.Tag{"amount", "free"}),
			Handler{D: "x", Kinds: []int{5050}, Name: "N", About: "A", Picture: "P", Price: Price{Kind: PriceFree}},
			"handler-profile-in-tags",
		},
		{"content wins over tags", `{"name":"C"}`, append(kd, nostr.Tag{"name", "T"}), Handler{D: "x", Kinds: []int{5050}, Name: "C"}, "-"},
		{"no d", "", nostr.Tags{{"k", "5050"}}, Handler{Kinds: []int{5050}}, "handler-no-d"},
		{"bare d", "", nostr.Tags{{"d"}, {"k", "5050"}}, Handler{Kinds: []int{5050}}, "handler-no-d"},
		{"repeated and unordered kinds", "", nostr.Tags{{"d", "x"}, {"k", "5300"}, {"k", "5050"}, {"k", "5300"}}, Handler{D: "x", Kinds: []int{5300, 5050}}, "-"},
		{"kinds that are none", "", nostr.Tags{{"d", "x"}, {"k", "5000-5999"}, {"k", "text"}, {"k"}, {"k", "99999"}, {"k", "5050"}}, Handler{D: "x", Kinds: []int{5050}}, "handler-kind-unreadable"},
		{"relays", "", append(kd, nostr.Tag{"relays", "wss://a", ""}), Handler{D: "x", Kinds: []int{5050}, Relays: []string{"wss://a"}}, "-"},
	})
}

func TestParse_HandlerPrices(t *testing.T) {
	kd := nostr.Tags{{"d", "x"}, {"k", "5050"}}
	checkHandlers(t, []handlerCase{
		{"free", `{"amount":"free"}`, kd, Handler{D: "x", Kinds: []int{5050}, Price: Price{Kind: PriceFree}}, "-"},
		{"Flexible", `{"amount":"Flexible"}`, kd, Handler{D: "x", Kinds: []int{5050}, Price: Price{Kind: PriceFlexible}}, "-"},
		{"number", `{"amount":123}`, kd, Handler{D: "x", Kinds: []int{5050}, Price: Price{PriceFixed, 123}}, "-"},
		{"zero is free", `{"amount":0}`, kd, Handler{D: "x", Kinds: []int{5050}, Price: Price{Kind: PriceFree}}, "-"},
		{"empty price", `{"amount":""}`, kd, Handler{D: "x", Kinds: []int{5050}}, "-"},
		{"price in sats", `{"amount":"21 sats"}`, kd, Handler{D: "x", Kinds: []int{5050}, Price: Price{PriceFixed, 21000}}, "-"},
		{"price is prose", `{"amount":"ask me"}`, kd, Handler{D: "x", Kinds: []int{5050}}, "handler-price-unreadable"},
		{"params", `{"nip90Params":{"a":{"values":[]}}}`, kd, Handler{D: "x", Kinds: []int{5050}, Params: []byte(`{"a":{"values":[]}}`)}, "-"},
		{"params are text", `{"nip90Params":"none"}`, kd, Handler{D: "x", Kinds: []int{5050}}, "handler-params-unreadable"},
		{
			"Python", `{'name': 'It\'s "N"', 'encryptionSupported': True, 'acceptsNutZaps': False, 'lud16': None}`, kd,
			Handler{D: "x", Kinds: []int{5050}, Name: `It's "N"`, Encryption: true},
			"handler-python",
		},
		{
			"Python booleans in JSON", `{"name": "N", "encryptionSupported": True, "acceptsNutZaps": False}`, kd,
			Handler{D: "x", Kinds: []int{5050}, Name: "N", Encryption: true},
			"handler-python",
		},
	})
}

func TestParse_HandlerWithThousandKinds(t *testing.T) {
	tags := nostr.Tags{{"d", "x"}}
	for k := range 3000 {
		tags = append(tags, nostr.Tag{"k", fmt.Sprint(5000 + k)})
	}
	m := mustParse(t, ev(31990, "", tags...)).(*Handler)
	if len(m.Kinds) != maxKinds || codes(m.Findings()) != "too-many-tags" {
		t.Errorf("got %d kinds, %s; want %d, too-many-tags", len(m.Kinds), codes(m.Findings()), maxKinds)
	}
}

func TestParse_Recommendation(t *testing.T) {
	a := "31990:" + bobKey + ":x:y"
	for _, c := range []struct {
		name string
		tags nostr.Tags
		kind int
		n    int
		hint HandlerHint
		code string
	}{
		{"plain", nostr.Tags{{"d", "5050"}, {"a", a, "wss://r", "web"}}, 5050, 1, HandlerHint{"wss://r", "web"}, "-"},
		{"relay only", nostr.Tags{{"d", "5050"}, {"a", a, "wss://r"}}, 5050, 1, HandlerHint{Relay: "wss://r"}, "-"},
		{"platform only", nostr.Tags{{"d", "5050"}, {"a", a, "", "ios"}}, 5050, 1, HandlerHint{Platform: "ios"}, "-"},
		{"a hint that is no relay", nostr.Tags{{"d", "5050"}, {"a", a, "https://r", "web"}}, 5050, 1, HandlerHint{Platform: "web"}, "-"},
		{"postcards", nostr.Tags{{"d", "2026-" + bobKey}}, 0, 0, HandlerHint{}, "recommendation-kind-unreadable,recommendation-empty"},
		{"not a handler", nostr.Tags{{"d", "5050"}, {"a", "30023:" + bobKey + ":x", "wss://no"}, {"a"}, {"a", a, "wss://r"}}, 5050, 1, HandlerHint{Relay: "wss://r"}, "recommendation-address-unreadable"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := mustParse(t, ev(31989, "", c.tags...)).(*Recommendation)
			if m.Kind != c.kind || len(m.Handlers) != c.n || codes(m.Findings()) != c.code {
				t.Errorf("got %d, %v, %s; want %d, %d, %s", m.Kind, m.Handlers, codes(m.Findings()), c.kind, c.n, c.code)
			}
			if c.n == 1 && m.Handlers[0] != (Address{31990, key(bobKey), "x:y"}) {
				t.Errorf("got address %v", m.Handlers[0])
			}
			if len(m.Hints) != len(m.Handlers) || c.n == 1 && m.Hints[0] != c.hint {
				t.Errorf("got hints %v, want %v", m.Hints, c.hint)
			}
		})
	}
}
