package mirror

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Budget is what one upstream may make this relay read. Beyond it, reading waits, so that the upstream feels it on its own
// socket; nothing is dropped. 0 = no bound.
type Budget struct {
	BytesPerSecond  int64 // of messages
	EventsPerSecond int   // wanted or not
}

// burst is how many seconds' worth of a budget may be read at once, when an upstream was quiet before.
const burst = 10

// skipFactor is how many times longer than may be read a message may be and still be passed over. Beyond that the
// connection ends.
const skipFactor = 16

// The configured bounds that are not 0 are at least these: below them an upstream could not be read at all.
const (
	minMessageBytes    = 64 << 10
	minBytesPerSecond  = 64 << 10
	minEventsPerSecond = 10
)

// Budget is that of these options.
func (o Options) Budget() Budget { return Budget{o.BytesPerSecond, o.EventsPerSecond} }

// validateBudget returns every fault of the keys that bound an upstream.
func (o Options) validateBudget() error {
	var faults []error
	for _, k := range []struct {
		key        string
		is, atMost int64
	}{
		{"message_bytes", o.MaxMessageBytes, minMessageBytes},
		{"bytes_per_second", o.BytesPerSecond, minBytesPerSecond},
		{"events_per_second", int64(o.EventsPerSecond), minEventsPerSecond},
	} {
		if k.is != 0 && k.is < k.atMost {
			faults = append(faults, fmt.Errorf("mirror.%s: %d: must be 0 or at least %d", k.key, k.is, k.atMost))
		}
	}
	return errors.Join(faults...)
}

// ReloadBudget replaces Options.BytesPerSecond and EventsPerSecond, for every upstream and at once.
func (m *Mirror) ReloadBudget(b Budget) { m.budget.Store(&b) }

// fairShare is how many bytes of one upstream may be on their way to the sink: a quarter of what all may. What is larger
// weighs as much.
func (m *Mirror) fairShare() int64 { return m.o.pace.bytes / 4 }

// meter is a token bucket. Who reads takes what has come and then waits until that is paid for. The zero value is full.
type meter struct {
	mu   sync.Mutex // guards below
	used float64
	at   time.Time // when used was right; in the future while somebody waits
}

// take pays for n at a rate per second, and returns how long to wait first. A rate of 0 costs nothing.
func (b *meter) take(now time.Time, n int64, rate float64) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	if rate <= 0 {
		return 0
	}
	if d := now.Sub(b.at); d > 0 {
		b.used, b.at = max(0, b.used-d.Seconds()*rate), now
	}
	b.used += float64(n)
	over := b.used - burst*rate
	if over <= 0 {
		return 0
	}
	wait := time.Duration(over / rate * float64(time.Second))
	b.used, b.at = burst*rate, b.at.Add(wait) // the wait pays for it, whatever the clock says then
	return wait
}

// pay waits until what has come is within the budget. It says false when ctx ended first.
func (u *upstream) pay(ctx context.Context, bytes int64, event bool) bool {
	u.tally.update(func(s *Status) { s.Bytes += uint64(bytes) })
	now, b := u.m.now(), u.m.budget.Load()
	wait := u.bytes.take(now, bytes, float64(b.BytesPerSecond))
	if event {
		wait = max(wait, u.events.take(now, 1, float64(b.EventsPerSecond)))
	}
	if wait == 0 {
		return true
	}
	ok := sleep(ctx, wait)
	u.tally.update(func(s *Status) { s.slowed += wait })
	return ok
}
