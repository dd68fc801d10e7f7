package relay_test

import (
	"fmt"
	"strings"
	"testing"

	"dvmrelay/relay"

	"github.com/gobwas/ws"
	"github.com/nbd-wtf/go-nostr"
)

// The tests of this file read the relay's document over HTTP and go to each limit in it, and one step over it.

func openTight(t *testing.T) (*rig, relay.Limitation) {
	r := open(t, func(o *rigOptions) {
		l := &o.policies.Limits
		l.MessageBytes, l.ContentLength, l.Tags, l.FutureSecs = 60_000, 20_000, 30, 300
		l.Subscriptions, l.Filters, l.Values, l.LiveValues, l.MaxLimit, l.DefaultLimit = 4, 3, 10, 50, 7, 5
		l.ConnectionsPerIP, l.EventsPerSecond, l.EventsBurst, l.ReqsPerSecond, l.ReqsBurst = 3, 1, 10, 1, 10
		l.RequestsPerKey, l.RequestsBurst = 1, 6
		o.policies.Rules.MinPoW = 4
	})
	return r, r.information().Limitation
}

// mined makes a signed event with n bits of work, 4 at most.
func mined(t *testing.T, by string, n int, change func(e *nostr.Event)) *nostr.Event {
	t.Helper()
	for nonce := 0; ; nonce++ {
		e := &nostr.Event{Kind: 5300, CreatedAt: nostr.Now(), Tags: nostr.Tags{{"nonce", fmt.Sprint(nonce), fmt.Sprint(n)}}}
		change(e)
		if err := e.Sign(key(by)); err != nil {
			t.Fatal(err)
		}
		if e.ID[0] == '0' {
			return e
		}
	}
}

// verdict publishes an event and returns whether it was accepted, and the prefix.
func (c *client) verdict(e *nostr.Event) string {
	c.t.Helper()
	c.send(publish(e))
	m := c.want("OK", e.ID)
	return m.text(2) + " " + strings.SplitN(m.text(3), ":", 2)[0]
}

// outcome sends a REQ and returns what follows the events.
func (c *client) outcome(sub, filters string) string {
	c.t.Helper()
	c.send(fmt.Sprintf(`["REQ",%q,%s]`, sub, filters))
	for {
		if m := c.recv(); m.text(0) != "EVENT" {
			return m.text(0)
		}
	}
}

func TestLimits_OfEvents(t *testing.T) {
	r, l := openTight(t)
	c := r.dial()
	tags := func(n int) func(*nostr.Event) {
		return func(e *nostr.Event) {
			for len(e.Tags) < n {
				e.Tags = append(e.Tags, nostr.Tag{"t", "x"})
			}
		}
	}
	content := func(n int) func(*nostr.Event) {
		return func(e *nostr.Event) { e.Content = strings.Repeat("é", n) }
	}
	ahead := func(n int64) func(*nostr.Event) {
		return func(e *nostr.Event) { e.CreatedAt += nostr.Timestamp(n) }
	}
	for _, x := range []struct {
		name   string
		change func(*nostr.Event)
		want   string
	}{
		{"content at the limit", content(l.MaxContentLength), "true "},
		{"content over the limit", content(l.MaxContentLength + 1), "false invalid"},
		{"tags at the limit", tags(l.MaxEventTags), "true "},
		{"tags over the limit", tags(l.MaxEventTags + 1), "false invalid"},
		{"as far ahead as may be", ahead(l.CreatedAtUpperLimit - 5), "true "},
		{"further ahead", ahead(l.CreatedAtUpperLimit + 60), "false invalid"},
	} {
		if got := c.verdict(mined(t, "customer", l.MinPoWDifficulty, x.change)); got != x.want {
			t.Errorf("%s: got %q, want %q", x.name, got, x.want)
		}
	}
	if got := c.verdict(event("customer", 5300, "no work")); got != "false pow" {
		t.Errorf("without work: %q", got)
	}
}

func TestLimits_OfSubscriptions(t *testing.T) {
	r, l := openTight(t)
	c := r.dial()
	wide := `{"#e":` + array(10, hexOf) + `,"#p":` + array(10, hexOf) + `}`
	for _, x := range []struct{ name, sub, filters, want string }{
		{"id at the limit", strings.Repeat("s", l.MaxSubIDLength), `{}`, "EOSE"},
		{"id over the limit", strings.Repeat("s", l.MaxSubIDLength+1), `{}`, "CLOSED"},
		{"filters at the limit", "f", strings.Repeat(`{},`, l.MaxFilters-1) + `{}`, "EOSE"},
		{"filters over the limit", "f", strings.Repeat(`{},`, l.MaxFilters) + `{}`, "CLOSED"},
		{"values at the limit", "f", `{"#e":` + array(l.MaxFilterValues, hexOf) + `}`, "EOSE"},
		{"values over the limit", "f", `{"#e":` + array(l.MaxFilterValues+1, hexOf) + `}`, "CLOSED"},
		{"live values under the limit", "n1", wide + "," + wide, "EOSE"},
		{"live values over the limit", "n2", wide, "CLOSED"},
		{"second subscription", "n2", `{}`, "EOSE"},
		{"last subscription", "n3", `{}`, "EOSE"},
		{"one subscription more", "n4", `{}`, "CLOSED"},
	} {
		if got := c.outcome(x.sub, x.filters); got != x.want {
			t.Errorf("%s: got %s, want %s", x.name, got, x.want)
		}
	}
}

func TestLimits_OfAnswersAndMessages(t *testing.T) {
	r, l := openTight(t)
	c := r.dial()
	for i := range l.MaxLimit + 2 {
		if got := c.verdict(mined(t, "customer", l.MinPoWDifficulty, func(e *nostr.Event) { e.Content = fmt.Sprint(i) })); got != "true " {
			t.Fatalf("event %d: %s", i, got)
		}
	}
	if got := c.query(`{}`); len(got) != l.DefaultLimit {
		t.Errorf("without limit: %d, want %d", len(got), l.DefaultLimit)
	}
	if got := c.query(`{"limit":1000}`); len(got) != l.MaxLimit {
		t.Errorf("with limit 1000: %d, want %d", len(got), l.MaxLimit)
	}
	// An id of too many characters in a CLOSE is noticed; what counts here is the length of the message.
	c.send(fmt.Sprintf(`["CLOSE","%s"]`, strings.Repeat(" ", int(l.MaxMessageLength)-len(`["CLOSE",""]`))))
	c.drain()
	c.send(fmt.Sprintf(`["CLOSE","%s"]`, strings.Repeat(" ", int(l.MaxMessageLength)-len(`["CLOSE",""]`)+1)))
	c.wantClose(ws.StatusMessageTooBig)
}

func TestLimits_OfAddressesAndKeys(t *testing.T) {
	r, l := openTight(t)
	from := func(i int) string { return fmt.Sprintf("X-Forwarded-For: 203.0.113.%d", i) }
	for range l.ConnectionsPerIP {
		r.dial(from(1))
	}
	if c, status := r.tryDial(from(1)); c != nil || status != 429 {
		t.Errorf("connection %d: status %d, want 429", l.ConnectionsPerIP+1, status)
	}
	// All is made beforehand: the making takes longer than a bucket takes to fill.
	passed := func(replies []string) (n int) {
		for _, reply := range replies {
			if !strings.Contains(reply, "rate-limited") {
				n++
			}
		}
		return n
	}
	var strangers, own []*nostr.Event
	for i := range l.EventsBurst + 5 {
		change := func(e *nostr.Event) { e.Content = fmt.Sprint(i) }
		strangers = append(strangers, mined(t, fmt.Sprint("customer", i), l.MinPoWDifficulty, change))
		own = append(own, mined(t, "customer", l.MinPoWDifficulty, change))
	}
	all := func(c *client, events []*nostr.Event) (replies []string) {
		for _, e := range events {
			c.send(publish(e))
		}
		for range events {
			replies = append(replies, c.want("OK").text(3))
		}
		return replies
	}
	// A token or two may come back meanwhile.
	if got := passed(all(r.dial(from(2)), strangers)); got < l.EventsBurst || got > l.EventsBurst+2 {
		t.Errorf("%d events of an address passed at once, want %d", got, l.EventsBurst)
	}
	if got := passed(all(r.dial(from(3)), own[:l.RequestsBurst+4])); got < l.RequestsBurst || got > l.RequestsBurst+2 {
		t.Errorf("%d requests of a key passed at once, want %d", got, l.RequestsBurst)
	}
	c, replies := r.dial(from(4)), []string{}
	for range l.ReqsBurst + 5 {
		c.send(`["REQ","a",{"limit":0}]`)
	}
	for range l.ReqsBurst + 5 {
		replies = append(replies, c.recv().text(2))
	}
	if got := passed(replies); got < l.ReqsBurst || got > l.ReqsBurst+2 {
		t.Errorf("%d questions of an address passed at once, want %d", got, l.ReqsBurst)
	}
}
