package wire

import (
	"math"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/nbd-wtf/go-nostr"
)

// ParseFilter reads one filter that stands alone. It fails as ParseCommand does, with a *Malformed.
func ParseFilter(text []byte, lim Limits) (nostr.Filter, error) {
	s := string(text)
	p := newParser(s, lim)
	defer p.release()
	if !utf8.ValidString(s) {
		p.fail("not valid UTF-8")
	} else if f, ok := p.filter("filter"); ok && p.done() {
		return f, nil
	}
	return nostr.Filter{}, &Malformed{Reason: p.reason}
}

// The fields of a filter as bits, for telling repetitions; the bits from firstLetter on are the tags #a-z and #A-Z.
const (
	filterIDs = iota
	filterAuthors
	filterKinds
	filterSince
	filterUntil
	filterLimit
	filterSearch
	firstLetter
)

// filterField is the bit of a key; -1 for a key that means nothing here.
func filterField(key string) int {
	switch key {
	case "ids":
		return filterIDs
	case "authors":
		return filterAuthors
	case "kinds":
		return filterKinds
	case "since":
		return filterSince
	case "until":
		return filterUntil
	case "limit":
		return filterLimit
	case "search":
		return filterSearch
	}
	if len(key) == 2 && key[0] == '#' {
		switch c := key[1]; {
		case c >= 'a' && c <= 'z':
			return firstLetter + int(c-'a')
		case c >= 'A' && c <= 'Z':
			return firstLetter + 26 + int(c-'A')
		}
	}
	return -1
}

// filter reads a filter object. A key that would narrow the answer but is not understood is refused: to ignore it would
// send more than was asked for. name says in reasons which filter it is.
func (p *parser) filter(name string) (nostr.Filter, bool) {
	var f nostr.Filter
	if p.peek() != '{' {
		return f, p.wrongType(name, "an object")
	}
	p.i++
	seen := uint64(0)
	for first := true; ; first = false {
		again, ok := p.more(first, '}')
		if !again {
			return f, ok
		}
		key, ok := p.key()
		if !ok {
			return f, false
		}
		bit := filterField(key)
		switch {
		case bit < 0 && key != "" && (key[0] == '#' || key[0] == '&'):
			if p.reason == "" {
				p.reason = "unsupported: " + name + " has the field " + strconv.Quote(cut(key, 64)) + ", which is not served here"
			}
			ok = false
		case bit < 0:
			ok = p.skip(3)
		case seen&(1<<bit) != 0:
			ok = p.fail(name + " has two fields " + strconv.Quote(key))
		default:
			seen |= 1 << bit
			ok = p.filterValue(&f, bit, key, name)
		}
		if !ok {
			return f, false
		}
	}
}

// filterValue reads the value of one field; null is the same as no such field.
func (p *parser) filterValue(f *nostr.Filter, bit int, key, name string) bool {
	if was, ok := p.null(); was || !ok {
		return ok
	}
	name += ": " + key
	var ok bool
	switch bit {
	case filterIDs:
		f.IDs, ok = p.list(name, true)
	case filterAuthors:
		f.Authors, ok = p.list(name, true)
	case filterKinds:
		f.Kinds, ok = p.kindList(name)
	case filterSince:
		f.Since, ok = p.time(name)
	case filterUntil:
		f.Until, ok = p.time(name)
	case filterLimit:
		var n int64
		n, ok = p.integer(name, 0, math.MaxInt64)
		f.Limit, f.LimitZero = int(min(n, math.MaxInt32)), ok && n == 0
	case filterSearch:
		if p.peek() != '"' {
			return p.wrongType(name, "a string")
		}
		f.Search, ok = p.text()
	default:
		var values []string
		values, ok = p.list(name, false)
		if f.Tags == nil {
			f.Tags = make(nostr.TagMap, 1)
		}
		f.Tags[key[1:]] = values
	}
	return ok
}

// list reads an array of strings; with hex, each must be 64 lowercase hex characters. It is never nil: an empty list
// matches nothing.
func (p *parser) list(name string, hex bool) ([]string, bool) {
	if p.peek() != '[' {
		return nil, p.wrongType(name, "an array")
	}
	begin := len(p.items)
	if !p.strings(name, p.lim.MaxValues) {
		return nil, false
	}
	for _, s := range p.items[begin:] {
		if hex && (len(s) != 64 || !lowerHex(s)) {
			return nil, p.fail(name + " must hold 64 lowercase hex characters each")
		}
	}
	return append([]string{}, p.items[begin:]...), true
}

func (p *parser) kindList(name string) ([]int, bool) {
	if p.peek() != '[' {
		return nil, p.wrongType(name, "an array")
	}
	p.i++
	p.kinds = p.kinds[:0]
	for first := true; ; first = false {
		again, ok := p.more(first, ']')
		if !ok {
			return nil, false
		}
		if !again {
			return append([]int{}, p.kinds...), true
		}
		if p.lim.MaxValues > 0 && len(p.kinds) >= p.lim.MaxValues {
			return nil, p.fail(name + ": more than " + strconv.Itoa(p.lim.MaxValues) + " values")
		}
		// Kinds above MaxKind stood in the first drafts of NIP-90; programs still ask for them, and match nothing.
		n, ok := p.integer(name, 0, math.MaxInt32)
		if !ok {
			return nil, false
		}
		p.kinds = append(p.kinds, int(n))
	}
}

func (p *parser) time(name string) (*nostr.Timestamp, bool) {
	n, ok := p.integer(name, math.MinInt64, math.MaxInt64)
	t := nostr.Timestamp(n)
	return &t, ok
}

// AppendFilter appends f as JSON: the inverse of ParseFilter. Keys stand in a fixed order.
func AppendFilter(dst []byte, f nostr.Filter) []byte {
	dst = append(dst, '{')
	dst = appendList(dst, "ids", f.IDs)
	dst = appendList(dst, "authors", f.Authors)
	if f.Kinds != nil {
		dst = append(appendKey(dst, "kinds"), '[')
		for i, k := range f.Kinds {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = strconv.AppendInt(dst, int64(k), 10)
		}
		dst = append(dst, ']')
	}
	letters := make([]string, 0, len(f.Tags))
	for letter := range f.Tags {
		letters = append(letters, letter)
	}
	slices.Sort(letters)
	for _, letter := range letters {
		dst = appendList(dst, "#"+letter, f.Tags[letter])
	}
	if f.Since != nil {
		dst = strconv.AppendInt(appendKey(dst, "since"), int64(*f.Since), 10)
	}
	if f.Until != nil {
		dst = strconv.AppendInt(appendKey(dst, "until"), int64(*f.Until), 10)
	}
	if f.Limit > 0 || f.LimitZero {
		dst = strconv.AppendInt(appendKey(dst, "limit"), int64(f.Limit), 10)
	}
	if f.Search != "" {
		dst = AppendString(appendKey(dst, "search"), f.Search)
	}
	return append(dst, '}')
}

// appendKey appends a key and its colon, and a comma unless it is the object's first: no value ends in an opening brace.
func appendKey(dst []byte, key string) []byte {
	if dst[len(dst)-1] != '{' {
		dst = append(dst, ',')
	}
	return append(AppendString(dst, key), ':')
}

// appendList appends a key with an array of strings; a nil list is left out.
func appendList(dst []byte, key string, values []string) []byte {
	if values == nil {
		return dst
	}
	dst = append(appendKey(dst, key), '[')
	for i, v := range values {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = AppendString(dst, v)
	}
	return append(dst, ']')
}
