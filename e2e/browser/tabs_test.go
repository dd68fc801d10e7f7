package browser

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// realTabs opens tabs of one profile in one window, one after the other, as a person does. Only the one in front is seen; nothing
// pretends to the others that they are. prepare is called for each, and then a page is visited.
func realTabs(t *testing.T, h *hub, n int, prepare func(*tab), path string) []*tab {
	t.Helper()
	var tabs []*tab
	for range n {
		var b *tab
		if d := (device{width: 1440}); len(tabs) == 0 {
			b = openTab(browserCtx, t, h, d, chromedp.WithNewBrowserContext(), chromedp.WithNewWindow(false))
		} else {
			b = openTab(tabs[0].ctx, t, h, d)
		}
		prepare(b)
		b.visit(path, http.StatusOK)
		tabs = append(tabs, b)
	}
	return tabs
}

// inFront wants the browser itself to say that one tab is seen and no other.
func inFront(t *testing.T, tabs []*tab, front int) {
	t.Helper()
	for i, b := range tabs {
		b.sees(fmt.Sprintf("tab %d of %d, with %d in front", i, len(tabs), front), fmt.Sprintf("document.hidden === %v", i != front))
	}
}

// streams wants the relay to have so many streams open.
func (h *hub) streams(want int64) {
	h.t.Helper()
	until(h.t, fmt.Sprintf("%d streams", want), func() error {
		if got := h.measured("/metrics", "dvmrelay_web_streams "); got != want {
			return fmt.Errorf("%d are open", got)
		}
		return nil
	})
}

// TestLive_SevenTabs: a browser opens six connections to one host for all tabs of a profile. With the overview in seven tabs the
// last one is live, and so is the first when it is in front again.
func TestLive_SevenTabs(t *testing.T) {
	t.Parallel()
	h := newHub(t, nil)
	m := openMarket(t, h)
	alice := newPerson("alice")
	const last = 6
	tabs := realTabs(t, h, last+1, func(*tab) {}, "/")
	stayed := tabs[0].stay()
	inFront(t, tabs, last)
	h.streams(1)
	job := m.now().request(alice, 5050, "with seven tabs open")
	tabs[last].sees("the job in the seventh tab", has(linkTo(selLive, jobPath(job.ID))))
	if eval[bool](tabs[0], "!!"+has(linkTo(selLive, jobPath(job.ID)))) {
		t.Error("the first tab shows a job that came while nobody saw it: it kept its stream")
	}

	call(tabs[0], page.BringToFront, cdp.Empty{})
	inFront(t, tabs, 0)
	tabs[0].sees("the job that came while the first tab was behind", has(linkTo(selLive, jobPath(job.ID))))
	h.streams(1)
	job = m.now().request(alice, 5050, "back in the first tab")
	tabs[0].sees("the job in the first tab", has(linkTo(selLive, jobPath(job.ID))))
	stayed("the first tab")
	for i, b := range tabs {
		b.check(fmt.Sprintf("tab %d", i))
	}
}

// TestHarness_TabsOfOneProfileShareSixConnections: the bound is real in the browser that the tests have. Pages that are told that they
// are always seen take all six, and nothing else of that host is loaded until one of them goes.
func TestHarness_TabsOfOneProfileShareSixConnections(t *testing.T) {
	t.Parallel()
	h := newHub(t, nil)
	m := openMarket(t, h)
	tabs := realTabs(t, h, 6, func(b *tab) {
		b.before(`Object.defineProperty(document, "hidden", {get: () => false});`)
	}, "/")
	h.streams(6)
	b := tabs[5]
	eval[bool](b, `fetch("/readyz").then(() => window.got = true), true`)
	for range 3 { // each takes longer than the answer would
		job := m.now().request(newPerson("alice"), 5050, "with all connections taken")
		b.sees("the job", has(linkTo(selLive, jobPath(job.ID))))
	}
	if eval[bool](b, "window.got === true") {
		t.Error("a seventh request was answered while six streams were open")
	}
	eval[bool](tabs[0], `location.replace("about:blank"), true`)
	b.sees("the answer", "window.got === true")
}
