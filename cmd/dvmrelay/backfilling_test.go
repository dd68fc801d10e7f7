package main

import (
	"testing"
	"time"

	"dvmrelay/mirror"
)

func TestBackfilling_UntilThePastIsRead(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	done, under := &mirror.Backfill{Done: true}, &mirror.Backfill{Until: 5}
	for name, x := range map[string]struct {
		list []mirror.Status
		want bool
	}{
		"no upstream":       {nil, false},
		"never connected":   {[]mirror.Status{{State: mirror.StateConnecting}}, false},
		"done":              {[]mirror.Status{{State: mirror.StateLive, Backfill: done, LastEventAt: now.Unix()}}, false},
		"under way":         {[]mirror.Status{{State: mirror.StateLive, Backfill: done}, {State: mirror.StateBackfilling, Backfill: under}}, true},
		"lost a moment ago": {[]mirror.Status{{State: mirror.StateWaiting, Backfill: under, LastEventAt: now.Unix() - 60}}, true},
		"lost for long":     {[]mirror.Status{{State: mirror.StateWaiting, Backfill: under, LastEventAt: now.Unix() - 3601}}, false},
	} {
		if got := isBackfilling(x.list, now); got != x.want {
			t.Errorf("%s: %t, want %t", name, got, x.want)
		}
	}
}
