package web

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"dvmrelay/policies"
	"dvmrelay/wire"
)

// TestConnect_WhatIsShownCanBeAsked holds the page to the grammar of the relay: every filter and search on it can be read.
func TestConnect_WhatIsShownCanBeAsked(t *testing.T) {
	kinds := []RelayKinds{{Kinds: "5000-5127, 5130-5665", Name: "job requests"}, {Kinds: "9735", Name: "zap receipt", When: "naming a known event"}}
	r := newRig(t, DefaultOptions(), func(d *Deps) { d.Relay = func() RelayFacts { return RelayFacts{Kinds: kinds} } })
	for _, filled := range []bool{false, true} {
		var request, result string
		if filled {
			request, _, result = r.story()
			r.clock.Add(2)
		}
		resp, page := r.browse("http://hub.example/connect")
		if resp.StatusCode != http.StatusOK || !strings.Contains(page, `id="relay-url">ws://hub.example<`) {
			t.Fatalf("status %d, want a page with the address of the relay", resp.StatusCode)
		}
		if filled && (!strings.Contains(page, "thread:"+request) || !strings.Contains(page, result)) {
			t.Error("the examples do not name the job that is here")
		}
		var c connection
		r.get("/connect.json", http.StatusOK, &c)
		for _, text := range append([]string{c.Money, c.Search}, c.Portable...) {
			f, err := wire.ParseFilter([]byte(text), wire.DefaultLimits())
			if err != nil {
				t.Errorf("filter %s: %v", text, err)
			}
			if f.Search != "" {
				if s, err := policies.ParseSearch(f.Search); err != nil || s.Thread.IsZero() {
					t.Errorf("search %s: %v", f.Search, err)
				}
			}
			if !strings.Contains(page, strings.ReplaceAll(text, `"`, "&#34;")) {
				t.Errorf("the page does not show %s", text)
			}
		}
		links := regexp.MustCompile(`href="(/explore\?[^"]*)"`).FindAllStringSubmatch(page, -1)
		if len(links) < 6 {
			t.Errorf("%d searches to try, want at least 6", len(links))
		}
		for _, m := range links {
			query := strings.TrimPrefix(strings.ReplaceAll(m[1], "&amp;", "&"), "/explore?")
			if e := r.explored(query); len(e.Faults) > 0 {
				t.Errorf("%s: %v", query, e.Faults)
			}
		}
		for _, key := range c.Keys {
			if name, isKey := strings.CutSuffix(key.Name, ":"); isKey {
				if _, err := policies.ParseSearch(name + ":"); err == nil || strings.Contains(err.Error(), "is not known here") {
					t.Errorf("search has no key %s: %v", key.Name, err)
				}
			}
		}
		for _, want := range []string{"5000-5127", "9735", "naming a known event"} {
			if !strings.Contains(page, want) {
				t.Errorf("the table of kinds lacks %q", want)
			}
		}
	}
}

func TestConnect_WithoutAnAddressItSaysWhatItCan(t *testing.T) {
	r := newRig(t, DefaultOptions(), func(d *Deps) { d.Relay = nil })
	req := httptest.NewRequest(http.MethodGet, "/connect", nil)
	req.Host = `bad"<host`
	w := httptest.NewRecorder()
	r.site.ServeHTTP(w, req)
	if page := w.Body.String(); w.Code != http.StatusOK || strings.Contains(page, `bad"`) || strings.Contains(page, "<host") || !strings.Contains(page, "does not say here what it accepts") {
		t.Errorf("status %d, want a page without an address and without kinds", w.Code)
	}
	const information = `{"supported_nips":[1,42,77],"limitation":{"max_limit":5000,"events_per_second":100}}`
	r = newRig(t, DefaultOptions(), func(d *Deps) {
		d.RelayURL, d.AuthEncrypted = "wss://hub.example", true
		d.Relay = func() RelayFacts { return RelayFacts{Information: []byte(information)} }
	})
	_, page := r.browse("/connect")
	for _, want := range []string{"encrypted jobs among it", "wss://hub.example", "--only-missing", "events for a filter, at most", "100 a second"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q, which the relay's document tells", want)
		}
	}
}
