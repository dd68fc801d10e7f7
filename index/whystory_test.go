package index

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"dvmrelay/nip90"
	"dvmrelay/store"
	"dvmrelay/store/storetest"

	"github.com/btcsuite/btcd/btcutil/bech32"
	"github.com/nbd-wtf/go-nostr"
)

var updateGolden = flag.Bool("update", false, "write the golden files instead of comparing with them")

// story is a small script: events come in one after the other, each at the second it was made, or a second later for one
// that says otherwise; then somebody looks at the job of the first of them.
type story struct {
	name    string // of its golden file
	options func(*Options)
	events  []nostr.Event
	late    map[int]int64 // when the event of that number comes instead, seconds after epoch
	look    int64         // seconds after epoch
	of      int           // number of the event whose thread is looked at
	state   string
	payment string
	codes   []string // of its reasons, in order
}

// tell puts an event in at a time of the rig's clock.
func (r *rig) tell(t testing.TB, at int64, e nostr.Event) {
	t.Helper()
	r.at.Store(at)
	p := storetest.Parsed(t, e)
	p.Received = time.Unix(at, 0)
	if _, _, err := r.Save(context.Background(), p); err != nil {
		t.Fatalf("save event %s: %v", e.ID, err)
	}
}

func (s *story) play(t *testing.T) Thread {
	t.Helper()
	r := newRig(t, s.options)
	for i, e := range s.events {
		at := int64(e.CreatedAt)
		if late, ok := s.late[i]; ok {
			at = epoch + late
		}
		r.tell(t, at, e)
	}
	r.at.Store(epoch + s.look)
	th, ok := r.thread(t, s.events[s.of].ID)
	if !ok {
		t.Fatal("got no thread")
	}
	return th
}

func whyCodesOf(th Thread) []string {
	codes := []string{}
	for _, y := range th.Why {
		codes = append(codes, y.Code)
	}
	return codes
}

// run plays a story and compares what is seen with the golden file.
func (s *story) run(t *testing.T) {
	th := s.play(t)
	if th.State != s.state || th.Payment != s.payment {
		t.Errorf("got state %s, payment %s; want %s, %s", th.State, th.Payment, s.state, s.payment)
	}
	want := s.codes
	if want == nil {
		want = []string{}
	}
	if got := whyCodesOf(th); !slices.Equal(got, want) {
		t.Errorf("reasons: got %v, want %v", got, want)
	}
	golden(t, filepath.Join("threads", s.name+".json"), th)
}

// golden compares the JSON of a value with a file under testdata, or writes it with -update.
func golden(t *testing.T, name string, v any) {
	t.Helper()
	var got bytes.Buffer
	enc := json.NewEncoder(&got)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		t.Fatalf("write %s: %v", name, err)
	}
	path := filepath.Join("testdata", name)
	if *updateGolden {
		if err := os.WriteFile(path, got.Bytes(), 0o644); err != nil {
			t.Fatalf("write %s: %v", path, err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("read %s (-update writes it): %v", path, err)
	}
	if !bytes.Equal(got.Bytes(), want) {
		t.Errorf("%s: %s", path, firstDifference(got.String(), string(want)))
	}
}

func firstDifference(got, want string) string {
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range min(len(g), len(w)) {
		if g[i] != w[i] {
			return fmt.Sprintf("line %d:\n got %s\nwant %s", i+1, g[i], w[i])
		}
	}
	return fmt.Sprintf("got %d lines, want %d", len(g), len(w))
}

// invoice makes a BOLT-11 invoice, made at seconds after epoch, that can be paid for a time. Its signature is zero, which
// nobody looks at.
func invoice(t testing.TB, msat, at, lives int64, description string) string {
	t.Helper()
	number := func(n int64, words int) []byte {
		out := make([]byte, words)
		for i := words - 1; i >= 0; i-- {
			out[i], n = byte(n&31), n>>5
		}
		return out
	}
	hash := func(kind byte, of string) []byte {
		sum := sha256.Sum256([]byte(of))
		words, err := bech32.ConvertBits(sum[:], 8, 5, true)
		if err != nil {
			t.Fatalf("write invoice: %v", err)
		}
		return append([]byte{kind, byte(len(words) >> 5), byte(len(words) & 31)}, words...)
	}
	words := number(epoch+at, 7)
	words = append(words, hash(1, fmt.Sprint("preimage", msat, at, lives, description))...)
	if description != "" {
		words = append(words, hash(23, description)...)
	}
	words = append(append(words, 6, 0, 4), number(lives, 4)...)
	words = append(words, make([]byte, 104)...)
	text, err := bech32.Encode(fmt.Sprintf("lnbc%dp", msat*10), words)
	if err != nil {
		t.Fatalf("write invoice: %v", err)
	}
	if got, err := nip90.DecodeInvoice(text); err != nil || int64(got.Msat) != msat || got.ExpiresAt() != epoch+at+lives {
		t.Fatalf("invoice of %d msat reads as %+v, %v", msat, got, err)
	}
	return text
}

// zap is a receipt by a wallet for what from paid to.
func zap(from, to string, at int64, bolt11, description, about string) nostr.Event {
	return event("wallet", 9735, at, "", tag("p", key(to)), tag("P", key(from)), tag("e", about), tag("bolt11", bolt11), tag("description", description))
}

// zapRequest is the description of a receipt.
func zapRequest(from string, msat int64) string {
	return fmt.Sprintf(`{"kind":9734,"pubkey":%q,"tags":[["amount","%d"]],"content":""}`, key(from), msat)
}

// priced is an announcement for 5100 that tells a price, as it stands in JSON.
func priced(author, d, name string, at int64, price string) nostr.Event {
	return event(author, 31990, at, fmt.Sprintf(`{"name":%q,"amount":%s}`, name, price), tag("d", d), tag("k", "5100"))
}

func beat(author string, at int64) nostr.Event { return event(author, 11998, at, "", tag("d", "x")) }

// heard is a record of listening that a story brings.
type heard struct {
	urls []string
	gaps []Gap
}

func (h *heard) Since() int64 { return epoch - 86400 }

func (h *heard) Coverage(since, until int64) (list []Coverage) {
	for _, u := range h.urls {
		list = append(list, Coverage{URL: u, HeardSeconds: until - since, WindowSeconds: until - since})
	}
	return list
}

// Gaps gives more than was asked for, which the rule must not believe.
func (h *heard) Gaps(_, _ int64, limit int) []Gap { return h.gaps[:min(len(h.gaps), limit)] }

func listening(h *heard) func(*Options) {
	return func(o *Options) { o.Listening, o.URL = h, "wss://this.example" }
}

// everyRoot is the threads of all roots, by root, as JSON.
func (r *rig) everyRoot(t testing.TB) (all []Thread) {
	t.Helper()
	err := r.View(func(v store.Reader) error {
		var roots []nip90.ID
		if err := v.Scan([]byte{keyThread}, nil, func(k, _ []byte) bool {
			id, ok := lastID(k)
			if ok {
				roots = append(roots, id)
			}
			return true
		}); err != nil {
			return err
		}
		for _, root := range roots {
			th, ok, err := r.x.Thread(v, root)
			if err != nil || !ok {
				return fmt.Errorf("thread %s: %t, %w", root, ok, err)
			}
			all = append(all, th)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}
