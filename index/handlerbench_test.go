package index

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"dvmrelay/nip90"
	"dvmrelay/store"
	"dvmrelay/store/storetest"

	"github.com/nbd-wtf/go-nostr"
)

// BenchmarkProviders measures views over 880 providers, 165 of them at work, and a month of 20,000 jobs.
func BenchmarkProviders(b *testing.B) {
	const monthSeconds = 30 * 86400
	clock := &clock{}
	clock.at.Store(epoch + monthSeconds)
	x := New(Options{KeepCustomer: true, Now: clock.Now})
	s := storetest.Open(b, storetest.With(func(o *store.Options) { o.Indexer, o.Now, o.SweepEvery = x, clock.Now, time.Hour }))
	rng := rand.New(rand.NewPCG(1, 2))
	var events []nostr.Event
	kinds := []int{5300, 5300, 5300, 5300, 5300, 5300, 5300, 5050, 5100, 5002}
	for i := range 880 {
		name := fmt.Sprint("p", i)
		for v := range int64(3) {
			events = append(events, announce(name, "x", "Provider "+name, -v*1000, fmt.Sprint(kinds[i%len(kinds)])))
		}
		events = append(events, event(name, 0, 1, `{"name":"`+name+`","picture":"https://x.example/p.png","lud16":"p@x.example"}`),
			event(name, 10002, 1, "", tag("r", "wss://one.example")), event("fan", 31989, int64(i), "", tag("d", fmt.Sprint(i)), tag("a", "31990:"+key(name)+":x")))
	}
	for i := range 20_000 {
		at := rng.Int64N(monthSeconds)
		p := rng.IntN(165)
		job := event(fmt.Sprint("c", rng.IntN(300)), kinds[p%len(kinds)], at, "", tag("nonce", fmt.Sprint(i)), tag("i", "x", "text"))
		events = append(events, job, event(fmt.Sprint("p", p), job.Kind+1000, at+rng.Int64N(60), "done", tag("e", job.ID)))
	}
	work := make(chan nostr.Event)
	var group sync.WaitGroup
	for range 64 {
		group.Go(func() {
			for e := range work {
				if _, _, err := s.Save(context.Background(), storetest.Parsed(b, e)); err != nil {
					b.Error(err)
				}
			}
		})
	}
	for _, e := range events {
		work <- e
	}
	close(work)
	group.Wait()
	run := func(name string, ask func(store.Reader) error) {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if err := s.View(ask); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	p7, _ := nip90.ParsePubKey(key("p7"))
	run("first-table", func(v store.Reader) error {
		l := lens{Reader: v, x: New(x.o), now: x.now(0)}
		_, err := l.tabulate()
		return err
	})
	for _, by := range HandlerSorts() {
		run("handlers-"+by, func(v store.Reader) error { _, err := x.Handlers(v, HandlerQuery{Sort: by}); return err })
	}
	run("handlers-200", func(v store.Reader) error { _, err := x.Handlers(v, HandlerQuery{Limit: 200}); return err })
	run("handlers-words", func(v store.Reader) error { _, err := x.Handlers(v, HandlerQuery{Q: "provider p7"}); return err })
	run("providers", func(v store.Reader) error { _, err := x.ProviderPage(v, ProviderQuery{Limit: 200}); return err })
	run("provider", func(v store.Reader) error { _, _, err := x.Provider(v, p7); return err })
	run("handler", func(v store.Reader) error {
		_, _, err := x.Handler(v, nip90.Address{Kind: 31990, PubKey: p7, D: "x"})
		return err
	})
	run("checkup", func(v store.Reader) error { _, _, err := x.Checkup(v, p7); return err })
	run("up", func(v store.Reader) error { _, err := x.Up(v, p7); return err })
	run("kinds", func(v store.Reader) error { _, err := x.Kinds(v, KindQuery{}); return err })
	run("kind", func(v store.Reader) error { _, _, err := x.KindDetail(v, 5300, KindQuery{}); return err })
	run("table", func(v store.Reader) error {
		l := lens{Reader: v, x: x, now: x.now(0)}
		_, err := l.tabulate()
		return err
	})
}
