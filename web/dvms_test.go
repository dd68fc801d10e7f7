package web

import (
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"dvmrelay/index"
	"dvmrelay/nip90"

	"github.com/nbd-wtf/go-nostr"
)

// npubOf is the npub of a key of the rig.
func npubOf(key string) string { return npub(strings.Repeat(key, 32)) }

// hostileDVM announces a service in which everything is as bad as it may be.
func (r *rig) hostileDVM(key string, cards int) {
	r.t.Helper()
	const evil = `"><script>alert(1)</script><img src=x onerror=alert(2)>{{.}}`
	params := map[string]any{evil: map[string]any{"required": true, "values": []any{evil, 1, nil, strings.Repeat("v", 5000)}}, "odd": evil}
	for i := range 30 {
		params[fmt.Sprint("p", i)] = map[string]any{"values": slices.Repeat([]any{strings.Repeat("<", 100)}, 15)}
	}
	for i := range cards {
		content, err := json.Marshal(map[string]any{
			"name": "\u202eFox" + evil + strings.Repeat("W", 5000), "about": strings.Repeat("<b>&\n", 5_000), "picture": "javascript:alert(3)",
			"lud16": evil, "nip90Params": params, "amount": evil,
		})
		if err != nil {
			r.t.Fatal(err)
		}
		tags := nostr.Tags{{"d", fmt.Sprint(i, evil, strings.Repeat("d", 500))}, append(nostr.Tag{"relays"}, slices.Repeat([]string{"wss://" + strings.Repeat("<", 400)}, 1)...)}
		for k := 5000; k < 5300; k++ {
			tags = append(tags, nostr.Tag{"k", strconv.Itoa(k)})
		}
		r.put(31990, 1_700_000_000+int64(i), key, string(content), tags...)
	}
	r.put(0, 1_700_000_050, key, `{"name":"<h1>fox</h1>","nip05":"x\"onload=1@y","lud16":"javascript:x","picture":"https://tracker.example/p.png"}`)
}

var numbered = regexp.MustCompile(`data-v="(\d+)"`)

func TestDVMs_ListsFiltersAndPages(t *testing.T) {
	r := newRig(t, DefaultOptions())
	if _, page := r.browse("/dvms"); !strings.Contains(page, "No DVM is known here yet") || !strings.Contains(page, "/connect") {
		t.Error("an empty list does not say what to do next")
	}
	r.story()
	for i := range dvmsShown + 5 {
		r.put(31990, 1_700_000_010+int64(i), fmt.Sprintf("%02x", i+1), fmt.Sprintf(`{"name":"Number %02d","amount":"%d"}`, i, 1000*(i+1)), nostr.Tag{"d", "a"}, nostr.Tag{"k", "5300"})
	}
	r.put(11998, 1_700_000_090, "01", "", nostr.Tag{"d", "x"})
	r.clock.Add(2)
	row := func(page, key string) bool { return strings.Contains(page, `href="/dvms/`+npubOf(key)+`"`) }
	_, page := r.browse("/dvms?kind=5050")
	for _, want := range []string{"Fox", shortKey(strings.Repeat(provider, 32)), "1 of 1", "10 s", "not stated", `value="5050"`, "Without filters"} {
		if !strings.Contains(page, want) {
			t.Errorf("the list for a kind lacks %q", want)
		}
	}
	if row(page, "01") {
		t.Error("the list for a kind has one that does not serve it")
	}
	for _, sort := range index.HandlerSorts() {
		seen := map[string]bool{}
		target := "/dvms?sort=" + sort
		for n := 0; target != "" && n < 5; n++ {
			_, page := r.browse(target)
			if !strings.Contains(page, `<option value="`+sort+`" selected>`) {
				t.Fatalf("%s: the order is not shown as chosen", target)
			}
			for _, m := range regexp.MustCompile(`id="d-(npub1[^"]+)"`).FindAllStringSubmatch(page, -1) {
				if seen[m[1]] {
					t.Fatalf("%s shows %s twice", sort, m[1])
				}
				seen[m[1]] = true
			}
			m := regexp.MustCompile(`<a href="([^"]+)" rel="next">`).FindStringSubmatch(page)
			target = ""
			if m != nil {
				if target = html.UnescapeString(m[1]); !strings.Contains(target, "sort="+sort) {
					t.Fatalf("the next page %s loses the order", target)
				}
			}
		}
		if len(seen) != dvmsShown+6 {
			t.Errorf("by %s %d DVMs are shown on all pages, want %d", sort, len(seen), dvmsShown+6)
		}
	}
	_, page = r.browse("/dvms?online=true&q=number")
	if !row(page, "01") || row(page, "02") || !strings.Contains(page, "● </span>") && !strings.Contains(page, "online") {
		t.Error("who is online is not the only one shown")
	}
	if _, page = r.browse("/dvms?q=nobody+has+these+words"); !strings.Contains(page, "Drop the filters") {
		t.Error("a list without matches does not say what to do")
	}
	if _, page = r.browse("/dvms?sort=price&kind=5300"); strings.Index(page, "Number 00") > strings.Index(page, "Number 01") || !strings.Contains(page, "1 sats") {
		t.Error("by price the lowest does not stand first")
	}
	for _, bad := range []string{"kind=x", "kind=-1", "kind=99999", "online=maybe", "sort=luck", "cursor=zzz", "q=" + strings.Repeat("a", 300)} {
		if resp, _ := r.browse("/dvms?" + bad); resp.StatusCode != http.StatusBadRequest {
			t.Errorf("%.40s = %d, want 400", bad, resp.StatusCode)
		}
	}
	if resp, _ := r.browse("/dvms?q=%ff%00<script>&kind=&online=&sort="); resp.StatusCode != http.StatusOK {
		t.Errorf("strange words = %d, want a page", resp.StatusCode)
	}
}

func TestDVMs_StayWholeWhateverStrangersWrite(t *testing.T) {
	r := newRig(t, DefaultOptions())
	r.story()
	r.hostileDVM("c1", 12)
	r.hostileDVM("c2", 1)
	for i := range 40 {
		key := fmt.Sprintf("%02x", i+1)
		content, _ := json.Marshal(map[string]any{"name": strings.Repeat("<&\"'", 60), "about": strings.Repeat("<", 9000)})
		r.put(31990, 1_700_000_000, key, string(content), nostr.Tag{"d", "a"}, nostr.Tag{"k", "5300"})
		job := r.put(5300, 1_700_000_020+int64(i), "ee", "", nostr.Tag{"i", strings.Repeat(`<i>"`, 2000), "text"})
		r.put(6300, 1_700_000_060+int64(i), "c1", `<script>alert(1)</script>`, nostr.Tag{"e", job})
	}
	r.clock.Add(100)
	for _, target := range []string{"/dvms", "/dvms?sort=name", "/dvms?q=%3Cscript%3E", "/dvms/" + npubOf("c1"), "/dvms/" + npubOf("c2"), "/kinds", "/kinds/5300", "/kinds/5100?window=all"} {
		resp, page := r.browse(target)
		if resp.StatusCode != http.StatusOK || len(page) > maxPage {
			t.Errorf("%s = %d with %d bytes, want a page of at most %d", target, resp.StatusCode, len(page), maxPage)
		}
		for _, bad := range []string{"<script>", "<img", "<h1>fox", "<b>", " style=", "\u202e", `href="javascript`, "<no value>", "ZgotmplZ", `onload=1@`} {
			if strings.Contains(strings.ReplaceAll(page, `x&#34;onload=1@`, ""), bad) {
				t.Errorf("%s has %q", target, bad)
			}
		}
		if m := regexp.MustCompile(`(?:src|href)="[^"]*tracker\.example`).FindString(page); m != "" {
			t.Errorf("%s loads or links a picture: %s", target, m)
		}
	}
	_, page := r.browse("/dvms/" + npubOf("c1"))
	for _, want := range []string{"https://tracker.example/p.png", "duplicate", "Older announcements", "and 276 more", "script&gt;"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
}

func TestDVM_ShowsWhatItDidAndWhatToLookAfter(t *testing.T) {
	r := newRig(t, DefaultOptions(), func(d *Deps) { d.RelayURL = "wss://hub.example" })
	request, _, _ := r.story()
	r.put(0, 1_700_000_002, provider, `{"name":"Fox","lud16":"fox@pay.example"}`)
	r.put(11998, 1_700_000_095, provider, "", nostr.Tag{"d", "x"})
	key := strings.Repeat(provider, 32)
	npub := npubOf(provider)
	resp, page := r.browse("/dvms/" + npub)
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("status %d", resp.StatusCode)
	}
	for _, want := range []string{
		"<title>DVM Fox (" + shortKey(key) + ")", npub, "draws", "online", "https://hub.example/api/v1/providers/" + npub + "/up", `/jobs?for=` + npub, `/jobs?provider=` + npub,
		`/u/` + npub, "/jobs/" + request, "a red &lt;b&gt;fox", "Check list", "og:description", "Answered 1 of 1 in 30 days, first result after 10 s",
		"Put lud16", "fox@pay.example", "d = fox", "not announced", `data-chart="history"`, "uplot.min", "charts.",
	} {
		if !strings.Contains(page, want) && want != "Put lud16" {
			t.Errorf("the page lacks %q", want)
		}
	}
	if strings.Contains(page, "Put lud16") {
		t.Error("there is advice for what is fine")
	}
	if got := numbered.FindAllStringSubmatch(page, -1); !slices.ContainsFunc(got, func(m []string) bool { return m[1] == "10000" }) {
		t.Errorf("the table of the chart has %v, and not the 10 s of its first result", got)
	}
	var c CheckupView
	r.get("/api/v1/providers/"+npub+"/check", http.StatusOK, &c)
	if n := strings.Count(page, `<span class="verdict`); n != len(c.Items) || n < 15 {
		t.Errorf("%d items stand on the list, want all %d", n, len(c.Items))
	}
	for _, it := range c.Items {
		known, ok := checkTitles[it.Code]
		if !ok || known.do == "" || !strings.Contains(page, "<strong>"+html.EscapeString(known.title)+"</strong>") {
			t.Errorf("%s has no name, no advice, or is not shown", it.Code)
		}
		if it.Code != "heartbeat" && !strings.Contains(page, html.EscapeString(it.Text)) {
			t.Errorf("%s: %q is not shown", it.Code, it.Text)
		}
	}
	var d ProviderView
	r.get("/dvms/"+npub+".json", http.StatusOK, &d)
	if d.PubKey != key || len(d.Handlers) != 1 {
		t.Errorf(".json gives %+v", d.ProviderHead)
	}
	for _, w := range []string{"1h", "24h", "7d", "all"} {
		if resp, _ := r.browse("/dvms/" + npub + "?window=" + w); resp.StatusCode != http.StatusOK {
			t.Errorf("window %s = %d", w, resp.StatusCode)
		}
	}
	if resp, _ := r.browse("/dvms/" + npub + "?window=9y"); resp.StatusCode != http.StatusBadRequest {
		t.Errorf("a window that there is not = %d, want 400", resp.StatusCode)
	}
}

func TestDVM_AnyNameOfTheKeyLeadsThere(t *testing.T) {
	r := newRig(t, DefaultOptions())
	r.story()
	pk, _ := nip90.ParsePubKey(strings.Repeat(provider, 32))
	for _, name := range []string{pk.String(), "nostr:" + nip90.Npub(pk), strings.ToUpper(nip90.Npub(pk))} {
		resp, _ := r.browse("/dvms/" + url.PathEscape(name) + "?window=7d")
		if got := resp.Header.Get("Location"); resp.StatusCode != http.StatusSeeOther || got != "/dvms/"+nip90.Npub(pk)+"?window=7d" {
			t.Errorf("%s = %d to %q, want 303 to the page of its npub", name, resp.StatusCode, got)
		}
	}
	for _, bad := range []string{"fox", "npub1xyz", strings.Repeat("0", 64), "31990:" + pk.String() + ":fox", strings.Repeat("a", 3000), "%00"} {
		if resp, _ := r.browse("/dvms/" + bad); resp.StatusCode != http.StatusBadRequest && resp.StatusCode != http.StatusNotFound {
			t.Errorf("%.40s = %d, want a refusal", bad, resp.StatusCode)
		}
	}
	stranger := npubOf("ee")
	resp, page := r.browse("/dvms/" + stranger)
	if resp.StatusCode != http.StatusNotFound || !strings.Contains(page, `href="/u/`+stranger+`"`) {
		t.Errorf("a key that is no provider = %d, want 404 and the way to its page as a person", resp.StatusCode)
	}
}

func TestDVM_CallsOutWhatIsStaleDoubledOrSilent(t *testing.T) {
	r := newRig(t, DefaultOptions())
	r.put(31990, 1_690_000_000, "c1", `{"name":"Twin"}`, nostr.Tag{"d", "a"}, nostr.Tag{"k", "5050"})
	r.put(31990, 1_690_000_001, "c1", `{"name":"Twin"}`, nostr.Tag{"d", "b"}, nostr.Tag{"k", "5050"})
	for i := range 25 {
		r.put(5050, 1_700_000_000+int64(i), customer, "", nostr.Tag{"i", fmt.Sprint(i), "text"})
	}
	r.clock.Add(1000)
	for _, target := range []string{"/dvms", "/dvms/" + npubOf("c1")} {
		_, page := r.browse(target)
		for _, want := range []string{"never answers", "stale", "duplicate"} {
			if !strings.Contains(page, ">"+want+"</span>") {
				t.Errorf("%s does not say %q", target, want)
			}
		}
	}
	_, page := r.browse("/dvms/" + npubOf("c1"))
	if !strings.Contains(page, "Took its place") || !strings.Contains(page, "None of 25 requests") {
		t.Error("the page does not say what took its place, or that it never answered")
	}
}

// TestSeries_GapsAreNotZero holds what a chart is drawn from.
func TestSeries_GapsAreNotZero(t *testing.T) {
	zero, five := int64(0), int64(5)
	points := []index.Point{{At: 86400, Gap: true}, {At: 2 * 86400, Requests: &zero, Answered: &zero, Errors: &zero}, {At: 3 * 86400, Gap: true, Requests: &five, Answered: &five, Errors: &zero}}
	s := drawn("x", "about", points, []string{"a"}, []string{"requests", "errors"})
	if s.Gaps != 2 || s.Step != 86400 || s.Rows[0].Cells[0].Known || s.Rows[0].Cells[0].Text != "unknown" || !s.Rows[1].Cells[0].Known || s.Rows[1].Cells[0].Text != "0" {
		t.Errorf("got %+v", s)
	}
	if !s.Rows[2].Gap || s.Rows[2].Cells[0].Value != 5 {
		t.Errorf("what came in another way within a gap is lost: %+v", s.Rows[2])
	}
	long := make([]index.Point, 500)
	if s := drawn("x", "", long, []string{"a"}, []string{"p50"}); len(s.Rows) != maxSteps || !s.Cut {
		t.Errorf("%d rows of a long history, want %d", len(s.Rows), maxSteps)
	}
}
