package web

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nbd-wtf/go-nostr"
)

func exported(t *testing.T, r *rig, query string) (ids []string, at []int64) {
	t.Helper()
	resp := r.do(http.MethodGet, "/api/v1/export"+query)
	text := read(t, resp)
	if resp.StatusCode != http.StatusOK || !strings.HasPrefix(resp.Header.Get("Content-Type"), "application/x-ndjson") {
		t.Fatalf("export%s = %d: %s", query, resp.StatusCode, text)
	}
	for _, line := range strings.Split(strings.TrimSpace(text), "\n") {
		if line == "" {
			continue
		}
		var evt nostr.Event
		if err := json.Unmarshal([]byte(line), &evt); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		ids, at = append(ids, evt.ID), append(at, int64(evt.CreatedAt))
	}
	return ids, at
}

func TestExport_OldestFirstAndWhole(t *testing.T) {
	r := newRig(t, DefaultOptions())
	seed := time.Now().UnixNano()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(uint64(seed), 0))
	want := map[string]int64{}
	for i := range 1500 {
		at := int64(1_600_000_000) + random.Int64N(1000)
		switch {
		case i%3 == 0:
			at = 1_650_000_000 // a crowded second: more than are read at once
		case i%100 == 1:
			at = random.Int64N(1_700_000_000)
		}
		want[r.put(5050+i%2, at, customer, fmt.Sprint(i))] = at
	}
	ids, at := exported(t, r, "")
	if len(ids) != len(want) || !slices.IsSorted(at) {
		t.Fatalf("%d events, in order: %v, want %d in order", len(ids), slices.IsSorted(at), len(want))
	}
	for i := 1; i < len(ids); i++ {
		if at[i] == at[i-1] && ids[i] <= ids[i-1] {
			t.Fatalf("events of one second are not in the order of their ids: %s, %s", ids[i-1], ids[i])
		}
	}
	for _, id := range ids {
		if _, ok := want[id]; !ok {
			t.Errorf("event %s was never saved, or comes twice", id)
		}
		delete(want, id)
	}
	some, at := exported(t, r, "?since=1600000100&until=1600000200&kind=5051,5052&kind=5053")
	if len(some) == 0 || at[0] < 1_600_000_100 || at[len(at)-1] > 1_600_000_200 {
		t.Errorf("a window gave %d events from %v", len(some), at)
	}
	for _, bad := range []string{"?since=5&until=4", "?kind=x", "?kind=70000", "?since=-1", "?until=99999999999999999"} {
		if resp := r.do(http.MethodGet, "/api/v1/export"+bad); resp.StatusCode < 400 || resp.StatusCode >= 500 {
			t.Errorf("export%s = %d, want 4xx", bad, resp.StatusCode)
		}
	}
}

func TestExport_IsBounded(t *testing.T) {
	r := newRig(t, DefaultOptions())
	r.put(5050, 1_700_000_000, customer, "")
	for range maxExports {
		leave, refused := r.site.streams.exports.enter("")
		if refused != "" {
			t.Fatal(refused)
		}
		defer leave()
	}
	if resp := r.do(http.MethodGet, "/api/v1/export"); resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" {
		t.Errorf("one more = %d, want 503 with Retry-After", resp.StatusCode)
	}
}
