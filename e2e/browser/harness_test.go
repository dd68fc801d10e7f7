package browser

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
)

const soundPage = `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark"><title>sound</title><link rel="icon" href="/icon"><link rel="stylesheet" href="/style"></head>
<body><nav><a href="/a">a</a> <a href="/b">b</a> <a href="/c">c</a></nav><main><h1>sound</h1>%s</main></body></html>`

// faulty serves a page with a body of the test, and what pages need.
func faulty(t *testing.T, body string) *hub {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("/{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Security-Policy", "default-src 'self'; script-src 'self' 'sha256-unknown'; connect-src *; img-src *; style-src 'self' 'unsafe-inline'")
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprintf(w, soundPage, body)
	})
	mux.HandleFunc("/style", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/css")
		fmt.Fprint(w, "html{background:#fff;color:#000}@media(prefers-color-scheme:dark){html{background:#000;color:#fff}a{color:#9cf}}")
	})
	mux.HandleFunc("/icon", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	mux.HandleFunc("/script/{source}", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/javascript")
		fmt.Fprint(w, r.PathValue("source"))
	})
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return &hub{t: t, addr: strings.TrimPrefix(s.URL, "http://"), log: &logBuffer{}}
}

// TestHarness_HearsEveryFault: a test of pages that finds nothing wrong anywhere is worth nothing.
func TestHarness_HearsEveryFault(t *testing.T) {
	for _, tc := range []struct{ name, body, want string }{
		{"inline script", `<script>1</script>`, "violation"},
		{"inline handler", `<img alt="" src="/none" onerror="window.pwned=1">`, "violation"},
		{"missing file", `<img alt="" src="/none">`, "status 404"},
		{"another host", `<img alt="" src="http://127.0.0.2:9/a.png">`, "another host"},
		{"exception", `<script src="/script/null.x"></script>`, "exception"},
		{"console", `<script src="/script/console.error(%22bad%22)"></script>`, "console error"},
		{"dialog", `<script src="/script/setTimeout(()=>alert(1))"></script>`, "dialog"},
		{"socket", `<script src="/script/new%20WebSocket(%22ws:127.0.0.2:9%22)"></script>`, "another host"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := newTab(t, faulty(t, tc.body), device{width: 360})
			b.forgiven = true // more than one may tell of it
			b.visit("/", http.StatusOK)
			until(t, "the fault is heard", func() error {
				eval[bool](b, "true")
				if found := b.take(); !strings.Contains(strings.Join(found, "\n"), tc.want) {
					return fmt.Errorf("heard %q, want %q in it", found, tc.want)
				}
				return nil
			})
		})
	}
	t.Run("sound", func(t *testing.T) {
		b := newTab(t, faulty(t, `<p>fine</p>`), device{width: 360})
		b.visit("/", http.StatusOK)
		b.check("sound")
		b.whole(screen{name: "sound"})
	})
}

// TestHarness_MeasuresThePage sees what sticks out, in both lights and without scripts.
func TestHarness_MeasuresThePage(t *testing.T) {
	h := faulty(t, `<p id="wide" style="width:500px">wide</p><div style="overflow-x:auto"><p style="width:900px">scrolls in its own box</p></div>`)
	b := newTab(t, h, device{width: 360})
	for _, d := range []device{{width: 360}, {width: 360, dark: true}, {width: 768, noScript: true}, {width: 1440, dark: true, noScript: true}} {
		b.as(d)
		b.visit("/", http.StatusOK)
		got := b.layout([]string{"#wide", "#absent"})
		if sticksOut := len(got.Wide) == 1 && strings.HasPrefix(got.Wide[0], "P#wide"); sticksOut != (d.width == 360) {
			t.Errorf("%s: sticking out: %q, %d wide", d, got.Wide, got.Width)
		}
		if got.Dark != d.dark || got.Title != "sound" || got.Headings != 1 || got.Nav != 3 || len(got.Missing) != 1 || got.Missing[0] != "#absent" {
			t.Errorf("%s: %+v", d, got)
		}
	}
}

// TestHarness_AxeFindsFaults: the axe that is injected works.
func TestHarness_AxeFindsFaults(t *testing.T) {
	source, err := os.ReadFile(axeFile)
	if err != nil {
		t.Fatal(err)
	}
	b := newTab(t, faulty(t, `<img src="/icon"><p style="color:#ccc;background:#fff">hardly to be read</p>`), device{width: 1440})
	b.visit("/", http.StatusOK)
	eval[any](b, string(source)+"; true")
	found := map[string]bool{}
	for _, v := range eval[[]axe](b, runAxe+"("+everyRule+")") {
		found[v.ID] = true
	}
	if !found["image-alt"] || !found["color-contrast"] {
		t.Errorf("axe found %v, want image-alt and color-contrast", found)
	}
}
