package mirror

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"dvmrelay/nip90"
)

func TestShares_TheMostImportantComesFirst(t *testing.T) {
	for _, tc := range []struct {
		name       string
		most       int
		wants, got []int
		pages      int
	}{
		{"unknown", 0, []int{1, 1, 3, 1}, []int{1, 1, 3, 1}, 4},
		{"much is wanted", 0, []int{11, 4, 3, 1}, []int{4, 2, 1, 1}, 4},
		{"much is wanted of one", 0, []int{11, 1, 1, 1}, []int{5, 1, 1, 1}, 4},
		{"twenty", 20, []int{1, 1, 3, 2}, []int{1, 1, 3, 2}, 4},
		{"five", 5, []int{1, 1, 3, 2}, []int{1, 1, 1, 1}, 1},
		{"four", 4, []int{1, 1, 3, 2}, []int{1, 1, 1, 0}, 1},
		{"two", 2, []int{3, 1, 1, 1}, []int{1, 0, 0, 0}, 1},
		{"one", 1, []int{1, 1, 1, 1}, []int{0, 0, 0, 0}, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			live, pages := splitShares(tc.most)
			if got := grant(tc.wants, live); !slices.Equal(got, tc.got) || pages != tc.pages {
				t.Errorf("got %v and %d pages, want %v and %d", got, pages, tc.got, tc.pages)
			}
		})
	}
}

func TestBearing_IsBelievedForAnHour(t *testing.T) {
	var b bearing
	now := time.Unix(1_800_000_000, 0)
	if !b.learn(6, now) || b.learn(6, now) || b.learn(7, now) || !b.learn(5, now) {
		t.Error("only fewer than before is news")
	}
	for _, tc := range []struct {
		named int64
		after time.Duration
		want  int
	}{{0, 0, 5}, {20, 0, 5}, {3, 0, 3}, {0, 2 * time.Hour, 0}, {20, 2 * time.Hour, 20}, {-4, 2 * time.Hour, 0}} {
		if got := b.most(tc.named, now.Add(tc.after)); got != tc.want {
			t.Errorf("it names %d, %s later: got %d, want %d", tc.named, tc.after, got, tc.want)
		}
	}
}

// TestRing_KeysKeepTheirPlaces: who stays, stays in place or moves towards the front, and nobody beyond the bound comes in
// while those before are wanted.
func TestRing_KeysKeepTheirPlaces(t *testing.T) {
	seed := rand.Uint64()
	rnd := rand.New(rand.NewPCG(seed, 3))
	var r ring
	for round := range 200 {
		before := slices.Clone(r.list())
		wanted := slices.DeleteFunc(persons(0, 40), func(nip90.PubKey) bool { return rnd.IntN(3) == 0 })
		rnd.Shuffle(len(wanted), func(i, j int) { wanted[i], wanted[j] = wanted[j], wanted[i] })
		changed := r.set(wanted, 20)
		got := r.list()
		if len(got) != min(20, len(wanted)) || changed == slices.Equal(before, got) {
			t.Fatalf("seed %d, round %d: %d keys of %d, changed %t", seed, round, len(got), len(wanted), changed)
		}
		seen := map[string]bool{}
		for i, key := range got {
			if seen[key] || !slices.ContainsFunc(wanted, func(pk nip90.PubKey) bool { return pk.String() == key }) {
				t.Fatalf("seed %d, round %d: %q is in it twice, or not wanted", seed, round, key)
			}
			seen[key] = true
			if at := slices.Index(before, key); at >= 0 && at < i {
				t.Fatalf("seed %d, round %d: a key moved from %d back to %d", seed, round, at, i)
			}
		}
		for _, key := range before {
			if !seen[key] && slices.ContainsFunc(wanted, func(pk nip90.PubKey) bool { return pk.String() == key }) {
				t.Fatalf("seed %d, round %d: a key that is still wanted has left", seed, round)
			}
		}
	}
}
