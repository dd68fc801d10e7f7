package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"dvmrelay/config"
	"dvmrelay/store"
	"dvmrelay/store/storetest"

	"github.com/coder/websocket"
	"github.com/nbd-wtf/go-nostr"
)

// TestKeepCustomer_BindsTheStore: what index.keep_customer says is obeyed by what is on disk, not by the views alone.
func TestKeepCustomer_BindsTheStore(t *testing.T) {
	const customer = "ab12cd34ef56ab12cd34ef56ab12cd34ef56ab12cd34ef56ab12cd34ef56ab12"
	for _, keep := range []bool{true, false} {
		h := testHub(t, func(c *config.Config) { c.Index.KeepCustomer = keep })
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan error, 1)
		go func() { ended <- h.store.Run(ctx) }()
		late := storetest.Parsed(t, nostr.Event{Kind: 5300, CreatedAt: 1000, PubKey: customer, Tags: nostr.Tags{{"expiration", "1001"}}})
		if outcome, _, err := h.store.Save(ctx, late); err != nil || outcome != store.FactOnly {
			t.Fatalf("save = %v, %v, want the fact only", outcome, err)
		}
		named := false
		err := h.store.View(func(r store.Reader) error {
			return r.Scan(nil, nil, func(k, v []byte) bool {
				row := append(bytes.Clone(k), v...)
				named = named || bytes.Contains(row, late.Author[:]) || bytes.Contains(row, []byte(customer))
				return true
			})
		})
		if err != nil || named != keep {
			t.Errorf("keep_customer = %t: the customer is named on disk: %t, %v", keep, named, err)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

// TestPublicPages_ShowNoAddressesOfClients: whoever is connected, and from where, is told to nobody.
func TestPublicPages_ShowNoAddressesOfClients(t *testing.T) {
	const address = "203.0.113.77"
	h := testHub(t, nil)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 2)
	go func() { ended <- h.store.Run(ctx) }()
	go func() { ended <- h.relay.Run(ctx) }()
	srv := httptest.NewServer(h.relay.Handler())
	dialing, stop := context.WithTimeout(ctx, 20*time.Second)
	defer stop()
	c, _, err := websocket.Dial(dialing, "ws"+strings.TrimPrefix(srv.URL, "http"), &websocket.DialOptions{HTTPHeader: http.Header{"X-Forwarded-For": {address}}})
	if err != nil {
		t.Fatal(err)
	}
	job := nostr.Event{Kind: 5300, CreatedAt: nostr.Now(), Tags: nostr.Tags{{"i", "paint a fox", "text"}}}
	if err := job.Sign(nostr.GeneratePrivateKey()); err != nil {
		t.Fatal(err)
	}
	for _, m := range []string{`["EVENT",` + job.String() + `]`, `["REQ","a",{"kinds":[5300]}]`} {
		if err := c.Write(dialing, websocket.MessageText, []byte(m)); err != nil {
			t.Fatal(err)
		}
	}
	for {
		_, answer, err := c.Read(dialing)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(string(answer), `["EOSE"`) {
			break
		}
	}
	for _, path := range []string{
		"/", "/healthz", "/metrics", "/version", "/openapi.json", "/api/v1/stats", "/api/v1/jobs", "/api/v1/jobs/" + job.ID, "/api/v1/events/" + job.ID,
		"/api/v1/providers", "/api/v1/upstreams", "/api/v1/export", "/api/v1/jobs/" + job.ID + "/graph",
	} {
		for _, accept := range []string{"text/html", "application/nostr+json", "application/json"} {
			req, err := http.NewRequestWithContext(dialing, http.MethodGet, srv.URL+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Accept", accept)
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(res.Body)
			if err != nil {
				t.Fatal(err)
			}
			if err := res.Body.Close(); err != nil {
				t.Fatal(err)
			}
			if strings.Contains(string(body), address) {
				t.Errorf("%s as %s tells who is connected: %s", path, accept, body)
			}
		}
	}
	_ = c.CloseNow() // the socket has done its part
	srv.Close()
	cancel()
	for range 2 {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}
