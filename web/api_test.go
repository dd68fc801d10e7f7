package web

import (
	"encoding/json"
	"flag"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"dvmrelay/index"
	"dvmrelay/nip90"

	"github.com/google/go-cmp/cmp"
	"github.com/nbd-wtf/go-nostr"
	"go.uber.org/goleak"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestMain(m *testing.M) {
	flag.Parse()
	goleak.VerifyTestMain(m)
}

const (
	customer = "aa"
	provider = "bb"
)

// story saves a job that was answered, and a handler.
func (r *rig) story() (request, feedback, result string) {
	r.t.Helper()
	c, p := strings.Repeat(customer, 32), strings.Repeat(provider, 32)
	request = r.put(5050, 1_700_000_000, customer, "", nostr.Tag{"i", "a red <b>fox</b>", "text"}, nostr.Tag{"bid", "3000"}, nostr.Tag{"output", "text/plain"}, nostr.Tag{"relays", "wss://x.example"})
	feedback = r.put(7000, 1_700_000_005, provider, "", nostr.Tag{"status", "processing", "soon"}, nostr.Tag{"e", request}, nostr.Tag{"p", c})
	result = r.put(6050, 1_700_000_010, provider, "done", nostr.Tag{"e", request}, nostr.Tag{"p", c}, nostr.Tag{"amount", "2000"})
	r.put(31990, 1_700_000_001, provider, `{"name":"Fox","about":"draws"}`, nostr.Tag{"d", "fox"}, nostr.Tag{"k", "5050"})
	_ = p
	return request, feedback, result
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(got), &v); err != nil {
		t.Fatalf("%s is no JSON: %v", name, err)
	}
	pretty, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	path := "testdata/" + name + ".golden.json"
	if *update {
		if err := os.WriteFile(path, append(pretty, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(strings.TrimSpace(string(want)), string(pretty)); d != "" {
		t.Errorf("%s: -want +got\n%s", name, d)
	}
}

func TestAPI_Shapes(t *testing.T) {
	r := newRig(t, DefaultOptions())
	request, _, result := r.story()
	r.saw(request, "wss://b.example", "wss://a.example")
	r.saw(result, "wss://a.example", index.SelfSource)
	for name, target := range map[string]string{
		"job": "/api/v1/jobs/" + request, "jobs": "/api/v1/jobs", "handlers": "/api/v1/handlers",
		"stats": "/api/v1/stats?window=1h", "upstreams": "/api/v1/upstreams", "unseen": "/api/v1/jobs/" + strings.Repeat("0", 63) + "1",
	} {
		t.Run(name, func(t *testing.T) { golden(t, name, read(t, r.do(http.MethodGet, target))) })
	}
}

func TestAPI_JobFromAnyIDOfIt(t *testing.T) {
	r := newRig(t, DefaultOptions())
	request, feedback, result := r.story()
	root, _ := nip90.ParseID(request)
	for name, id := range map[string]string{
		"hex of the request": request, "hex of the feedback": feedback, "hex of the result": result, "upper case": strings.ToUpper(request),
		"note": nip90.Note(root), "nevent": nip90.Nevent(root, nip90.PubKey{}, 0, "wss://x.example"), "nostr:nevent": "nostr:" + nip90.Note(root),
	} {
		t.Run(name, func(t *testing.T) {
			var got struct{ ID, State string }
			r.t = t
			r.get("/api/v1/jobs/"+id, http.StatusOK, &got)
			if got.ID != request || got.State != "success" {
				t.Errorf("job = %+v, want %s in success", got, request)
			}
		})
	}
}

func TestAPI_RealEventsAreServedInDesignsShapes(t *testing.T) {
	r := newRig(t, DefaultOptions())
	ids := r.real()
	found := 0
	for _, id := range ids {
		resp := r.do(http.MethodGet, "/api/v1/jobs/"+id)
		text := read(t, resp)
		switch resp.StatusCode {
		case http.StatusNotFound:
			continue
		case http.StatusOK:
		default:
			t.Fatalf("job %s = %d: %s", id, resp.StatusCode, text)
		}
		found++
		var got map[string]json.RawMessage
		if err := json.Unmarshal([]byte(text), &got); err != nil {
			t.Fatal(err)
		}
		for _, field := range []string{"id", "kind", "kind_name", "customer", "created_at", "state", "stalled", "payment", "encrypted", "summary", "output", "addressed", "relays", "asked_msat", "claimed_msat", "results_count", "providers", "events", "chained_from", "chained_to"} {
			if v, ok := got[field]; !ok || string(v) == "null" {
				t.Errorf("job %s: field %s = %s, want a value", id, field, v)
			}
		}
	}
	if found < 50 {
		t.Errorf("%d of %d real events belong to a job, want at least 50", found, len(ids))
	}
	items, cursor := map[string]bool{}, ""
	for range 100 {
		var page struct {
			Items []struct {
				ID     string
				Events []json.RawMessage
			}
			Next string `json:"next_cursor"`
		}
		r.get("/api/v1/jobs?limit=7&cursor="+cursor, http.StatusOK, &page)
		for _, it := range page.Items {
			if items[it.ID] {
				t.Errorf("job %s stands on two pages", it.ID)
			}
			if it.Events != nil {
				t.Errorf("job %s has events in a list", it.ID)
			}
			items[it.ID] = true
		}
		if cursor = page.Next; cursor == "" {
			break
		}
	}
	var all struct{ Items []struct{ ID string } }
	r.get("/api/v1/jobs?limit=200", http.StatusOK, &all)
	if len(items) != len(all.Items) || len(items) == 0 {
		t.Errorf("pages hold %d jobs, one long page %d", len(items), len(all.Items))
	}
	for _, target := range []string{"/api/v1/handlers?limit=200", "/api/v1/stats?window=all", "/api/v1/handlers?kind=5050&online=true&q=a&sort=name", "/"} {
		r.get(target, http.StatusOK, nil)
	}
}

func TestAPI_WhatAStrangerSendsIsNeverAFault(t *testing.T) {
	r := newRig(t, DefaultOptions())
	r.story()
	for _, target := range []string{
		"/api/v1/jobs/xyz", "/api/v1/jobs/%00", "/api/v1/jobs/" + strings.Repeat("f", 4000), "/api/v1/jobs/npub1", "/api/v1/jobs/" + strings.Repeat("g", 64),
		"/api/v1/jobs?limit=0", "/api/v1/jobs?limit=201", "/api/v1/jobs?limit=abc", "/api/v1/jobs?limit=1e9", "/api/v1/jobs?cursor=!!!", "/api/v1/jobs?cursor=AgAA",
		"/api/v1/jobs?state=sideways", "/api/v1/jobs?payment=maybe", "/api/v1/jobs?kind=-1", "/api/v1/jobs?kind=70000", "/api/v1/jobs?provider=me",
		"/api/v1/jobs?customer=note1", "/api/v1/jobs?for=%ff", "/api/v1/jobs?since=-5", "/api/v1/jobs?since=99999999999999999999", "/api/v1/jobs?cursor=" + strings.Repeat("A", 2000),
		"/api/v1/handlers?online=maybe", "/api/v1/handlers?sort=size", "/api/v1/handlers?cursor=%22", "/api/v1/handlers?q=" + strings.Repeat("x", 300),
		"/api/v1/stats?window=2h", "/api/v1/stats?window=1h&since=5", "/api/v1/stats?since=10&until=5", "/api/v1/nothing", "/api/", "/nothing", "/api/v1/jobs/xyz/graph", "/api/v1/events/%ff", "/api/v1/events/npub1",
		"/api/v1/handlers/x", "/api/v1/handlers/31990:", "/api/v1/providers/x", "/api/v1/providers/note1/check", "/api/v1/providers/%00/up",
		"/api/v1/providers/" + strings.Repeat("1", 64), "/api/v1/providers?sort=size", "/api/v1/kinds/x", "/api/v1/kinds/-1", "/api/v1/kinds/99999", "/api/v1/kinds/6050",
		"/api/v1/kinds?window=2h", "/api/v1/kinds?limit=0", "/api/v1/stats?exclude_kind=x", "/api/v1/export?kind=x", "/api/v1/stream?topics=x", "/api/v1/jobs?format=xml",
		"/api/v1/jobs?encrypted=maybe", "/api/v1/jobs?q=" + strings.Repeat("x", 300), "/schemas/x.json",
	} {
		t.Run(target[:min(len(target), 60)], func(t *testing.T) {
			resp := r.do(http.MethodGet, target)
			text := read(t, resp)
			if resp.StatusCode < 400 || resp.StatusCode >= 500 {
				t.Fatalf("status %d, want 4xx: %s", resp.StatusCode, text)
			}
			if ct := resp.Header.Get("Content-Type"); ct != "application/problem+json" {
				t.Errorf("Content-Type %q, want application/problem+json", ct)
			}
			var p struct {
				Status int
				Title  string
			}
			if err := json.Unmarshal([]byte(text), &p); err != nil || p.Status != resp.StatusCode || p.Title == "" {
				t.Errorf("problem = %s, want status %d and a title", text, resp.StatusCode)
			}
		})
	}
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete} {
		if resp := r.do(method, "/api/v1/jobs"); resp.StatusCode != http.StatusMethodNotAllowed {
			t.Errorf("%s = %d, want 405", method, resp.StatusCode)
		}
	}
}

func TestAPI_FiltersOfJobs(t *testing.T) {
	r := newRig(t, DefaultOptions())
	request, _, _ := r.story()
	open := r.put(5300, 1_700_000_050, "cc", "", nostr.Tag{"i", "what", "text"})
	npub := nip90.Npub(nip90.PubKey([]byte(strings.Repeat("\xbb", 32))))
	for _, tc := range []struct {
		name, query string
		want        []string
	}{
		{"all, newest first", "", []string{open, request}},
		{"state", "?state=success", []string{request}},
		{"kind", "?kind=5300", []string{open}},
		{"provider by npub", "?provider=" + npub, []string{request}},
		{"customer by hex", "?customer=" + strings.Repeat("cc", 32), []string{open}},
		{"since", "?since=1700000050", []string{open}},
		{"until", "?until=1700000049", []string{request}},
		{"nothing", "?state=cancelled", []string{}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var page struct{ Items []struct{ ID string } }
			r.t = t
			r.get("/api/v1/jobs"+tc.query, http.StatusOK, &page)
			got := []string{}
			for _, it := range page.Items {
				got = append(got, it.ID)
			}
			if d := cmp.Diff(tc.want, got); d != "" {
				t.Errorf("-want +got\n%s", d)
			}
		})
	}
}

func TestAPI_ETagAndCORS(t *testing.T) {
	r := newRig(t, DefaultOptions())
	request, _, _ := r.story()
	target := "/api/v1/jobs/" + request
	resp := r.get(target, http.StatusOK, nil)
	tag := resp.Header.Get("ETag")
	if tag == "" || resp.Header.Get("Access-Control-Allow-Origin") != "*" {
		t.Fatalf("ETag %q, CORS %q, want both", tag, resp.Header.Get("Access-Control-Allow-Origin"))
	}
	if resp := r.do(http.MethodGet, target, "If-None-Match", `"x", W/`+tag); resp.StatusCode != http.StatusNotModified || read(t, resp) != "" {
		t.Errorf("with the ETag: %d, want an empty 304", resp.StatusCode)
	}
	r.put(7000, 1_700_000_020, provider, "", nostr.Tag{"status", "success"}, nostr.Tag{"e", request})
	if resp := r.do(http.MethodGet, target, "If-None-Match", tag); resp.StatusCode != http.StatusOK {
		t.Errorf("after a change: %d, want 200", resp.StatusCode)
	}
	if resp := r.do(http.MethodOptions, target, "Origin", "https://x.example", "Access-Control-Request-Method", "GET"); resp.StatusCode != http.StatusNoContent {
		t.Errorf("preflight = %d, want 204", resp.StatusCode)
	}
	if resp := r.do(http.MethodHead, target); resp.StatusCode != http.StatusOK || read(t, resp) != "" {
		t.Errorf("HEAD = %d with a body, want 200 without", resp.StatusCode)
	}
}

func TestAPI_InputsHidden(t *testing.T) {
	r := newRig(t, Options{Inputs: InputsHide})
	request, _, _ := r.story()
	for _, target := range []string{"/api/v1/jobs", "/api/v1/jobs/" + request, "/"} {
		if text := read(t, r.do(http.MethodGet, target)); strings.Contains(text, "a red") {
			t.Errorf("GET %s shows the input", target)
		}
	}
}

// encrypted saves an encrypted job and its encrypted answers.
func (r *rig) encrypted() (request string) {
	r.t.Helper()
	c, p := strings.Repeat(customer, 32), strings.Repeat(provider, 32)
	request = r.put(5050, 1_700_000_000, customer, "ciphertext", nostr.Tag{"p", p}, nostr.Tag{"encrypted"}, nostr.Tag{"output", "cipheroutput"})
	r.put(7000, 1_700_000_005, provider, "ciphertext", nostr.Tag{"status", "processing", "cipherwords"}, nostr.Tag{"e", request}, nostr.Tag{"p", c}, nostr.Tag{"encrypted"})
	r.put(6050, 1_700_000_010, provider, "ciphertext", nostr.Tag{"e", request}, nostr.Tag{"p", c}, nostr.Tag{"encrypted"})
	return request
}

func TestAPI_EncryptedJobsAreForThoseTheyConcern(t *testing.T) {
	for _, tc := range []struct {
		name  string
		auth  bool
		shown int // events with their bodies
	}{{"as it is", false, 3}, {"with relay.auth_encrypted", true, 0}} {
		t.Run(tc.name, func(t *testing.T) {
			r := newRig(t, Options{Inputs: InputsShow}, func(d *Deps) { d.AuthEncrypted = tc.auth })
			request := r.encrypted()
			other, _, _ := r.story()
			var got struct {
				State     string
				Encrypted bool
				Addressed []string
				Events    []struct {
					Kind  int
					Event json.RawMessage
					Text  string `json:"status_text"`
				}
			}
			r.get("/api/v1/jobs/"+request, http.StatusOK, &got)
			shown := 0
			for _, e := range got.Events {
				if e.Event != nil {
					shown++
				}
				if tc.auth && e.Text != "" {
					t.Errorf("event of kind %d says %q, want nothing", e.Kind, e.Text)
				}
			}
			if len(got.Events) != 3 || shown != tc.shown || !got.Encrypted || len(got.Addressed) != 1 || got.State != "success" {
				t.Errorf("job = %+v with %d bodies, want its three events, %d bodies, and what the facts know", got, shown, tc.shown)
			}
			for _, target := range []string{"/api/v1/jobs/" + request, "/api/v1/jobs", "/"} {
				if text := read(t, r.do(http.MethodGet, target)); tc.auth && strings.Contains(text, "cipher") {
					t.Errorf("GET %s shows what is in encrypted events: %s", target, text)
				}
			}
			r.get("/api/v1/jobs/"+other, http.StatusOK, &got)
			if len(got.Events) != 3 || got.Events[0].Event == nil || got.Events[1].Text != "soon" {
				t.Errorf("a job in the open = %+v, want it whole", got)
			}
		})
	}
}

func TestOpenAPI_ListsThePaths(t *testing.T) {
	r := newRig(t, DefaultOptions())
	var doc struct {
		OpenAPI    string
		Paths      map[string]map[string]json.RawMessage
		Components struct {
			Schemas map[string]struct {
				Properties map[string]json.RawMessage
			}
		}
	}
	r.get("/openapi.json", http.StatusOK, &doc)
	if text := read(t, r.do(http.MethodGet, "/openapi.json")); strings.Contains(text, `"additionalProperties":false`) || strings.Contains(text, `"array","null"`) {
		t.Error("the document forbids new members or allows a null in place of a list")
	}
	if !strings.HasPrefix(doc.OpenAPI, "3.1") {
		t.Errorf("openapi = %q, want 3.1", doc.OpenAPI)
	}
	for _, p := range []string{"/api/v1/jobs", "/api/v1/jobs/{id}", "/api/v1/handlers", "/api/v1/stats", "/api/v1/upstreams"} {
		if doc.Paths[p]["get"] == nil {
			t.Errorf("path %s is missing", p)
		}
	}
	request, _, _ := r.story()
	for name, target := range map[string]string{"Thread": "/api/v1/jobs/" + request, "WindowStats": "/api/v1/stats"} {
		var answer map[string]json.RawMessage
		r.get(target, http.StatusOK, &answer)
		for field := range answer {
			if _, ok := doc.Components.Schemas[name].Properties[field]; !ok {
				t.Errorf("answer of %s has field %s, which the document does not", target, field)
			}
		}
	}
}

func TestAPI_BigThreadIsBounded(t *testing.T) {
	r := newRig(t, DefaultOptions())
	request := r.put(5050, 1_700_000_000, customer, "")
	for i := range 30 {
		r.put(6050, 1_700_000_001+int64(i), provider, strings.Repeat("x", 250<<10), nostr.Tag{"e", request})
	}
	var got struct {
		More   bool
		Events []struct{ Event *struct{ ID string } }
	}
	text := read(t, r.do(http.MethodGet, "/api/v1/jobs/"+request))
	if err := json.Unmarshal([]byte(text), &got); err != nil {
		t.Fatal(err)
	}
	if len(text) > 5<<20 || len(got.Events) != 31 || !got.More || got.Events[0].Event == nil || got.Events[30].Event != nil {
		t.Errorf("answer of %d bytes with %d events, more %v, want all 31, the last without bodies", len(text), len(got.Events), got.More)
	}
}

func TestAPI_EnumsAreTheIndexs(t *testing.T) {
	r := newRig(t, DefaultOptions())
	for _, s := range index.States() {
		r.get("/api/v1/jobs?state="+s, http.StatusOK, nil)
	}
	for _, p := range index.Payments() {
		r.get("/api/v1/jobs?payment="+p, http.StatusOK, nil)
	}
	if slices.Contains(index.States(), "") {
		t.Error("the empty state is one")
	}
}
