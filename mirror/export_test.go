package mirror

import (
	"net/netip"
	"time"
)

// LetLoopback makes options whose following dials loopback, at once.
func LetLoopback(o Options) Options {
	o.bounds = bounds{}.orDefault()
	o.bounds.poll, o.bounds.reissue = 5*time.Millisecond, time.Millisecond
	o.bounds.except = func(to netip.AddrPort) bool { return to.Addr().IsLoopback() }
	return o
}
