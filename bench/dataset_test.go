package bench

import (
	"slices"
	"testing"

	"github.com/nbd-wtf/go-nostr"
)

func TestGenerate_IsRepeatable(t *testing.T) {
	ids := func(seed int64) []string {
		o := small("ws://127.0.0.1:1")
		o.Seed = seed
		set, err := generate(&o)
		if err != nil {
			t.Fatal(err)
		}
		var out []string
		for _, l := range [][]item{set.stored, set.paced, set.burst} {
			for i := range l {
				if ok, err := l[i].CheckSignature(); i%50 == 0 && (!ok || err != nil) {
					t.Fatalf("event %s has a bad signature: %v", l[i].ID, err)
				}
				out = append(out, l[i].ID)
			}
		}
		return out
	}
	a, b, c := ids(5), ids(5), ids(6)
	if !slices.Equal(a, b) {
		t.Error("one seed made two sets")
	}
	if slices.Contains(c, a[len(a)/2]) {
		t.Error("two seeds share an event")
	}
}

func TestDataset_Check(t *testing.T) {
	o := small("ws://127.0.0.1:1")
	o.Events = 300
	set, err := generate(&o)
	if err != nil {
		t.Fatal(err)
	}
	said := make([]fate, len(set.stored))
	all := nostr.Filter{Limit: 5}
	n := len(set.stored)
	newest := func(idx ...int) (out []eventID) {
		for _, i := range idx {
			out = append(out, set.stored[n-i].id)
		}
		return out
	}
	said[n-1], said[n-2] = gone, maybe
	set.settle(said)
	for i := 3; i <= 8; i++ {
		if set.fates[n-i] != served || set.stored[n-i].CreatedAt == set.stored[n-i-1].CreatedAt {
			t.Fatal("the newest events of this seed do not suit the cases below")
		}
	}
	for name, tc := range map[string]struct {
		got  []eventID
		want string
	}{
		"without the kept one": {newest(3, 4, 5, 6, 7), ""},
		"with the kept one":    {newest(2, 3, 4, 5, 6), ""},
		"one short":            {newest(3, 4, 5, 6), "too few events"},
		"one over":             {newest(2, 3, 4, 5, 6, 7), "too many events"},
		"a hole":               {newest(3, 4, 5, 6, 8), "not the newest events"},
		"a refused one":        {newest(1, 3, 4, 5, 6), "refused, superseded or deleted event"},
		"twice":                {newest(3, 3, 4, 5, 6), "event sent twice"},
		"a stranger":           {append(newest(3, 4, 5, 6), eventID{}), "unknown event"},
	} {
		t.Run(name, func(t *testing.T) {
			if got, _ := set.check(&all, tc.got); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
	if _, unordered := set.check(&all, newest(4, 3, 5, 6, 7)); !unordered {
		t.Error("wrong order was not seen")
	}
}
