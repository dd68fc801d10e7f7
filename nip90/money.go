package nip90

import (
	"math"
	"strings"
	"time"

	"github.com/nbd-wtf/go-nostr"
)

// Msat is an amount in millisatoshi. It is never a float.
type Msat int64

// MaxMsat is all the bitcoin there will ever be. No parsed amount is larger.
const MaxMsat Msat = 21_000_000 * 100_000_000 * 1000

// Add is the sum, bounded by what fits, so that sums over strangers' claims cannot wrap.
func (m Msat) Add(o Msat) Msat {
	switch sum := m + o; {
	case o > 0 && sum < m:
		return math.MaxInt64
	case o < 0 && sum > m:
		return math.MinInt64
	default:
		return sum
	}
}

// Invoice is what a BOLT-11 payment request says.
type Invoice struct {
	Network         string // the prefix of the currency: bc, tb, bcrt, sb or tbs
	Msat            Msat   // 0 when the invoice leaves the amount open
	CreatedAt       int64  // unix seconds
	Expiry          time.Duration
	PaymentHash     [32]byte // zero when absent: nobody can pay such an invoice
	DescriptionHash [32]byte // zero when absent
	Description     string
}

// ExpiresAt is when the invoice can no longer be paid, in unix seconds.
func (inv *Invoice) ExpiresAt() int64 { return inv.CreatedAt + int64(inv.Expiry/time.Second) }

// The units that an amount can name.
type moneyUnit uint8

const (
	unitNone moneyUnit = iota
	unitMsat
	unitSat
)

// figure is an amount as it was read.
type figure struct {
	msat Msat
	unit moneyUnit
	odd  oddity
	ok   bool
}

// parseFigure reads a whole number: digits, with separators and a unit after them tolerated. It never wraps: what is
// more than MaxMsat becomes MaxMsat.
func parseFigure(s string) figure {
	var f figure
	text := strings.TrimSpace(s)
	if text == "" || len(text) > 200 {
		return figure{odd: oddAmountUnreadable}
	}
	if text[0] == '-' {
		return figure{odd: oddAmountNegative}
	}
	number, unit := splitUnit(text)
	if number == "" {
		return figure{odd: oddAmountUnreadable}
	}
	f.unit = unit
	if len(text) != len(s) || len(number) != len(text) {
		f.odd = oddAmountSpelling
	}
	digits, huge := 0, false
	for i := 0; i < len(number); i++ {
		c := number[i]
		switch {
		case c >= '0' && c <= '9':
			digits++
			if d := Msat(c - '0'); f.msat > (MaxMsat-d)/10 {
				f.msat, huge = MaxMsat, true
			} else {
				f.msat = f.msat*10 + d
			}
		case c == '_' && digits > 0, c == ',' && groupOfThree(number, i), c == '+' && i == 0:
			f.odd = oddAmountSpelling
		case c == '.' && digits > 0 && strings.Trim(number[i+1:], "0") == "":
			f.odd = oddAmountSpelling
			i = len(number)
		default:
			return figure{odd: oddAmountUnreadable}
		}
	}
	if huge {
		f.msat, f.odd = MaxMsat, oddAmountHuge
	}
	f.ok = digits > 0
	if !f.ok {
		f.odd = oddAmountUnreadable
	}
	return f
}

// groupOfThree says whether the comma at i separates thousands.
func groupOfThree(s string, i int) bool {
	if i == 0 || len(s)-i < 4 {
		return false
	}
	for _, c := range []byte(s[i+1 : i+4]) {
		if c < '0' || c > '9' {
			return false
		}
	}
	return len(s)-i == 4 || s[i+4] == ',' || s[i+4] == '.'
}

func splitUnit(s string) (string, moneyUnit) {
	end := len(s)
	for end > 0 && (s[end-1] < '0' || s[end-1] > '9') && s[end-1] != '.' {
		end--
	}
	if end == len(s) {
		return s, unitNone
	}
	unit, ok := parseUnit(strings.TrimSpace(s[end:]))
	if !ok {
		return "", unitNone
	}
	return s[:end], unit
}

func parseUnit(s string) (moneyUnit, bool) {
	if len(s) > 16 {
		return unitNone, false
	}
	switch strings.ToLower(s) {
	case "sat", "sats", "satoshi", "satoshis":
		return unitSat, true
	case "msat", "msats", "msat.", "millisat", "millisats", "millisatoshi", "millisatoshis":
		return unitMsat, true
	}
	return unitNone, false
}

// scaled is the figure in msat, in the unit that was named.
func (f figure) scaled(unit moneyUnit) Msat {
	if f.unit != unitNone {
		unit = f.unit
	}
	if unit != unitSat {
		return f.msat
	}
	if f.msat > MaxMsat/1000 {
		return MaxMsat
	}
	return f.msat * 1000
}

// ask gathers the tags that speak of money until all are seen.
type ask struct {
	amount  nostr.Tag // the first amount tag
	invoice string    // from a tag of its own
}

// read takes a tag if it speaks of money.
func (a *ask) read(tag nostr.Tag, n *notes) {
	switch tag[0] {
	case "amount":
		if a.amount != nil {
			n.add(oddAmountTwice)
			return
		}
		a.amount = tag
	case "bolt11", "invoice":
		if a.invoice == "" {
			a.invoice = value(tag, 1)
		}
	}
}

// settle makes the Ask of what was gathered. NIP-90 "Job feedback".
func (a *ask) settle(n *notes) Ask {
	var out Ask
	unit := unitNone
	for i := 2; i < len(a.amount) && i < 8; i++ {
		unit = max(unit, out.readExtra(a.amount[i], n))
	}
	if a.invoice != "" && out.Bolt11 == "" {
		if bolt11, prefixed, ok := cutInvoice(a.invoice); ok {
			n.add(oddInvoiceOwnTag)
			out.setInvoice(bolt11, prefixed, n)
		}
	}
	if a.amount == nil {
		if out.Invoice != nil && out.Invoice.Msat > 0 {
			out.Msat = out.Invoice.Msat
		}
		out.Set = out.Bolt11 != ""
		return out
	}
	out.reconcile(parseFigure(value(a.amount, 1)), unit, value(a.amount, 1), n)
	return out
}

// readExtra reads an element after the number: an invoice, an address, a method or a unit.
func (out *Ask) readExtra(s string, n *notes) moneyUnit {
	if s == "" {
		return unitNone
	}
	if bolt11, prefixed, ok := cutInvoice(s); ok {
		if out.Bolt11 == "" {
			out.setInvoice(bolt11, prefixed, n)
		}
		return unitNone
	}
	if unit, ok := parseUnit(strings.TrimSpace(s)); ok {
		n.add(oddAmountUnit)
		return unit
	}
	switch {
	case s == "bolt11" || s == "lightning":
		n.add(oddAmountExtra)
	case s == "ecash" || s == "cashu" || s == "nutzap":
		n.add(oddEcash)
		if out.Method == "" {
			out.Method = "ecash"
		}
	case isLightningAddress(s):
		n.add(oddInvoiceAddress)
		if out.Address == "" {
			out.Address = s
		}
		if out.Method == "" {
			out.Method = "address"
		}
	default:
		n.addf(oddAmountExtra, s)
	}
	return unitNone
}

func (out *Ask) setInvoice(bolt11 string, prefixed bool, n *notes) {
	out.Bolt11, out.Method = bolt11, "bolt11"
	out.Invoice = noteInvoice(bolt11, prefixed, n)
}

// noteInvoice decodes what cutInvoice found and notes what is odd about it; nil when it is no invoice.
func noteInvoice(bolt11 string, prefixed bool, n *notes) *Invoice {
	if prefixed {
		n.add(oddInvoicePrefix)
	}
	inv, err := DecodeInvoice(bolt11)
	if err != nil {
		n.add(oddInvoiceBad)
		return nil
	}
	if inv.PaymentHash == [32]byte{} {
		n.add(oddInvoiceNoHash)
	}
	return inv
}

// reconcile decides what is asked when the tag's number and the invoice may disagree. By exactly a thousand, somebody
// took sats for msats and the invoice is what a wallet would pay; by anything else the tag stands, as the NIP has it.
func (out *Ask) reconcile(f figure, unit moneyUnit, shown string, n *notes) {
	if f.odd != oddNone {
		n.addf(f.odd, shown)
	}
	var invoiced Msat
	if out.Invoice != nil {
		invoiced = out.Invoice.Msat
	}
	if !f.ok {
		out.Msat, out.Set = invoiced, out.Method != ""
		return
	}
	if f.unit != unitNone {
		n.add(oddAmountUnit)
	}
	if unit == unitNone && out.Method == "ecash" && f.msat%1000 != 0 {
		unit = unitSat // ecash has no smaller coin than a sat, so this cannot be msat
	}
	out.Set, out.Msat = true, f.scaled(unit)
	switch {
	case invoiced == 0 || invoiced == out.Msat:
	case out.Msat > 0 && (invoiced/1000 == out.Msat && invoiced%1000 == 0 || out.Msat/1000 == invoiced && out.Msat%1000 == 0):
		n.add(oddAmountSats)
		out.Msat = invoiced
	default:
		n.add(oddAmountMismatch)
	}
}

func isLightningAddress(s string) bool {
	at := strings.IndexByte(s, '@')
	return at > 0 && at < len(s)-3 && len(s) <= 320 && strings.IndexByte(s[at+1:], '.') > 0 && strings.IndexByte(s, ' ') < 0
}

// cutInvoice says whether s is meant to be a BOLT-11 invoice and cuts a lightning: prefix off.
func cutInvoice(s string) (bolt11 string, prefixed, ok bool) {
	s = strings.TrimSpace(s)
	if len(s) > 10 && strings.EqualFold(s[:10], "lightning:") {
		s, prefixed = strings.TrimPrefix(s[10:], "//"), true
	}
	if len(s) < 20 || !strings.EqualFold(s[:2], "ln") {
		return "", false, false
	}
	switch strings.ToLower(s[2:4]) {
	case "bc", "tb", "sb":
		return s, prefixed, true
	}
	return "", false, false
}
