package web

import (
	"encoding/csv"
	"net/http"
	"slices"
	"strings"
	"testing"

	"dvmrelay/nip90"

	"github.com/nbd-wtf/go-nostr"
)

func TestCSV_Lists(t *testing.T) {
	r := newRig(t, DefaultOptions())
	r.story()
	r.put(5050, 1_700_000_020, customer, "", nostr.Tag{"i", "=HYPERLINK(\"http://x\",\"a,b\")\r\nnew line", "text"})
	r.put(31990, 1_700_000_003, "cc", `{"name":"+cmd|' /C calc'!A0"}`, nostr.Tag{"d", "x"}, nostr.Tag{"k", "5050"}, nostr.Tag{"k", "5100"})
	for _, tc := range []struct {
		name, target, accept string
		rows                 int
		cells                map[string]string // of the first row
	}{
		{"jobs by Accept", "/api/v1/jobs", "text/csv", 2, map[string]string{"kind": "5050", "state": "open", "summary": "'=HYPERLINK(\"http://x\",\"a,b\")\r\nnew line"}},
		{"jobs by format", "/api/v1/jobs?format=csv&state=success", "application/json", 1, map[string]string{"results_count": "1", "bid_msat": "3000", "relays": "wss://x.example"}},
		{"handlers", "/api/v1/handlers?format=csv", "", 2, map[string]string{"name": "'+cmd|' /C calc'!A0", "kinds": "5050 5100", "price.kind": "unknown"}},
		{"upstreams", "/api/v1/upstreams?format=csv", "", 2, map[string]string{"url": "wss://a.example", "state": "live"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			resp := r.do(http.MethodGet, tc.target, "Accept", tc.accept)
			if ct := resp.Header.Get("Content-Type"); !strings.HasPrefix(ct, "text/csv") || resp.Header.Get("ETag") == "" {
				t.Fatalf("%d %s, want a table with an ETag", resp.StatusCode, ct)
			}
			rows, err := csv.NewReader(resp.Body).ReadAll()
			if err != nil {
				t.Fatal(err)
			}
			if len(rows) != tc.rows+1 {
				t.Fatalf("%d rows, want a header and %d", len(rows), tc.rows)
			}
			for name, want := range tc.cells {
				i := slices.Index(rows[0], name)
				// A reader of CSV turns line ends within cells into plain ones.
				if i < 0 || rows[1][i] != strings.ReplaceAll(want, "\r\n", "\n") {
					t.Errorf("column %s of %v: %q, want %q", name, rows[0], rows[1], want)
				}
			}
		})
	}
	for _, tc := range []struct{ accept, want string }{
		{"application/json, text/csv", "application/json"}, {"text/csv;q=0", "application/json"}, {"*/*", "application/json"}, {"text/html", "application/json"}, {"text/csv;q=0.9, */*;q=0.1", "text/csv"},
	} {
		if ct := r.do(http.MethodGet, "/api/v1/jobs", "Accept", tc.accept).Header.Get("Content-Type"); !strings.HasPrefix(ct, tc.want) {
			t.Errorf("Accept %s gives %s, want %s", tc.accept, ct, tc.want)
		}
	}
	if resp := r.do(http.MethodGet, "/api/v1/jobs?format=csv&state=sideways"); resp.Header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("a problem comes as %s", resp.Header.Get("Content-Type"))
	}
	resp := r.do(http.MethodGet, "/api/v1/jobs?format=csv&limit=1")
	link := resp.Header.Get("Link")
	target, _, ok := strings.Cut(strings.TrimPrefix(link, "<"), ">")
	if !ok {
		t.Fatalf("Link %q, want the next page", link)
	}
	rows, err := csv.NewReader(r.do(http.MethodGet, target).Body).ReadAll()
	if err != nil || len(rows) != 2 || rows[1][0] == "" {
		t.Errorf("the next page is %v, %v", rows, err)
	}
}

func TestStats_Parameters(t *testing.T) {
	r := newRig(t, DefaultOptions())
	r.story()
	r.put(5300, 1_700_000_020, "cc", "")
	r.put(5100, 1_700_000_021, "cc", "")
	npub := nip90.Npub(nip90.PubKey([]byte(strings.Repeat("\xbb", 32))))
	for query, want := range map[string]int{
		"": 3, "?exclude_kind=5300": 2, "?exclude_kind=5300,5100": 1, "?exclude_kind=5300&exclude_kind=5100": 1, "?kind=5050": 1, "?provider=" + npub: 1,
		"?window=1h": 3, "?since=1700000020&until=1700000020": 1,
	} {
		var st struct {
			Requests int
			Coverage []any
			Gaps     []any
			Series   []any
		}
		r.get("/api/v1/stats"+query, http.StatusOK, &st)
		if st.Requests != want || st.Coverage == nil || st.Gaps == nil || st.Series == nil {
			t.Errorf("%s: %+v, want %d requests, coverage, gaps and a series", query, st, want)
		}
	}
	for _, bad := range []string{"?exclude_kind=x", "?exclude_kind=70000", "?exclude_kind=,", "?kind=-1", "?provider=x", "?exclude_kind=" + strings.Repeat("1,", 300) + "1"} {
		if resp := r.do(http.MethodGet, "/api/v1/stats"+bad); resp.StatusCode < 400 || resp.StatusCode >= 500 {
			t.Errorf("%s = %d, want 4xx", bad, resp.StatusCode)
		}
	}
}

func TestHandler_ByAddress(t *testing.T) {
	r := newRig(t, DefaultOptions())
	pk := nip90.PubKey([]byte(strings.Repeat("\xbb", 32)))
	for _, d := range []string{"fox", "a/b//../c d%", "", ":", "ü?#&"} {
		r.put(31990, 1_700_000_001, provider, `{"name":"`+d+`"}`, nostr.Tag{"d", d}, nostr.Tag{"k", "5050"})
		a := nip90.Address{Kind: 31990, PubKey: pk, D: d}
		for _, target := range []string{pathEscaped(a.String()), nip90.Naddr(a)} {
			var h struct{ Address string }
			r.get("/api/v1/handlers/"+target, http.StatusOK, &h)
			if h.Address != a.String() {
				t.Errorf("%s gives %s, want %s", target, h.Address, a)
			}
		}
	}
	r.get("/api/v1/handlers/31990:"+pk.String()+":none", http.StatusNotFound, nil)
	r.get("/api/v1/handlers/"+nip90.Npub(pk), http.StatusBadRequest, nil)
}
