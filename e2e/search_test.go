package e2e

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Two threads are followed at once on one connection, by search and by the portable way, and all agree.
func TestNostrTools_ThreadBySearchAndPortably(t *testing.T) {
	h := newHub(t)
	h.start()
	var got struct {
		OK      bool     `json:"ok"`
		Request string   `json:"request"`
		Thread  []string `json:"thread"`
		Refusal string   `json:"refusal"`
	}
	ask(t, &got, "search.mjs", h.ws())
	if !got.OK {
		t.Fatalf("got %+v", got)
	}
	if !strings.Contains(got.Refusal, "thread:") {
		t.Errorf("refusal %q does not name the word that is wrong", got.Refusal)
	}
	j, err := h.api(got.Request)
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range got.Thread {
		if !slices.Contains(j.ids(), id) {
			t.Errorf("api lacks %s of the thread: %v", id, j.ids())
		}
	}
}

// documented are the refusals that docs/SEARCH.md shows, by search.
func documented(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile("../docs/SEARCH.md")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, m := range regexp.MustCompile("(?m)^\\| `([^`]*)` \\| `(invalid: search: [^`]*)` \\|$").FindAllStringSubmatch(string(text), -1) {
		all[m[1]] = m[2]
	}
	if len(all) < 5 {
		t.Fatalf("docs/SEARCH.md shows %d refusals, want at least 5", len(all))
	}
	return all
}

// The refusals reach the client word for word as the documentation has them.
func TestNostrTools_JobsBySearchAndCount(t *testing.T) {
	h := newHub(t)
	h.start()
	want := documented(t)
	want[" "] = `invalid: search: is empty, did you mean "thread:<id>"`
	var bad []string
	for search := range want {
		bad = append(bad, search)
	}
	list, err := json.Marshal(bad)
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Counts   map[string]int `json:"counts"`
		Refusals map[string]struct {
			ByREQ   string `json:"byREQ"`
			ByCOUNT string `json:"byCOUNT"`
		} `json:"refusals"`
	}
	ask(t, &got, "search-keys.mjs", h.ws(), string(list))
	if len(got.Counts) < 10 {
		t.Errorf("only %d searches were counted", len(got.Counts))
	}
	for search, text := range want {
		if r := got.Refusals[search]; r.ByREQ != text || r.ByCOUNT != text {
			t.Errorf("search %q:\nREQ   got %s\nCOUNT got %s\nwant      %s", search, r.ByREQ, r.ByCOUNT, text)
		}
	}
}

// NDK's ways with search are its own. This pins them: what fails here says which sentence of the documentation has ceased to be
// true.
func TestNDK_IgnoresSearchWhenItMatches(t *testing.T) {
	const (
		portably = `docs/SEARCH.md, "The portable way": "Some clients do not know search. NDK (seen in ...) merges subscriptions and ignores search when it matches events, so two searches open at once come out mixed"`
		readme   = `e2e/README.md, "NDK"`
	)
	h := newHub(t)
	h.start()
	type has struct{ One, Two bool }
	var got struct {
		Version string `json:"version"`
		Alone   has    `json:"alone"`
		Merged  struct {
			First  has `json:"first"`
			Second has `json:"second"`
		} `json:"merged"`
		Leaks   bool       `json:"leaks"`
		Threads [][]string `json:"threads"`
	}
	ask(t, &got, "ndk-search.mjs", h.ws())
	if onlyOne := (has{One: true}); got.Alone != onlyOne {
		t.Errorf("a search alone and not groupable has %+v, want the first job only.\nChange: %s, \"... that is groupable: false and alone gets the right thread\"", got.Alone, readme)
	}
	if onlyTwo := (has{Two: true}); got.Merged.First != onlyTwo || got.Merged.Second != onlyTwo {
		t.Errorf("two searches merged have %+v and %+v; NDK was seen to ask for the last one only and to give it to both.\nChange: %s, \"merges subscriptions\"\nand: %s, \"Two that are opened within the grouping delay ...\"",
			got.Merged.First, got.Merged.Second, portably, readme)
	}
	if !got.Leaks {
		t.Errorf("a search did not get the live events of another subscription; NDK was seen to ignore search when it matches.\nChange: %s, \"ignores search when it matches events\"\nand: %s, \"Live events of any other subscription reach the search too ...\"", portably, readme)
	}
	for path, sentence := range map[string]string{"../docs/SEARCH.md": "NDK (seen in " + got.Version + ")", "README.md": "Seen in " + got.Version + ":"} {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(text), sentence) {
			t.Errorf("%s does not say %q: this is the version whose behaviour this test has seen", path, sentence)
		}
	}
	if len(got.Threads) != 2 {
		t.Fatalf("the portable way was tried on %d threads, want 2", len(got.Threads))
	}
	for _, thread := range got.Threads {
		j, err := h.api(thread[0])
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(thread)
		if !slices.Equal(j.ids(), thread) {
			t.Errorf("the portable way has %v, the api %v", thread, j.ids())
		}
	}
}
