package browser

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/btcsuite/btcd/btcutil/bech32"
	"github.com/nbd-wtf/go-nostr"
	"github.com/nbd-wtf/go-nostr/nip19"
)

// person is a key that everybody may know: the same name is the same key in each run.
type person struct {
	name, secret, key string
}

func newPerson(name string) person {
	sum := sha256.Sum256([]byte("dvmrelay browser " + name))
	p := person{name: name, secret: hex.EncodeToString(sum[:])}
	p.key, _ = nostr.GetPublicKey(p.secret) // 32 bytes, never zero
	return p
}

func (p person) npub() string { return npub(p.key) }

func npub(key string) string {
	text, _ := nip19.EncodePublicKey(key) // a key is always encoded
	return text
}

// market publishes on a hub over a websocket.
type market struct {
	t     *testing.T
	relay *nostr.Relay
	at    int64 // unix seconds of what is published next
}

// openMarket connects to the hub until the test ends.
func openMarket(t *testing.T, h *hub) *market {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	relay, err := nostr.RelayConnect(ctx, h.ws())
	if err != nil {
		t.Fatalf("connect to %s: %v", h.addr, err)
	}
	t.Cleanup(func() { _ = relay.Close() }) // the test is over
	return &market{t: t, relay: relay, at: time.Now().Unix()}
}

func tag(elements ...string) nostr.Tag { return elements }

// put publishes an event and wants it taken.
func (m *market) put(by person, kind int, content string, tags ...nostr.Tag) nostr.Event {
	m.t.Helper()
	evt := m.sign(by, kind, content, tags...)
	ctx, cancel := context.WithTimeout(m.t.Context(), patience)
	defer cancel()
	if err := m.relay.Publish(ctx, evt); err != nil {
		m.t.Fatalf("publish kind %d of %s: %v", kind, by.name, err)
	}
	return evt
}

func (m *market) sign(by person, kind int, content string, tags ...nostr.Tag) nostr.Event {
	m.t.Helper()
	evt := nostr.Event{Kind: kind, CreatedAt: nostr.Timestamp(m.at), Content: content, Tags: tags}
	if err := evt.Sign(by.secret); err != nil {
		m.t.Fatal(err)
	}
	return evt
}

// after lets seconds of the market's clock pass; what is published now is never from the future.
func (m *market) after(seconds int64) *market {
	m.at = min(m.at+seconds, time.Now().Unix())
	return m
}

// ago sets the market's clock back to so long before now.
func (m *market) ago(d time.Duration) *market {
	m.at = time.Now().Add(-d).Unix()
	return m
}

// now sets the market's clock right.
func (m *market) now() *market { return m.ago(0) }

func (m *market) handler(by person, about string, msat int64, kinds ...int) nostr.Event {
	m.t.Helper()
	card := map[string]any{
		"name": by.name, "about": about, "amount": strconv.FormatInt(msat, 10), "encryptionSupported": true, "lud16": "pay@example.invalid",
		"nip90Params": map[string]any{"style": map[string]any{"required": false, "values": []string{"plain", "fancy"}}},
	}
	tags := nostr.Tags{tag("d", by.name)}
	for _, k := range kinds {
		tags = append(tags, tag("k", strconv.Itoa(k)))
	}
	return m.put(by, 31990, text(m.t, card), tags...)
}

func (m *market) request(by person, kind int, input string, more ...nostr.Tag) nostr.Event {
	m.t.Helper()
	return m.put(by, kind, "", append(nostr.Tags{tag("i", input, "text"), tag("output", "text/plain"), tag("bid", "3000000")}, more...)...)
}

func (m *market) feedback(by person, job nostr.Event, status, words string, more ...nostr.Tag) nostr.Event {
	m.t.Helper()
	return m.put(by, 7000, "", append(nostr.Tags{tag("status", status, words), tag("e", job.ID), tag("p", job.PubKey)}, more...)...)
}

// asks is feedback that wants to be paid first.
func (m *market) asks(by person, job nostr.Event, msat int64) nostr.Event {
	m.t.Helper()
	return m.feedback(by, job, "payment-required", "pay first, please", tag("amount", strconv.FormatInt(msat, 10), m.invoice(msat, "")))
}

func (m *market) result(by person, job nostr.Event, content string, more ...nostr.Tag) nostr.Event {
	m.t.Helper()
	return m.put(by, job.Kind+1000, content, append(nostr.Tags{tag("request", text(m.t, job)), tag("e", job.ID), tag("p", job.PubKey), job.Tags[0]}, more...)...)
}

// zap is the receipt of a wallet for what from paid to, about an event.
func (m *market) zap(from, to person, about nostr.Event, msat int64) nostr.Event {
	m.t.Helper()
	asked := m.sign(from, 9734, "", tag("p", to.key), tag("e", about.ID), tag("amount", strconv.FormatInt(msat, 10)), tag("relays", "ws://127.0.0.1"))
	description := text(m.t, asked)
	return m.put(newPerson("wallet"), 9735, "", tag("p", to.key), tag("P", from.key), tag("e", about.ID), tag("bolt11", m.invoice(msat, description)), tag("description", description))
}

func text(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// invoice is a BOLT-11 invoice that can be paid for an hour. Its signature is zero, which nobody looks at.
func (m *market) invoice(msat int64, description string) string {
	m.t.Helper()
	number := func(n int64, count int) []byte {
		out := make([]byte, count)
		for i := count - 1; i >= 0; i-- {
			out[i], n = byte(n&31), n>>5
		}
		return out
	}
	hash := func(kind byte, of string) []byte {
		sum := sha256.Sum256([]byte(of))
		data, err := bech32.ConvertBits(sum[:], 8, 5, true)
		if err != nil {
			m.t.Fatalf("write invoice: %v", err)
		}
		return append([]byte{kind, byte(len(data) >> 5), byte(len(data) & 31)}, data...)
	}
	data := append(number(m.at, 7), hash(1, fmt.Sprint("preimage", msat, m.at, description))...)
	if description != "" {
		data = append(data, hash(23, description)...)
	}
	data = append(append(data, 6, 0, 4), number(3600, 4)...)
	data = append(data, make([]byte, 104)...)
	out, err := bech32.Encode(fmt.Sprintf("lnbc%dp", msat*10), data)
	if err != nil {
		m.t.Fatalf("write invoice: %v", err)
	}
	return out
}
