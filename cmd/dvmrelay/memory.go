package main

import (
	"context"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// A relay on a small server must not let garbage pile up to the size of what it uses: Badger's buffers come and go in
// tens of megabytes while it compacts. Below the base the collector works as usual; what is truly in use raises the
// limit, so that a busy relay never collects without end; and what a burst left behind is given back soon after.
const (
	baseMemory  = 256 << 20
	spareMemory = 64 << 20
	memoryEvery = 5 * time.Second
	giveBack    = 30 * time.Second // at most so often
)

// boundMemory keeps the Go memory limit a little above what is live, until ctx ends. A limit set by the operator
// (GOMEMLIMIT) is left alone.
func boundMemory(operator bool) func(context.Context) error {
	return func(ctx context.Context) error {
		if operator {
			<-ctx.Done()
			return nil
		}
		before := debug.SetMemoryLimit(baseMemory)
		defer debug.SetMemoryLimit(before)
		tick := time.NewTicker(memoryEvery)
		defer tick.Stop()
		var given time.Time
		for {
			select {
			case <-ctx.Done():
				return nil
			case now := <-tick.C:
				live, held := goMemory()
				if held > live+spareMemory && now.Sub(given) >= giveBack {
					// Not FreeOSMemory: giving all of it back at once holds up every allocation for tens of milliseconds. After a
					// collection the runtime returns the pages by and by.
					runtime.GC()
					given = now
					live, _ = goMemory()
				}
				debug.SetMemoryLimit(memoryLimit(live))
			}
		}
	}
}

// memoryLimit is the limit for so many live bytes.
func memoryLimit(live uint64) int64 {
	return max(baseMemory, int64(live)*3/2+spareMemory)
}

// goMemory is what the last collection found in use, and what Go holds of the system's memory, in bytes.
func goMemory() (live, held uint64) {
	sample := []metrics.Sample{
		{Name: "/gc/heap/live:bytes"}, {Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"},
	}
	metrics.Read(sample)
	for _, s := range sample {
		if s.Value.Kind() != metrics.KindUint64 {
			return 0, 0
		}
	}
	return sample[0].Value.Uint64(), sample[1].Value.Uint64() - sample[2].Value.Uint64()
}
