package store_test

import (
	"bufio"
	"bytes"
	"context"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"dvmrelay/nip90"
	"dvmrelay/store"
	"dvmrelay/store/storetest"

	"github.com/nbd-wtf/go-nostr"
)

// key returns one of a few public keys.
func key(n int) string {
	return strings.Repeat("0", 62) + string("0123456789abcdef"[n/16]) + string("0123456789abcdef"[n%16])
}

func event(author, kind int, at int64, tags ...nostr.Tag) nostr.Event {
	return nostr.Event{PubKey: key(author), Kind: kind, CreatedAt: nostr.Timestamp(at), Tags: tags}
}

func realEvents(t testing.TB) []*nip90.Parsed {
	t.Helper()
	file, err := os.ReadFile("testdata/real-events.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	var out []*nip90.Parsed
	lines := bufio.NewScanner(bytes.NewReader(file))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		out = append(out, storetest.FromJSON(t, bytes.Clone(lines.Bytes())))
	}
	if len(out) != 176 {
		t.Fatalf("read %d real events, want 176", len(out))
	}
	return out
}

// fixed returns a clock that stands still.
func fixed(at int64) storetest.Option {
	return storetest.With(func(o *store.Options) { o.Now = func() time.Time { return time.Unix(at, 0) } })
}

func TestSave_RealEventsComeBackByteForByte(t *testing.T) {
	s := storetest.Open(t, fixed(1))
	for _, p := range realEvents(t) {
		s.Put(t, p)
	}
	for _, p := range realEvents(t) {
		var got []store.Raw
		for raw, err := range s.Query(context.Background(), nostr.Filter{IDs: []string{p.Event.ID}}) {
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(raw.JSON, p.Raw) {
				t.Errorf("event %s: got %s, want %s", p.ID, raw.JSON, p.Raw)
			}
			got = append(got, raw)
		}
		if len(got) > 1 {
			t.Errorf("event %s: %d answers", p.ID, len(got))
		}
		if outcome := s.Put(t, p); outcome != store.Duplicate && outcome != store.Stale {
			t.Errorf("event %s again: got outcome %d, want Duplicate", p.ID, outcome)
		}
	}
}

func TestSave_KeysPerEventStayInBudget(t *testing.T) {
	s := storetest.Open(t, fixed(1))
	for _, p := range realEvents(t) {
		s.Put(t, p)
	}
	var counts map[byte]int
	if err := s.View(func(r store.Reader) (err error) {
		counts, err = store.KeyCounts(r)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	sum := 0
	for table, n := range counts {
		t.Logf("table %c: %d keys", table, n)
		sum += n
	}
	if per := float64(sum) / 176; per > 7 {
		t.Errorf("keys per event: got %.2f, want at most 7", per)
	}
}

func TestSave_Outcomes(t *testing.T) {
	const now = 1_000_000
	old := event(1, 31990, now-100, nostr.Tag{"d", "x"})
	fresh := event(1, 31990, now-50, nostr.Tag{"d", "x"})
	other := event(1, 31990, now-100, nostr.Tag{"d", "x-2"})
	expired := event(1, 5300, now-100, nostr.Tag{"expiration", "999999"})
	request := event(2, 5300, now-10)
	request.ID = request.GetID()
	deletion := event(2, 5, now-5, nostr.Tag{"e", request.ID})
	foreign := event(3, 5, now-5, nostr.Tag{"e", request.ID})

	cases := []struct {
		name  string
		saves []nostr.Event
		want  []store.Outcome
		left  int
	}{
		{"twice", []nostr.Event{request, request}, []store.Outcome{store.Stored, store.Duplicate}, 1},
		{"replaced", []nostr.Event{old, fresh}, []store.Outcome{store.Stored, store.Stored}, 1},
		{"stale", []nostr.Event{fresh, old}, []store.Outcome{store.Stored, store.Stale}, 1},
		{"stale and then known", []nostr.Event{fresh, old, old}, []store.Outcome{store.Stored, store.Stale, store.Duplicate}, 1},
		{"another d", []nostr.Event{fresh, other}, []store.Outcome{store.Stored, store.Stored}, 2},
		{"born expired", []nostr.Event{expired, expired}, []store.Outcome{store.FactOnly, store.Duplicate}, 0},
		{"deleted", []nostr.Event{request, deletion, request}, []store.Outcome{store.Stored, store.Stored, store.Deleted}, 1},
		{"deleted before it came", []nostr.Event{deletion, request, request}, []store.Outcome{store.Stored, store.Deleted, store.Deleted}, 1},
		{"deleted by somebody else", []nostr.Event{foreign, request, foreign}, []store.Outcome{store.Stored, store.Stored, store.Duplicate}, 2},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s := storetest.Open(t, fixed(now))
			var got []store.Outcome
			for _, e := range c.saves {
				got = append(got, s.Put(t, storetest.Parsed(t, e)))
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("outcomes: got %v, want %v", got, c.want)
			}
			if ids := s.IDs(t, nostr.Filter{}); len(ids) != c.left {
				t.Errorf("left: got %v, want %d", ids, c.left)
			}
		})
	}
}
