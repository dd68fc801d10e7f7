package main

import (
	"context"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// A relay on a small server must not let garbage pile up to the size of what it uses: Badger's buffers come and go in
// tens of megabytes. Below the base the collector works as usual; what is truly in use raises the limit, so that a busy
// relay never collects without end.
const (
	baseMemory  = 224 << 20
	spareMemory = 64 << 20
	memoryEvery = 5 * time.Second
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
		for {
			select {
			case <-ctx.Done():
				return nil
			case <-tick.C:
				debug.SetMemoryLimit(memoryLimit(liveHeap()))
			}
		}
	}
}

// memoryLimit is the limit for so many live bytes.
func memoryLimit(live uint64) int64 {
	return max(baseMemory, int64(live)*3/2+spareMemory)
}

// liveHeap is what the last collection found in use, in bytes.
func liveHeap() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(sample)
	if sample[0].Value.Kind() != metrics.KindUint64 {
		return 0
	}
	return sample[0].Value.Uint64()
}
