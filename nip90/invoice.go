package nip90

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/btcsuite/btcd/btcutil/bech32"
)

const (
	maxInvoiceLength  = 8 << 10
	maxDescription    = 1 << 10
	timestampWords    = 7
	signatureWords    = 104
	hashWords         = 52
	defaultExpiry     = time.Hour
	maxExpirySeconds  = 100 * 365 * 24 * 3600
	fieldPaymentHash  = 1
	fieldDescription  = 13
	fieldExpiry       = 6
	fieldDescHash     = 23
	bolt11Multipliers = "munp"
)

// The ways in which an invoice cannot be read.
var (
	ErrInvoiceSyntax = errors.New("not a BOLT-11 invoice")
	ErrInvoiceAmount = errors.New("unreadable BOLT-11 amount")
)

// DecodeInvoice reads a BOLT-11 payment request; a lightning: prefix is cut off. It checks the checksum, not the
// signature: an invoice is evidence of what was asked, not of who asked. It fails with ErrInvoiceSyntax or
// ErrInvoiceAmount. BOLT-11.
func DecodeInvoice(s string) (*Invoice, error) {
	s = strings.TrimSpace(s)
	if len(s) > 10 && strings.EqualFold(s[:10], "lightning:") {
		s = s[10:]
	}
	if len(s) > maxInvoiceLength {
		return nil, fmt.Errorf("%w: %d characters", ErrInvoiceSyntax, len(s))
	}
	hrp, words, err := bech32.DecodeNoLimit(s)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvoiceSyntax, err)
	}
	inv := &Invoice{Expiry: defaultExpiry}
	if err := inv.readPrefix(hrp); err != nil {
		return nil, err
	}
	if len(words) < timestampWords+signatureWords {
		return nil, fmt.Errorf("%w: too short", ErrInvoiceSyntax)
	}
	inv.CreatedAt = int64(number(words[:timestampWords]))
	if err := inv.readFields(words[timestampWords : len(words)-signatureWords]); err != nil {
		return nil, err
	}
	return inv, nil
}

// readPrefix reads the human-readable part: ln, the currency, and perhaps an amount.
func (inv *Invoice) readPrefix(hrp string) error {
	if !strings.HasPrefix(hrp, "ln") {
		return fmt.Errorf("%w: prefix %q", ErrInvoiceSyntax, clip(hrp, 20))
	}
	rest := hrp[2:]
	digits := strings.IndexAny(rest, "0123456789")
	if digits < 0 {
		digits = len(rest)
	}
	inv.Network = rest[:digits]
	switch inv.Network {
	case "bc", "tb", "bcrt", "sb", "tbs":
	default:
		return fmt.Errorf("%w: currency %q", ErrInvoiceSyntax, clip(inv.Network, 20))
	}
	if digits == len(rest) {
		return nil
	}
	msat, err := invoiceAmount(rest[digits:])
	inv.Msat = msat
	return err
}

// invoiceAmount reads a number of bitcoin with its multiplier as msat.
func invoiceAmount(s string) (Msat, error) {
	multiplier := byte(0)
	if last := s[len(s)-1]; strings.IndexByte(bolt11Multipliers, last) >= 0 {
		multiplier, s = last, s[:len(s)-1]
	}
	if s == "" || s[0] == '0' {
		return 0, fmt.Errorf("%w: no leading digit but zero is an amount", ErrInvoiceAmount)
	}
	const btc = 100_000_000_000 // msat
	scale := int64(btc)
	switch multiplier {
	case 'm':
		scale = btc / 1_000
	case 'u':
		scale = btc / 1_000_000
	case 'n':
		scale = btc / 1_000_000_000
	}
	var n int64
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return 0, fmt.Errorf("%w: %q", ErrInvoiceAmount, clip(s, 30))
		}
		if n > int64(MaxMsat) {
			return 0, fmt.Errorf("%w: more than all bitcoin", ErrInvoiceAmount)
		}
		n = n*10 + int64(s[i]-'0')
	}
	if multiplier == 'p' {
		if n%10 != 0 {
			return 0, fmt.Errorf("%w: a fraction of a millisatoshi", ErrInvoiceAmount)
		}
		n, scale = n/10, 1
	}
	if n > int64(MaxMsat)/scale {
		return 0, fmt.Errorf("%w: more than all bitcoin", ErrInvoiceAmount)
	}
	return Msat(n * scale), nil
}

// readFields walks the tagged fields. A field of the wrong length is skipped, as the BOLT demands; of repeated fields
// the first counts.
func (inv *Invoice) readFields(words []byte) error {
	var hasHash, hasText, hasDescHash, hasExpiry bool // an invoice without payment hash cannot be paid, but it was shown
	for len(words) >= 3 {
		tag, size := words[0], int(words[1])<<5|int(words[2])
		words = words[3:]
		if size > len(words) {
			return fmt.Errorf("%w: a field is cut off", ErrInvoiceSyntax)
		}
		field := words[:size]
		words = words[size:]
		switch {
		case tag == fieldPaymentHash && size == hashWords && !hasHash:
			hasHash = readHash(&inv.PaymentHash, field)
		case tag == fieldDescHash && size == hashWords && !hasDescHash:
			hasDescHash = readHash(&inv.DescriptionHash, field)
		case tag == fieldDescription && !hasText:
			inv.Description, hasText = readText(field), true
		case tag == fieldExpiry && !hasExpiry:
			inv.Expiry, hasExpiry = readExpiry(field), true
		}
	}
	return nil
}

// number reads words as one big-endian number; more than twelve words do not fit and are bounded by the caller.
func number(words []byte) uint64 {
	var n uint64
	for _, w := range words {
		n = n<<5 | uint64(w)
	}
	return n
}

func readExpiry(words []byte) time.Duration {
	for len(words) > 0 && words[0] == 0 {
		words = words[1:]
	}
	if len(words) > 12 || number(words) > maxExpirySeconds {
		return maxExpirySeconds * time.Second
	}
	return time.Duration(number(words)) * time.Second
}

func readHash(dst *[32]byte, words []byte) bool {
	b, err := bech32.ConvertBits(words, 5, 8, true)
	if err != nil || len(b) < len(dst) {
		return false
	}
	copy(dst[:], b)
	return true
}

func readText(words []byte) string {
	b, err := bech32.ConvertBits(words, 5, 8, true)
	if err != nil {
		return ""
	}
	b = b[:len(words)*5/8] // what padding leaves behind is no text
	if len(b) > maxDescription {
		b = b[:maxDescription]
	}
	return strings.ToValidUTF8(string(b), "\uFFFD")
}
