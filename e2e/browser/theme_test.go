package browser

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// TestTheme_IsKeptWithoutAFlash: the choice of colours beats the system's, with and without scripts; the next page comes in them from
// the relay, and the visitor is where she was.
func TestTheme_IsKeptWithoutAFlash(t *testing.T) {
	t.Parallel()
	h := newHub(t, nil)
	const here = "/?from=here"
	for _, noScript := range []bool{false, true} {
		d := device{width: 1440, noScript: noScript}
		t.Run(d.String(), func(t *testing.T) {
			b := newTab(t, h, d)
			b.visit(here, http.StatusOK)
			dark := func(when string, want bool) {
				t.Helper()
				b.sees(fmt.Sprintf("%s: dark = %v", when, want), fmt.Sprintf(`location.pathname + location.search === %q && document.readyState === "complete"`, here))
				if got := b.layout(nil).Dark; got != want {
					t.Errorf("%s: dark = %v, want %v", when, got, want)
				}
			}
			dark("as the system says", false)
			for _, step := range []struct {
				to   string
				dark bool
			}{{"dark", true}, {"light", false}, {"dark", true}} {
				b.click(fmt.Sprintf(selThemeButton, step.to))
				b.sees("the choice", fmt.Sprintf(`document.documentElement.dataset.theme === %q && %s`, step.to, has(fmt.Sprintf(selThemeButton+"[aria-pressed=true]", step.to))))
				dark("chosen", step.dark)
			}
			b.visit(here, http.StatusOK)
			dark("after a reload", true)
			if got := b.source(); !strings.Contains(got, `<html lang="en" data-theme="dark">`) {
				t.Errorf("the page comes without the theme that was chosen: %.200s", got)
			}
			b.click(fmt.Sprintf(selThemeButton, "system"))
			b.sees("the system's choice", `document.documentElement.dataset.theme === undefined`)
			dark("as the system says again", false)
		})
	}
}
