package web

import (
	"encoding/json"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"dvmrelay/index"
	"dvmrelay/nip90"

	"github.com/nbd-wtf/go-nostr"
)

type jobHeard struct {
	ID      string
	State   string
	Summary string
	Events  []json.RawMessage
	Change  struct {
		ID, Role, PubKey string
		Kind             int
		CreatedAt        int64 `json:"created_at"`
	}
	Changes []struct{ ID string }
}

func TestStream_TellsJobsAsTheyMove(t *testing.T) {
	r := newRig(t, DefaultOptions())
	srv := r.serve()
	f := r.follow(srv, "")
	if ct := f.resp.Header.Get("Content-Type"); !strings.HasPrefix(ct, "text/event-stream") || f.resp.Header.Get("Access-Control-Allow-Origin") != "*" {
		t.Errorf("Content-Type %q, want an open event stream", ct)
	}
	request := r.put(5050, 1_700_000_050, customer, "", nostr.Tag{"i", "a red fox", "text"})
	var got jobHeard
	first := f.next("job", &got)
	if got.ID != request || got.State != "open" || got.Summary != "a red fox" || got.Change.ID != request || got.Change.Role != "request" || got.Change.Kind != 5050 || got.Events != nil {
		t.Errorf("first note %+v, want the open job without events, moved by its request", got)
	}
	result := r.put(6050, 1_700_000_060, provider, "done", nostr.Tag{"e", request})
	second := f.next("job", &got)
	if got.State != "success" || got.Change.ID != result || got.Change.PubKey != strings.Repeat(provider, 32) || got.Change.CreatedAt != 1_700_000_060 {
		t.Errorf("second note %+v, want success by the result", got)
	}
	a, _ := strconv.ParseUint(first.id, 10, 64)
	b, _ := strconv.ParseUint(second.id, 10, 64)
	if a == 0 || b <= a || b >= 1<<53 {
		t.Errorf("ids %s and %s, want them to grow below 2^53", first.id, second.id)
	}
}

func TestStream_TopicsAndFilters(t *testing.T) {
	r := newRig(t, DefaultOptions())
	srv := r.serve()
	other := r.put(5300, 1_700_000_040, "cc", "", nostr.Tag{"i", "y", "text"})
	npub := nip90.Npub(nip90.PubKey([]byte(strings.Repeat("\xbb", 32))))
	followers := map[string]*reader{
		"kind": r.follow(srv, "?kind=5050"), "id": r.follow(srv, "?topics=job,event&id="+other), "provider": r.follow(srv, "?provider="+npub),
		"customer": r.follow(srv, "?customer="+strings.Repeat("dd", 32)), "event": r.follow(srv, "?topics=event&kind=7000"),
		"handler": r.follow(srv, "?topics=provider"),
	}
	request := r.put(5050, 1_700_000_050, customer, "", nostr.Tag{"i", "x", "text"})
	feedback := r.put(7000, 1_700_000_060, provider, "", nostr.Tag{"status", "processing"}, nostr.Tag{"e", request})
	answer := r.put(7000, 1_700_000_061, "ee", "", nostr.Tag{"status", "error"}, nostr.Tag{"e", other})
	r.put(31990, 1_700_000_062, provider, `{"name":"Fox"}`, nostr.Tag{"d", "fox"}, nostr.Tag{"k", "5050"})
	mine := r.put(5999, 1_700_000_063, "dd", "", nostr.Tag{"i", "z", "text"})

	var job jobHeard
	if followers["kind"].next("job", &job); job.ID != request {
		t.Errorf("kind: job %s, want %s", job.ID, request)
	}
	var evt struct {
		ID    string
		Root  string
		Event json.RawMessage
	}
	seen := map[string]bool{}
	for !seen["job"] || !seen["event"] { // the request itself may be told as well
		select {
		case e := <-followers["id"].events:
			seen[e.name] = seen[e.name] || strings.Contains(e.data, answer)
		case <-time.After(patience):
			t.Fatalf("id: heard %v, want the answer as job and as event", seen)
		}
	}
	if followers["provider"].next("job", &job); job.ID != request || job.Change.ID != feedback {
		t.Errorf("provider: job %+v, want %s", job, request)
	}
	if followers["customer"].next("job", &job); job.ID != mine {
		t.Errorf("customer: job %s, want %s", job.ID, mine)
	}
	if followers["event"].next("event", &evt); evt.ID != feedback || evt.Root != request || evt.Event == nil {
		t.Errorf("event: %+v, want the feedback and its body", evt)
	}
	var h providerHeard
	if followers["handler"].next("provider", &h); h.Turn != "announced" || h.Handler.Name != "Fox" || h.D != "fox" {
		t.Errorf("provider: %+v, want Fox announced", h)
	}
}

type providerHeard struct {
	PubKey, D, Turn string
	Handler         struct{ Name string }
}

func TestStream_ServicesComeAndGo(t *testing.T) {
	r := newRig(t, DefaultOptions())
	srv := r.serve()
	f := r.follow(srv, "?topics=provider&provider="+strings.Repeat(provider, 32))
	var h providerHeard
	r.put(31990, 1_700_000_000, provider, `{"name":"Fox"}`, nostr.Tag{"d", "fox"}, nostr.Tag{"k", "5050"})
	if f.next("provider", &h); h.Turn != "announced" {
		t.Errorf("%+v, want Fox announced", h)
	}
	r.put(11998, 1_700_000_090, provider, "", nostr.Tag{"d", "fox"})
	if f.next("provider", &h); h.Turn != "online" || h.Handler.Name != "Fox" {
		t.Errorf("%+v, want Fox online", h)
	}
	r.put(11998, 1_700_000_100, provider, "", nostr.Tag{"d", "fox"}) // nothing new
	r.clock.Add(901)
	if f.next("provider", &h); h.Turn != "offline" {
		t.Errorf("%+v, want Fox offline", h)
	}
	h = providerHeard{}
	r.put(5, 1_700_001_000, provider, "", nostr.Tag{"a", "31990:" + strings.Repeat(provider, 32) + ":fox"})
	if f.next("provider", &h); h.Turn != "withdrawn" || h.Handler.Name != "" {
		t.Errorf("%+v, want Fox withdrawn", h)
	}
}

func TestStream_UpstreamsAndStats(t *testing.T) {
	var mu sync.Mutex
	state := "live"
	r := newRig(t, DefaultOptions(), func(d *Deps) {
		d.Upstreams = func() []Upstream {
			mu.Lock()
			defer mu.Unlock()
			return []Upstream{{URL: "wss://a.example", State: state}, {URL: "wss://b.example", State: "live"}}
		}
	})
	srv := r.serve()
	up, stats := r.follow(srv, "?topics=upstream"), r.follow(srv, "?topics=stats")
	var st struct {
		Window   string
		Requests int
		Coverage []json.RawMessage
	}
	if stats.next("stats", &st); st.Window != "24h" || st.Requests != 0 || st.Coverage == nil {
		t.Errorf("stats %+v, want a day without requests", st)
	}
	r.put(5050, 1_700_000_050, customer, "")
	r.clock.Add(3)
	if stats.next("stats", &st); st.Requests != 1 {
		t.Errorf("stats %+v, want a request", st)
	}
	mu.Lock()
	state = "waiting"
	mu.Unlock()
	var u Upstream
	// The first look is what it is compared with, so it may take the new state for the first.
	deadline := time.After(patience)
	for i := 0; u.URL == ""; i++ {
		select {
		case e := <-up.events:
			if err := json.Unmarshal([]byte(e.data), &u); err != nil {
				t.Fatal(err)
			}
		case <-time.After(3 * time.Second):
			mu.Lock()
			state = "waiting" + strings.Repeat("+", i)
			mu.Unlock()
		case <-deadline:
			t.Fatal("no upstream changed")
		}
	}
	if u.URL != "wss://a.example" || !strings.HasPrefix(u.State, "waiting") {
		t.Errorf("upstream %+v, want a.example waiting", u)
	}
}

func TestStream_ABurstOnOneJobIsOneNote(t *testing.T) {
	r := newRig(t, DefaultOptions(), func(*Deps) {})
	watch := index.NewWatch(index.WatchOptions{Now: r.now, Beat: 300 * time.Millisecond})
	r.site = New(DefaultOptions(), Deps{View: r.store.View, Index: r.index, Now: r.now, Watch: watch})
	r.fed.Store(watch)
	srv := r.serve()
	f := r.follow(srv, "?topics=job")
	request := r.put(5050, 1_700_000_050, customer, "")
	for i := range 20 {
		r.put(7000, 1_700_000_051+int64(i), provider, "", nostr.Tag{"status", "processing"}, nostr.Tag{"e", request})
	}
	told := 0
	for n := 0; told < 21; n++ {
		var job jobHeard
		f.next("job", &job)
		told += len(job.Changes)
		if n > 10 {
			t.Fatalf("%d notes name %d of 21 changes", n, told)
		}
	}
}
