package relay_test

import (
	"testing"

	"github.com/nbd-wtf/go-nostr"
)

// Whoever has left a trace here may ask to be forgotten: customer, provider, payer, reporter and recommender. NIP-62.
func TestVanish_WhoeverLeftATraceIsForgotten(t *testing.T) {
	r := open(t)
	c := r.dial()
	job := event("customer", 5300, "job")
	c.publish(job)
	result := event("provider", 6300, "[]", nostr.Tag{"e", job.ID}, nostr.Tag{"p", job.PubKey})
	c.publish(result)
	handler := event("provider", 31990, "{}", nostr.Tag{"d", "x"}, nostr.Tag{"k", "5300"})
	c.publish(handler)
	traces := map[string]*nostr.Event{
		"payer":       event("payer", 9321, "", nostr.Tag{"e", result.ID}, nostr.Tag{"p", result.PubKey}, nostr.Tag{"proof", `{"amount":1,"secret":"s"}`}),
		"reporter":    event("reporter", 1984, "", nostr.Tag{"e", result.ID, "spam"}, nostr.Tag{"p", result.PubKey}),
		"recommender": event("recommender", 31989, "", nostr.Tag{"d", "5300"}, nostr.Tag{"a", "31990:" + handler.PubKey + ":x"}),
	}
	for _, evt := range traces {
		c.publish(evt)
	}
	traces["customer"], traces["provider"] = job, result
	for who, trace := range traces {
		c.publish(event(who, 62, "forget me", nostr.Tag{"relay", "ALL_RELAYS"}))
		if got := c.query(`{"ids":["` + trace.ID + `"]}`); len(got) != 0 {
			t.Errorf("%s: %v is still served", who, got)
		}
		c.send(publish(trace))
		c.want("OK", trace.ID, "false", "blocked: *")
	}
	stranger := event("stranger", 62, "", nostr.Tag{"relay", "ALL_RELAYS"})
	c.send(publish(stranger))
	c.want("OK", stranger.ID, "false", "restricted: *")
}
