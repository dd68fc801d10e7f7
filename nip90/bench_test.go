package nip90

import (
	"fmt"
	"testing"

	"github.com/nbd-wtf/go-nostr"
)

// sink keeps the compiler from dropping what is measured.
var sink Message

func benchmarkParse(b *testing.B, events []*nostr.Event) {
	b.ReportAllocs()
	b.ResetTimer()
	for i := 0; b.Loop(); i++ {
		msg, err := Parse(events[i%len(events)])
		if err != nil {
			b.Fatal(err)
		}
		sink = msg
	}
}

func BenchmarkParse(b *testing.B) { benchmarkParse(b, readEvents(b, "testdata/real-events.jsonl")) }

func BenchmarkParse_ByRole(b *testing.B) {
	byRole := map[string][]*nostr.Event{}
	for _, path := range []string{"testdata/real-events.jsonl", "testdata/real-zaps.jsonl"} {
		for _, evt := range readEvents(b, path) {
			name := fmt.Sprintf("%T", mustParse(b, evt))
			byRole[name] = append(byRole[name], evt)
		}
	}
	for name, events := range byRole {
		b.Run(name, func(b *testing.B) { benchmarkParse(b, events) })
	}
}

func BenchmarkParse_TwoThousandTags(b *testing.B) {
	for _, name := range []string{"e", "p", "i", "k", ""} {
		for _, kind := range []int{5050, 6050, 7000, 31990, 5} {
			evt := ev(kind, "")
			for i := range 2000 {
				evt.Tags = append(evt.Tags, nostr.Tag{name, fmt.Sprintf("%064x", i+1), "x"})
			}
			b.Run(fmt.Sprintf("%d/%s", kind, dash(name)), func(b *testing.B) { benchmarkParse(b, []*nostr.Event{evt}) })
		}
	}
}

func BenchmarkLint(b *testing.B) {
	events := readEvents(b, "testdata/real-events.jsonl")
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		Lint(events[i%len(events)])
	}
}

func BenchmarkDecodeInvoice(b *testing.B) {
	inv := realInvoice(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := DecodeInvoice(inv); err != nil {
			b.Fatal(err)
		}
	}
}
