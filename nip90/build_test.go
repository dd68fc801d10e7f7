package nip90

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/nbd-wtf/go-nostr"
)

func TestNewRequest_ParsesBack(t *testing.T) {
	o := RequestOptions{
		Inputs: []Input{{Data: "hello", Type: "text"}, {Data: id1, Type: "job", Relay: "wss://r.example", Marker: "m"}}, Output: "text/plain",
		Params: []Param{{"range", []string{"1", "2"}}}, Bid: 5000, Relays: []string{"wss://a.example"}, Providers: []PubKey{key(bobKey)},
		Topics: []string{"bitcoin"}, CreatedAt: 1_740_000_000, Expires: 1_740_000_600, Extra: nostr.Tags{{"client", "test"}},
	}
	evt, err := NewRequest(5050, o)
	if err != nil {
		t.Fatalf("build request: %v", err)
	}
	m := mustParse(t, evt).(*Request)
	want := &Request{
		Kind: 5050, Inputs: o.Inputs, Output: o.Output, Params: o.Params, Bid: 5000, BidSet: true, Relays: o.Relays,
		Providers: o.Providers, Topics: o.Topics, Chained: []ID{id(id1)},
	}
	if pretty(m) != pretty(want) || codes(Lint(evt)) != "-" {
		t.Errorf("\n got %s %s\nwant %s", pretty(m), codes(Lint(evt)), pretty(want))
	}
	if Expiration(evt) != o.Expires || int64(evt.CreatedAt) != o.CreatedAt {
		t.Errorf("got expiration %d, created_at %d", Expiration(evt), evt.CreatedAt)
	}
}

func TestNewRequest_SealedKeepsInputsPrivate(t *testing.T) {
	o := RequestOptions{Inputs: []Input{{Data: "secret", Type: "text"}}, Params: []Param{{"size", []string{"1", "2"}}}, Providers: []PubKey{key(bobKey)}}
	plain, err := SealedTags(o)
	if err != nil {
		t.Fatalf("write private tags: %v", err)
	}
	if want := `[["i","secret","text"],["param","size","1","2"]]`; plain != want {
		t.Errorf("got %s, want %s", plain, want)
	}
	o.Sealed = nip44Payload()
	evt, err := NewRequest(5050, o)
	if err != nil {
		t.Fatalf("build request: %v", err)
	}
	if m := mustParse(t, evt).(*Request); len(m.Inputs) != 0 || len(m.Params) != 0 || m.Encrypted != NIP44 || m.Content != o.Sealed {
		t.Errorf("got %s, want no inputs, no params, NIP-44", pretty(m))
	}
	opened, err := ParseRequestTags(plain)
	if err != nil || pretty(opened.Inputs) != pretty(o.Inputs) || pretty(opened.Params) != pretty(o.Params) {
		t.Errorf("got %s, %v; want the inputs and params back", pretty(opened), err)
	}
}

func TestNewRequest_Refusals(t *testing.T) {
	for _, c := range []struct {
		name string
		kind int
		o    RequestOptions
	}{
		{"a result kind", 6050, RequestOptions{}},
		{"a squatter", 5128, RequestOptions{}},
		{"an input without type", 5050, RequestOptions{Inputs: []Input{{Data: "x"}}}},
		{"an input without data", 5050, RequestOptions{Inputs: []Input{{Type: "text"}}}},
		{"a job that is no id", 5050, RequestOptions{Inputs: []Input{{Data: "x", Type: "job"}}}},
		{"a param without value", 5050, RequestOptions{Params: []Param{{Name: "x"}}}},
		{"a relay that is none", 5050, RequestOptions{Relays: []string{"https://a"}}},
		{"sealed for nobody", 5050, RequestOptions{Sealed: nip44Payload()}},
		{"sealed but open", 5050, RequestOptions{Sealed: "hello", Providers: []PubKey{key(bobKey)}}},
		{"sealed and open content", 5050, RequestOptions{Sealed: nip44Payload(), Content: "x", Providers: []PubKey{key(bobKey)}}},
		{"a nameless extra tag", 5050, RequestOptions{Extra: nostr.Tags{{}}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if evt, err := NewRequest(c.kind, c.o); !errors.Is(err, ErrBuild) || evt != nil {
				t.Errorf("got %v, %v; want ErrBuild", evt, err)
			}
		})
	}
}

func TestNewResult_QuoteProvesItself(t *testing.T) {
	request := job(5050, "say \"hi\" <&> \u2028 🍋", nostr.Tag{"i", "a\nb", "text"}, nostr.Tag{"param", "x", "y"})
	evt, err := NewResult(request, ResultOptions{Content: "hi", Msat: 25000, Bolt11: realInvoice(t), Relay: "wss://r.example", Expires: 1_740_000_600})
	if err != nil {
		t.Fatalf("build result: %v", err)
	}
	m := mustParse(t, evt).(*Result)
	if evt.Kind != 6050 || len(m.Links) != 1 || !m.Links[0].Trusted || m.Links[0].ID.String() != request.ID || m.Links[0].Relay != "wss://r.example" {
		t.Errorf("got kind %d, links %s; want 6050 and one trusted link", evt.Kind, pretty(m.Links))
	}
	if m.Customer != key(aliceKey) || m.Ask.Msat != 25000 || m.Ask.Invoice == nil || len(m.Inputs) != 1 || m.QuotedKind != 5050 || len(m.Findings()) != 0 {
		t.Errorf("got %s %s", pretty(m), codes(m.Findings()))
	}
	sealed, err := NewResult(request, ResultOptions{Content: nip44Payload(), Encrypted: true})
	if err != nil {
		t.Fatalf("build sealed result: %v", err)
	}
	if m := mustParse(t, sealed).(*Result); len(m.Inputs) != 0 || m.Encrypted != NIP44 {
		t.Errorf("got %s, want no inputs, NIP-44", pretty(m))
	}
}

func TestNewResult_Refusals(t *testing.T) {
	request := job(5050, "")
	unsigned := &nostr.Event{Kind: 5050, PubKey: aliceKey}
	anonymous := &nostr.Event{Kind: 5050, ID: id1}
	for _, c := range []struct {
		name    string
		request *nostr.Event
		o       ResultOptions
	}{
		{"no request", nil, ResultOptions{}},
		{"not a request", job(1, ""), ResultOptions{}},
		{"a request without id", unsigned, ResultOptions{}},
		{"a request without author", anonymous, ResultOptions{}},
		{"a kind that is no result", request, ResultOptions{Kind: 7000}},
		{"a kind that does not answer", request, ResultOptions{Kind: 6100}},
		{"a negative amount", request, ResultOptions{Msat: -1}},
		{"more than all bitcoin", request, ResultOptions{Msat: MaxMsat + 1}},
		{"an unreadable invoice", request, ResultOptions{Msat: 1, Bolt11: "lnbc1"}},
		{"an invoice over another amount", request, ResultOptions{Msat: 25, Bolt11: realInvoice(t)}},
		{"a forged id", &nostr.Event{ID: id1, PubKey: aliceKey, Kind: 5050, Tags: nostr.Tags{}}, ResultOptions{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if evt, err := NewResult(c.request, c.o); !errors.Is(err, ErrBuild) || evt != nil {
				t.Errorf("got %v, %v; want ErrBuild", evt, err)
			}
		})
	}
}

func TestNewFeedback(t *testing.T) {
	request := job(5050, "")
	for _, status := range []Status{Processing, PaymentRequired, Partial, Error, Success} {
		evt, err := NewFeedback(request, status, FeedbackOptions{Text: "a word", Msat: 25000, Bolt11: realInvoice(t)})
		if err != nil {
			t.Fatalf("build %s feedback: %v", status, err)
		}
		m := mustParse(t, evt).(*Feedback)
		if m.Status != status || m.Text != "a word" || m.Ask.Msat != 25000 || m.Customer != key(aliceKey) || m.Links[0].ID.String() != request.ID || len(m.Findings()) != 0 {
			t.Errorf("got %s %s", pretty(m), codes(m.Findings()))
		}
	}
	for name, c := range map[string]struct {
		status Status
		o      FeedbackOptions
	}{
		"no status":            {StatusNone, FeedbackOptions{}},
		"a status beyond all":  {Success + 1, FeedbackOptions{}},
		"payment of no amount": {PaymentRequired, FeedbackOptions{}},
		"a bad relay":          {Processing, FeedbackOptions{Relay: "here"}},
	} {
		if evt, err := NewFeedback(request, c.status, c.o); !errors.Is(err, ErrBuild) || evt != nil {
			t.Errorf("%s: got %v, %v; want ErrBuild", name, evt, err)
		}
	}
}

func TestNewHandler_ParsesBack(t *testing.T) {
	for _, price := range []Price{{}, {Kind: PriceFree}, {Kind: PriceFlexible}, {PriceFixed, 5000}} {
		o := HandlerOptions{
			D: "x", Kinds: []int{5050, 5100}, Name: "N", About: "A", Picture: "https://p", Lud16: "l@x.y", Price: price,
			Encryption: true, Nutzaps: true, Params: json.RawMessage(`{"size":{"required":false,"values":[]}}`), Extra: nostr.Tags{{"t", "ai"}},
		}
		evt, err := NewHandler(o)
		if err != nil {
			t.Fatalf("build handler: %v", err)
		}
		want := &Handler{
			D: "x", Kinds: o.Kinds, Name: "N", About: "A", Picture: "https://p", Lud16: "l@x.y", Price: price,
			Encryption: true, Nutzaps: true, Params: []byte(o.Params),
		}
		if m := mustParse(t, evt).(*Handler); pretty(m) != pretty(want) || len(m.Findings()) != 0 {
			t.Errorf("\n got %s %s\nwant %s", pretty(m), codes(m.Findings()), pretty(want))
		}
	}
	for name, o := range map[string]HandlerOptions{
		"no d":       {Name: "N", Kinds: []int{5050}},
		"no name":    {D: "x", Kinds: []int{5050}},
		"no kind":    {D: "x", Name: "N"},
		"other kind": {D: "x", Name: "N", Kinds: []int{1}},
		"params":     {D: "x", Name: "N", Kinds: []int{5050}, Params: json.RawMessage(`[1]`)},
		"no params":  {D: "x", Name: "N", Kinds: []int{5050}, Params: json.RawMessage{}},
	} {
		if _, err := NewHandler(o); !errors.Is(err, ErrBuild) {
			t.Errorf("%s: got %v, want ErrBuild", name, err)
		}
	}
}

func TestNewCancel(t *testing.T) {
	a, b := job(5050, "a"), job(5050, "b")
	evt, err := NewCancel("enough", 1_740_000_000, a, b)
	if err != nil {
		t.Fatalf("build cancel: %v", err)
	}
	m := mustParse(t, evt).(*Cancel)
	if len(m.IDs) != 2 || m.IDs[1].String() != b.ID || len(m.Kinds) != 1 || m.Reason != "enough" || len(m.Findings()) != 0 {
		t.Errorf("got %s %s", pretty(m), codes(m.Findings()))
	}
	other := *b
	other.PubKey = carolKey
	for name, jobs := range map[string][]*nostr.Event{"nothing": nil, "nil": {nil}, "two authors": {a, &other}, "a result": {ev(6050, "")}} {
		if _, err := NewCancel("", 0, jobs...); !errors.Is(err, ErrBuild) {
			t.Errorf("%s: got %v, want ErrBuild", name, err)
		}
	}
}

func TestNewSmallOnes(t *testing.T) {
	addr := Address{31990, key(bobKey), "x"}
	hints := []HandlerHint{{"wss://r", "web"}, {Relay: "wss://r"}, {Platform: "web"}, {}}
	evt, err := NewRecommendation(RecommendationOptions{Kind: 5050, Handlers: []Address{addr, addr, addr, addr, addr}, Hints: hints, CreatedAt: 1})
	if err != nil {
		t.Fatalf("build recommendation: %v", err)
	}
	m := mustParse(t, evt).(*Recommendation)
	if m.Kind != 5050 || len(m.Handlers) != 5 || m.Handlers[0] != addr || !slices.Equal(m.Hints, append(hints, HandlerHint{})) || len(m.Findings()) != 0 {
		t.Errorf("got %s", pretty(m))
	}
	for i, want := range []int{4, 3, 4, 2, 2} {
		if tag := evt.Tags[1+i]; len(tag) != want {
			t.Errorf("handler %d: tag %v, want %d elements", i, tag, want)
		}
	}
	for name, o := range map[string]RecommendationOptions{
		"another kind's address":  {Kind: 5050, Handlers: []Address{{Kind: 1}}},
		"no handler":              {Kind: 5050},
		"no kind":                 {Kind: -1, Handlers: []Address{addr}},
		"a hint too many":         {Kind: 5050, Handlers: []Address{addr}, Hints: hints},
		"a hint that is no relay": {Kind: 5050, Handlers: []Address{addr}, Hints: []HandlerHint{{Relay: "https://r"}}},
	} {
		if _, err := NewRecommendation(o); !errors.Is(err, ErrBuild) {
			t.Errorf("%s: got %v, want ErrBuild", name, err)
		}
	}
	beat, err := NewHeartbeat("x", 1, 300)
	if err != nil || mustParse(t, beat).(*Heartbeat).D != "x" || Expiration(beat) != 300 {
		t.Errorf("got %v, %v", beat, err)
	}
	if _, err := NewHeartbeat("", 1, 300); !errors.Is(err, ErrBuild) {
		t.Errorf("got %v, want ErrBuild", err)
	}
	if m := mustParse(t, NewPing(key(bobKey), 1)).(*Heartbeat); len(m.Providers) != 1 || m.Providers[0] != key(bobKey) {
		t.Errorf("got %s", pretty(m))
	}
}

func TestParseRequestTags(t *testing.T) {
	for _, c := range []struct {
		name, plain, inputs, params, code string
		fails                             bool
	}{
		{"as the NIP has it", `[["i","x","text"],["param","a","b"]]`, `[{"Data":"x","Type":"text","Relay":"","Marker":""}]`, `[{"Name":"a","Values":["b"]}]`, "-", false},
		{"no outer brackets", `["i","x","text"],["param","a","b"]`, `[{"Data":"x","Type":"text","Relay":"","Marker":""}]`, `[{"Name":"a","Values":["b"]}]`, "-", false},
		{"a number", `[["param","n",5]]`, "null", `[{"Name":"n","Values":["5"]}]`, "-", false},
		{"empty list", `[]`, "null", "null", "-", false},
		{"empty tag", `[[],[""]]`, "null", "null", "empty-tag", false},
		{"an object", `{"i":"x"}`, "", "", "", true},
		{"prose", `publish this`, "", "", "", true},
		{"cut off", `[["i","x"`, "", "", "", true},
		{"nothing", ``, "null", "null", "-", false},
		{"an event", `[{"kind":1}]`, "", "", "", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, err := ParseRequestTags(c.plain)
			if c.fails {
				if !errors.Is(err, ErrNotTags) {
					t.Errorf("got %s, %v; want ErrNotTags", pretty(m), err)
				}
				return
			}
			if err != nil || pretty(m.Inputs) != c.inputs || pretty(m.Params) != c.params || codes(m.Findings()) != c.code {
				t.Errorf("got %s, %s, %v; want %s, %s", pretty(m.Inputs), pretty(m.Params), err, c.inputs, c.params)
			}
		})
	}
	m, err := ParseRequestTags(`[["output","text/plain"],["bid","5"],["relays","wss://a"]]`)
	if err != nil || m.Output != "text/plain" || m.Bid != 5 || len(m.Relays) != 1 {
		t.Errorf("got %s, %v; want output, bid and relays too", pretty(m), err)
	}
}

func TestValidate(t *testing.T) {
	request := job(5050, "", nostr.Tag{"i", "x", "text"})
	quote := quoteOf(t, request)
	result := func(change ...nostr.Tag) *nostr.Event {
		return ev(6050, "", append(nostr.Tags{{"request", quote}, {"e", request.ID}, {"p", aliceKey}}, change...)...)
	}
	for _, c := range []struct {
		name, fault string // no fault: valid
		evt         *nostr.Event
	}{
		{"bare request", "", ev(5050, "")},
		{"request of the real world", "", request},
		{"nil", "no event", nil},
		{"other kind", "kind 1 is neither", ev(1, "")},
		{"squatter", "kind 5128 is neither", ev(5128, "")},
		{"nameless tag", "a tag has no name", ev(5050, "", nostr.Tag{""})},
		{"url that is none", "i of type url", ev(5050, "", nostr.Tag{"i", "not a url", "url"})},
		{"bid in words", "bid is", ev(5050, "", nostr.Tag{"bid", "ten"})},
		{"bid with separator", "bid is", ev(5050, "", nostr.Tag{"bid", "1_000"})},
		{"empty relays", "relays is empty", ev(5050, "", nostr.Tag{"relays"})},
		{"bad provider", "p holds", ev(5050, "", nostr.Tag{"p", "x"})},
		{"encrypted in the open", "i and param tags in the open", ev(5050, nip44Payload(), nostr.Tag{"encrypted"}, nostr.Tag{"p", aliceKey}, nostr.Tag{"i", "x", "text"})},
		{"result", "", result()},
		{"result with amount", "", result(nostr.Tag{"amount", "25000", realInvoice(t)})},
		{"result with another amount", "its invoice", result(nostr.Tag{"amount", "25", realInvoice(t)})},
		{"result with two amounts", "more than once", result(nostr.Tag{"amount", "1"}, nostr.Tag{"amount", "1"})},
		{"result without request", "no request tag", ev(6050, "", nostr.Tag{"e", id1}, nostr.Tag{"p", aliceKey})},
		{"result with raw id", "no JSON object", ev(6050, "", nostr.Tag{"request", id1}, nostr.Tag{"e", id1}, nostr.Tag{"p", aliceKey})},
		{"result with forged quote", "not its hash", ev(6050, "", nostr.Tag{"request", strings.Replace(quote, `"x"`, `"y"`, 1)}, nostr.Tag{"e", request.ID}, nostr.Tag{"p", aliceKey})},
		{"result that quotes another", "another event than e", ev(6050, "", nostr.Tag{"request", quote}, nostr.Tag{"e", id1}, nostr.Tag{"p", aliceKey})},
		{"result of another kind", "does not answer", ev(6051, "", nostr.Tag{"request", quote}, nostr.Tag{"e", request.ID}, nostr.Tag{"p", aliceKey})},
		{"encrypted result in the open", "i tag in the open", result(nostr.Tag{"encrypted"}, nostr.Tag{"i", "x", "text"})},
		{"feedback", "", ev(7000, "", nostr.Tag{"status", "success"}, nostr.Tag{"e", id1}, nostr.Tag{"p", aliceKey})},
		{"feedback without status", "no status tag", ev(7000, "", nostr.Tag{"e", id1}, nostr.Tag{"p", aliceKey})},
		{"feedback of another status", `status is "started"`, ev(7000, "", nostr.Tag{"status", "started"}, nostr.Tag{"e", id1}, nostr.Tag{"p", aliceKey})},
		{"payment of no amount", "no amount told", ev(7000, "", nostr.Tag{"status", "payment-required"}, nostr.Tag{"e", id1}, nostr.Tag{"p", aliceKey})},
		{"feedback to nobody", "no p tag", ev(7000, "", nostr.Tag{"status", "success"}, nostr.Tag{"e", id1})},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := Validate(c.evt)
			if c.fault == "" {
				if err != nil {
					t.Errorf("got %v, want none", err)
				}
				return
			}
			if !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), c.fault) {
				t.Errorf("got %v, want %q", err, c.fault)
			}
		})
	}
}
