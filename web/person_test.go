package web

import (
	"bufio"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"dvmrelay/index"
	"dvmrelay/nip90"

	"github.com/nbd-wtf/go-nostr"
)

func TestPerson_BothSides(t *testing.T) {
	r := newRig(t, DefaultOptions())
	r.jobMarket()
	mine := r.put(5050, 1_795_000_001, "b1", "", nostr.Tag{"i", "my own job", "text"})
	r.put(6050, 1_795_000_002, "b1", "done by myself", nostr.Tag{"e", mine})
	npub := nip90.Npub(key32("b1"))
	both := r.open("/u/" + npub)
	var asked, answered jobIDs
	r.get("/api/v1/jobs?customer="+npub, http.StatusOK, &asked)
	r.get("/api/v1/jobs?provider="+npub, http.StatusOK, &answered)
	if got, want := shown(both), append(asked.ids(), answered.ids()...); !slices.Equal(got, want) || len(asked.Items) != 1 || len(answered.Items) != 6 {
		t.Errorf("the page shows %v, want what it asked, then what it answered: %v", got, want)
	}
	for _, want := range []string{">Bee<", npub, strings.Repeat("b1", 32), `href="/dvms/` + npub, `href="/jobs?for=` + npub, "As a customer", "As a provider", "sse-connect"} {
		if !strings.Contains(both, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if page := r.open("/u/" + npub + "?as=customer"); !slices.Equal(shown(page), asked.ids()) || strings.Contains(page, "As a provider") {
		t.Error("as a customer the page shows something else")
	}
	if page := r.open("/u/" + npub + "?as=provider"); !slices.Equal(shown(page), answered.ids()) {
		t.Error("as a provider the page shows something else")
	}
	var got struct {
		Npub, Name         string
		Customer, Provider bool
		AsCustomer         index.Asked  `json:"as_customer"`
		AsProvider         *index.Stats `json:"as_provider"`
		Asked, Answered    *jobIDs
	}
	r.get(jsonOf(t, both), http.StatusOK, &got)
	if got.Npub != npub || got.Name != "Bee" || !got.Customer || !got.Provider || got.AsCustomer.Jobs != 1 || got.AsCustomer.Delivered != 1 ||
		got.AsProvider == nil || got.AsProvider.Requests != 6 || !slices.Equal(got.Asked.ids(), asked.ids()) || !slices.Equal(got.Answered.ids(), answered.ids()) {
		t.Errorf("its JSON is %+v", got)
	}
	for target, want := range map[string]int{"/u/nonsense": 400, "/u/" + npub + "?as=king": 400, "/u/" + npub + "?as=customer&cursor=x": 400, "/u?key=nonsense": 400, "/u": 200} {
		if resp, page := r.browse(target); resp.StatusCode != want || target == "/u?key=nonsense" && !strings.Contains(page, `value="nonsense"`) {
			t.Errorf("%s = %d, want %d", target, resp.StatusCode, want)
		}
	}
}

func TestPerson_OfWhomNothingIsKnown(t *testing.T) {
	r := newRig(t, DefaultOptions())
	page := r.open("/u/" + nip90.Npub(key32("ee")))
	for _, want := range []string{"Nothing of this key has been heard here", `href="/connect"`, `href="/upstreams"`} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if strings.Contains(page, "keeps no customers") {
		t.Error("a relay that keeps customers says that it does not")
	}
	forgets := newRig(t, DefaultOptions(), func(d *Deps) { d.Index = index.New(index.Options{Now: d.Now}) })
	for _, target := range []string{"/u", "/u/" + nip90.Npub(key32("ee")), "/jobs?customer=" + nip90.Npub(key32("ee"))} {
		if page := forgets.open(target); !strings.Contains(page, "This relay keeps no customers") {
			t.Errorf("%s: a relay that keeps no customers does not say so", target)
		}
	}
}

func TestPerson_HiddenInputsStayHidden(t *testing.T) {
	r := newRig(t, Options{Inputs: InputsHide})
	r.secretStory("xylophone")
	for _, target := range []string{"/jobs", "/jobs.json", "/jobs?for=" + nip90.Npub(key32(provider)), "/u/" + nip90.Npub(key32(customer)), "/u/" + nip90.Npub(key32(customer)) + ".json", "/u/" + nip90.Npub(key32(provider))} {
		resp, page := r.browse(target)
		if resp.StatusCode != http.StatusOK || strings.Contains(page, "xylophone") {
			t.Errorf("%s = %d and shows the input: %t", target, resp.StatusCode, strings.Contains(page, "xylophone"))
		}
	}
}

// TestPerson_AndJobsAreLive reads the streams of both pages over a real connection.
func TestPerson_AndJobsAreLive(t *testing.T) {
	r := newRig(t, DefaultOptions())
	r.site.streams.pulse = time.Millisecond
	server := r.serve()
	for _, at := range []string{"/jobs?kind=5100", "/u/" + nip90.Npub(key32("cc"))} {
		var lines *bufio.Scanner
		for deadline := time.Now().Add(10 * time.Second); lines == nil; { // until it runs
			resp, err := http.Get(server.URL + "/live?at=" + url.QueryEscape(at))
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				lines = bufio.NewScanner(resp.Body)
			} else if time.Now().After(deadline) {
				t.Fatalf("stream = %d", resp.StatusCode)
			}
		}
		lines.Buffer(nil, 1<<20)
		for lines.Scan() && !strings.HasPrefix(lines.Text(), "event: ") {
		}
		id := r.put(5100, r.clock.Add(2), "cc", "", nostr.Tag{"i", "a new job", "text"})
		r.clock.Add(2)
		found := false
		for !found && lines.Scan() {
			found = strings.Contains(lines.Text(), "/jobs/"+id)
		}
		if !found {
			t.Errorf("%s: the stream ended before the new job: %v", at, lines.Err())
		}
	}
}
