package policies

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"dvmrelay/nip90"

	"github.com/nbd-wtf/go-nostr"
)

const (
	hexA = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	hexB = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
	hexC = "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"
)

// clock is a time that only the test moves.
type clock struct{ at time.Time }

func newClock() *clock                { return &clock{at: time.Unix(1_800_000_000, 0)} }
func (c *clock) now() time.Time       { return c.at }
func (c *clock) pass(d time.Duration) { c.at = c.at.Add(d) }

func newSet(t testing.TB, change func(*Options), d Deps) *Set {
	t.Helper()
	o := DefaultOptions()
	if change != nil {
		change(&o)
	}
	s, err := New(o, d)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	return s
}

// event is a well-formed event of a kind made now by the clock.
func event(c *clock, kind int, tags ...nostr.Tag) *nostr.Event {
	return &nostr.Event{
		ID: hexA, PubKey: hexB, Sig: hexC + hexC, Kind: kind, CreatedAt: nostr.Timestamp(c.now().Unix()), Tags: tags,
	}
}

// open parses an event as a door does; events with a bad id or pubkey become a Parsed by hand.
func open(t testing.TB, evt *nostr.Event, door nip90.Door, at time.Time) *nip90.Parsed {
	t.Helper()
	p, err := nip90.Open(evt, nil, door, at)
	if err == nil {
		return p
	}
	msg, err := nip90.Parse(evt)
	if err != nil {
		t.Fatalf("parse: %v", err)
	}
	return &nip90.Parsed{Event: evt, Message: msg, CreatedAt: int64(evt.CreatedAt), Expires: nip90.Expiration(evt), Received: at, Door: door}
}

func mustKey(t testing.TB, s string) nip90.PubKey {
	t.Helper()
	pk, ok := nip90.ParsePubKey(s)
	if !ok {
		t.Fatalf("%q is no key", s)
	}
	return pk
}

func mustID(t testing.TB, s string) nip90.ID {
	t.Helper()
	id, ok := nip90.ParseID(s)
	if !ok {
		t.Fatalf("%q is no id", s)
	}
	return id
}

func from(addr string, authed ...nip90.PubKey) context.Context {
	return WithPeer(context.Background(), &Peer{Addr: addr, Authed: authed, Challenged: true})
}

// wantRefusal fails unless err is the Rejection with exactly these words; "" wants none.
func wantRefusal(t *testing.T, err error, want string) {
	t.Helper()
	got := ""
	if err != nil {
		r, ok := AsRejection(err)
		if !ok {
			t.Fatalf("got an error that is no Rejection: %v", err)
		}
		got = r.Error()
	}
	if got != want {
		t.Errorf("refusal\n got %q\nwant %q", got, want)
	}
}

func readEvents(t testing.TB, path string) []*nostr.Event {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var out []*nostr.Event
	lines := bufio.NewScanner(bytes.NewReader(data))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var evt nostr.Event
		if err := json.Unmarshal(lines.Bytes(), &evt); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		out = append(out, &evt)
	}
	if len(out) == 0 {
		t.Fatalf("%s holds no events", path)
	}
	return out
}

// memory is a Known made of plain sets.
type memory struct {
	events, requests     map[nip90.ID]bool
	providers, customers map[nip90.PubKey]bool
	authors              map[nip90.PubKey]bool
	addresses            map[nip90.Address]bool
	err                  error
}

func newMemory() *memory {
	return &memory{
		events: map[nip90.ID]bool{}, requests: map[nip90.ID]bool{}, providers: map[nip90.PubKey]bool{},
		customers: map[nip90.PubKey]bool{}, authors: map[nip90.PubKey]bool{}, addresses: map[nip90.Address]bool{},
	}
}

func (m *memory) Event(id nip90.ID) (bool, error)        { return m.events[id] || m.requests[id], m.err }
func (m *memory) Request(id nip90.ID) (bool, error)      { return m.requests[id], m.err }
func (m *memory) Provider(pk nip90.PubKey) (bool, error) { return m.providers[pk], m.err }
func (m *memory) Customer(pk nip90.PubKey) (bool, error) { return m.customers[pk], m.err }
func (m *memory) Author(pk nip90.PubKey) (bool, error)   { return m.authors[pk], m.err }
func (m *memory) Address(a nip90.Address) (bool, error)  { return m.addresses[a], m.err }

func repeat(s string, n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = s
	}
	return out
}

func long(n int) string { return strings.Repeat("x", n) }

func itoa(n int64) string { return strconv.FormatInt(n, 10) }

func hexZeros(n int) string { return strings.Repeat("0", n) }
