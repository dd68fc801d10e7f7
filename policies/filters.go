package policies

import (
	"context"
	"fmt"

	"github.com/nbd-wtf/go-nostr"
)

// CheckFilters decides whether the filters of one REQ, COUNT or NEG-OPEN are served. It returns nil or a *Rejection, which is
// counted. Limits.Bound sets the limit afterwards.
func (s *Set) CheckFilters(ctx context.Context, filters []nostr.Filter) error {
	l := s.Limits()
	if n := len(filters); l.Filters > 0 && n > l.Filters {
		s.counts.add(nameFilters)
		return Refuse(Invalid, fmt.Sprintf("%d filters are too many, at most %d are served: open several subscriptions", n, l.Filters))
	}
	for i := range filters {
		if err := s.CheckFilter(ctx, filters[i]); err != nil {
			return err
		}
	}
	return nil
}

// CheckFilter is CheckFilters for one filter.
func (s *Set) CheckFilter(_ context.Context, f nostr.Filter) error {
	if err := checkFields(s.Limits(), f); err != nil {
		s.counts.add(nameFilters)
		return err
	}
	if f.Search == "" {
		return nil
	}
	if _, err := ParseSearch(f.Search); err != nil {
		s.counts.add(nameSearch)
		return err
	}
	return nil
}

func checkFields(l Limits, f nostr.Filter) error {
	if f.Limit < 0 {
		return Refuse(Invalid, fmt.Sprintf("limit is %d, it must not be negative", f.Limit))
	}
	if l.Values <= 0 {
		return nil
	}
	tooMany := func(field string, n int) error {
		if n <= l.Values {
			return nil
		}
		return Refuse(Invalid, fmt.Sprintf("%d values in %q are too many, at most %d are served: split the filter", n, field, l.Values))
	}
	if err := tooMany("ids", len(f.IDs)); err != nil {
		return err
	}
	if err := tooMany("authors", len(f.Authors)); err != nil {
		return err
	}
	if err := tooMany("kinds", len(f.Kinds)); err != nil {
		return err
	}
	for name, values := range f.Tags {
		if err := tooMany("#"+cut(name, 8), len(values)); err != nil {
			return err
		}
	}
	return nil
}

// cut shortens what a stranger wrote before it is quoted back.
func cut(s string, runes int) string {
	n := 0
	for i := range s {
		if n == runes {
			return s[:i] + "..."
		}
		n++
	}
	return s
}
