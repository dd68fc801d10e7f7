package web

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"

	"dvmrelay/index"
)

// heardBy is what an index is told of listening.
type heardBy struct {
	since    int64
	gaps     []index.Gap
	coverage []index.Coverage
}

func (h *heardBy) Since() int64                           { return h.since }
func (h *heardBy) Coverage(int64, int64) []index.Coverage { return h.coverage }
func (h *heardBy) Gaps(since, until int64, _ int) (in []index.Gap) {
	for _, g := range h.gaps {
		if g.Since < until && g.Until > since {
			in = append(in, g)
		}
	}
	return in
}

// watching makes a rig whose upstreams are those, listened to as h says.
func watching(t *testing.T, h *heardBy, list ...Upstream) *rig {
	t.Helper()
	return newRig(t, DefaultOptions(), func(d *Deps) {
		d.Index = index.New(index.Options{KeepCustomer: true, Now: d.Now, Listening: h})
		d.Upstreams = func() []Upstream { return list }
	})
}

const stripNow = int64(1_700_000_100) / 60 * 60

func TestUpstreams_AreShownWithAllThatIsKnown(t *testing.T) {
	ago := func(s int64) int64 { return stripNow - s }
	u := Upstream{
		URL: "wss://a.example", State: "backfilling", HeardSince: ago(3000), LastEventAt: 1_700_000_090, Accepted: 12_345, Duplicates: 678, Ignored: 9, Exclusive: 31,
		Waiting: 7, Connects: 44, Rejected: map[string]uint64{"bad-signature": 5, "blocked": 1_700}, Strikes: 321, Bytes: 5 << 20, SlowedMS: 61_000,
		Unheard: map[string]int64{"down": 7200, "refused": 600},
		Gaps: []index.Gap{
			{URL: "wss://a.example", Since: ago(90_000), Until: ago(89_000), Why: "stopped"},
			{URL: "wss://a.example", Since: ago(43_200), Until: ago(36_000), Why: "down"},
			{URL: "wss://a.example", Since: ago(3600), Until: ago(3000), Why: "refused"},
		},
		Backfill: &Backfill{Until: 1_699_000_000, How: "req", Why: "too-big", Compared: 17, Faults: 2},
		Parts:    []UpstreamPart{{Name: "a", State: "live", Subscriptions: 3}, {Name: "c", State: "refused", Reason: "restricted", Keys: 250, Pending: 100}, {Name: "d"}},
	}
	away := Upstream{URL: "wss://b.example", State: "paused", Reason: "bad-id", LagSeconds: 4000, PausedUntil: 1_700_009_000}
	r := watching(t, &heardBy{since: 1_690_000_000, gaps: u.Gaps, coverage: []index.Coverage{{URL: u.URL, HeardSeconds: 78_624, WindowSeconds: 86_400}}}, u, away)
	resp, page := r.browse("/upstreams")
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("status %d: %s", resp.StatusCode, page)
	}
	for _, want := range []string{
		"Hearing 1 of 2.", "wss://a.example", "◑", "backfilling", grouped(12_345), "678", "31", "44 made, 5 MiB received", "slowed for 61 s",
		"321 faults in ten minutes", "bad-signature 5", "blocked " + grouped(1_700), "heard 91 %", `<span class="why-down">down</span> 2 h`, "page by page: too-big",
		"17 windows compared", "2 comparisons failed", "down to " + exact(1_699_000_000), "providers", "restricted", "250", "not answered yet",
		// the strip: half a day ago for two hours, an hour ago for ten minutes
		`x="50.00%" width="8.33%" height="100%" fill="url(#why-down)"`, `x="95.83%" width="0.69%" height="100%" fill="url(#why-refused)"`,
		"It listens since " + exact(1_690_000_000), "‖", "until " + exact(1_700_009_000), `class="unknown"`, "bad-id",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	details := page[strings.Index(page, "<details"):]
	for _, g := range u.Gaps {
		if !strings.Contains(details, exact(g.Since)) {
			t.Errorf("the gap of %s stands in no list", exact(g.Since))
		}
	}
	if strings.Contains(page, `href="wss:`) {
		t.Error("an upstream is a link")
	}
	var api struct{ Items []Upstream }
	r.get("/upstreams.json", http.StatusOK, &api)
	if len(api.Items) != 2 || api.Items[0].Accepted != 12_345 {
		t.Errorf("as JSON: %+v", api.Items)
	}
}

func TestUpstreams_WithNoneItSaysHowToNameThem(t *testing.T) {
	r := watching(t, &heardBy{})
	resp, page := r.browse("/upstreams")
	for _, want := range []string{"mirrors nothing", "mirror.upstreams", "DVMRELAY_MIRROR_UPSTREAMS", "SIGHUP"} {
		if resp.StatusCode != http.StatusOK || !strings.Contains(page, want) {
			t.Errorf("%d, the page lacks %q", resp.StatusCode, want)
		}
	}
}

func TestUpstreams_OfADemoAreStaged(t *testing.T) {
	r := newRig(t, DefaultOptions(), func(d *Deps) { d.Demo = true })
	if _, page := r.browse("/upstreams"); !strings.Contains(page, "These upstreams are staged") {
		t.Error("the page does not say so")
	}
}

// TestUpstreams_HostileNamesChangeNothing: whatever stands in an address or a reason, the page stays whole, and small.
func TestUpstreams_HostileNamesChangeNothing(t *testing.T) {
	nasty := `"><script>alert(1)</script><b onclick=x style="top:0"> javascript:alert(1) {{.}} ` + "\u202e" + strings.Repeat("W", 5000)
	var list []Upstream
	h := &heardBy{}
	for i := range 130 {
		u := Upstream{
			URL: fmt.Sprint("wss://", i, nasty), State: "waiting", Reason: nasty, Rejected: map[string]uint64{}, Unheard: map[string]int64{nasty: 86_400},
			Backfill: &Backfill{How: nasty, Why: nasty}, Parts: []UpstreamPart{{Name: nasty, State: "refused", Reason: nasty}},
		}
		for j := range 32 {
			u.Rejected[fmt.Sprint(j, nasty)] = 1
		}
		for j := range int64(400) {
			u.Gaps = append(u.Gaps, index.Gap{URL: u.URL, Since: stripNow - 86_400 + j*200, Until: stripNow - 86_400 + j*200 + 60, Why: nasty})
		}
		h.gaps = append(h.gaps, u.Gaps...)
		list = append(list, u)
	}
	r := watching(t, h, list...)
	for _, target := range []string{"/upstreams", "/upstreams?page=13"} {
		resp, page := r.browse(target)
		if resp.StatusCode != http.StatusOK {
			t.Fatalf("%s = %d: %.300s", target, resp.StatusCode, page)
		}
		for _, bad := range []string{"<script>", "<b ", ` style="`, ` onclick=x style="`, "ZgotmplZ"} {
			if strings.Contains(page, bad) {
				t.Errorf("%s has %s", target, bad)
			}
		}
		if len(page) > maxPage {
			t.Errorf("%s is %d bytes", target, len(page))
		}
	}
	for _, target := range []string{"/upstreams?page=0", "/upstreams?page=x", "/upstreams?page=99999999999999999999", "/upstreams?page=-1"} {
		if resp, _ := r.browse(target); resp.StatusCode != http.StatusBadRequest {
			t.Errorf("%s = %d, want 400", target, resp.StatusCode)
		}
	}
	if resp, _ := r.browse("/upstreams?page=14"); resp.StatusCode != http.StatusNotFound {
		t.Errorf("a page too far = %d, want 404", resp.StatusCode)
	}
}

// TestStrip_DrawsWhatWasNotHeard: over random gaps, whatever is drawn covers each of them, is not over another, and counts the
// seconds that a list of all seconds counts.
func TestStrip_DrawsWhatWasNotHeard(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	for range 300 {
		var gaps []index.Gap
		missed := map[int64]bool{}
		for range rnd.IntN(200) {
			since := stripNow - rnd.Int64N(100_000)
			g := index.Gap{Since: since, Until: since + rnd.Int64N(4000), Why: []string{"down", "refused", "odd"}[rnd.IntN(3)]}
			gaps = append(gaps, g)
			for s := max(g.Since, stripNow-stripTime); s < min(g.Until, stripNow); s++ {
				missed[s] = true
			}
		}
		st := stripOf(gaps, stripNow)
		drawn, end, sum := map[int64]bool{}, st.Since, int64(0)
		for _, g := range st.Stretches {
			if g.Since < end || g.Until <= g.Since || g.Until > stripNow || g.Missed > g.Until-g.Since || g.Missed < 1 {
				t.Fatalf("%+v after %d", g, end)
			}
			end, sum = g.Until, sum+g.Missed
			for s := g.Since; s < g.Until; s++ {
				drawn[s] = true
			}
		}
		for s := range missed {
			if !drawn[s] {
				t.Fatalf("second %d was not heard and is not drawn", s)
			}
		}
		if sum != int64(len(missed)) || st.Unheard != sum || len(st.Stretches) > 100 {
			t.Fatalf("%d seconds in %d stretches, want %d", sum, len(st.Stretches), len(missed))
		}
	}
}
