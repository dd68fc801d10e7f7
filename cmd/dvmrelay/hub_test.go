package main

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"dvmrelay/config"
	"dvmrelay/mirror"
	"dvmrelay/policies"
	"dvmrelay/store"
	"dvmrelay/store/storetest"

	"github.com/nbd-wtf/go-nostr"
)

// testHub joins every part over a store of its own, with no upstreams and any free port.
func testHub(t *testing.T, change func(*config.Config)) *hub {
	t.Helper()
	cfg := config.Default()
	cfg.Store.Dir = t.TempDir()
	cfg.Store.FreeFloor = 0
	cfg.Relay.Listen, cfg.Ops.Listen, cfg.Mirror.Upstreams = "127.0.0.1:0", "", nil
	if change != nil {
		change(&cfg)
	}
	h, err := openHub(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.close(); err != nil {
			t.Errorf("close hub: %v", err)
		}
	})
	return h
}

func (h *hub) readyz() int {
	w := httptest.NewRecorder()
	h.relay.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/readyz", nil))
	return w.Code
}

func within30s(t *testing.T, what string, ok func() bool) {
	t.Helper()
	end := time.After(30 * time.Second)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-end:
			t.Fatalf("not within 30 s: %s", what)
		}
	}
}

func TestReady_OnlyWhileTheStoreRunsAndTheSocketIsOpen(t *testing.T) {
	h := testHub(t, nil)
	if code := h.readyz(); code != http.StatusServiceUnavailable {
		t.Errorf("before anything runs /readyz = %d, want 503", code)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var level slog.LevelVar
	ended := make(chan error, 1)
	go func() { ended <- (&server{hub: h, call: &call{}, level: &level}).run(ctx) }()
	within30s(t, "ready", func() bool { return h.readyz() == http.StatusOK })
	cancel()
	within30s(t, "not ready", func() bool { return h.readyz() == http.StatusServiceUnavailable })
	if err := <-ended; err != nil {
		t.Errorf("run = %v, want nil", err)
	}
	if code := h.readyz(); code != http.StatusServiceUnavailable {
		t.Errorf("after the end /readyz = %d, want 503", code)
	}
}

func TestReady_NotWhileTheStoreStandsStill(t *testing.T) {
	h := testHub(t, nil)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- h.readiness(ctx) }() // the store does not run
	for range 50 {
		if code := h.readyz(); code != http.StatusServiceUnavailable {
			t.Fatalf("/readyz = %d while the store takes nothing, want 503", code)
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("readiness = %v, want nil", err)
	}
}

func TestHub_ServesWithAFullDisk(t *testing.T) {
	h := testHub(t, func(c *config.Config) {
		c.Store.FreeFloor = 1 << 30
		c.Store.Disk = func(string) (free, total uint64, err error) { return 1 << 20, 1 << 40, nil }
	})
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var level slog.LevelVar
	ended := make(chan error, 1)
	go func() { ended <- (&server{hub: h, call: &call{}, level: &level}).run(ctx) }()
	within30s(t, "ready", func() bool {
		select {
		case err := <-ended:
			t.Fatalf("the relay ended: %v", err)
		default:
		}
		return h.readyz() == http.StatusOK
	})
	job := storetest.Parsed(t, nostr.Event{Kind: 5300, CreatedAt: nostr.Now(), PubKey: strings.Repeat("ab", 32)})
	if _, _, err := h.store.Save(ctx, job); !errors.Is(err, store.ErrDiskFull) {
		t.Errorf("save = %v, want ErrDiskFull", err)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("run = %v, want nil", err)
	}
}

func TestMirroredKinds_AreTheAcceptedOnesOfTheDefault(t *testing.T) {
	h := testHub(t, func(c *config.Config) {
		c.Kinds.Deny = []policies.KindRange{{From: 5300, To: 5309}, {From: 7007, To: 7007}}
		c.Kinds.Allow = []policies.KindRange{{From: 1, To: 1}, {From: 5666, To: 5666}}
	})
	got, all := h.cfg.Mirror.Kinds, append(mirror.DefaultKinds(), mirror.PeopleKinds()...)
	if len(got) != len(all)-11 {
		t.Errorf("%d kinds are mirrored, want %d but for the 11 that are denied", len(got), len(all))
	}
	for kind, want := range map[int]bool{5000: true, 5299: true, 5300: false, 5309: false, 5310: true, 7000: true, 7007: false, 1: false, 5666: false} {
		if slices.Contains(got, kind) != want {
			t.Errorf("kind %d is mirrored: %t, want %t", kind, !want, want)
		}
	}
	none := testHub(t, func(c *config.Config) { c.Kinds.Deny = []policies.KindRange{{From: 0, To: 65535}} })
	if none.cfg.Mirror.Kinds == nil || len(none.cfg.Mirror.Kinds) != 0 {
		t.Errorf("with every kind denied %v are mirrored, want an empty list", none.cfg.Mirror.Kinds)
	}
}

func TestAuthEncrypted_BindsTheAPI(t *testing.T) {
	for _, auth := range []bool{false, true} {
		h := testHub(t, func(c *config.Config) { c.Relay.URL, c.Relay.AuthEncrypted = "ws://hub.example", auth })
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan error, 1)
		go func() { ended <- h.store.Run(ctx) }()
		job := storetest.Parsed(t, nostr.Event{
			Kind: 5300, CreatedAt: nostr.Now(), PubKey: strings.Repeat("ab", 32), Content: "ciphertext",
			Tags: nostr.Tags{{"p", strings.Repeat("cd", 32)}, {"encrypted"}},
		})
		if _, _, err := h.store.Save(ctx, job); err != nil {
			t.Fatal(err)
		}
		w := httptest.NewRecorder()
		h.relay.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/api/v1/jobs/"+job.Event.ID, nil))
		if w.Code != http.StatusOK || strings.Contains(w.Body.String(), "ciphertext") == auth {
			t.Errorf("auth_encrypted = %t: %d %s, want the body only when it is off", auth, w.Code, w.Body)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}
