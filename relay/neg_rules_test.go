package relay_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nbd-wtf/go-nostr"
)

func TestNegentropy_RulesOfReq(t *testing.T) {
	r := open(t, func(o *rigOptions) {
		o.policies.Limits.ReqsPerSecond, o.policies.Limits.ReqsBurst, o.policies.Limits.Values = 1, 3, 10
	})
	c := r.dial()
	for _, x := range []struct{ filter, want string }{
		{`{"search":"state:open"}`, "invalid: *"},
		{`{"search":"some words"}`, "invalid: *"},
		{`{"#e":` + array(11, hexOf) + `}`, "invalid: *"},
		{`{"limit":-1}`, "invalid: *"},
		{`{"ids":["x"]}`, "invalid: *"},
	} {
		c.send(fmt.Sprintf(`["NEG-OPEN","a",%s,"61"]`, x.filter))
		c.want("NEG-ERR", "a", x.want)
	}
	far := r.dial("X-Forwarded-For: 203.0.113.9")
	for i := range 10 {
		far.send(fmt.Sprintf(`["NEG-OPEN","n%d",{"kinds":[5300]},"61"]`, i))
		if m := far.recv(); i > 4 && (m.text(0) != "NEG-ERR" || !strings.HasPrefix(m.text(2), "rate-limited: ")) {
			t.Errorf("NEG-OPEN %d: got %s, want rate-limited", i, m)
		}
	}
	off := open(t, func(o *rigOptions) { o.relay.Negentropy = false }).dial()
	off.send(`["NEG-OPEN","a",{},"61"]`)
	off.want("NEG-ERR", "a", "unsupported: *")
}

// TestNegentropy_IDsAreApart: a reconciliation and a subscription of one name know nothing of each other.
func TestNegentropy_IDsAreApart(t *testing.T) {
	r := open(t)
	c := r.dial()
	c.send(`["REQ","a",{"kinds":[5300]}]`)
	c.want("EOSE", "a")
	for range 3 { // an open one is replaced
		c.send(`["NEG-OPEN","a",{"kinds":[5300]},"61"]`)
		c.want("NEG-MSG", "a", "61")
	}
	if g := r.relay.Gauges(); g.Negotiations != 1 || g.Subscriptions != 1 {
		t.Errorf("%d reconciliations and %d subscriptions are open, want 1 of each", g.Negotiations, g.Subscriptions)
	}
	c.send(`["NEG-CLOSE","a"]`, `["NEG-MSG","a","61"]`)
	c.want("NEG-ERR", "a", "closed: *")
	job := event("customer", 5300, "")
	r.dial().publish(job)
	if m := c.want("EVENT", "a"); m.id() != job.ID {
		t.Errorf("got %s, want the job", m)
	}
	c.send(`["NEG-OPEN","a",{},"61"]`)
	c.want("NEG-MSG", "a")
	c.send(`["CLOSE","a"]`, `["NEG-MSG","a","61"]`)
	c.want("NEG-MSG", "a")
}

// TestNegentropy_ShowsWhatReqShows: ids of sealed jobs and of gated kinds go to those who may read them.
func TestNegentropy_ShowsWhatReqShows(t *testing.T) {
	r := open(t, withURL, func(o *rigOptions) {
		o.relay.AuthEncrypted = true
		o.policies.Kinds.Presets = []string{"contextvm"}
	})
	to := func(name string) nostr.Tag { return nostr.Tag{"p", pub(name)} }
	job := event("customer", 5300, "AqRz?iv=abc", nostr.Tag{"encrypted"}, to("provider"))
	about := nostr.Tag{"e", job.ID}
	publisher := r.dial()
	_ = publisher.challenge()
	publisher.publish(
		job,
		event("provider", 7000, "BqRz?iv=abc", nostr.Tag{"encrypted"}, about, to("customer"), nostr.Tag{"status", "processing"}),
		event("provider", 6300, "CqRz?iv=abc", nostr.Tag{"encrypted"}, about, to("customer")),
		event("rival", 7000, "", about, to("customer"), nostr.Tag{"status", "error", "cannot read this"}),
		event("customer", 5301, "plain"),
		event("somebody", 1059, "sealed", to("customer")),
	)
	for name, want := range map[string]int{"customer": 6, "provider": 5, "rival": 2, "": 2} {
		c := r.dial()
		challenge := c.challenge()
		if name != "" {
			c.send(auth(authEvent(name, challenge, home, time.Now())))
			c.want("OK", "*", "true")
		}
		for _, filter := range []string{`{}`, `{"kinds":[5300,5301,6300,7000,1059]}`, `{"limit":100}`, fmt.Sprintf(`{"ids":[%q]}`, job.ID), fmt.Sprintf(`{"#e":[%q]}`, job.ID)} {
			have, need := c.compare(filter, nil)
			shown := sorted(c.query(filter))
			if !slices.Equal(need, shown) && len(need)+len(shown) > 0 || len(have) > 0 {
				t.Errorf("%q, %s: negentropy tells %d ids, REQ %d", name, filter, len(need), len(shown))
			}
			if filter == `{}` && len(shown) != want {
				t.Errorf("%q sees %d events, want %d", name, len(shown), want)
			}
		}
		if name == "" {
			c.send(`["NEG-OPEN","gated",{"kinds":[1059]},"61"]`)
			c.want("NEG-ERR", "gated", "auth-required: *")
		}
	}
}

// TestNegentropy_Hostile: frames that end a relay which lets its library read them, and every other kind of nonsense.
func TestNegentropy_Hostile(t *testing.T) {
	r := open(t, anything)
	r.fill(500)
	long := strings.Repeat("00", 200_000)
	for _, msg := range []string{
		`,"x"`, `,"NEG-OPEN"`, `["NEG-OPEN"`, `["NEG-OPEN"]`, `["NEG-OPEN","x"]`, `["NEG-OPEN","x",{}]`, `["NEG-OPEN",{},"x","61"]`, `["NEG-OPEN","x","61",{}]`,
		`["NEG-OPEN","x",{},"61","61"]`, `["NEG-OPEN","x",{},61]`, `["NEG-OPEN","x",{},"6"]`, `["NEG-OPEN","x",{},"zz"]`, `["NEG-OPEN","x",{},null]`,
		`["NEG-OPEN","x",[],"61"]`, `["NEG-OPEN","x",{"kinds":"x"},"61"]`, `["NEG-OPEN","",{},"61"]`, `["NEG-OPEN","` + strings.Repeat("x", 65) + `",{},"61"]`,
		`["NEG-MSG"]`, `["NEG-MSG","x"]`, `["NEG-MSG","x",{}]`, `["NEG-MSG","x","6"]`, `["NEG-MSG",,"x"]`, `["NEG-MSG","x","61"]`, `["NEG-MSG","x",""]`,
		`["NEG-ERR","x","y"]`, `["NEG-CLOSE"]`, `["NEG-CLOSE",1]`, `["NEG-CLOSE","x","y"]`,
		`["NEG-OPEN","x",{},""]`, `["NEG-OPEN","x",{},"00"]`, `["NEG-OPEN","x",{},"70"]`, `["NEG-OPEN","x",{},"6180"]`, `["NEG-OPEN","x",{},"61000003"]`,
		`["NEG-OPEN","x",{},"61000001"]`, `["NEG-OPEN","x",{},"610021"]`, `["NEG-OPEN","x",{},"610000028080808080808080808000"]`,
		`["NEG-OPEN","x",{},"61000002ffffffffffffffffff7f"]`, `["NEG-OPEN","x",{},"6100000290808080808000` + strings.Repeat("00", 64) + `"]`,
		`["NEG-OPEN","x",{},"6109010900` + `09` + `"]`, `["NEG-OPEN","x",{},"6102010800010100"]`, `["NEG-OPEN","x",{},"61` + long + `61"]`,
	} {
		c := r.dial()
		c.send(msg)
		if m := c.recv(); m.text(0) != "NEG-ERR" && m.text(0) != "NOTICE" {
			t.Errorf("%.80s: got %.200s, want NEG-ERR or NOTICE", msg, m)
		}
		c.send(`["NEG-OPEN","x",{"kinds":[5300]},"62"]`) // another version is told ours
		c.want("NEG-MSG", "x", "61")
		c.send(msg)
		c.recv()
		c.close()
	}
	// Many empty ranges cost one answer of bounded size.
	c := r.dial()
	c.send(`["NEG-OPEN","x",{},"61` + strings.Repeat("010001"+strings.Repeat("00", 16), 10_000) + `"]`)
	if m := c.want("NEG-MSG", "x"); len(m.text(2)) > 64<<10 {
		t.Errorf("an answer of %d characters", len(m.text(2)))
	}
	if g := r.relay.Gauges(); g.NegRefused["invalid"] == 0 || g.NegRefused["error"] != 0 || g.NegRefused["other"] != 0 {
		t.Errorf("refused: %v", g.NegRefused)
	}
}
