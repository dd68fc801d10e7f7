package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"dvmrelay/config"
	"dvmrelay/web"
	"dvmrelay/wire"

	"github.com/coder/websocket"
	"github.com/nbd-wtf/go-nostr"
)

// forger answers every subscription with jobs whose ids are true and whose signatures are not.
func forger(w http.ResponseWriter, r *http.Request) {
	ws, err := websocket.Accept(w, r, nil)
	if err != nil {
		return
	}
	defer func() { _ = ws.CloseNow() }()
	for {
		_, frame, err := ws.Read(r.Context())
		if err != nil {
			return
		}
		cmd, bad := wire.ParseCommand(frame, wire.Limits{})
		req, ok := cmd.(wire.Req)
		if bad != nil || !ok || len(req.Filters[0].Kinds) < 100 {
			continue
		}
		for n := range 300 {
			e := nostr.Event{
				PubKey: "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798", CreatedAt: nostr.Now(), Kind: 5300,
				Tags: nostr.Tags{{"i", strconv.Itoa(n), "text"}}, Sig: strings.Repeat("1", 128),
			}
			e.ID = e.GetID()
			if ws.Write(r.Context(), websocket.MessageText, wire.AppendEvent(nil, req.Sub, wire.AppendEventJSON(nil, &e))) != nil {
				return
			}
		}
	}
}

// TestUpstreams_AForgerIsShownAsOne runs the whole relay with an upstream that forges signatures, and asks its HTTP API.
func TestUpstreams_AForgerIsShownAsOne(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(forger))
	defer srv.Close()
	h := testHub(t, func(c *config.Config) { c.Mirror.Upstreams = []string{"ws" + strings.TrimPrefix(srv.URL, "http")} })
	ctx, cancel := context.WithCancel(context.Background())
	var level slog.LevelVar
	ended := make(chan error, 1)
	go func() { ended <- (&server{hub: h, call: &call{}, level: &level}).run(ctx) }()
	defer func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("run = %v, want nil", err)
		}
	}()
	var got struct {
		Items []web.Upstream `json:"items"`
	}
	within := time.Now().Add(30 * time.Second)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for len(got.Items) == 0 || got.Items[0].State != "waiting" {
		if time.Now().After(within) {
			t.Fatalf("got %+v, want it left", got)
		}
		<-tick.C
		w := httptest.NewRecorder()
		h.relay.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/api/v1/upstreams", nil))
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
			t.Fatal(fmt.Errorf("read %s: %w", w.Body, err))
		}
	}
	u := got.Items[0]
	if u.Reason != "bad-signature" || u.Rejected["bad-signature"] < 250 || u.Strikes < 250 || u.Accepted != 0 || u.Bytes < 250*300 {
		t.Errorf("got %+v, want it left for 250 bad signatures", u)
	}
}
