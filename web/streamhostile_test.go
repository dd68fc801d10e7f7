package web

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"dvmrelay/store/storetest"

	"github.com/nbd-wtf/go-nostr"
)

func TestStream_ComingBackMissesNothing(t *testing.T) {
	r := newRig(t, DefaultOptions())
	srv := r.serve()
	f := r.follow(srv, "?topics=job,event")
	const writers, each = 4, 60
	var wg sync.WaitGroup
	var mu sync.Mutex
	written := map[string]bool{}
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				p := storetest.Parsed(t, nostr.Event{
					Kind: 5050, CreatedAt: nostr.Timestamp(1_700_000_000 + int64(i)), PubKey: fmt.Sprintf("%064x", w+1), Content: fmt.Sprint(w, i),
				})
				r.store.Put(t, p)
				mu.Lock()
				written[p.Event.ID] = true
				mu.Unlock()
			}
		})
	}
	jobs, events := map[string]int{}, map[string]int{}
	deadline := time.After(patience)
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	for heard := 0; len(jobs) < writers*each || len(events) < writers*each; {
		select {
		case e, ok := <-f.events:
			if !ok {
				f = r.follow(srv, "?topics=job,event", "Last-Event-ID", f.lastID())
				continue
			}
			var got struct {
				ID      string
				Changes []struct{ ID string }
			}
			if err := json.Unmarshal([]byte(e.data), &got); err != nil {
				t.Fatal(err)
			}
			switch e.name {
			case "job":
				for _, c := range got.Changes {
					jobs[c.ID]++
				}
			case "event":
				events[got.ID]++
			default:
				t.Fatalf("event %s, want no reset", e.name)
			}
			if heard++; heard%37 == 0 {
				// Gone in mid-stream; what was not read yet comes again.
				last := e.id
				f.stop()
				f = r.follow(srv, "?topics=job,event", "Last-Event-ID", last)
			}
		case <-deadline:
			t.Fatalf("heard of %d jobs and %d events, want %d", len(jobs), len(events), writers*each)
		}
	}
	<-done
	for id := range written {
		if jobs[id] != 1 || events[id] != 1 {
			t.Errorf("event %s was told %d times as a job, %d times as an event, want once", id, jobs[id], events[id])
		}
	}
}

func TestStream_ResetWhenItIsTooLongAgo(t *testing.T) {
	r := newRig(t, DefaultOptions())
	srv := r.serve()
	r.put(5050, 1_700_000_000, customer, "")
	for name, last := range map[string]string{
		"of an earlier run": "1700000000", "of the future": "9007199254740991", "no number": "yesterday", "zero": "0", "negative": "-1", "huge": "99999999999999999999999",
	} {
		t.Run(name, func(t *testing.T) {
			r.t = t
			f := r.follow(srv, "", "Last-Event-ID", last)
			f.next("reset", nil)
			request := r.put(5050, 1_700_000_000, customer, name)
			var job jobHeard
			// What came just before may be told as well.
			for job.Change.ID != request {
				f.next("job", &job)
			}
			f.stop()
		})
	}
	r.t = t
	f := r.follow(srv, "?last_event_id=5")
	f.next("reset", nil)
}

func TestStream_SlowReaderIsDropped(t *testing.T) {
	r := newRig(t, DefaultOptions())
	r.site.streams.deadline = 200 * time.Millisecond
	srv := r.serve()
	conn, err := net.Dial("tcp", strings.TrimPrefix(srv.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.(*net.TCPConn).SetReadBuffer(4 << 10)
	fmt.Fprint(conn, "GET /api/v1/stream?topics=event HTTP/1.1\r\nHost: x\r\n\r\n")
	if _, err := bufio.NewReaderSize(conn, 16).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	fast := r.follow(srv, "?topics=event")
	deadline := time.Now().Add(patience)
	n := 0
	for ; r.site.streams.slow.Load() == 0; n++ {
		if time.Now().After(deadline) {
			t.Fatal("who never reads is kept")
		}
		r.put(6050, 1_700_000_000+int64(n), provider, strings.Repeat("x", 30<<10))
		fast.next("event", nil)
	}
	for r.site.streams.open.inUse() != 1 && time.Now().Before(deadline) {
	}
	if got := r.site.streams.open.inUse(); got != 1 {
		t.Errorf("%d streams are open, want the fast one", got)
	}
}

func TestStream_ManyConnectionsAreBounded(t *testing.T) {
	r := newRig(t, DefaultOptions())
	srv := r.serve()
	open := func(from string) int {
		req, err := http.NewRequest(http.MethodGet, srv.URL+"/api/v1/stream", nil)
		if err != nil {
			t.Fatal(err)
		}
		if from != "" {
			req.Header.Set("X-Forwarded-For", from)
		}
		resp, err := srv.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = resp.Body.Close() })
		return resp.StatusCode
	}
	got := map[int]int{}
	for range 40 {
		got[open("203.0.113.7")]++
	}
	if got[200] != maxStreamsOfOne || got[429] != 40-maxStreamsOfOne {
		t.Errorf("one address got %v, want %d streams", got, maxStreamsOfOne)
	}
	for i := range 960 {
		got[open(fmt.Sprintf("198.51.100.%d", i%200))]++
	}
	if got[200] != maxStreams || got[503]+got[429] != 1000-maxStreams {
		t.Errorf("1,000 connects got %v, want %d streams", got, maxStreams)
	}
	if n := r.site.streams.open.inUse(); n != maxStreams {
		t.Errorf("%d streams are open, want %d", n, maxStreams)
	}
}

func TestStream_BadRequests(t *testing.T) {
	r := newRig(t, DefaultOptions())
	for _, query := range []string{"?topics=everything", "?topics=job,", "?kind=x", "?id=npub1", "?provider=me", "?customer=%00", "?topics=" + strings.Repeat("a", 300)} {
		if resp := r.do(http.MethodGet, "/api/v1/stream"+query); resp.StatusCode < 400 || resp.StatusCode >= 500 || resp.Header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s = %d %s, want a problem of 4xx", query, resp.StatusCode, resp.Header.Get("Content-Type"))
		}
	}
	if resp := r.do(http.MethodGet, "/api/v1/stream"); resp.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("while nothing runs: %d, want 503", resp.StatusCode)
	}
}

func TestStream_HeartbeatMovesTheID(t *testing.T) {
	r := newRig(t, DefaultOptions())
	r.site.streams.heartbeat = 20 * time.Millisecond
	srv := r.serve()
	f := r.follow(srv, "?topics=provider")
	before := f.lastID()
	r.put(5050, 1_700_000_000, customer, "")
	for deadline := time.Now().Add(patience); f.lastID() == before; {
		if time.Now().After(deadline) {
			t.Fatal("the id stays though others are told something")
		}
	}
}

// TestStream_NothingDeletedIsReplayed deletes a job, its event and an encrypted one after they were told.
func TestStream_NothingDeletedIsReplayed(t *testing.T) {
	r := newRig(t, DefaultOptions())
	srv := r.serve()
	f := r.follow(srv, "?topics=job,event")
	from := f.lastID()
	request := r.put(5050, 1_700_000_050, customer, "", nostr.Tag{"i", "a red fox", "text"})
	f.next("job", nil)
	if e := f.next("event", nil); !strings.Contains(e.data, "a red fox") {
		t.Fatalf("event %s, want the body", e.data)
	}
	r.put(5, 1_700_000_060, customer, "", nostr.Tag{"e", request})
	again := r.follow(srv, "?topics=job,event", "Last-Event-ID", from)
	for range 4 {
		select {
		case e := <-again.events:
			if strings.Contains(e.data, "a red fox") {
				t.Errorf("%s still says %s", e.name, e.data)
			}
		case <-time.After(patience):
			t.Fatal("the replay is not whole")
		}
	}
}

func TestStream_NotesAreBounded(t *testing.T) {
	r := newRig(t, DefaultOptions())
	srv := r.serve()
	f := r.follow(srv, "?topics=job,event")
	r.put(6050, 1_700_000_000, provider, strings.Repeat("x", 200<<10))
	for range 2 {
		select {
		case e := <-f.events:
			if len(e.data) > noteBody {
				t.Errorf("a note of %d bytes", len(e.data))
			}
			if e.name == "event" && !strings.Contains(e.data, `"too_long":true`) {
				t.Errorf("event %s, want it to say that its body is too long", e.data)
			}
		case <-time.After(patience):
			t.Fatal("the stream says nothing")
		}
	}
}

func TestStream_IsCounted(t *testing.T) {
	r := newRig(t, DefaultOptions())
	srv := r.serve()
	f := r.follow(srv, "", "Last-Event-ID", "1")
	f.next("reset", nil)
	r.put(5050, 1_700_000_000, customer, "")
	f.next("job", nil)
	got := map[string]float64{}
	for _, fig := range r.site.Figures() {
		name := fig.Name
		for _, l := range fig.Labels {
			name += " " + l.Value
		}
		got[name] = fig.Value
	}
	for name, want := range map[string]float64{
		"dvmrelay_web_streams": 1, "dvmrelay_web_exports": 0, "dvmrelay_web_stream_resets_total": 1, "dvmrelay_web_stream_notes_total job": 1,
		"dvmrelay_web_stream_notes_total stats": 0, "dvmrelay_web_dropped_streams_total slow": 0, "dvmrelay_web_refused_streams_total address": 0,
	} {
		if v, ok := got[name]; !ok || v != want {
			t.Errorf("%s = %v (%t), want %v", name, v, ok, want)
		}
	}
}
