package mirror

import "time"

// Hasten gives a mirror the short waits of a test. All else is as by default.
func Hasten(o Options) Options {
	o.pace = pace{}.orDefault()
	o.pace.firstRetry, o.pace.maxRetry = 50*time.Millisecond, 300*time.Millisecond
	o.pace.split, o.pace.reissue, o.pace.checkpoint = time.Millisecond, 200*time.Millisecond, 50*time.Millisecond
	return o
}
