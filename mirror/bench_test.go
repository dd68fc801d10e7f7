//go:build unix

package mirror_test

import (
	"os"
	"runtime"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"dvmrelay/mirror"
	"dvmrelay/store"
)

const envBench = "DVMRELAY_BENCH_EVENTS"

// benchEvents are of the kinds that are mirrored, each to be stored: so many, or as the environment says.
func benchEvents(b *testing.B) []*stocked {
	b.Helper()
	n := 1000
	if s := os.Getenv(envBench); s != "" {
		var err error
		if n, err = strconv.Atoi(s); err != nil || n < 100 {
			b.Fatalf("%s: %q is no number from 100 up", envBench, s)
		}
	}
	all := newWorld(1, n, time.Now().Unix()).past(b, n+n/4)
	wanted := set(kept(all, jobKinds()))
	all = slices.DeleteFunc(all, func(e *stocked) bool { return !wanted[e.ID] })
	return all[:min(n, len(all))]
}

// jobKinds are those that are taken whatever came before.
func jobKinds() []int {
	return slices.DeleteFunc(mirror.DefaultKinds(), func(k int) bool { return k >= 10_000 })
}

// onDisk makes a hub's store sync as it does by default.
func onDisk(o *store.Options) { o.Sync = store.SyncBatch }

// expense is what was used until a moment.
type expense struct {
	at      time.Time
	cpu     time.Duration // user and system, of the whole process
	mallocs uint64
}

func spent(b *testing.B) expense {
	b.Helper()
	var ru syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &ru); err != nil {
		b.Fatal(err)
	}
	var ms runtime.MemStats
	runtime.ReadMemStats(&ms)
	return expense{time.Now(), time.Duration(ru.Utime.Nano() + ru.Stime.Nano()), ms.Mallocs}
}

// costs adds up what runs of a benchmark took.
type costs struct {
	wall, cpu time.Duration
	mallocs   uint64
	events    int
}

func (c *costs) add(from, to expense, events int) {
	c.wall += to.at.Sub(from.at)
	c.cpu += to.cpu - from.cpu
	c.mallocs += to.mallocs - from.mallocs
	c.events += events
}

func (c *costs) report(b *testing.B, each string) {
	b.Helper()
	n := float64(c.events)
	b.ReportMetric(0, "ns/op") // a run's time says nothing
	b.ReportMetric(n/c.wall.Seconds(), each+"s/s")
	b.ReportMetric(float64(c.cpu.Microseconds())/n, "cpu-µs/"+each)
	b.ReportMetric(float64(c.mallocs)/n, "allocs/"+each)
}

// stocks makes n upstreams that hold the same.
func stocks(b *testing.B, n int, events []*stocked) (all []*memRelay) {
	b.Helper()
	for range n {
		all = append(all, newMemRelay(b, 500, events))
	}
	return all
}

// BenchmarkMirror_OneUpstream reads a past of events that are all new. What the upstream uses is counted too, here and
// below: it is the same process.
func BenchmarkMirror_OneUpstream(b *testing.B) { benchMirror(b, 1) }

// BenchmarkMirror_TenUpstreams reads one past from ten at once: nine of ten events are duplicates. Events are counted as
// they come.
func BenchmarkMirror_TenUpstreams(b *testing.B) { benchMirror(b, 10) }

func benchMirror(b *testing.B, n int) {
	events := benchEvents(b)
	var c costs
	for range b.N {
		all := stocks(b, n, events)
		h := newHub(b, onDisk)
		from := spent(b)
		m, _ := h.mirrors(all)
		h.reads(m)
		c.add(from, spent(b), n*len(events))
		accepted, duplicates := received(m)
		if accepted != len(events) || accepted+duplicates < n*len(events) {
			b.Fatalf("%d events accepted and %d duplicates, of %d from each of %d upstreams", accepted, duplicates, len(events), n)
		}
	}
	c.report(b, "event")
}

// BenchmarkMirror_Duplicate is nine upstreams with nothing that is not here already.
func BenchmarkMirror_Duplicate(b *testing.B) {
	events := benchEvents(b)
	var c costs
	for range b.N {
		all := stocks(b, 10, events)
		h := newHub(b, onDisk)
		m, _ := h.mirrors(all[:1])
		h.reads(m)
		_, before := received(m)
		var urls []string
		for _, r := range all {
			urls = append(urls, r.addr())
		}
		from := spent(b)
		m.Reload(urls)
		h.reads(m)
		accepted, duplicates := received(m)
		c.add(from, spent(b), duplicates-before)
		if accepted != len(events) || duplicates-before < 9*len(events) {
			b.Fatalf("%d events accepted and %d duplicates, of %d from each of 10 upstreams", accepted, duplicates, len(events))
		}
	}
	c.report(b, "duplicate")
}

// reads waits until the past of all upstreams is here.
func (h *hub) reads(m *mirror.Mirror) {
	h.t.Helper()
	deadline := time.Now().Add(30 * time.Minute)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !whole(m) {
		if time.Now().After(deadline) {
			h.t.Fatal("the past is not read within half an hour")
		}
		<-tick.C
	}
}

func received(m *mirror.Mirror) (accepted, duplicates int) {
	for _, u := range m.Upstreams() {
		accepted += int(u.Accepted)
		duplicates += int(u.Duplicates)
	}
	return accepted, duplicates
}
