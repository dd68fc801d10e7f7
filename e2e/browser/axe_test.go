package browser

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const axeFile = "testdata/axe.min.js"

// TestAxe_IsTheOneThatWasVendored holds the files against the sums in testdata/README.md.
func TestAxe_IsTheOneThatWasVendored(t *testing.T) {
	readme, err := os.ReadFile("testdata/README.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := regexp.MustCompile("(?m)^\\| `(axe\\.[^`]+)` \\| `([0-9a-f]{64})` \\|$").FindAllSubmatch(readme, -1)
	var named []string
	for _, row := range rows {
		named = append(named, string(row[1]))
		file, err := os.ReadFile("testdata/" + string(row[1]))
		if err != nil {
			t.Fatal(err)
		}
		if sum := sha256.Sum256(file); hex.EncodeToString(sum[:]) != string(row[2]) {
			t.Errorf("testdata/%s has the sha256 %x, want %s", row[1], sum, row[2])
		}
	}
	entries, err := os.ReadDir("testdata")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), "axe.") && !slices.Contains(named, e.Name()) {
			t.Errorf("testdata/%s has no row in testdata/README.md", e.Name())
		}
	}
	if !slices.Contains(named, "axe.min.js") {
		t.Errorf("testdata/README.md names %q, want axe.min.js among them", named)
	}
}

// axe is a violation that it found.
type axe struct {
	ID, Impact, Help string
	Nodes            []struct{ Target, HTML, Summary string }
}

const (
	everyRule  = "undefined"
	colourRule = `{type: "rule", values: ["color-contrast"]}` // all that another light can break
)

// runAxe is a function of the rules.
const runAxe = `(rules => axe.run(document, {runOnly: rules, resultTypes: ["violations"], preload: false, iframes: false}).then(r => r.violations.map(v => ({
	ID: v.id, Impact: v.impact, Help: v.help,
	Nodes: v.nodes.slice(0, 4).map(n => ({Target: n.target.join(" "), HTML: n.html.slice(0, 160), Summary: (n.failureSummary || "").slice(0, 300)})),
}))))`

// TestAxe_FindsNoSeriousFault runs axe-core on each screen.
func TestAxe_FindsNoSeriousFault(t *testing.T) {
	t.Parallel()
	h, c := demo(t)
	source := axeSource(t)
	for _, width := range []int64{360, 768, 1440} {
		t.Run(fmt.Sprint(width), func(t *testing.T) {
			t.Parallel()
			b := newTab(t, h, device{width: width})
			for i, s := range screens(c) {
				rules := everyRule
				b.inBothLights(s, device{width: width}, i%2 == 0, func() {
					b.accessible(s.name+" "+b.see.String(), source, rules)
					rules = colourRule
				})
			}
		})
	}
}

func axeSource(t *testing.T) string {
	t.Helper()
	source, err := os.ReadFile(axeFile)
	if err != nil {
		t.Fatal(err)
	}
	return string(source)
}

// accessible wants nothing serious or critical of axe.
func (b *tab) accessible(where, source, rules string) {
	b.t.Helper()
	eval[any](b, source+"; true")
	for _, v := range eval[[]axe](b, runAxe+"("+rules+")") {
		if v.Impact != "serious" && v.Impact != "critical" {
			continue
		}
		for _, n := range v.Nodes {
			b.t.Errorf("%s: axe: %s %s (%s): %s\n%s\n%s", where, v.Impact, v.ID, v.Help, n.Target, n.HTML, n.Summary)
		}
	}
}
