package main

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"dvmrelay/config"
	"dvmrelay/store/storetest"

	"github.com/nbd-wtf/go-nostr"
)

// TestFollow_ThePartsTogetherDialNoAddressInside has a whole relay follow a job that names addresses of this machine: none
// is dialled, the refusals are counted in the metrics, and the job's page says that answers may be there.
func TestFollow_ThePartsTogetherDialNoAddressInside(t *testing.T) {
	var dialled atomic.Int64
	inside := httptest.NewUnstartedServer(http.NotFoundHandler())
	inside.Config.ConnState = func(net.Conn, http.ConnState) { dialled.Add(1) }
	inside.Start()
	defer inside.Close()
	addr := strings.TrimPrefix(inside.URL, "http://")
	_, port, _ := net.SplitHostPort(addr)
	h := testHub(t, func(c *config.Config) { c.Mirror.Follow = true })
	ctx, cancel := context.WithCancel(context.Background())
	var level slog.LevelVar
	s := &server{hub: h, call: &call{}, level: &level}
	ended := make(chan error, 1)
	go func() { ended <- s.run(ctx) }()
	defer func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("run = %v, want nil", err)
		}
	}()
	within30s(t, "ready", func() bool { return h.serving() == nil })
	job := storetest.Parsed(t, nostr.Event{
		Kind: 5300, CreatedAt: nostr.Now(), PubKey: strings.Repeat("ab", 32),
		Tags: nostr.Tags{{"i", "x", "text"}, {"relays", "ws://" + addr, "ws://localhost:" + port, "ws://[::1]:" + port, "ws://x.onion"}},
	})
	if _, _, err := h.store.Save(ctx, job); err != nil {
		t.Fatal(err)
	}
	within30s(t, "the job looked at", func() bool { return h.mirror.Following().Jobs == 1 })
	w := httptest.NewRecorder()
	s.ops().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	for _, want := range []string{`dvmrelay_mirror_followed_refused_addresses_total{reason="not-public"} 4`, "dvmrelay_mirror_followed_dials_total 0", "dvmrelay_mirror_followed_jobs 1"} {
		if !strings.Contains(w.Body.String(), want+"\n") {
			t.Errorf("metrics lack %s", want)
		}
	}
	if n := dialled.Load(); n != 0 {
		t.Errorf("a server inside was connected to (%d changes of state)", n)
	}
	w = httptest.NewRecorder()
	h.relay.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/api/v1/jobs/"+job.Event.ID, nil))
	if !strings.Contains(w.Body.String(), "asks-on-unwatched-relay") {
		t.Errorf("the job's page does not say where answers may be: %s", w.Body)
	}
}
