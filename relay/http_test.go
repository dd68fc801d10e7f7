package relay_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"dvmrelay/policies"
	"dvmrelay/relay"

	"github.com/gobwas/ws"
	"github.com/nbd-wtf/go-nostr"
)

// ask makes an HTTP request; headers are given as "Name: value".
func (r *rig) ask(method, path string, headers ...string) (*http.Response, string) {
	r.t.Helper()
	req, err := http.NewRequest(method, "http://"+r.addr+path, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Add(name, value)
	}
	resp, err := r.srv.Client().Do(req)
	if err != nil {
		r.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatalf("%s %s: %v", method, path, err)
	}
	return resp, string(body)
}

func (r *rig) information() relay.Information {
	r.t.Helper()
	resp, body := r.ask("GET", "/", "Accept: application/nostr+json")
	var info relay.Information
	if err := json.Unmarshal([]byte(body), &info); err != nil || resp.StatusCode != http.StatusOK {
		r.t.Fatalf("information: %d %s: %v", resp.StatusCode, body, err)
	}
	return info
}

func TestHTTP_WhoAnswersWhat(t *testing.T) {
	r := open(t, func(o *rigOptions) {
		o.fallback = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "page") })
	})
	upgrade := []string{"Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="}
	for _, x := range []struct {
		name, method, path string
		headers            []string
		status             int
		kind, body         string // what they begin with
	}{
		{"a browser", "GET", "/", []string{"Accept: text/html,*/*;q=0.8"}, 200, "", "page"},
		{"no Accept", "GET", "/", nil, 200, "", "page"},
		{"NIP-11", "GET", "/", []string{"Accept: application/nostr+json"}, 200, "application/nostr+json", "{"},
		{"NIP-11 among others", "GET", "/", []string{"Accept: text/html, application/nostr+json;q=0.5"}, 200, "application/nostr+json", "{"},
		{"NIP-11 not wanted", "GET", "/", []string{"Accept: text/html, application/nostr+json;q=0"}, 200, "", "page"},
		{"NIP-11 by HEAD", "HEAD", "/", []string{"Accept: application/nostr+json"}, 200, "application/nostr+json", ""},
		{"preflight", "OPTIONS", "/", []string{"Origin: https://x.example", "Access-Control-Request-Method: GET"}, 204, "", ""},
		{"NIP-86", "POST", "/", []string{"Content-Type: application/nostr+json+rpc"}, 404, "application/problem+json", "{"},
		{"another path", "GET", "/api/v1/jobs", []string{"Accept: application/nostr+json"}, 200, "", "page"},
		{"a websocket elsewhere", "GET", "/api/v1/jobs", upgrade, 200, "", "page"},
		{"a websocket by POST", "POST", "/", upgrade, 405, "application/problem+json", "{"},
		{"a websocket of another version", "GET", "/", append(slices.Clone(upgrade[:2]), "Sec-WebSocket-Version: 8", upgrade[3]), 426, "application/problem+json", "{"},
		{"a websocket without key", "GET", "/", upgrade[:3], 400, "application/problem+json", "{"},
	} {
		t.Run(x.name, func(t *testing.T) {
			resp, body := r.ask(x.method, x.path, x.headers...)
			if resp.StatusCode != x.status || !strings.HasPrefix(body, x.body) || !strings.HasPrefix(resp.Header.Get("Content-Type"), x.kind) {
				t.Errorf("got %d %q %.100q, want %d %q %q", resp.StatusCode, resp.Header.Get("Content-Type"), body, x.status, x.kind, x.body)
			}
			if x.path == "/" && (x.kind == "application/nostr+json" || x.method == "OPTIONS") && resp.Header.Get("Access-Control-Allow-Origin") != "*" {
				t.Error("pages of other origins may not read it")
			}
		})
	}
}

func TestInformation_TellsWhatIsServed(t *testing.T) {
	dir := t.TempDir()
	for _, x := range []struct {
		name   string
		change func(*rigOptions)
		nips   []int
	}{
		{"by default", func(*rigOptions) {}, []int{1, 9, 11, 40, 45, 50, 62, 70, 89, 90}},
		{"with everything", func(o *rigOptions) {
			withURL(o)
			o.relay.EOSEHint = true
			o.relay.Sync = "batch"
			o.policies.Rules.MinPoW = 8
			o.relay.Admins = []string{pub("admin")}
			o.relay.KeyFile = filepath.Join(dir, "key")
		}, []int{1, 9, 11, 13, 40, 42, 45, 50, 62, 67, 70, 89, 90}},
	} {
		t.Run(x.name, func(t *testing.T) {
			r := open(t, x.change)
			info := r.information()
			if !slices.Equal(info.SupportedNIPs, x.nips) {
				t.Errorf("got %v, want %v", info.SupportedNIPs, x.nips)
			}
			key, has := r.relay.Key()
			if has != (info.Self != "") || has && info.Self != key.Public.String() {
				t.Errorf("self is %q", info.Self)
			}
		})
	}
}

func TestInformation_ZeroIsAbsent(t *testing.T) {
	r := open(t, func(o *rigOptions) { o.policies.Limits = policies.Limits{} })
	_, body := r.ask("GET", "/", "Accept: application/nostr+json")
	for _, field := range []string{"max_message_length", "max_subscriptions", "max_limit", "max_event_tags", "max_content_length", "events_per_second", "min_pow_difficulty", "created_at_upper_limit"} {
		if strings.Contains(body, field) {
			t.Errorf("%s is advertised: %s", field, body)
		}
	}
	c := r.dial()
	for i := range 100 {
		c.send(fmt.Sprintf(`["REQ","s%d",{"kinds":[5300]}]`, i))
		c.want("EOSE")
	}
	c.publish(event("customer", 5300, strings.Repeat("x", 300<<10)))
}

// TestInformation_LimitsAreEnforcedAsAdvertised reads the document and goes to each limit, and one step over it.
func TestInformation_LimitsAreEnforcedAsAdvertised(t *testing.T) {
	r := open(t, func(o *rigOptions) {
		l := &o.policies.Limits
		l.MessageBytes, l.ContentBytes, l.Tags, l.FutureSecs = 40_000, 20_000, 30, 300
		l.Subscriptions, l.Filters, l.Values, l.LiveValues, l.MaxLimit, l.DefaultLimit = 4, 3, 10, 50, 7, 5
		o.policies.Rules.MinPoW = 4
	})
	info := r.information()
	l := info.Limitation
	c := r.dial()
	mined := func(change func(e *nostr.Event)) *nostr.Event {
		for nonce := 0; ; nonce++ {
			e := &nostr.Event{Kind: 5300, CreatedAt: nostr.Now(), Tags: nostr.Tags{{"nonce", fmt.Sprint(nonce), fmt.Sprint(l.MinPoWDifficulty)}}}
			change(e)
			if err := e.Sign(key("customer")); err != nil {
				t.Fatal(err)
			}
			if e.ID[0] == '0' {
				return e
			}
		}
	}
	verdict := func(e *nostr.Event) string {
		c.send(publish(e))
		m := c.want("OK", e.ID)
		return m.text(2) + " " + strings.SplitN(m.text(3), ":", 2)[0]
	}
	tags := func(n int) func(*nostr.Event) {
		return func(e *nostr.Event) {
			for len(e.Tags) < n {
				e.Tags = append(e.Tags, nostr.Tag{"t", "x"})
			}
		}
	}
	for _, x := range []struct {
		name  string
		event *nostr.Event
		want  string
	}{
		{"content at the limit", mined(func(e *nostr.Event) { e.Content = strings.Repeat("x", int(l.MaxContentLength)) }), "true "},
		{"content over the limit", mined(func(e *nostr.Event) { e.Content = strings.Repeat("x", int(l.MaxContentLength)+1) }), "false invalid"},
		{"tags at the limit", mined(tags(l.MaxEventTags)), "true "},
		{"tags over the limit", mined(tags(l.MaxEventTags + 1)), "false invalid"},
		{"as far ahead as may be", mined(func(e *nostr.Event) { e.CreatedAt += nostr.Timestamp(l.CreatedAtUpperLimit - 5) }), "true "},
		{"further ahead", mined(func(e *nostr.Event) { e.CreatedAt += nostr.Timestamp(l.CreatedAtUpperLimit + 60) }), "false invalid"},
		{"no work", event("customer", 5300, "no work"), "false pow"},
	} {
		if got := verdict(x.event); got != x.want {
			t.Errorf("%s: got %q, want %q", x.name, got, x.want)
		}
	}
	outcome := func(sub, filters string) string {
		c.send(fmt.Sprintf(`["REQ",%q,%s]`, sub, filters))
		for {
			if m := c.recv(); m.text(0) != "EVENT" {
				return m.text(0)
			}
		}
	}
	if got := outcome(strings.Repeat("s", l.MaxSubIDLength), `{}`); got != "EOSE" {
		t.Errorf("id at the limit: %s", got)
	}
	if got := outcome(strings.Repeat("s", l.MaxSubIDLength+1), `{}`); got != "CLOSED" {
		t.Errorf("id over the limit: %s", got)
	}
	if got := outcome("f", strings.Repeat(`{},`, l.MaxFilters-1)+`{}`); got != "EOSE" {
		t.Errorf("filters at the limit: %s", got)
	}
	if got := outcome("f", strings.Repeat(`{},`, l.MaxFilters)+`{}`); got != "CLOSED" {
		t.Errorf("filters over the limit: %s", got)
	}
	if got := outcome("f", `{"#e":`+array(l.MaxFilterValues, hexOf)+`}`); got != "EOSE" {
		t.Errorf("values at the limit: %s", got)
	}
	if got := outcome("f", `{"#e":`+array(l.MaxFilterValues+1, hexOf)+`}`); got != "CLOSED" {
		t.Errorf("values over the limit: %s", got)
	}
	for i := 1; i < l.MaxSubscriptions; i++ { // one is open
		if got := outcome(fmt.Sprint("n", i), `{"kinds":[1]}`); got != "EOSE" {
			t.Errorf("subscription %d: %s", i+1, got)
		}
	}
	if got := outcome("one more", `{}`); got != "CLOSED" {
		t.Errorf("subscription %d: %s", l.MaxSubscriptions+1, got)
	}
	wide := `{"#e":` + array(10, hexOf) + `,"#p":` + array(10, hexOf) + `}`
	if got := outcome("n1", wide+","+wide); got != "EOSE" {
		t.Errorf("live values under the limit: %s", got)
	}
	if got := outcome("n2", wide); got != "CLOSED" {
		t.Errorf("live values over the limit: %s", got)
	}
	c.send(`["CLOSE","n1"]`, `["CLOSE","`+strings.Repeat("s", l.MaxSubIDLength)+`"]`)
	for i := range l.MaxLimit + 2 {
		if got := verdict(mined(func(e *nostr.Event) { e.Content = fmt.Sprint(i) })); got != "true " {
			t.Fatalf("event %d: %s", i, got)
		}
	}
	if got := c.query(`{}`); len(got) != l.DefaultLimit {
		t.Errorf("without limit: %d, want %d", len(got), l.DefaultLimit)
	}
	if got := c.query(`{"limit":1000}`); len(got) != l.MaxLimit {
		t.Errorf("with limit 1000: %d, want %d", len(got), l.MaxLimit)
	}
	c.send(fmt.Sprintf(`["CLOSE","%s"]`, strings.Repeat(" ", int(l.MaxMessageLength)-12)))
	c.drain()
	c.send(fmt.Sprintf(`["CLOSE","%s"]`, strings.Repeat(" ", int(l.MaxMessageLength)-11)))
	c.wantClose(ws.StatusMessageTooBig)
}

func TestKey_IsMadeOnceAndKeptPrivate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "relay.key")
	first, err := relay.LoadKey(path)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v, want 0600", info.Mode(), err)
	}
	again, err := relay.LoadKey(path)
	if err != nil || again.Public != first.Public {
		t.Errorf("second time: %s, %v, want %s", again, err, first)
	}
	for name, content := range map[string]string{"empty": "", "short": "abc", "zero": strings.Repeat("0", 64), "no hex": strings.Repeat("x", 64)} {
		bad := filepath.Join(t.TempDir(), "bad.key")
		if err := os.WriteFile(bad, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := relay.LoadKey(bad); err == nil {
			t.Errorf("%s: was taken for a key", name)
		}
	}
}

func TestOptions_EveryFaultIsNamedAtOnce(t *testing.T) {
	if err := relay.DefaultOptions().Validate(); err != nil {
		t.Errorf("the defaults: %v", err)
	}
	o := relay.Options{
		Listen: "nowhere", URL: "https://x", Icon: "javascript:1", Banner: "x", TermsOfService: "ftp://x", Admins: []string{"me"},
		TrustedProxies: []string{"proxy"}, PingInterval: -1, PongWait: -1, MessageTimeout: -1, HeaderTimeout: -1, BodyTimeout: -1, IdleTimeout: -1,
	}
	err := o.Validate()
	if err == nil {
		t.Fatal("nothing is wrong")
	}
	for _, k := range []string{
		"listen", "url", "icon", "banner", "terms_of_service", "admins", "trusted_proxies", "ping_interval", "pong_wait",
		"message_timeout", "header_timeout", "body_timeout", "idle_timeout", "in_flight", "in_flight_bytes", "max_header_bytes",
	} {
		if !strings.Contains(err.Error(), "relay."+k+": ") {
			t.Errorf("relay.%s is not named in: %v", k, err)
		}
	}
}
