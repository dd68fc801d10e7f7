package browser

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// screen is a page that must be right however it is looked at.
type screen struct {
	name   string
	path   string
	status int
	main   []string // selectors of what it is for, there with and without scripts
}

// screens are all pages of a hub, with the market of the demo on it.
func screens(c cast) []screen {
	nobody := newPerson("nobody")
	return []screen{
		{"overview", "/", http.StatusOK, []string{selStrip, selLive}},
		{"jobs", "/jobs", http.StatusOK, []string{"main a[href^='/jobs/']", "main form"}},
		{"jobs-open", "/jobs?state=open", http.StatusOK, []string{"main a[href^='/jobs/']"}},
		{"jobs-for", "/jobs?for=" + npub(c.writer), http.StatusOK, []string{"main a[href^='/jobs/']"}},
		{"jobs-none", "/jobs?kind=5999&state=success", http.StatusOK, []string{"main a[href]"}},
		{"thread-paid", jobPath(c.paid), http.StatusOK, []string{selEvents}},
		{"thread-answered", jobPath(c.answered), http.StatusOK, []string{selEvents}},
		{"thread-open", jobPath(c.open), http.StatusOK, []string{selEvents}},
		{"thread-sealed", jobPath(c.sealed), http.StatusOK, []string{selEvents}},
		{"thread-never-seen", jobPath(strings.Repeat("0", 63) + "1"), http.StatusNotFound, []string{"main a[href]"}},
		{"dvms", "/dvms", http.StatusOK, []string{"main a[href^='/dvms/']"}},
		{"dvm", "/dvms/" + npub(c.painter), http.StatusOK, []string{"main a[href^='/jobs/']"}},
		{"person", "/u/" + npub(c.customer), http.StatusOK, []string{"main a[href^='/jobs/']"}},
		{"person-unknown", "/u/" + nobody.npub(), http.StatusOK, nil},
		{"kinds", "/kinds", http.StatusOK, []string{"main a[href^='/kinds/']"}},
		{"kind", fmt.Sprintf("/kinds/%d", c.kind), http.StatusOK, []string{"main a[href^='/dvms/']"}},
		{"upstreams", "/upstreams", http.StatusOK, nil},
		{"relay", "/relay", http.StatusOK, nil},
		{"explore", "/explore", http.StatusOK, []string{"main form", "main .events a[href^='/events/']"}},
		{"connect", "/connect", http.StatusOK, []string{"main code, main pre"}},
		{"event", "/events/" + c.answered, http.StatusOK, []string{"main pre"}},
		{"docs", "/docs", http.StatusOK, []string{"main pre"}},
		{"shapes", "/docs/shapes", http.StatusOK, []string{"main table"}},
		{"not-found", "/no/such/page", http.StatusNotFound, []string{"main a[href]"}},
	}
}

const (
	maxHTML   = 100_000
	maxAssets = 100_000
)

// TestScreens_AtEveryWidthInEveryLight looks at each screen at three widths, light and dark, with and without scripts.
func TestScreens_AtEveryWidthInEveryLight(t *testing.T) {
	t.Parallel()
	h, c := demo(t)
	if err := os.MkdirAll(shotsDir, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Logf("screenshots: %s", shotsDir)
	for _, noScript := range []bool{false, true} {
		t.Run(map[bool]string{false: "with scripts", true: "without scripts"}[noScript], func(t *testing.T) {
			t.Parallel()
			b := newTab(t, h, device{width: 1440, noScript: noScript})
			for i, s := range screens(c) {
				for j, width := range []int64{360, 768, 1440} {
					b.inBothLights(s, device{width: width, noScript: noScript}, (i+j)%2 == 0, func() {
						b.whole(s)
						if !noScript {
							shoot(t, b, s.name)
						}
					})
				}
			}
		})
	}
}

// inBothLights opens a screen in one light and turns to the other while it is shown, as systems do in the evening.
func (b *tab) inBothLights(s screen, d device, dark bool, look func()) {
	b.t.Helper()
	d.dark = dark
	b.as(d)
	b.visit(s.path, s.status)
	look()
	d.dark = !dark
	b.as(d)
	b.drawn()
	look()
}

// layout is what a page is made of, as the browser sees it.
type layout struct {
	Title    string
	Headings int
	Nav      int
	Lang     string
	Width    int64    // that the page takes
	Wide     []string // what sticks out of it
	Missing  []string
	Dark     bool // the background is
	Pwned    bool
}

const measure = `(selectors => {
	const root = document.documentElement, width = root.clientWidth;
	const held = e => { for (let p = e.parentElement; p && p !== document.body; p = p.parentElement) if (getComputedStyle(p).overflowX !== "visible") return true; return false; };
	const wide = [...document.body.querySelectorAll("*")].filter(e => { const r = e.getBoundingClientRect(); return r.width > 0 && r.right > width + 1 && !held(e); });
	const colour = e => (getComputedStyle(e).backgroundColor.match(/[\d.]+/g) || []).map(Number);
	let back = colour(document.body); if (back.length > 3 && back[3] === 0) back = colour(root);
	return {
		Title: document.title, Headings: document.querySelectorAll("h1").length, Nav: document.querySelectorAll(%q).length, Lang: root.lang,
		Width: Math.max(root.scrollWidth, document.body.scrollWidth),
		Wide: wide.slice(0, 5).map(e => e.tagName + "#" + e.id + "." + e.getAttribute("class") + " " + (e.textContent || "").trim().slice(0, 40)),
		Missing: selectors.filter(s => { const e = document.querySelector(s); return !e || e.getClientRects().length === 0; }),
		Dark: back.length > 2 && back[0] + back[1] + back[2] < 384 && back[3] !== 0,
		Pwned: window.pwned !== undefined,
	};
})([%s])`

// layout measures the page that is shown; selectors are looked for.
func (b *tab) layout(selectors []string) layout {
	b.t.Helper()
	var quoted []string
	for _, s := range selectors {
		quoted = append(quoted, fmt.Sprintf("%q", s))
	}
	return eval[layout](b, fmt.Sprintf(measure, selNav, strings.Join(quoted, ",")))
}

// whole wants everything of the page that is shown.
func (b *tab) whole(s screen) {
	b.t.Helper()
	where := s.name + " " + b.see.String()
	got := b.layout(append([]string{selMain}, s.main...))
	b.fits(where, got)
	if got.Title == "" || got.Lang == "" || got.Headings != 1 || got.Nav < 3 {
		b.t.Errorf("%s: title %q, lang %q, %d h1, %d links in nav; want a title, a language, one h1 and a nav", where, got.Title, got.Lang, got.Headings, got.Nav)
	}
	if len(got.Missing) > 0 {
		b.t.Errorf("%s: not seen: %q", where, got.Missing)
	}
	if got.Dark != b.see.dark {
		b.t.Errorf("%s: dark = %v", where, got.Dark)
	}
	html, assets, what := b.weights()
	if html == 0 || html > maxHTML {
		b.t.Errorf("%s: %d bytes of HTML, want at most %d", where, html, maxHTML)
	}
	if assets > maxAssets {
		b.t.Errorf("%s: %d bytes of scripts and styles, want at most %d:\n%s", where, assets, maxAssets, strings.Join(what, "\n"))
	}
	b.check(where)
}

// fits wants a page that need not be scrolled sideways.
func (b *tab) fits(where string, got layout) {
	b.t.Helper()
	if got.Width > b.see.width || len(got.Wide) > 0 {
		b.t.Errorf("%s: the page is %d wide; sticking out: %q", where, got.Width, got.Wide)
	}
}

// shoot keeps a picture of the page that is shown.
func shoot(t *testing.T, b *tab, name string) {
	t.Helper()
	file := filepath.Join(shotsDir, name+"-"+b.see.String()+".png")
	if err := os.WriteFile(file, b.picture(), 0o644); err != nil {
		t.Fatal(err)
	}
}
