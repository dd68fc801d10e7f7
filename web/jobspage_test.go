package web

import (
	"encoding/csv"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"dvmrelay/index"
	"dvmrelay/nip90"

	"github.com/nbd-wtf/go-nostr"
)

var (
	jobLinks = regexp.MustCompile(`<a class="said"[^>]* href="/jobs/([0-9a-f]{64})"`)
	csvLink  = regexp.MustCompile(`href="([^"]+)">CSV</a>`)
	nextLink = regexp.MustCompile(`href="([^"]+)" rel="next"`)
)

// shown are the jobs of a page, in its order.
func shown(page string) (ids []string) {
	for _, m := range jobLinks.FindAllStringSubmatch(page, -1) {
		ids = append(ids, m[1])
	}
	return ids
}

// open browses to a page and fails unless it is there.
func (r *rig) open(target string) string {
	r.t.Helper()
	resp, page := r.browse(target)
	if resp.StatusCode != http.StatusOK {
		r.t.Fatalf("GET %s = %d to %q: %.300s", target, resp.StatusCode, resp.Header.Get("Location"), page)
	}
	return page
}

type jobIDs struct {
	Items []struct{ ID string }
	Next  string `json:"next_cursor"`
}

func (l *jobIDs) ids() (ids []string) {
	for _, one := range l.Items {
		ids = append(ids, one.ID)
	}
	return ids
}

func key32(hex string) nip90.PubKey {
	k, _ := nip90.ParsePubKey(strings.Repeat(hex, 32))
	return k
}

// jobMarket saves real events and one job of each state; now is the time at which they are looked at.
func (r *rig) jobMarket() {
	r.t.Helper()
	r.clock.Store(1_795_000_000)
	r.real()
	r.story()
	now := r.clock.Load()
	ask := func(age int64, by string, tags ...nostr.Tag) string {
		return r.put(5050, now-age, by, "", append([]nostr.Tag{{"i", fmt.Sprint("cheese number ", age), "text"}}, tags...)...)
	}
	say := func(id, by, status string, age int64, tags ...nostr.Tag) {
		r.put(7000, now-age, by, "", append([]nostr.Tag{{"e", id}, {"status", status}}, tags...)...)
	}
	ask(30, "a1")
	ask(3_000, "a1")
	say(ask(40, "a2"), "b1", "processing", 35)
	say(ask(5_000, "a2"), "b1", "processing", 4_990)
	say(ask(50, "a2"), "b1", "payment-required", 45, nostr.Tag{"amount", "21000"})
	paid := ask(55, "a2")
	say(paid, "b1", "payment-required", 54, nostr.Tag{"amount", "21000"})
	r.put(9321, now-53, "a2", "", nostr.Tag{"p", strings.Repeat("b1", 32)}, nostr.Tag{"u", "https://mint.example"}, nostr.Tag{"proof", `{"amount":21,"secret":"s","C":"02"}`}, nostr.Tag{"e", paid})
	say(ask(60, "a2", nostr.Tag{"encrypted"}, nostr.Tag{"p", strings.Repeat("b1", 32)}), "b1", "partial", 55)
	say(ask(70, "a3"), "b2", "error", 65)
	r.put(6050, now-75, "b2", "done", nostr.Tag{"e", ask(80, "a3")})
	r.put(5, now-85, "a3", "", nostr.Tag{"e", ask(90, "a3")})
	ask(7_200, "a4", nostr.Tag{"expiration", fmt.Sprint(now + 1)})
	r.put(31990, now-99, "b1", `{"name":"Bee"}`, nostr.Tag{"d", "x"}, nostr.Tag{"k", "5050"})
	r.put(0, now-99, "a2", `{"name":"Ann"}`)
	r.clock.Add(2)
}

func TestJobs_EveryFilterShowsWhatTheAPIGives(t *testing.T) {
	r := newRig(t, DefaultOptions())
	r.jobMarket()
	npub := func(hex string) string { return nip90.Npub(key32(hex)) }
	queries := []string{"", "kind=5050", "kind=5300", "customer=" + npub("a2"), "provider=" + npub("b1"), "for=" + npub("b1"), "encrypted=true", "encrypted=false", "q=cheese", "q=CHEESE+number", "since=1794999900", "until=1794999900", "limit=3", "kind=5050&q=cheese&state=success"}
	filled := map[string]bool{}
	for _, state := range index.States() {
		queries = append(queries, "state="+state, "kind=5050&state="+state)
	}
	for _, payment := range index.Payments() {
		queries = append(queries, "payment="+payment)
	}
	for _, query := range queries {
		values, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		target := strings.TrimSuffix("/jobs?"+values.Encode(), "?")
		page := r.open(target)
		var want, beside jobIDs
		r.get("/api/v1"+target, http.StatusOK, &want)
		r.get(jsonOf(t, page), http.StatusOK, &beside)
		got := shown(page)
		if !slices.Equal(got, want.ids()) || !slices.Equal(want.ids(), beside.ids()) {
			t.Errorf("%s: the page shows %v, its JSON %v, the API gives %v", target, got, beside.ids(), want.ids())
		}
		filled[query] = len(got) > 0
		if more := nextLink.MatchString(page); more != (want.Next != "") {
			t.Errorf("%s: the page leads on: %t, the API: %q", target, more, want.Next)
		}
		table := csvLink.FindStringSubmatch(page)
		if table == nil {
			t.Fatalf("%s leads to no CSV", target)
		}
		rows, err := csv.NewReader(r.do(http.MethodGet, strings.ReplaceAll(table[1], "&amp;", "&")).Body).ReadAll()
		if err != nil || len(rows) != len(got)+1 {
			t.Errorf("%s: its CSV has %d rows, %v, want a header and %d", target, len(rows), err, len(got))
		}
	}
	for query, is := range filled {
		if !is && (!strings.Contains(query, "payment=") || query == "payment=none" || query == "payment=asked" || query == "payment=claimed") && !strings.HasPrefix(query, "kind=5050&state=") && query != "kind=5050&q=cheese&state=success" {
			t.Errorf("%s finds nothing: it shows nothing about the filter", query)
		}
	}
}

func TestJobs_TimesAsPeopleWriteThem(t *testing.T) {
	r := newRig(t, DefaultOptions())
	r.jobMarket()
	for query, same := range map[string]string{
		"since=2023-11-14":                        "since=1699920000",
		"until=2023-11-14":                        "until=1700006399",
		"since=2023-11-14T22:13&until=2023-12-01": "since=1699999980&until=1701475199",
		"since=2026-11-18T11:06:00Z":              "since=1794999960",
		"window=1h":                               "since=1794996402",
		"window=24h&state=open":                   "since=1794913602&state=open",
		"window=7d":                               "since=1794395202",
	} {
		values, _ := url.ParseQuery(query)
		page := r.open("/jobs?" + values.Encode())
		var want, beside jobIDs
		r.get("/api/v1/jobs?"+same, http.StatusOK, &want)
		r.get(jsonOf(t, page), http.StatusOK, &beside)
		if got := shown(page); !slices.Equal(got, want.ids()) || !slices.Equal(got, beside.ids()) || len(got) == 0 {
			t.Errorf("%s: %d jobs, its JSON %d, want %d", query, len(got), len(beside.Items), len(want.Items))
		}
		for name, value := range values {
			if name != "window" && !strings.Contains(page, `name="`+name+`"`) || !strings.Contains(page, `value="`+value[0]+`"`) {
				t.Errorf("%s: the form lost %s", query, name)
			}
		}
	}
}

// walk follows the links to older jobs.
func (r *rig) walk(target string) (ids []string) {
	r.t.Helper()
	for n := 0; ; n++ {
		page := r.open(target)
		ids = append(ids, shown(page)...)
		if live := strings.Contains(page, "sse-connect"); live != !strings.Contains(target, "cursor=") {
			r.t.Errorf("%s is live: %t", target, live)
		}
		if strings.Contains(target, "cursor=") && !strings.Contains(page, "← Newest") {
			r.t.Errorf("%s does not lead back to the newest", target)
		}
		m := nextLink.FindStringSubmatch(page)
		if m == nil {
			return ids
		}
		if target = strings.ReplaceAll(m[1], "&amp;", "&"); n > 1000 {
			r.t.Fatal("there is no end to the pages")
		}
	}
}

func TestJobs_PagesWalkAllOnce(t *testing.T) {
	r := newRig(t, DefaultOptions())
	r.jobMarket()
	for range 60 {
		r.put(5050, 1_795_000_000, "a5", "", nostr.Tag{"i", fmt.Sprint(r.clock.Add(1)), "text"})
	}
	b1 := nip90.Npub(key32("b1"))
	for _, c := range []struct{ page, api string }{
		{"/jobs?limit=7", "/api/v1/jobs?limit=200"},
		{"/jobs?kind=5050&limit=3&state=open", "/api/v1/jobs?kind=5050&state=open&limit=200"},
		{"/jobs?for=" + b1 + "&limit=4", "/api/v1/jobs?for=" + b1 + "&limit=200"},
		{"/u/" + nip90.Npub(key32("a5")) + "?as=customer", "/api/v1/jobs?limit=200&customer=" + nip90.Npub(key32("a5"))},
		{"/u/" + b1 + "?as=provider", "/api/v1/jobs?limit=200&provider=" + b1},
	} {
		var want []string
		for cursor := ""; ; {
			var page jobIDs
			r.get(c.api+"&cursor="+cursor, http.StatusOK, &page)
			want = append(want, page.ids()...)
			if cursor = page.Next; cursor == "" {
				break
			}
		}
		if got := r.walk(c.page); !slices.Equal(got, want) || len(got) < 3 {
			t.Errorf("%s: the walk finds %d jobs, want %d: %v, %v", c.page, len(got), len(want), got, want)
		}
	}
}

func TestJobs_AFaultKeepsTheForm(t *testing.T) {
	r := newRig(t, DefaultOptions())
	for _, bad := range []string{"state=sideways", "payment=maybe", "kind=70000", "kind=x", "customer=nobody", "provider=<b>", "for=npub1x", "encrypted=perhaps", "since=yesterday", "until=-1", "window=2y", "cursor=x", "limit=0", "limit=x", "q=" + strings.Repeat("a", 201)} {
		values, _ := url.ParseQuery(bad + "&q=kept")
		if strings.HasPrefix(bad, "q=") {
			values.Set("kind", "5050")
		}
		resp, page := r.browse("/jobs?" + values.Encode())
		name, value, _ := strings.Cut(bad, "=")
		if resp.StatusCode != http.StatusBadRequest || !strings.Contains(page, name+":") || strings.Contains(page, "sse-connect") {
			t.Errorf("%.40s = %d, want a 400 that names the parameter", bad, resp.StatusCode)
		}
		if name != "q" && !strings.Contains(page, `value="kept"`) || strings.Contains(page, "<b>") {
			t.Errorf("%s: the form is lost, or not escaped", bad)
		}
		if name == "kind" && !strings.Contains(page, `value="`+value+`"`) {
			t.Errorf("%s: the fault is not there to be mended", bad)
		}
		if resp := r.do(http.MethodGet, "/jobs.json?"+values.Encode()); resp.StatusCode < 400 && name != "window" && name != "limit" || resp.StatusCode >= 500 {
			t.Errorf("%.40s: as JSON %d, want 4xx", bad, resp.StatusCode)
		}
		if resp := r.do(http.MethodGet, "/live?at="+url.QueryEscape("/jobs?"+values.Encode())); resp.StatusCode >= 500 && resp.StatusCode != http.StatusServiceUnavailable {
			t.Errorf("%.40s: its stream = %d", bad, resp.StatusCode)
		}
	}
	if resp, _ := newRig(t, Options{Inputs: InputsHide}).browse("/jobs?q=word"); resp.StatusCode != http.StatusBadRequest {
		t.Errorf("words where inputs are hidden = %d, want 400", resp.StatusCode)
	}
	if strings.Contains(newRig(t, Options{Inputs: InputsHide}).open("/jobs"), `name="q" type="search" maxlength="200"`) {
		t.Error("there is a field for words that cannot be looked for")
	}
}

func TestJobs_OneAddressForOneList(t *testing.T) {
	r := newRig(t, DefaultOptions())
	hex := strings.Repeat("a2", 32)
	for target, want := range map[string]string{
		"/jobs?state=&payment=&kind=&q=":    "/jobs",
		"/jobs?kind=05050&state=open&q=+x+": "/jobs?kind=5050&q=x&state=open",
		"/jobs?customer=" + hex:             "/jobs?customer=" + nip90.Npub(key32("a2")),
		"/jobs?window=1h&since=1700000000":  "/jobs?since=1700000000",
		"/jobs?limit=200":                   "/jobs",
		"/u?key=" + hex:                     "/u/" + nip90.Npub(key32("a2")),
		"/u/" + hex + "?as=customer":        "/u/" + nip90.Npub(key32("a2")) + "?as=customer",
		"/u/" + hex + ".json":               "/u/" + nip90.Npub(key32("a2")) + ".json",
	} {
		resp, _ := r.browse(target)
		if got := resp.Header.Get("Location"); resp.StatusCode != http.StatusSeeOther || got != want {
			t.Errorf("%s = %d to %q, want 303 to %q", target, resp.StatusCode, got, want)
			continue
		}
		if resp, _ := r.browse(want); resp.StatusCode != http.StatusOK {
			t.Errorf("%s leads to %s, which is %d", target, want, resp.StatusCode)
		}
	}
	if resp := r.do(http.MethodGet, "/live?at="+url.QueryEscape("/jobs?state=")); resp.StatusCode >= 500 && resp.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("a stream of a page that is elsewhere = %d", resp.StatusCode)
	}
}

// TestJobs_ChipsToggleAndKeepTheRest follows every chip: it changes its own filter and no other, and back.
func TestJobs_ChipsToggleAndKeepTheRest(t *testing.T) {
	r := newRig(t, DefaultOptions())
	r.jobMarket()
	start := "/jobs?encrypted=false&kind=5050&payment=none&state=open"
	page := r.open(start)
	chips := regexp.MustCompile(`<li><a href="([^"]+)"( aria-current="true")?>`).FindAllStringSubmatch(page, -1)
	if len(chips) != len(index.States())+len(index.Payments())+len(jobWindows)+3 {
		t.Fatalf("%d chips, want one for each value and one for all of each", len(chips))
	}
	on := 0
	for _, m := range chips {
		to, err := url.Parse(strings.ReplaceAll(m[1], "&amp;", "&"))
		if err != nil {
			t.Fatal(err)
		}
		if m[2] != "" {
			on++
		}
		q := to.Query()
		changed := 0
		for name, want := range map[string]string{"encrypted": "false", "kind": "5050", "payment": "none", "state": "open", "window": ""} {
			if q.Get(name) != want {
				changed++
			}
		}
		if self := m[2] != "" && to.RequestURI() == start; changed != 1 && !self {
			t.Errorf("the chip to %s changes %d filters, want 1", to, changed)
		}
		r.open(to.String())
	}
	if on != 3 {
		t.Errorf("%d chips are on, want one of each row", on)
	}
}

func TestJobs_ForAKey(t *testing.T) {
	r := newRig(t, DefaultOptions())
	now := r.clock.Load()
	me, other := strings.Repeat("b1", 32), strings.Repeat("b2", 32)
	r.put(31990, now-900, "b1", `{"name":"Bee <b>"}`, nostr.Tag{"d", "x"}, nostr.Tag{"k", "5050"})
	ask := func(age int64, tags ...nostr.Tag) string {
		return r.put(5050, now-age, "a1", "", append([]nostr.Tag{{"i", fmt.Sprint("job ", age), "text"}}, tags...)...)
	}
	old := ask(800, nostr.Tag{"bid", "21000"})
	mine := ask(700, nostr.Tag{"p", me}, nostr.Tag{"p", other}, nostr.Tag{"expiration", fmt.Sprint(now + 500)}, nostr.Tag{"encrypted"})
	ask(600, nostr.Tag{"p", other})
	answered := ask(500)
	r.put(7000, now-490, "b2", "", nostr.Tag{"e", answered}, nostr.Tag{"status", "processing"})
	own := ask(400)
	r.put(7000, now-390, "b1", "", nostr.Tag{"e", own}, nostr.Tag{"status", "processing"})
	r.put(5100, now-300, "a1", "", nostr.Tag{"i", "another kind", "text"})
	target := "/jobs?for=" + nip90.Npub(key32("b1"))
	page := r.open(target)
	if got, want := shown(page), []string{mine, old, answered}; !slices.Equal(got, want) {
		t.Errorf("got %v, want what nobody answered, newest first, then what others did: %v", got, want)
	}
	for _, want := range []string{"/jobs/" + old + "#answer", "addressed to it", "and 1 more", "open to all", "21 sats", "in 8 min", "encrypted", "Bee &lt;b&gt;", "1 answered"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	for who, want := range map[string]string{"ee": "kind 31990", "b1&kind=5100": "nothing to answer now"} {
		hex, rest, _ := strings.Cut(who, "&")
		if page := r.open(strings.TrimSuffix("/jobs?for="+nip90.Npub(key32(hex))+"&"+rest, "&")); !strings.Contains(page, want) {
			t.Errorf("for %s: the page does not say %q", who, want)
		}
	}
}

func TestJobs_StrangersWriteWhatTheyLike(t *testing.T) {
	const evil = `"><script>alert(1)</script><img src=x onerror=alert(2)>{{.}}` + "\u202e\u0000" + `' style=x javascript:`
	r := newRig(t, Options{Inputs: InputsShow})
	now := r.clock.Load()
	r.put(0, now-99, "a1", fmt.Sprintf(`{"name":%q,"about":%q}`, "<i>"+strings.Repeat("\U0001f98a", 200), evil[:60]))
	r.put(31990, now-99, "b1", `{"name":"<script>x</script>"}`, nostr.Tag{"d", "x"}, nostr.Tag{"k", "5050"})
	long := strings.Repeat(evil, 30)
	for i := range int64(60) {
		id := r.put(5050, now-i, "a1", "", nostr.Tag{"i", long + fmt.Sprint(i), "text"}, nostr.Tag{"bid", "1234567890123"}, nostr.Tag{"output", evil})
		for _, by := range []string{"b1", "b2", "b3", "b4", "b5"} {
			r.put(7000, now-i, by, "", nostr.Tag{"e", id}, nostr.Tag{"status", "payment-required", long}, nostr.Tag{"amount", "987654321000", evil})
		}
	}
	words := strings.Repeat("\U0001f98a", 200)
	for _, target := range []string{
		"/jobs", "/jobs?for=" + nip90.Npub(key32("b7")), "/u/" + nip90.Npub(key32("a1")), "/u/" + nip90.Npub(key32("b1")) + "?as=provider",
		"/jobs?q=" + url.QueryEscape(words), "/jobs?q=" + url.QueryEscape("<script>x</script>"), "/jobs?q=alert", "/jobs?customer=" + nip90.Npub(key32("a1")),
	} {
		page := r.open(target)
		if len(page) > maxPage {
			t.Errorf("%.60s: %d bytes, want at most %d", target, len(page), maxPage)
		}
		for _, bad := range []string{"<script>", "<img", "<i>", " style=", "ZgotmplZ", "%!"} {
			if strings.Contains(strings.ReplaceAll(page, "&#39; style=x", ""), bad) {
				t.Errorf("%.60s: the page has %s", target, bad)
			}
		}
	}
}

func TestJobs_EmptySaysWhatToDo(t *testing.T) {
	r := newRig(t, DefaultOptions())
	page := r.open("/jobs")
	if !strings.Contains(page, "No job has been heard yet") || !strings.Contains(page, `href="/connect"`) {
		t.Error("an empty hub does not say what to do")
	}
	page = r.open("/jobs?kind=5050&state=error")
	for _, want := range []string{`href="/jobs?kind=5050"`, `href="/jobs?state=error"`, "Take something away"} {
		if !strings.Contains(page, want) {
			t.Errorf("where nothing is found the page lacks %q", want)
		}
	}
	if page := r.open("/jobs?since=1700000000&until=1600000000"); !strings.Contains(page, "ends before it begins") {
		t.Error("a time that ends before it begins is not told")
	}
}
