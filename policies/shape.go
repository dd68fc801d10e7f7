package policies

import (
	"context"
	"fmt"

	"dvmrelay/nip90"

	"github.com/nbd-wtf/go-nostr"
)

// CheckKeys refuses an event whose id, pubkey or sig is not lowercase hex of the right length. It needs no Parsed, so it
// can run before nip90.Open; it must run before a signature is verified.
func CheckKeys(evt *nostr.Event) error {
	// The C verifier copies sig and pubkey into fixed buffers; a longer one would end the process.
	for _, f := range []struct {
		name, value string
		length      int
	}{{"id", evt.ID, 64}, {"pubkey", evt.PubKey, 64}, {"sig", evt.Sig, 128}} {
		if len(f.value) != f.length {
			return Refuse(Invalid, fmt.Sprintf("%s must be %d lowercase hex characters, it has %d", f.name, f.length, len(f.value)))
		}
		if !isLowerHex(f.value) {
			return Refuse(Invalid, fmt.Sprintf("%s must be %d lowercase hex characters", f.name, f.length))
		}
	}
	return nil
}

func checkShape(_ context.Context, p *nip90.Parsed) error { return CheckKeys(p.Event) }

func isLowerHex(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}
