package month

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"

	"github.com/nbd-wtf/go-nostr"
)

// Days is how long a month lasts.
const Days = 30

const (
	hour      = 3600
	day       = 24 * hour
	providers = 165
)

// Options choose a month. One seed makes one month, event by event.
type Options struct {
	Seed     uint64
	Requests int
	Start    int64 // unix seconds
	// Wild makes what is rare so many times more frequent: other kinds than 5300, money, and every oddity; 0 = 1.
	Wild float64
}

// End is when the month is over, in unix seconds.
func (o Options) End() int64 { return o.Start + Days*day }

// Generate yields the events of the month, job after job in the order of time, each with its id and a signature of
// zeros. What answers a job follows it at once, whenever it was made. It ends early when yield returns false.
func Generate(o Options, yield func(*nostr.Event) bool) {
	w := &world{o: o, yield: yield, rng: rand.New(rand.NewPCG(o.Seed, 0)), profiles: profiles()}
	if w.o.Wild == 0 {
		w.o.Wild = 1
	}
	for i := range w.profiles[1:] {
		w.profiles[1+i].share *= w.o.Wild
		w.profiles[0].share -= w.profiles[1+i].share * (1 - 1/w.o.Wild)
	}
	w.people()
	w.announce()
	for n, at := range w.times() {
		if w.done {
			return
		}
		w.upTo(at)
		w.job(n, at)
	}
	w.upTo(o.End())
	w.farewell()
}

// world is what jobs have in common.
type world struct {
	o        Options
	yield    func(*nostr.Event) bool
	done     bool
	rng      *rand.Rand
	profiles []profile

	providers []provider
	customers int
	recent    []nostr.Event // requests that a later one may build on
	answers   []string      // ids of some answers, for what names the wrong thing
	bulk      []string      // jobs of one customer that cancels them all at once
	beat      int64         // when the next heartbeats are due
	leaving   []string      // keys that will ask to be forgotten
}

// leaves says whether a key will ask to be forgotten. Its clock is right: an hour that is sealed before keeps what it
// counted, so years that are off would make the order of arrival count, as it should.
func (w *world) leaves(key string) bool { return slices.Contains(w.leaving, key) }

type provider struct {
	key, next string // next: the key after it was rotated
	rotates   int64  // unix seconds, 0 = never
	kinds     []int
}

// name makes a key that nobody has the secret of.
func name(seed uint64, role string, n int) string {
	h := sha256.Sum256(binary.LittleEndian.AppendUint64([]byte(role+strconv.Itoa(n)), seed))
	return hex.EncodeToString(h[:])
}

func (w *world) key(role string, n int) string { return name(w.o.Seed, role, n) }

func (w *world) customer(n int) string { return w.key("customer", n) }

func (w *world) people() {
	w.customers = max(40, min(w.o.Requests/25, 8000))
	for n := range providers {
		p := provider{key: w.key("provider", n), next: w.key("rotated", n)}
		if n%40 == 7 {
			p.rotates = w.o.Start + int64(5+n%20)*day
		}
		if n%3 != 0 {
			p.kinds = append(p.kinds, 5300)
		}
		for range 1 + w.rng.IntN(3) {
			k := w.profiles[1+w.rng.IntN(len(w.profiles)-1)].kind
			if !slices.Contains(p.kinds, k) {
				p.kinds = append(p.kinds, k)
			}
		}
		w.providers = append(w.providers, p)
	}
	w.leaving = []string{w.customer(3), w.customer(w.customers - 1), w.providers[31].key}
}

// times spreads the requests over the month: most in the evening, few at night, less at weekends.
func (w *world) times() []int64 {
	weight := make([]float64, Days*24)
	sum := 0.0
	for h := range weight {
		x := []float64{3, 2, 1, 1, 1, 2, 3, 5, 7, 8, 8, 9, 9, 8, 8, 9, 10, 11, 13, 14, 14, 12, 9, 5}[h%24]
		if h/24%7 >= 5 {
			x *= .7
		}
		weight[h], sum = x, sum+x
	}
	out := make([]int64, 0, w.o.Requests)
	due := 0.0
	for h, x := range weight {
		due += x / sum * float64(w.o.Requests)
		for len(out) < int(due) {
			out = append(out, w.o.Start+int64(h)*hour+w.rng.Int64N(hour))
		}
	}
	for len(out) < w.o.Requests {
		out = append(out, w.o.End()-1-w.rng.Int64N(hour))
	}
	slices.SortFunc(out, func(a, b int64) int { return cmp.Compare(a, b) })
	return out
}

// event makes an event with its id.
func event(author string, kind int, at int64, content string, tags ...nostr.Tag) nostr.Event {
	e := nostr.Event{PubKey: author, Kind: kind, CreatedAt: nostr.Timestamp(max(at, 1)), Content: content, Tags: tags, Sig: strings.Repeat("0", 128)}
	if e.Tags == nil {
		e.Tags = nostr.Tags{}
	}
	e.ID = e.GetID()
	return e
}

func tag(parts ...string) nostr.Tag { return nostr.Tag(parts) }

func (w *world) emit(e nostr.Event) nostr.Event {
	if !w.done && !w.yield(&e) {
		w.done = true
	}
	return e
}

func number[T int | int64](n T) string { return strconv.FormatInt(int64(n), 10) }

func one[T any](rng *rand.Rand, list ...T) T { return list[rng.IntN(len(list))] }

func happens(rng *rand.Rand, share float64) bool { return rng.Float64() < share }

// often is happens for what is made more frequent in a wild month.
func (j *job) often(share float64) bool {
	if j.w.o.Wild > 1 && share < .5 {
		share = min(.4, share*j.w.o.Wild)
	}
	return happens(j.rng, share)
}
