package web

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"dvmrelay/nip90"

	"github.com/nbd-wtf/go-nostr"
)

// views are every way to see a job and its events.
func views(request, feedback, result string) []string {
	return []string{
		"/", "/api/v1/jobs", "/api/v1/jobs?format=csv", "/api/v1/jobs/" + request, "/api/v1/jobs/" + request + "/graph",
		"/api/v1/events/" + request, "/api/v1/events/" + feedback, "/api/v1/events/" + result, "/api/v1/export",
		"/events/" + request, "/events/" + feedback, "/events/" + result, "/explore", "/connect",
	}
}

// secretStory saves a job whose input is the word, answered by a result that repeats it in three ways.
func (r *rig) secretStory(word string) (request, feedback, result string) {
	r.t.Helper()
	request = r.put(5050, 1_700_000_040, customer, word, nostr.Tag{"i", word, "text"}, nostr.Tag{"param", "style", word}, nostr.Tag{"nosuchtag", word})
	feedback = r.put(7000, 1_700_000_041, provider, "", nostr.Tag{"status", "processing"}, nostr.Tag{"e", request}, nostr.Tag{"i", word, "text"})
	result = r.put(6050, 1_700_000_042, provider, "done", nostr.Tag{"e", request}, nostr.Tag{"request", fmt.Sprintf(`{"id":%q,"content":%q}`, request, word)})
	return request, feedback, result
}

func TestPrivacy_HiddenInputsAreNowhere(t *testing.T) {
	for _, tc := range []struct {
		inputs string
		shown  bool
	}{{InputsShow, true}, {InputsTruncate, true}, {InputsHide, false}} {
		t.Run(tc.inputs, func(t *testing.T) {
			r := newRig(t, Options{Inputs: tc.inputs})
			srv := r.serve()
			f := r.follow(srv, "?topics=job,event")
			const word = "xylophone"
			request, feedback, result := r.secretStory(word)
			found := false
			for _, target := range views(request, feedback, result) {
				resp := r.do(http.MethodGet, target)
				text := read(t, resp)
				if resp.StatusCode != http.StatusOK {
					t.Fatalf("%s = %d", target, resp.StatusCode)
				}
				found = found || strings.Contains(text, word)
				if strings.Contains(text, word) && !tc.shown {
					t.Errorf("%s shows the input: %s", target, text)
				}
			}
			for range 4 { // three events, and the job at least once
				select {
				case e := <-f.events:
					found = found || strings.Contains(e.data, word)
					if strings.Contains(e.data, word) && !tc.shown {
						t.Errorf("the stream shows the input: %s", e.data)
					}
				case <-time.After(patience):
					t.Fatal("the stream says nothing")
				}
			}
			if found != tc.shown {
				t.Errorf("input was shown: %t, want %t", found, tc.shown)
			}
			resp := r.do(http.MethodGet, "/api/v1/jobs?q=xylo")
			if want := map[bool]int{true: http.StatusOK, false: http.StatusBadRequest}[tc.shown]; resp.StatusCode != want {
				t.Errorf("q = %d, want %d", resp.StatusCode, want)
			}
			var e eventSeen
			if r.get("/api/v1/events/"+request, http.StatusOK, &e); e.Withheld == tc.shown || e.IDValid == nil {
				t.Errorf("event %+v, want withheld %t, and judged", e, !tc.shown)
			}
		})
	}
}

func TestPrivacy_EncryptedEventsAreFactsEverywhere(t *testing.T) {
	for _, auth := range []bool{false, true} {
		t.Run(fmt.Sprint(auth), func(t *testing.T) {
			r := newRig(t, Options{Inputs: InputsShow}, func(d *Deps) { d.AuthEncrypted = auth })
			srv := r.serve()
			f := r.follow(srv, "?topics=job,event")
			request := r.encrypted()
			open := r.put(5050, 1_700_000_041, customer, "", nostr.Tag{"i", "in the open", "text"})
			var ids []string
			var job struct{ Events []struct{ ID string } }
			r.get("/api/v1/jobs/"+request, http.StatusOK, &job)
			for _, e := range job.Events {
				ids = append(ids, e.ID)
			}
			shown := false
			for _, target := range append(views(request, ids[1], ids[2]), "/api/v1/jobs?q=cipher") {
				text := read(t, r.do(http.MethodGet, target))
				shown = shown || strings.Contains(text, "cipher")
				if auth && strings.Contains(text, "cipher") {
					t.Errorf("%s shows what is in encrypted events: %s", target, text)
				}
			}
			for range 6 {
				select {
				case e := <-f.events:
					if auth && strings.Contains(e.data, "cipher") {
						t.Errorf("the stream shows what is in encrypted events: %s", e.data)
					}
				case <-time.After(patience):
					t.Fatal("the stream says nothing")
				}
			}
			if shown == auth {
				t.Errorf("encrypted bodies are shown: %t, want %t", shown, !auth)
			}
			var e eventSeen
			r.get("/api/v1/events/"+request, http.StatusOK, &e)
			if e.Withheld != auth || (e.Event == nil) != auth || e.Role != "request" {
				t.Errorf("event %+v, want it withheld: %t", e, auth)
			}
			if got, _ := exported(t, r, ""); len(got) != map[bool]int{true: 1, false: 4}[auth] || got[len(got)-1] != open {
				t.Errorf("export holds %v, want %s last", got, open)
			}
		})
	}
}

// TestPrivacy_DeletionIsAtOnce deletes a job by every means while every view of it is warm.
func TestPrivacy_DeletionIsAtOnce(t *testing.T) {
	for _, tc := range []struct {
		name   string
		remove func(*rig, string)
	}{
		{"deleted", func(r *rig, id string) { r.put(5, 1_700_000_050, customer, "", nostr.Tag{"e", id}) }},
		{"its author vanishes", func(r *rig, _ string) {
			r.put(nip90.KindVanish, 1_700_000_060, customer, "", nostr.Tag{"relay", "ALL_RELAYS"})
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := newRig(t, Options{Inputs: InputsShow})
			srv := r.serve()
			from := r.follow(srv, "?topics=job,event").lastID()
			const word = "xylophone"
			request := r.put(5050, 1_700_000_040, customer, word, nostr.Tag{"i", word, "text"})
			targets := []string{"/", "/api/v1/jobs", "/api/v1/jobs?format=csv", "/api/v1/jobs/" + request, "/api/v1/events/" + request, "/api/v1/export"}
			tags := map[string]string{}
			for _, target := range targets {
				resp := r.do(http.MethodGet, target)
				if text := read(t, resp); !strings.Contains(text, word) {
					t.Fatalf("%s does not show the input before: %s", target, text)
				}
				tags[target] = resp.Header.Get("ETag")
			}
			tc.remove(r, request)
			for _, target := range targets {
				resp := r.do(http.MethodGet, target, "If-None-Match", tags[target])
				if resp.StatusCode == http.StatusNotModified {
					t.Errorf("%s is said not to have changed", target)
				}
				if text := read(t, resp); strings.Contains(text, word) {
					t.Errorf("%s still shows the input: %s", target, text)
				}
			}
			again := r.follow(srv, "?topics=job,event", "Last-Event-ID", from)
			last := r.put(5050, 1_700_000_070, "dd", "")
			for done := false; !done; {
				select {
				case e := <-again.events:
					if strings.Contains(e.data, word) {
						t.Errorf("the stream still shows the input: %s", e.data)
					}
					done = e.name == "job" && strings.Contains(e.data, last)
				case <-time.After(patience):
					t.Fatal("the stream says nothing")
				}
			}
		})
	}
}
