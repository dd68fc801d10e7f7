//go:build linux

package index

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"dvmrelay/nip90"
	"dvmrelay/store"
	"dvmrelay/store/storetest"

	"github.com/nbd-wtf/go-nostr"
)

// searchBench opens a store of made-up traffic: 95 % kind 5300, three events a job. SEARCH_BENCH_JOBS says how many jobs
// (default 5,000), SEARCH_BENCH_DIR where the store is kept for the next run (default: it is not).
func searchBench(b *testing.B) (*Index, *store.Store) {
	b.Helper()
	jobs, err := strconv.Atoi(os.Getenv("SEARCH_BENCH_JOBS"))
	if err != nil {
		jobs = 5_000
	}
	dir := os.Getenv("SEARCH_BENCH_DIR")
	if dir == "" {
		dir = b.TempDir()
	}
	x := New(Options{KeepCustomer: true, Now: func() time.Time { return time.Unix(epoch+int64(jobs)+3600, 0) }})
	o := store.DefaultOptions()
	o.Dir, o.Indexer, o.Sync, o.FreeFloor = dir, x, store.SyncNone, 0
	o.SweepEvery = time.Hour
	s, err := store.Open(o)
	if err != nil {
		b.Fatalf("open store: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- s.Run(ctx) }()
	b.Cleanup(func() {
		cancel()
		if err := <-ran; err != nil {
			b.Errorf("run store: %v", err)
		}
		if err := s.Close(); err != nil {
			b.Errorf("close store: %v", err)
		}
	})
	if n, err := s.Count(ctx, nostr.Filter{}); err != nil || n > 0 {
		b.Logf("%d events are here already, %v", n, err)
		return x, s
	}
	fillForSearch(b, s, jobs)
	return x, s
}

func fillForSearch(b *testing.B, s *store.Store, jobs int) {
	b.Helper()
	ctx := context.Background()
	rng := rand.New(rand.NewPCG(1, 2))
	var last *store.Pending
	put := func(e nostr.Event) string {
		p := storetest.Parsed(b, e)
		var err error
		if last, err = s.Submit(ctx, p); err != nil {
			b.Fatalf("submit: %v", err)
		}
		return e.ID
	}
	for i := range 900 {
		put(event(fmt.Sprint("p", i), 31990, int64(i), fmt.Sprintf(`{"name":"Service %d","about":"makes pictures of foxes"}`, i), tag("d", "x"), tag("k", "5300")))
	}
	words := []string{"fox", "owl", "cat", "dog", "sun", "moon"}
	for i := range jobs {
		kind := 5300
		if rng.IntN(20) == 0 {
			kind = 5000 + rng.IntN(300)
		}
		tags := []nostr.Tag{tag("i", fmt.Sprintf("%s and %s number %d", words[rng.IntN(6)], words[rng.IntN(6)], i), "text")}
		if rng.IntN(50) == 0 {
			tags = []nostr.Tag{tag("encrypted"), tag("p", key("p1"))}
		}
		job := put(event(fmt.Sprint("c", int(rng.ExpFloat64()*100)), kind, int64(i), "", tags...))
		bob := fmt.Sprint("p", int(rng.ExpFloat64()*20))
		switch n := rng.IntN(20); {
		case n < 6:
		case n < 12:
			put(feedback(bob, int64(i+1), "processing", job))
			put(event(bob, kind+1000, int64(i+5), "done", tag("e", job)))
		case n < 14:
			put(feedback(bob, int64(i+1), "payment-required", job, tag("amount", "1000")))
			put(nutzap("c1", bob, int64(i+9), 1, strconv.Itoa(i), job))
		default:
			put(feedback(bob, int64(i+1), []string{"processing", "error", "partial"}[rng.IntN(3)], job))
			put(feedback(bob, int64(i+2), "error", job))
		}
	}
	if _, _, err := last.Wait(ctx); err != nil {
		b.Fatalf("fill: %v", err)
	}
}

// ownTime is what this thread has had of a core: on a crowded machine the wall's clock says little.
func ownTime(b *testing.B) time.Duration {
	b.Helper()
	const ofThread = 1 // RUSAGE_THREAD
	var u syscall.Rusage
	if err := syscall.Getrusage(ofThread, &u); err != nil {
		b.Fatalf("getrusage: %v", err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkSelect reports the median and the 99th percentile of whole searches, in time of one core: the selection, and the
// 500 events of it that are read.
func BenchmarkSelect(b *testing.B) {
	x, s := searchBench(b)
	p := func(n int) nip90.PubKey { return pub(b, fmt.Sprint("p", n)) }
	yes, no := true, false
	until := x.now(0) - 7200
	for _, c := range []struct {
		name string
		q    Selection
	}{
		{"state", Selection{State: "success"}},
		{"unanswered", Selection{State: "unanswered"}},
		{"stalled", Selection{State: "stalled"}},
		{"expired, none", Selection{State: "expired"}},
		{"payment", Selection{Payment: "undelivered"}},
		{"payment refunded, none", Selection{Payment: "refunded"}},
		{"payment asked, none", Selection{Payment: "asked"}},
		{"payment none", Selection{Payment: "none"}},
		{"provider", Selection{Provider: p(1)}},
		{"rare provider", Selection{Provider: p(150)}},
		{"provider in a state", Selection{Provider: p(1), State: "error"}},
		{"provider in a state, none", Selection{Provider: p(1), State: "cancelled"}},
		{"provider and payment, none", Selection{Provider: p(1), Payment: "mismatch"}},
		{"provider and customer", Selection{Provider: p(1), Customer: pub(b, "c1")}},
		{"rare pair", Selection{Provider: p(120), Customer: pub(b, "c400")}},
		{"kind", Selection{Kind: 5300}},
		{"rare kind", Selection{Kind: 5105}},
		{"rare kind in a state", Selection{Kind: 5105, State: "success"}},
		{"encrypted", Selection{Encrypted: &yes}},
		{"not encrypted", Selection{Encrypted: &no}},
		{"requests of a kind, not encrypted", Selection{Encrypted: &no, Kinds: []int{5300}}},
		{"a page back", Selection{Provider: p(1), Until: until}},
		{"since a minute", Selection{Provider: p(1), Since: x.now(0) - 3700}},
		{"online", Selection{Online: true}},
		{"word", Selection{Words: []string{"fox"}}},
		{"word, none", Selection{Words: []string{"zebra"}}},
		{"word of a provider, none", Selection{Words: []string{"zebra"}, Provider: p(1)}},
	} {
		b.Run(c.name, func(b *testing.B) {
			var took []time.Duration
			events, complete := 0, false
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			for range b.N {
				began := ownTime(b)
				snap := s.Snapshot()
				got, err := x.Select(snap, c.q)
				if err != nil {
					b.Fatalf("select: %v", err)
				}
				var ids []string
				for _, p := range got.Places[:min(len(got.Places), 500)] {
					ids = append(ids, p.ID.String())
				}
				if ids != nil {
					for _, err := range snap.Query(context.Background(), nostr.Filter{IDs: ids}) {
						if err != nil {
							b.Fatalf("query: %v", err)
						}
					}
				}
				snap.Close()
				took = append(took, ownTime(b)-began)
				events, complete = len(got.Places), got.Complete
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
			b.ReportMetric(float64(events), "found")
			whole := 0.0
			if complete {
				whole = 1
			}
			b.ReportMetric(whole, "whole")
		})
	}
}
