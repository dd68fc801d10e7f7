package browser

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/chromedp/kb"
)

// focus is where the keyboard is.
type focus struct {
	Tag, ID, Href, Text string
	Visible             bool // it can be told from the rest, and is on the screen
}

const whereFocus = `(() => {
	const e = document.activeElement, s = getComputedStyle(e), r = e.getBoundingClientRect();
	const drawn = e instanceof SVGElement && [...e.children].map(c => getComputedStyle(c)).some(c => c.stroke !== "none" && parseFloat(c.strokeWidth) >= 2);
	const ring = s.outlineStyle !== "none" && parseFloat(s.outlineWidth) > 0 || s.boxShadow !== "none" || drawn;
	return {
		Tag: e.tagName.toLowerCase(), ID: e.id, Href: e.getAttribute("href") || "", Text: (e.textContent || "").trim().slice(0, 60),
		Visible: e.matches(":focus-visible") && ring && r.width > 0 && r.height > 0 && r.bottom > 0 && r.top < innerHeight && r.right > 0 && r.left < innerWidth,
	};
})()`

func (b *tab) focus() focus {
	b.t.Helper()
	return eval[focus](b, whereFocus)
}

// tabTo presses Tab until it is at an element of the selector.
func (b *tab) tabTo(selector string) focus {
	b.t.Helper()
	var way []string
	for range 200 {
		b.press(kb.Tab)
		at := b.focus()
		if !at.Visible {
			b.t.Errorf("on the way to %s the focus cannot be seen at %+v", selector, at)
		}
		if eval[bool](b, fmt.Sprintf("document.activeElement.matches(%q)", selector)) {
			return at
		}
		way = append(way, at.Tag+" "+at.Text)
	}
	b.t.Fatalf("no Tab leads to %s; on the way: %q", selector, way)
	return focus{}
}

// TestKeys_OpenAJobAndWalkItsEvents uses nothing but the keyboard.
func TestKeys_OpenAJobAndWalkItsEvents(t *testing.T) {
	t.Parallel()
	h := newHub(t, nil)
	m := openMarket(t, h)
	alice, writer := newPerson("alice"), newPerson("Summarizer")
	m.handler(writer, "Writes.", 50_000, 5050)
	job := m.ago(10*1e9).request(alice, 5050, "say it shorter")
	said := m.after(2).feedback(writer, job, "processing", "reading")
	done := m.after(2).result(writer, job, "short")
	b := newTab(t, h, device{width: 1440})
	b.visit("/", http.StatusOK)
	b.sees("the job", has(linkTo(selLive, jobPath(job.ID))))

	b.press(kb.Tab)
	skip := b.focus()
	if !strings.HasPrefix(skip.Href, "#") || !skip.Visible {
		t.Fatalf("the first Tab leads to %+v, want a link that skips to the main part", skip)
	}
	b.press(kb.Enter)
	b.press(kb.Tab)
	if !eval[bool](b, fmt.Sprintf("document.querySelector(%q).contains(document.activeElement)", selMain)) {
		t.Errorf("after %q Tab leads to %+v, want something in the main part", skip.Text, b.focus())
	}

	b.visit("/", http.StatusOK)
	b.tabTo(fmt.Sprintf("%s a[href='%[3]s'], %[2]s a[href='%[3]s']", selStrip, selLive, jobPath(job.ID)))
	b.press(kb.Enter)
	b.sees("the thread", fmt.Sprintf("location.pathname === %q && %s", jobPath(job.ID), eventShown(done)))
	b.drawn()
	order := []string{eventRow(job.ID), eventRow(said.ID), eventRow(done.ID)}
	step := func(key, want string) {
		t.Helper()
		b.press(key)
		b.sees("the focus in "+want, fmt.Sprintf(`(document.activeElement.closest("[id^='event-']") || {}).id === %q`, want))
		if at := b.focus(); !at.Visible {
			t.Errorf("the focus cannot be seen at %+v", at)
		}
	}
	first := eval[string](b, fmt.Sprintf(`document.querySelector("%s [id^='event-']").id`, selEvents))
	if first == order[2] { // the newest is the first row
		order[0], order[2] = order[2], order[0]
	}
	step(kb.ArrowRight, order[0])
	step(kb.ArrowRight, order[1])
	step(kb.ArrowRight, order[2])
	step(kb.ArrowLeft, order[1])

	eval[bool](b, "(history.back(), true)") // as the button of the browser
	b.sees("the overview again", fmt.Sprintf(`location.pathname === "/" && %s`, has(selLive)))
}

// TestKeys_FocusStaysWhileThePageGrows: who stands on a job is not thrown to the top by the next one.
func TestKeys_FocusStaysWhileThePageGrows(t *testing.T) {
	t.Parallel()
	h := newHub(t, nil)
	m := openMarket(t, h)
	alice := newPerson("alice")
	job := m.now().request(alice, 5050, "say it shorter")
	b := newTab(t, h, device{width: 1440})
	b.visit("/", http.StatusOK)
	for _, box := range []string{selStrip, selLive} {
		link := linkTo(box, jobPath(job.ID))
		b.sees("the job in "+box, has(link))
		b.tabTo(link)
		next := m.now().request(alice, 5050, "say it shorter "+box)
		b.sees("the next job in "+box, has(linkTo(box, jobPath(next.ID))))
		if at := b.focus(); at.Href != jobPath(job.ID) {
			t.Errorf("%s: the focus went from %s to %+v", box, jobPath(job.ID), at)
		}
	}
}
