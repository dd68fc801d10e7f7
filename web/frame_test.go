package web

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"html/template"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"dvmrelay/nip90"

	"github.com/nbd-wtf/go-nostr"
)

// browse asks as a browser does.
func (r *rig) browse(target string, header ...string) (*http.Response, string) {
	r.t.Helper()
	resp := r.do(http.MethodGet, target, append([]string{"Accept", "text/html,application/xhtml+xml"}, header...)...)
	return resp, read(r.t, resp)
}

func TestVendored_IsWhatTheSumsSay(t *testing.T) {
	sums, err := assetFiles.ReadFile("vendored/SHA256SUMS")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for line := range strings.Lines(string(sums)) {
		want, name, _ := strings.Cut(strings.TrimSpace(line), "  ")
		b, err := assetFiles.ReadFile("vendored/" + name)
		if err != nil {
			t.Fatal(err)
		}
		if got := sha256.Sum256(b); hex.EncodeToString(got[:]) != want {
			t.Errorf("%s is not what was vendored: %x, want %s", name, got, want)
		}
		n++
	}
	if n != 4 {
		t.Errorf("%d sums, want one for each of 4 files", n)
	}
}

func TestFrame_WhatPagesNameIsServedAndKept(t *testing.T) {
	r := newRig(t, DefaultOptions())
	_, page := r.browse("/")
	names := regexp.MustCompile(`(?:src|href)="(/assets/[^"]+)"`).FindAllStringSubmatch(page, -1)
	if len(names) < 4 {
		t.Fatalf("the page names %d files, want scripts, styles and an icon", len(names))
	}
	for _, m := range names {
		resp := r.do(http.MethodGet, m[1])
		if resp.StatusCode != http.StatusOK || !strings.Contains(resp.Header.Get("Cache-Control"), "immutable") {
			t.Errorf("%s = %d, %s", m[1], resp.StatusCode, resp.Header.Get("Cache-Control"))
		}
	}
	if resp := r.do(http.MethodGet, "/assets/nothing.js"); resp.StatusCode != http.StatusNotFound {
		t.Errorf("an asset that is not there = %d, want 404", resp.StatusCode)
	}
}

func TestFrame_ColoursAreChosenWithoutAScript(t *testing.T) {
	r := newRig(t, DefaultOptions())
	resp := r.do(http.MethodGet, "/theme?to=dark&back=/jobs%3Fstate=open")
	if resp.StatusCode != http.StatusSeeOther || resp.Header.Get("Location") != "/jobs?state=open" {
		t.Fatalf("choice = %d to %s, want 303 back to the page", resp.StatusCode, resp.Header.Get("Location"))
	}
	cookie, _, _ := strings.Cut(resp.Header.Get("Set-Cookie"), ";")
	if _, page := r.browse("/", "Cookie", cookie); !strings.Contains(page, `<html lang="en" data-theme="dark">`) {
		t.Error("the page does not have the chosen colours")
	}
	if _, page := r.browse("/", "Cookie", "theme=\"><script>"); !strings.Contains(page, `<html lang="en">`) {
		t.Error("a cookie of another's making reached the page")
	}
	for _, back := range []string{"//evil.example", "https://evil.example", `/\evil.example`, "evil", "/a\r\nX: y", ""} {
		resp := r.do(http.MethodGet, "/theme?to=light&back="+url.QueryEscape(back))
		if got := resp.Header.Get("Location"); got != "/" {
			t.Errorf("back to %q leads to %q, want /", back, got)
		}
	}
}

func TestLinks_NamesLeadToPages(t *testing.T) {
	r := newRig(t, DefaultOptions())
	request, result, _ := r.story()
	unknown := strings.Repeat("0f", 32)
	id, _ := nip90.ParseID(request)
	other, _ := nip90.ParseID(unknown)
	answer, _ := nip90.ParseID(result)
	pk := func(hex string) nip90.PubKey { k, _ := nip90.ParsePubKey(strings.Repeat(hex, 32)); return k }
	asker, answerer, stranger := pk(customer), pk(provider), pk("ee")
	for _, c := range []struct{ name, text, want string }{
		{"hex of a job", request, "/jobs/" + request},
		{"note of a job", nip90.Note(id), "/jobs/" + request},
		{"nevent of a job", nip90.Nevent(id, asker, 5100), "/jobs/" + request},
		{"nostr: link", "nostr:" + nip90.Note(id), "/jobs/" + request},
		{"an answer", nip90.Note(answer), "/jobs/" + request + "#event-" + result},
		{"nevent never seen, of a known author", nip90.Nevent(other, asker, 5100), "/jobs/" + unknown},
		{"hex never seen", unknown, "/jobs/" + unknown},
		{"npub of a provider", nip90.Npub(answerer), "/dvms/" + nip90.Npub(answerer)},
		{"hex of a provider", answerer.String(), "/dvms/" + nip90.Npub(answerer)},
		{"npub of a customer", nip90.Npub(asker), "/u/" + nip90.Npub(asker)},
		{"hex of a customer", asker.String(), "/u/" + nip90.Npub(asker)},
		{"npub of a stranger", nip90.Npub(stranger), "/u/" + nip90.Npub(stranger)},
		{"naddr", nip90.Naddr(nip90.Address{Kind: 31990, PubKey: answerer, D: "x"}), "/dvms/" + nip90.Npub(answerer)},
		{"a kind", "5100", "/kinds/5100"},
	} {
		for _, target := range []string{"/" + c.text, "/search?q=" + url.QueryEscape(c.text)} {
			resp := r.do(http.MethodGet, target)
			if got := resp.Header.Get("Location"); resp.StatusCode != http.StatusSeeOther || got != c.want {
				t.Errorf("%s: %s = %d to %q, want 303 to %q", c.name, target, resp.StatusCode, got, c.want)
			}
		}
	}
	if resp := r.do(http.MethodGet, "/search?q=image+maker"); resp.Header.Get("Location") != "/dvms?q=image+maker" {
		t.Errorf("words lead to %q, want the list of DVMs", resp.Header.Get("Location"))
	}
	resp, page := r.browse("/no-such-page")
	if resp.StatusCode != http.StatusNotFound || !strings.Contains(page, `id="find"`) || !strings.Contains(page, "/jobs") {
		t.Errorf("an unknown page = %d, want a 404 that helps", resp.StatusCode)
	}
	if resp := r.do(http.MethodGet, "/no-such-page"); resp.Header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("to a program an unknown page is %s, want a problem", resp.Header.Get("Content-Type"))
	}
	if resp := r.do(http.MethodPost, "/"); resp.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("POST = %d, want 405", resp.StatusCode)
	}
}

// TestLive_FragmentsAreToldAsTheyChange reads the stream of a page over a real connection.
func TestLive_FragmentsAreToldAsTheyChange(t *testing.T) {
	r := newRig(t, DefaultOptions())
	r.site.streams.pulse = time.Millisecond
	server := r.serve()
	var lines *bufio.Scanner
	for deadline := time.Now().Add(10 * time.Second); lines == nil; { // until it runs
		resp, err := http.Get(server.URL + "/live?at=%2F")
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if resp.StatusCode == http.StatusOK {
			lines = bufio.NewScanner(resp.Body)
		} else if time.Now().After(deadline) {
			t.Fatalf("stream = %d", resp.StatusCode)
		}
	}
	lines.Buffer(nil, 1<<20)
	until := func(what string) {
		t.Helper()
		for lines.Scan() {
			if strings.Contains(lines.Text(), what) {
				return
			}
		}
		t.Fatalf("the stream ended before %q: %v", what, lines.Err())
	}
	until("event: " + r.site.overviewScreen().live[0])
	id := r.put(5100, 1_700_000_099, "cc", "", nostr.Tag{"i", "a new job", "text"})
	r.clock.Add(2)
	until("/jobs/" + id)
}

// TestLive_WhoComesBackIsToldWhatItHasNot: the id of the last event stands for all fragments, and it is given only with the
// last of those that changed, so that whoever was cut off in between is told all of them again.
func TestLive_WhoComesBackIsToldWhatItHasNot(t *testing.T) {
	w := httptest.NewRecorder()
	one := &rendering{sum: "s1", html: map[string]template.HTML{"a": "1", "b": "2", "c": "3"}}
	f := &fragments{out: pusher{w, http.NewResponseController(w), time.Second}, sent: map[string]template.HTML{}, names: []string{"a", "b", "c"}}
	two := &rendering{sum: "s2", html: map[string]template.HTML{"a": "1", "b": "22", "c": "3"}}
	for _, r := range []*rendering{one, two, two} {
		if !f.tell(r) {
			t.Fatal("not told")
		}
	}
	want := "retry: 2000\n\nevent: a\ndata: 1\n\nevent: b\ndata: 2\n\nid: s1\nevent: c\ndata: 3\n\nid: s2\nevent: b\ndata: 22\n\n"
	if got := w.Body.String(); got != want {
		t.Errorf("told %q, want %q", got, want)
	}
}

func TestLive_OnlyPagesThatChange(t *testing.T) {
	r := newRig(t, DefaultOptions())
	for _, at := range []string{"", "jobs", "https://evil.example/", "//evil.example/", "/live", "/live?at=/", "/docs", "/nothing", "/api/v1/stream", "/" + strings.Repeat("a", 5000)} {
		if resp := r.do(http.MethodGet, "/live?at="+url.QueryEscape(at)); resp.StatusCode != http.StatusBadRequest && resp.StatusCode != http.StatusNotFound {
			t.Errorf("stream of %.40q = %d, want a refusal", at, resp.StatusCode)
		}
	}
}

func TestSqueezed_PagesFilesAndStreamsAreTheSame(t *testing.T) {
	r := newRig(t, DefaultOptions())
	r.story()
	_, page := r.browse("/jobs")
	asset := loads.FindStringSubmatch(page)[1]
	for _, target := range []string{"/jobs", asset} {
		want := read(t, r.do(http.MethodGet, target))
		resp := r.do(http.MethodGet, target, "Accept-Encoding", "br, gzip;q=0.8")
		small := read(t, resp)
		got, err := gunzip(strings.NewReader(small))
		if err != nil || resp.Header.Get("Content-Encoding") != "gzip" || string(got) != want || 2*len(small) > len(want) {
			t.Errorf("%s: %d bytes squeezed of %d, the same: %t, %v", target, len(small), len(want), string(got) == want, err)
		}
		if !strings.Contains(resp.Header.Get("Vary"), "Accept-Encoding") {
			t.Errorf("%s: caches are not told what it depends on: %q", target, resp.Header.Get("Vary"))
		}
		for _, not := range []string{"gzip;q=0", "identity", "gzip; q=0.0, br"} {
			if resp := r.do(http.MethodGet, target, "Accept-Encoding", not); resp.Header.Get("Content-Encoding") != "" {
				t.Errorf("%s: squeezed for who takes %q", target, not)
			}
		}
	}
	var all bytes.Buffer
	s := newSqueezer()
	for _, piece := range []string{"retry: 2000\n\n", strings.Repeat("data: a job\n", 9000), "\n"} {
		b, err := s.squeeze([]byte(piece))
		if err != nil {
			t.Fatal(err)
		}
		all.Write(b)
		// what was sent so far can be read to its end, though the stream goes on
		got, err := gunzip(bytes.NewReader(all.Bytes()))
		if !errors.Is(err, io.ErrUnexpectedEOF) || !strings.HasSuffix(string(got), piece) {
			t.Errorf("of a piece of %d bytes %d were read, %v", len(piece), len(got), err)
		}
	}
}

func gunzip(r io.Reader) ([]byte, error) {
	gz, err := gzip.NewReader(r)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(gz)
}
