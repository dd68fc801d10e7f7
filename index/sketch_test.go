package index

import (
	"encoding/binary"
	"math"
	"testing"

	"dvmrelay/nip90"
)

func numbered(i int) nip90.PubKey {
	var k nip90.PubKey
	binary.BigEndian.PutUint64(k[:], uint64(i))
	return k
}

// one adds a key and says whether that changed anything.
func one(s sketch, i int) (sketch, bool) {
	if s.has(markOf(numbered(i))) {
		return s, false
	}
	return s.plus([]uint64{markOf(numbered(i))}), true
}

func TestSketch_CountsExactlyThenWithinItsBound(t *testing.T) {
	var s sketch
	for i := range 100_000 {
		var changed bool
		if s, changed = one(s, i); i < sketchExact && !changed {
			t.Fatalf("key %d changed nothing", i)
		}
		n, got := i+1, s.count()
		switch {
		case n <= sketchExact && got != int64(n):
			t.Fatalf("%d keys are counted as %d", n, got)
		case n > sketchExact && n%997 == 0 && math.Abs(float64(got)/float64(n)-1) > 0.06:
			t.Errorf("%d keys are counted as %d, more than 6 %% off", n, got)
		}
	}
	if again, changed := one(s, 7); changed || again.count() != s.count() {
		t.Error("a key that was there changed the sketch")
	}
}

func TestSketch_IsTheSameInAnyOrderAndGrouping(t *testing.T) {
	rng := seeded(t)
	for _, n := range []int{0, 1, sketchExact - 1, sketchExact, sketchExact + 1, 3000} {
		var all sketch
		parts := make([]sketch, 4)
		for _, i := range rng.Perm(n) {
			all, _ = one(all, i)
			for range 2 {
				p := rng.IntN(len(parts))
				parts[p], _ = one(parts[p], i)
			}
		}
		var merged sketch
		for _, p := range parts {
			merged.merge(p)
		}
		if !all.covers(merged) || !merged.covers(all) || string(all.appendTo(nil)) != string(merged.appendTo(nil)) {
			t.Errorf("%d keys: the sketch depends on how it was made", n)
		}
		d := decoder{b: all.appendTo(nil)}
		if again := d.sketch(); d.end("sketch") != nil || again.count() != all.count() {
			t.Errorf("%d keys: read back as %d, want %d", n, again.count(), all.count())
		}
		if n > 0 && (sketch{}).covers(all) {
			t.Errorf("%d keys: nothing covers something", n)
		}
	}
}
