package policies

import (
	"context"
	"fmt"

	"dvmrelay/nip90"
)

// contentRule refuses content above maxBytes; 0 = any size.
func contentRule(maxBytes int64) func(context.Context, *nip90.Parsed) error {
	return func(_ context.Context, p *nip90.Parsed) error {
		if n := int64(len(p.Event.Content)); maxBytes > 0 && n > maxBytes {
			return Refuse(Invalid, fmt.Sprintf("content of %d bytes is too long, at most %d are accepted", n, maxBytes))
		}
		return nil
	}
}
