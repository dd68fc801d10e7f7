package web

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"dvmrelay/nip90"

	"github.com/nbd-wtf/go-nostr"
)

var kindRows = regexp.MustCompile(`id="k-(\d+)"`)

func TestKinds_DemandBesideSupply(t *testing.T) {
	r := newRig(t, DefaultOptions())
	if _, page := r.browse("/kinds"); !strings.Contains(page, "No kind was asked for") {
		t.Error("an empty list does not say what to do next")
	}
	r.story()
	for i := range 3 {
		r.put(5999, 1_700_000_020+int64(i), fmt.Sprintf("a%d", i), "", nostr.Tag{"i", "x", "text"})
	}
	r.put(31990, 1_700_000_001, "dd", `{"name":"Elk"}`, nostr.Tag{"d", "x"}, nostr.Tag{"k", "5100"})
	r.clock.Add(1000)
	for sort, want := range map[string]string{
		"": "5999 5050 5100", "requests": "5999 5050 5100", "kind": "5050 5100 5999", "providers": "5050 5100 5999", "first_result": "5050 5999 5100",
		"customers": "5999 5050 5100", "price": "5050 5999 5100", "sats": "5999 5050 5100", "answered": "5050 5999 5100",
	} {
		_, page := r.browse("/kinds?sort=" + sort)
		var got []string
		for _, m := range kindRows.FindAllStringSubmatch(page, -1) {
			got = append(got, m[1])
		}
		if strings.Join(got, " ") != want {
			t.Errorf("by %q: %v, want %s", sort, got, want)
		}
	}
	_, page := r.browse("/kinds")
	for _, want := range []string{"nobody serves this: 3 asked", `width="100%"`, `width="33.3%"`, "1 / 0", "~2<", "10 s", `href="/kinds?sort=first_result"`, `href="/kinds?window=24h"`, "data-pause"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if _, page := r.browse("/kinds?sort=kind&window=7d"); !strings.Contains(page, `href="/kinds?sort=sats&amp;window=7d"`) || !strings.Contains(page, `href="/kinds?sort=kind&amp;window=24h"`) {
		t.Error("an order or a window loses the other")
	}
	for _, bad := range []string{"sort=luck", "window=9y", "from=-1", "from=x", "from=999"} {
		if resp, _ := r.browse("/kinds?" + bad); resp.StatusCode != http.StatusBadRequest {
			t.Errorf("%s = %d, want 400", bad, resp.StatusCode)
		}
	}
	var kinds Kinds
	r.get("/kinds.json?window=7d&sort=kind", http.StatusOK, &kinds)
	if kinds.Window != "7d" || len(kinds.Items) != 3 {
		t.Errorf(".json gives window %q and %d kinds", kinds.Window, len(kinds.Items))
	}
}

func TestKinds_ManyComeInPages(t *testing.T) {
	r := newRig(t, DefaultOptions())
	tags := nostr.Tags{{"d", "all"}}
	for k := 5000; k < 5000+kindsRead+50; k++ {
		tags = append(tags, nostr.Tag{"k", fmt.Sprint(k)})
	}
	r.put(31990, 1_700_000_001, "dd", `{"name":"All"}`, tags...)
	var seen []string
	target := "/kinds?sort=kind"
	for n := 0; target != "" && n < 9; n++ {
		_, page := r.browse(target)
		if len(page) > maxPage {
			t.Errorf("%s has %d bytes", target, len(page))
		}
		for _, m := range kindRows.FindAllStringSubmatch(page, -1) {
			if slices.Contains(seen, m[1]) {
				t.Errorf("kind %s stands there twice", m[1])
			}
			seen = append(seen, m[1])
		}
		if !strings.Contains(page, "There are more kinds than the 200 most asked") {
			t.Errorf("%s does not say that there are more", target)
		}
		target = ""
		if m := regexp.MustCompile(`<a href="([^"]+)" rel="next">`).FindStringSubmatch(page); m != nil {
			target = strings.ReplaceAll(m[1], "&amp;", "&")
		}
	}
	if len(seen) != kindsRead {
		t.Errorf("%d kinds on all pages, want %d", len(seen), kindsRead)
	}
}

func TestKind_ShowsWhoServesItAndHowToAsk(t *testing.T) {
	r := newRig(t, DefaultOptions(), func(d *Deps) { d.RelayURL = "wss://hub.example" })
	request, _, _ := r.story()
	r.put(5999, 1_700_000_020, customer, "")
	r.put(31990, 1_700_000_001, "dd", `{"name":"Elk"}`, nostr.Tag{"d", "x"}, nostr.Tag{"k", "5050"})
	_, page := r.browse("/kinds/5050")
	for _, want := range []string{
		"<title>Kind 5050 Text Generation", "Registered", "Results are kind 6050", "/jobs/" + request, `href="/jobs?kind=5050"`, `href="/dvms?kind=5050"`,
		"nak event -k 5050", "wss://hub.example", "nak req --stream -k 7000 -k 6050", `data-chart="history"`, `data-v="10000"`,
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if fox, elk := strings.Index(page, npubOf(provider)), strings.Index(page, npubOf("dd")); fox < 0 || elk < fox {
		t.Error("who answered does not stand before who did not")
	}
	if _, page := r.browse("/kinds/5050?window=all"); strings.Count(page, "<tr data-at=") > 3 || !strings.Contains(page, `data-v="10000"`) {
		t.Error("the history of a kind begins before anything was asked")
	}
	if _, page := r.browse("/kinds/5999"); !strings.Contains(page, "Nobody serves this: 1 asked") {
		t.Error("a kind that nobody serves is not called so")
	}
	resp, _ := r.browse("/kinds/6050")
	if got := resp.Header.Get("Location"); resp.StatusCode != http.StatusSeeOther || got != "/kinds/5050" {
		t.Errorf("a kind of results = %d to %q, want 303 to its requests", resp.StatusCode, got)
	}
	if resp, _ := r.browse("/kinds/05050?window=7d"); resp.Header.Get("Location") != "/kinds/5050?window=7d" {
		t.Errorf("another spelling leads to %q", resp.Header.Get("Location"))
	}
	for kind, want := range map[string]string{"5100": "was neither asked for nor announced here in this window", "1": "is no kind of job", "5969": "is no kind of job"} {
		resp, page := r.browse("/kinds/" + kind)
		if resp.StatusCode != http.StatusNotFound || !strings.Contains(page, want) || !strings.Contains(page, `href="/kinds"`) {
			t.Errorf("kind %s = %d, want a 404 that helps", kind, resp.StatusCode)
		}
	}
	for _, bad := range []string{"x", "-1", "70000", "5050.5", "%00", strings.Repeat("9", 400)} {
		if resp, _ := r.browse("/kinds/" + bad); resp.StatusCode != http.StatusBadRequest && resp.StatusCode != http.StatusNotFound {
			t.Errorf("kind %.20s = %d, want a refusal", bad, resp.StatusCode)
		}
	}
	for status := range kindWords {
		if kindWords[status] == "" {
			t.Errorf("nothing is said of kinds that are %s", status)
		}
	}
	for _, k := range nip90.Kinds() {
		if nip90.IsRequest(k.Kind) && kindWords[k.Status] == "" {
			t.Errorf("nothing is said of kind %d, which is %s", k.Kind, k.Status)
		}
	}
}
