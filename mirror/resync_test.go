package mirror

import (
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// BenchmarkResync brings the one event in a hundred that is missing here, by NIP-77 and page by page, and reports the bytes
// of the wire in both directions. DVMRELAY_BENCH_EVENTS is how many events the relay has; each is as long as the real events
// are on average.
func BenchmarkResync(b *testing.B) {
	const (
		missing   = 100
		realBytes = 1460
	)
	n := 2_000
	if s := os.Getenv("DVMRELAY_BENCH_EVENTS"); s != "" {
		var err error
		if n, err = strconv.Atoi(s); err != nil || n < minHeld*2 {
			b.Fatalf("DVMRELAY_BENCH_EVENTS=%q is no number from %d up", s, minHeld*2)
		}
	}
	g := &negRig{relay: newFake(b), now: time.Now().Unix()}
	serveNeg(g.relay).frame = 500_000
	g.relay.maxLimit = 500
	month := int64(30 * 86400)
	for i := range int64(n) {
		e := job(5300, g.now-1000-i*(month-2000)/int64(n))
		e.Content = strings.Repeat("x", realBytes-len(e.String())-8) + strconv.FormatInt(i, 10)
		e.ID = e.GetID()
		g.events = append(g.events, e)
	}
	g.relay.publish(g.events...)
	for _, how := range []struct{ name, info string }{{"negentropy", offers77}, {"req", `{}`}} {
		b.Run(how.name, func(b *testing.B) {
			g.relay.info = how.info
			var in, out int64
			for b.Loop() {
				b.StopTimer()
				g.sink = newSink()
				g.hold = &holdings{sink: g.sink}
				for i, e := range g.events {
					if i%missing != 0 {
						g.sink.put(b, e)
					}
				}
				b.StartTimer()
				// kinds as the mirror asks for them: the filter is part of the price
				rep, err := g.sync(b.Context(), SyncOptions{Options: Options{Kinds: DefaultKinds(), pace: syncPace()}, Since: g.now - month})
				if err != nil || g.sink.len() != n {
					b.Fatalf("%d events here, report %+v: %v", g.sink.len(), rep, err)
				}
				in, out = in+rep.BytesIn, out+rep.BytesOut
			}
			b.ReportMetric(float64(in)/float64(b.N), "bytes-in/op")
			b.ReportMetric(float64(out)/float64(b.N), "bytes-out/op")
			b.ReportMetric(float64(n), "events")
		})
	}
}
