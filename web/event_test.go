package web

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"dvmrelay/nip90"

	"github.com/nbd-wtf/go-nostr"
)

// eventPageOf fails unless the page of an event is there.
func (r *rig) eventPageOf(id string) string {
	r.t.Helper()
	resp, page := r.browse("/events/" + id)
	if resp.StatusCode != http.StatusOK {
		r.t.Fatalf("/events/%s = %d: %.300s", id, resp.StatusCode, page)
	}
	return page
}

func TestEventPage_EveryFormOfAnIDLeadsThere(t *testing.T) {
	r := newRig(t, DefaultOptions())
	request, _, _ := r.story()
	id := mustID(t, request)
	for _, text := range []string{nip90.Note(id), nip90.Nevent(id, nip90.PubKey{}, 5050), strings.ToUpper(request), "nostr:" + nip90.Note(id)} {
		resp, _ := r.browse("/events/" + text)
		if got := resp.Header.Get("Location"); resp.StatusCode != http.StatusSeeOther || got != "/events/"+request {
			t.Errorf("%s = %d to %q, want 303 to the hex", text, resp.StatusCode, got)
		}
		var e eventSeen
		r.get("/events/"+text+".json", http.StatusOK, &e)
		if e.ID != request || e.Event == nil {
			t.Errorf("%s.json is of %q, want the event", text, e.ID)
		}
	}
	for text, status := range map[string]int{"nothing": 400, nip90.Npub(nip90.PubKey(id)): 400, strings.Repeat("0", 63) + "7": 404, "%22%3E%3Cscript%3E": 400} {
		if resp, page := r.browse("/events/" + text); resp.StatusCode != status || strings.Contains(page, "<script>") {
			t.Errorf("%s = %d, want a page that says %d", text, resp.StatusCode, status)
		}
	}
}

func TestEventPage_ExactlyAsSignedAndWhatBecameOfIt(t *testing.T) {
	r := newRig(t, DefaultOptions())
	shown := 0
	for _, id := range r.real() {
		resp, page := r.browse("/events/" + id)
		if resp.StatusCode == http.StatusNotFound || !strings.Contains(page, `id="raw"`) {
			continue
		}
		if len(page) > maxPage {
			t.Errorf("%s: %d bytes", id, len(page))
		}
		if strings.Contains(page, "the beginning of") {
			continue
		}
		var got struct{ Event json.RawMessage }
		r.get("/events/"+id+".json", http.StatusOK, &got)
		var a, b nostr.Event
		if err := json.Unmarshal([]byte(shownIn(t, page, "raw")), &a); err != nil || json.Unmarshal(got.Event, &b) != nil || a.String() != b.String() || !a.CheckID() {
			t.Errorf("%s is shown as %s: %v", id, shownIn(t, page, "raw"), err)
		}
		if strings.Count(page, `<span aria-hidden="true">✓</span> `) < 2 || strings.Contains(page, "> id is not the hash") {
			t.Errorf("%s is not said to be genuine: %s", id, page[strings.Index(page, "<dl"):][:400])
		}
		shown++
	}
	if shown < 100 {
		t.Errorf("%d events were shown whole, want at least 100", shown)
	}
	request, _, result := r.story()
	if page := r.eventPageOf(result); !strings.Contains(page, `href="/jobs/`+request+`#event-`+result+`"`) || !strings.Contains(page, "signature is not its author&#39;s") &&
		!strings.Contains(page, "signature is not its author's") {
		t.Error("the page of a result does not lead to its place in the job, or calls a made-up signature good")
	}
	r.saw(result, "wss://a.example/<b>", "self")
	r.clock.Add(2)
	if page := r.eventPageOf(result); !strings.Contains(page, `wss://a.example/&lt;b&gt;</span>, <span class="url">this relay`) {
		t.Errorf("the page does not say where the event was seen: %s", page[strings.Index(page, "Seen on"):][:200])
	}
}

func TestEventPage_BodyGoneWithheldOrHuge(t *testing.T) {
	r := newRig(t, DefaultOptions())
	brief := r.put(5050, 1_700_000_050, customer, "", nostr.Tag{"i", "secret word", "text"}, nostr.Tag{"expiration", "1700000200"})
	if page := r.eventPageOf(brief); !strings.Contains(page, "secret word") || !strings.Contains(page, "2023-11-14 22:16:40 UTC") {
		t.Error("an event that expires later is not shown with its expiry")
	}
	r.clock.Add(200)
	if page := r.eventPageOf(brief); strings.Contains(page, "secret word") || !strings.Contains(page, "Expired, body gone") || strings.Contains(page, `id="raw"`) {
		t.Error("an expired event is shown, or its end is not said")
	}
	huge := r.put(6050, 1_700_000_060, provider, strings.Repeat(`"<&'+`, 25_000), nostr.Tag{"e", brief}, nostr.Tag{"request", strings.Repeat(`"`, 10_000)})
	if page := r.eventPageOf(huge); len(page) > maxPage || !strings.Contains(page, "the beginning of") || !strings.Contains(page, `href="/events/`+huge+`.json"`) {
		t.Errorf("an event of 250 kB makes a page of %d bytes, want a short one with a link", len(page))
	}
	odd := nostr.Tags{{"e", brief}}
	for i := range 100 {
		odd = append(odd, nostr.Tag{"amount", strings.Repeat("<", 300) + itoa(i)}, nostr.Tag{"p", strings.Repeat("'", 300)}, nostr.Tag{"i", strings.Repeat("&", 100)})
	}
	if page := r.eventPageOf(r.put(7000, 1_700_000_061, provider, "", odd...)); len(page) > maxPage {
		t.Errorf("an event with everything odd makes a page of %d bytes", len(page))
	}

	hidden := newRig(t, Options{Inputs: InputsHide})
	id := hidden.put(5050, 1_700_000_050, customer, "", nostr.Tag{"i", "secret word", "text"})
	if page := hidden.eventPageOf(id); strings.Contains(page, "secret word") || !strings.Contains(page, "Withheld") || !strings.Contains(page, "this relay hides") {
		t.Error("an input is shown although inputs are hidden, or nothing says why it is not")
	}
	sealed := newRig(t, DefaultOptions(), func(d *Deps) { d.AuthEncrypted = true })
	id = sealed.put(5050, 1_700_000_050, customer, "c2VjcmV0IHdvcmQ=?iv=c2VjcmV0IHdvcmQ=", nostr.Tag{"encrypted"}, nostr.Tag{"p", strings.Repeat(provider, 32)})
	if page := sealed.eventPageOf(id); strings.Contains(page, "c2VjcmV0") || !strings.Contains(page, "Withheld") || !strings.Contains(page, "NIP-42") {
		t.Error("an encrypted event is shown although it is for some alone, or nothing says why it is not")
	}
}
