package index

import (
	"fmt"
	"slices"
	"strings"

	"dvmrelay/nip90"
	"dvmrelay/store"

	"github.com/nbd-wtf/go-nostr"
)

// asks is where a request wants its answers, and from whom.
type asks struct {
	relays    []string // by relayKey, each once, at most maxRelaysShown
	providers []nip90.PubKey
}

// asksOf reads where a request that a filter found wants its answers; nil when it names no relay, or may not be read.
// What was read is kept for a while: a filter has to find the event again before it is used.
func (l *lens) asksOf(raw *store.Raw) (*asks, error) {
	if l.x.sealed { // what is encrypted is not looked into
		p, err := l.bodyOf(raw.ID)
		if err != nil || p == nil {
			return nil, err
		}
		return asksIn(p.Message), nil
	}
	if a, ok := l.x.seen.asks.get(raw.ID).(*asks); ok {
		return a, nil
	}
	var evt nostr.Event
	if err := evt.UnmarshalJSON(raw.JSON); err != nil {
		return nil, fmt.Errorf("read event %s: %w", raw.ID, err)
	}
	m, err := nip90.Parse(&evt)
	if err != nil {
		return nil, fmt.Errorf("read event %s: %w", raw.ID, err)
	}
	a := asksIn(m)
	size := 0
	if a != nil {
		size = 32 * len(a.providers)
		for _, u := range a.relays {
			size += 16 + len(u)
		}
	}
	l.x.seen.asks.put(raw.ID, a, size)
	return a, nil
}

func asksIn(m nip90.Message) *asks {
	r, ok := m.(*nip90.Request)
	if !ok || len(r.Relays) == 0 {
		return nil
	}
	a := &asks{providers: slices.Clone(r.Providers)}
	for _, u := range r.Relays[:min(len(r.Relays), maxRelaysShown)] {
		if key := relayKey(u); len(key) <= maxRelayBytes && !slices.Contains(a.relays, key) {
			a.relays = append(a.relays, strings.Clone(key))
		}
	}
	return a
}

// count adds the relays of one request, if it is for this provider and names any; and says how many requests that were.
func (a *asks) count(relays map[string]int, pk nip90.PubKey) int {
	if a == nil || len(a.providers) > 0 && !slices.Contains(a.providers, pk) {
		return 0
	}
	for _, u := range a.relays {
		relays[u]++
	}
	return 1
}
