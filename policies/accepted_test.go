package policies

import (
	"slices"
	"testing"
)

// TestKinds_AcceptedIsWhatEnters holds the list for people against the decision for each kind there is.
func TestKinds_AcceptedIsWhatEnters(t *testing.T) {
	for _, c := range []struct {
		name string
		o    KindOptions
	}{
		{"default", KindOptions{}},
		{"presets", KindOptions{Presets: Presets()}},
		{"allow and deny", KindOptions{Allow: []KindRange{{1, 3}, {5666, 5666}, {0, 0}}, Deny: []KindRange{{5300, 5303}, {9735, 9735}}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			kinds := NewKinds(c.o)
			rows, refused := kinds.Accepted()
			for kind := range maxKind + 1 {
				i := slices.IndexFunc(rows, func(r KindRow) bool { return r.Has(kind) })
				allowed := slices.ContainsFunc(c.o.Allow, func(r KindRange) bool { return r.Has(kind) })
				listed := i >= 0 && (allowed || !inRanges(refused, kind))
				if listed != kinds.Accepts(kind) {
					t.Errorf("kind %d: listed %v, accepted %v", kind, listed, kinds.Accepts(kind))
				}
				if _, when := kinds.find(kind); listed && !allowed && rows[i].When != when {
					t.Errorf("kind %d: condition %d, decided by %d", kind, rows[i].When, when)
				}
			}
			for _, r := range rows {
				if (r.When == Always) != (r.When.Words() == "") {
					t.Errorf("%s: words %q", r.KindRange, r.When.Words())
				}
			}
		})
	}
}
