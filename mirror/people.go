package mirror

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"dvmrelay/nip90"

	"github.com/nbd-wtf/go-nostr"
)

// whose says whose keys a part is about.
type whose uint8

const (
	nobody whose = iota
	providers
	customers
	everybody // providers and customers
)

const (
	providersActive = 90 * 24 * time.Hour
	customersActive = 24 * time.Hour
	profilesAgain   = 24 * time.Hour
	maxKeys         = 2000 // of providers, and of customers
	// spareKeys are as many more that are asked for, so that who is at the edge does not come and go.
	spareKeys = 250
	// keysPerFilter is how many keys a filter carries, unless the upstream wants fewer.
	keysPerFilter = 250
)

func profileKinds() []int    { return []int{0, 10002, 10019} }
func withdrawalKinds() []int { return []int{5, 62} }

// aboutKinds name a provider in a p tag.
func aboutKinds() []int { return []int{9735, 9321, 30333, 31117, 30085, 30382, 1984, 1985} }

// PeopleKinds are the kinds of subscriptions C and D: what providers and customers say of themselves and withdraw, and
// what others say of providers and pay them.
func PeopleKinds() []int {
	return slices.Sorted(slices.Values(slices.Concat(profileKinds(), withdrawalKinds(), aboutKinds())))
}

func isPeopleKind(k int) bool { return slices.Contains(PeopleKinds(), k) }

// peopleParts are subscriptions C and D, and beside each what reads the past of keys that are new to it. Kinds nil = all.
func peopleParts(kinds []int, backfill time.Duration) []*part {
	wanted := func(of []int) []int {
		return slices.DeleteFunc(of, func(k int) bool { return kinds != nil && !slices.Contains(kinds, k) })
	}
	profile, withdrawal, about := wanted(profileKinds()), wanted(withdrawalKinds()), wanted(aboutKinds())
	by := func(of ...[]int) []nostr.Filter { return []nostr.Filter{{Kinds: slices.Concat(of...)}} }
	naming := nostr.Filter{Kinds: about, Tags: nostr.TagMap{"p": nil}}
	candidates := []*part{
		{name: "c", whose: providers, base: append(by(profile, withdrawal), naming)},
		{name: "d", whose: customers, base: by(withdrawal)},
		{name: "c.past", whose: providers, past: true, back: backfill, base: append(by(withdrawal), naming)},
		{name: "d.past", whose: customers, past: true, back: customersActive, base: by(withdrawal)},
		{name: "profiles", whose: everybody, past: true, again: profilesAgain, base: by(profile)},
	}
	var all []*part
	for _, p := range candidates {
		p.base = slices.DeleteFunc(p.base, func(f nostr.Filter) bool { return len(f.Kinds) == 0 })
		if len(p.base) == 0 {
			continue
		}
		var selects []int
		for _, f := range p.base {
			selects = append(selects, f.Kinds...)
		}
		slices.Sort(selects)
		p.kinds, p.values, p.keys = spans(selects), keysPerFilter, &ring{}
		all = append(all, p)
	}
	return all
}

// ring is a changing list of keys, in hex. A key keeps its place, so that a change touches few filters. It is safe for
// concurrent use; the lists that it returns are not to be changed.
type ring struct {
	mu   sync.Mutex // guards below
	keys []string
}

func (r *ring) list() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.keys
}

// set makes it the first most of wanted, but who is in it stays while wanted at all. It says whether anything changed.
func (r *ring) set(wanted []nip90.PubKey, most int) bool {
	left := make(map[string]bool, len(wanted))
	for _, pk := range wanted {
		left[pk.String()] = true
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	next := make([]string, 0, min(len(wanted), most))
	var holes []int
	for _, key := range r.keys {
		if !left[key] {
			holes = append(holes, len(next))
			key = ""
		}
		delete(left, key)
		next = append(next, key)
	}
	room := most - (len(next) - len(holes))
	for _, pk := range wanted {
		key := pk.String()
		if room <= 0 {
			break
		}
		if !left[key] {
			continue
		}
		delete(left, key)
		room--
		if len(holes) > 0 {
			next[holes[0]] = key
			holes = holes[1:]
			continue
		}
		next = append(next, key)
	}
	next = closeHoles(next)
	changed := !slices.Equal(next, r.keys)
	r.keys = next
	return changed
}

// closeHoles moves keys from the end to where there are none. They move towards the front only, where they are asked for
// anew before they are no more asked for where they were.
func closeHoles(keys []string) []string {
	for i := 0; i < len(keys); i++ {
		for len(keys) > i && keys[len(keys)-1] == "" {
			keys = keys[:len(keys)-1]
		}
		if i < len(keys) && keys[i] == "" {
			keys[i] = keys[len(keys)-1]
			keys = keys[:len(keys)-1]
		}
	}
	return keys
}

// put replaces the list.
func (r *ring) put(keys []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.keys = keys
}

// people remembers what Watched said a moment ago, for all upstreams. It is safe for concurrent use.
type people struct {
	watched Watched
	now     func() time.Time
	log     *slog.Logger
	turn    chan struct{} // one slot: one asks at a time

	mu      sync.Mutex // guards below
	asked   time.Time
	known   [everybody + 1][]nip90.PubKey
	failing bool
}

func newPeople(w Watched, now func() time.Time, log *slog.Logger) *people {
	return &people{watched: w, now: now, log: log, turn: make(chan struct{}, 1)}
}

// list are the keys to ask about, the most wanted first; what was known a moment ago is good enough. They are not to be
// changed.
func (p *people) list(ctx context.Context, of whose, moment time.Duration) []nip90.PubKey {
	select {
	case p.turn <- struct{}{}:
	case <-ctx.Done():
		return nil
	}
	defer func() { <-p.turn }()
	p.mu.Lock()
	old, fresh := p.known[of], !p.asked.IsZero() && time.Since(p.asked) < moment
	p.mu.Unlock()
	if fresh {
		return old
	}
	now := p.now()
	pros, err := p.watched.Providers(now.Add(-providersActive).Unix(), maxKeys+spareKeys)
	var custs []nip90.PubKey
	if err == nil {
		custs, err = p.watched.Customers(now.Add(-customersActive).Unix(), maxKeys+spareKeys)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked = time.Now()
	if err != nil {
		if !p.failing {
			p.log.Warn("who is watched is not known, asked again later", "err", err)
		}
		p.failing = true
		return old
	}
	p.failing = false
	p.known[providers], p.known[customers] = pros, custs
	p.known[everybody] = slices.Concat(pros[:min(len(pros), maxKeys)], custs[:min(len(custs), maxKeys)])
	return p.known[of]
}
