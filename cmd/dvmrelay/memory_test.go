package main

import (
	"context"
	"math"
	"runtime"
	"runtime/debug"
	"testing"
)

func TestMemoryLimit_FollowsWhatIsLive(t *testing.T) {
	for _, c := range []struct {
		name string
		live uint64
		want int64
	}{
		{"nothing", 0, baseMemory},
		{"a small relay", 60 << 20, baseMemory},
		{"a busy relay", 1 << 30, 3<<29 + spareMemory},
	} {
		if got := memoryLimit(c.live); got != c.want {
			t.Errorf("%s: got %d, want %d", c.name, got, c.want)
		}
	}
}

func TestBoundMemory_LeavesTheOperatorsLimitAlone(t *testing.T) {
	before := debug.SetMemoryLimit(math.MaxInt64 - 1)
	defer debug.SetMemoryLimit(before)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := boundMemory(true)(ctx); err != nil {
		t.Fatal(err)
	}
	if got := debug.SetMemoryLimit(-1); got != math.MaxInt64-1 {
		t.Errorf("got limit %d, want it untouched", got)
	}
	if err := boundMemory(false)(ctx); err != nil {
		t.Fatal(err)
	}
	if got := debug.SetMemoryLimit(-1); got != math.MaxInt64-1 {
		t.Errorf("got limit %d after the end, want what it was", got)
	}
	runtime.GC()
	if live, held := goMemory(); live == 0 || held < live {
		t.Errorf("got %d bytes live of %d held", live, held)
	}
}
