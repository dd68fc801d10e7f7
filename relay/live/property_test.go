package live_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"dvmrelay/nip90"
	"dvmrelay/relay/live"

	"github.com/nbd-wtf/go-nostr"
)

// naive is the reference: every filter against every event, by the filter's own words.
func naive(filters []live.Filter, e live.Event) bool {
	for _, f := range filters {
		if f.Matches(e.Parsed.Event) && naiveThread(f, e) && naiveJob(f.Job, e) && (f.Extra == nil || f.Extra(e)) {
			return true
		}
	}
	return false
}

func naiveThread(f live.Filter, e live.Event) bool {
	if f.Threads == nil || slices.Contains(f.Threads, e.Parsed.ID) {
		return true
	}
	return slices.ContainsFunc(e.Roots, func(root nip90.ID) bool { return slices.Contains(f.Threads, root) })
}

func naiveJob(want *live.Job, e live.Event) bool {
	if want == nil || *want == (live.Job{}) {
		return true
	}
	for _, j := range e.Jobs {
		provider, customer, kind, sealed := want.Provider.IsZero(), want.Customer.IsZero(), want.Kind == 0, want.Encrypted == nil
		for _, p := range j.Providers {
			provider = provider || p == want.Provider
		}
		customer = customer || j.Customer == want.Customer
		kind = kind || j.Kind == want.Kind
		sealed = sealed || *want.Encrypted == j.Encrypted
		if provider && customer && kind && sealed {
			return true
		}
	}
	return false
}

func randomJob(rng *rand.Rand) *live.Job {
	var j live.Job
	if rng.IntN(3) == 0 {
		j.Provider = nip90.PubKey(idOf(rng.IntN(5)))
	}
	if rng.IntN(3) == 0 {
		j.Customer = nip90.PubKey(idOf(rng.IntN(5)))
	}
	if rng.IntN(3) == 0 {
		j.Kind = 5000 + rng.IntN(3)
	}
	if rng.IntN(4) == 0 {
		sealed := rng.IntN(2) == 0
		j.Encrypted = &sealed
	}
	return &j
}

// small draws from so few values that matches are common.
func small(rng *rand.Rand) string { return hexOf(rng.IntN(12)) }

func some(rng *rand.Rand, draw func() string) []string {
	n := 1 + rng.IntN(3)
	if rng.IntN(12) == 0 {
		n = 30 + rng.IntN(100)
	}
	if rng.IntN(30) == 0 {
		n = 0
	}
	list := make([]string, 0, n)
	for range n {
		list = append(list, draw())
	}
	return list
}

func tagDraw(rng *rand.Rand) string {
	switch rng.IntN(5) {
	case 0:
		return fmt.Sprint("word ", rng.IntN(5))
	case 1:
		return strings.Repeat("long", 20+rng.IntN(2))
	case 2:
		return strings.ToUpper(hexOf(0xabcdef))
	}
	return small(rng)
}

func randomFilter(rng *rand.Rand) live.Filter {
	var f live.Filter
	draw := func() string { return small(rng) }
	if rng.IntN(8) == 0 {
		f.IDs = some(rng, draw)
	}
	if rng.IntN(4) == 0 {
		f.Authors = some(rng, draw)
	}
	switch rng.IntN(5) {
	case 0, 1:
		for range 1 + rng.IntN(3) {
			f.Kinds = append(f.Kinds, 5000+rng.IntN(6)*256)
		}
	case 2:
		for k := 4990 + rng.IntN(20); k < 6800; k += 1 + rng.IntN(3) {
			f.Kinds = append(f.Kinds, k)
		}
	}
	for _, letter := range []string{"e", "p", "t", "k", "E"} {
		if rng.IntN(5) == 0 {
			if f.Tags == nil {
				f.Tags = make(nostr.TagMap)
			}
			f.Tags[letter] = some(rng, func() string { return tagDraw(rng) })
		}
	}
	if rng.IntN(6) == 0 {
		f.Since = stamp(int64(rng.IntN(10)))
	}
	if rng.IntN(6) == 0 {
		f.Until = stamp(int64(rng.IntN(10)))
	}
	if rng.IntN(3) == 0 {
		f.Job = randomJob(rng)
	}
	if rng.IntN(6) == 0 {
		f.Extra = func(e live.Event) bool { return e.Version%2 == 0 }
	}
	return f
}

func randomEvent(rng *rand.Rand, version uint64) live.Event {
	var tags nostr.Tags
	n := rng.IntN(6)
	if rng.IntN(6) == 0 {
		n = 16 + rng.IntN(60)
	}
	for range n {
		tag := nostr.Tag{[]string{"e", "p", "t", "k", "E", "name", "\x01", "\x02"}[rng.IntN(8)]}
		if rng.IntN(10) > 0 {
			tag = append(tag, tagDraw(rng), "more")
		}
		tags = append(tags, tag)
	}
	e := event(rng.IntN(12), rng.IntN(12), 5000+rng.IntN(6)*256, int64(rng.IntN(10)), tags...)
	for range rng.IntN(3) {
		j := live.JobNote{Kind: 5000 + rng.IntN(3), Customer: nip90.PubKey(idOf(rng.IntN(5))), Encrypted: rng.IntN(2) == 0}
		for range rng.IntN(3) {
			j.Providers = append(j.Providers, nip90.PubKey(idOf(rng.IntN(5))))
		}
		e.Jobs = append(e.Jobs, j)
	}
	e.Version = version
	return e
}

// TestPublish_LikeNaive adds, replaces and removes random subscriptions and holds every delivery against the reference.
func TestPublish_LikeNaive(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	type held struct {
		sub     *live.Subscription
		filters []live.Filter
	}
	x, box := live.New(live.Options{}), new(inbox)
	subs := make(map[string]held)
	matches := 0
	for step := range 3000 {
		id := fmt.Sprint(rng.IntN(150))
		switch rng.IntN(4) {
		case 0:
			filters := []live.Filter{randomFilter(rng)}
			for rng.IntN(3) == 0 {
				filters = append(filters, randomFilter(rng))
			}
			if rng.IntN(5) == 0 { // threads among those that events never reveal anew
				filters[0].Threads = []nip90.ID{idOf(100 + rng.IntN(5))}
			}
			sub, err := x.Replace(subs[id].sub, box, id, filters)
			if err != nil {
				t.Fatalf("step %d: Replace: %v", step, err)
			}
			subs[id] = held{sub, filters}
		case 1:
			x.Remove(subs[id].sub)
			delete(subs, id)
		default:
			e := randomEvent(rng, uint64(step))
			if rng.IntN(3) == 0 {
				e.Roots = []nip90.ID{idOf(100 + rng.IntN(5)), idOf(100 + rng.IntN(5))}
			}
			var want []string
			for id, h := range subs {
				if naive(h.filters, e) {
					want = append(want, id+" "+e.Parsed.ID.String())
				}
			}
			n := x.Publish(e)
			got := box.take()
			slices.Sort(got)
			slices.Sort(want)
			if n != len(want) || !slices.Equal(got, want) {
				t.Fatalf("step %d, event %v: got %d: %v, want %v", step, e.Parsed.Event, n, got, want)
			}
			matches += n
		}
	}
	if matches < 1000 {
		t.Errorf("only %d matches: the test tests little", matches)
	}
	values := 0
	for _, h := range subs {
		values += h.sub.Values()
	}
	if s := x.Stats(); s.Subscriptions != len(subs) || s.Values != values {
		t.Errorf("stats: got %+v, want %d subscriptions, %d values", s, len(subs), values)
	}
	for _, h := range subs {
		x.Remove(h.sub)
	}
	if s := x.Stats(); s.Subscriptions+s.Filters+s.Values != 0 || !x.Empty() {
		t.Errorf("after removing all: got %+v, empty %v", s, x.Empty())
	}
}
