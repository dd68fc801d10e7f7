package nip90

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/nbd-wtf/go-nostr"
)

// fuzzEvent makes an event of what the fuzzer gives: tags are lines, elements are separated by tabs.
func fuzzEvent(kind int, pubkey, tags, content string) *nostr.Event {
	evt := &nostr.Event{ID: selfID, PubKey: pubkey, CreatedAt: 1_740_000_000, Kind: kind, Content: content}
	for line := range strings.SplitSeq(tags, "\n") {
		evt.Tags = append(evt.Tags, strings.Split(line, "\t"))
	}
	evt.Tags = append(evt.Tags, nil, nostr.Tag{})
	return evt
}

func seedEvents(f *testing.F) {
	for _, path := range []string{"testdata/real-events.jsonl", "testdata/real-zaps.jsonl"} {
		for i, evt := range readEvents(f, path) {
			if strings.HasPrefix(path, "testdata/real-zaps") && i%20 != 0 {
				continue
			}
			lines := make([]string, len(evt.Tags))
			for i, tag := range evt.Tags {
				lines[i] = strings.Join(tag, "\t")
			}
			f.Add(evt.Kind, evt.PubKey, strings.Join(lines, "\n"), clip(evt.Content, 500))
		}
	}
	for _, tags := range []string{
		"", "\n\n", "e", "d", "e\t" + selfID, "request\t{'id': '" + id1 + "'}", "request\t{\"id\":\"" + id1 + "\",\"tags\":[[\"\\ud83c\\udf4b\"]]}",
		"amount\t1e30\tlightning:lnbc", "amount\t-1\tecash", "bid\t9\t9", "param", "i", "k\t5000-5999", "a\t31990::", "wss://x", "#j",
		"status\tpong", "s\tfailed", "encrypted\np\tx", "proof\t{\"amount\":1,\"secret\":\"\\ud800\"}", "expiration\t99999999999999999999",
	} {
		for _, kind := range []int{5, 5050, 5128, 5651, 6050, 7000, 7007, 9321, 9735, 11998, 31989, 31990, 1984} {
			f.Add(kind, bobKey, tags, `{'a': True}`)
		}
	}
}

// checkMessage holds what must be true of every message.
func checkMessage(t *testing.T, evt *nostr.Event, msg Message) {
	t.Helper()
	findings := msg.Findings()
	if len(findings) > MaxFindings {
		t.Errorf("got %d findings", len(findings))
	}
	for _, found := range findings {
		if found.Code == "" || found.Section == "" || !utf8.ValidString(found.Text) {
			t.Errorf("got finding %+q", found)
		}
	}
	var links []Link
	var ask Ask
	switch m := msg.(type) {
	case *Request:
		if len(m.Inputs) > maxInputs || len(m.Params) > maxParams || len(m.Chained) > MaxLinks || len(m.Relays) > maxRelays || m.Bid < 0 || m.Bid > MaxMsat || m.MaxBid < 0 {
			t.Errorf("got %+v", m)
		}
	case *Result:
		links, ask = m.Links, m.Ask
	case *Feedback:
		links, ask = m.Links, m.Ask
	case *Zap:
		links = m.Links
		if m.Msat < 0 || m.Msat > MaxMsat {
			t.Errorf("got %d msat", m.Msat)
		}
	case *Nutzap:
		links = m.Links
		if m.Msat < 0 || m.Msat > MaxMsat {
			t.Errorf("got %d msat", m.Msat)
		}
	case *Handler:
		if m.Params != nil && !json.Valid(m.Params) || len(m.Kinds) > maxKinds || m.Price.Msat < 0 {
			t.Errorf("got %+v", m)
		}
	}
	if len(links) > MaxLinks || ask.Msat < 0 || ask.Msat > MaxMsat {
		t.Errorf("got %d links, %d msat", len(links), ask.Msat)
	}
	seen := map[ID]bool{}
	for _, l := range links {
		if l.ID.IsZero() || seen[l.ID] || l.ID.String() == evt.ID {
			t.Errorf("got link %v in %v", l, links)
		}
		seen[l.ID] = true
	}
}

func FuzzParse(f *testing.F) {
	seedEvents(f)
	f.Fuzz(func(t *testing.T, kind int, pubkey, tags, content string) {
		evt := fuzzEvent(kind, pubkey, tags, content)
		msg, err := Parse(evt)
		if err != nil {
			t.Fatalf("parse: %v", err)
		}
		checkMessage(t, evt, msg)
		if again := mustParse(t, evt); pretty(again) != pretty(msg) {
			t.Errorf("got %s, then %s", pretty(msg), pretty(again))
		}
		if at := Expiration(evt); at < 0 {
			t.Errorf("got expiration %d", at)
		}
	})
}

func FuzzLint(f *testing.F) {
	seedEvents(f)
	f.Fuzz(func(t *testing.T, kind int, pubkey, tags, content string) {
		evt := fuzzEvent(kind, pubkey, tags, content)
		found, all := mustParse(t, evt).Findings(), Lint(evt)
		if len(all) < len(found) || len(all) > MaxFindings {
			t.Fatalf("got %d of lint, %d of the parser", len(all), len(found))
		}
		for i, found := range found {
			if all[i] != found {
				t.Errorf("got %v, want %v", all[i], found)
			}
		}
		// What is valid may be odd, but never so that the parser had to leave out a link, a status or money.
		if Validate(evt) == nil {
			for _, found := range found {
				switch found.Code {
				case "unlinked", "status-missing", "status-unknown", "amount-unreadable", "request-tag-broken", "bid-unreadable":
					t.Errorf("got %s for a valid event of kind %d: %q", found.Code, kind, tags)
				}
			}
		}
	})
}

func FuzzDecodeInvoice(f *testing.F) {
	valid, invalid := readVectors(f)
	for _, v := range append(valid, invalid...) {
		f.Add(v.Invoice)
	}
	f.Add("lightning:lnbc1")
	f.Fuzz(func(t *testing.T, s string) {
		inv, err := DecodeInvoice(s)
		if err != nil {
			if inv != nil {
				t.Errorf("got %+v beside %v", inv, err)
			}
			return
		}
		if inv.Msat < 0 || inv.Msat > MaxMsat || inv.Expiry < 0 || inv.Expiry > maxExpirySeconds*time.Second || inv.CreatedAt < 0 ||
			inv.ExpiresAt() < inv.CreatedAt || !utf8.ValidString(inv.Description) {
			t.Errorf("got %+v", inv)
		}
	})
}

func FuzzParseReference(f *testing.F) {
	for _, s := range []string{
		id1, "nostr:" + Npub(key(bobKey)), Note(id(id1)), Nprofile(key(bobKey), "wss://a"), Nevent(id(id1), key(bobKey), 5050, "wss://a"),
		Naddr(Address{31990, key(bobKey), "x"}, "wss://a"), "31990:" + bobKey + ":x", encodeName("naddr", []byte{3, 1, 0}), encodeName("nevent", []byte{0, 255}),
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		ref, err := ParseReference(s)
		if err != nil {
			return
		}
		if ref.Kind < 0 || ref.Kind > 65535 || len(ref.Relays) > maxReferenceRelays {
			t.Errorf("got %+v", ref)
		}
		if ref.Address == nil {
			return
		}
		back, err := ParseReference(ref.Address.String())
		if err != nil || *back.Address != *ref.Address {
			t.Errorf("got %+v, %v; want %+v", back.Address, err, ref.Address)
		}
	})
}

// FuzzReadQuote holds the cheap hash of a quote against go-nostr's own.
func FuzzReadQuote(f *testing.F) {
	f.Add("content", "i", "data")
	f.Add("\x00\x1f\u2028<&>\"\\", "é", "\t\n\r\b\f/")
	f.Fuzz(func(t *testing.T, content, name, data string) {
		if !utf8.ValidString(content) || !utf8.ValidString(name) || !utf8.ValidString(data) {
			return
		}
		evt := job(5050, content, nostr.Tag{name, data}, nostr.Tag{})
		b, err := json.Marshal(evt)
		if err != nil {
			t.Fatalf("marshal: %v", err)
		}
		if q := readQuote(string(b)); !q.trusted || q.id.String() != evt.ID || q.odd != oddNone {
			t.Errorf("got %+v for %s", q, b)
		}
	})
}
