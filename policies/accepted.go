package policies

import "slices"

// Accepted is what may enter, as the options leave it, and what of that is refused all the same.
func (k *Kinds) Accepted() (rows []KindRow, refused []KindRange) {
	for _, r := range k.rows {
		switch {
		case r.When == Squatter, r.When == Never:
			refused = append(refused, r.KindRange)
		case r.Preset != "" && !contains(k.o.Presets, r.Preset):
		case slices.ContainsFunc(k.o.Deny, func(d KindRange) bool { return d.Has(r.From) && d.Has(r.To) }):
		default:
			if slices.ContainsFunc(k.o.Allow, func(a KindRange) bool { return a.Has(r.From) && a.Has(r.To) }) {
				r.When = Always
			}
			rows = append(rows, r)
		}
	}
	for _, a := range k.o.Allow {
		if !slices.ContainsFunc(rows, func(r KindRow) bool { return r.Has(a.From) && r.Has(a.To) }) {
			rows = append(rows, KindRow{KindRange: a, Name: "let in by the operator"})
		}
	}
	refused = append(refused, k.o.Deny...)
	slices.SortFunc(refused, func(a, b KindRange) int { return a.From - b.From })
	return rows, refused
}

// Words say what an event must fulfil, for people; empty when nothing.
func (c Condition) Words() string {
	switch c {
	case Handler:
		return "names a job kind in a k tag, or comes from a known provider"
	case Recommendation:
		return "is for a job kind, or recommends a handler known here"
	case Withdrawal:
		return "is about something of its author that is known here, or about a job kind"
	case KnownAuthor:
		return "is by a known provider or customer"
	case Payment:
		return "names an event known here, or pays a known provider"
	case Reputation:
		return "is about a known provider, or names a known result"
	}
	return ""
}
