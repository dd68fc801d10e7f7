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
		{"by default", func(*rigOptions) {}, []int{1, 9, 11, 40, 45, 50, 62, 67, 70, 77, 89, 90}},
		{"without the hint", func(o *rigOptions) { o.relay.EOSEHint = false }, []int{1, 9, 11, 40, 45, 50, 62, 70, 77, 89, 90}},
		{"without negentropy", func(o *rigOptions) { o.relay.Negentropy = false }, []int{1, 9, 11, 40, 45, 50, 62, 67, 70, 89, 90}},
		{"with everything", func(o *rigOptions) {
			withURL(o)
			o.relay.Sync = "batch"
			o.policies.Rules.MinPoW = 8
			o.relay.Admins = []string{pub("admin")}
			o.relay.KeyFile = filepath.Join(dir, "key")
		}, []int{1, 9, 11, 13, 40, 42, 45, 50, 62, 67, 70, 77, 89, 90}},
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
	for _, field := range []string{"max_message_length", "max_subscriptions", "max_limit", "max_event_tags", "max_content_length", "events_per_second", "max_neg_", "min_pow_difficulty", "created_at_upper_limit"} {
		if strings.Contains(body, field) {
			t.Errorf("%s is advertised: %s", field, body)
		}
	}
	c := r.dial()
	for i := range 100 {
		c.send(fmt.Sprintf(`["REQ","s%d",{"kinds":[5301]}]`, i))
		c.want("EOSE")
	}
	c.publish(event("customer", 5300, strings.Repeat("x", 300<<10)))
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

func TestOptions_LeakedKeysAreNoAdministrators(t *testing.T) {
	leaked := "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798" // its secret is 1
	o := relay.DefaultOptions()
	for _, admin := range []string{leaked, "7e7e9c42a91bfef19fa929e5fda1b72e0ebc1a4c1141673e2794234d86addf4e"} {
		o.Admins = []string{pub("me"), admin}
		if err := o.Validate(); err == nil {
			t.Errorf("%s may be administrator", admin)
		}
	}
	e := &nostr.Event{Kind: 5300, CreatedAt: nostr.Now(), Tags: nostr.Tags{}}
	if err := e.Sign(fmt.Sprintf("%064x", 1)); err != nil || e.PubKey != leaked {
		t.Fatalf("sign: %v, %s", err, e.PubKey)
	}
	open(t).dial().publish(e)
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
