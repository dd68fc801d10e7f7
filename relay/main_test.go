package relay_test

import (
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		// khatru starts a loop for every relay and has no way to end it.
		goleak.IgnoreTopFunction("github.com/fiatjaf/khatru.(*expirationManager).start"),
		// Badger's logging library flushes for ever.
		goleak.IgnoreTopFunction("github.com/golang/glog.(*fileSink).flushDaemon"),
	)
}
