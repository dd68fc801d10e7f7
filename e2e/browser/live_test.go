package browser

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"

	"github.com/nbd-wtf/go-nostr"
)

// rows are the ids of what is in a box: the elements with an id, and where links lead.
func (b *tab) rows(box string) string {
	b.t.Helper()
	return eval[string](b, fmt.Sprintf(`[...document.querySelectorAll("%[1]s [id], %[1]s a[href]")].map(e => e.id || e.getAttribute("href")).sort().join(" ")`, box))
}

// eventShown says that an event has its row in a thread.
func eventShown(evt nostr.Event) string { return has(selEvents + " [id='" + eventRow(evt.ID) + "']") }

// says means that a text can be read in the page.
func says(text string) string {
	quoted, _ := json.Marshal(text) // a string is always written
	return fmt.Sprintf("document.querySelector(%q).innerText.toLowerCase().includes(%s.toLowerCase())", selMain, quoted)
}

// TestLive_JobAppearsAndItsThreadGrows: no page is loaded anew while a job is published, asked for money, paid and answered.
func TestLive_JobAppearsAndItsThreadGrows(t *testing.T) {
	t.Parallel()
	h := newHub(t, nil)
	m := openMarket(t, h)
	alice, painter := newPerson("alice"), newPerson("Painter")
	m.handler(painter, "Paints.", 2_100_000, 5100)
	b := newTab(t, h, device{width: 1440})
	b.visit("/", http.StatusOK)
	stayed := b.stay()
	job := m.now().request(alice, 5100, "a red fox in the snow")
	b.sees("the job in the strip", has(linkTo(selStrip, jobPath(job.ID))))
	b.sees("the job in the live list", has(linkTo(selLive, jobPath(job.ID))))
	stayed("the overview")

	b.visit(jobPath(job.ID), http.StatusOK)
	stayed = b.stay()
	b.sees("the request", eventShown(job))
	working := m.now().feedback(painter, job, "processing", "mixing colours")
	b.sees("feedback", eventShown(working))
	b.sees("the words of the feedback", says("mixing colours"))
	asked := m.now().asks(painter, job, 2_100_000)
	b.sees("the wish for payment", eventShown(asked))
	b.sees("the state", says("payment"))
	paid := m.now().zap(alice, painter, asked, 2_100_000)
	b.sees("the receipt", eventShown(paid))
	b.sees("that it is a claim", says("claimed"))
	done := m.now().result(painter, job, "there is your fox")
	b.sees("the result", eventShown(done))
	b.sees("the words of the result", says("there is your fox"))
	stayed("the thread")
}

// TestLive_PauseHolds: nothing changes while a page is paused, and everything is there after it goes on. A second tab that is not
// paused tells when the first would have changed.
func TestLive_PauseHolds(t *testing.T) {
	t.Parallel()
	h := newHub(t, nil)
	m := openMarket(t, h)
	alice, painter := newPerson("alice"), newPerson("Painter")
	m.handler(painter, "Paints.", 2_100_000, 5100)
	first := m.now().request(alice, 5100, "a lighthouse")
	held, free := newTab(t, h, device{width: 1440}), newTab(t, h, device{width: 1440})

	job := func(n int) nostr.Event { return m.now().request(alice, 5100, fmt.Sprintf("lighthouse %d", n)) }
	answer := func(n int) nostr.Event {
		return m.now().feedback(painter, first, "processing", fmt.Sprintf("stone %d", n))
	}
	for _, tc := range []struct {
		name, path, box string
		next            func(n int) nostr.Event
		shown           func(nostr.Event) string
	}{
		{"overview", "/", selLive, job, func(e nostr.Event) string { return has(linkTo(selLive, jobPath(e.ID))) }},
		{"thread", jobPath(first.ID), selEvents, answer, eventShown},
	} {
		held.visit(tc.path, http.StatusOK)
		free.visit(tc.path, http.StatusOK)
		if tc.box == selLive {
			held.sees("the first job", has(linkTo(selLive, jobPath(first.ID))))
		}
		held.sees("a button that pauses", fmt.Sprintf(`%s.getAttribute(%q) === "false"`, has(selPause), attrPressed))
		held.click(selPause)
		held.sees("paused", fmt.Sprintf(`%s.getAttribute(%q) === "true"`, has(selPause), attrPressed))
		before := held.rows(tc.box)
		var published []nostr.Event
		for n := range 3 { // what the free one shows of the second and third, the held one had time to show of the first
			e := tc.next(n)
			published = append(published, e)
			free.sees(fmt.Sprintf("%s: event %d where nothing is paused", tc.name, n), tc.shown(e))
		}
		if after := held.rows(tc.box); after != before {
			t.Errorf("%s: while paused it went from\n%s\nto\n%s", tc.name, before, after)
		}
		stayed := held.stay()
		held.click(selPause)
		for n, e := range published {
			held.sees(fmt.Sprintf("%s: event %d after the pause", tc.name, n), tc.shown(e))
		}
		stayed(tc.name)
	}
}
