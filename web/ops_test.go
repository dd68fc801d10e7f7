package web

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"dvmrelay/store"
)

func opsGet(t *testing.T, h http.Handler, target string) (int, string) {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, target, nil))
	return w.Code, w.Body.String()
}

func TestOps_Metrics(t *testing.T) {
	r := newRig(t, DefaultOptions())
	r.story()
	r.put(5777, 1_700_000_001, "dd", "")
	h := Ops(OpsDeps{
		Store: r.store.Stats, Upstreams: func() []Upstream { return testUpstreams }, Version: "test",
		Gauges: []Gauges{GaugesFunc(func() []Figure {
			return []Figure{
				{Name: "dvmrelay_relay_sockets", Help: "Open sockets.", Value: 3},
				{Name: "dvmrelay_relay_sockets", Help: "Open sockets.", Value: 4}, // said twice: the first counts
			}
		})},
	})
	code, text := opsGet(t, h, "/metrics")
	if code != http.StatusOK {
		t.Fatalf("status %d: %s", code, text)
	}
	for _, want := range []string{
		`dvmrelay_store_events{kind="5050"} 1`, `dvmrelay_store_events{kind="other"} 1`, `dvmrelay_relay_sockets 3`,
		`dvmrelay_mirror_upstream_up{upstream="wss://a.example"} 1`, `dvmrelay_mirror_events_total{outcome="stored",upstream="wss://a.example"} 5`,
		`dvmrelay_mirror_exclusive_events{upstream="wss://a.example"} 3`,
		`dvmrelay_mirror_rejected_events_total{reason="invalid",upstream="wss://b.example"} 2`, `dvmrelay_build_info{version="test"} 1`, "go_goroutines ",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("metrics lack %s", want)
		}
	}
	name := regexp.MustCompile(`^(dvmrelay_[a-z]+_[a-z_]+|go_[a-z_]+|process_[a-z_]+|promhttp_[a-z_]+)(\{|$)`)
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if series, _, _ := strings.Cut(line, " "); !name.MatchString(series) {
			t.Errorf("series %q is not named as it should be", series)
		}
		if regexp.MustCompile(`[0-9a-f]{64}`).MatchString(line) {
			t.Errorf("line %q carries an id or a key", line)
		}
	}
}

func TestOps_Healthz(t *testing.T) {
	r := newRig(t, DefaultOptions())
	var trouble error
	h := Ops(OpsDeps{
		Store: r.store.Stats, StoreHealth: func() error { return trouble }, Sync: "batch", Version: "test",
		Upstreams: func() []Upstream { return testUpstreams },
		Parts:     func() map[string]Part { return map[string]Part{"relay": {State: "ok"}} },
	})
	var got struct {
		State string
		Parts map[string]Part
	}
	code, text := opsGet(t, h, "/healthz")
	if err := json.Unmarshal([]byte(text), &got); err != nil {
		t.Fatal(err)
	}
	if code != http.StatusOK || got.State != "ok" || got.Parts["store"].Detail["sync"] != "batch" || got.Parts["relay"].State != "ok" || got.Parts["mirror"].State != "ok" {
		t.Errorf("healthz = %d %s, want ok with sync batch and three parts", code, text)
	}
	trouble = store.ErrDiskFull
	if code, text := opsGet(t, h, "/healthz"); code != http.StatusServiceUnavailable || !strings.Contains(text, store.ErrDiskFull.Error()) {
		t.Errorf("with a full disk: %d %s, want 503 that names it", code, text)
	}
	if code, _ := opsGet(t, h, "/debug/pprof/"); code != http.StatusOK {
		t.Errorf("pprof = %d, want 200", code)
	}
}

func TestOps_WithoutPartsStillAnswers(t *testing.T) {
	h := Ops(OpsDeps{})
	for _, target := range []string{"/metrics", "/healthz"} {
		if code, text := opsGet(t, h, target); code != http.StatusOK {
			t.Errorf("%s = %d: %s", target, code, text)
		}
	}
}
