package bench

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/nbd-wtf/go-nostr"
	"golang.org/x/sync/errgroup"
)

const (
	mostProviders = 200
	mostCustomers = 5_000
	windowSeconds = 30 * 86_400 // created_at of the stored events
	liveSeconds   = 600         // live events are no older than this
	cancelShare   = 0.005       // of the jobs, a day after the request
	vocabulary    = 600
)

// kindsByUse has the kinds most asked for first: the draw favours the front.
func kindsByUse() []int {
	return []int{5300, 5050, 5100, 5000, 5001, 5002, 5301, 5302, 5200, 5201, 5202, 5250, 5303, 5400, 5500, 5900, 5901, 5905, 5970, 5005}
}

func relayHints() []string {
	return []string{"wss://relay.example.com", "wss://nos.example.net", "wss://dvm.example.org", "wss://hub.example.io"}
}

// identity is one key pair.
type identity struct{ secret, public string }

// draft is an event before it is signed. An answer can only be written once its request is signed.
type draft struct {
	nostr.Event
	by     identity
	parent *draft
	link   func(d *draft, request *nostr.Event) // adds what quotes the request
}

// world draws everything from one seed.
type world struct {
	rng       *rand.Rand
	kinds     []int
	hints     []string
	words     []string
	providers []identity
	customers []identity
	serves    [][]int // kinds of each provider
	byKind    *rand.Zipf
	byProv    *rand.Zipf
	byCust    *rand.Zipf
}

func newRand(seed int64, stream uint64) *rand.Rand {
	return rand.New(rand.NewPCG(uint64(seed), stream))
}

// newWorld scales the crowd with the number of events, up to what a busy month has.
func newWorld(o *Options) (*world, error) {
	rng := newRand(o.Seed, 1)
	providers := min(max(10, o.Events/250), mostProviders)
	customers := min(max(50, o.Events/10), mostCustomers)
	w := &world{rng: rng, kinds: kindsByUse(), hints: relayHints()}
	w.byKind = rand.NewZipf(rng, 1.2, 2, uint64(len(w.kinds)-1))
	w.byProv = rand.NewZipf(rng, 1.1, 4, uint64(providers-1))
	w.byCust = rand.NewZipf(rng, 1.05, 20, uint64(customers-1))
	for range vocabulary {
		b := make([]byte, 3+rng.IntN(7))
		for i := range b {
			b[i] = byte('a' + rng.IntN(26))
		}
		w.words = append(w.words, string(b))
	}
	keys, err := identities(o.Seed, o.End, providers+customers)
	if err != nil {
		return nil, err
	}
	w.providers, w.customers = keys[:providers], keys[providers:]
	for range w.providers {
		var ks []int
		for range 1 + rng.IntN(4) {
			if k := w.kind(); !slices.Contains(ks, k) {
				ks = append(ks, k)
			}
		}
		w.serves = append(w.serves, ks)
	}
	return w, nil
}

// identities derives keys from seed and end: two runs on one shared relay do not meet.
func identities(seed, end int64, n int) ([]identity, error) {
	keys := make([]identity, n)
	err := inParallel(n, func(i int) error {
		h := sha256.Sum256(fmt.Appendf(nil, "dvmrelay bench %d %d %d", seed, end, i))
		secret := hex.EncodeToString(h[:])
		public, err := nostr.GetPublicKey(secret)
		keys[i] = identity{secret, public}
		return err
	})
	return keys, err
}

// inParallel calls f for 0..n-1 on every core and returns the first error.
func inParallel(n int, f func(i int) error) error {
	var g errgroup.Group
	cores := runtime.GOMAXPROCS(0)
	for c := range cores {
		g.Go(func() error {
			for i := c; i < n; i += cores {
				if err := f(i); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return g.Wait()
}

func (w *world) kind() int             { return w.kinds[w.byKind.Uint64()] }
func (w *world) word() string          { return w.words[w.rng.IntN(len(w.words))] }
func (w *world) chance(p float64) bool { return w.rng.Float64() < p }

func (w *world) text(n int) string {
	ws := make([]string, n)
	for i := range ws {
		ws[i] = w.word()
	}
	return strings.Join(ws, " ")
}

func (w *world) from(alphabet string, n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = alphabet[w.rng.IntN(len(alphabet))]
	}
	return string(b)
}

func (w *world) hex(n int) string { return w.from("0123456789abcdef", 2*n) }

func (w *world) cipher(n int) string {
	const base64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	return w.from(base64, n) + "?iv=" + w.from(base64, 22) + "=="
}

// invoice looks like a bolt11 of msat; its signature is noise, which relays do not check.
func (w *world) invoice(msat int) string {
	return "lnbc" + strconv.Itoa(msat/100) + "n1p" + w.from("qpzry9x8gf2tvdw0s3jn54khce6mua7l", 240+w.rng.IntN(60))
}

func (w *world) draft(kind int, at int64, by identity, content string, tags ...nostr.Tag) *draft {
	d := &draft{by: by}
	d.Kind, d.CreatedAt, d.Content, d.Tags = kind, nostr.Timestamp(at), content, tags
	if tags == nil {
		d.Tags = nostr.Tags{}
	}
	return d
}

// announcements are the profile, relay list and handler of every provider; a later version comes from some of them only.
func (w *world) announcements(start int64, version int) []*draft {
	var out []*draft
	for i, p := range w.providers {
		at := start + int64(version)*windowSeconds/2 + w.rng.Int64N(windowSeconds/2)
		if version > 0 && w.chance(0.7) {
			continue
		}
		name := w.word() + "-dvm-" + strconv.Itoa(i)
		tags := nostr.Tags{{"d", "h" + strconv.Itoa(i)}}
		for _, k := range w.serves[i] {
			tags = append(tags, nostr.Tag{"k", strconv.Itoa(k)})
		}
		about := fmt.Sprintf(`{"name":"%s","about":"%s","encryptionSupported":true,"nip90Params":{"max_results":{"required":false,"values":[]}}}`, name, w.text(25))
		profile := fmt.Sprintf(`{"name":"%s","about":"%s","lud16":"%s@example.com","v":%d}`, name, w.text(12), name, version)
		out = append(out,
			w.draft(31990, at, p, about, append(tags, nostr.Tag{"t", "dvm"})...),
			w.draft(0, at+1, p, profile),
			w.draft(10002, at+2, p, "", nostr.Tag{"r", w.hints[0]}, nostr.Tag{"r", w.hints[1], "write"}))
	}
	return out
}

// sign seals requests first, so that answers can quote them.
func sign(ds []*draft) error {
	for _, answers := range []bool{false, true} {
		err := inParallel(len(ds), func(i int) error {
			d := ds[i]
			if (d.parent != nil) != answers {
				return nil
			}
			if d.parent != nil {
				d.link(d, &d.parent.Event)
			}
			return seal(&d.Event, d.by)
		})
		if err != nil {
			return fmt.Errorf("sign: %w", err)
		}
	}
	return nil
}

// generate makes the stored events in order of time and two sets of live events in order of their threads.
func generate(o *Options) (*dataset, error) {
	w, err := newWorld(o)
	if err != nil {
		return nil, err
	}
	start := o.End - windowSeconds
	stored := append(w.announcements(start, 0), w.announcements(start, 1)...)
	for len(stored) < o.Events {
		stored = append(stored, w.thread(start+w.rng.Int64N(windowSeconds-liveSeconds), o.End)...)
	}
	stored = stored[:o.Events] // a cut thread keeps its request, which stands first
	live := func() []*draft {
		var ds []*draft
		for len(ds) < o.Fanout {
			ds = append(ds, w.thread(o.End-liveSeconds+w.rng.Int64N(liveSeconds/2), 0)...)
		}
		return ds[:o.Fanout]
	}
	paced, burst := live(), live()
	if err := sign(slices.Concat(stored, paced, burst)); err != nil {
		return nil, err
	}
	slices.SortStableFunc(stored, func(a, b *draft) int { return int(a.CreatedAt - b.CreatedAt) })
	return newDataset(o, w, stored, paced, burst)
}
