package e2e

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
)

func TestNostrTools_ThreadBySearchAndPortably(t *testing.T) {
	h := newHub(t)
	h.start()
	var got struct {
		OK      bool     `json:"ok"`
		Request string   `json:"request"`
		Thread  []string `json:"thread"`
		Refusal string   `json:"refusal"`
	}
	ask(t, &got, "search.mjs", h.ws())
	if !got.OK {
		t.Fatalf("got %+v", got)
	}
	t.Logf("refusal of a bad value: %s", got.Refusal)
	if !strings.Contains(got.Refusal, "thread:") {
		t.Errorf("refusal %q does not name the word that is wrong", got.Refusal)
	}
	j, err := h.api(got.Request)
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range got.Thread {
		if !slices.Contains(j.ids(), id) {
			t.Errorf("api lacks %s of the thread: %v", id, j.ids())
		}
	}
}

func TestNDK_JobWithDVMClasses(t *testing.T) {
	h := newHub(t)
	h.start()
	var got struct {
		Customer  string   `json:"customer"`
		Provider  string   `json:"provider"`
		Request   string   `json:"request"`
		Result    string   `json:"result"`
		Feedbacks []string `json:"feedbacks"`
	}
	ask(t, &got, "ndk-job.mjs", h.ws())
	j, err := h.api(got.Request)
	if err != nil {
		t.Fatal(err)
	}
	want := append([]string{got.Request, got.Result}, got.Feedbacks...)
	slices.Sort(want)
	if !slices.Equal(j.ids(), want) {
		t.Errorf("thread has %v, want %v", j.ids(), want)
	}
	// NDK writes payment_required with an underscore; a result makes it a success all the same.
	if j.State != "success" || j.Payment != "asked" || j.Customer != got.Customer {
		t.Errorf("state %s, payment %s, customer %s; want success, asked, %s", j.State, j.Payment, j.Customer, got.Customer)
	}
	if len(j.Providers) != 1 || j.Providers[0].Pubkey != got.Provider {
		t.Errorf("providers %v, want %s", j.Providers, got.Provider)
	}
}

// NDK's ways with search are its own; this pins them, so that the documentation stays true.
func TestNDK_IgnoresSearchWhenItMatches(t *testing.T) {
	h := newHub(t)
	h.start()
	type has struct{ One, Two bool }
	var got struct {
		Alone  has `json:"alone"`
		Merged struct {
			First  has `json:"first"`
			Second has `json:"second"`
		} `json:"merged"`
		Leaks    bool `json:"leaks"`
		Portable has  `json:"portable"`
	}
	ask(t, &got, "ndk-search.mjs", h.ws())
	onlyOne, onlyTwo := has{One: true}, has{Two: true}
	if got.Alone != onlyOne {
		t.Errorf("a search alone has %+v, want the first job only", got.Alone)
	}
	if got.Portable != onlyTwo {
		t.Errorf("the portable way has %+v, want the second job only", got.Portable)
	}
	if got.Merged.First != onlyTwo || got.Merged.Second != onlyTwo {
		t.Errorf("two searches merged have %+v and %+v; NDK was seen to ask for the last one only", got.Merged.First, got.Merged.Second)
	}
	if !got.Leaks {
		t.Error("a search did not get the events of another subscription; NDK was seen to ignore search when it matches")
	}
}

// Three libraries read an EOSE of three elements, NIP-67, which decides whether the relay may send it.
func TestEOSE_LibrariesReadTheHint(t *testing.T) {
	for _, hint := range []string{"false", "true"} {
		h := newHub(t, "DVMRELAY_RELAY_EOSE_HINT="+hint)
		h.start()
		ask(t, &struct{}{}, "customer-alone.mjs", h.ws())
		if got := advertises(t, h, 67); got != (hint == "true") {
			t.Errorf("eose_hint %s: NIP-67 advertised: %v", hint, got)
		}
		for _, library := range []string{"nostr-tools", "ndk", "nostr-sdk"} {
			t.Run(library+" hint "+hint, func(t *testing.T) {
				var got struct {
					EOSE   bool `json:"eose"`
					Events int  `json:"events"`
				}
				ask(t, &got, "eose.mjs", library, h.ws())
				if !got.EOSE || got.Events != 1 {
					t.Errorf("EOSE read: %v, events %d; want true, 1", got.EOSE, got.Events)
				}
			})
		}
	}
	t.Run("the relay sends three elements", func(t *testing.T) {
		h := newHub(t, "DVMRELAY_RELAY_EOSE_HINT=true")
		h.start()
		c := dialRaw(t, h.addr)
		c.send(`["REQ","q",{"kinds":[5300],"limit":1}]`)
		var parts []json.RawMessage
		if err := json.Unmarshal(c.next(), &parts); err != nil || len(parts) != 3 {
			t.Errorf("EOSE has %d elements (%v), want 3", len(parts), err)
		}
	})
}

func advertises(t *testing.T, h *hub, nip int) bool {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, h.http("/"), nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", "application/nostr+json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var doc struct {
		NIPs []int `json:"supported_nips"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&doc); err != nil {
		t.Fatalf("read NIP-11 document: %v", err)
	}
	return slices.Contains(doc.NIPs, nip)
}
