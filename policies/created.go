package policies

import (
	"context"
	"fmt"
	"time"

	"dvmrelay/nip90"
)

// createdRule refuses a created_at before 1970 or more than maxAhead seconds ahead of the clock; 0 = any time ahead.
func createdRule(maxAhead int, now func() time.Time) func(context.Context, *nip90.Parsed) error {
	return func(_ context.Context, p *nip90.Parsed) error {
		if p.CreatedAt < 0 {
			return Refuse(Invalid, fmt.Sprintf("created_at is %d, it must not be negative", p.CreatedAt))
		}
		if ahead := p.CreatedAt - now().Unix(); maxAhead > 0 && ahead > int64(maxAhead) {
			return Refuse(Invalid, fmt.Sprintf("created_at is %d s in the future, at most %d s are accepted: check the clock", ahead, maxAhead))
		}
		return nil
	}
}
