package index

import (
	"fmt"
	"testing"
)

// TestGathering_IsWhatMergingGives: however many keys there are, in however many rows.
func TestGathering_IsWhatMergingGives(t *testing.T) {
	rng := seeded(t)
	for _, n := range []int{0, 1, sketchExact, sketchExact + 1, maxGathered, 3000, 20_000} {
		var added, read gathering
		var merged sketch
		for range 40 {
			marks := make([]uint64, rng.IntN(n/4+2))
			for i := range marks {
				marks[i] = markOf(numbered(rng.IntN(n + 1)))
			}
			s := sketch{}.plus(marks)
			merged.merge(s)
			added.add(s)
			d := decoder{b: s.appendTo(nil)}
			if read.read(&d); d.end("sketch") != nil {
				t.Fatalf("a sketch of %d marks cannot be read", len(marks))
			}
		}
		want := string(merged.appendTo(nil))
		if string(added.sketch().appendTo(nil)) != want || string(read.sketch().appendTo(nil)) != want {
			t.Errorf("of %d keys: got %d and %d, want %d", n, added.sketch().count(), read.sketch().count(), merged.count())
		}
	}
	for _, b := range [][]byte{{}, {1}, {1, 2, 3}, {0}, {0, 2, 1, 2, 3, 4, 5}, {0, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1}} {
		var g gathering
		d := decoder{b: b}
		if g.read(&d); d.end("sketch") == nil || g.sketch().count() != 0 {
			t.Errorf("%x is read as %d keys", b, g.sketch().count())
		}
	}
}

func BenchmarkGathering(b *testing.B) {
	for _, n := range []int{100, 400, 5000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			var marks []uint64
			for i := range n {
				marks = append(marks, markOf(numbered(i)))
			}
			row := sketch{}.plus(marks).appendTo(nil)
			for b.Loop() {
				var g gathering
				for range 30 {
					d := decoder{b: row}
					g.read(&d)
				}
				_ = g.sketch().count()
			}
		})
	}
}
