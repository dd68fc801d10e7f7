package relay_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/nbd-wtf/go-nostr"
)

// TestSealed_EveryWayOfReadingAsksWhoReads: with relay.auth_encrypted an encrypted job and its encrypted answers are read by
// their author and by those they name, whichever filter asks, stored or live, counted or sent.
func TestSealed_EveryWayOfReadingAsksWhoReads(t *testing.T) {
	r := open(t, withURL, func(o *rigOptions) { o.relay.AuthEncrypted = true })
	to := func(name string) nostr.Tag { return nostr.Tag{"p", pub(name)} }
	sealed := nostr.Tag{"encrypted"}
	job := event("customer", 5300, "AqRz?iv=abc", sealed, to("provider"))
	about := nostr.Tag{"e", job.ID}
	said := event("provider", 7000, "BqRz?iv=abc", sealed, about, to("customer"), nostr.Tag{"status", "processing"})
	result := event("provider", 6300, "CqRz?iv=abc", sealed, about, to("customer"))
	other := event("rival", 7000, "", about, to("customer"), nostr.Tag{"status", "error", "cannot read this"}) // for all
	all := []*nostr.Event{job, said, result, other}

	filters := map[string]string{
		"everything":      `{}`,
		"by kind":         `{"kinds":[5300,6300,7000]}`,
		"by id":           fmt.Sprintf(`{"ids":[%q,%q,%q,%q]}`, job.ID, said.ID, result.ID, other.ID),
		"by author":       fmt.Sprintf(`{"authors":[%q,%q,%q]}`, job.PubKey, said.PubKey, other.PubKey),
		"one of a kind":   fmt.Sprintf(`{"kinds":[6300],"authors":[%q]}`, result.PubKey),
		"by the job":      fmt.Sprintf(`{"#e":[%q]}`, job.ID),
		"by who is named": fmt.Sprintf(`{"#p":[%q,%q]}`, pub("customer"), pub("provider")),
		"with a limit":    `{"kinds":[5300,6300,7000],"limit":4}`,
		"a wide window":   fmt.Sprintf(`{"since":%d,"until":%d}`, job.CreatedAt-10, job.CreatedAt+100),
	}
	matches := func(name string) (list []*nostr.Event) {
		for _, e := range all {
			switch {
			case name == "one of a kind" && e != result, name == "by the job" && e == job:
			default:
				list = append(list, e)
			}
		}
		return list
	}
	readers := map[string]bool{"customer": true, "provider": true, "rival": false, "stranger": false, "": false}
	clients := make(map[string]*client)
	for name := range readers {
		c := r.dial()
		challenge := c.challenge()
		if name != "" {
			c.send(auth(authEvent(name, challenge, home, time.Now())))
			c.want("OK", "*", "true")
		}
		c.send(`["REQ","live",{"kinds":[5300,6300,7000],"limit":0}]`)
		c.want("EOSE", "live")
		clients[name] = c
	}
	publisher := r.dial()
	_ = publisher.challenge()
	for _, e := range all {
		publisher.publish(e)
	}
	for name, mayRead := range readers {
		c := clients[name]
		for _, e := range all { // in the order of the commits
			if !mayRead && e != other {
				continue
			}
			if m := c.recv(); m.text(0) != "EVENT" || m.text(1) != "live" || m.id() != e.ID {
				t.Errorf("%q hears %.200s live, want kind %d", name, m, e.Kind)
			}
		}
		c.send(`["CLOSE","live"]`)
		for what, filter := range filters {
			want := []string{}
			for _, e := range matches(what) {
				if mayRead || e == other {
					want = append(want, e.ID)
				}
			}
			got := c.query(filter)
			slices.Sort(got)
			slices.Sort(want)
			if !slices.Equal(got, want) {
				t.Errorf("%q asks %s: gets %d events, want %d", name, what, len(got), len(want))
			}
			c.send(`["COUNT","n",` + filter + `]`)
			c.want("COUNT", "n", fmt.Sprintf(`{"count":%d}`, len(want)))
		}
	}
}

// TestSealed_SearchFindsItForThoseItConcerns: whoever may not read an encrypted job does not learn by searching that it is
// there, nor who answered it.
func TestSealed_SearchFindsItForThoseItConcerns(t *testing.T) {
	r := open(t, withURL, func(o *rigOptions) { o.relay.AuthEncrypted = true })
	publisher := r.dial()
	_ = publisher.challenge()
	job := event("customer", 5300, "AqRz?iv=abc", nostr.Tag{"encrypted"}, nostr.Tag{"p", pub("provider")})
	said := event("provider", 7000, "BqRz?iv=abc", nostr.Tag{"encrypted"}, nostr.Tag{"e", job.ID}, nostr.Tag{"p", pub("customer")}, nostr.Tag{"status", "processing"})
	open := event("rival", 7000, "", nostr.Tag{"e", job.ID}, nostr.Tag{"status", "error"})
	publisher.publish(job, said, open)
	for name, want := range map[string]int{"customer": 3, "provider": 3, "rival": 0, "stranger": 0, "": 0} {
		c := r.dial()
		challenge := c.challenge()
		if name != "" {
			c.send(auth(authEvent(name, challenge, home, time.Now())))
			c.want("OK", "*", "true")
		}
		for _, search := range []string{"thread:" + job.ID, "provider:" + pub("provider"), "customer:" + pub("customer"), "job-kind:5300", "encrypted:true", "state:processing"} {
			filter := fmt.Sprintf(`{"search":%q}`, search)
			if got := c.query(filter); len(got) != want {
				t.Errorf("%q searches %s: finds %d events, want %d", name, search, len(got), want)
			}
			c.send(`["COUNT","n",` + filter + `]`)
			c.want("COUNT", "n", fmt.Sprintf(`{"count":%d}`, want))
		}
	}
}

// TestSealed_ReadingBeginsWithTheProof: the same subscription hears what comes after its peer has proved a key.
func TestSealed_ReadingBeginsWithTheProof(t *testing.T) {
	r := open(t, withURL, func(o *rigOptions) { o.relay.AuthEncrypted = true })
	c, publisher := r.dial(), r.dial()
	challenge := c.challenge()
	_ = publisher.challenge()
	c.send(`["REQ","live",{"kinds":[5300]}]`)
	c.want("EOSE", "live")
	sealed := func(text string) *nostr.Event {
		return event("customer", 5300, text+"?iv=abc", nostr.Tag{"encrypted"}, nostr.Tag{"p", pub("provider")})
	}
	before, after := sealed("AqRz"), sealed("BqRz")
	publisher.publish(before)
	if got := c.query(`{"kinds":[5300]}`); len(got) != 0 {
		t.Errorf("before the proof it reads %v", got)
	}
	c.send(auth(authEvent("provider", challenge, home, time.Now())))
	c.want("OK", "*", "true")
	publisher.publish(after)
	if m := c.recv(); m.text(0) != "EVENT" || m.text(1) != "live" || m.id() != after.ID {
		t.Errorf("after the proof it hears %.200s, want the job that came then", m)
	}
	if got := c.query(`{"kinds":[5300]}`); len(got) != 2 {
		t.Errorf("after the proof it reads %d jobs, want 2", len(got))
	}
}
