package relay

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"dvmrelay/policies"
	"dvmrelay/relay/session"
)

// TestCostlies_ShortcutChangesNothing holds the record against one that looks at each answer in full, over random costs and
// times.
func TestCostlies_ShortcutChangesNothing(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	var c costlies
	var want []Costly
	now := time.Unix(1_700_000_000, 0)
	for i := range 5000 {
		now = now.Add(time.Duration(rnd.IntN(10_000)) * time.Millisecond)
		took := costlyFrom + time.Duration(rnd.IntN(1_000_000))*time.Microsecond/time.Duration(1+i/2000*9) + time.Duration(i) // all differ
		c.note(now, &session.Cost{Verb: "REQ", Took: took, Peer: &policies.Peer{}})
		want = slices.DeleteFunc(append(want, Costly{At: now, Took: took}), func(x Costly) bool { return now.Sub(x.At) >= costlyFor })
		slices.SortFunc(want, func(a, b Costly) int { return int(b.Took - a.Took) })
		want = want[:min(len(want), costlyKept)]
		if i%97 != 0 { // looking prunes, so not each time
			continue
		}
		got := c.all(now)
		if !slices.EqualFunc(got, want, func(a, b Costly) bool { return a.Took == b.Took && a.At.Equal(b.At) }) {
			t.Fatalf("after %d: %v, want %v", i, got, want)
		}
	}
	if len(want) != costlyKept {
		t.Errorf("%d kept at the end, want %d", len(want), costlyKept)
	}
}
