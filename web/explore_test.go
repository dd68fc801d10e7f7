package web

import (
	"bytes"
	"encoding/json"
	"fmt"
	"html"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"dvmrelay/nip90"
	"dvmrelay/wire"

	"github.com/google/go-cmp/cmp"
	"github.com/nbd-wtf/go-nostr"
)

// explored is what /explore.json says.
type explored struct {
	Filter  json.RawMessage
	API     string
	Faults  map[string]string
	Presets []preset
}

func (r *rig) explored(query string) (e explored) {
	r.t.Helper()
	r.get("/explore.json?"+query, http.StatusOK, &e)
	return e
}

func TestExplore_ReadsWhatPeopleWrite(t *testing.T) {
	r := newRig(t, DefaultOptions())
	hex := strings.Repeat("ab", 32)
	id, _ := nip90.ParseID(hex)
	pk, _ := nip90.ParsePubKey(hex)
	now := r.now().Unix()
	for _, c := range []struct{ name, query, filter string }{
		{"nothing", "", `{"limit":20}`},
		{"ids in all forms", "ids=" + nip90.Note(id) + "%20" + strings.ToUpper(hex) + "%0D%0Anostr:" + nip90.Nevent(id, pk, 5050), `{"ids":["` + hex + `"]}`},
		{"authors", "authors=" + nip90.Npub(pk), `{"authors":["` + hex + `"]}`},
		{"kinds and spans", "kinds=7000,+5050+6000-6002", `{"kinds":[5050,6000,6001,6002,7000]}`},
		{"tags", "e=" + nip90.Note(id) + "&p=" + nip90.Npub(pk) + "&k=5300&t=cats%0Adogs&d=x+y", `{"#d":["x y"],"#e":["` + hex + `"],"#k":["5300"],"#p":["` + hex + `"],"#t":["cats","dogs"]}`},
		{"i is text or a job", "i=a+red+fox%0A" + nip90.Note(id), `{"#i":["a red fox","` + hex + `"]}`},
		{"repeated", "t=a&t=b&t=a", `{"#t":["a","b"]}`},
		{"times", "since=2h&until=1700000000", fmt.Sprintf(`{"since":%d,"until":1700000000}`, now-7200)},
		{"a date", "since=2023-11-14", `{"since":1699920000}`},
		{"limit nothing", "limit=0", `{"limit":0}`},
		{"search", "search=state:open+fox", `{"search":"state:open fox"}`},
	} {
		e := r.explored(c.query)
		if len(e.Faults) > 0 || string(e.Filter) != c.filter {
			t.Errorf("%s: filter %s, faults %v, want %s", c.name, e.Filter, e.Faults, c.filter)
		}
	}
	_, page := r.browse("/explore?ids=" + nip90.Note(id))
	if !strings.Contains(page, ">\n"+hex+"</textarea>") {
		t.Error("the form does not show the id as hex")
	}
	for _, c := range []struct{ query, field string }{
		{"ids=zz", "ids"},
		{"ids=" + nip90.Npub(pk), "ids"},
		{"authors=" + nip90.Note(id), "authors"},
		{"kinds=70000", "kinds"},
		{"kinds=9-1", "kinds"},
		{"kinds=0-65535", "kinds"},
		{"kinds=-1", "kinds"},
		{"since=yesterday", "since"},
		{"since=-1", "since"},
		{"until=99999999999999999999", "until"},
		{"limit=5001", "limit"},
		{"limit=-1", "limit"},
		{"search=stat:open", "search"},
		{"search=a%00b", "search"},
		{"t=a%1Bb", "t"},
		{"d=a%E2%80%AEb", "d"},
		{"i=%ff", "i"},
		{"authors=nsec1vl029mgpspedva04g90vltkh6fvh240zqtv9k0t9af8935ke9laqsnlfe5", "authors"},
		{"search=NSEC1vl029mgpspedva04g90vltkh6fvh240zqtv9k0t9af8935ke9laqsnlfe5", "search"},
	} {
		e := r.explored(c.query)
		if e.Faults[c.field] == "" || e.Filter != nil {
			t.Errorf("%s: faults %v, filter %s, want a fault of %s and no filter", c.query, e.Faults, e.Filter, c.field)
		}
		resp, page := r.browse("/explore?" + c.query)
		if resp.StatusCode != http.StatusOK || !strings.Contains(page, `aria-describedby="bad-`+c.field+`"`) || strings.Contains(page, `id="as-nak"`) {
			t.Errorf("%s: status %d, want a page with a marked field and no command", c.query, resp.StatusCode)
		}
		if body := page[strings.Index(page, "<h1"):strings.Index(page, "<footer")]; strings.Contains(strings.ToLower(body), "nsec1") {
			t.Errorf("%s: the page repeats a secret", c.query)
		}
	}
}

func TestExplore_PresetsAndAPIPathsAnswer(t *testing.T) {
	r := newRig(t, DefaultOptions())
	if n := len(r.explored("").Presets); n < 5 {
		t.Errorf("%d presets on an empty hub, want those that need nothing", n)
	}
	request, _, result := r.story()
	r.clock.Add(2)
	presets := r.explored("").Presets
	if !slices.ContainsFunc(presets, func(p preset) bool { return strings.Contains(p.Path, request) }) ||
		!slices.ContainsFunc(presets, func(p preset) bool { return strings.Contains(p.Path, strings.Repeat(provider, 32)) }) {
		t.Errorf("presets %v, want the thread and the provider that are here", presets)
	}
	for _, p := range presets {
		if e := r.explored(strings.TrimPrefix(p.Path, "/explore?")); len(e.Faults) > 0 || len(e.Filter) < 3 {
			t.Errorf("%s: filter %s, faults %v", p.Name, e.Filter, e.Faults)
		}
	}
	key := strings.Repeat(provider, 32)
	for _, c := range []struct{ query, api string }{
		{"ids=" + result, "/events/" + result},
		{"ids=" + result + "," + request, ""},
		{"ids=" + result + "&kinds=6050", ""},
		{"e=" + request, "/jobs/" + request},
		{"e=" + request + "&since=1", ""},
		{"search=thread:" + result, "/jobs/" + result},
		{"search=thread:" + result + "+fox", ""},
		{"kinds=5050&limit=20", "/jobs?kind=5050&limit=20"},
		{"kinds=5050&limit=5000", "/jobs?kind=5050&limit=200"},
		{"kinds=5050,5051", ""},
		{"kinds=5050&search=state:unanswered", "/jobs?kind=5050&state=unanswered"},
		{"search=job-kind:5050+payment:claimed+encrypted:false", "/jobs?encrypted=false&kind=5050&payment=claimed"},
		{"kinds=5050&authors=" + key, "/jobs?customer=" + key + "&kind=5050"},
		{"kinds=6050&authors=" + key, "/jobs?kind=5050&provider=" + key},
		{"kinds=6050&authors=" + key + "&since=1", ""},
		{"kinds=7000", ""},
		{"kinds=31990", "/handlers"},
		{"kinds=31990&k=5050&search=online:true", "/handlers?kind=5050&online=true"},
		{"kinds=31990&d=x", ""},
		{"kinds=31990&k=nothing", ""},
		{"search=fox", ""},
		{"since=1h", ""},
		{"kinds=5050&count=1", ""},
	} {
		got := r.explored(c.query).API
		if got != c.api {
			t.Errorf("%s is as %q in the API, want %q", c.query, got, c.api)
		}
		if got != "" {
			r.get(apiPrefix+got, http.StatusOK, nil)
		}
		_, page := r.browse("http://hub.example/explore?" + c.query)
		if curl := strings.Contains(page, `id="as-curl"`); curl != (c.api != "") {
			t.Errorf("%s: curl is shown: %v", c.query, curl)
		}
	}
}

// hostile are texts that break what is written carelessly.
var hostile = []string{
	`'`, `"`, `''`, `'\''`, `\`, `\'`, "`touch CANARY`", `$(touch CANARY)`, `'; touch CANARY; '`, `" && touch CANARY && "`, `$HOME`, `!!`, `*`, `~`,
	`a b  c`, `-x`, `--sec=1`, `=`, `a=b=c`, `a;b;c`, `@/etc/passwd`, `#`, `%s%n`, `&lt;`, `<script>alert(1)</script>`, `</textarea><img src=x>`,
	`"onfocus=alert(1) autofocus="`, `{{.}}`, `ü€🦊`, `{"kinds":[1]}`, `],"x":[`, `|touch CANARY`, `>CANARY`, `<(touch CANARY)`, `${IFS}touch${IFS}CANARY`,
}

// TestExplore_CommandsMeanTheFilter lets a real shell read the commands: each word arrives as it was given, nothing else runs.
func TestExplore_CommandsMeanTheFilter(t *testing.T) {
	if _, err := exec.LookPath("sh"); err != nil {
		t.Skip("there is no shell")
	}
	r := newRig(t, DefaultOptions())
	dir := t.TempDir()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	var queries []string
	for _, name := range []string{"i", "d", "k", "t", "search"} {
		for _, text := range hostile {
			queries = append(queries, url.Values{name: {text}}.Encode())
		}
	}
	for range 60 {
		q := url.Values{}
		for _, name := range []string{"i", "d", "k", "t"} {
			for range rng.IntN(4) {
				q.Add(name, hostile[rng.IntN(len(hostile))]+hostile[rng.IntN(len(hostile))])
			}
		}
		for _, name := range []string{"ids", "authors", "e", "p"} {
			for range rng.IntN(3) {
				q.Add(name, fmt.Sprintf("%064x", rng.Uint64()))
			}
		}
		q.Set("kinds", fmt.Sprintf("%d %d-%d", rng.IntN(100), 5000, 5000+rng.IntN(30)))
		q.Set("since", itoa(rng.IntN(1_700_000_000)))
		q.Set("limit", itoa(rng.IntN(50)))
		if rng.IntN(3) == 0 {
			q.Set("count", "1")
		}
		queries = append(queries, q.Encode())
	}
	for _, query := range queries {
		e := r.explored(query)
		resp, page := r.browse("http://hub.example/explore?" + query)
		if resp.StatusCode != http.StatusOK || len(page) > maxPage || strings.Contains(page, "<script>") || strings.Contains(page, "<img") || strings.Contains(page, `"onfocus`) {
			t.Fatalf("%s: status %d, %d bytes, or not escaped", query, resp.StatusCode, len(page))
		}
		if len(e.Faults) > 0 {
			if strings.Contains(page, "as-nak") {
				t.Errorf("%s: a command beside faults %v", query, e.Faults)
			}
			continue
		}
		want, err := wire.ParseFilter(e.Filter, wire.DefaultLimits())
		if err != nil {
			t.Fatalf("%s: %s: %v", query, e.Filter, err)
		}
		var req []json.RawMessage
		if err := json.Unmarshal([]byte(shownIn(t, page, "as-req")), &req); err != nil || len(req) != 3 {
			t.Fatalf("%s: REQ %s: %v", query, req, err)
		}
		if sent, err := wire.ParseFilter(req[2], wire.DefaultLimits()); err != nil || cmp.Diff(want, sent) != "" {
			t.Errorf("%s: REQ %s: %v, want the filter %s", query, req, err, e.Filter)
		}
		if got := inShell(t, dir, shownIn(t, page, "as-nak")); cmp.Diff(want, nakFilter(t, got)) != "" {
			t.Errorf("%s: nak asks differently: -want +got\n%s", query, cmp.Diff(want, nakFilter(t, got)))
		}
		if strings.Contains(page, `id="as-socket"`) {
			got := inShell(t, dir, shownIn(t, page, "as-socket"))
			if !slices.Contains(got, "<"+shownIn(t, page, "as-req")+"\n") || !slices.Contains(got, "ws://hub.example") {
				t.Errorf("%s: websocat sends %q", query, got)
			}
		} else if got := inShell(t, dir, shownIn(t, page, "as-curl")); len(got) != 3 || got[2] != "http://hub.example"+apiPrefix+e.API {
			t.Errorf("%s: curl asks for %q", query, got)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) > 0 {
		t.Errorf("something else ran: %v", left)
	}
}

// shownIn is the text of a pre element.
func shownIn(t *testing.T, page, id string) string {
	t.Helper()
	m := regexp.MustCompile(`(?s)<pre(?: tabindex="0")? id="` + id + `">(?:<code>)?(.*?)(?:</code>)?</pre>`).FindStringSubmatch(page)
	if m == nil {
		t.Fatalf("the page has no %s", id)
	}
	return html.UnescapeString(m[1])
}

// inShell runs a command in which every program only says how it was called; what came in through a pipe stands behind "<".
func inShell(t *testing.T, dir, command string) []string {
	t.Helper()
	const told = `say() { for a; do printf '%s\0' "$a"; done; }
nak() { say "$@"; [ -p /dev/stdin ] && { printf '<'; cat; printf '\0'; }; return 0; }
websocat() { say "$@"; printf '<'; cat; printf '\0'; }
curl() { say curl "$@"; }
`
	cmd := exec.Command("sh", "-c", told+command)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "HOME=/wrong")
	var out, faults bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &faults
	if err := cmd.Run(); err != nil || faults.Len() > 0 {
		t.Fatalf("sh: %v: %s in %s", err, faults.String(), command)
	}
	return strings.Split(strings.TrimSuffix(out.String(), "\x00"), "\x00")
}

// nakFilter reads the words of a nak command as nak does.
func nakFilter(t *testing.T, words []string) (f nostr.Filter) {
	t.Helper()
	if last := words[len(words)-1]; strings.HasPrefix(last, "<") {
		f, err := wire.ParseFilter([]byte(strings.TrimSpace(last[1:])), wire.DefaultLimits())
		if err != nil {
			t.Fatalf("nak reads %q: %v", last, err)
		}
		return f
	}
	stamp := func(text string) *nostr.Timestamp {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		at := nostr.Timestamp(n)
		return &at
	}
	if words[0] != "req" && words[0] != "count" || words[len(words)-1] != "ws://hub.example" {
		t.Fatalf("nak is called with %q", words)
	}
	words = words[1 : len(words)-1]
	for len(words) > 0 {
		if search, ok := strings.CutPrefix(words[0], "--search="); ok {
			f.Search, words = search, words[1:]
			continue
		}
		flag, value := words[0], words[1]
		words = words[2:]
		switch flag {
		case "-i":
			f.IDs = append(f.IDs, value)
		case "-a":
			f.Authors = append(f.Authors, value)
		case "-k", "-l":
			n, err := strconv.Atoi(value)
			if err != nil {
				t.Fatal(err)
			}
			if flag == "-k" {
				f.Kinds = append(f.Kinds, n)
			} else {
				f.Limit, f.LimitZero = n, n == 0
			}
		case "-t":
			letter, value, _ := strings.Cut(value, "=")
			if f.Tags == nil {
				f.Tags = nostr.TagMap{}
			}
			f.Tags[letter] = append(f.Tags[letter], value)
		case "--since":
			f.Since = stamp(value)
		case "--until":
			f.Until = stamp(value)
		default:
			t.Fatalf("nak is called with %s", flag)
		}
	}
	return f
}
