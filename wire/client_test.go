package wire_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"dvmrelay/wire"

	"github.com/coder/websocket"
	"github.com/google/go-cmp/cmp"
	"github.com/nbd-wtf/go-nostr"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// serve starts a relay that hands each connection to handle, and returns its URL.
func serve(t *testing.T, handle func(context.Context, *websocket.Conn)) string {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		running.Add(1)
		defer running.Done()
		conn, err := websocket.Accept(w, r, nil)
		if err != nil {
			t.Errorf("accept: %v", err)
			return
		}
		defer func() { _ = conn.CloseNow() }() // closed already in the good case
		conn.SetReadLimit(1 << 20)
		handle(ctx, conn)
	}))
	t.Cleanup(func() {
		cancel()
		s.CloseClientConnections()
		s.Close()
		running.Wait()
	})
	return "ws" + strings.TrimPrefix(s.URL, "http")
}

func write(t *testing.T, ctx context.Context, conn *websocket.Conn, frames ...string) {
	for _, frame := range frames {
		if err := conn.Write(ctx, websocket.MessageText, []byte(frame)); err != nil {
			t.Errorf("write: %v", err)
		}
	}
}

func dial(t *testing.T, url string, o wire.DialOptions) *wire.Client {
	t.Helper()
	c, err := wire.Dial(t.Context(), url, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// shortly is a deadline for what should come at once.
func shortly(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func TestClient_Conversation(t *testing.T) {
	heard := make(chan string, 10)
	url := serve(t, func(ctx context.Context, conn *websocket.Conn) {
		write(t, ctx, conn, `["AUTH","c"]`)
		for range 5 {
			_, text, err := conn.Read(ctx)
			if err != nil {
				t.Errorf("read: %v", err)
				return
			}
			heard <- string(text)
		}
		write(t, ctx, conn, `junk`, `["EVENT","s",`+eventWith()+`]`, `["EOSE","s"]`, `["OK","x",true,""]`)
		conn.CloseRead(ctx)
		<-ctx.Done()
	})
	ctx := shortly(t)
	c := dial(t, url, wire.DialOptions{UserAgent: "test"})
	if c.URL() != url {
		t.Errorf("URL: got %s, want %s", c.URL(), url)
	}
	for _, err := range []error{
		c.Req(ctx, "s", nostr.Filter{Kinds: []int{5300}}), c.Count(ctx, "n", nostr.Filter{}), c.Unsubscribe(ctx, "s"),
		c.Publish(ctx, []byte(eventWith())), c.Authenticate(ctx, []byte(eventWith())),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []string{
		`["REQ","s",{"kinds":[5300]}]`, `["COUNT","n",{}]`, `["CLOSE","s"]`, `["EVENT",` + eventWith() + `]`, `["AUTH",` + eventWith() + `]`,
	} {
		select {
		case got := <-heard:
			if got != want {
				t.Errorf("the relay heard %s, want %s", got, want)
			}
		case <-ctx.Done():
			t.Fatal("the relay heard nothing")
		}
	}
	for _, want := range []wire.Message{
		wire.AuthChallenge{Challenge: "c"},
		wire.Unreadable{Reason: "invalid: not JSON at byte 0: a frame expected"},
		wire.EventMsg{Sub: "s", Event: baseEvent(), Raw: []byte(eventWith())},
		wire.EOSE{Sub: "s"},
		wire.OK{ID: "x", Accepted: true},
	} {
		got, err := c.Receive(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
	}
}

func TestClient_TooBig(t *testing.T) {
	url := serve(t, func(ctx context.Context, conn *websocket.Conn) {
		write(t, ctx, conn, `["NOTICE","`+strings.Repeat("x", 2000)+`"]`)
		_, _, _ = conn.Read(ctx) // until the client hangs up
	})
	c := dial(t, url, wire.DialOptions{ReadLimit: 1000})
	if _, err := c.Receive(shortly(t)); !errors.Is(err, wire.ErrTooBig) {
		t.Errorf("got %v, want %v", err, wire.ErrTooBig)
	}
}

// TestClient_SkipsWhatIsTooLong: between the two limits a message is lost and the connection is not.
func TestClient_SkipsWhatIsTooLong(t *testing.T) {
	long, next, longest := strings.Repeat("x", 2000), `["NOTICE","next"]`, strings.Repeat("x", 5001)
	url := serve(t, func(ctx context.Context, conn *websocket.Conn) {
		write(t, ctx, conn, long)
		write(t, ctx, conn, next)
		write(t, ctx, conn, longest)
		_, _, _ = conn.Read(ctx) // until the client hangs up
	})
	c := dial(t, url, wire.DialOptions{ReadLimit: 1000, SkipLimit: 5000})
	ctx := shortly(t)
	if msg, err := c.Receive(ctx); err != nil || !msg.(wire.Unreadable).TooBig || c.Size() != 2000 {
		t.Errorf("got %#v, %v, %d bytes; want a message of 2000 bytes that was passed over", msg, err, c.Size())
	}
	if msg, err := c.Receive(ctx); err != nil || msg != (wire.Notice{Text: "next"}) || c.Size() != int64(len(next)) {
		t.Errorf("got %#v, %v, %d bytes; want the notice", msg, err, c.Size())
	}
	if _, err := c.Receive(ctx); !errors.Is(err, wire.ErrTooBig) {
		t.Errorf("got %v, want %v", err, wire.ErrTooBig)
	}
}

func TestClient_Binary(t *testing.T) {
	url := serve(t, func(ctx context.Context, conn *websocket.Conn) {
		if err := conn.Write(ctx, websocket.MessageBinary, []byte(`["NOTICE","x"]`)); err != nil {
			t.Error(err)
		}
		_, _, _ = conn.Read(ctx) // until the client hangs up
	})
	c := dial(t, url, wire.DialOptions{})
	if _, err := c.Receive(shortly(t)); !errors.Is(err, wire.ErrBinary) {
		t.Errorf("got %v, want %v", err, wire.ErrBinary)
	}
}

// TestClient_Drip has a relay that begins a message and never ends it.
func TestClient_Drip(t *testing.T) {
	url := serve(t, func(ctx context.Context, conn *websocket.Conn) {
		w, err := conn.Writer(ctx, websocket.MessageText)
		if err != nil {
			t.Error(err)
			return
		}
		if _, err := w.Write(bytes.Repeat([]byte("x"), 8192)); err != nil {
			t.Error(err)
		}
		_, _, _ = conn.Read(ctx) // until the client hangs up
	})
	c := dial(t, url, wire.DialOptions{MessageTimeout: 50 * time.Millisecond})
	ctx := shortly(t)
	if _, err := c.Receive(ctx); !errors.Is(err, wire.ErrSlow) || ctx.Err() != nil {
		t.Errorf("got %v, %v; want %v long before the deadline", err, ctx.Err(), wire.ErrSlow)
	}
}

// TestClient_KeepAlive has a relay that stops reading: no pong comes, and the client notices.
func TestClient_KeepAlive(t *testing.T) {
	url := serve(t, func(ctx context.Context, _ *websocket.Conn) { <-ctx.Done() })
	c := dial(t, url, wire.DialOptions{PingEvery: 10 * time.Millisecond, PingTimeout: 50 * time.Millisecond})
	ctx := shortly(t)
	received := make(chan error, 1)
	go func() {
		_, err := c.Receive(ctx)
		received <- err
	}()
	if err := c.KeepAlive(ctx); err == nil {
		t.Error("KeepAlive: got nil, want an error")
	}
	if err := <-received; err == nil || ctx.Err() != nil {
		t.Errorf("Receive: got %v, want an error before the deadline", err)
	}
}

func TestClient_KeepAliveOfALivelyRelay(t *testing.T) {
	var pings atomic.Int32
	enough := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{OnPingReceived: func(context.Context, []byte) bool {
			if pings.Add(1) == 3 {
				close(enough)
			}
			return true
		}})
		if err != nil {
			t.Error(err)
			return
		}
		_, _, _ = conn.Read(context.Background()) // until the client hangs up
		_ = conn.CloseNow()                       // closed already in the good case
	}))
	defer s.Close()
	c := dial(t, "ws"+strings.TrimPrefix(s.URL, "http"), wire.DialOptions{PingEvery: time.Millisecond})
	ctx := shortly(t)
	var group sync.WaitGroup
	group.Go(func() {
		if _, err := c.Receive(ctx); !errors.Is(err, wire.ErrClosed) {
			t.Errorf("Receive: got %v, want %v", err, wire.ErrClosed)
		}
	})
	group.Go(func() {
		if err := c.KeepAlive(ctx); err != nil {
			t.Errorf("KeepAlive: got %v, want nil", err)
		}
	})
	select {
	case <-enough:
	case <-ctx.Done():
		t.Error("no three pings")
	}
	c.Close()
	group.Wait()
}

// TestClient_Close closes from several goroutines while one receives and others send, on a relay that never says goodbye.
func TestClient_Close(t *testing.T) {
	url := serve(t, func(ctx context.Context, _ *websocket.Conn) { <-ctx.Done() })
	c := dial(t, url, wire.DialOptions{})
	ctx := shortly(t)
	var group sync.WaitGroup
	group.Go(func() {
		if _, err := c.Receive(ctx); !errors.Is(err, wire.ErrClosed) {
			t.Errorf("Receive: got %v, want %v", err, wire.ErrClosed)
		}
	})
	for range 4 {
		group.Go(func() {
			for {
				if err := c.Send(ctx, []byte(`["CLOSE","s"]`)); err != nil {
					if !errors.Is(err, wire.ErrClosed) {
						t.Errorf("Send: got %v, want %v", err, wire.ErrClosed)
					}
					return
				}
			}
		})
	}
	for range 3 {
		group.Go(c.Close)
	}
	group.Wait()
	if ctx.Err() != nil {
		t.Error("Close did not come back before the deadline")
	}
}

func TestClient_PeerCloses(t *testing.T) {
	url := serve(t, func(_ context.Context, conn *websocket.Conn) {
		_ = conn.Close(websocket.StatusPolicyViolation, "go away") // the client may be faster
	})
	c := dial(t, url, wire.DialOptions{})
	_, err := c.Receive(shortly(t))
	var closed websocket.CloseError
	if !errors.As(err, &closed) || closed.Code != websocket.StatusPolicyViolation {
		t.Errorf("got %v, want a close with status 1008", err)
	}
}

var errGuard = errors.New("not allowed to go there")

func TestDial_Guard(t *testing.T) {
	url := serve(t, func(context.Context, *websocket.Conn) { t.Error("connected") })
	guarded := wire.DialOptions{Control: func(_, address string, _ syscall.RawConn) error {
		if ip := net.ParseIP(strings.Split(address, ":")[0]); ip.IsLoopback() {
			return errGuard
		}
		return nil
	}}
	if _, err := wire.Dial(shortly(t), url, guarded); !errors.Is(err, errGuard) {
		t.Errorf("Dial: got %v, want %v", err, errGuard)
	}
	if _, err := wire.FetchInfo(shortly(t), url, guarded); !errors.Is(err, errGuard) {
		t.Errorf("FetchInfo: got %v, want %v", err, errGuard)
	}
	own := wire.DialOptions{Dial: func(context.Context, string, string) (net.Conn, error) { return nil, errGuard }}
	if _, err := wire.Dial(shortly(t), url, own); !errors.Is(err, errGuard) {
		t.Errorf("Dial with a dialler of our own: got %v, want %v", err, errGuard)
	}
}

func TestDial_Refused(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "too many", http.StatusTooManyRequests)
	}))
	defer s.Close()
	_, err := wire.Dial(shortly(t), "ws"+strings.TrimPrefix(s.URL, "http"), wire.DialOptions{})
	if err == nil || !strings.Contains(err.Error(), "http status 429") {
		t.Errorf("got %v, want http status 429", err)
	}
}

// TestDial_Silent has a host that accepts connections and says nothing.
func TestDial_Silent(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	ctx := shortly(t)
	o := wire.DialOptions{DialTimeout: 50 * time.Millisecond}
	if _, err := wire.Dial(ctx, "ws://"+l.Addr().String(), o); err == nil || ctx.Err() != nil {
		t.Errorf("Dial: got %v, want an error before the deadline", err)
	}
	if _, err := wire.FetchInfo(ctx, "ws://"+l.Addr().String(), o); err == nil || ctx.Err() != nil {
		t.Errorf("FetchInfo: got %v, want an error before the deadline", err)
	}
}

func TestFetchInfo(t *testing.T) {
	for _, tt := range []struct {
		name, body string
		status     int
		want       wire.Info
		fails      bool
	}{
		{
			"usual", `{"name":"r","pubkey":"` + keyB + `","supported_nips":[1,11],"software":"s","version":"1","limitation":{"max_limit":500,"auth_required":true}}`, 200,
			wire.Info{Name: "r", PubKey: keyB, NIPs: []int{1, 11}, Software: "s", Version: "1", Limitation: wire.Limitation{MaxLimit: 500, AuthRequired: true}},
			false,
		},
		{
			"odd types", `{"name":7,"supported_nips":[1,"EX",2.5,50],"limitation":{"max_limit":"x","max_filters":10}}`, 200,
			wire.Info{NIPs: []int{1, 50}, Limitation: wire.Limitation{MaxFilters: 10}},
			false,
		},
		{"limitation is text", `{"name":"r","limitation":"none"}`, 200, wire.Info{Name: "r"}, false},
		{"empty", `{}`, 200, wire.Info{}, false},
		{"no JSON", `<html>`, 200, wire.Info{}, true},
		{"not found", `{}`, 404, wire.Info{}, true},
		{"endless", `{"name":"` + strings.Repeat("x", 300_000) + `"}`, 200, wire.Info{}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if got := r.Header.Get("Accept"); got != "application/nostr+json" {
					t.Errorf("Accept: got %q", got)
				}
				w.WriteHeader(tt.status)
				_, _ = w.Write([]byte(tt.body)) // the client may have hung up
			}))
			defer s.Close()
			got, err := wire.FetchInfo(shortly(t), "ws"+strings.TrimPrefix(s.URL, "http"), wire.DialOptions{})
			if (err != nil) != tt.fails {
				t.Fatalf("got error %v, want one: %v", err, tt.fails)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
	if _, err := wire.FetchInfo(shortly(t), "https://example.com", wire.DialOptions{}); err == nil {
		t.Error("https: got no error")
	}
}
