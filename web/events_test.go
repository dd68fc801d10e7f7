package web

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"dvmrelay/nip90"

	"github.com/google/go-cmp/cmp"
	"github.com/nbd-wtf/go-nostr"
)

type eventSeen struct {
	ID, Role, Root, Status string
	Kind                   int
	Expired, Deleted       bool
	Withheld               bool
	IDValid                *bool `json:"id_valid"`
	SigValid               *bool `json:"sig_valid"`
	Findings               []struct{ Code, Text string }
	Event                  *nostr.Event
}

func TestEvent_ExactlyAsSigned(t *testing.T) {
	r := newRig(t, DefaultOptions())
	lines, err := os.ReadFile("testdata/real-events.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	ids := r.real()
	shown := 0
	for i, line := range bytes.Split(bytes.TrimSpace(lines), []byte("\n")) {
		var got struct {
			eventSeen
			Event json.RawMessage
		}
		resp := r.do(http.MethodGet, "/api/v1/events/"+ids[i])
		text := read(t, resp)
		if resp.StatusCode == http.StatusNotFound {
			continue // a stale version leaves nothing
		}
		if err := json.Unmarshal([]byte(text), &got); err != nil {
			t.Fatalf("%v in %s", err, text)
		}
		if got.Event == nil {
			if got.IDValid != nil {
				t.Errorf("event %s has no body and is judged", ids[i])
			}
			continue
		}
		shown++
		var want, have bytes.Buffer
		if json.Compact(&want, line) != nil || json.Compact(&have, got.Event) != nil {
			t.Fatal("no JSON")
		}
		var a, b nostr.Event
		if json.Unmarshal(want.Bytes(), &a) != nil || json.Unmarshal(have.Bytes(), &b) != nil || cmp.Diff(a, b) != "" {
			t.Errorf("event %s is shown as %s, want %s", ids[i], have.String(), want.String())
		}
		if got.IDValid == nil || !*got.IDValid || got.SigValid == nil || !*got.SigValid {
			t.Errorf("event %s: id %v, signature %v, want both good", ids[i], got.IDValid, got.SigValid)
		}
	}
	if shown < 100 {
		t.Errorf("%d events have bodies, want at least 100", shown)
	}
}

func TestEvent_FactWithoutBody(t *testing.T) {
	r := newRig(t, DefaultOptions())
	request := r.put(5050, 1_700_000_050, customer, "", nostr.Tag{"i", "a red fox", "text"}, nostr.Tag{"expiration", "1700000200"})
	feedback := r.put(7000, 1_700_000_060, provider, "", nostr.Tag{"status", "error"}, nostr.Tag{"e", request})
	var got eventSeen
	r.get("/api/v1/events/"+request, http.StatusOK, &got)
	if got.Event == nil || got.Expired || got.Root != request || got.SigValid == nil || *got.SigValid || got.IDValid == nil || !*got.IDValid {
		t.Errorf("event %+v, want it with its body, its id good, its signature not", got)
	}
	r.clock.Add(200)
	got = eventSeen{}
	r.get("/api/v1/events/"+nip90.Note(mustID(t, request)), http.StatusOK, &got)
	if got.Event != nil || !got.Expired || got.Role != "request" || got.Root != request {
		t.Errorf("expired event %+v, want its fact", got)
	}
	got = eventSeen{}
	r.get("/api/v1/events/"+feedback, http.StatusOK, &got)
	if got.Status != "error" || got.Root != request {
		t.Errorf("feedback %+v, want an error to %s", got, request)
	}
	var unseen struct{ Watched []Watched }
	r.get("/api/v1/events/"+strings.Repeat("0", 63)+"7", http.StatusNotFound, &unseen)
	if len(unseen.Watched) != 2 {
		t.Errorf("watched %+v, want both upstreams", unseen.Watched)
	}
}

func mustID(t *testing.T, hex string) nip90.ID {
	t.Helper()
	id, ok := nip90.ParseID(hex)
	if !ok {
		t.Fatalf("%s is no id", hex)
	}
	return id
}

// post sends a body and decodes the answer.
func (r *rig) post(target, body string, status int, to any) {
	r.t.Helper()
	w := httptest.NewRecorder()
	req := httptest.NewRequest(http.MethodPost, target, strings.NewReader(body))
	req.Header.Set("Content-Type", "application/json")
	r.site.ServeHTTP(w, req)
	if w.Code != status {
		r.t.Fatalf("POST %s = %d, want %d: %s", target, w.Code, status, w.Body)
	}
	if to == nil {
		return
	}
	if err := json.Unmarshal(w.Body.Bytes(), to); err != nil {
		r.t.Fatalf("POST %s: %v in %s", target, err, w.Body)
	}
}

func TestLint_JudgesAndStoresNothing(t *testing.T) {
	r := newRig(t, DefaultOptions())
	key := nostr.GeneratePrivateKey()
	evt := nostr.Event{Kind: 5050, CreatedAt: 1_700_000_000, Tags: nostr.Tags{{"i", "a fox", "text"}, {"bid", "lots"}, {"param", "model", "big"}, {"p", strings.Repeat(provider, 32)}}}
	if err := evt.Sign(key); err != nil {
		t.Fatal(err)
	}
	good, err := json.Marshal(evt)
	if err != nil {
		t.Fatal(err)
	}
	var v struct {
		Type, Role, ID string
		Findings       []struct{ Code string }
		Parsed         struct {
			Kind      int
			Inputs    []struct{ Data, Type string }
			Params    []struct{ Name string }
			Providers []string
			BidSet    bool `json:"bid_set"`
			Encrypted string
		}
	}
	r.post("/api/v1/lint", string(good), http.StatusOK, &v)
	want := strings.Repeat(provider, 32)
	if v.Type != "request" || v.ID != evt.ID || len(v.Findings) == 0 || len(v.Parsed.Inputs) != 1 || v.Parsed.Inputs[0].Data != "a fox" ||
		v.Parsed.Params[0].Name != "model" || v.Parsed.BidSet || v.Parsed.Encrypted != "plain" || v.Parsed.Providers[0] != want {
		t.Errorf("verdict %+v", v)
	}
	var valid struct {
		IDValid  bool `json:"id_valid"`
		SigValid bool `json:"sig_valid"`
	}
	r.post("/api/v1/lint", string(good), http.StatusOK, &valid)
	if !valid.IDValid || !valid.SigValid {
		t.Errorf("%+v, want both good", valid)
	}
	r.post("/api/v1/lint", strings.Replace(string(good), "a fox", "a box", 1), http.StatusOK, &valid)
	if valid.IDValid || valid.SigValid {
		t.Errorf("%+v of a changed event, want neither", valid)
	}
	r.get("/api/v1/events/"+evt.ID, http.StatusNotFound, nil)
	for name, bad := range map[string]struct {
		body   string
		status int
	}{
		"nothing": {"", 400}, "no JSON": {"{", 400}, "a list": {"[]", 400}, "not UTF-8": {"{\"id\":\"\xff\"}", 400}, "deep": {strings.Repeat("[", 200_000), 400},
		"half an event": {`{"id":"x"}`, 400}, "too long": {`{"content":"` + strings.Repeat("x", maxLint) + `"}`, 413},
	} {
		t.Run(name, func(t *testing.T) {
			r.t = t
			var p struct{ Status int }
			r.post("/api/v1/lint", bad.body, bad.status, &p)
			if p.Status != bad.status {
				t.Errorf("problem says %d, want %d", p.Status, bad.status)
			}
		})
	}
	r.t = t
	if resp := r.do(http.MethodGet, "/api/v1/lint"); resp.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("GET = %d, want 405", resp.StatusCode)
	}
}

// TestLint_UnderstandsEveryRealEvent holds the reading of each message to being JSON without null lists.
func TestLint_UnderstandsEveryRealEvent(t *testing.T) {
	r := newRig(t, DefaultOptions())
	lines, err := os.ReadFile("testdata/real-events.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	types := map[string]int{}
	for _, line := range bytes.Split(bytes.TrimSpace(lines), []byte("\n")) {
		var v struct {
			Type   string
			Parsed map[string]any
		}
		r.post("/api/v1/lint", string(line), http.StatusOK, &v)
		types[v.Type]++
		if len(v.Parsed) == 0 {
			t.Errorf("nothing is read out of %s", line)
		}
	}
	if len(types) < 4 {
		t.Errorf("types %v, want more of them", types)
	}
}

// TestEvent_SeenOn: who had an event is told as it stands, and an answer from before is not taken for it.
func TestEvent_SeenOn(t *testing.T) {
	r := newRig(t, DefaultOptions())
	request, _, _ := r.story()
	target := "/api/v1/events/" + request
	var got struct {
		SeenOn []string `json:"seen_on"`
	}
	before := r.get(target, http.StatusOK, &got).Header.Get("ETag")
	if got.SeenOn == nil || len(got.SeenOn) != 0 {
		t.Errorf("seen on %v, want a list of none", got.SeenOn)
	}
	r.saw(request, "wss://a.example")
	resp := r.do(http.MethodGet, target, "If-None-Match", before)
	if text := read(t, resp); resp.StatusCode != http.StatusOK || !strings.Contains(text, `"seen_on":["wss://a.example"]`) {
		t.Errorf("after it was seen: %d %s", resp.StatusCode, text)
	}
	if resp = r.do(http.MethodGet, target, "If-None-Match", resp.Header.Get("ETag")); resp.StatusCode != http.StatusNotModified {
		t.Errorf("asked again: %d, want %d", resp.StatusCode, http.StatusNotModified)
	}
}
