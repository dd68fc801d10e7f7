package web

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"dvmrelay/index"
	"dvmrelay/nip90"
	"dvmrelay/store"
	"dvmrelay/store/storetest"

	"github.com/nbd-wtf/go-nostr"
)

// rig is a web door over a real store and index.
type rig struct {
	t     *testing.T
	store *storetest.Running
	index *index.Index
	site  *Site
	fed   atomic.Pointer[index.Watch] // told of commits
	clock atomic.Int64                // unix seconds
}

var testUpstreams = []Upstream{
	{URL: "wss://a.example", State: "live", HeardSince: 1_700_000_000, LastEventAt: 1_700_000_090, Accepted: 5, Exclusive: 3, Backfill: &Backfill{Done: true}},
	{URL: "wss://b.example", State: "waiting", Reason: "unreachable", LagSeconds: 30, Rejected: map[string]uint64{"invalid": 2}},
}

func newRig(t *testing.T, o Options, change ...func(*Deps)) *rig {
	t.Helper()
	r := &rig{t: t}
	r.clock.Store(1_700_000_100)
	clock := r.now
	r.index = index.New(index.Options{KeepCustomer: true, Now: clock})
	r.fed.Store(index.NewWatch(index.WatchOptions{Now: clock, Beat: time.Millisecond}))
	r.store = storetest.Open(t, storetest.With(func(so *store.Options) {
		so.Indexer, so.Now, so.Committed = r.index, clock, r.committed
	}), storetest.Check(r.index.Check))
	d := Deps{
		View: r.store.View, Index: r.index, Now: clock, Name: "hub", Version: "test", Watch: r.fed.Load(),
		Upstreams: func() []Upstream { return append([]Upstream(nil), testUpstreams...) },
		Relay:     testFacts,
	}
	for _, c := range change {
		c(&d)
	}
	r.site = New(o, d)
	return r
}

func (r *rig) committed(version uint64, cs []store.Commit) { r.fed.Load().Committed(version, cs) }

func (r *rig) now() time.Time { return time.Unix(r.clock.Load(), 0) }

func (r *rig) put(kind int, at int64, key, content string, tags ...nostr.Tag) string {
	r.t.Helper()
	p := storetest.Parsed(r.t, nostr.Event{Kind: kind, CreatedAt: nostr.Timestamp(at), PubKey: strings.Repeat(key, 32), Content: content, Tags: tags})
	if out := r.store.Put(r.t, p); out != store.Stored {
		r.t.Fatalf("save event of kind %d: outcome %d, want stored", kind, out)
	}
	return p.Event.ID
}

// saw remembers that sources had an event.
func (r *rig) saw(event string, sources ...string) {
	r.t.Helper()
	g, err := index.NewSightings(r.index, r.store.Store)
	if err != nil {
		r.t.Fatal(err)
	}
	id, ok := nip90.ParseID(event)
	if !ok {
		r.t.Fatalf("%q is no id", event)
	}
	for _, s := range sources {
		g.Saw(id, s)
	}
	if err := g.Flush(context.Background()); err != nil {
		r.t.Fatal(err)
	}
}

// real saves the real events, whatever becomes of them.
func (r *rig) real() (ids []string) {
	r.t.Helper()
	f, err := os.Open("testdata/real-events.jsonl")
	if err != nil {
		r.t.Fatal(err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var evt nostr.Event
		if err := json.Unmarshal(lines.Bytes(), &evt); err != nil {
			r.t.Fatal(err)
		}
		p, err := nip90.Open(&evt, []byte(lines.Text()), nip90.DoorImport, r.now())
		if err != nil {
			r.t.Fatal(err)
		}
		if _, _, err := r.store.Save(context.Background(), p); err != nil {
			r.t.Fatal(err)
		}
		ids = append(ids, evt.ID)
	}
	if err := lines.Err(); err != nil {
		r.t.Fatal(err)
	}
	return ids
}

func (r *rig) do(method, target string, header ...string) *http.Response {
	r.t.Helper()
	req := httptest.NewRequest(method, target, nil)
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	r.site.ServeHTTP(w, req)
	return w.Result()
}

func read(t *testing.T, resp *http.Response) string {
	t.Helper()
	var b strings.Builder
	if _, err := bufio.NewReader(resp.Body).WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// get fails unless the answer has the status, and decodes it.
func (r *rig) get(target string, status int, to any) *http.Response {
	r.t.Helper()
	resp := r.do(http.MethodGet, target)
	text := read(r.t, resp)
	if resp.StatusCode != status {
		r.t.Fatalf("GET %s = %d, want %d: %s", target, resp.StatusCode, status, text)
	}
	if to != nil {
		if err := json.Unmarshal([]byte(text), to); err != nil {
			r.t.Fatalf("GET %s: %v in %s", target, err, text)
		}
	}
	return resp
}

// running runs the site until the test ends, and returns the context that it runs with.
func (r *rig) running() context.Context {
	r.t.Helper()
	t := r.t
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- r.site.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ran; err != nil {
			t.Errorf("run: %v", err)
		}
	})
	return ctx
}
