package e2e

import (
	"encoding/json"
	"net/http"
	"slices"
	"testing"
)

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
