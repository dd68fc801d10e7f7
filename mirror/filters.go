package mirror

import (
	"maps"
	"slices"
	"strconv"

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

// part is one of the two standing interests in an upstream.
type part struct {
	name     string
	base     []nostr.Filter // each with one list that may be long
	kinds    []span         // of part a, whose kinds can change
	values   int            // the most values that a filter of it carries, unless the upstream wants fewer
	sweeping bool           // old events may appear late, so the past is read again now and then
}

const (
	minValues      = 20 // a filter is not split below this
	maxSubsPerPart = 4
	maxPerSub      = 10 // filters in one subscription, unless the upstream names its own bound
)

func parts(kinds []int) []*part {
	if kinds == nil {
		kinds = DefaultKinds()
	}
	kinds = slices.Sorted(slices.Values(kinds))
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

// filters are the part's filters with at most values in each list.
func (p *part) filters(values int) []nostr.Filter {
	var out []nostr.Filter
	for _, f := range p.base {
		out = append(out, chunk(f, min(values, p.values))...)
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

// width is the length of a filter's longest list.
func width(f nostr.Filter) int { return max(len(f.Kinds), len(f.Tags["d"])) }

func chunk(f nostr.Filter, n int) []nostr.Filter {
	var out []nostr.Filter
	switch d := f.Tags["d"]; {
	case len(f.Kinds) > n:
		for kinds := range slices.Chunk(f.Kinds, n) {
			c := f
			c.Kinds = kinds
			out = append(out, c)
		}
	case len(d) > n:
		for values := range slices.Chunk(d, n) {
			c := f
			c.Tags = maps.Clone(f.Tags)
			c.Tags["d"] = values
			out = append(out, c)
		}
	default:
		out = append(out, f)
	}
	return out
}

// bundle spreads filters over few subscriptions.
func bundle(filters []nostr.Filter, perSub int) [][]nostr.Filter {
	if perSub <= 0 {
		perSub = maxPerSub
	}
	if need := (len(filters) + maxSubsPerPart - 1) / maxSubsPerPart; need > perSub {
		perSub = need
	}
	return slices.Collect(slices.Chunk(filters, perSub))
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
