package policies

import (
	"slices"
	"testing"
)

// TestAccepted_ListsEveryKindThatMayEnterAndNoOther holds the list against the decision on each kind there is.
func TestAccepted_ListsEveryKindThatMayEnterAndNoOther(t *testing.T) {
	for name, o := range map[string]KindOptions{
		"default": {},
		"presets": {Presets: Presets()},
		"lists":   {Allow: []KindRange{{1, 1}, {5666, 5666}, {30000, 30003}}, Deny: []KindRange{{5300, 5310}, {30001, 30001}}},
		"nothing": {Deny: []KindRange{{0, maxKind}}},
	} {
		k := NewKinds(o)
		told := make(map[int]AcceptedKinds)
		for _, a := range k.Accepted() {
			if len(a.Ranges) == 0 || !slices.IsSortedFunc(a.Ranges, func(x, y KindRange) int { return x.From - y.From }) {
				t.Errorf("%s: %q has ranges %v", name, a.Name, a.Ranges)
			}
			for _, r := range a.Ranges {
				for kind := r.From; kind <= r.To; kind++ {
					if _, twice := told[kind]; twice {
						t.Fatalf("%s: kind %d stands in two rows", name, kind)
					}
					told[kind] = a
				}
			}
		}
		for kind := range maxKind + 1 {
			a, ok := told[kind]
			row, when := k.find(kind)
			if ok != k.Accepts(kind) || ok && (a.When != when || a.Gated != row.Gated) {
				t.Fatalf("%s: kind %d is told as %+v, %t; accepted: %t, condition %d", name, kind, a, ok, k.Accepts(kind), when)
			}
		}
	}
}
