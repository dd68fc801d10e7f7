package nip90

import (
	"crypto/sha256"
	"encoding/json"
	"strings"
	"unicode/utf8"
)

// quote is what a `request` tag says of the job that it quotes.
type quote struct {
	id      ID
	kind    int // 0 when not told
	author  PubKey
	trusted bool // id is the hash of the rest
	odd     oddity
}

// readQuote reads the value of a `request` tag in every form seen in use: JSON, a bare id, a Python literal, JSON that
// lost its backslashes, an event without id. NIP-90 "Job result".
func readQuote(s string) quote {
	s = strings.TrimSpace(s)
	if s == "" {
		return quote{odd: oddRequestNoID}
	}
	if s[0] == '{' {
		if q, ok := readQuoted(s); ok {
			return q
		}
		if strings.IndexByte(s, '\'') >= 0 {
			if js, ok := pythonToJSON(s); ok {
				if q, ok := readQuoted(js); ok {
					if q.odd == oddNone || q.odd == oddRequestHash {
						q.odd = oddRequestPython
					}
					return q
				}
			}
		}
	}
	if id, odd := readID(s); !id.IsZero() {
		_ = odd // a bare id is odd enough, however it is written
		return quote{id: id, odd: oddRequestRawID}
	}
	if id, ok := findID(s); ok {
		odd := oddRequestBroken
		if strings.HasPrefix(s, "{'") {
			odd = oddRequestPython
		}
		return quote{id: id, odd: odd}
	}
	return quote{odd: oddRequestNoID}
}

// quoted holds the raw members of a quoted event.
type quoted struct{ id, pubkey, createdAt, kind, tags, content string }

// readQuoted reads an event as JSON and hashes it once. It fails when s is no JSON object. A quote that proves itself
// needs no other check; only the others are held against the whole grammar.
func readQuoted(s string) (quote, bool) {
	var raw quoted
	ok := eachMember(s, func(key, value string) {
		switch key {
		case "id":
			raw.id = value
		case "pubkey":
			raw.pubkey = value
		case "created_at":
			raw.createdAt = value
		case "kind":
			raw.kind = value
		case "tags":
			raw.tags = value
		case "content":
			raw.content = value
		}
	})
	if !ok {
		return quote{}, false
	}
	var q quote
	q.kind, _ = parseKind(raw.kind) // 0 when the quote does not tell
	if pk, ok := unquote(raw.pubkey); ok {
		q.author, _ = ParsePubKey(pk) // zero when the quote does not tell
	}
	hash, hashed := raw.hash()
	text, _ := unquote(raw.id) // an id that is no string is an id that is not there
	id, named := ParseID(text)
	if !(hashed && hash == id) && !json.Valid([]byte(s)) {
		return quote{}, false // the members of what is no JSON may be anybody's
	}
	switch {
	case named:
		q.id, q.trusted = id, hashed && hash == id
		if !q.trusted {
			q.odd = oddRequestHash
		}
	case hashed:
		q.id, q.odd = hash, oddRequestUnsigned
	default:
		q.odd = oddRequestNoID
	}
	return q, true
}

// hash is the id that the quoted members make, false when they are not all there or not what an event has. NIP-01.
func (raw quoted) hash() (ID, bool) {
	if len(raw.pubkey) != 66 || !isInteger(raw.createdAt) || !isInteger(raw.kind) || raw.tags == "" || raw.content == "" {
		return ID{}, false
	}
	var room [4096]byte
	b := append(room[:0], `[0,`...)
	b = append(append(b, raw.pubkey...), ',')
	b = append(append(b, raw.createdAt...), ',')
	b = append(append(b, raw.kind...), ',')
	b, ok := appendTags(b, raw.tags)
	if !ok {
		return ID{}, false
	}
	b = append(b, ',')
	if b, ok = appendCanonical(b, raw.content); !ok {
		return ID{}, false
	}
	return sha256.Sum256(append(b, ']')), true
}

func isInteger(s string) bool {
	s = strings.TrimPrefix(s, "-")
	if s == "" || len(s) > 20 || (s[0] == '0' && len(s) > 1) {
		return false
	}
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// appendTags writes an array of arrays of strings as NIP-01 serializes it.
func appendTags(b []byte, raw string) ([]byte, bool) {
	good, first := true, true
	b = append(b, '[')
	ok := eachElement(raw, func(tag string) bool {
		if !first {
			b = append(b, ',')
		}
		first = false
		b = append(b, '[')
		inner := true
		isArray := eachElement(tag, func(item string) bool {
			if !inner {
				b = append(b, ',')
			}
			inner = false
			b, good = appendCanonical(b, item)
			return good
		})
		good = good && isArray
		b = append(b, ']')
		return good
	})
	return append(b, ']'), ok && good
}

// appendCanonical writes a JSON string literal with the escapes of NIP-01 and no others.
func appendCanonical(b []byte, raw string) ([]byte, bool) {
	if len(raw) < 2 || raw[0] != '"' || raw[len(raw)-1] != '"' {
		return b, false
	}
	body := raw[1 : len(raw)-1]
	b = append(b, '"')
	from := 0
	for i := 0; i < len(body); {
		c := body[i]
		switch {
		case c == '\\':
			b = append(b, body[from:i]...)
			if i+1 >= len(body) {
				return b, false
			}
			var size int
			if b, size = appendEscape(b, body[i:]); size == 0 {
				return b, false
			}
			i += size
			from = i
		case c < 0x20:
			b = appendRune(append(b, body[from:i]...), rune(c))
			i++
			from = i
		case c == '"':
			return b, false
		default:
			i++
		}
	}
	b = append(b, body[from:]...)
	return append(b, '"'), true
}

// appendEscape writes what the escape at the start of s means and returns its length, 0 when it is none.
func appendEscape(b []byte, s string) ([]byte, int) {
	switch s[1] {
	case '"', '\\', 'n', 'r', 't', 'b', 'f':
		return append(b, s[0], s[1]), 2
	case '/':
		return append(b, '/'), 2
	case 'u':
		r, ok := hex4(s)
		if !ok {
			return b, 0
		}
		size := 6
		if r >= 0xd800 && r < 0xe000 {
			low, ok := hex4(s[6:])
			if r >= 0xdc00 || !ok || low < 0xdc00 || low > 0xdfff {
				return b, 0 // a lone surrogate has no UTF-8
			}
			r, size = (r-0xd800)<<10+(low-0xdc00)+0x10000, 12
		}
		return appendRune(b, r), size
	}
	return b, 0
}

// hex4 reads \uXXXX at the start of s.
func hex4(s string) (rune, bool) {
	if len(s) < 6 || s[0] != '\\' || s[1] != 'u' {
		return 0, false
	}
	var r rune
	for _, c := range []byte(s[2:6]) {
		n, ok := nibble(c | 0x20)
		if !ok {
			return 0, false
		}
		r = r<<4 | rune(n)
	}
	return r, true
}

func appendRune(b []byte, r rune) []byte {
	switch r {
	case '"', '\\':
		return append(b, '\\', byte(r))
	case '\n':
		return append(b, '\\', 'n')
	case '\r':
		return append(b, '\\', 'r')
	case '\t':
		return append(b, '\\', 't')
	case '\b':
		return append(b, '\\', 'b')
	case '\f':
		return append(b, '\\', 'f')
	}
	if r < 0x20 {
		return append(b, '\\', 'u', '0', '0', hexDigit(byte(r>>4)), hexDigit(byte(r&15)))
	}
	return utf8.AppendRune(b, r)
}

// findID looks for `id` with 64 hex characters in text that is no longer JSON. A nested quote has an id too, so the
// first at the outermost braces wins, then the first of all.
func findID(s string) (ID, bool) {
	var fallback ID
	depth := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '{':
			depth++
		case '}':
			depth--
		case 'i':
			id, ok := idAfterKey(s, i)
			if !ok {
				continue
			}
			if depth <= 1 {
				return id, true
			}
			if fallback.IsZero() {
				fallback = id
			}
		}
	}
	return fallback, !fallback.IsZero()
}

// idAfterKey reads `id": "<hex>` at i, with either quote and stray backslashes.
func idAfterKey(s string, i int) (ID, bool) {
	if i == 0 || (s[i-1] != '"' && s[i-1] != '\'') || !strings.HasPrefix(s[i:], "id") {
		return ID{}, false
	}
	i += 2
	colon := false
	for ; i < len(s) && strings.IndexByte("\\\"' :", s[i]) >= 0; i++ {
		colon = colon || s[i] == ':'
	}
	if !colon || len(s)-i < 64 {
		return ID{}, false
	}
	return ParseID(s[i : i+64])
}
