package web

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
)

var testInformation = `{"name":"a <b>hub</b>","description":"for jobs","supported_nips":[1,11,90,1234],"version":"1.2.3","sync":"batch","limitation":{` +
	`"max_message_length":524288,"max_subscriptions":64,"auth_required":false,"restricted_writes":true,"max_surprise":17}}`

func testFacts() RelayFacts {
	days := int64(123)
	return RelayFacts{
		URL: "wss://hub.example", Information: json.RawMessage(testInformation),
		Kinds: []RelayKinds{{Kinds: "5000-5127", Name: "job request"}, {Kinds: "1", When: "about \"<i>known</i>\""}}, Rules: []string{"No <u>spam</u>."},
		StartedAt: 1_699_999_000, Events: 1_234_567, Facts: 2_345_678, TreeBytes: 5 << 30, LogBytes: 32 << 20,
		DiskFree: 50 << 30, DiskFloor: 2 << 30, Growth: Growth{Known: true, OverSeconds: 100_000, PerDay: 300 << 20, DaysLeft: &days},
		Sockets: 17, Subscriptions: 2_345, Memory: 200 << 20, SignIn: SignInOn, SignURL: "https://hub.example/relay/admin",
	}
}

func TestRelay_ShowsItsLimitsAndWhatItHolds(t *testing.T) {
	facts := testFacts()
	r := newRig(t, DefaultOptions(), func(d *Deps) { d.Relay = func() RelayFacts { return facts } })
	r.story()
	resp, page := r.browse("/relay")
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("status %d: %s", resp.StatusCode, page)
	}
	for _, want := range []string{
		"a &lt;b&gt;hub&lt;/b&gt;", "1.2.3", "11 this document", "90 jobs", ">1234<", "512 KiB (" + grouped(524_288) + " bytes)", "max_subscriptions", ">64<", "max_surprise", ">17<",
		"no limit", "5000-5127", "about &#34;&lt;i&gt;known", "No &lt;u&gt;spam", grouped(1_234_567), grouped(2_345_678), "5 GiB", "50 GiB", "123 days", "300 MiB a day",
		"on disk", `href="/relay/nip11"`, `data-url="https://hub.example/relay/admin"`, `id="admin-sign" hidden`,
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	var got struct {
		Information nip11 `json:"information"`
		Jobs        int64 `json:"jobs"`
		Uptime      int64 `json:"uptime_seconds"`
		Sockets     int64 `json:"sockets"`
	}
	r.get("/relay.json", http.StatusOK, &got)
	if got.Information.Name != "a <b>hub</b>" || !strings.Contains(string(got.Information.Limitation), `"max_surprise":17`) || got.Jobs != 1 || got.Uptime != 1100 || got.Sockets != 17 {
		t.Errorf("as JSON: %+v", got)
	}
	if resp, doc := r.browse("/relay/nip11"); resp.Header.Get("Content-Type") != "application/json" || doc != testInformation {
		t.Errorf("the document: %s %s", resp.Header.Get("Content-Type"), doc)
	}
}

// TestRelay_SaysWhatItDoesNotKnow: nothing that is unknown is shown as zero.
func TestRelay_SaysWhatItDoesNotKnow(t *testing.T) {
	r := newRig(t, DefaultOptions(), func(d *Deps) {
		d.Relay = func() RelayFacts {
			return RelayFacts{Information: json.RawMessage(`{}`), Growth: Growth{Needs: 86_400, OverSeconds: 7200}, SignIn: SignInNoURL}
		}
	})
	_, page := r.browse("/relay")
	for _, want := range []string{"not known yet: measured for 2 h, 24 h are wanted", "not worked out yet", "not known on this system", "none: every kind is refused", "Set <code>relay.url</code>"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if strings.Contains(page, `id="admin-sign"`) || strings.Contains(page, "0 B") {
		t.Error("there is a button to sign in, or a size of nothing")
	}
	if resp, _ := newRig(t, DefaultOptions(), func(d *Deps) { d.Relay = nil }).browse("/relay"); resp.StatusCode != http.StatusNotFound {
		t.Errorf("without facts = %d, want 404", resp.StatusCode)
	}
}

type tooOften struct{}

func (tooOften) Error() string   { return "too often" }
func (tooOften) HTTPStatus() int { return http.StatusTooManyRequests }

func TestAdmin_IsForWhomTheRelayKnows(t *testing.T) {
	key := strings.Repeat("ab", 32)
	nasty := `</td><script>alert(1)</script>` + "\u202e"
	r := newRig(t, DefaultOptions(), func(d *Deps) {
		d.Admin = func(req *http.Request) (string, error) {
			switch req.Header.Get("Authorization") {
			case "Nostr good":
				return key, nil
			case "Nostr often":
				return "", tooOften{}
			}
			return "", errors.New("the signature does not fit")
		}
		d.Insight = func() RelayInsight {
			socket := SocketFacts{Address: "203.0.113.7", Keys: []string{key}, Agent: nasty, QueueBytes: 3 << 20, QueuedEvents: 12, StillMS: 4000, Since: 1_700_000_000}
			return RelayInsight{
				Open: 400, Sockets: []SocketFacts{socket}, Slow: []SlowSocket{{SocketFacts: socket, At: 1_700_000_050, Why: "overflow"}},
				Costly:        []CostlyQuery{{At: 1_700_000_060, Verb: "REQ", Shape: "3 kinds, 2 #p", TookMS: 1234, Events: 17, Refused: "error", Address: "203.0.113.8"}},
				RefusedByRule: map[string]uint64{"kind": 99, "shape": 0}, Refused: map[string]int64{"blocked": 98}, Dropped: map[string]int64{"left": 5},
			}
		}
	})
	resp, page := r.browse("/relay/admin", "Authorization", "Nostr good")
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Cache-Control") != "no-store" || resp.Header.Get("Access-Control-Allow-Origin") != "" {
		t.Fatalf("%d, %v", resp.StatusCode, resp.Header)
	}
	for _, want := range []string{"203.0.113.7", shortKey(key), "&lt;script&gt;", "3 MiB, 12 events", "4 s", "overflow", "3 kinds, 2 #p", "1.2 s", "✕ error", "1 of 400", "99", "98", "left"} {
		if !strings.Contains(page, want) {
			t.Errorf("the part lacks %q", want)
		}
	}
	for _, bad := range []string{"<script>", "<html", "<main", ">shape<", " style="} {
		if strings.Contains(page, bad) {
			t.Errorf("the part has %s", bad)
		}
	}
	var facts RelayInsight
	if resp := r.do(http.MethodGet, "/relay/admin", "Authorization", "Nostr good", "Accept", "application/json"); json.NewDecoder(resp.Body).Decode(&facts) != nil || facts.Open != 400 {
		t.Errorf("as JSON: %d %+v", resp.StatusCode, facts)
	}
	for _, x := range []struct {
		target, auth string
		status       int
	}{
		{"/relay/admin", "", 401},
		{"/relay/admin", "Nostr bad", 401},
		{"/relay/admin", "Nostr often", 429},
		{"/relay/admin.json", "Nostr good", 404},
		{"/live?at=%2Frelay%2Fadmin", "Nostr good", 404},
	} {
		resp := r.do(http.MethodGet, x.target, "Authorization", x.auth)
		text := read(t, resp)
		if resp.StatusCode != x.status || strings.Contains(text, "203.0.113") || x.status == 401 && (resp.Header.Get("WWW-Authenticate") != "Nostr" || !strings.Contains(text, "does not fit")) {
			t.Errorf("%s with %q = %d %s, want %d and why", x.target, x.auth, resp.StatusCode, text, x.status)
		}
		if x.target == "/relay/admin" && resp.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("a refusal may be kept: %s", resp.Header.Get("Cache-Control"))
		}
	}
	if resp := r.do(http.MethodPost, "/relay/admin", "Authorization", "Nostr good"); resp.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("POST = %d, want 405", resp.StatusCode)
	}
	if resp := newRig(t, DefaultOptions()).do(http.MethodGet, "/relay/admin", "Authorization", "Nostr good"); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("where nobody is an administrator = %d, want 401", resp.StatusCode)
	}
}
