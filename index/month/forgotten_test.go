package month

import (
	"testing"

	"dvmrelay/index"
	"dvmrelay/store"
	"dvmrelay/store/storetest"

	"github.com/nbd-wtf/go-nostr"
)

// TestForgotten_LateAnswersAreUnlinkedInAnyOrder: whose request is forgotten leaves its answers unlinked, also when their
// clock shows a time that is sealed.
func TestForgotten_LateAnswersAreUnlinkedInAnyOrder(t *testing.T) {
	alice, bob := name(1, "customer", 1), name(1, "provider", 1)
	request := event(alice, 5300, start, "")
	answer := event(bob, 6300, start-800*day, "done", tag("e", request.ID))
	leave := event(alice, 62, start+10, "", tag("relay", "ALL_RELAYS"))
	for _, c := range []struct {
		name  string
		order []nostr.Event
	}{
		{"forgotten at the end", []nostr.Event{request, answer, leave}},
		{"forgotten before the answer", []nostr.Event{request, leave, answer}},
		{"forgotten first", []nostr.Event{leave, answer, request}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := open(t, t.TempDir(), start+100)
			for _, e := range c.order {
				r.Put(t, storetest.Parsed(t, e))
				r.settle(t)
			}
			err := r.View(func(v store.Reader) error {
				s, err := r.x.Stats(v, index.StatsQuery{Until: start + 100, Step: -1})
				if s.Unlinked != 1 || s.Requests != 0 {
					t.Errorf("got %d unlinked and %d requests, want 1 and 0", s.Unlinked, s.Requests)
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		})
	}
}
