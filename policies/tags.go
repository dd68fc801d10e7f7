package policies

import (
	"context"
	"fmt"

	"dvmrelay/nip90"
)

// tagRule refuses more tags than maxTags (0 = any number), tags without a name, and a `d` without a value.
func tagRule(maxTags int) func(context.Context, *nip90.Parsed) error {
	return func(_ context.Context, p *nip90.Parsed) error {
		if n := len(p.Event.Tags); maxTags > 0 && n > maxTags {
			return Refuse(Invalid, fmt.Sprintf("%d tags are too many, at most %d are accepted", n, maxTags))
		}
		for i, tag := range p.Event.Tags {
			if len(tag) == 0 || tag[0] == "" {
				return Refuse(Invalid, fmt.Sprintf("tag %d has no name", i+1))
			}
			// khatru reads the value of "d" unchecked; a bare ["d"] would end the process.
			if tag[0] == "d" && len(tag) < 2 {
				return Refuse(Invalid, fmt.Sprintf("tag %d, \"d\", has no value", i+1))
			}
		}
		return nil
	}
}
