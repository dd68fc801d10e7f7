package policies

import (
	"context"
	"fmt"
	"math/bits"
	"strconv"

	"dvmrelay/nip90"

	"github.com/nbd-wtf/go-nostr"
)

// powRule asks for work on a socket: minBits leading zero bits of the id, and as many committed in the nonce tag, so
// that luck does not count as work. NIP-13.
func powRule(minBits int) func(context.Context, *nip90.Parsed) error {
	return func(_ context.Context, p *nip90.Parsed) error {
		if minBits <= 0 || p.Door != nip90.DoorSocket {
			return nil
		}
		if have := leadingZeroBits(p.ID); have < minBits {
			return Refuse(PoW, fmt.Sprintf("%d bits of work needed, the id has %d", minBits, have))
		}
		target, ok := committedWork(p.Event.Tags)
		if !ok {
			return Refuse(PoW, fmt.Sprintf("%d bits of work needed, the nonce tag commits to no target", minBits))
		}
		if target < minBits {
			return Refuse(PoW, fmt.Sprintf("%d bits of work needed, the nonce tag commits to %d", minBits, target))
		}
		return nil
	}
}

func leadingZeroBits(id nip90.ID) int {
	n := 0
	for _, b := range id {
		n += bits.LeadingZeros8(b)
		if b != 0 {
			break
		}
	}
	return n
}

// committedWork is the third element of the nonce tag.
func committedWork(tags nostr.Tags) (int, bool) {
	for _, tag := range tags {
		if len(tag) >= 3 && tag[0] == "nonce" {
			n, err := strconv.Atoi(tag[2])
			return n, err == nil
		}
	}
	return 0, false
}
