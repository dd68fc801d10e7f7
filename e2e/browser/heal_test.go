package browser

import (
	"fmt"
	"net/http"
	"testing"
)

// TestLive_PageHealsAfterTheRelayWasAway: who leaves a page open over a restart of the relay sees what came after it.
func TestLive_PageHealsAfterTheRelayWasAway(t *testing.T) {
	t.Parallel()
	h := newHub(t, nil)
	alice := newPerson("alice")
	b := newTab(t, h, device{width: 1440})
	b.visit("/", http.StatusOK)
	stayed := b.stay()
	job := openMarket(t, h).request(alice, 5050, "before")
	b.sees("the job before", has(linkTo(selLive, jobPath(job.ID))))
	b.check("before the relay went")
	h.kill()
	h.start()
	job = openMarket(t, h).request(alice, 5050, "after")
	b.sees("the job after", has(linkTo(selLive, jobPath(job.ID))))
	stayed("the overview")
	b.take() // what the browser says of a relay that is away is right
}

// TestLive_PagesOneAfterTheOther: a browser keeps the pages that were left, and opens six connections to one host; a page that kept
// its stream would leave none for the seventh.
func TestLive_PagesOneAfterTheOther(t *testing.T) {
	t.Parallel()
	b := newTab(t, newHub(t, nil), device{width: 1440})
	for _, path := range []string{"/", "/jobs", "/dvms", "/kinds", "/?a=1", "/jobs?a=1", "/dvms?a=1", "/kinds?a=1", "/?a=2"} {
		b.visit(path, http.StatusOK)
	}
}

// awayAndBack lets a test say whether anybody sees the page, and keeps the streams that the page opened.
const awayAndBack = `Object.defineProperty(document, "hidden", {get: () => window.away === true});
window.streams = [];
window.EventSource = class extends EventSource { constructor(...given) { super(...given); window.streams.push(this); } };
window.seen = yes => { window.away = !yes; document.dispatchEvent(new Event("visibilitychange")); return true; };`

// TestLive_PageNobodySeesHoldsNoStream: a page gives its stream back while another tab is in front, and has everything once it is seen.
func TestLive_PageNobodySeesHoldsNoStream(t *testing.T) {
	t.Parallel()
	h := newHub(t, nil)
	m := openMarket(t, h)
	alice := newPerson("alice")
	b := newTab(t, h, device{width: 1440})
	b.before(awayAndBack)
	b.visit("/", http.StatusOK)
	stayed := b.stay()
	open := func(n int) string {
		return fmt.Sprintf("window.streams.filter(s => s.readyState === EventSource.OPEN).length === %[1]d && window.streams.filter(s => s.readyState !== EventSource.CLOSED).length === %[1]d", n)
	}
	b.sees("one stream", open(1))
	for range 2 {
		before := m.now().request(alice, 5050, "while it is seen")
		b.sees("the job", has(linkTo(selLive, jobPath(before.ID))))
		eval[bool](b, "window.seen(false)")
		if !eval[bool](b, open(0)) {
			t.Error("a page that nobody sees holds a stream")
		}
		meanwhile := m.now().request(alice, 5050, "while nobody looks")
		eval[bool](b, "window.seen(true) && window.seen(true)")
		b.sees("the job that came meanwhile", has(linkTo(selLive, jobPath(meanwhile.ID))))
		b.sees("one stream again", open(1))
	}
	stayed("the overview")

	b.before(`window.away = true;`) // opened behind another tab
	b.visit("/", http.StatusOK)
	b.sees("a stream that was given back", "window.streams.length === 1 && "+open(0))
	job := m.now().request(alice, 5050, "behind another tab")
	eval[bool](b, "window.seen(true)")
	b.sees("the job on the page that is seen now", has(linkTo(selLive, jobPath(job.ID))))
}
