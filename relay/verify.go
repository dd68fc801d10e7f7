package relay

import (
	"context"
	"sync/atomic"

	"dvmrelay/wire"

	"github.com/nbd-wtf/go-nostr"
)

// verifier checks signatures, as many at once as there are cores. Who has to wait is served in the order of coming; how
// many may wait is bounded by the events under way.
type verifier struct {
	cores   chan struct{}
	checked atomic.Int64
	bad     atomic.Int64
}

func newVerifier(cores int) *verifier { return &verifier{cores: make(chan struct{}, cores)} }

// verify says whether the signature of evt, whose hash is id, is good. The error is that of ctx.
func (v *verifier) verify(ctx context.Context, evt *nostr.Event, id [32]byte) (bool, error) {
	select {
	case v.cores <- struct{}{}:
	case <-ctx.Done():
		return false, ctx.Err()
	}
	defer func() { <-v.cores }()
	v.checked.Add(1)
	good := wire.VerifySignature(evt, id)
	if !good {
		v.bad.Add(1)
	}
	return good, nil
}
