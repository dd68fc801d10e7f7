package main

import (
	"context"
	"sync/atomic"
	"time"

	"dvmrelay/mirror"
)

const (
	// backfillLook is how often the mirror is asked whether it still reads the past of an upstream.
	backfillLook = time.Second
	// backfillPause is how long an upstream that was lost half-way is waited for.
	backfillPause = time.Hour
)

// backfilling tells the store's writer, which must not wait for the mirror, whether children may still find their parents
// in the past of an upstream.
type backfilling struct{ on atomic.Bool }

// watch looks again and again until ctx ends.
func (b *backfilling) watch(ctx context.Context, upstreams func() []mirror.Status) error {
	tick := time.NewTicker(backfillLook)
	defer tick.Stop()
	for {
		b.on.Store(isBackfilling(upstreams(), time.Now()))
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func isBackfilling(list []mirror.Status, now time.Time) bool {
	for _, u := range list {
		if u.Backfill == nil || u.Backfill.Done {
			continue
		}
		if u.State == mirror.StateBackfilling || now.Sub(time.Unix(u.LastEventAt, 0)) < backfillPause {
			return true
		}
	}
	return false
}
