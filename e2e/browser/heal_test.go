package browser

import (
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
