package relay_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"dvmrelay/relay"

	"github.com/nbd-wtf/go-nostr"
)

const (
	signPath = "/relay/admin"
	signedAt = "https://relay.example.com" + signPath // under home
)

// withAdmins gives the relay an address, two administrators, and a page that says who signed.
func withAdmins(r **rig) func(*rigOptions) {
	return func(o *rigOptions) {
		withURL(o)
		o.relay.Admins = []string{pub("admin"), pub("second admin")}
		o.fallback = http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			key, err := (*r).relay.Administrator(req)
			if err != nil {
				status := http.StatusInternalServerError
				var told *relay.AuthError
				if errors.As(err, &told) {
					status = told.HTTPStatus()
				}
				w.WriteHeader(status)
				_, _ = fmt.Fprint(w, err)
				return
			}
			_, _ = fmt.Fprint(w, key)
		})
	}
}

// signed is an event for one request.
func signed(by, method, url string, at time.Time, tags ...nostr.Tag) *nostr.Event {
	return eventAt(by, 27235, at.Unix(), "", append(nostr.Tags{{"u", url}, {"method", method}}, tags...)...)
}

func authorization(e *nostr.Event) string {
	b, err := json.Marshal(e)
	if err != nil {
		panic(err)
	}
	return "Authorization: Nostr " + base64.StdEncoding.EncodeToString(b)
}

func TestAdministrator_SignsOneRequestOnce(t *testing.T) {
	var r *rig
	r = open(t, withAdmins(&r))
	now := r.clock.now()
	for _, by := range []string{"admin", "second admin"} {
		header := authorization(signed(by, "GET", signedAt, now))
		resp, body := r.ask("GET", signPath, header)
		if resp.StatusCode != http.StatusOK || body != pub(by) {
			t.Errorf("%s: %d %s, want the key", by, resp.StatusCode, body)
		}
		if resp, body := r.ask("GET", signPath, header); resp.StatusCode != http.StatusUnauthorized || !strings.Contains(body, "used already") {
			t.Errorf("%s, the same again: %d %s, want 401", by, resp.StatusCode, body)
		}
	}
	// A clock may be a minute off, and the scheme may be written in any case.
	for i, off := range []time.Duration{-59 * time.Second, 59 * time.Second} {
		header := strings.Replace(authorization(signed("admin", "get", signedAt, r.clock.now().Add(off))), "Nostr", "nostr", i)
		if resp, body := r.ask("GET", signPath, header); resp.StatusCode != http.StatusOK {
			t.Errorf("%s off: %d %s, want 200", off, resp.StatusCode, body)
		}
	}
	// What was used stays used for as long as it would be taken, and longer.
	early := authorization(signed("admin", "GET", signedAt, r.clock.now().Add(58*time.Second)))
	r.ask("GET", signPath, early)
	r.clock.pass(100 * time.Second)
	if resp, body := r.ask("GET", signPath, early); resp.StatusCode != http.StatusUnauthorized || !strings.Contains(body, "used already") {
		t.Errorf("a used one, 100 s later: %d %s, want 401", resp.StatusCode, body)
	}
	if resp, body := r.ask("GET", signPath+"?a=b&c=%20", authorization(signed("admin", "GET", signedAt+"?a=b&c=%20", r.clock.now()))); resp.StatusCode != http.StatusOK {
		t.Errorf("with a query: %d %s, want 200", resp.StatusCode, body)
	}
}

func TestAdministrator_WhatIsRefused(t *testing.T) {
	var r *rig
	r = open(t, withAdmins(&r))
	now := r.clock.now()
	good := func() *nostr.Event { return signed("admin", "GET", signedAt, now) }
	forged := good()
	forged.Sig = signed("second admin", "GET", signedAt, now).Sig
	renamed := signed("stranger", "GET", signedAt, now)
	renamed.PubKey = pub("admin")
	other := eventAt("admin", 27236, now.Unix(), "", nostr.Tag{"u", signedAt}, nostr.Tag{"method", "GET"})
	token := strings.TrimPrefix(authorization(good()), "Authorization: Nostr ")
	long := signed("admin", "GET", signedAt, now)
	long.Content = strings.Repeat("x", 9<<10)
	for _, x := range []struct {
		name    string
		headers []string
		says    string
	}{
		{"nothing", nil, "one Authorization header"},
		{"empty", []string{"Authorization: "}, "one Authorization header"},
		{"two headers", []string{authorization(good()), authorization(signed("second admin", "GET", signedAt, now))}, "one Authorization header"},
		{"another scheme", []string{"Authorization: Bearer " + token}, "must begin with Nostr"},
		{"scheme alone", []string{"Authorization: Nostr"}, "no event"},
		{"no base64", []string{"Authorization: Nostr {\"kind\":27235}"}, "no base64"},
		{"half of it", []string{"Authorization: Nostr " + token[:len(token)/2/4*4]}, "no event"},
		{"no event", []string{"Authorization: Nostr " + base64.StdEncoding.EncodeToString([]byte(`{"id":null,"tags":[[[[[[]]]]]]}`))}, "no event"},
		{"garbage", []string{"Authorization: Nostr " + base64.StdEncoding.EncodeToString([]byte("\x00\xff\xfe"))}, "no event"},
		{"too long", []string{authorization(long)}, "longer than"},
		{"another kind", []string{authorization(other)}, "kind 27236"},
		{"another path", []string{authorization(signed("admin", "GET", "https://relay.example.com/relay", now))}, "tag u"},
		{"another host", []string{authorization(signed("admin", "GET", "https://evil.example"+signPath, now))}, "tag u"},
		{"another scheme of the URL", []string{authorization(signed("admin", "GET", "http://relay.example.com"+signPath, now))}, "tag u"},
		{"another query", []string{authorization(signed("admin", "GET", signedAt+"?x=1", now))}, "tag u"},
		{"two URLs", []string{authorization(signed("admin", "GET", signedAt, now, nostr.Tag{"u", "https://evil.example/"}))}, "tag u"},
		{"no URL", []string{authorization(eventAt("admin", 27235, now.Unix(), "", nostr.Tag{"method", "GET"}))}, "tag u"},
		{"another method", []string{authorization(signed("admin", "POST", signedAt, now))}, "tag method"},
		{"no method", []string{authorization(eventAt("admin", 27235, now.Unix(), "", nostr.Tag{"u", signedAt}, nostr.Tag{"method"}))}, "tag method"},
		{"ten minutes old", []string{authorization(signed("admin", "GET", signedAt, now.Add(-10*time.Minute)))}, "created_at"},
		{"ten minutes ahead", []string{authorization(signed("admin", "GET", signedAt, now.Add(10*time.Minute)))}, "created_at"},
		{"no administrator", []string{authorization(signed("stranger", "GET", signedAt, now))}, "no administrator"},
		{"forged", []string{authorization(forged)}, "signature"},
		{"another's key", []string{authorization(renamed)}, "hash"},
	} {
		t.Run(x.name, func(t *testing.T) {
			r.t = t
			resp, body := r.ask("GET", signPath, x.headers...)
			if resp.StatusCode != http.StatusUnauthorized || !strings.Contains(body, x.says) {
				t.Errorf("%d %q, want 401 and words about %q", resp.StatusCode, body, x.says)
			}
		})
	}
	if resp, body := r.ask("GET", signPath, authorization(good())); resp.StatusCode != http.StatusOK {
		t.Errorf("after all of that a good one: %d %s, want 200", resp.StatusCode, body)
	}
}

func TestAdministrator_IsOffWithoutURLOrKeys(t *testing.T) {
	for name, x := range map[string]struct {
		change func(*rigOptions)
		says   string
	}{
		"no url":    {func(o *rigOptions) { o.relay.URL = "" }, "relay.url"},
		"no admins": {func(o *rigOptions) { o.relay.Admins = nil }, "relay.admins"},
	} {
		var r *rig
		r = open(t, withAdmins(&r), x.change)
		if resp, body := r.ask("GET", signPath, authorization(signed("admin", "GET", signedAt, r.clock.now()))); resp.StatusCode != http.StatusUnauthorized || !strings.Contains(body, x.says) {
			t.Errorf("%s: %d %s, want 401 that names %s", name, resp.StatusCode, body, x.says)
		}
		if on := r.relay.SignURL(signPath) != ""; on != (name == "no admins") {
			t.Errorf("%s: there is an address to sign for: %t", name, on)
		}
	}
}

// TestAdministrator_StrangersWhoTryAreSlowed: forged signatures of one address are bounded by its rate.
func TestAdministrator_StrangersWhoTryAreSlowed(t *testing.T) {
	var r *rig
	r = open(t, withAdmins(&r), func(o *rigOptions) { o.policies.Limits.ReqsPerSecond, o.policies.Limits.ReqsBurst = 1, 3 })
	last := 0
	for range 5 {
		resp, _ := r.ask("GET", signPath, "X-Forwarded-For: 203.0.113.9", authorization(signed("stranger", "GET", signedAt, r.clock.now())))
		last = resp.StatusCode
	}
	if last != http.StatusTooManyRequests {
		t.Errorf("the fifth try at once = %d, want 429", last)
	}
	if resp, body := r.ask("GET", signPath, "X-Forwarded-For: 203.0.113.10", authorization(signed("admin", "GET", signedAt, r.clock.now()))); resp.StatusCode != http.StatusOK {
		t.Errorf("an administrator elsewhere: %d %s, want 200", resp.StatusCode, body)
	}
}

func TestSignURL_IsWhatTheWorldKnows(t *testing.T) {
	for url, want := range map[string]string{
		"wss://Relay.Example.com":         "https://relay.example.com/relay/admin",
		"wss://relay.example.com:443/":    "https://relay.example.com/relay/admin",
		"wss://relay.example.com:8443":    "https://relay.example.com:8443/relay/admin",
		"ws://localhost:3334/":            "http://localhost:3334/relay/admin",
		"ws://localhost:80":               "http://localhost/relay/admin",
		"wss://relay.example.com/market/": "https://relay.example.com/market/relay/admin",
		"":                                "",
	} {
		r := open(t, func(o *rigOptions) { o.relay.URL = url })
		if got := r.relay.SignURL(signPath); got != want {
			t.Errorf("%q: %q, want %q", url, got, want)
		}
		r.stop()
	}
}
