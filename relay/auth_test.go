package relay_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/nbd-wtf/go-nostr"
)

const home = "wss://relay.example.com/"

func withURL(o *rigOptions) { o.relay.URL = home }

// challenge reads the challenge that comes first.
func (c *client) challenge() string {
	c.t.Helper()
	return c.want("AUTH").text(1)
}

func authEvent(by, challenge, relay string, at time.Time) *nostr.Event {
	return eventAt(by, 22242, at.Unix(), "", nostr.Tag{"challenge", challenge}, nostr.Tag{"relay", relay})
}

func auth(e *nostr.Event) string { return `["AUTH"` + publish(e)[len(`["EVENT"`):] }

func TestAuth_IsOffWithoutURL(t *testing.T) {
	r := open(t)
	c := r.dial()
	e := authEvent("customer", "x", home, time.Now())
	c.send(auth(e))
	c.want("OK", e.ID, "false", "error: *")
}

func TestAuth_WhatIsRefused(t *testing.T) {
	r := open(t, withURL)
	other := r.dial().challenge()
	now := time.Now()
	for _, x := range []struct {
		name  string
		event func(challenge string) *nostr.Event
	}{
		{"another relay's url", func(ch string) *nostr.Event { return authEvent("customer", ch, "wss://other.example.com", now) }},
		{"same host, other scheme", func(ch string) *nostr.Event { return authEvent("customer", ch, "ws://relay.example.com", now) }},
		{"another connection's challenge", func(string) *nostr.Event { return authEvent("customer", other, home, now) }},
		{"empty challenge", func(string) *nostr.Event { return authEvent("customer", "", home, now) }},
		{"too old", func(ch string) *nostr.Event { return authEvent("customer", ch, home, now.Add(-11*time.Minute)) }},
		{"too new", func(ch string) *nostr.Event { return authEvent("customer", ch, home, now.Add(11*time.Minute)) }},
		{"wrong kind", func(ch string) *nostr.Event {
			return event("customer", 22243, "", nostr.Tag{"challenge", ch}, nostr.Tag{"relay", home})
		}},
		{"wrong signature", func(ch string) *nostr.Event {
			e := authEvent("customer", ch, home, now)
			e.Sig = authEvent("customer", "x", home, now).Sig
			return e
		}},
		{"wrong id", func(ch string) *nostr.Event {
			e := authEvent("customer", ch, home, now)
			e.ID = hexOf(1)
			return e
		}},
		{"bare tags", func(string) *nostr.Event {
			return event("customer", 22242, "", nostr.Tag{"challenge"}, nostr.Tag{"relay"}, nostr.Tag{})
		}},
	} {
		t.Run(x.name, func(t *testing.T) {
			c := r.dial()
			e := x.event(c.challenge())
			c.send(auth(e))
			c.want("OK", e.ID, "false", "invalid: *")
			protected := event("customer", 5300, x.name, nostr.Tag{"-"})
			c.send(publish(protected))
			c.want("OK", protected.ID, "false", "auth-required: *")
		})
	}
}

func TestAuth_SkewUnderTenMinutesPasses(t *testing.T) {
	r := open(t, withURL)
	for _, skew := range []time.Duration{-9 * time.Minute, 9 * time.Minute} {
		c := r.dial()
		c.send(auth(authEvent("customer", c.challenge(), "wss://RELAY.example.com:443", time.Now().Add(skew))))
		c.want("OK", "*", "true")
	}
}

func TestAuth_TwoKeysOnOneConnection(t *testing.T) {
	r := open(t, withURL)
	c := r.dial()
	challenge := c.challenge()
	for _, name := range []string{"one", "two"} {
		c.send(auth(authEvent(name, challenge, home, time.Now())))
		c.want("OK", "*", "true")
	}
	for _, name := range []string{"one", "two"} {
		c.publish(event(name, 5300, "", nostr.Tag{"-"}))
	}
	third := event("three", 5300, "", nostr.Tag{"-"})
	c.send(publish(third))
	c.want("OK", third.ID, "false", "restricted: *")
	if got := c.query(`{"kinds":[22242]}`); len(got) != 0 {
		t.Errorf("authentications were stored: %v", got)
	}
}

func TestAuth_ReplayIsRefused(t *testing.T) {
	r := open(t, withURL)
	a, b := r.dial(), r.dial()
	_ = b.challenge()
	e := authEvent("customer", a.challenge(), home, time.Now())
	a.send(auth(e), auth(e))
	a.want("OK", e.ID, "true")
	a.want("OK", e.ID, "false", "invalid: *")
	b.send(auth(e))
	b.want("OK", e.ID, "false", "invalid: *")
}

func TestAuth_EncryptedJobsAreForThoseTheyConcern(t *testing.T) {
	r := open(t, withURL, func(o *rigOptions) { o.relay.AuthEncrypted = true })
	names := []string{"customer", "provider", "stranger", ""}
	clients := make(map[string]*client)
	for _, name := range names {
		c := r.dial()
		challenge := c.challenge()
		if name != "" {
			c.send(auth(authEvent(name, challenge, home, time.Now())))
			c.want("OK", "*", "true")
		}
		c.send(`["REQ","live",{"kinds":[5300]}]`)
		c.want("EOSE", "live")
		clients[name] = c
	}
	sealed := event("customer", 5300, "AqRz?iv=abc", nostr.Tag{"encrypted"}, nostr.Tag{"p", pub("provider")})
	open := event("customer", 5300, "for all")
	publisher := r.dial()
	_ = publisher.challenge()
	publisher.publish(sealed, open)
	for _, name := range names {
		c, sees := clients[name], name == "customer" || name == "provider"
		want := 1
		if sees {
			want = 2
		}
		for n := 0; n < want; {
			if m := c.recv(); m.text(0) == "EVENT" {
				n++
				if m.id() == sealed.ID && !sees {
					t.Errorf("%q was told of the encrypted job", name)
				}
			}
		}
		if got := c.query(`{"kinds":[5300]}`); len(got) != want {
			t.Errorf("%q reads %d events, want %d", name, len(got), want)
		}
		c.send(`["COUNT","n",{"kinds":[5300]}]`, fmt.Sprintf(`["COUNT","m",{"ids":["%s"]}]`, sealed.ID))
		c.want("COUNT", "n", fmt.Sprintf(`{"count":%d}`, want))
		c.want("COUNT", "m", fmt.Sprintf(`{"count":%d}`, want-1))
	}
}

// drain reads whatever is on its way.
func (c *client) drain() {
	c.t.Helper()
	c.send(`["NEG-MSG","drain","61"]`)
	for c.recv().text(0) != "NEG-ERR" {
	}
}

func TestAuth_GatedKindsWantIt(t *testing.T) {
	r := open(t, withURL, func(o *rigOptions) { o.policies.Kinds.Presets = []string{"contextvm"} })
	reader, stranger := r.dial(), r.dial()
	wrap := event("somebody", 1059, "sealed", nostr.Tag{"p", pub("reader")})
	challenge := reader.challenge()
	_ = stranger.challenge()
	stranger.publish(wrap)
	stranger.send(`["REQ","a",{"kinds":[1059]}]`)
	stranger.want("CLOSED", "a", "auth-required: *")
	if got := stranger.query(`{}`); len(got) != 0 {
		t.Errorf("a stranger reads %v", got)
	}
	stranger.send(`["COUNT","n",{}]`)
	stranger.want("COUNT", "n", `{"count":0}`)
	reader.send(auth(authEvent("reader", challenge, home, time.Now())))
	reader.want("OK", "*", "true")
	if got := reader.query(`{"kinds":[1059]}`); len(got) != 1 {
		t.Errorf("the reader reads %v", got)
	}
}
