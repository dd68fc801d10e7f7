package index

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"dvmrelay/nip90"
	"dvmrelay/store"
	"dvmrelay/store/storetest"
)

// stopwatch times Apply inside the writer.
type stopwatch struct {
	*Index
	spent time.Duration
}

func (s *stopwatch) Apply(t store.Txn, f store.Fact, p *nip90.Parsed) (store.Change, error) {
	began := time.Now()
	c, err := s.Index.Apply(t, f, p)
	s.spent += time.Since(began)
	return c, err
}

// ordinary makes ordinary traffic: a job, two feedbacks, a result, and again; b.N events at least.
func ordinary(b *testing.B) []*nip90.Parsed {
	rng := rand.New(rand.NewPCG(1, 2))
	events := make([]*nip90.Parsed, 0, b.N+4)
	for i := 0; len(events) < b.N; i++ {
		job := request(fmt.Sprint("c", rng.IntN(500)), int64(i), tag("nonce", fmt.Sprint(i)))
		bob := fmt.Sprint("p", rng.IntN(100))
		events = append(events, storetest.Parsed(b, job), storetest.Parsed(b, feedback(bob, int64(i), "processing", job.ID)),
			storetest.Parsed(b, feedback(bob, int64(i+1), "payment-required", job.ID, tag("amount", "1000"))), storetest.Parsed(b, result(bob, int64(i+2), job.ID)))
	}
	return events
}

// submitAll hands events to the writer as fast as it takes them, and waits for the last.
func submitAll(b *testing.B, s *storetest.Running, events []*nip90.Parsed) {
	b.Helper()
	ctx := context.Background()
	var last *store.Pending
	for _, p := range events {
		var err error
		if last, err = s.Submit(ctx, p); err != nil {
			b.Fatal(err)
		}
	}
	if _, _, err := last.Wait(ctx); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkApply reports what folding costs per event of ordinary traffic (a job, two feedbacks, a result), in store
// groups as the writer makes them. ns/op is the whole way to disk without sync; fold-ns/op is the index's part.
func BenchmarkApply(b *testing.B) {
	w := &stopwatch{Index: New(Options{KeepCustomer: true})}
	s := storetest.Open(b, storetest.With(func(o *store.Options) { o.Indexer = w }))
	events := ordinary(b)
	b.ResetTimer()
	submitAll(b, s, events[:b.N])
	b.StopTimer()
	b.ReportMetric(float64(w.spent.Nanoseconds())/float64(b.N), "fold-ns/op")
}

// BenchmarkThreads lists the 50 newest jobs of 5,000.
func BenchmarkThreads(b *testing.B) {
	r := newRig(b, nil)
	for i := range 5000 {
		job := request(fmt.Sprint("c", i%500), int64(i))
		r.put(b, job, feedback(fmt.Sprint("p", i%50), int64(i), "processing", job.ID))
	}
	b.ResetTimer()
	for range b.N {
		if got := len(r.list(b, ThreadQuery{}).Items); got != 50 {
			b.Fatalf("got %d jobs, want 50", got)
		}
	}
}
