package mirror

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"dvmrelay/wire"

	"github.com/coder/websocket"
	"github.com/nbd-wtf/go-nostr"
)

// fakeRelay is an upstream that speaks NIP-01 over a real socket and misbehaves as its fields say.
type fakeRelay struct {
	*httptest.Server
	maxLimit  int                                                // most stored events per filter; 0 = all
	maxValues int                                                // more kinds or #d values than this are refused
	maxKeys   int                                                // more authors or #p values than this are refused
	maxSubs   int                                                // more subscriptions at once are refused; 0 = no bound
	complaint string                                             // with these words
	info      string                                             // NIP-11 document
	twist     func(sub string, f nostr.Filter, c *fakeConn) bool // true: it has answered the REQ itself
	met       func(c *fakeConn)                                  // called when somebody connects
	authed    func(e *nostr.Event, c *fakeConn)                  // called with each AUTH
	neg       func(cmd wire.Command, c *fakeConn)                // answers NEG-OPEN, NEG-MSG and NEG-CLOSE

	mu     sync.Mutex // guards below
	events []*nostr.Event
	reqs   []fakeReq
	conns  map[*fakeConn]bool
	dials  int
	away   bool // nobody can connect

	refused, mostSubs int // subscriptions beyond maxSubs, and the most at once
}

type fakeReq struct {
	sub     string
	filters []nostr.Filter
}

func (r fakeReq) paging() bool { return len(r.filters) == 1 && r.filters[0].Until != nil }

type fakeConn struct {
	r    *fakeRelay
	ws   *websocket.Conn
	ctx  context.Context
	mu   sync.Mutex // guards below
	subs map[string][]nostr.Filter
}

func newFake(t testing.TB) *fakeRelay {
	t.Helper()
	r := &fakeRelay{conns: map[*fakeConn]bool{}}
	r.Server = httptest.NewServer(http.HandlerFunc(r.serve))
	t.Cleanup(r.Server.Close)
	t.Cleanup(r.cut)
	return r
}

func (r *fakeRelay) addr() string { return "ws" + strings.TrimPrefix(r.URL, "http") }

func (r *fakeRelay) serve(w http.ResponseWriter, req *http.Request) {
	if strings.Contains(req.Header.Get("Accept"), "nostr+json") {
		if r.info == "" {
			http.NotFound(w, req)
			return
		}
		fmt.Fprint(w, r.info)
		return
	}
	r.mu.Lock()
	away := r.away
	r.mu.Unlock()
	if away {
		http.Error(w, "away", http.StatusServiceUnavailable)
		return
	}
	ws, err := websocket.Accept(w, req, nil)
	if err != nil {
		return
	}
	ws.SetReadLimit(1 << 20)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	c := &fakeConn{r: r, ws: ws, ctx: ctx, subs: map[string][]nostr.Filter{}}
	r.mu.Lock()
	r.conns[c] = true
	r.dials++
	r.mu.Unlock()
	defer func() {
		r.mu.Lock()
		delete(r.conns, c)
		r.mu.Unlock()
		_ = ws.CloseNow()
	}()
	if r.met != nil {
		r.met(c)
	}
	for {
		_, frame, err := ws.Read(ctx)
		if err != nil {
			return
		}
		cmd, bad := wire.ParseCommand(frame, wire.Limits{})
		if bad != nil {
			c.send(wire.AppendNotice(nil, bad.Reason))
			continue
		}
		switch cmd := cmd.(type) {
		case wire.Req:
			c.req(cmd.Sub, cmd.Filters)
		case wire.Auth:
			if r.authed != nil {
				r.authed(cmd.Event, c)
			}
		case wire.Close:
			c.mu.Lock()
			delete(c.subs, cmd.Sub)
			c.mu.Unlock()
		default:
			if r.neg != nil {
				r.neg(cmd, c)
			}
		}
	}
}

func (c *fakeConn) send(frame []byte) { _ = c.ws.Write(c.ctx, websocket.MessageText, frame) }

func (c *fakeConn) event(sub string, e *nostr.Event) {
	c.send(wire.AppendEvent(nil, sub, wire.AppendEventJSON(nil, e)))
}

func (c *fakeConn) req(sub string, filters []nostr.Filter) {
	r := c.r
	r.mu.Lock()
	r.reqs = append(r.reqs, fakeReq{sub, filters})
	twist := r.twist
	r.mu.Unlock()
	if twist != nil && twist(sub, filters[0], c) {
		return
	}
	for _, f := range filters {
		if r.maxKeys > 0 && (len(f.Authors) > r.maxKeys || len(f.Tags["p"]) > r.maxKeys) ||
			r.maxValues > 0 && (len(f.Kinds) > r.maxValues || len(f.Tags["d"]) > r.maxValues) {
			c.send(wire.AppendClosed(nil, sub, "invalid: filter too long"))
			return
		}
	}
	c.mu.Lock()
	_, again := c.subs[sub]
	full := r.maxSubs > 0 && !again && len(c.subs) >= r.maxSubs
	if !full {
		c.subs[sub] = filters
	}
	open := len(c.subs)
	c.mu.Unlock()
	r.mu.Lock()
	r.mostSubs = max(r.mostSubs, open)
	if full {
		r.refused++
	}
	r.mu.Unlock()
	if full {
		c.send(wire.AppendClosed(nil, sub, r.complaint))
		return
	}
	for _, f := range filters {
		for _, e := range r.query(f) {
			c.event(sub, e)
		}
	}
	c.send(wire.AppendEOSE(nil, sub, ""))
}

// query is what a relay with its limit would give.
func (r *fakeRelay) query(f nostr.Filter) []*nostr.Event {
	if r.maxLimit > 0 && (f.Limit == 0 || f.Limit > r.maxLimit) {
		f.Limit = r.maxLimit
	}
	return r.all(f)
}

// all is what matches, the newest first, as far as the filter's own limit.
func (r *fakeRelay) all(f nostr.Filter) []*nostr.Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []*nostr.Event
	for _, e := range r.events {
		if f.Matches(e) {
			out = append(out, e)
		}
	}
	slices.SortFunc(out, func(a, b *nostr.Event) int {
		if a.CreatedAt != b.CreatedAt {
			return int(b.CreatedAt - a.CreatedAt)
		}
		return strings.Compare(a.ID, b.ID)
	})
	if f.Limit > 0 && len(out) > f.Limit {
		out = out[:f.Limit]
	}
	return out
}

// publish stores events and hands them to live subscriptions.
func (r *fakeRelay) publish(events ...*nostr.Event) {
	r.mu.Lock()
	r.events = append(r.events, events...)
	r.mu.Unlock()
	r.announce(events...)
}

// announce hands events to live subscriptions without storing them.
func (r *fakeRelay) announce(events ...*nostr.Event) {
	r.mu.Lock()
	conns := make([]*fakeConn, 0, len(r.conns))
	for c := range r.conns {
		conns = append(conns, c)
	}
	r.mu.Unlock()
	for _, c := range conns {
		for _, e := range events {
			c.live(e)
		}
	}
}

func (c *fakeConn) live(e *nostr.Event) {
	c.mu.Lock()
	defer c.mu.Unlock() // while it sends, so that a subscription that is closed was given all before
	for id, filters := range c.subs {
		if nostr.Filters(filters).Match(e) {
			c.event(id, e)
		}
	}
}

// cut ends every connection without a word.
func (r *fakeRelay) cut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for c := range r.conns {
		_ = c.ws.CloseNow()
	}
}

// leave makes it unreachable, or reachable again.
func (r *fakeRelay) leave(away bool) {
	r.mu.Lock()
	r.away = away
	r.mu.Unlock()
	if away {
		r.cut()
	}
}

func (r *fakeRelay) twisted(twist func(string, nostr.Filter, *fakeConn) bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.twist = twist
}

func (r *fakeRelay) requests() []fakeReq {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.reqs)
}

func (r *fakeRelay) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.reqs = nil
}

// job makes an event with a true id; the signature is of no concern to the mirror.
func job(kind int, at int64, tags ...nostr.Tag) *nostr.Event {
	if tags == nil {
		tags = nostr.Tags{}
	}
	e := &nostr.Event{PubKey: strings.Repeat("ab", 32), CreatedAt: nostr.Timestamp(at), Kind: kind, Tags: tags, Sig: strings.Repeat("0", 128)}
	e.Content = fmt.Sprintf("%d at %d", kind, at)
	e.ID = e.GetID()
	return e
}

// quick is a pace for tests.
func quick() pace {
	return pace{
		firstRetry: 20 * time.Millisecond, maxRetry: 100 * time.Millisecond, healthy: time.Minute, dial: 5 * time.Second,
		answer: 10 * time.Second, idle: 10 * time.Second, split: time.Millisecond, reissue: 20 * time.Millisecond,
		checkpoint: 5 * time.Millisecond, overlap: 10 * time.Minute, sweep: 24 * time.Hour,
		watch: 20 * time.Millisecond, poll: 20 * time.Millisecond, remember: time.Millisecond, page: 50, crowd: 2, inFlight: 16, bytes: 1 << 20,
	}
}

// start runs a mirror until the test or the returned stop ends it.
func start(t *testing.T, o Options, sink Sink, state State) (m *Mirror, stop func()) {
	t.Helper()
	if o.pace.page == 0 {
		o.pace = quick()
	}
	m = New(o, sink, state)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- m.Run(ctx) }()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			select {
			case err := <-done:
				if err != nil {
					t.Errorf("Run = %v, want nil", err)
				}
			case <-time.After(30 * time.Second):
				t.Error("Run did not return within 30 s of the end of its context")
			}
		})
	}
	t.Cleanup(stop)
	return m, stop
}

// eventually polls until ok, for at most thirty seconds.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("not within 30 s: %s", what)
		}
		<-tick.C
	}
}

func backfilled(m *Mirror) func() bool {
	return func() bool {
		for _, u := range m.Upstreams() {
			if u.State != StateLive || u.Backfill == nil || !u.Backfill.Done {
				return false
			}
		}
		return true
	}
}
