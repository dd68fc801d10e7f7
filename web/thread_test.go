package web

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"dvmrelay/index"
	"dvmrelay/nip90"
	"dvmrelay/store/storetest"

	"github.com/nbd-wtf/go-nostr"
)

const (
	t0 = 1_700_000_000
	// bill is an invoice over 5 sat, made 10 s after t0, that can be paid for 300 s.
	bill = "lnbc50000p1pj48ug2pp5n2wlvfka2emh86g84elgeuz0hpje28hdlunjkgy2vtv8e60kahrqxqyqqfvqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqp9pywc"
)

// scene is one event of a story: %N in its tags is the id of the part of that number.
type scene struct {
	key     string
	kind    int
	at      int64 // seconds after t0
	content string
	tags    []nostr.Tag
}

var partNumber = regexp.MustCompile(`%\d`)

// tell puts a story in, each part at the second in which it was made.
func (r *rig) tell(parts []scene) (ids []string) {
	r.t.Helper()
	for _, p := range parts {
		r.clock.Store(t0 + p.at)
		tags := nostr.Tags{}
		for _, words := range p.tags {
			one := nostr.Tag{}
			for _, w := range words {
				one = append(one, partNumber.ReplaceAllStringFunc(w, func(n string) string { return ids[n[1]-'0'] }))
			}
			tags = append(tags, one)
		}
		ids = append(ids, r.put(p.kind, t0+p.at, p.key, p.content, tags...))
	}
	return ids
}

func key(two string) string { return strings.Repeat(two, 32) }

// job, says and pays are parts that stories are made of.
func job(tags ...nostr.Tag) scene {
	return scene{"aa", 5100, 0, "", append([]nostr.Tag{tag("i", "paint a fox", "text")}, tags...)}
}

func says(at int64, status string, tags ...nostr.Tag) scene {
	return scene{"bb", 7000, at, "", append([]nostr.Tag{tag("status", status), tag("e", "%0"), tag("p", key("aa"))}, tags...)}
}

func pays(from, to string, at, sats int64, about string) scene {
	return scene{from, 9321, at, "", []nostr.Tag{tag("p", key(to)), tag("u", "https://mint.example"), tag("proof", fmt.Sprintf(`{"amount":%d,"secret":"%s%d","C":"02"}`, sats, from, at)), tag("e", about)}}
}

func earlier() []scene {
	return []scene{
		{"ee", 5100, -300, "", []nostr.Tag{tag("i", "earlier", "text")}},
		{"bb", 6100, -295, "done", []nostr.Tag{tag("e", "%0")}},
	}
}

type listened struct {
	urls []string
	gaps []index.Gap
}

func (l listened) Since() int64 { return t0 - 86400 }

func (l listened) Coverage(since, until int64) (list []index.Coverage) {
	for _, u := range l.urls {
		list = append(list, index.Coverage{URL: u, HeardSeconds: until - since, WindowSeconds: until - since})
	}
	return list
}

func (l listened) Gaps(int64, int64, int) []index.Gap { return l.gaps }

var (
	marks     = regexp.MustCompile(`<a class="mark[^"]*" id="[^"]+" href="([^"]+)"`)
	eventRows = regexp.MustCompile(`<tr id="event-([0-9a-f]{64})"`)
)

// thread reads the page of a job and holds it to what every such page promises.
func (r *rig) thread(id string) string {
	r.t.Helper()
	resp, page := r.browse("/jobs/" + id)
	if resp.StatusCode != http.StatusOK {
		r.t.Fatalf("status %d: %.400s", resp.StatusCode, page)
	}
	if len(page) > maxPage {
		r.t.Errorf("%d bytes of HTML, want at most %d", len(page), maxPage)
	}
	rows := map[string]bool{}
	for _, m := range eventRows.FindAllStringSubmatch(page, -1) {
		rows["#event-"+m[1]] = true
	}
	for _, m := range marks.FindAllStringSubmatch(page, -1) {
		if strings.HasPrefix(m[1], "#") && !rows[m[1]] {
			r.t.Errorf("a mark leads to %s, which is no row", m[1])
		}
	}
	if i, j := strings.Index(page, `id="result"`), strings.Index(page, `id="why"`); (i < j) != strings.Contains(page, `<article class="result">`) && i*j < 0 {
		r.t.Error("the result does not stand where it should")
	}
	for _, want := range []string{`id="lanes"`, `id="providers"`, `id="result"`, `id="money"`, `id="graph"`, `id="events"`, `>Refresh</a>`, `id="copy-nevent"`} {
		if strings.Count(page, want) != 1 {
			r.t.Errorf("%s stands there %d times, want once", want, strings.Count(page, want))
		}
	}
	return page
}

// TestThread_EveryReasonAndPayment tells a story for each code of a reason and each payment state, through the store.
func TestThread_EveryReasonAndPayment(t *testing.T) {
	asked := says(10, "payment-required", tag("amount", "5000"))
	billed := says(10, "payment-required", tag("amount", "5000", bill))
	toBob := tag("p", key("bb"))
	// after puts a story behind others, whose ids come first.
	after := func(first []scene, rest ...scene) []scene { return append(first, rest...) }
	told := map[string]bool{}
	for _, c := range []struct {
		name  string
		parts []scene
		of    int
		look  int64
		heard *listened
		want  []string
	}{
		{"no-provider-for-kind", []scene{{"ee", 5999, -900, "", []nostr.Tag{tag("i", "x", "text")}}, {"ee", 5999, -800, "", []nostr.Tag{tag("i", "y", "text")}}, {"aa", 5999, 0, "", []nostr.Tag{tag("i", "odd", "text")}}}, 2, 60, nil, []string{"Waiting for an answer", "0 DVMs, 0 online", "none seen on 2 upstreams"}},
		{"addressed-provider-silent", after(earlier(), job(toBob)), 2, 660, nil, []string{"Waiting for an answer", "addressed, never answered (seen"}},
		{"addressed-provider-offline", []scene{{"bb", 31990, -2500, `{"name":"Fox Painter"}`, []nostr.Tag{tag("d", "fox"), tag("k", "5100")}}, {"bb", 11998, -1200, "", []nostr.Tag{tag("d", "x")}}, job(toBob)}, 2, 60, nil, []string{"<strong>Likely:</strong>", "Fox Painter"}},
		{"bid-below-price", []scene{{"bb", 31990, -500, `{"name":"Fox","amount":5000}`, []nostr.Tag{tag("d", "fox"), tag("k", "5100")}}, job(tag("bid", "3000"))}, 1, 60, nil, []string{"bid 3 ·", "eligible, never answered"}},
		{"awaiting-payment", []scene{job(), billed}, 0, 210, nil, []string{"Payment asked", "tag = invoice ✓", "expires"}},
		{"invoice-expired", []scene{job(), billed}, 0, 310, nil, []string{"The invoice expired unpaid", "expired <time"}},
		{"paid-no-result", []scene{job(), asked, pays("aa", "bb", 20, 5, "%1")}, 0, 700, nil, []string{"Payment claimed, no result", "▶!", ">silent<", "(not proof)", "mint <bdi>https://mint.example"}},
		{"wrong-amount", []scene{job(), asked, pays("aa", "bb", 20, 4, "%1")}, 0, 60, nil, []string{"Another amount claimed than asked"}},
		{"no-result-after-success", []scene{job(), says(10, "success")}, 0, 80, nil, []string{"At work"}},
		{"expired-unanswered", after(earlier(), job(tag("expiration", fmt.Sprint(t0+60)))), 2, 700, nil, []string{"Expired unanswered", "expired, body gone", "no body"}},
		{"malformed-input", after(earlier(), scene{"aa", 5100, 0, "paint a fox", []nostr.Tag{tag("input", "paint a fox"), tag("i", "", "text")}}), 2, 60, nil, nil},
		{"encrypted-without-provider", after(earlier(), scene{"aa", 5100, 0, "QUJDREVGR0hJSktMTU5PUA==?iv=QUJDREVGR0hJSktMTU5PUA==", []nostr.Tag{tag("encrypted")}}), 2, 60, nil, []string{"· encrypted"}},
		{"upstream-gap", after(earlier(), job()), 2, 60, &listened{[]string{"wss://a.example"}, []index.Gap{{URL: "wss://a.example", Since: t0 + 10, Until: t0 + 40, Why: "closed"}}}, []string{"gap 30 s", `<span class="url">wss://a.example</span>`}},
		{"asks-on-unwatched-relay", after(earlier(), job(tag("relays", "wss://far.example"))), 2, 60, &listened{urls: []string{"wss://a.example"}}, []string{"wss://far.example"}},
		{"answered-elsewhere-possible", after(earlier(), job(), scene{"aa", 5100, 300, "", []nostr.Tag{tag("i", "%2", "job")}}, scene{"bb", 6100, 310, "done", []nostr.Tag{tag("e", "%3")}}), 2, 400, nil, []string{">Chain</h3>"}},
		{"", []scene{job(), asked, pays("aa", "bb", 20, 5, "%1"), {"bb", 6100, 30, "a fox at https://media.example/fox.png", []nostr.Tag{tag("e", "%0"), tag("p", key("aa"))}}}, 0, 60, nil, []string{"Answered, payment claimed", `rel="nofollow noopener noreferrer">https://media.example/fox.png</a>`, "Time is to scale."}},
		{"", []scene{job(), asked, pays("aa", "bb", 20, 5, "%1"), pays("bb", "aa", 40, 5, "%0")}, 0, 100, nil, []string{"paid back", "↩"}},
		{"", []scene{job(), says(3, "error", tag("nonsense"))}, 0, 100, nil, []string{"Failed", "✕"}},
		{"", []scene{job(), {"aa", 5, 20, "", []nostr.Tag{tag("e", "%0"), tag("k", "5100")}}}, 0, 100, nil, []string{"Cancelled by its customer", "Its customer withdrew it"}},
	} {
		name := c.name
		if name == "" {
			name = c.want[0]
		}
		t.Run(name, func(t *testing.T) {
			r := newRig(t, DefaultOptions(), func(d *Deps) {
				if c.heard != nil {
					clock := d.Now
					d.Index = index.New(index.Options{KeepCustomer: true, Now: clock, Listening: *c.heard})
				}
			})
			ids := r.tell(c.parts)
			r.clock.Store(t0 + c.look)
			page := r.thread(ids[c.of])
			var th struct {
				Why []index.Why `json:"why"`
			}
			resp := r.get("/jobs/"+ids[c.of]+".json", http.StatusOK, &th)
			if !strings.HasPrefix(resp.Header.Get("Content-Type"), "application/json") {
				t.Errorf("its JSON is %s", resp.Header.Get("Content-Type"))
			}
			found := c.name == ""
			for _, w := range th.Why {
				found = found || w.Code == c.name
				told[w.Code] = true
				text := strings.TrimPrefix(strings.TrimPrefix(w.Text, "Observed: "), "Likely ")
				if !strings.Contains(page, asHTML(text)) {
					t.Errorf("the page lacks the reason %q", text)
				}
			}
			if !found {
				t.Errorf("reasons %+v, want %s among them", th.Why, c.name)
			}
			for _, want := range c.want {
				if !strings.Contains(page, want) {
					t.Errorf("the page lacks %q", want)
				}
			}
		})
	}
	for _, code := range index.WhyCodes() {
		if !told[code] && code != "born-expired" { // TestThread_BornExpired
			t.Errorf("no story has the reason %s", code)
		}
	}
}

// asHTML is text as html/template writes it.
func asHTML(text string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&#34;", "'", "&#39;", "+", "&#43;").Replace(text)
}

func TestThread_AnyIDLeadsToTheJob(t *testing.T) {
	r := newRig(t, DefaultOptions())
	request, feedback, result := r.story()
	root, _ := nip90.ParseID(request)
	other, _ := nip90.ParseID(feedback)
	for _, c := range []struct{ id, want string }{
		{nip90.Note(root), "/jobs/" + request},
		{nip90.Nevent(root, nip90.PubKey{}, 5050), "/jobs/" + request},
		{strings.ToUpper(request), "/jobs/" + request},
		{feedback, "/jobs/" + request + "#event-" + feedback},
		{nip90.Note(other), "/jobs/" + request + "#event-" + feedback},
		{result, "/jobs/" + request + "#event-" + result},
	} {
		resp, _ := r.browse("/jobs/" + c.id)
		if got := resp.Header.Get("Location"); resp.StatusCode != http.StatusSeeOther || got != c.want {
			t.Errorf("/jobs/%s = %d to %q, want 303 to %q", c.id, resp.StatusCode, got, c.want)
		}
	}
	resp, page := r.browse("/jobs/" + strings.Repeat("0f", 32))
	if resp.StatusCode != http.StatusNotFound || !strings.Contains(page, "wss://a.example") {
		t.Errorf("an unknown job = %d, want a 404 with what is listened to", resp.StatusCode)
	}
	for _, bad := range []string{"/jobs/nonsense", "/jobs/" + request + "?after=nonsense"} {
		if resp, _ := r.browse(bad); resp.StatusCode != http.StatusBadRequest {
			t.Errorf("%s = %d, want 400", bad, resp.StatusCode)
		}
	}
	// Only a page that stands at its own address streams.
	if resp := r.do(http.MethodGet, "/live?at=/jobs/"+feedback); resp.StatusCode == http.StatusInternalServerError || resp.StatusCode == http.StatusOK {
		t.Errorf("the stream of another address = %d, want a refusal", resp.StatusCode)
	}
}

func TestThread_HostileContentStaysText(t *testing.T) {
	const evil = `</pre><script>alert(1)</script>"><img src=x onerror=alert(2)> javascript:alert(3)`
	r := newRig(t, DefaultOptions())
	long := strings.Repeat(`"<&'+`, 20_000)
	ids := r.tell([]scene{
		{"bb", 0, -10, `{"name":"` + strings.ReplaceAll(evil, `"`, `\"`) + strings.Repeat("\u202e", 9) + `"}`, nil},
		{"aa", 5100, 0, "", []nostr.Tag{tag("i", evil, "text"), tag("relays", "javascript:alert(1)", evil), tag("output", evil)}},
		{"bb", 7000, 5, evil, []nostr.Tag{tag("status", "partial", evil), tag("e", "%1"), tag("amount", "1000", evil)}},
		{"bb", 7000, 6, "", []nostr.Tag{tag("status", "error\revent: x\rdata: <b>", evil+"\rdata: more"), tag("e", "%1")}},
		{"bb", 6100, 7, evil + "\revent: x\rdata: y  javascript://x https://media.example/\"onclick= " + long, []nostr.Tag{tag("e", "%1"), tag("amount", "1000", "https://evil.example/pay")}},
		{"cc", 6100, 8, `[["i","` + strings.ReplaceAll(evil, `"`, `\"`) + `"],{"a":[1,2]}]`, []nostr.Tag{tag("e", "%1")}},
		{"dd", 1984, 9, evil, []nostr.Tag{tag("e", "%4", evil), tag("p", key("bb"))}},
		{"dd", 1985, 9, evil, []nostr.Tag{tag("L", "quality"), tag("l", "bad<b>", "quality"), tag("e", "%4")}},
	})
	r.clock.Store(t0 + 100)
	page := r.thread(ids[1])
	for _, bad := range []string{"<script>alert", "<img", "</pre><script", `href="javascript:`, " onerror=alert(2)>", "style=", "<b>", `href="https://evil.example`} {
		if strings.Contains(page, bad) {
			t.Errorf("the page has %s", bad)
		}
	}
	for _, want := range []string{"JSON, indented", "What others say of it", "Report", "Label", "bad&lt;b&gt;", "It is longer than this page may be", `id="rest-0"`, "raw JSON, on a page of its own", "✕sig"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	for _, m := range regexp.MustCompile(`href="(https?:[^"]*)"[^>]*>`).FindAllStringSubmatch(page, -1) {
		if !strings.Contains(m[0], "noopener noreferrer") {
			t.Errorf("a link leads away bare: %s", m[0])
		}
	}
	w := httptest.NewRecorder()
	f := fragments{out: pusher{w, http.NewResponseController(w), time.Second}, names: []string{"thread-answer"}}
	got, err := r.site.rendered(t.Context(), r.threadScreenOf(), r.visit(ids[1]), "/jobs/"+ids[1])
	if err != nil {
		t.Fatal(err)
	}
	f.tell(got)
	if told := w.Body.String(); strings.Contains(told, "\r") || !strings.Contains(told, "&#13;") {
		t.Error("a carriage return in a text ends a line of the stream")
	}
}

func (r *rig) threadScreenOf() *screen {
	sc := r.site.threadScreen()
	sc.page = r.site.template(sc.file)
	return sc
}

func (r *rig) visit(id string) *visit {
	return &visit{Path: func(string) string { return id }, Query: map[string][]string{}, Now: r.now()}
}

func TestThread_EncryptedIsForThoseItConcerns(t *testing.T) {
	for _, auth := range []bool{false, true} {
		r := newRig(t, Options{Inputs: InputsShow}, func(d *Deps) { d.AuthEncrypted = auth })
		r.put(0, t0-5, provider, `{"name":"Painter"}`)
		request := r.encrypted()
		page := r.thread(request)
		if !strings.Contains(page, "encrypted for <bdi>Painter</bdi>") {
			t.Error("the head does not say for whom it is encrypted")
		}
		result := page[strings.Index(page, `<article class="result">`):strings.Index(page, `</article>`)]
		if !strings.Contains(result, map[bool]string{false: "encrypted for", true: "kept for those it concerns"}[auth]) || strings.Contains(result, "cipher") {
			t.Errorf("the result says %s", result)
		}
		if auth && strings.Contains(page, "cipher") {
			t.Error("what is encrypted is shown though it is kept for those it concerns")
		}
	}
}

func TestThread_InputsAreShownAsConfigured(t *testing.T) {
	long := "xylophone " + strings.Repeat("very ", 200) + "zebra"
	for inputs, want := range map[string]bool{InputsShow: true, InputsTruncate: true, InputsHide: false} {
		r := newRig(t, Options{Inputs: inputs})
		id := r.put(5100, t0, customer, "", tag("i", long, "text"))
		r.put(6100, t0+5, provider, "done", tag("e", id), tag("i", long, "text"))
		page := r.thread(id)
		head, _, _ := strings.Cut(page, "</head>")
		if strings.Contains(head, "xylophone") != want || strings.Contains(head, "zebra") {
			t.Errorf("%s: the head has the input: %.600s", inputs, head)
		}
		if inputs == InputsHide && (strings.Contains(page, "xylophone") || !strings.Contains(page, "inputs are hidden")) {
			t.Error("a hidden input is on the page, or the page does not say so")
		}
	}
}

// TestThread_ALongOneStaysSmall: a thread of 2,000 feedbacks, with its result and its payment at the end.
func TestThread_ALongOneStaysSmall(t *testing.T) {
	r := newRig(t, DefaultOptions())
	id := r.put(5100, t0, customer, "", tag("i", "a red fox", "text"))
	const many = 2000
	for i := range 20 {
		r.put(0, t0, fmt.Sprintf("%02x", 0xb0+i), fmt.Sprintf(`{"name":"%d<&'+<&'+<&'+<&'+<&'+<&'+<&'+<&'+<&'+<&'+<&'+"}`, i))
	}
	for i := range many {
		if i%4 == 1 {
			r.put(7000, t0+1+int64(i)/30, fmt.Sprintf("%02x", 0xb0+i%20), "", tag("e", id), tag("status", "payment-required", strings.Repeat("<&", 100)), tag("amount", fmt.Sprint(5000+i), bill))
			continue
		}
		r.put(7000, t0+1+int64(i)/30, fmt.Sprintf("%02x", 0xb0+i%20), strings.Repeat(`"<`, 100), tag("e", id), tag("status", "processing", strings.Repeat("<&", 100)), tag("n", fmt.Sprint(i)))
	}
	asked := r.put(7000, t0+80, provider, "", tag("e", id), tag("status", "payment-required"), tag("amount", "5000"))
	paid := r.put(9321, t0+85, customer, "", tag("p", key(provider)), tag("u", "https://mint.example"), tag("proof", `{"amount":5,"secret":"s","C":"02"}`), tag("e", asked))
	result := r.put(6100, t0+90, provider, "the fox "+strings.Repeat(`"<&`, 9000), tag("e", id), tag("p", key(customer)))
	at := time.Now()
	page := r.thread(id)
	t.Logf("%d bytes in %s", len(page), time.Since(at))
	for _, want := range []string{"the fox", "mark-" + result[:16], "mark-" + paid[:16], "mark-" + asked[:16], "Answered, payment claimed", "This thread has 2\u202f004 events", "Later events"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	// The pages of events hold each of them once.
	seen, next := map[string]bool{}, "/jobs/"+id
	later := regexp.MustCompile(`rel="next" href="([^"#]+)`)
	for pages := 0; next != "" && pages < 200; pages++ {
		resp, page := r.browse(next)
		if resp.StatusCode != http.StatusOK || len(page) > maxPage {
			t.Fatalf("%s = %d, %d bytes", next, resp.StatusCode, len(page))
		}
		for _, m := range eventRows.FindAllStringSubmatch(page, -1) {
			if seen[m[1]] {
				t.Fatalf("%s stands on two pages", m[1])
			}
			seen[m[1]] = true
		}
		next = ""
		if m := later.FindStringSubmatch(page); m != nil {
			next = "/jobs/" + id + m[1]
		}
		if pages == 1 {
			for _, m := range marks.FindAllStringSubmatch(page, -1) {
				if to, frag, _ := strings.Cut(m[1], "#"); strings.HasPrefix(to, "?") {
					if _, there := r.browse("/jobs/" + id + to); !strings.Contains(there, `<tr id="`+frag+`"`) {
						t.Errorf("a mark leads to %s, where there is no such row", m[1])
					}
				}
			}
		}
	}
	if len(seen) != many+4 {
		t.Errorf("the pages show %d events, want %d", len(seen), many+4)
	}
}

// TestThread_Grows: the fragments of a page that is open change with feedback, payment and result.
func TestThread_Grows(t *testing.T) {
	r := newRig(t, DefaultOptions())
	id := r.put(5100, t0+50, customer, "", tag("i", "a red fox", "text"))
	sc := r.threadScreenOf()
	look := func() *rendering {
		r.clock.Add(2)
		got, err := r.site.rendered(t.Context(), sc, r.visit(id), "/jobs/"+id)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	before := look()
	r.put(7000, t0+60, provider, "", tag("e", id), tag("status", "payment-required", "pay me"), tag("amount", "5000"))
	asked := look()
	for name, want := range map[string]string{"thread-state": "Payment asked", "thread-lanes": "asks 5", "thread-events": "pay me", "thread-money": "$ asked", "thread-providers": "payment-required", "thread-graph": "payment-required"} {
		if strings.Contains(string(before.html[name]), want) || !strings.Contains(string(asked.html[name]), want) {
			t.Errorf("%s does not come to have %q: %s", name, want, asked.html[name])
		}
	}
	r.put(6100, t0+70, provider, "a painted fox", tag("e", id))
	done := look()
	if !strings.Contains(string(done.html["thread-answer"]), "a painted fox") || strings.TrimSpace(string(done.html["thread-result"])) != "" {
		t.Error("the result does not come above the reasons")
	}
}

func TestThread_BornExpired(t *testing.T) {
	r := newRig(t, DefaultOptions())
	r.tell(earlier())
	p := storetest.Parsed(t, nostr.Event{
		Kind: 5100, CreatedAt: t0, PubKey: key("aa"), Tags: nostr.Tags{tag("i", "paint a fox", "text"), tag("expiration", fmt.Sprint(t0-1))},
	})
	if _, _, err := r.store.Save(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	r.clock.Store(t0 + 700)
	page := r.thread(p.Event.ID)
	for _, want := range []string{"Expired unanswered", "<strong>Observed:</strong>", "expired, body gone"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
}
