package nip90

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/nbd-wtf/go-nostr"
)

func TestOpen(t *testing.T) {
	evt := job(5050, "hello", nostr.Tag{"expiration", "1750000000"})
	raw, now := []byte(quoteOf(t, evt)), time.Unix(1_740_000_001, 0)
	p, err := Open(evt, raw, DoorMirror, now)
	if err != nil {
		t.Fatalf("open event: %v", err)
	}
	if p.ID.String() != evt.ID || p.Author != key(aliceKey) || p.CreatedAt != 1_740_000_000 || p.Expires != 1_750_000_000 ||
		p.Door != DoorMirror || !p.Received.Equal(now) || !bytes.Equal(p.Raw, raw) || p.Event != evt || p.Message.Role() != RoleRequest {
		t.Errorf("got %+v", p)
	}
	for name, change := range map[string]func(*nostr.Event){
		"short id":       func(e *nostr.Event) { e.ID = e.ID[1:] },
		"uppercase id":   func(e *nostr.Event) { e.ID = strings.Repeat("AB", 32) },
		"long author":    func(e *nostr.Event) { e.PubKey += "0" },
		"no author":      func(e *nostr.Event) { e.PubKey = "" },
		"author is npub": func(e *nostr.Event) { e.PubKey = Npub(key(aliceKey)) },
	} {
		bad := *evt
		change(&bad)
		if p, err := Open(&bad, raw, DoorSocket, now); err == nil {
			t.Errorf("%s: got %+v, want an error", name, p)
		}
	}
	if _, err := Open(nil, nil, DoorSocket, now); !errors.Is(err, ErrNoEvent) {
		t.Errorf("got %v, want ErrNoEvent", err)
	}
}

func TestRequestParam(t *testing.T) {
	m := mustParse(t, ev(5050, "", nostr.Tag{"param", "a", "1", "2"}, nostr.Tag{"param", "b"}, nostr.Tag{"param", "a", "3"})).(*Request)
	for _, c := range []struct {
		name, want string
		ok         bool
	}{{"a", "1", true}, {"b", "", true}, {"c", "", false}} {
		if got, ok := m.Param(c.name); got != c.want || ok != c.ok {
			t.Errorf("param %s: got %q, %t; want %q, %t", c.name, got, ok, c.want, c.ok)
		}
	}
}

func TestQuote_CanonicalEscapes(t *testing.T) {
	control := make([]byte, 0, 40)
	for c := byte(0); c <= 0x20; c++ {
		control = append(control, c)
	}
	text := string(control) + "\x7f\u2028<&>\"\\/🍋é"
	evt := job(5050, text, nostr.Tag{text, text}, nostr.Tag{}, nostr.Tag{""})
	html := quoteOf(t, evt)
	var plain bytes.Buffer
	enc := json.NewEncoder(&plain)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(map[string]any{"id": evt.ID, "pubkey": evt.PubKey, "created_at": evt.CreatedAt, "kind": evt.Kind, "tags": evt.Tags, "content": text}); err != nil {
		t.Fatalf("write event: %v", err)
	}
	for name, js := range map[string]string{"go-nostr": html, "encoding/json": plain.String(), "control characters unescaped": strings.ReplaceAll(html, `\u0001`, "\x01")} {
		if q := readQuote(js); !q.trusted || q.id.String() != evt.ID {
			t.Errorf("%s: got %+v for %s", name, q, js)
		}
	}
	for name, c := range map[string]struct{ from, to string }{
		"created_at is a float":  {`"created_at":1740000000`, `"created_at":1740000000.0`},
		"created_at is text":     {`"created_at":1740000000`, `"created_at":"1740000000"`},
		"kind with leading zero": {`"kind":5050`, `"kind":05050`},
		"unknown escape":         {`\u2028`, `\x`},
		"tags are an object":     {`"tags":[`, `"tags":{"a":[`},
	} {
		js := strings.Replace(html, c.from, c.to, 1)
		if js == html {
			js = strings.Replace(html, "\u2028", c.to, 1)
		}
		if q := readQuote(js); q.trusted {
			t.Errorf("%s: trusted %s", name, js)
		}
	}
}

func TestReadExpiry_Bounds(t *testing.T) {
	for _, c := range []struct {
		name  string
		words []byte
		want  time.Duration
	}{
		{"none", nil, 0},
		{"a minute", []byte{1, 28}, time.Minute},
		{"leading zeros", append(make([]byte, 40), 1, 28), time.Minute},
		{"for ever", bytes.Repeat([]byte{31}, 12), maxExpirySeconds * time.Second},
		{"longer than a number", bytes.Repeat([]byte{31}, 1023), maxExpirySeconds * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := readExpiry(c.words); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

// A stranger chooses these; each must end soon, whatever it says.
func TestParse_HostileTextEndsSoon(t *testing.T) {
	const size = 40_000
	for name, text := range map[string]string{
		"open braces":      strings.Repeat("{", size),
		"open brackets":    `{"tags":` + strings.Repeat("[", size),
		"quotes":           strings.Repeat(`"`, size),
		"backslashes":      `{"id":"` + strings.Repeat(`\`, size),
		"escaped quotes":   `{"id":"` + strings.Repeat(`\"`, size),
		"keys":             "{" + strings.Repeat(`"id":`, size),
		"ids":              strings.Repeat(`"id":"`, size),
		"Python":           "{'" + strings.Repeat(`\'`, size),
		"words":            strings.Repeat("True", size),
		"nested quotes":    strings.Repeat(`{"tags":[["request","`, size/20),
		"a long base64":    "Ag" + strings.Repeat("A", size),
		"iv at the end":    strings.Repeat("A", size) + "?iv=" + strings.Repeat("A", 24),
		"zeros":            strings.Repeat("0", size),
		"invoice":          "lnbc1" + strings.Repeat("q", size),
		"lightning scheme": strings.Repeat("lightning:", size/10),
		"npub":             "npub1" + strings.Repeat("q", size),
		"NUL":              strings.Repeat("\x00", size),
		"invalid UTF-8":    strings.Repeat("\xff", size),
	} {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			for _, kind := range []int{0, 5, 5050, 5651, 6300, 7000, 9321, 9735, 11998, 31989, 31990} {
				evt := ev(kind, text)
				for _, tag := range []string{"request", "e", "p", "P", "i", "amount", "bid", "status", "s", "d", "k", "a", "bolt11", "description", "proof", "expiration", "relays", text} {
					evt.Tags = append(evt.Tags, nostr.Tag{tag, text, text, text})
				}
				checkMessage(t, evt, mustParse(t, evt))
				Lint(evt)
				_ = Validate(evt) // only that it ends
			}
			if took := time.Since(start); took > 20*time.Second {
				t.Errorf("took %s for %d bytes", took, size)
			}
		})
	}
}
