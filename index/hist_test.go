package index

import (
	"math"
	"slices"
	"testing"
)

func TestBucketOf_StandsForItsNumbers(t *testing.T) {
	rng := seeded(t)
	numbers := []int64{0, 1, 31, 32, 63, 64, 65, 127, 128, 1 << 40, math.MaxInt64}
	for range 10_000 {
		numbers = append(numbers, rng.Int64()>>rng.IntN(63))
	}
	for _, v := range numbers {
		got := bucketValue(bucketOf(v))
		if diff := math.Abs(float64(got) - float64(v)); diff > float64(v)/32 {
			t.Errorf("%d is shown as %d, which is off by more than 1/32", v, got)
		}
	}
	if got := bucketOf(-1); got != noBucket {
		t.Errorf("bucket of -1 is %d, want none", got)
	}
	slices.Sort(numbers)
	for i := 1; i < len(numbers); i++ {
		if bucketOf(numbers[i-1]) > bucketOf(numbers[i]) {
			t.Errorf("%d and %d are in buckets of the wrong order", numbers[i-1], numbers[i])
		}
	}
}

func TestHist_AddsAndTakesAway(t *testing.T) {
	rng := seeded(t)
	for range 200 {
		var h, other hist
		counts := map[int]int64{}
		for range rng.IntN(40) {
			b, n := rng.IntN(8), int64(rng.IntN(5)-2)
			counts[b] += n
			if rng.IntN(2) == 0 {
				h = h.with(b, n)
			} else {
				other = other.with(b, -n)
			}
		}
		h = h.plus(other, -1)
		for b, n := range counts {
			if n == 0 {
				delete(counts, b)
			}
		}
		if len(h) != len(counts) {
			t.Fatalf("got %v, want %v", h, counts)
		}
		for i, c := range h {
			if counts[c.bucket] != c.n || i > 0 && h[i-1].bucket >= c.bucket {
				t.Fatalf("got %v, want %v", h, counts)
			}
		}
		d := decoder{b: h.appendTo(nil)}
		if again := d.hist(); d.end("hist") != nil || !slices.Equal(again, h) {
			t.Fatalf("read back %v, want %v", again, h)
		}
	}
}

func TestHist_QuantilesAreNearestRanks(t *testing.T) {
	if q := (hist{}).quantiles(1); q != nil {
		t.Errorf("an empty histogram has %+v, want nothing", q)
	}
	var h hist
	for v := range int64(20) {
		h = h.with(bucketOf(v+1), 1)
	}
	want := Quantiles{P50: 10_000, P95: 19_000, P99: 20_000, Count: 20}
	if q := h.quantiles(1000); *q != want {
		t.Errorf("got %+v, want %+v", *q, want)
	}
}
