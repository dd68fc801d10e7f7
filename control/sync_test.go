package control

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"dvmrelay/mirror"
	"dvmrelay/nip90"
	"dvmrelay/wire"

	"github.com/coder/websocket"
	"github.com/nbd-wtf/go-nostr"
)

// elsewhere is a relay with a few events.
func elsewhere(t *testing.T, events ...*nostr.Event) string {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ws, err := websocket.Accept(w, r, nil)
		if err != nil {
			return // it asks for the information document
		}
		defer func() { _ = ws.CloseNow() }()
		for {
			_, frame, err := ws.Read(r.Context())
			if err != nil {
				return
			}
			req, ok := command(frame).(wire.Req)
			if !ok {
				continue
			}
			for _, e := range events {
				if nostr.Filters(req.Filters).Match(e) {
					_ = ws.Write(r.Context(), websocket.MessageText, wire.AppendEvent(nil, req.Sub, wire.AppendEventJSON(nil, e)))
				}
			}
			_ = ws.Write(r.Context(), websocket.MessageText, wire.AppendEOSE(nil, req.Sub, ""))
		}
	}))
	t.Cleanup(srv.Close)
	return "ws" + strings.TrimPrefix(srv.URL, "http")
}

func command(frame []byte) wire.Command {
	cmd, _ := wire.ParseCommand(frame, wire.Limits{})
	return cmd
}

func TestSync_SameBesideAndAlone(t *testing.T) {
	var events []*nostr.Event
	for i := range 3 {
		e := &nostr.Event{Kind: 5300 + i, CreatedAt: nostr.Now() - nostr.Timestamp(i*3600), Tags: nostr.Tags{}}
		if err := e.Sign(nostr.GeneratePrivateKey()); err != nil {
			t.Fatal(err)
		}
		events = append(events, e)
	}
	url := elsewhere(t, events...)
	for _, how := range []string{"alone", "beside"} {
		t.Run(how, func(t *testing.T) {
			local, _ := open(t)
			local.Mirror = func() mirror.Options { return mirror.Options{Backfill: 24 * time.Hour} }
			var v Verbs = local
			if how == "beside" {
				v = running(t, t.TempDir(), local)
			}
			rep, err := v.Sync(t.Context(), SyncRequest{URL: url, Filter: &nostr.Filter{Kinds: []int{5301}}}, nil)
			if err != nil || !rep.Done || rep.Stored != 1 {
				t.Errorf("report %+v, %v, want done with the one that was asked for", rep, err)
			}
			rep, err = v.Sync(t.Context(), SyncRequest{URL: url}, nil)
			if err != nil || !rep.Done || rep.Stored != 2 || rep.Duplicate == 0 {
				t.Errorf("report %+v, %v, want done with the two others", rep, err)
			}
		})
	}
}

func TestSync_WrongArgumentsAreUsage(t *testing.T) {
	local, _ := open(t)
	local.Mirror = func() mirror.Options { return mirror.Options{} }
	for how, v := range map[string]Verbs{"alone": local, "beside": running(t, t.TempDir(), local)} {
		for name, r := range map[string]SyncRequest{
			"scheme":        {URL: "https://relay.example"},
			"no host":       {URL: "ws://"},
			"backwards":     {URL: "ws://relay.example", Since: 2, Until: 1},
			"negative":      {URL: "ws://relay.example", Since: -1},
			"limit":         {URL: "ws://relay.example", Filter: &nostr.Filter{Limit: 5}},
			"limit nothing": {URL: "ws://relay.example", Filter: &nostr.Filter{LimitZero: true}},
			"search":        {URL: "ws://relay.example", Filter: &nostr.Filter{Search: "x"}},
		} {
			if _, err := v.Sync(t.Context(), r, nil); !errors.Is(err, ErrUsage) {
				t.Errorf("%s, %s: %v, want ErrUsage", how, name, err)
			}
		}
	}
}

// A command that leaves ends the sync of the relay that did it for it.
func TestSync_EndsWhenTheCommandLeaves(t *testing.T) {
	local, _ := open(t)
	local.Mirror = func() mirror.Options { return mirror.Options{} }
	began, ended := make(chan struct{}), make(chan struct{})
	local.Submit = func(ctx context.Context, _ *nip90.Parsed) mirror.Verdict {
		close(began)
		<-ctx.Done()
		close(ended)
		return mirror.Verdict{Outcome: mirror.Failed, Err: ctx.Err()}
	}
	e := &nostr.Event{Kind: 5300, CreatedAt: nostr.Now(), Tags: nostr.Tags{}}
	if err := e.Sign(nostr.GeneratePrivateKey()); err != nil {
		t.Fatal(err)
	}
	client := running(t, t.TempDir(), local)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	url := elsewhere(t, e)
	left := make(chan error, 1)
	go func() {
		_, err := client.Sync(ctx, SyncRequest{URL: url}, nil)
		left <- err
	}()
	<-began
	cancel()
	if err := <-left; !errors.Is(err, context.Canceled) {
		t.Errorf("the command ends with %v, want that it was interrupted", err)
	}
	select {
	case <-ended:
	case <-time.After(30 * time.Second):
		t.Error("the relay went on without the command")
	}
}
