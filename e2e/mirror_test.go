package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nbd-wtf/go-nostr"
)

// heard is what the hub says of its one upstream.
type heard struct {
	State      string            `json:"state"`
	Reason     string            `json:"reason"`
	LagSeconds int64             `json:"lag_seconds"`
	Accepted   int               `json:"accepted"`
	Duplicates int               `json:"duplicates"`
	Rejected   map[string]uint64 `json:"rejected"`
	Connects   int               `json:"connects"`
	Backfill   struct {
		Done bool `json:"done"`
	} `json:"backfill"`
	Gaps []struct {
		Since int64  `json:"since"`
		Until int64  `json:"until"`
		Why   string `json:"why"`
	} `json:"gaps"`
}

// whole waits until the hub has read its upstream's past, hears it and misses nothing.
func (h *hub) whole() heard {
	h.t.Helper()
	var u heard
	pollFor(h.t, 2*patience, "the past of the upstream", func() error {
		var page struct {
			Items []heard `json:"items"`
		}
		if err := getJSON(h.http("/api/v1/upstreams"), &page); err != nil {
			return err
		}
		if len(page.Items) != 1 {
			return fmt.Errorf("%d upstreams", len(page.Items))
		}
		if u = page.Items[0]; u.State != "live" || !u.Backfill.Done || len(u.Gaps) > 0 {
			return fmt.Errorf("%+v", u)
		}
		return nil
	})
	return u
}

// realEvents are those of the wild that a hub asks an upstream for.
func realEvents(t *testing.T) (events []*nostr.Event) {
	t.Helper()
	f, err := os.Open("../cmd/dvmrelay/testdata/real-events.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var e nostr.Event
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			t.Fatal(err)
		}
		if mirrored(&e) {
			events = append(events, &e)
		}
	}
	if lines.Err() != nil || len(events) < 50 {
		t.Fatalf("%d real events, %v", len(events), lines.Err())
	}
	return events
}

// mirrored says whether a hub asks for an event and can still serve it.
func mirrored(e *nostr.Event) bool {
	if at := e.Tags.Find("expiration"); len(at) > 1 {
		if n, err := strconv.ParseInt(at[1], 10, 64); err == nil && n <= time.Now().Unix() {
			return false
		}
	}
	switch e.Kind {
	case 5128, 5129, 5666, 5969, 6666, 6969:
		return false
	case 7000:
		return true
	case 31990: // of other kinds it is of no use, unless its author is known by then
		return slices.ContainsFunc(e.Tags, func(t nostr.Tag) bool {
			return len(t) > 1 && t[0] == "k" && len(t[1]) == 4 && t[1] >= "5000" && t[1] <= "7000"
		})
	}
	return e.Kind >= 5000 && e.Kind < 7000
}

// TestMirror_ReadsRelaysThatAreNotOurs: backfill, live, what came while the hub was away, and what came while the upstream
// was.
func TestMirror_ReadsRelaysThatAreNotOurs(t *testing.T) {
	for name, open := range map[string]func(*testing.T) *foreign{
		"khatru":                 func(t *testing.T) *foreign { return plainRelay(t, false, 500) },
		"khatru with NIP-77":     func(t *testing.T) *foreign { return plainRelay(t, true, 0) },
		"khatru with half of it": func(t *testing.T) *foreign { return plainRelay(t, true, 500) }, // it compares 500 events and hides the others
		"nostr-relay of npm":     npmRelay,
	} {
		t.Run(name, func(t *testing.T) { mirrorStory(t, open(t)) })
	}
}

func mirrorStory(t *testing.T, up *foreign) {
	up.start()
	events := realEvents(t)
	for i := range 700 { // more than either gives at once
		events = append(events, signed(t, time.Duration(i/3)*time.Minute, "job "+strconv.Itoa(i)))
	}
	taken := up.publish(events)
	here := serves(t, up.ws(), taken)
	var want []*nostr.Event
	for _, e := range taken {
		if here[e.ID] {
			want = append(want, e)
		}
	}
	if len(want) < 700 {
		t.Fatalf("the upstream took %d of %d events and serves %d", len(taken), len(events), len(want))
	}
	h := newHub(t, "DVMRELAY_MIRROR_UPSTREAMS="+up.ws(), "DVMRELAY_MIRROR_BACKFILL=0")
	h.start()
	all := func(what string) {
		t.Helper()
		pollFor(t, 2*patience, what, func() error {
			got := serves(t, h.ws(), want)
			if i := slices.IndexFunc(want, func(e *nostr.Event) bool { return !got[e.ID] }); i >= 0 {
				return fmt.Errorf("the hub has %d of %d events, and not %s", len(got), len(want), want[i])
			}
			return nil
		})
	}
	more := func(what string) {
		t.Helper()
		e := signed(t, 0, what)
		if got := up.publish([]*nostr.Event{e}); len(got) != 1 {
			t.Fatalf("the upstream does not take %s", e)
		}
		want = append(want, e)
	}
	first := h.whole()
	all("the past")
	if n := len(want); first.Accepted < n || first.LagSeconds != 0 {
		t.Errorf("upstream after the backfill: %+v, want at least %d accepted, no lag", first, n)
	}
	more("live")
	all("what is live")

	h.stop()
	more("while the hub was away")
	h.start()
	again := h.whole()
	all("what came while the hub was away")
	if again.Accepted != 1 || again.Duplicates > 200 {
		t.Errorf("upstream after the restart: %+v, want 1 accepted, and no more duplicates than the overlap brings", again)
	}

	up.kill()
	poll(t, "the loss of the upstream", func() error {
		var page struct {
			Items []heard `json:"items"`
		}
		if err := getJSON(h.http("/api/v1/upstreams"), &page); err != nil {
			return err
		}
		if page.Items[0].State == "live" {
			return fmt.Errorf("%+v", page.Items[0])
		}
		return nil
	})
	up.start()
	more("when the upstream is back")
	last := h.whole()
	all("what came when the upstream was back")
	synced(t, up, want)
	if last.Connects < 2 {
		t.Errorf("upstream after its own restart: %+v, want another connection", last)
	}
}

// synced reads the relay into an empty data directory with one command, then once more, which brings nothing new.
func synced(t *testing.T, up *foreign, want []*nostr.Event) {
	t.Helper()
	other := newHub(t)
	said := ""
	read := func() (r struct {
		Done     bool `json:"done"`
		Stored   int  `json:"stored"`
		NotGiven int  `json:"not_given"`
		Compared int  `json:"compared"`
	},
	) {
		t.Helper()
		lines := strings.Split(strings.TrimSpace(string(other.verb("sync", "--json", "--since", "1", up.ws()))), "\n")
		said = lines[len(lines)-1]
		if err := json.Unmarshal([]byte(said), &r); err != nil || !r.Done || r.NotGiven != 0 {
			t.Errorf("sync: %+v, %v, of\n%s", r, err, said)
		}
		return r
	}
	if r := read(); r.Stored < len(want) {
		t.Errorf("sync: %+v, want at least %d stored", r, len(want))
	}
	r := read()
	if r.Stored != 0 {
		t.Errorf("a second sync: %+v, want nothing stored", r)
	}
	if up.nip77 != (r.Compared > 0) {
		t.Errorf("a second sync: %+v, want windows to be compared by NIP-77: %v; it says\n%s", r, up.nip77, said)
	}
	other.start()
	if got := serves(t, other.ws(), want); len(got) != len(want) {
		t.Errorf("after a sync the hub has %d of %d events", len(got), len(want))
	}
}

func getJSON(url string, v any) error {
	resp, err := http.Get(url)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("GET %s: %s", url, resp.Status)
	}
	return json.NewDecoder(resp.Body).Decode(v)
}
