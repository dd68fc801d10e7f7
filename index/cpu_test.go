//go:build unix

package index

import (
	"fmt"
	"syscall"
	"testing"

	"dvmrelay/store"
	"dvmrelay/store/storetest"
)

// cpuTime is what this process has cost so far, in nanoseconds of CPU.
func cpuTime() int64 {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u) // cannot fail with these arguments
	return u.Utime.Nano() + u.Stime.Nano()
}

// BenchmarkIngest reports what an event costs the whole process, with and without the index: a job, two feedbacks, a result,
// in groups as the writer makes them, without sync, sockets and signatures.
func BenchmarkIngest(b *testing.B) {
	for _, indexed := range []bool{false, true} {
		b.Run(fmt.Sprint("index=", indexed), func(b *testing.B) {
			s := storetest.Open(b, storetest.With(func(o *store.Options) {
				if indexed {
					o.Indexer = New(Options{KeepCustomer: true})
				}
			}))
			events := ordinary(b)
			b.ResetTimer()
			before := cpuTime()
			submitAll(b, s, events[:b.N])
			b.StopTimer()
			b.ReportMetric(float64(cpuTime()-before)/float64(b.N), "cpu-ns/op")
		})
	}
}
