package policies

import (
	"context"
	"testing"

	"github.com/nbd-wtf/go-nostr"
)

func TestFilters_Words(t *testing.T) {
	kinds := func(n int) []int { return make([]int, n) }
	for _, tc := range []struct {
		name    string
		filters []nostr.Filter
		want    string
	}{
		{"everything", []nostr.Filter{{}}, ""},
		{"sixteen", make([]nostr.Filter, 16), ""},
		{"seventeen", make([]nostr.Filter, 17), "invalid: 17 filters are too many, at most 16 are served: open several subscriptions"},
		{"2,000 kinds", []nostr.Filter{{Kinds: kinds(2000)}}, ""},
		{"1,000 #k", []nostr.Filter{{Tags: nostr.TagMap{"k": repeat("5300", 1000)}}}, ""},
		{"2,500 ids", []nostr.Filter{{IDs: repeat(hexA, 2500)}}, ""},
		{"2,501 ids", []nostr.Filter{{IDs: repeat(hexA, 2501)}}, `invalid: 2501 values in "ids" are too many, at most 2500 are served: split the filter`},
		{"2,501 authors in the second", []nostr.Filter{{}, {Authors: repeat(hexA, 2501)}}, `invalid: 2501 values in "authors" are too many, at most 2500 are served: split the filter`},
		{"3,000 kinds", []nostr.Filter{{Kinds: kinds(3000)}}, `invalid: 3000 values in "kinds" are too many, at most 2500 are served: split the filter`},
		{"10,000 #e", []nostr.Filter{{Tags: nostr.TagMap{"e": repeat(hexA, 10000)}}}, `invalid: 10000 values in "#e" are too many, at most 2500 are served: split the filter`},
		{"a long tag name", []nostr.Filter{{Tags: nostr.TagMap{long(5000): repeat("", 2501)}}}, `invalid: 2501 values in "#xxxxxxxx..." are too many, at most 2500 are served: split the filter`},
		{"limit -1", []nostr.Filter{{Limit: -1}}, "invalid: limit is -1, it must not be negative"},
		{"limit 1e9", []nostr.Filter{{Limit: 1e9}}, ""},
		{"a thread", []nostr.Filter{{Search: "thread:" + hexA}}, ""},
		{"words", []nostr.Filter{{Search: "images please"}}, ""},
		{"a bad search in the second", []nostr.Filter{{}, {Search: "online:no"}}, `invalid: search: "online:no" has no such value, did you mean "online:true"`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			wantRefusal(t, newSet(t, nil, Deps{}).CheckFilters(context.Background(), tc.filters), tc.want)
		})
	}
}

func TestLimits_Bound(t *testing.T) {
	full := DefaultLimits()
	for _, tc := range []struct {
		name   string
		limits Limits
		in     nostr.Filter
		want   int
	}{
		{"none asked", full, nostr.Filter{}, 500},
		{"asked", full, nostr.Filter{Limit: 1}, 1},
		{"above", full, nostr.Filter{Limit: 1e9}, 5000},
		{"zero", full, nostr.Filter{LimitZero: true}, 0},
		{"no default", Limits{MaxLimit: 100}, nostr.Filter{}, 100},
		{"no highest", Limits{DefaultLimit: 7}, nostr.Filter{Limit: 1e9}, 1e9},
		{"no highest, none asked", Limits{DefaultLimit: 7}, nostr.Filter{}, 7},
		{"neither", Limits{}, nostr.Filter{}, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := tc.in
			tc.limits.Bound(&f)
			if f.Limit != tc.want || f.LimitZero != tc.in.LimitZero {
				t.Errorf("got limit %d, LimitZero %v; want %d, %v", f.Limit, f.LimitZero, tc.want, tc.in.LimitZero)
			}
		})
	}
}
