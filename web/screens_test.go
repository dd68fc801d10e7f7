package web

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
)

// maxPage is how much HTML a page may be, and how much script and style it may bring in all, without the chart library.
const maxPage = 100_000

// TestScreens_KeepTheRulesOfTheFrame looks at every screen over the real events: what each of them promises.
func TestScreens_KeepTheRulesOfTheFrame(t *testing.T) {
	r := newRig(t, DefaultOptions())
	r.story()
	ids := r.real()
	for _, target := range targets(r.site, ids) {
		t.Run(target, func(t *testing.T) {
			r.t = t
			resp, page := r.browse(target)
			if resp.StatusCode == http.StatusSeeOther {
				if resp, page = r.browse(strings.Split(resp.Header.Get("Location"), "#")[0]); resp.StatusCode == http.StatusSeeOther {
					t.Fatalf("leads away twice, to %s", resp.Header.Get("Location"))
				}
			}
			if resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusNotFound {
				t.Fatalf("status %d: %.300s", resp.StatusCode, page)
			}
			if n := len(page); n > maxPage {
				t.Errorf("%d bytes of HTML, want at most %d", n, maxPage)
			}
			for _, m := range []string{"<h1", "<head>", `<main id="main"`, `aria-label="Pages"`} {
				if n := strings.Count(page, m); n != 1 {
					t.Errorf("%s stands there %d times, want once", m, n)
				}
			}
			if head, _, _ := strings.Cut(page, "</head>"); strings.Count(head, "<title>") != 1 { // drawings have titles, too
				t.Errorf("its head has %d titles, want one", strings.Count(head, "<title>"))
			}
			for _, bad := range []string{" style=", "javascript:", "<script>", " onclick=", " onload=", "<img", "<iframe", "ZgotmplZ", "<no value>", "%!"} {
				if strings.Contains(page, bad) {
					t.Errorf("the page has %s", bad)
				}
			}
			if bad := foreignLoads.FindString(page); bad != "" {
				t.Errorf("the page loads from elsewhere: %s", bad)
			}
			seen := map[string]bool{}
			for _, m := range elementIDs.FindAllStringSubmatch(page, -1) {
				if seen[m[1]] {
					t.Errorf("two elements have the id %s", m[1])
				}
				seen[m[1]] = true
			}
			for _, m := range innerLinks.FindAllStringSubmatch(page, -1) {
				if !seen[m[1]] {
					t.Errorf("a link leads to #%s, which is not there", m[1])
				}
			}
			weight := 0
			for _, m := range loads.FindAllStringSubmatch(page, -1) {
				if !strings.Contains(m[1], "uplot") {
					weight += len(read(t, r.do(http.MethodGet, m[1])))
				}
			}
			if weight > maxPage {
				t.Errorf("%d bytes of script and style, want at most %d", weight, maxPage)
			}
			if resp.StatusCode == http.StatusOK {
				json := r.do(http.MethodGet, jsonOf(t, page))
				if json.StatusCode != http.StatusOK || !strings.Contains(json.Header.Get("Content-Type"), "json") {
					t.Errorf("its JSON = %d %s", json.StatusCode, json.Header.Get("Content-Type"))
				}
			}
		})
	}
}

var (
	foreignLoads = regexp.MustCompile(`(?:src|action|srcset)="(?:[a-z]+:|//)[^"]*|<link[^>]*href="(?:[a-z]+:|//)[^"]*`)
	elementIDs   = regexp.MustCompile(` id="([^"]+)"`)
	innerLinks   = regexp.MustCompile(` href="#([^"]+)"`)
	loads        = regexp.MustCompile(`(?:src|href)="(/assets/[^"]+\.(?:js|css))"`)
	alternate    = regexp.MustCompile(`<link rel="alternate" type="application/json" href="([^"]+)"`)
)

func jsonOf(t *testing.T, page string) string {
	t.Helper()
	m := alternate.FindStringSubmatch(page)
	if m == nil {
		t.Fatal("the page names no JSON")
	}
	return strings.ReplaceAll(m[1], "&amp;", "&")
}

// targets are addresses of every screen, some of them for each of the first real events and keys.
func targets(s *Site, ids []string) (all []string) {
	for _, sc := range s.allScreens() {
		path := strings.ReplaceAll(sc.path, "{$}", "")
		switch {
		case strings.Contains(path, "{id}"):
			for _, id := range ids[:40] {
				all = append(all, strings.ReplaceAll(path, "{id}", id))
			}
		case strings.Contains(path, "{key}"), strings.Contains(path, "{npub}"):
			for _, key := range []string{customer, provider, "ee"} {
				all = append(all, strings.NewReplacer("{key}", strings.Repeat(key, 32), "{npub}", strings.Repeat(key, 32)).Replace(path))
			}
		case strings.Contains(path, "{kind}"):
			for _, kind := range []string{"5050", "5300", "5999", "1"} {
				all = append(all, strings.ReplaceAll(path, "{kind}", kind))
			}
		default:
			all = append(all, path)
		}
	}
	return all
}
