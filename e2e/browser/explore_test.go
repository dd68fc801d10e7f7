package browser

import (
	"net/http"
	"testing"

	"github.com/nbd-wtf/go-nostr"
)

const (
	selRun    = "[data-run]"
	selFound  = "[data-events]" // what the relay answered
	selSaid   = "[data-said]"
	selSign98 = "#admin-sign"
	selInside = "#admin-shown"
)

func foundEvent(e nostr.Event) string { return has(selFound + " a[href='/events/" + e.ID + "']") }

// TestExplore_RunShowsWhatIsStoredAndGoesOnLive runs a filter over the websocket of the relay.
func TestExplore_RunShowsWhatIsStoredAndGoesOnLive(t *testing.T) {
	t.Parallel()
	h := newHub(t, nil)
	m := openMarket(t, h)
	alice, writer := newPerson("alice"), newPerson("Summarizer")
	m.handler(writer, "Writes.", 50_000, 5050)
	stored, other := m.now().request(alice, 5050, "say it shorter"), m.request(alice, 5100, "a lighthouse")
	b := newTab(t, h, device{width: 1440})
	b.visit("/explore?kinds=5050", http.StatusOK)
	stayed := b.stay()
	b.click(selRun)
	b.sees("what is stored", foundEvent(stored))
	b.sees("the end of it", has(selSaid)+`.textContent.includes("EOSE")`)
	live := m.now().request(alice, 5050, "and this one")
	b.sees("what is published now", foundEvent(live))
	if eval[bool](b, "!!"+foundEvent(other)) {
		t.Error("a job of another kind is shown")
	}
	stayed("the explorer")
}

// TestNIP98_AdministratorSeesTheInside: an administrator signs one request on /relay, a stranger is refused in words.
func TestNIP98_AdministratorSeesTheInside(t *testing.T) {
	t.Parallel()
	root, stranger := newPerson("root"), newPerson("stranger")
	h := newHub(t, []string{"DVMRELAY_RELAY_URL=ws://ADDRESS", "DVMRELAY_RELAY_ADMINS=" + root.key})
	b := newTab(t, h, device{width: 1440})
	b.signsAs(root)
	b.visit("/relay", http.StatusOK)
	b.click(selSign98)
	b.sees("what waits", has(selInside)+`.innerText.includes("Connections for which most waits")`)
	b.harmless("the inside")

	b = newTab(t, h, device{width: 1440})
	b.signsAs(stranger)
	b.visit("/relay", http.StatusOK)
	b.click(selSign98)
	b.sees("a refusal", `document.querySelector("#admin-told").textContent.startsWith("Refused: ")`)
	if eval[string](b, has(selInside)+".innerText") != "" {
		t.Error("a stranger sees the inside")
	}
	b.take() // the browser tells of the 401, as it should
}
