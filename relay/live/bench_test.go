package live_test

import (
	"fmt"
	"runtime"
	"testing"

	"dvmrelay/relay/live"

	"github.com/nbd-wtf/go-nostr"
)

// silent is a sink that does nothing, so that only the finding is measured.
type silent struct{ n int }

func (s *silent) Deliver(*live.Subscription, live.Event) { s.n++ }

// mixed fills an index the way real clients do: 65 % wait for answers to a job of theirs, 25 % for what is addressed to
// them, 10 % (2 % of them with 2,000 kinds) for all jobs of a kind.
func mixed(b testing.TB, n int) *live.Index {
	x := live.New(live.Options{})
	wide := make([]int, 0, 2000)
	for k := 5000; k < 7000; k++ {
		wide = append(wide, k)
	}
	for i := range n {
		var f nostr.Filter
		switch r := i % 100; {
		case r < 65:
			f = nostr.Filter{Kinds: []int{6300, 7000}, Tags: nostr.TagMap{"e": {hexOf(1_000_000 + i)}}}
		case r < 90:
			f = nostr.Filter{Kinds: []int{6300, 7000}, Tags: nostr.TagMap{"p": {hexOf(2_000_000 + i)}}, Since: stamp(1)}
		case i%500 == 99:
			f = nostr.Filter{Kinds: wide, Since: stamp(1)}
		default:
			f = nostr.Filter{Kinds: []int{5999, 5000 + i/10%900}, Since: stamp(1)}
		}
		add(b, x, new(silent), fmt.Sprint(i), live.Filter{Filter: f})
	}
	return x
}

func BenchmarkPublish(b *testing.B) {
	for _, n := range []int{0, 10_000} {
		x := mixed(b, n)
		for _, bb := range []struct {
			name string
			e    live.Event
		}{
			{"feedback", event(1, 2, 7000, 10, nostr.Tag{"e", hexOf(1_000_001), "wss://relay.example"}, nostr.Tag{"p", hexOf(2_000_066)}, nostr.Tag{"status", "processing"})},
			{"request", event(1, 2, 5300, 10, nostr.Tag{"p", hexOf(2_000_067)}, nostr.Tag{"i", "text", "text"}, nostr.Tag{"relays", "wss://relay.example"})},
			{"announcement", event(1, 2, 31990, 10, nostr.Tag{"d", "x"}, nostr.Tag{"k", "5300"})},
		} {
			b.Run(fmt.Sprintf("subscriptions=%d/%s", n, bb.name), func(b *testing.B) {
				b.ReportAllocs()
				delivered := 0
				for b.Loop() {
					delivered = x.Publish(bb.e)
				}
				b.ReportMetric(float64(delivered), "deliveries")
			})
		}
	}
}

// BenchmarkSubscriptionMemory reports what one subscription of the mix keeps, in bytes.
func BenchmarkSubscriptionMemory(b *testing.B) {
	const n = 10_000
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	for b.Loop() {
		before := heap()
		x := mixed(b, n)
		b.ReportMetric(float64(heap()-before)/n, "bytes/subscription")
		runtime.KeepAlive(x)
	}
}

func BenchmarkAddRemove(b *testing.B) {
	x := mixed(b, 10_000)
	values := make([]string, 1000)
	for i := range values {
		values[i] = hexOf(3_000_000 + i)
	}
	for name, f := range map[string]nostr.Filter{
		"one e":   {Kinds: []int{6300, 7000}, Tags: nostr.TagMap{"e": {hexOf(77)}}},
		"1,000 e": {Kinds: []int{6300, 7000}, Tags: nostr.TagMap{"e": values}},
		"a kind":  {Kinds: []int{5300}},
	} {
		filters := []live.Filter{{Filter: f}}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				sub, err := x.Add(nil, "s", filters)
				if err != nil {
					b.Fatal(err)
				}
				x.Remove(sub)
			}
		})
	}
}
