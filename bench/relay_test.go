package bench

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
	"github.com/nbd-wtf/go-nostr"
)

// naive is a correct relay in memory. Its hooks make it lie; each may be nil.
type naive struct {
	refuse func(e *nostr.Event) string               // a reason instead of saving
	answer func(es []*nostr.Event) []*nostr.Event    // what leaves for a stored query, newest first
	copies func(e *nostr.Event, f *nostr.Filter) int // live deliveries of a matching event
	oks    func(e *nostr.Event) int                  // how many OKs are sent

	mu      sync.Mutex // guards below
	events  []*nostr.Event
	deleted map[string]bool // by author and id
	subs    map[string]*naiveSub
}

type naiveSub struct {
	id     string
	filter nostr.Filter
	send   func(parts ...any)
}

func (n *naive) start(t *testing.T) string {
	t.Helper()
	n.subs, n.deleted = map[string]*naiveSub{}, map[string]bool{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, _, _, err := ws.UpgradeHTTP(r, w)
		if err == nil {
			n.serve(c)
		}
	}))
	t.Cleanup(s.Close)
	return "ws" + strings.TrimPrefix(s.URL, "http")
}

func (n *naive) serve(c net.Conn) {
	defer c.Close()
	var mu sync.Mutex
	send := func(parts ...any) {
		b, err := json.Marshal(parts)
		if err != nil {
			panic(err)
		}
		mu.Lock()
		defer mu.Unlock()
		_ = wsutil.WriteServerText(c, b) // a reader that left is no fault here
	}
	for {
		b, err := wsutil.ReadClientText(c)
		if err != nil {
			return
		}
		var parts []json.RawMessage
		var label, sub string
		if json.Unmarshal(b, &parts) != nil || len(parts) < 2 || json.Unmarshal(parts[0], &label) != nil {
			return
		}
		_ = json.Unmarshal(parts[1], &sub) // stays empty for EVENT
		key := fmt.Sprintf("%p %s", c, sub)
		switch label {
		case "EVENT":
			var e nostr.Event
			if json.Unmarshal(parts[1], &e) == nil {
				n.publish(&e, send)
			}
		case "REQ":
			var f nostr.Filter
			if len(parts) > 2 && json.Unmarshal(parts[2], &f) == nil {
				n.request(key, &naiveSub{sub, f, send})
			}
		case "CLOSE":
			n.mu.Lock()
			delete(n.subs, key)
			n.mu.Unlock()
		}
	}
}

func (n *naive) publish(e *nostr.Event, send func(...any)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.deleted[e.PubKey+e.ID] {
		send("OK", e.ID, false, "blocked: its author deleted it")
		return
	}
	if n.refuse != nil {
		if why := n.refuse(e); why != "" {
			send("OK", e.ID, false, why)
			return
		}
	}
	n.save(e)
	oks := 1
	if n.oks != nil {
		oks = n.oks(e)
	}
	for range oks {
		send("OK", e.ID, true, "")
	}
	for _, s := range n.subs {
		if !s.filter.Matches(e) {
			continue
		}
		times := 1
		if n.copies != nil {
			times = n.copies(e, &s.filter)
		}
		for range times {
			s.send("EVENT", s.id, e)
		}
	}
}

func (n *naive) save(e *nostr.Event) {
	if e.Kind == nostr.KindDeletion {
		for t := range e.Tags.FindAll("e") {
			n.deleted[e.PubKey+t[1]] = true
		}
	}
	a := address(e)
	n.events = slices.DeleteFunc(n.events, func(o *nostr.Event) bool {
		return n.deleted[o.PubKey+o.ID] || a != "" && address(o) == a && supersedes(e, o)
	})
	if a == "" || !slices.ContainsFunc(n.events, func(o *nostr.Event) bool { return address(o) == a }) {
		n.events = append(n.events, e)
	}
}

func (n *naive) request(key string, s *naiveSub) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.subs[key] = s
	var out []*nostr.Event
	for _, e := range n.events {
		if s.filter.Matches(e) {
			out = append(out, e)
		}
	}
	slices.SortFunc(out, func(a, b *nostr.Event) int { return int(b.CreatedAt - a.CreatedAt) })
	if s.filter.Limit > 0 && len(out) > s.filter.Limit {
		out = out[:s.filter.Limit]
	}
	if n.answer != nil {
		out = n.answer(out)
	}
	for _, e := range out {
		s.send("EVENT", s.id, e)
	}
	s.send("EOSE", s.id)
}
