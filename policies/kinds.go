package policies

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"dvmrelay/nip90"
)

// Condition is what an event of a kind must fulfil beside its kind.
type Condition uint8

// The conditions. Those about something known are decided by Admit, inside the transaction of the event.
const (
	Always          Condition = iota
	Never                     // not even when the operator allows it
	Squatter                  // another protocol's kind in a range that is ours
	Handler                   // names a job kind, or comes from a known provider
	Recommendation            // for a job kind, or of a handler we know
	Withdrawal                // names something known, or a kind of ours
	KnownAuthor               // by a known provider or customer
	Payment                   // names a known event, or pays a known provider
	Reputation                // about a known provider, or names a known result
	notAccepted               // in no row
	switchedOff               // in a preset that is off
	deniedByOption            // in kinds.deny
	outOfNumberSpan           // no kind at all
)

// KindRow is a row of the kinds table. The first row that has a kind decides.
type KindRow struct {
	KindRange
	When   Condition
	Preset string // the row counts only when this preset is switched on
	Gated  bool   // is read only by its author and by whom it names. NIP-42
	Name   string
}

// KindTable is the table of kinds that a Data Vending Machine relay accepts.
func KindTable() []KindRow {
	one := func(k int) KindRange { return KindRange{k, k} }
	return []KindRow{
		{KindRange: one(22242), When: Never, Name: "relay authentication"},
		{KindRange: one(27235), When: Never, Name: "HTTP authentication"},
		{KindRange: one(5128), When: Squatter, Name: "nsite manifest snapshot"},
		{KindRange: one(5129), When: Squatter, Name: "napplet snapshot"},
		{KindRange: one(5666), When: Squatter, Name: "no job"},
		{KindRange: one(5969), When: Squatter, Name: "no job"},
		{KindRange: one(6666), When: Squatter, Name: "no job"},
		{KindRange: one(6969), When: Squatter, Name: "zap poll"},
		{KindRange: KindRange{5000, 5999}, Name: "job request"},
		{KindRange: KindRange{6000, 6999}, Name: "job result"},
		{KindRange: one(7000), Name: "job feedback"},
		{KindRange: one(7007), Name: "ping"},
		{KindRange: one(31990), When: Handler, Name: "handler announcement"},
		{KindRange: one(31989), When: Recommendation, Name: "handler recommendation"},
		{KindRange: one(11998), Name: "heartbeat"},
		{KindRange: one(11999), Name: "encrypted announcement"},
		{KindRange: KindRange{11316, 11320}, Name: "ContextVM announcement"},
		{KindRange: one(5), When: Withdrawal, Name: "deletion"},
		{KindRange: one(62), When: Withdrawal, Name: "request to vanish"},
		{KindRange: one(0), When: KnownAuthor, Name: "profile"},
		{KindRange: one(10002), When: KnownAuthor, Name: "relay list"},
		{KindRange: one(10019), When: KnownAuthor, Name: "nutzap mints"},
		{KindRange: one(9735), When: Payment, Name: "zap receipt"},
		{KindRange: one(9321), When: Payment, Name: "nutzap"},
		{KindRange: one(30333), When: Reputation, Name: "reputation"},
		{KindRange: one(31117), When: Reputation, Name: "reputation"},
		{KindRange: one(30085), When: Reputation, Name: "reputation"},
		{KindRange: one(30382), When: Reputation, Name: "assertion"},
		{KindRange: one(1985), When: Reputation, Name: "label"},
		{KindRange: one(1984), When: Reputation, Name: "report"},
		{KindRange: one(25910), Preset: "contextvm", Gated: true, Name: "ContextVM message"},
		{KindRange: one(26910), Preset: "contextvm", Gated: true, Name: "ContextVM message"},
		{KindRange: one(21316), Preset: "contextvm", Gated: true, Name: "ContextVM message"},
		{KindRange: one(1059), Preset: "contextvm", Gated: true, Name: "gift wrap"},
		{KindRange: one(21059), Preset: "contextvm", Gated: true, Name: "ephemeral gift wrap"},
		{KindRange: KindRange{7001, 7003}, Preset: "private", Name: "subscription"},
		{KindRange: one(37001), Preset: "private", Name: "subscription tier"},
	}
}

// KindOptions are the toml keys of section [kinds].
type KindOptions struct {
	Presets []string    `toml:"presets"` // further rows: "contextvm", "private"; default empty
	Allow   []KindRange `toml:"allow"`   // kinds accepted without condition, beside the table; default empty
	Deny    []KindRange `toml:"deny"`    // kinds refused; wins over allow and the table; default empty
}

// Presets are the names that kinds.presets may hold.
func Presets() []string { return []string{"contextvm", "private"} }

// Validate returns every fault, joined; each begins with its toml key.
func (o KindOptions) Validate() error {
	var faults []error
	for _, p := range o.Presets {
		if !contains(Presets(), p) {
			faults = append(faults, fmt.Errorf("kinds.presets: %q: is no preset, did you mean %q", p, Nearest(p, Presets())))
		}
	}
	for _, list := range []struct {
		key    string
		ranges []KindRange
	}{{"kinds.allow", o.Allow}, {"kinds.deny", o.Deny}} {
		for _, r := range list.ranges {
			if r.From < 0 || r.To > maxKind || r.From > r.To {
				faults = append(faults, fmt.Errorf("%s: %q: must lie between 0 and %d", list.key, r, maxKind))
			}
		}
	}
	for _, r := range o.Allow {
		if r.From == r.To && (r.From == 22242 || r.From == 27235) {
			faults = append(faults, fmt.Errorf("kinds.allow: %q: authentication is never stored", r))
		}
	}
	return errors.Join(faults...)
}

// Kinds is the table as it stands with the presets, allow and deny lists applied. It is immutable.
type Kinds struct {
	rows []KindRow
	o    KindOptions
}

// NewKinds applies the options to the table.
func NewKinds(o KindOptions) *Kinds { return &Kinds{rows: KindTable(), o: o} }

// Accepts says whether events of the kind may enter, at least under a condition.
func (k *Kinds) Accepts(kind int) bool {
	_, when := k.find(kind)
	return when.mayEnter()
}

// Gated says whether events of the kind are read only by their author and by those they name. NIP-42.
func (k *Kinds) Gated(kind int) bool {
	for _, r := range k.rows {
		if r.Has(kind) {
			return r.Gated
		}
	}
	return false
}

// ours says whether a kind belongs to jobs themselves: what a deletion may name without naming an event seen here.
func (k *Kinds) ours(kind int) bool {
	_, when := k.find(kind)
	return when == Always || when == Handler
}

func (c Condition) mayEnter() bool { return c == Always || c > Squatter && c < notAccepted }

// find is the row that decides a kind, and its condition with the operator's lists applied.
func (k *Kinds) find(kind int) (KindRow, Condition) {
	if kind < 0 || kind > maxKind {
		return KindRow{}, outOfNumberSpan
	}
	row, when := KindRow{}, notAccepted
	for _, r := range k.rows {
		if !r.Has(kind) {
			continue
		}
		row, when = r, r.When
		if r.Preset != "" && !contains(k.o.Presets, r.Preset) {
			when = switchedOff
		}
		break
	}
	switch {
	case when == Never:
	case inRanges(k.o.Deny, kind):
		when = deniedByOption
	case inRanges(k.o.Allow, kind):
		when = Always
	}
	return row, when
}

const whatIsAccepted = "this relay takes job requests (5000-5999), results (6000-6999), feedback (7000) and what belongs to them"

// check refuses a kind in words.
func (k *Kinds) check(_ context.Context, p *nip90.Parsed) error {
	kind := p.Event.Kind
	row, when := k.find(kind)
	switch when {
	case outOfNumberSpan:
		return Refuse(Invalid, fmt.Sprintf("kind %d is not between 0 and %d", kind, maxKind))
	case Never:
		return Refuse(Blocked, fmt.Sprintf("kind %d (%s) is never stored", kind, row.Name))
	case Squatter:
		return Refuse(Blocked, fmt.Sprintf("kind %d (%s) is another protocol's, not a job: %s", kind, row.Name, whatIsAccepted))
	case switchedOff:
		return Refuse(Blocked, fmt.Sprintf("kind %d (%s) is switched off on this relay: %s", kind, row.Name, whatIsAccepted))
	case deniedByOption:
		return Refuse(Blocked, fmt.Sprintf("kind %d%s is refused by the operator of this relay", kind, inBrackets(row.Name)))
	case notAccepted:
		return Refuse(Blocked, fmt.Sprintf("kind %d is not accepted: %s", kind, whatIsAccepted))
	}
	return nil
}

func inBrackets(name string) string {
	if name == "" {
		return ""
	}
	return " (" + name + ")"
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if strings.EqualFold(x, s) {
			return true
		}
	}
	return false
}
