package policies

import (
	"context"
	"fmt"
	"unicode/utf8"

	"dvmrelay/nip90"
)

// contentRule refuses content of more than so many characters, the unit of NIP-11; 0 = any length.
func contentRule(most int) func(context.Context, *nip90.Parsed) error {
	return func(_ context.Context, p *nip90.Parsed) error {
		if most == 0 || len(p.Event.Content) <= most {
			return nil
		}
		if n := utf8.RuneCountInString(p.Event.Content); n > most {
			return Refuse(Invalid, fmt.Sprintf("content of %d characters is too long, at most %d are accepted", n, most))
		}
		return nil
	}
}
