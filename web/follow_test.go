package web

import (
	"bufio"
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// patience is how long a test waits for what must come.
const patience = 20 * time.Second

// serve opens the rig's door on a real socket, with small buffers, and runs it.
func (r *rig) serve() *httptest.Server {
	r.t.Helper()
	srv := httptest.NewUnstartedServer(r.site)
	r.t.Cleanup(srv.Close) // after what runs has ended, and its streams with it
	r.running()
	for deadline := time.Now().Add(patience); ; {
		r.site.mu.Lock()
		runs := r.site.runs != nil
		r.site.mu.Unlock()
		if runs {
			break
		}
		if time.Now().After(deadline) {
			r.t.Fatal("the site does not run")
		}
	}
	srv.Config.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
		if tcp, ok := c.(*net.TCPConn); ok {
			_ = tcp.SetWriteBuffer(4 << 10)
		}
		return ctx
	}
	srv.Start()
	return srv
}

// sse is one server-sent event.
type sse struct {
	id, name, data string
}

// reader follows a stream.
type reader struct {
	t      *testing.T
	resp   *http.Response
	events chan sse
	cancel context.CancelFunc
	mu     sync.Mutex // guards below
	last   string
}

func (r *rig) follow(srv *httptest.Server, query string, header ...string) *reader {
	r.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, srv.URL+"/api/v1/stream"+query, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := srv.Client().Do(req)
	if err != nil {
		r.t.Fatalf("open stream: %v", err)
	}
	f := &reader{t: r.t, resp: resp, events: make(chan sse, 100_000), cancel: cancel}
	if resp.StatusCode != http.StatusOK {
		r.t.Fatalf("GET /stream%s = %d: %s", query, resp.StatusCode, read(r.t, resp))
	}
	begun := make(chan struct{})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		f.read(sync.OnceFunc(func() { close(begun) }))
	}()
	r.t.Cleanup(func() {
		f.stop()
		<-ended
	})
	select {
	case <-begun:
	case <-time.After(patience):
		r.t.Fatal("the stream says nothing")
	}
	return f
}

func (f *reader) stop() {
	f.cancel()
	_ = f.resp.Body.Close()
}

func (f *reader) read(begun func()) {
	defer close(f.events)
	lines := bufio.NewReader(f.resp.Body)
	var e sse
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			return
		}
		line = strings.TrimSuffix(line, "\n")
		name, value, _ := strings.Cut(line, ": ")
		switch {
		case line == "":
			if e.id != "" {
				f.mu.Lock()
				f.last = e.id
				f.mu.Unlock()
			}
			begun()
			if e.data != "" {
				f.events <- e
			}
			e = sse{}
		case name == "id":
			e.id = value
		case name == "event":
			e.name = value
		case name == "data":
			e.data = value
		}
	}
}

func (f *reader) lastID() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.last
}

// next is the next event; it must have the name.
func (f *reader) next(name string, to any) sse {
	f.t.Helper()
	select {
	case e, ok := <-f.events:
		if !ok {
			f.t.Fatalf("the stream ended, want %s", name)
		}
		if e.name != name {
			f.t.Fatalf("event %s with %s, want %s", e.name, e.data, name)
		}
		if to != nil {
			if err := json.Unmarshal([]byte(e.data), to); err != nil {
				f.t.Fatalf("event %s: %v", name, err)
			}
		}
		return e
	case <-time.After(patience):
		f.t.Fatalf("no event, want %s", name)
	}
	return sse{}
}
