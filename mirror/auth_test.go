package mirror

import (
	"strings"
	"sync"
	"testing"
	"time"

	"dvmrelay/wire"

	"github.com/nbd-wtf/go-nostr"
)

// doorman is an upstream that answers nobody whom it does not know.
type doorman struct {
	*fakeRelay
	judge func(e *nostr.Event) (ok, silent bool)
	early bool // it asks before anything is refused

	mu    sync.Mutex // guards below
	known map[*fakeConn]bool
	cards []*nostr.Event
}

func newDoorman(t *testing.T, early bool, judge func(e *nostr.Event) (ok, silent bool)) *doorman {
	d := &doorman{fakeRelay: newFake(t), judge: judge, early: early, known: map[*fakeConn]bool{}}
	if early {
		d.met = func(c *fakeConn) { c.send(wire.AppendAuth(nil, "challenge")) }
	}
	d.twist = func(sub string, _ nostr.Filter, c *fakeConn) bool {
		d.mu.Lock()
		defer d.mu.Unlock()
		if d.known[c] {
			return false
		}
		c.send(wire.AppendClosed(nil, sub, "auth-required: who are you"))
		if !early {
			c.send(wire.AppendAuth(nil, "challenge"))
		}
		return true
	}
	d.authed = func(e *nostr.Event, c *fakeConn) {
		ok, silent := d.judge(e)
		d.mu.Lock()
		defer d.mu.Unlock()
		d.cards = append(d.cards, e)
		if silent {
			return
		}
		d.known[c] = ok
		c.send(wire.AppendOK(nil, e.ID, ok, map[bool]string{false: "restricted: members only"}[ok]))
	}
	return d
}

func (d *doorman) shown() []*nostr.Event {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.cards
}

// identity signs with a key of its own.
func identity(t *testing.T) (sign func(*nostr.Event) error, public string) {
	t.Helper()
	secret := nostr.GeneratePrivateKey()
	public, err := nostr.GetPublicKey(secret)
	if err != nil {
		t.Fatal(err)
	}
	return func(e *nostr.Event) error { return e.Sign(secret) }, public
}

// TestAuth_Granted: whoever asks first, or refuses first, is told once who asks, and gives what it holds at once.
func TestAuth_Granted(t *testing.T) {
	for name, early := range map[string]bool{"asked at once": true, "asked after the refusal": false} {
		t.Run(name, func(t *testing.T) {
			sign, public := identity(t)
			d := newDoorman(t, early, func(*nostr.Event) (bool, bool) { return true, false })
			events := past(d.fakeRelay, 120)
			sink := newSink()
			o := Options{Upstreams: []string{d.addr()}, Sign: sign, pace: quick()}
			o.pace.reissue = time.Hour // so that nothing is asked again but for the grant
			m, _ := start(t, o, sink, newState())
			eventually(t, "backfill", backfilled(m))
			if n := missing(sink, events); n > 0 {
				t.Errorf("%d events are missing", n)
			}
			cards := d.shown()
			if len(cards) != 1 {
				t.Fatalf("%d answers to one challenge, want one", len(cards))
			}
			e := cards[0]
			good, err := e.CheckSignature()
			if err != nil || !good || !e.CheckID() || e.Kind != 22242 || e.PubKey != public || e.Content != "" {
				t.Errorf("answer %v, signature %t, %v; want a signed 22242 of %s", e, good, err, public)
			}
			if age := time.Now().Unix() - int64(e.CreatedAt); age < 0 || age > 60 {
				t.Errorf("answer was made %d s ago, want now", age)
			}
			if e.Tags.FindWithValue("relay", d.addr()) == nil || e.Tags.FindWithValue("challenge", "challenge") == nil {
				t.Errorf("tags = %v, want the address as dialled and the challenge", e.Tags)
			}
			if st := m.Upstreams()[0]; st.Connects != 1 || st.Reason != "" || st.Strikes != 0 {
				t.Errorf("got %+v, want one connection and no complaint", st)
			}
		})
	}
}

// TestAuth_NotGranted: refused with its reason, and asked again later without another answer to the same challenge.
func TestAuth_NotGranted(t *testing.T) {
	for _, tc := range []struct {
		name       string
		early      bool
		ok, silent bool
		after      bool // it accepts the answer and refuses all the same
	}{
		{name: "denied", early: true},
		{name: "denied after the refusal"},
		{name: "silent", silent: true},
		{name: "accepted and refused again", ok: true, after: true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			sign, _ := identity(t)
			d := newDoorman(t, tc.early, func(*nostr.Event) (bool, bool) { return tc.ok, tc.silent })
			if tc.after {
				d.twist = func(sub string, _ nostr.Filter, c *fakeConn) bool {
					c.send(wire.AppendClosed(nil, sub, "auth-required: still"))
					c.send(wire.AppendAuth(nil, "challenge"))
					return true
				}
			}
			o := Options{Upstreams: []string{d.addr()}, Sign: sign, pace: quick()}
			o.pace.temper = o.pace.temper.orDefault()
			o.pace.auth = 20 * time.Millisecond
			m, _ := start(t, o, newSink(), newState())
			eventually(t, "refusal", func() bool {
				st := m.Upstreams()[0]
				return st.State == StateRefused && st.Reason == reasonAuth
			})
			asked := len(d.requests())
			eventually(t, "it to be asked again", func() bool { return len(d.requests()) > asked+6 })
			if n := len(d.shown()); n != 1 {
				t.Errorf("%d answers to one challenge, want one", n)
			}
			if st := m.Upstreams()[0]; st.Connects != 1 || st.Strikes != 0 {
				t.Errorf("got %+v, want one connection and no strikes", st)
			}
		})
	}
}

// TestAuth_Bounded: an endless list of challenges gets a few answers, a huge one none, and one that never comes none.
func TestAuth_Bounded(t *testing.T) {
	sign, _ := identity(t)
	var mu sync.Mutex
	answers := 0
	counted := func() int {
		mu.Lock()
		defer mu.Unlock()
		return answers
	}
	for name, tc := range map[string]struct {
		met  func(c *fakeConn)
		most int
	}{
		"endless": {func(c *fakeConn) {
			for n := range 500 {
				c.send(wire.AppendAuth(nil, strings.Repeat("c", n+1)))
			}
		}, maxAuths},
		"huge":  {func(c *fakeConn) { c.send(wire.AppendAuth(nil, strings.Repeat("c", maxChallenge+1))) }, 0},
		"empty": {func(c *fakeConn) { c.send(wire.AppendAuth(nil, "")) }, 0},
		"never": {nil, 0},
	} {
		t.Run(name, func(t *testing.T) {
			answers = 0
			r := newFake(t)
			r.met = tc.met
			r.authed = func(*nostr.Event, *fakeConn) {
				mu.Lock()
				defer mu.Unlock()
				answers++
			}
			events := past(r, 30)
			sink := newSink()
			m, stop := start(t, Options{Upstreams: []string{r.addr()}, Sign: sign}, sink, newState())
			eventually(t, "backfill", backfilled(m))
			if n := missing(sink, events); n > 0 {
				t.Errorf("%d events are missing", n)
			}
			stop()
			if n := counted(); n > tc.most {
				t.Errorf("%d answers, want at most %d", n, tc.most)
			}
		})
	}
}

// TestAuth_NobodyToSignTellsNothing: without a key the relay is nobody.
func TestAuth_NobodyToSignTellsNothing(t *testing.T) {
	d := newDoorman(t, true, func(*nostr.Event) (bool, bool) { return true, false })
	m, _ := start(t, Options{Upstreams: []string{d.addr()}}, newSink(), newState())
	eventually(t, "refusal", func() bool { return m.Upstreams()[0].Reason == reasonAuth })
	asked := len(d.requests())
	eventually(t, "it to be asked again", func() bool { return len(d.requests()) > asked+3 })
	if n := len(d.shown()); n != 0 {
		t.Errorf("%d answers, want none", n)
	}
}
