package policies

import (
	"context"
	"fmt"
	"time"

	"dvmrelay/nip90"
)

// expiredRule refuses on a socket what had expired when it came. Through other doors it passes: its fact is kept, its
// body not. NIP-40.
func expiredRule(now func() time.Time) func(context.Context, *nip90.Parsed) error {
	return func(_ context.Context, p *nip90.Parsed) error {
		if p.Door != nip90.DoorSocket || p.Expires == 0 {
			return nil
		}
		at := p.Received
		if at.IsZero() {
			at = now()
		}
		if late := at.Unix() - p.Expires; late >= 0 {
			return Refuse(Invalid, fmt.Sprintf("expired %d s before arrival", late))
		}
		return nil
	}
}
