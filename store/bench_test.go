package store_test

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"dvmrelay/nip90"
	"dvmrelay/store"

	"github.com/nbd-wtf/go-nostr"
)

// traffic makes job traffic as the archive of DVM events shows it: threads of a request, a feedback and a result, nearly
// all of kind 5300, by a few hundred providers. Events are unsigned.
type traffic struct {
	*rand.Rand
	at        int64
	providers []string
	customers []string
	requests  []string
	queue     []nostr.Event
}

const trafficStart = 1_700_000_000

func newTraffic() *traffic {
	w := &traffic{Rand: rand.New(rand.NewPCG(7, 7)), at: trafficStart}
	for range 880 {
		w.providers = append(w.providers, w.hex())
	}
	for range 3000 {
		w.customers = append(w.customers, w.hex())
	}
	for i, pk := range w.providers {
		w.queue = append(w.queue, w.handler(i, pk))
	}
	return w
}

func (w *traffic) hex() string {
	var b [32]byte
	for i := range b {
		b[i] = byte(w.Uint32())
	}
	return hex.EncodeToString(b[:])
}

func (w *traffic) handler(i int, pk string) nostr.Event {
	tags := nostr.Tags{{"d", fmt.Sprintf("dvm-%d", i)}, {"k", strconv.Itoa(5000 + w.IntN(120))}}
	if w.IntN(2) == 0 {
		tags = append(tags, nostr.Tag{"k", "5300"})
	}
	return nostr.Event{PubKey: pk, Kind: 31990, CreatedAt: nostr.Timestamp(w.at), Tags: tags, Content: `{"name":"dvm","about":"` + strings.Repeat("about ", 50) + `"}`}
}

func (w *traffic) next() nostr.Event {
	if len(w.queue) == 0 {
		w.thread()
	}
	e := w.queue[0]
	w.queue = w.queue[1:]
	return e
}

func (w *traffic) thread() {
	w.at++
	kind := 5300
	if w.IntN(20) == 0 {
		kind = 5000 + w.IntN(120)
	}
	provider, customer := w.providers[w.IntN(165)], w.customers[w.IntN(len(w.customers))]
	request := nostr.Event{PubKey: customer, Kind: kind, CreatedAt: nostr.Timestamp(w.at), Content: "", Tags: nostr.Tags{
		{"i", w.hex(), "text"},
		{"p", provider},
		{"param", "max_results", "200"},
		{"relays", "wss://relay.example.com", "wss://nos.example.com"},
		{"nonce", strings.Repeat("request ", 40)},
	}}
	request.ID = request.GetID()
	w.requests = append(w.requests, request.ID)
	quoted, _ := json.Marshal(request)
	w.queue = append(w.queue, request, nostr.Event{PubKey: provider, Kind: 7000, CreatedAt: nostr.Timestamp(w.at + 1), Tags: nostr.Tags{
		{"e", request.ID}, {"p", customer}, {"status", "processing"}, {"amount", "1000"},
	}, Content: strings.Repeat("working ", 60)}, nostr.Event{PubKey: provider, Kind: kind + 1000, CreatedAt: nostr.Timestamp(w.at + 2), Tags: nostr.Tags{
		{"request", string(quoted)}, {"e", request.ID}, {"p", customer}, {"i", request.Tags[0][1], "text"}, {"amount", "1000"},
	}, Content: strings.Repeat("result ", 150)})
}

func (w *traffic) parsed() (*nip90.Parsed, error) {
	e := w.next()
	e.ID = e.GetID()
	e.Sig = strings.Repeat("0", 128)
	raw, err := json.Marshal(e)
	if err != nil {
		return nil, err
	}
	return nip90.Open(&e, raw, nip90.DoorImport, time.Unix(w.at, 0))
}

const benchEvents = 200_000

// benchStore builds one store of 200,000 events per process.
var benchStore = sync.OnceValues(func() (*filled, error) { return fill(benchEvents) })

type filled struct {
	*store.Store
	w    *traffic
	dir  string
	stop func() error
}

func fill(n int) (*filled, error) {
	dir, err := os.MkdirTemp("", "store-bench")
	if err != nil {
		return nil, err
	}
	o := store.DefaultOptions()
	o.Dir, o.Sync, o.FreeFloor = dir, store.SyncNone, 0
	s, err := store.Open(o)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- s.Run(ctx) }()
	w := newTraffic()
	var last *store.Pending
	for range n {
		p, err := w.parsed()
		if err != nil {
			cancel()
			return nil, err
		}
		if last, err = s.Submit(ctx, p); err != nil {
			cancel()
			return nil, err
		}
	}
	if _, _, err := last.Wait(ctx); err != nil {
		cancel()
		return nil, err
	}
	stop := func() error {
		cancel()
		return errors.Join(<-ran, s.Close(), os.RemoveAll(dir))
	}
	return &filled{s, w, dir, stop}, nil
}

func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == waitingChildFlag {
		os.Exit(runWaitingChild(os.Args[2]))
	}
	if len(os.Args) > 1 && os.Args[1] == childFlag {
		os.Exit(runChild(os.Args[2]))
	}
	code := m.Run()
	if benchWasFilled.Load() {
		if b, err := benchStore(); err == nil {
			if err := b.stop(); err != nil {
				fmt.Fprintln(os.Stderr, err)
				code = 1
			}
		}
	}
	os.Exit(code)
}

// shapes are the filters that real software sends.
func shapes(w *traffic) []struct {
	name string
	make func(i int) nostr.Filter
} {
	wide := make([]int, 0, 2000)
	for k := 5000; k < 7000; k++ {
		if k != 5666 && k != 5969 && k != 6666 && k != 6969 {
			wide = append(wide, k)
		}
	}
	ks := make([]string, 0, 999)
	for k := 5000; k < 5999; k++ {
		ks = append(ks, strconv.Itoa(k))
	}
	request := func(i int) string { return w.requests[(i*7919)%len(w.requests)] }
	provider := func(i int) string { return w.providers[(i*31)%165] }
	recent := nostr.Timestamp(w.at - 3600)
	middle, after := nostr.Timestamp(w.at-20000), nostr.Timestamp(w.at-19900)
	hundred := wide[:100]
	many := append(append([]string{}, w.providers...), w.customers[:620]...)
	return []struct {
		name string
		make func(i int) nostr.Filter
	}{
		{"e+kinds", func(i int) nostr.Filter {
			return nostr.Filter{Kinds: []int{6300, 7000}, Tags: nostr.TagMap{"e": {request(i)}}}
		}},
		{"e+kind limit 1", func(i int) nostr.Filter {
			return nostr.Filter{Kinds: []int{7000}, Tags: nostr.TagMap{"e": {request(i)}}, Limit: 1}
		}},
		{"e+author+kinds", func(i int) nostr.Filter {
			return nostr.Filter{Kinds: append(rangeOf(6000, 6011), 6999, 7000), Authors: []string{provider(i)}, Tags: nostr.TagMap{"e": {request(i)}}, Limit: 5}
		}},
		{"p+kind", func(i int) nostr.Filter {
			return nostr.Filter{Kinds: []int{5300}, Tags: nostr.TagMap{"p": {provider(i)}}, Limit: 100}
		}},
		{"p+kinds since", func(i int) nostr.Filter {
			return nostr.Filter{Kinds: []int{7000, 6300}, Tags: nostr.TagMap{"p": {w.customers[i%3000]}}, Since: &recent, Limit: 100}
		}},
		{"p alone", func(i int) nostr.Filter {
			return nostr.Filter{Tags: nostr.TagMap{"p": {provider(i)}}, Limit: 100}
		}},
		{"31990", func(int) nostr.Filter { return nostr.Filter{Kinds: []int{31990}, Limit: 100} }},
		{"31990 k", func(int) nostr.Filter {
			return nostr.Filter{Kinds: []int{31990}, Tags: nostr.TagMap{"k": {"5300"}}, Limit: 100}
		}},
		{"31990 999 k", func(int) nostr.Filter {
			return nostr.Filter{Kinds: []int{31990}, Tags: nostr.TagMap{"k": ks}, Limit: 100}
		}},
		{"1996 kinds", func(int) nostr.Filter { return nostr.Filter{Kinds: append(wide, 7000, 31990), Limit: 100} }},
		{"1996 kinds since", func(int) nostr.Filter {
			return nostr.Filter{Kinds: append(wide, 7000, 31990), Since: &recent, Limit: 100}
		}},
		{"rare kinds of many", func(int) nostr.Filter {
			return nostr.Filter{Kinds: append(rangeOf(5000, 5300), rangeOf(5301, 6300)...), Limit: 100}
		}},
		{"one kind", func(int) nostr.Filter { return nostr.Filter{Kinds: []int{6300}, Limit: 100} }},
		{"author", func(i int) nostr.Filter { return nostr.Filter{Authors: []string{provider(i)}, Limit: 100} }},
		{"author+kinds", func(i int) nostr.Filter {
			return nostr.Filter{Authors: []string{provider(i)}, Kinds: []int{6300, 7000}, Limit: 100}
		}},
		{"1500 authors 100 kinds", func(int) nostr.Filter { return nostr.Filter{Authors: many, Kinds: hundred, Limit: 100} }},
		{"1500 authors", func(int) nostr.Filter { return nostr.Filter{Authors: many, Limit: 100} }},
		{"window", func(int) nostr.Filter { return nostr.Filter{Since: &middle, Until: &after, Limit: 100} }},
		{"100 ids", func(i int) nostr.Filter {
			f := nostr.Filter{Limit: 100}
			for n := range 100 {
				f.IDs = append(f.IDs, request(i*100+n))
			}
			return f
		}},
	}
}

func rangeOf(from, to int) (kinds []int) {
	for k := from; k < to; k++ {
		kinds = append(kinds, k)
	}
	return kinds
}

func filledStore(b *testing.B) *filled {
	b.Helper()
	benchWasFilled.Store(true)
	s, err := benchStore()
	if err != nil {
		b.Fatal(err)
	}
	return s
}

func BenchmarkQuery(b *testing.B) {
	s := filledStore(b)
	for _, shape := range shapes(s.w) {
		b.Run(shape.name, func(b *testing.B) {
			found := 0
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				for _, err := range s.Query(context.Background(), shape.make(i)) {
					if err != nil {
						b.Fatal(err)
					}
					found++
				}
			}
			b.ReportMetric(float64(found)/float64(b.N), "events/op")
		})
	}
}

func BenchmarkCount(b *testing.B) {
	s := filledStore(b)
	for _, shape := range shapes(s.w) {
		b.Run(shape.name, func(b *testing.B) {
			for i := 0; b.Loop(); i++ {
				if _, err := s.Count(context.Background(), shape.make(i)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkSave measures one event when groups of the given size come in at once, each synced.
func BenchmarkSave(b *testing.B) {
	for _, size := range []int{1, 16, 64, 256, 512} {
		b.Run(strconv.Itoa(size), func(b *testing.B) {
			o := store.DefaultOptions()
			o.Dir, o.FreeFloor = b.TempDir(), 0
			s, err := store.Open(o)
			if err != nil {
				b.Fatal(err)
			}
			ctx, cancel := context.WithCancel(context.Background())
			ran := make(chan error, 1)
			go func() { ran <- s.Run(ctx) }()
			w := newTraffic()
			b.ResetTimer()
			for done := 0; done < b.N; done += size {
				b.StopTimer()
				batch := make([]*nip90.Parsed, min(size, b.N-done))
				for i := range batch {
					if batch[i], err = w.parsed(); err != nil {
						b.Fatal(err)
					}
				}
				b.StartTimer()
				pending := make([]*store.Pending, len(batch))
				for i, p := range batch {
					if pending[i], err = s.Submit(ctx, p); err != nil {
						b.Fatal(err)
					}
				}
				for _, p := range pending {
					if _, _, err := p.Wait(ctx); err != nil {
						b.Fatal(err)
					}
				}
			}
			b.StopTimer()
			cancel()
			if err := <-ran; err != nil {
				b.Fatal(err)
			}
			if err := s.Close(); err != nil {
				b.Fatal(err)
			}
		})
	}
}
