package web

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"dvmrelay/store"

	"github.com/nbd-wtf/go-nostr"
)

func TestPage_IsWholeAndSafe(t *testing.T) {
	const evil = `<script>alert(1)</script>"><img src=x onerror=alert(2)>`
	r := newRig(t, DefaultOptions(), func(d *Deps) { d.Name, d.Description = evil, evil })
	request, _, _ := r.story()
	r.put(5050, 1_700_000_060, "cc", "", nostr.Tag{"i", evil + strings.Repeat(" long", 100), "text"})
	resp := r.do(http.MethodGet, "http://hub.example:3334/")
	page := read(t, resp)
	if resp.StatusCode != http.StatusOK || !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/html") {
		t.Fatalf("status %d, %s, want a page: %s", resp.StatusCode, resp.Header.Get("Content-Type"), page)
	}
	for _, want := range []string{`content="http://hub.example:3334`, "/jobs/" + request, "1 of 2 upstreams", "success", "a red &lt;b&gt;fox"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	foreign := regexp.MustCompile(`(?:src|href|action)="(?:[a-z]+:|//)[^"]*`)
	for _, not := range []string{"<script>", "<img", "<b>fox", "javascript:", "style=", " onerror=alert"} {
		if strings.Contains(strings.ReplaceAll(page, "&#34;&gt;&lt;img src=x onerror=alert", ""), not) {
			t.Errorf("the page contains %q", not)
		}
	}
	if bad := foreign.FindString(page); bad != "" {
		t.Errorf("the page leads elsewhere: %s", bad)
	}
	csp := resp.Header.Get("Content-Security-Policy")
	if !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") {
		t.Errorf("Content-Security-Policy = %q, want a strict one", csp)
	}
	if strings.Count(page, " long") > 20 {
		t.Error("the page shows a long input whole")
	}
}

func TestPage_HostileHostIsNotRepeated(t *testing.T) {
	r := newRig(t, DefaultOptions())
	for _, host := range []string{`x"><script>`, "a b", strings.Repeat("a", 300), "ex\u00e4mple"} {
		req := httptest.NewRequest(http.MethodGet, "/", nil)
		req.Host = host
		w := httptest.NewRecorder()
		r.site.ServeHTTP(w, req)
		if w.Code != http.StatusOK || strings.Contains(w.Body.String(), "ws://") {
			t.Errorf("host %q: status %d, relay URL shown = %v, want a page without one", host, w.Code, strings.Contains(w.Body.String(), "ws://"))
		}
	}
}

func TestPage_EmptyHubSaysWhatToDo(t *testing.T) {
	r := newRig(t, DefaultOptions(), func(d *Deps) { d.Upstreams, d.RelayURL = nil, "wss://hub.example" })
	page := read(t, r.do(http.MethodGet, "/"))
	for _, want := range []string{"wss://hub.example", "No job has been seen yet", "mirrors nothing"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
}

func TestPage_IsReadAnewAfterAMoment(t *testing.T) {
	r := newRig(t, DefaultOptions())
	first := read(t, r.do(http.MethodGet, "/"))
	r.story()
	if again := read(t, r.do(http.MethodGet, "/")); again != first {
		t.Error("within the same second the page was read twice")
	}
	r.clock.Add(2)
	if again := read(t, r.do(http.MethodGet, "/")); !strings.Contains(again, "a red") {
		t.Error("after two seconds the new job is not there")
	}
}

func TestHealth(t *testing.T) {
	var ready error
	r := newRig(t, DefaultOptions(), func(d *Deps) { d.Ready = func() error { return ready } })
	r.get("/livez", http.StatusOK, nil)
	r.get("/readyz", http.StatusOK, nil)
	var v map[string]any
	r.get("/version", http.StatusOK, &v)
	if v["version"] != "test" || len(v) != 2 {
		t.Errorf("version = %v, want test and nothing of a demo", v)
	}
	ready = errors.New("not yet")
	r.get("/readyz", http.StatusServiceUnavailable, nil)
	r.get("/livez", http.StatusOK, nil)
}

func TestHealth_SaysThatItIsADemo(t *testing.T) {
	r := newRig(t, DefaultOptions(), func(d *Deps) { d.Demo = true })
	var v struct{ Demo bool }
	if r.get("/version", http.StatusOK, &v); !v.Demo {
		t.Error("/version does not say that this is a demo")
	}
	for demo, want := range map[bool]bool{true: true, false: false} {
		_, text := opsGet(t, Ops(OpsDeps{Demo: demo}), "/healthz")
		if got := strings.Contains(text, `"demo":true`); got != want || strings.Contains(text, `"demo":false`) {
			t.Errorf("/healthz of a demo = %t: %s", demo, text)
		}
	}
}

func TestSite_PanicAndTroubleAreAnswers(t *testing.T) {
	var fail func() error
	r := newRig(t, DefaultOptions(), func(d *Deps) {
		view := d.View
		d.View = func(fn func(store.Reader) error) error {
			if fail != nil {
				return fail()
			}
			return view(fn)
		}
	})
	fail = func() error { panic("oops") }
	resp := r.do(http.MethodGet, "/api/v1/jobs")
	if text := read(t, resp); resp.StatusCode != http.StatusInternalServerError || strings.Contains(text, "oops") {
		t.Errorf("panic = %d %s, want a 500 that says nothing of it", resp.StatusCode, text)
	}
	fail = func() error { return store.ErrClosed }
	if resp := r.do(http.MethodGet, "/api/v1/jobs"); resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" {
		t.Errorf("closed store = %d, want 503 with Retry-After", resp.StatusCode)
	}
	fail = func() error { return errors.New("disk on fire at /secret") }
	resp = r.do(http.MethodGet, "/api/v1/stats")
	if text := read(t, resp); resp.StatusCode != http.StatusInternalServerError || strings.Contains(text, "secret") {
		t.Errorf("trouble = %d %s, want a 500 that says nothing of it", resp.StatusCode, text)
	}
	fail = nil
	r.get("/api/v1/jobs", http.StatusOK, nil)
}
