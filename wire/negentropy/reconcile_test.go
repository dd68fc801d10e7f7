package negentropy

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/nbd-wtf/go-nostr"
	"github.com/nbd-wtf/go-nostr/nip77/negentropy"
	"github.com/nbd-wtf/go-nostr/nip77/negentropy/storage/vector"
)

// sides are two overlapping sets and what each has alone.
type sides struct {
	ours, theirs []Item
	have, need   [][32]byte
}

// overlapping makes two sets of about n items in all, of which each lacks so many of a thousand. Some
// share fewer than front bytes of their id.
func overlapping(t testing.TB, n, lacking, front int) sides {
	r := random(t)
	var s sides
	for _, it := range NewSet(itemsAlike(r, n, front)).items {
		switch {
		case r.IntN(1000) < lacking:
			s.ours, s.have = append(s.ours, it), append(s.have, it.ID)
		case r.IntN(1000) < lacking:
			s.theirs, s.need = append(s.theirs, it), append(s.need, it.ID)
		default:
			s.ours, s.theirs = append(s.ours, it), append(s.theirs, it)
		}
	}
	return s
}

func (s *sides) check(t testing.TB, have, need [][32]byte) {
	t.Helper()
	for _, c := range []struct {
		name      string
		got, want [][32]byte
	}{{"have", have, s.have}, {"need", need, s.need}} {
		order := func(a, b [32]byte) int { return bytes.Compare(a[:], b[:]) }
		slices.SortFunc(c.got, order)
		slices.SortFunc(c.want, order)
		if !slices.Equal(c.got, c.want) {
			t.Errorf("%s: got %d ids, want these %d", c.name, len(c.got), len(c.want))
		}
	}
}

// run reconciles with a server and returns the rounds it took.
func run(t testing.TB, c *Client, limit int, server func([]byte) []byte) (have, need [][32]byte, rounds int) {
	t.Helper()
	for msg := c.Open(); msg != nil; rounds++ {
		if limit > 0 && len(msg) > limit {
			t.Fatalf("a message of %d bytes, the limit is %d", len(msg), limit)
		}
		next, h, n, err := c.Reconcile(server(msg))
		if err != nil {
			t.Fatalf("round %d: %v", rounds, err)
		}
		have, need, msg = append(have, h...), append(need, n...), next
	}
	return have, need, rounds
}

var (
	sizes  = []struct{ n, lacking int }{{0, 0}, {1, 1000}, {5, 500}, {31, 300}, {33, 100}, {400, 500}, {3000, 0}, {3000, 1}, {3000, 30}, {9000, 300}}
	limits = []int{0, 4096, 60_000}
)

func eachSize(t *testing.T, front int, f func(t *testing.T, s sides, limit int)) {
	for _, size := range sizes {
		for _, limit := range limits {
			t.Run(fmt.Sprintf("%d items, %d per mille, limit %d", size.n, size.lacking, limit), func(t *testing.T) {
				f(t, overlapping(t, size.n, size.lacking, front), limit)
			})
		}
	}
}

func TestReconcile_FindsEveryDifference(t *testing.T) {
	eachSize(t, 32, func(t *testing.T, s sides, limit int) {
		theirs := NewSet(s.theirs)
		have, need, _ := run(t, NewClient(NewSet(s.ours), limit), limit, func(msg []byte) []byte {
			out, err := Respond(theirs, msg, limit)
			if err != nil {
				t.Fatal(err)
			}
			if limit > 0 && len(out) > limit {
				t.Fatalf("an answer of %d bytes, the limit is %d", len(out), limit)
			}
			return out
		})
		s.check(t, have, need)
	})
}

// What differs decides how much is sent, not how much there is.
func TestReconcile_CostsWhatDiffers(t *testing.T) {
	s := overlapping(t, 50_000, 5, 32)
	theirs, sent := NewSet(s.theirs), 0
	have, need, rounds := run(t, NewClient(NewSet(s.ours), 0), 0, func(msg []byte) []byte {
		out, err := Respond(theirs, msg, 0)
		if err != nil {
			t.Fatal(err)
		}
		sent += len(msg) + len(out)
		return out
	})
	s.check(t, have, need)
	differ := len(have) + len(need)
	if t.Logf("%d differences: %d bytes in %d rounds", differ, sent, rounds); sent > differ*2500 || rounds > 5 {
		t.Errorf("%d bytes in %d rounds for %d differences", sent, rounds, differ)
	}
}

// In small frames the rounds stay well below the patience of a client.
func TestReconcile_SmallFramesAreInPatience(t *testing.T) {
	for _, lacking := range []int{1, 10, 100} {
		s := overlapping(t, 20_000, lacking, 32)
		theirs := NewSet(s.theirs)
		_, _, rounds := run(t, NewClient(NewSet(s.ours), MinFrame), MinFrame, func(msg []byte) []byte {
			out, err := Respond(theirs, msg, MinFrame)
			if err != nil {
				t.Fatal(err)
			}
			return out
		})
		differ := len(s.have) + len(s.need)
		t.Logf("%d differences in %d rounds", differ, rounds)
		if most := patience/2 + patiencePer*differ/2; rounds > most {
			t.Errorf("%d differences in %d rounds, want at most %d", differ, rounds, most)
		}
	}
}

// foreignFront: go-nostr looks at the first 16 bytes when it makes a bound, and loses items that share more.
const foreignFront = 16

func foreign(items []Item, limit int) *negentropy.Negentropy {
	vec := vector.New()
	for _, it := range items {
		vec.Insert(nostr.Timestamp(it.CreatedAt), hex.EncodeToString(it.ID[:]))
	}
	vec.Seal()
	return negentropy.New(vec, limit)
}

func TestReconcile_OurClientAndAnotherServer(t *testing.T) {
	eachSize(t, foreignFront, func(t *testing.T, s sides, limit int) {
		server := foreign(s.theirs, limit)
		have, need, _ := run(t, NewClient(NewSet(s.ours), limit), limit, func(msg []byte) []byte {
			answer, err := server.Reconcile(hex.EncodeToString(msg))
			if err != nil {
				t.Fatal(err)
			}
			out, err := hex.DecodeString(answer)
			if err != nil {
				t.Fatal(err)
			}
			return out
		})
		s.check(t, have, need)
	})
}

func TestReconcile_AnotherClientAndOurServer(t *testing.T) {
	eachSize(t, foreignFront, func(t *testing.T, s sides, limit int) {
		client := foreign(s.ours, limit)
		gather := func(from <-chan string) <-chan [][32]byte {
			done := make(chan [][32]byte, 1)
			go func() {
				seen := map[[32]byte]bool{}
				var all [][32]byte
				for text := range from {
					id, err := hex.DecodeString(text)
					if err == nil && len(id) == 32 && !seen[[32]byte(id)] {
						seen[[32]byte(id)] = true
						all = append(all, [32]byte(id))
					}
				}
				done <- all
			}()
			return done
		}
		have, need := gather(client.Haves), gather(client.HaveNots)
		theirs := NewSet(s.theirs)
		for msg := client.Start(); msg != ""; {
			in, err := hex.DecodeString(msg)
			if err != nil {
				t.Fatal(err)
			}
			out, err := Respond(theirs, in, limit)
			if err != nil {
				t.Fatal(err)
			}
			if msg, err = client.Reconcile(hex.EncodeToString(out)); err != nil {
				t.Fatal(err)
			}
		}
		s.check(t, <-have, <-need)
	})
}

func TestReconcile_AfterTheEnd(t *testing.T) {
	c := NewClient(NewSet(nil), 0)
	if next, _, _, err := c.Reconcile([]byte{version}); next != nil || err != nil {
		t.Fatalf("got %x, %v, want the end", next, err)
	}
	if _, _, _, err := c.Reconcile([]byte{version}); !errors.Is(err, ErrMalformed) {
		t.Fatalf("got %v, want ErrMalformed", err)
	}
}
