package policies

import (
	"fmt"
	"strconv"
	"strings"
)

// maxKind is the highest kind there is. NIP-01.
const maxKind = 65535

// KindRange is one kind or a span of kinds, both ends included.
type KindRange struct{ From, To int }

// Has says whether a kind lies in the range.
func (r KindRange) Has(kind int) bool { return r.From <= kind && kind <= r.To }

// String is "5300" or "5000-5999".
func (r KindRange) String() string {
	if r.From == r.To {
		return strconv.Itoa(r.From)
	}
	return strconv.Itoa(r.From) + "-" + strconv.Itoa(r.To)
}

// MarshalText writes what UnmarshalText reads.
func (r KindRange) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText reads "5300" or "5000-5999".
func (r *KindRange) UnmarshalText(text []byte) error {
	from, to, span := strings.Cut(strings.TrimSpace(string(text)), "-")
	if !span {
		to = from
	}
	lo, err := parseKindNumber(from)
	if err != nil {
		return err
	}
	hi, err := parseKindNumber(to)
	if err != nil {
		return err
	}
	if lo > hi {
		return fmt.Errorf("the range ends before it begins")
	}
	r.From, r.To = lo, hi
	return nil
}

func parseKindNumber(s string) (int, error) {
	n, err := strconv.Atoi(strings.TrimSpace(s))
	if err != nil || n < 0 || n > maxKind {
		return 0, fmt.Errorf("is no kind: write a number up to %d, or a range such as \"5000-5999\"", maxKind)
	}
	return n, nil
}

func inRanges(list []KindRange, kind int) bool {
	for _, r := range list {
		if r.Has(kind) {
			return true
		}
	}
	return false
}
