package web

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"dvmrelay/nip90"
	"dvmrelay/policies"

	"github.com/nbd-wtf/go-nostr"
)

// The bounds of a filter that is built in a form; a relay's own are higher.
const (
	maxFormValues = 500   // of one field
	maxFormKinds  = 1_000 // spans included
	maxFormLimit  = 5_000
)

// formField is one field of the form that builds a filter, named as the filter has it.
type formField struct {
	Name  string
	Label string
	Hint  string
	Value string // as given, with ids and keys as hex
	Fault string // why it cannot be asked for
	Lines int    // more than 0 for one value on each line
}

// filterForm is a filter as it was put together in a form.
type filterForm struct {
	Fields []*formField
	Filter nostr.Filter
	Count  bool // ask how many, not which
	Bad    bool // a field has a fault
}

// readFilterForm reads a filter out of an address. Faults are noted at their fields.
func readFilterForm(q url.Values, now time.Time) *filterForm {
	f := &filterForm{Count: q.Get("count") == "1"}
	f.kinds(q)
	f.keys("authors", "Authors", q, func(hex []string) { f.Filter.Authors = hex })
	f.ids("ids", "Ids", q, func(hex []string) { f.Filter.IDs = hex })
	f.ids("e", "#e: event named", q, func(hex []string) { f.tag("e", hex) })
	f.keys("p", "#p: key named", q, func(hex []string) { f.tag("p", hex) })
	f.texts("i", "#i: input", "text, or the id of another job", q)
	f.texts("k", "#k: kind served", "5300", q)
	f.texts("d", "#d: name of an announcement", "a heartbeat's, a handler's", q)
	f.texts("t", "#t: topic", "bitcoin", q)
	f.time("since", "Since", q, now, func(t *nostr.Timestamp) { f.Filter.Since = t })
	f.time("until", "Until", q, now, func(t *nostr.Timestamp) { f.Filter.Until = t })
	f.limit(q)
	f.search(q)
	return f
}

// field adds a field with what was given for it; false when nothing was, or what cannot be.
func (f *filterForm) field(name, label, hint string, lines int, q url.Values) (*formField, bool) {
	field := &formField{Name: name, Label: label, Hint: hint, Lines: lines}
	f.Fields = append(f.Fields, field)
	field.Value = strings.TrimSpace(strings.Join(q[name], "\n"))
	if fault := unfit(field.Value, lines > 0); fault != "" {
		f.fail(field, fault)
		if hasSecret(field.Value) {
			field.Value = ""
		}
		return field, false
	}
	return field, field.Value != ""
}

func (f *filterForm) fail(field *formField, fault string) {
	field.Fault, f.Bad = fault, true
}

func (f *filterForm) tag(name string, values []string) {
	if f.Filter.Tags == nil {
		f.Filter.Tags = nostr.TagMap{}
	}
	f.Filter.Tags[name] = values
}

// ids reads names of events.
func (f *filterForm) ids(name, label string, q url.Values, set func([]string)) {
	f.names(name, label, "hex, note, nevent", "no event (hex, note or nevent)", q, set, func(text string) (string, bool) {
		id, err := parsedID(text)
		return id.String(), err == nil
	})
}

// keys reads names of people.
func (f *filterForm) keys(name, label string, q url.Values, set func([]string)) {
	f.names(name, label, "hex, npub, nprofile", "no public key (hex, npub or nprofile)", q, set, func(text string) (string, bool) {
		pk, err := parsedKey(name, text)
		return pk.String(), err == nil
	})
}

// names reads what reference turns into hex.
func (f *filterForm) names(name, label, hint, not string, q url.Values, set func([]string), reference func(string) (string, bool)) {
	field, ok := f.field(name, label, hint, 1, q)
	if !ok {
		return
	}
	var hex []string
	shown := strings.FieldsFunc(field.Value, between)
	for i, text := range shown {
		one, ok := reference(text)
		if !ok {
			f.fail(field, fmt.Sprintf("%q names %s.", shorten(text, 40), not))
			continue
		}
		shown[i] = one
		if !slices.Contains(hex, one) {
			hex = append(hex, one)
		}
	}
	field.Value = strings.Join(slices.Compact(shown), "\n")
	f.values(field, len(hex))
	field.Lines = min(6, 2*field.Lines) // hex takes two
	set(hex)
}

// values holds the number of values against the bound, and gives the field the lines it needs.
func (f *filterForm) values(field *formField, n int) {
	if n > maxFormValues {
		f.fail(field, fmt.Sprintf("These are %d values; at most %d fit into a form.", n, maxFormValues))
	}
	if field.Lines > 0 {
		field.Lines = max(1, min(6, strings.Count(field.Value, "\n")+1))
	}
}

// between says whether a character stands between two names or kinds.
func between(c rune) bool { return unicode.IsSpace(c) || c == ',' }

// texts reads values of a tag, one on each line. What names an event is turned into hex.
func (f *filterForm) texts(name, label, hint string, q url.Values) {
	field, ok := f.field(name, label, hint, 1, q)
	if !ok {
		return
	}
	var values []string
	for line := range strings.Lines(field.Value) {
		line = strings.TrimSpace(line)
		if ref, err := nip90.ParseReference(line); err == nil && name == "i" && !ref.ID.IsZero() {
			line = ref.ID.String()
		}
		if line != "" && !slices.Contains(values, line) {
			values = append(values, line)
		}
	}
	field.Value = strings.Join(values, "\n")
	f.values(field, len(values))
	f.tag(name, values)
}

// kinds reads kinds and spans of them.
func (f *filterForm) kinds(q url.Values) {
	field, ok := f.field("kinds", "Kinds", "5050, 7000, 6000-6010", 0, q)
	if !ok {
		return
	}
	var kinds []int
	for _, text := range strings.FieldsFunc(field.Value, between) {
		from, to, span := strings.Cut(text, "-")
		if !span {
			to = from
		}
		low, ok := number(from)
		high, also := number(to)
		if !ok || !also || low > high {
			f.fail(field, fmt.Sprintf("%q is no kind between 0 and 65535, and no span of them such as 6000-6010.", shorten(text, 40)))
			return
		}
		for kind := low; kind <= high && len(kinds) <= maxFormKinds; kind++ {
			kinds = append(kinds, kind)
		}
	}
	slices.Sort(kinds)
	f.Filter.Kinds = slices.Compact(kinds)
	if len(kinds) > maxFormKinds {
		f.fail(field, fmt.Sprintf("These are more than %d kinds, which is all that fits into a form.", maxFormKinds))
	}
}

// time reads a moment: unix seconds, a date, or how long ago.
func (f *filterForm) time(name, label string, q url.Values, now time.Time, set func(*nostr.Timestamp)) {
	field, ok := f.field(name, label, "2h, 7d, date, unix seconds", 0, q)
	if !ok {
		return
	}
	at, ok := moments(field.Value, now)
	if !ok {
		f.fail(field, "This is no time: write how long ago (15m, 2h, 7d), a date (2025-01-31), or unix seconds.")
		return
	}
	stamp := nostr.Timestamp(at)
	set(&stamp)
}

// moments reads a time as people write it, in unix seconds.
func moments(text string, now time.Time) (int64, bool) {
	if at, err := strconv.ParseInt(text, 10, 64); err == nil {
		return at, at >= 0 && at <= endOfTime
	}
	for _, layout := range [...]string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02 15:04", time.DateOnly} {
		if at, err := time.Parse(layout, text); err == nil && at.Unix() >= 0 {
			return at.Unix(), true
		}
	}
	text = strings.TrimSpace(strings.TrimSuffix(strings.TrimPrefix(text, "-"), "ago"))
	if text == "" {
		return 0, false
	}
	unit := map[byte]int64{'s': 1, 'm': 60, 'h': 3600, 'd': 86400, 'w': 7 * 86400}[text[len(text)-1]]
	n, err := strconv.ParseInt(strings.TrimSpace(text[:len(text)-1]), 10, 32)
	if err != nil || unit == 0 || n < 0 || n*unit > now.Unix() {
		return 0, false
	}
	return now.Unix() - n*unit, true
}

func (f *filterForm) limit(q url.Values) {
	field, ok := f.field("limit", "Limit", "20", 0, q)
	if !ok {
		return
	}
	n, ok := number(field.Value)
	if !ok || n > maxFormLimit {
		f.fail(field, fmt.Sprintf("This is no number between 0 and %d.", maxFormLimit))
		return
	}
	f.Filter.Limit, f.Filter.LimitZero = n, n == 0
}

func (f *filterForm) search(q url.Values) {
	field, ok := f.field("search", "Search", "state:unanswered, thread:<id>, provider:<npub>, words", 0, q)
	if !ok {
		return
	}
	f.Filter.Search = field.Value
	if _, err := policies.ParseSearch(field.Value); err != nil {
		reason := err.Error()
		if no, ok := policies.AsRejection(err); ok {
			reason = no.Reason
		}
		f.fail(field, reason)
	}
}

// unfit says why a text cannot stand in a filter that is shown, copied and pasted; empty when it can.
func unfit(text string, lines bool) string {
	if hasSecret(text) {
		return "This holds a secret key. Nobody but its owner may see it, and now it stands in the address of this page: take it out of the browser's history."
	}
	if !utf8.ValidString(text) {
		return "This is not UTF-8."
	}
	for _, c := range text {
		switch {
		case lines && (c == '\n' || c == '\r'):
		case unicode.IsControl(c), c == '\u2028', c == '\u2029':
			return "This holds a character that cannot be seen and that a terminal would obey."
		case c >= '\u202a' && c <= '\u202e', c >= '\u2066' && c <= '\u2069':
			return "This holds a character that turns the direction of what is written, so that it would look like something else."
		}
	}
	return ""
}

// hasSecret says whether a text holds a secret key as NIP-19 writes it.
func hasSecret(text string) bool { return strings.Contains(strings.ToLower(text), "nsec1") }
