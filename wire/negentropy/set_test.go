package negentropy

import (
	"crypto/sha256"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"
)

func random(t testing.TB) *rand.Rand {
	t.Helper()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// randomItems makes items of which many share a second, and some the front of their id.
func randomItems(r *rand.Rand, n int) []Item { return itemsAlike(r, n, 32) }

// itemsAlike makes items that share fewer than front bytes.
func itemsAlike(r *rand.Rand, n, front int) []Item {
	items := make([]Item, n)
	for i := range items {
		items[i].CreatedAt = 1_700_000_000 + int64(r.IntN(n/3+1))
		for j := range items[i].ID {
			items[i].ID[j] = byte(r.Uint32())
		}
		if r.IntN(20) == 0 && i > 0 {
			items[i].CreatedAt = items[i-1].CreatedAt
			copy(items[i].ID[:r.IntN(front)], items[i-1].ID[:])
		}
	}
	return items
}

func TestSet_SortsAndDropsWhatCannotBeNamed(t *testing.T) {
	a, b := Item{CreatedAt: 5, ID: [32]byte{1}}, Item{CreatedAt: 5, ID: [32]byte{2}}
	c := Item{CreatedAt: 4, ID: [32]byte{9}}
	s := NewSet([]Item{b, a, {CreatedAt: -1}, c, b})
	if want := []Item{c, a, b}; !slices.Equal(s.items, want) || s.Len() != 3 {
		t.Fatalf("got %v, want %v", s.items, want)
	}
	if NewSet(nil).Len() != 0 {
		t.Fatal("an empty set has items")
	}
}

func TestSet_FingerprintAgreesWithBigNumbers(t *testing.T) {
	r := random(t)
	items := randomItems(r, 500)
	for i := range 40 { // sums that overflow
		for j := range items[i].ID {
			items[i].ID[j] = 0xff
		}
		items[i].CreatedAt = int64(i)
	}
	s := NewSet(items)
	modulus := new(big.Int).Lsh(big.NewInt(1), 256)
	for range 300 {
		lower := r.IntN(s.Len() + 1)
		upper := lower + r.IntN(s.Len()-lower+1)
		total := new(big.Int)
		for _, it := range s.items[lower:upper] {
			id := it.ID
			slices.Reverse(id[:])
			total.Add(total, new(big.Int).SetBytes(id[:]))
		}
		raw := total.Mod(total, modulus).FillBytes(make([]byte, 32))
		slices.Reverse(raw)
		n := upper - lower
		if n > 0x7f {
			raw = append(raw, byte(n>>7)|0x80)
		}
		h := sha256.Sum256(append(raw, byte(n&0x7f)))
		if got := s.fingerprint(lower, upper); got != [16]byte(h[:]) {
			t.Fatalf("items %d to %d: got %x, want %x", lower, upper, got, h[:16])
		}
	}
}

func TestVarint_ThereAndBack(t *testing.T) {
	for _, n := range []uint64{0, 1, 127, 128, 16383, 16384, 1<<32 + 7, 1<<63 - 1, 1 << 63, 1<<64 - 1} {
		r := reader{b: appendVarint(nil, n)}
		if got, err := r.varint(); err != nil || got != n || r.more() {
			t.Errorf("%d: got %d, %v, %d bytes left", n, got, err, len(r.b))
		}
	}
}

func BenchmarkFingerprint(b *testing.B) {
	s := NewSet(randomItems(random(b), 100_000))
	for b.Loop() {
		s.fingerprint(17, 99_990)
	}
}
