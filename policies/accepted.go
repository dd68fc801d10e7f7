package policies

import (
	"slices"
)

// AcceptedKinds are kinds that may enter under one name and condition.
type AcceptedKinds struct {
	Ranges []KindRange
	Name   string // empty for what only the operator's list names
	When   Condition
	Gated  bool // read only by author and by whom they name. NIP-42
}

// Accepted lists the kinds that may enter, in the order of the table, as presets and lists have it now.
func (k *Kinds) Accepted() []AcceptedKinds {
	var all []AcceptedKinds
	for _, r := range k.spans() {
		row, when := k.find(r.From)
		if !when.mayEnter() {
			continue
		}
		i := slices.IndexFunc(all, func(a AcceptedKinds) bool { return a.Name == row.Name && a.When == when && a.Gated == row.Gated })
		if i < 0 {
			i = len(all)
			all = append(all, AcceptedKinds{Name: row.Name, When: when, Gated: row.Gated})
		}
		one := &all[i]
		if n := len(one.Ranges); n > 0 && one.Ranges[n-1].To+1 == r.From {
			one.Ranges[n-1].To = r.To
		} else {
			one.Ranges = append(one.Ranges, r)
		}
	}
	place := func(a AcceptedKinds) int {
		if i := slices.IndexFunc(k.rows, func(r KindRow) bool { return a.Name != "" && r.Name == a.Name }); i >= 0 {
			return i
		}
		return len(k.rows)
	}
	slices.SortStableFunc(all, func(a, b AcceptedKinds) int { return place(a) - place(b) })
	return all
}

// spans cut all kinds into stretches in which every kind is decided alike, in their order.
func (k *Kinds) spans() []KindRange {
	cuts := []int{0, maxKind + 1}
	add := func(r KindRange) { cuts = append(cuts, r.From, r.To+1) }
	for _, r := range k.rows {
		add(r.KindRange)
	}
	for _, r := range k.o.Allow {
		add(r)
	}
	for _, r := range k.o.Deny {
		add(r)
	}
	slices.Sort(cuts)
	cuts = slices.Compact(cuts)
	spans := make([]KindRange, 0, len(cuts))
	for i := 0; i+1 < len(cuts); i++ {
		spans = append(spans, KindRange{cuts[i], cuts[i+1] - 1})
	}
	return spans
}

// Words says under which condition a kind enters; empty when there is none.
func (c Condition) Words() string {
	switch c {
	case Handler:
		return "naming a job kind, or by a known provider"
	case Recommendation:
		return "for a job kind, or of a handler known here"
	case Withdrawal:
		return "by the author, naming something known here or a kind of jobs"
	case KnownAuthor:
		return "of known providers and customers"
	case Payment:
		return "naming a known event, or paying a known provider"
	case Reputation:
		return "about a known provider, or naming a known result"
	}
	return ""
}
