package mirror

import (
	"errors"
	"fmt"
	"net"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"dvmrelay/wire"

	"github.com/coder/websocket"
	"github.com/nbd-wtf/go-nostr"
)

func TestStory_WhatEndsAConnectionHasAName(t *testing.T) {
	now := time.Now().Unix()
	page := func(f nostr.Filter) bool { return f.Until != nil && len(f.Kinds) > 100 }
	for _, tc := range []struct {
		name, reason string
		pace         func(*pace)
		twist        func(sub string, f nostr.Filter, c *fakeConn) bool
	}{
		{"endless events", reasonEndless, func(p *pace) { p.answer, p.rounds = 500*time.Millisecond, 2 }, func(sub string, f nostr.Filter, c *fakeConn) bool {
			if !page(f) {
				return false
			}
			go func() { // until the connection ends
				for i := int64(0); ; i++ {
					if err := c.ws.Write(c.ctx, websocket.MessageText, frame(sub, job(5300, now-7200-i))); err != nil {
						return
					}
				}
			}()
			return true
		}},
		{"no EOSE to a subscription", reasonSilent, func(p *pace) { p.answer = 20 * time.Millisecond }, func(string, nostr.Filter, *fakeConn) bool { return true }},
		{"no EOSE to a page", reasonSilent, func(p *pace) { p.answer = 20 * time.Millisecond }, func(_ string, f nostr.Filter, _ *fakeConn) bool { return page(f) }},
		{"33 MB in one message", reasonTooBig, nil, func(_ string, _ nostr.Filter, c *fakeConn) bool {
			c.send([]byte(`["NOTICE","` + strings.Repeat("x", 33<<20) + `"]`))
			return true
		}},
		{"a drip", reasonSlow, func(p *pace) { p.message = 50 * time.Millisecond }, func(_ string, _ nostr.Filter, c *fakeConn) bool {
			w, err := c.ws.Writer(c.ctx, websocket.MessageText)
			if err != nil {
				return true
			}
			for err == nil { // a byte at a time, each in a fragment of its own
				_, err = w.Write([]byte{' '})
			}
			return true
		}},
		{"a binary message", reasonBinary, nil, func(_ string, _ nostr.Filter, c *fakeConn) bool {
			_ = c.ws.Write(c.ctx, websocket.MessageBinary, []byte("x"))
			return true
		}},
		{"accepts and resets", reasonLost, nil, func(_ string, _ nostr.Filter, c *fakeConn) bool {
			_ = c.ws.CloseNow()
			return true
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := newFake(t)
			r.twist = tc.twist
			o := Options{Upstreams: []string{r.addr()}, pace: quick()}
			o.pace.temper = o.pace.temper.orDefault()
			if tc.pace != nil {
				tc.pace(&o.pace)
			}
			o.pace.maxRetry = time.Hour
			m, _ := start(t, o, newSink(), newState())
			eventually(t, tc.reason, waiting(m, tc.reason))
			eventually(t, "another try", func() bool { return m.Upstreams()[0].Connects >= 2 })
			// and once it behaves it is heard
			r.twisted(nil)
			eventually(t, "live", backfilled(m))
		})
	}
}

// TestStory_UnheardHasAName: what keeps a connection from coming about is told apart.
func TestStory_UnheardHasAName(t *testing.T) {
	secure := httptest.NewTLSServer(nil)
	defer secure.Close()
	plain := httptest.NewServer(nil)
	defer plain.Close()
	for _, tc := range []struct{ name, url, reason string }{
		{"no such name", "wss://nowhere.invalid", reasonDNS},
		{"a certificate that nobody trusts", "wss" + strings.TrimPrefix(secure.URL, "https"), reasonTLS},
		{"no TLS at all", "wss" + strings.TrimPrefix(plain.URL, "http"), reasonTLS},
		{"nobody listens", "ws://127.0.0.1:1", reasonDial},
		{"no websocket", "ws" + strings.TrimPrefix(plain.URL, "http"), reasonDial},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m, _ := start(t, Options{Upstreams: []string{tc.url}}, newSink(), newState())
			eventually(t, tc.reason, waiting(m, tc.reason))
			if st := m.Upstreams()[0]; st.Connects != 0 || st.Strikes != 0 {
				t.Errorf("got %+v, want no connection and no strikes", st)
			}
		})
	}
	if got := dialReason(&dialError{fmt.Errorf("dial: %w", &net.OpError{Err: errors.New("no route")})}); got != reasonDial {
		t.Errorf("no route is %q, want %q", got, reasonDial)
	}
}

// TestStory_ClosedHasAName for every prefix that NIP-01 knows, and for none.
func TestStory_ClosedHasAName(t *testing.T) {
	for text, want := range map[string]string{
		"auth-required: who are you": reasonAuth, "restricted: members only": "restricted", "rate-limited: slow down": "rate-limited",
		"blocked: not you": "blocked", "error: down": reasonClosed, "invalid: what": reasonClosed, "unsupported: no": reasonClosed,
		"pow: 20 bits": reasonClosed, "duplicate: once": reasonClosed, "": reasonClosed, "shutting down": reasonClosed,
	} {
		t.Run(text, func(t *testing.T) {
			t.Parallel()
			r := newFake(t)
			r.twist = func(sub string, _ nostr.Filter, c *fakeConn) bool {
				c.send(wire.AppendClosed(nil, sub, text))
				return true
			}
			m, _ := start(t, Options{Upstreams: []string{r.addr()}}, newSink(), newState())
			eventually(t, want, func() bool {
				st := m.Upstreams()[0]
				return st.State == StateRefused && st.Reason == want
			})
			if st := m.Upstreams()[0]; st.Strikes != 0 || st.Connects != 1 {
				t.Errorf("got %+v, want no strikes and the first connection", st)
			}
			r.twisted(nil)
			eventually(t, "live", backfilled(m))
		})
	}
}

// TestStory_FlappingIsNoHealth: one that answers and then hangs up is tried ever less often, however often it answers, and
// also one that answers for long but lies all the time.
func TestStory_FlappingIsNoHealth(t *testing.T) {
	for name, lies := range map[string]bool{"answers and hangs up": false, "stands and lies": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newFake(t)
			o := Options{Upstreams: []string{r.addr()}, pace: quick()}
			o.pace.maxRetry = time.Hour
			if lies {
				o.pace.healthy = 200 * time.Millisecond
			}
			m, _ := start(t, o, newSink(), newState())
			for round := range 5 {
				eventually(t, "live", backfilled(m))
				began := time.Now()
				eventually(t, "time", func() bool {
					for c := range r.guests() {
						if lies {
							c.send([]byte("lie"))
						}
					}
					return !lies || time.Since(began) > o.pace.healthy+50*time.Millisecond
				})
				before := time.Now()
				dials := r.dialled()
				r.cut()
				eventually(t, "the next try", func() bool { return r.dialled() > dials })
				if d, least := time.Since(before), 10*time.Millisecond<<round; d < least {
					t.Errorf("try %d came after %s, want the waits to double: at least %s", round+2, d, least)
				}
			}
		})
	}
}

// TestStory_HealthIsForgiven: after long enough without a fault the first retry is soon again.
func TestStory_HealthIsForgiven(t *testing.T) {
	r := newFake(t)
	o := Options{Upstreams: []string{r.addr()}, pace: quick()}
	o.pace.maxRetry, o.pace.healthy = time.Hour, 50*time.Millisecond
	m, _ := start(t, o, newSink(), newState())
	for range 12 { // doubling would make the last wait 40 s
		eventually(t, "live", backfilled(m))
		began := time.Now()
		eventually(t, "health", func() bool { return time.Since(began) > 100*time.Millisecond })
		before := m.Upstreams()[0].Connects
		r.cut()
		eventually(t, "the next connection", func() bool { return m.Upstreams()[0].Connects > before })
	}
}

// TestStory_ClockSkew: dates far ahead, or before what was asked for, move no watermark, and nothing honest is missed.
func TestStory_ClockSkew(t *testing.T) {
	r, sink, state := newFake(t), newSink(), newState()
	m, _ := start(t, Options{Upstreams: []string{r.addr()}}, sink, state)
	eventually(t, "live", backfilled(m))
	ahead := job(5300, time.Now().Unix()+365*86400)
	r.publish(ahead)
	eventually(t, "the event", func() bool { return sink.has(ahead) })
	for range 5 {
		writes := state.count()
		fresh := job(5301, time.Now().Unix(), nostr.Tag{"n", strconv.Itoa(writes)})
		r.publish(fresh)
		eventually(t, "an event", func() bool { return sink.has(fresh) })
	}
	if m := state.mark(t, "a", r.addr()); m.Heard > time.Now().Unix() {
		t.Errorf("heard until %d, which is %d s ahead", m.Heard, m.Heard-time.Now().Unix())
	}
	// its clock is behind: what it makes now looks old, within the overlap it is taken, beyond it is not asked for
	slow, slower := job(5302, time.Now().Unix()-300), job(5302, time.Now().Unix()-86400)
	for c := range r.guests() {
		c.send(frame(c.jobs(), slow))
		c.send(frame(c.jobs(), slower))
	}
	eventually(t, "the count", func() bool { return m.Upstreams()[0].Rejected[reasonUnasked] == 1 })
	eventually(t, "the slow one", func() bool { return sink.has(slow) })
	r.mu.Lock()
	r.events = append(r.events, job(5303, time.Now().Unix()-1))
	missed := r.events[len(r.events)-1]
	r.mu.Unlock()
	r.cut()
	eventually(t, "what was made while it was away", func() bool { return sink.has(missed) })
}

// guests are those of the moment.
func (r *fakeRelay) guests() func(func(*fakeConn) bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []*fakeConn
	for c := range r.conns {
		all = append(all, c)
	}
	return slices.Values(all)
}

// jobs is the id of its subscription for jobs that are to come.
func (c *fakeConn) jobs() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	for id, filters := range c.subs {
		if len(filters[0].Kinds) > 100 && filters[0].Until == nil {
			return id
		}
	}
	return ""
}

func (s *memState) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.writes
}
