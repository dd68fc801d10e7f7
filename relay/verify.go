package relay

import (
	"context"
	"sync"
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
	shared  atomic.Int64 // events for which another's check stood

	mu       sync.Mutex // guards below
	underWay map[signed]*checking
	good     [2]map[signed]struct{} // the newest, and those before; found good
}

// signed is what a check is of. The id is the hash of all that is signed, the author too: whoever brings the same two
// brings the same question, and a forged signature under a true id is another one.
type signed struct {
	id  [32]byte
	sig [sigLen]byte
}

// sigLen is the length of a signature in hex. NIP-01.
const sigLen = 128

// checking is a check under way. good is set before done closes; it stays false when nothing was found out.
type checking struct {
	done chan struct{}
	good bool
	sure bool
}

// goodKept is how many good signatures each of the two generations remembers: events are found in the store a moment
// after they were checked, and what is refused for another reason may come from every upstream.
const goodKept = 4096

func newVerifier(cores int) *verifier {
	return &verifier{cores: make(chan struct{}, cores), underWay: make(map[signed]*checking), good: [2]map[signed]struct{}{{}, {}}}
}

// vouch is verify, but asks once for what many bring at the same time or one after the other. An event is never held to
// the signature of another copy.
func (v *verifier) vouch(ctx context.Context, evt *nostr.Event, id [32]byte) (bool, error) {
	if len(evt.Sig) != sigLen {
		return v.verify(ctx, evt, id)
	}
	key := signed{id, [sigLen]byte([]byte(evt.Sig))}
	for {
		c, mine, known := v.enter(key)
		if known {
			v.shared.Add(1)
			return true, nil
		}
		if mine {
			good, err := v.verify(ctx, evt, id)
			v.leave(key, c, good, err == nil)
			return good, err
		}
		select {
		case <-c.done:
		case <-ctx.Done():
			return false, ctx.Err()
		}
		if c.sure {
			v.shared.Add(1)
			return c.good, nil
		}
		// Who checked gave up; its turn is somebody else's now.
	}
}

// enter finds out what is known of a signature: that it is good, or that it is being checked, or that the caller is to
// check it.
func (v *verifier) enter(key signed) (c *checking, mine, good bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, kept := range v.good {
		if _, ok := kept[key]; ok {
			return nil, false, true
		}
	}
	if c := v.underWay[key]; c != nil {
		return c, false, false
	}
	c = &checking{done: make(chan struct{})}
	v.underWay[key] = c
	return c, true, false
}

func (v *verifier) leave(key signed, c *checking, good, sure bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	delete(v.underWay, key)
	if good && sure {
		if len(v.good[0]) >= goodKept {
			v.good[0], v.good[1] = make(map[signed]struct{}), v.good[0]
		}
		v.good[0][key] = struct{}{}
	}
	c.good, c.sure = good, sure
	close(c.done)
}

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
