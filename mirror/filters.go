package mirror

import (
	"maps"
	"slices"
	"strconv"
	"time"

	"dvmrelay/nip90"

	"github.com/nbd-wtf/go-nostr"
)

const (
	firstRequest, lastRequest = 5000, 5999
	firstResult, lastResult   = 6000, 6999
	lastRecommended           = 7000
)

// DefaultKinds are the kinds of subscription A: jobs and their answers, feedback, pings, heartbeats and announcements,
// without the other protocols that use numbers of the range.
func DefaultKinds() []int {
	var kinds []int
	for k := firstRequest; k <= lastResult; k++ {
		switch k {
		case 5128, 5129, 5666, 5969, 6666, 6969:
		default:
			kinds = append(kinds, k)
		}
	}
	return append(kinds, 7000, 7007, 11316, 11317, 11318, 11319, 11320, 11998, 11999)
}

// part is one standing interest in an upstream.
type part struct {
	name     string
	base     []nostr.Filter // each with one list that may be long
	kinds    []span         // what it selects, where that can change
	values   int            // the most values that a filter of it carries, unless the upstream wants fewer
	sweeping bool           // old events may appear late, so the past is read again now and then

	// of a part about people
	keys  *ring         // whom its filters are about; nil = about jobs
	whose whose         // where its keys come from
	past  bool          // never live: it reads the past of keys that are new to it, some at a time
	back  time.Duration // of such a part: how far back, 0 = everything
	again time.Duration // of such a part: when a key's past is read again, 0 = never
}

const (
	minValues      = 20      // a filter is not split below this
	maxSubsPerPart = 4       // unless others leave more
	maxPerSub      = 10      // filters in one subscription, unless they fit in no other way
	maxMessage     = 120_000 // bytes of a message, where an upstream does not name its bound
)

func parts(kinds []int) []*part {
	if kinds == nil {
		kinds = DefaultKinds()
	}
	kinds = slices.DeleteFunc(slices.Sorted(slices.Values(kinds)), isPeopleKind)
	var d []string
	for k := firstRequest; k <= lastRecommended; k++ {
		d = append(d, strconv.Itoa(k))
	}
	var all []*part
	if len(kinds) > 0 { // a filter without kinds asks for all there are
		all = append(all, &part{name: "a", base: []nostr.Filter{{Kinds: kinds}}, kinds: spans(kinds), values: 4096})
	}
	return append(all, &part{
		name: "b", base: []nostr.Filter{{Kinds: []int{nip90.KindHandler}}, {Kinds: []int{nip90.KindRecommendation}, Tags: nostr.TagMap{"d": d}}},
		values: 250, sweeping: true,
	})
}

// filters are the part's filters with at most values in each list; none while it is about nobody.
func (p *part) filters(values int) []nostr.Filter {
	var out []nostr.Filter
	for _, f := range p.about() {
		out = append(out, chunk(f, min(values, p.values))...)
	}
	return out
}

// about are the part's filters with whole lists.
func (p *part) about() []nostr.Filter {
	if p.keys == nil {
		return p.base
	}
	keys := p.keys.list()
	if len(keys) == 0 {
		return nil // a filter without keys asks for everybody's
	}
	out := slices.Clone(p.base)
	for i := range out {
		if _, named := out[i].Tags["p"]; named {
			out[i].Tags = nostr.TagMap{"p": keys}
		} else {
			out[i].Authors = keys
		}
	}
	return out
}

// longest is the length of the longest list that filters(values) would carry.
func (p *part) longest(values int) int {
	n := 0
	for _, f := range p.filters(values) {
		n = max(n, width(f))
	}
	return n
}

// valueBytes is how long a value of the part's long lists is as JSON, with its comma.
func (p *part) valueBytes() int {
	if p.keys != nil {
		return len(`"",`) + 64
	}
	return len(`"5000",`)
}

// width is the length of a filter's longest list.
func width(f nostr.Filter) int {
	return max(len(f.Kinds), len(f.Authors), len(f.Tags["d"]), len(f.Tags["p"]))
}

// chunk spreads a filter's long list over filters with at most n of it each.
func chunk(f nostr.Filter, n int) []nostr.Filter {
	var out []nostr.Filter
	tagged := func(name string) {
		for values := range slices.Chunk(f.Tags[name], n) {
			c := f
			c.Tags = maps.Clone(f.Tags)
			c.Tags[name] = values
			out = append(out, c)
		}
	}
	switch {
	case len(f.Kinds) > n && len(f.Authors) <= n && len(f.Tags["p"]) <= n:
		for kinds := range slices.Chunk(f.Kinds, n) {
			c := f
			c.Kinds = kinds
			out = append(out, c)
		}
	case len(f.Authors) > n:
		for keys := range slices.Chunk(f.Authors, n) {
			c := f
			c.Authors = keys
			out = append(out, c)
		}
	case len(f.Tags["p"]) > n:
		tagged("p")
	case len(f.Tags["d"]) > n:
		tagged("d")
	default:
		out = append(out, f)
	}
	return out
}

// capacity is how many filters one subscription carries: soon as many as wanted, at most as many as the upstream bears.
type capacity struct{ wanted, most int }

// bundle spreads filters over at most subs subscriptions, and returns what does not fit.
func bundle(filters []nostr.Filter, c capacity, subs int) (plan [][]nostr.Filter, rest []nostr.Filter) {
	if subs <= 0 {
		return nil, filters
	}
	per := c.wanted
	if need := (len(filters) + subs - 1) / subs; need > per {
		per = min(need, c.most)
	}
	plan = slices.Collect(slices.Chunk(filters, max(per, 1)))
	for _, some := range plan[min(subs, len(plan)):] {
		rest = append(rest, some...)
	}
	return plan[:min(subs, len(plan))], rest
}

// within adds the bounds of time, in unix seconds; until 0 = open.
func within(f nostr.Filter, since, until int64) nostr.Filter {
	if since > 0 {
		at := nostr.Timestamp(since)
		f.Since = &at
	}
	if until > 0 {
		at := nostr.Timestamp(until)
		f.Until = &at
	}
	return f
}
