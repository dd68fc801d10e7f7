package web

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"dvmrelay/index"

	"github.com/nbd-wtf/go-nostr"
)

// heardIn is what a relay heard of two upstreams, for an index.
type heardIn struct{ gaps []index.Gap }

func (h *heardIn) Since() int64 { return 1_699_000_000 }

func (h *heardIn) Coverage(since, until int64) (list []index.Coverage) {
	for i, u := range []string{index.SelfSource, "wss://a.example", "wss://b.example"} {
		list = append(list, index.Coverage{URL: u, WindowSeconds: until - since, HeardSeconds: (until - since) * int64(3-i) / 4})
	}
	return list
}

func (h *heardIn) Gaps(since, until int64, _ int) (list []index.Gap) {
	for _, g := range h.gaps {
		if g.Until == 0 || g.Until > since {
			list = append(list, g)
		}
	}
	return list
}

// hearing gives a rig's pages an index that knows of listening.
func hearing(gaps ...index.Gap) func(*Deps) {
	return func(d *Deps) {
		d.Index = index.New(index.Options{KeepCustomer: true, Now: d.Now, Listening: &heardIn{gaps}})
	}
}

// pieceOf is a live fragment of a page.
func pieceOf(t *testing.T, page, name string) string {
	t.Helper()
	_, rest, ok := strings.Cut(page, ` id="`+name+`"`)
	if !ok {
		t.Fatalf("the page has no #%s", name)
	}
	if i := strings.Index(rest, "sse-swap="); i >= 0 {
		if next := strings.Index(rest[i+10:], "sse-swap="); next >= 0 {
			rest = rest[:i+10+next]
		}
	}
	return rest
}

var tagsOf = regexp.MustCompile(`(?s)<title>.*?</title>|<[^>]*>`)

// wordsOf is what a person reads of HTML.
func wordsOf(html string) string {
	text := strings.ReplaceAll(tagsOf.ReplaceAllString(html, " "), "\u202f", " ")
	return strings.NewReplacer(" .", ".", " ,", ",").Replace(strings.Join(strings.Fields(text), " "))
}

func holdWords(t *testing.T, page, name string, want ...string) {
	t.Helper()
	text := wordsOf(pieceOf(t, page, name))
	for _, w := range want {
		if !strings.Contains(text, w) {
			t.Errorf("#%s lacks %q: %s", name, w, text)
		}
	}
}

func tag(parts ...string) nostr.Tag { return parts }

// TestOverview_IsAsDrawn stages the market of reference/UI.md's drawing.
func TestOverview_IsAsDrawn(t *testing.T) {
	gap := index.Gap{URL: "wss://b.example", Since: 1_700_001_400, Until: 1_700_001_460, Why: "closed"}
	r := newRig(t, DefaultOptions(), hearing(gap))
	r.clock.Store(1_700_002_000)
	at := func(ago int64) int64 { return r.clock.Load() - ago }
	r.put(31990, at(6000), provider, `{"name":"Summarizer"}`, tag("d", "x"), tag("k", "5050"), tag("k", "5100"))
	r.put(31990, at(86400*3), "ab", `{"name":"Gone"}`, tag("d", "x"), tag("k", "5050"))
	for i := range 42 {
		r.put(5300, at(600+int64(i)), customer, "", tag("i", fmt.Sprint(i), "text"))
	}
	for i := range 2 { // 5300 has one customer, these more
		r.put(5050, at(int64(700+i)), []string{"c1", "c2"}[i], "", tag("i", fmt.Sprint(i), "text"), tag("p", strings.Repeat("ab", 32)))
	}
	done := r.put(5050, at(60), customer, "", tag("i", "Translate <b>this</b>", "text"))
	r.put(7000, at(59), provider, "", tag("status", "payment-required"), tag("amount", "2000"), tag("e", done))
	r.put(6050, at(40), provider, "done", tag("e", done))
	failed := r.put(5050, at(300), customer, "", tag("i", "2", "text"))
	r.put(7000, at(290), provider, "", tag("status", "error", "model down"), tag("e", failed))
	paid := r.put(5100, at(880), customer, "", tag("i", "3", "text"))
	r.put(7000, at(870), provider, "", tag("status", "payment-required"), tag("amount", "2100000"), tag("e", paid))
	r.put(9321, at(840), customer, "", tag("p", strings.Repeat(provider, 32)), tag("e", paid), tag("u", "https://mint.example"),
		tag("proof", `{"amount":2100,"C":"02aa","id":"00","secret":"s1"}`))
	lonely := r.put(5999, at(720), customer, "", tag("i", "4", "text"))

	resp, page := r.browse("/")
	if resp.StatusCode != http.StatusOK || len(page) > maxPage {
		t.Fatalf("status %d, %d bytes", resp.StatusCode, len(page))
	}
	holdWords(t, page, "verdict", "Hearing 1 of 2 upstreams.", "waited over 10 min; 1 paid, no result.", "Last event", "heard 38 % of the last 24 h")
	holdWords(t, page, "strip", "-15m -10m -5m now", "░ wss://b.example", "5300 feed", "5050 text", "5100 image", "✓", "✕", "$", "▶!", "○")
	strip := pieceOf(t, page, "strip")
	for _, id := range []string{done, failed, paid, lonely} {
		if n := strings.Count(strip, `href="/jobs/`+id+`"`); n != 1 {
			t.Errorf("the strip has %d links to %s, want one", n, id)
		}
		if !strings.Contains(pieceOf(t, page, "rows"), `href="/jobs/`+id+`"`) {
			t.Errorf("the table has no link to %s", id)
		}
	}
	if !strings.Contains(strip, `fill="url(#hatch)"`) || strings.Contains(strip, "Not heard at all") {
		t.Error("the gap is not hatched")
	}
	if strings.Index(strip, ">5050<") > strings.Index(strip, ">5300<") {
		t.Error("5300 has fewer customers than 5050 and stands before it")
	}
	if !strings.Contains(strip, `href="/jobs?kind=5300&amp;since=`) || !strings.Contains(wordsOf(pieceOf(t, page, "rows")), "5300") {
		t.Error("a crowded kind is not counted")
	}
	holdWords(t, page, "needs", "! 5100 paid 2 100 sats, 14 min silent", "5999 no known provider, 12 min", "41 jobs: 5300 no known provider", "5050 addressed DVM last seen 3 days ago")
	holdWords(t, page, "figures", "24 h (since 3 Nov)", "answered", "due", "first result p50 20 s p95 20 s", "asked 2 102 · claimed 2 100 sats")
	holdWords(t, page, "live", "5050 ✓ success 20 s Summarizer npub1", "→ npub1", "Translate &lt;b&gt;this")

	var got struct {
		Verdict verdict
		Strip   struct{ Jobs int }
		Needs   struct{ Paid int }
		Live    []struct{ ID string }
	}
	r.get("/index.json", http.StatusOK, &got)
	if got.Strip.Jobs != 48 || got.Needs.Paid != 1 || got.Verdict.Upstreams != 2 || len(got.Live) != overviewJobs || got.Live[0].ID != done {
		t.Errorf("JSON tells something else: %d jobs, %+v, %+v, %d live", got.Strip.Jobs, got.Needs, got.Verdict, len(got.Live))
	}
}

func TestOverview_WithoutAKind(t *testing.T) {
	r := newRig(t, DefaultOptions())
	feed := r.put(5300, 1_700_000_050, customer, "", tag("i", "1", "text"))
	text := r.put(5050, 1_700_000_060, customer, "", tag("i", "2", "text"))
	other := r.put(5100, 1_700_000_070, customer, "", tag("i", "3", "text"))
	_, page := r.browse("/")
	if !strings.Contains(page, `href="/?exclude_kind=5300">without 5300<`) {
		t.Error("no link leaves 5300 out")
	}
	_, page = r.browse("/?exclude_kind=5300")
	if strings.Contains(page, feed) || strings.Count(page, text) < 3 || !strings.Contains(page, `href="/">with 5300<`) {
		t.Errorf("5300 is still there, or there is no way back: %.200s", page)
	}
	if !strings.Contains(page, "/live?at=%2F%3Fexclude_kind%3D5300") || !strings.Contains(page, `href="/index.json?exclude_kind=5300"`) {
		t.Error("what renews the page, or its JSON, forgets the choice")
	}
	_, page = r.browse("/?exclude_kind=5050,5100")
	if strings.Contains(page, text) || strings.Contains(page, other) || !strings.Contains(page, `exclude_kind=5050&amp;exclude_kind=5100&amp;exclude_kind=5300`) {
		t.Error("two kinds are not left out, or are forgotten")
	}
	for _, bad := range []string{"x", "-1", "70000", strings.Repeat("1,", 300)} {
		if resp, _ := r.browse("/?exclude_kind=" + bad); resp.StatusCode != http.StatusBadRequest {
			t.Errorf("exclude_kind=%.9s = %d, want 400", bad, resp.StatusCode)
		}
	}
}

// TestOverview_StaysSmall: many jobs of many kinds, with names and inputs as long and as strange as they may be.
func TestOverview_StaysSmall(t *testing.T) {
	var gaps []index.Gap
	for i := range int64(80) {
		gaps = append(gaps, index.Gap{URL: "wss://" + strings.Repeat("<\"&", 60), Since: 1_699_999_201 + 11*i, Until: 1_699_999_204 + 11*i, Why: "<closed>"})
	}
	for name, crowds := range map[string]int{"no crowds": 0, "three crowds": 3} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, DefaultOptions(), hearing(gaps...))
			const evil = `<img src=x onerror=alert(1)>"'&`
			for i := range 7 {
				kind, who := 5000+i, fmt.Sprintf("%02x", 100+i)
				r.put(31990, 1_700_000_000, who, `{"name":"`+strings.Repeat(`\u003cb\u003e`, 60)+`"}`, tag("d", "x"), tag("k", itoa(kind)))
				for n := range 18 * (1 + 2*min(crowds, 1)) {
					at := 1_699_999_300 + int64(n)*16
					if i < crowds {
						at = 1_700_000_040 + int64(n)/2
					}
					job := r.put(kind, at, []string{"c1", "c2", "c3", "c4"}[n%4], "", tag("i", strings.Repeat(evil, 9)+itoa(n), "text"))
					if n%9 > 0 {
						r.put(7000, at+20, who, "", tag("status", "payment-required"), tag("amount", "1000"), tag("e", job))
					}
				}
			}
			_, page := r.browse("/")
			strip := pieceOf(t, page, "strip")
			bars, bands := strings.Count(strip, `href="/jobs/`), strings.Count(strip, `<rect class="gap"`)
			t.Logf("%d bytes of HTML, %d bars", len(page), bars)
			if len(page) > maxPage || bars < 50 {
				t.Errorf("%d bytes of HTML with %d bars, want at most %d, and more than 50", len(page), bars, maxPage)
			}
			for _, bad := range []string{"<img", "<b><b>", "<closed", `wss://<`} {
				if strings.Contains(page, bad) {
					t.Errorf("the page has %s", bad)
				}
			}
			if bands == 0 || bands > maxBands*6 {
				t.Errorf("%d hatched stretches, want some and not all", bands)
			}
		})
	}
}

func TestOverview_TellsOfDeafness(t *testing.T) {
	whole := func(url string) index.Gap { return index.Gap{URL: url, Since: 1_600_000_000, Why: "down"} }
	for name, c := range map[string]struct {
		gaps      []index.Gap
		want, not string
	}{
		"one of two":   {[]index.Gap{whole("wss://b.example")}, "Not heard at all in these 15 minutes: wss://b.example", "no upstream heard"},
		"all":          {[]index.Gap{whole("wss://a.example"), whole("wss://b.example")}, "no upstream heard", "░ wss"},
		"none":         {nil, "now", "░"},
		"itself":       {[]index.Gap{{URL: index.SelfSource, Since: 1_700_000_000, Until: 1_700_000_050, Why: "stopped"}}, "░ this relay", "Not heard at all"},
		"long ago":     {[]index.Gap{{URL: "wss://b.example", Since: 1_600_000_000, Until: 1_600_000_050}}, "now", "░"},
		"still lasts":  {[]index.Gap{{URL: "wss://b.example", Since: 1_700_000_050}}, "░ wss://b.example", "Not heard at all"},
		"all, briefly": {[]index.Gap{{URL: "wss://a.example", Since: 1_700_000_000, Until: 1_700_000_050}, {URL: "wss://b.example", Since: 1_700_000_010, Until: 1_700_000_050}}, "░ wss://a.example", "no upstream"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, DefaultOptions(), hearing(c.gaps...))
			r.story()
			_, page := r.browse("/")
			text := wordsOf(pieceOf(t, page, "strip"))
			if !strings.Contains(text, c.want) || strings.Contains(text, c.not) {
				t.Errorf("want %q and no %q: %s", c.want, c.not, text)
			}
		})
	}
}

func TestOverview_FirstRunSaysHowToBegin(t *testing.T) {
	r := newRig(t, DefaultOptions(), func(d *Deps) {
		d.RelayURL = "wss://hub.example"
		d.Upstreams = func() []Upstream {
			return []Upstream{{URL: "wss://a.example", State: "backfilling", Backfill: &Backfill{Until: 1_699_000_000, How: "req"}}}
		}
	})
	_, page := r.browse("/")
	text := wordsOf(page)
	for _, want := range []string{"wss://hub.example", "wss://a.example : ◑ backfilling, read back to 2023-11-03", "nak req", "nak event", "dvmrelay sync", "serve --demo", "No job has been seen yet", "still being read back"} {
		if !strings.Contains(text, want) {
			t.Errorf("the page lacks %q: %s", want, text)
		}
	}
	r.story()
	r.clock.Add(2)
	if _, page = r.browse("/"); strings.Contains(page, "nak req") {
		t.Error("with jobs the page still says how to begin")
	}
}

// TestOverview_FiguresAreCountedBeforeSomebodyAsks runs the site: visitors get what was counted a moment ago.
func TestOverview_FiguresAreCountedBeforeSomebodyAsks(t *testing.T) {
	r := newRig(t, DefaultOptions())
	ctx := r.running()
	requests := func() int64 {
		st, err := r.site.day(ctx, nil)
		if err != nil {
			t.Fatal(err)
		}
		return st.Requests
	}
	for deadline := time.Now().Add(10 * time.Second); !r.site.running(); {
		if time.Now().After(deadline) {
			t.Fatal("the site does not run")
		}
	}
	if n := requests(); n != 0 {
		t.Fatalf("%d requests, want none", n)
	}
	r.story()
	if n := requests(); n != 0 {
		t.Errorf("%d requests at once: they were counted for this visitor", n)
	}
	r.clock.Add(3)
	for deadline := time.Now().Add(20 * time.Second); requests() != 1; {
		if time.Now().After(deadline) {
			t.Fatal("the figures stay what they were")
		}
	}
	for k := range 20 {
		if _, err := r.site.day(ctx, []int{5000 + k}); err != nil {
			t.Fatal(err)
		}
	}
	r.site.days.mu.Lock()
	if n := len(r.site.days.by); n > maxFigures {
		t.Errorf("%d choices are kept, want at most %d", n, maxFigures)
	}
	r.site.days.mu.Unlock()
	r.clock.Add(60)
	if stale := r.site.days.stale(r.now()); len(stale) != 0 {
		t.Errorf("%d choices are counted that nobody looks at", len(stale))
	}
}

func TestStrip_BarsOfALaneDoNotHideOneAnother(t *testing.T) {
	s := stripShown{Strip: index.Strip{Since: 0, Until: 900, Lanes: []index.Lane{{Kind: 5050}}}}
	for i := range int64(7) {
		s.Lanes[0].Bars = append(s.Lanes[0].Bars, index.Bar{At: 100 + i, State: "open"}) // all go on
	}
	s.Lanes[0].Bars = append(s.Lanes[0].Bars, index.Bar{At: 300, Until: 310, State: "success"}, index.Bar{At: 305, Until: 310, State: "success"})
	s.draw(index.Stats{}, 0)
	var rows []int
	for _, b := range s.Drawn[0].Bars {
		rows = append(rows, (b.Y-laneMargin)/rowHeight)
	}
	if !slices.Equal(rows, []int{0, 1, 2, 3, 4, 5, 6, 0, 1}) {
		t.Errorf("rows %v", rows)
	}
	b, err := json.Marshal(s)
	if err != nil || strings.Contains(string(b), "Drawn") {
		t.Errorf("JSON has what is only drawn: %s, %v", b, err)
	}
}
