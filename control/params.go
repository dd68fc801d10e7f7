package control

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"dvmrelay/index"
	"dvmrelay/nip90"
)

// params reads a query and keeps the first fault.
type params struct {
	query url.Values
	err   error
}

func (p *params) fault(name, text, wanted string) {
	if p.err == nil {
		p.err = fmt.Errorf("%w: %s: %q: must be %s", ErrUsage, name, text, wanted)
	}
}

func (p *params) number(name string, lo, hi int64) int64 {
	text := p.query.Get(name)
	if text == "" {
		return 0
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < lo || n > hi {
		p.fault(name, text, fmt.Sprintf("a number from %d to %d", lo, hi))
	}
	return n
}

func (p *params) flag(name string) *bool {
	text := p.query.Get(name)
	if text == "" {
		return nil
	}
	on, err := strconv.ParseBool(text)
	if err != nil {
		p.fault(name, text, "true or false")
	}
	return &on
}

func (p *params) word(name string, words ...string) string {
	text := p.query.Get(name)
	if text == "" {
		return ""
	}
	for _, w := range words {
		if w == text {
			return text
		}
	}
	p.fault(name, text, fmt.Sprintf("one of %v", words))
	return ""
}

// key is a public key in any of its forms.
func (p *params) key(name string) (pk nip90.PubKey) {
	text := p.query.Get(name)
	if text == "" {
		return pk
	}
	ref, err := nip90.ParseReference(text)
	if err != nil || ref.PubKey.IsZero() {
		p.fault(name, text, "a public key (hex, npub or nprofile)")
	}
	return ref.PubKey
}

// kinds are all values of a parameter that may be repeated, or hold several with commas between.
func (p *params) kinds(name string) (kinds []int) {
	for _, text := range p.query[name] {
		for part := range strings.SplitSeq(text, ",") {
			n, err := strconv.Atoi(strings.TrimSpace(part))
			if err != nil || n < 0 || n > 65535 {
				p.fault(name, text, "kinds from 0 to 65535")
				return nil
			}
			kinds = append(kinds, n)
		}
	}
	return kinds
}

// window is a stretch of time, by its name or by its ends in unix seconds; a day when nothing is said.
func (p *params) window(now time.Time) (name string, since, until int64) {
	name = p.word("window", "1h", "24h", "7d", "30d", "all")
	since, until = p.number("since", 0, 1<<62), p.number("until", 0, 1<<62)
	switch {
	case p.err != nil:
		return name, since, until
	case name != "" && (since != 0 || until != 0):
		p.err = fmt.Errorf("%w: window stands in place of since and until, not beside them", ErrUsage)
	case name == "" && since == 0 && until == 0:
		name = "24h"
	}
	if name != "" {
		since = index.WindowStart(name, now)
	}
	if until == 0 {
		until = now.Unix()
	}
	if p.err == nil && since > until {
		p.err = fmt.Errorf("%w: since must not be later than until", ErrUsage)
	}
	return name, since, until
}
