package demo

import (
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		// khatru starts it with each relay and cannot end it.
		goleak.IgnoreTopFunction("github.com/fiatjaf/khatru.(*expirationManager).start"),
	)
}
