package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"dvmrelay/config"
	"dvmrelay/relay"
	"dvmrelay/web"

	"github.com/coder/websocket"
	"github.com/nbd-wtf/go-nostr"
)

// doorsOf opens a hub's doors until the test ends.
func doorsOf(t *testing.T, h *hub) *httptest.Server {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 2)
	go func() { ended <- h.store.Run(ctx) }()
	go func() { ended <- h.relay.Run(ctx) }()
	srv := httptest.NewUnstartedServer(nil)
	srv.Config = relay.Server(h.cfg.Relay, h.relay.Handler(), nil)
	srv.Start()
	t.Cleanup(func() {
		cancel()
		for range 2 {
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}
		srv.Close()
	})
	return srv
}

// fetch asks over a real connection; headers are names and values in turn.
func fetch(t *testing.T, url string, headers ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

// TestRelayPage_LimitsAreThoseOfNIP11AndAreEnforced: what the page shows is what the document tells, also after a reload, and
// a client that goes beyond is refused.
func TestRelayPage_LimitsAreThoseOfNIP11AndAreEnforced(t *testing.T) {
	h := testHub(t, func(c *config.Config) {
		c.Limits.Subscriptions, c.Limits.Filters, c.Limits.Tags, c.Limits.MaxLimit = 3, 5, 7, 0
	})
	srv := doorsOf(t, h)
	check := func(subs int) {
		t.Helper()
		_, told := fetch(t, srv.URL+"/", "Accept", "application/nostr+json")
		var document map[string]any
		if err := json.Unmarshal([]byte(told), &document); err != nil {
			t.Fatal(err)
		}
		limits, ok := document["limitation"].(map[string]any)
		if !ok || limits["max_subscriptions"] != float64(subs) {
			t.Fatalf("NIP-11 tells %s, want %d subscriptions", told, subs)
		}
		within30s(t, "the page tells what NIP-11 tells", func() bool { // it may be a second old
			_, shown := fetch(t, srv.URL+"/relay.json")
			var facts struct{ Information map[string]any }
			return json.Unmarshal([]byte(shown), &facts) == nil && fmt.Sprint(document) == fmt.Sprint(facts.Information)
		})
		page := ""
		within30s(t, "the page shows the limit in force", func() bool {
			_, page = fetch(t, srv.URL+"/relay", "Accept", "text/html")
			return strings.Contains(page, fmt.Sprintf(`<code class="dim">max_subscriptions</code></span></td><td data-label="Value" class="number">%d</td>`, subs))
		})
		for name := range limits {
			if !strings.Contains(page, name) {
				t.Errorf("the page lacks %s", name)
			}
		}
		if !strings.Contains(page, `<code class="dim">max_limit</code></span></td><td data-label="Value" class="number">no limit</td>`) {
			t.Error("the page shows a limit that is not in force")
		}
		if n := subscriptionsBeforeClosed(t, srv.URL); n != subs {
			t.Errorf("%d subscriptions were let in, want %d", n, subs)
		}
	}
	check(3)
	next := h.cfg
	next.Limits.Subscriptions = 6
	if err := h.rules.Reload(next.Rules()); err != nil {
		t.Fatal(err)
	}
	check(6)
}

// subscriptionsBeforeClosed opens subscriptions until one is refused.
func subscriptionsBeforeClosed(t *testing.T, url string) int {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	c, _, err := websocket.Dial(ctx, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseNow()
	for n := 0; ; n++ {
		if err := c.Write(ctx, websocket.MessageText, fmt.Appendf(nil, `["REQ","s%d",{"kinds":[5300]}]`, n)); err != nil {
			t.Fatal(err)
		}
		_, answer, err := c.Read(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(string(answer), `["CLOSED"`) {
			return n
		}
	}
}

// TestRelayPage_KindsAreThoseInForce: the page lists what is accepted, presets and lists applied.
func TestRelayPage_KindsAreThoseInForce(t *testing.T) {
	h := testHub(t, func(c *config.Config) { c.Kinds.Presets = []string{"contextvm"} })
	srv := doorsOf(t, h)
	var facts web.RelayFacts
	_, shown := fetch(t, srv.URL+"/relay.json")
	if err := json.Unmarshal([]byte(shown), &facts); err != nil {
		t.Fatal(err)
	}
	by := map[string]web.RelayKinds{}
	for _, k := range facts.Kinds {
		by[k.Kinds] = k
	}
	if k := by["5000-5127, 5130-5665, 5667-5968, 5970-5999"]; k.Name != "job request" || k.When != "" {
		t.Errorf("requests: %+v of %+v", k, facts.Kinds)
	}
	if k := by["21316, 25910, 26910"]; !k.Gated {
		t.Errorf("ContextVM: %+v of %+v", k, facts.Kinds)
	}
	if facts.SignIn != web.SignInNoURL || facts.StartedAt == 0 || facts.Memory == 0 {
		t.Errorf("facts: %+v", facts)
	}
}

// TestAdmin_SignsInOverTheRealDoors: an administrator sees who is connected, from where, and what was asked; the same request
// again shows nothing, nor does anybody else's.
func TestAdmin_SignsInOverTheRealDoors(t *testing.T) {
	const secret, stranger = "00000000000000000000000000000000000000000000000000000000abcdef01", "00000000000000000000000000000000000000000000000000000000abcdef02"
	admin, err := nostr.GetPublicKey(secret)
	if err != nil {
		t.Fatal(err)
	}
	h := testHub(t, func(c *config.Config) { c.Relay.URL, c.Relay.Admins = "wss://hub.example", []string{admin} })
	srv := doorsOf(t, h)
	c, _, err := websocket.Dial(t.Context(), srv.URL, &websocket.DialOptions{HTTPHeader: http.Header{"X-Forwarded-For": {"203.0.113.77"}, "User-Agent": {"<script>evil"}}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseNow()
	if err := c.Write(t.Context(), websocket.MessageText, []byte(`["REQ","s",{"kinds":[5300],"limit":0}]`)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := c.Read(t.Context()); err != nil { // from here on the relay counts the connection
		t.Fatal(err)
	}
	sign := func(by string, at time.Time) string {
		evt := nostr.Event{Kind: 27235, CreatedAt: nostr.Timestamp(at.Unix()), Tags: nostr.Tags{{"u", "https://hub.example/relay/admin"}, {"method", "GET"}}}
		if err := evt.Sign(by); err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(evt)
		if err != nil {
			t.Fatal(err)
		}
		return "Nostr " + base64.StdEncoding.EncodeToString(text)
	}
	good := sign(secret, time.Now())
	resp, part := fetch(t, srv.URL+"/relay/admin", "Authorization", good, "Accept", "text/html")
	if resp.StatusCode != http.StatusOK || !strings.Contains(part, "203.0.113.77") || !strings.Contains(part, "&lt;script&gt;evil") || resp.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("%d %v %s", resp.StatusCode, resp.Header, part)
	}
	for name, header := range map[string]string{
		"again": good, "a stranger": sign(stranger, time.Now()), "old": sign(secret, time.Now().Add(-10*time.Minute)), "ahead": sign(secret, time.Now().Add(10*time.Minute)),
		"no base64": "Nostr ???", "nothing": "",
	} {
		resp, text := fetch(t, srv.URL+"/relay/admin", "Authorization", header)
		if resp.StatusCode != http.StatusUnauthorized || strings.Contains(text, "203.0.113") || !strings.Contains(text, `"detail":"`) {
			t.Errorf("%s: %d %s, want 401 and why", name, resp.StatusCode, text)
		}
	}
	if resp, text := fetch(t, srv.URL+"/relay/admin", "Authorization", "Nostr "+strings.Repeat("A", 40<<10)); resp.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("an endless header: %d %s, want 431", resp.StatusCode, text)
	}
	if _, page := fetch(t, srv.URL+"/relay", "Accept", "text/html"); strings.Contains(page, "203.0.113") || !strings.Contains(page, `data-url="https://hub.example/relay/admin"`) {
		t.Error("the public page names a client, or not what to sign")
	}
}
