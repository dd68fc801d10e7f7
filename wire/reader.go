package wire

import (
	"math/bits"
	"strconv"
	"unicode/utf8"
)

// maxDepth bounds the nesting of values that are skipped. Nothing that Nostr defines is deeper than six.
const maxDepth = 64

// reader walks over one JSON text. The first failure sticks in reason; every method says whether it went well.
type reader struct {
	s      string
	i      int
	ws     bool // whitespace was skipped since the flag was last cleared
	esc    bool // an object's key held an escape since the flag was last cleared
	reason string
	buf    []byte // scratch for strings with escapes
}

// fail keeps the first reason, which must be a sentence for a person without prefix.
func (r *reader) fail(reason string) bool {
	if r.reason == "" {
		r.reason = "invalid: " + reason
	}
	return false
}

// syntax fails at the current position.
func (r *reader) syntax(wanted string) bool {
	if r.reason != "" {
		return false
	}
	if r.i >= len(r.s) {
		return r.fail("the JSON ends where " + wanted + " should be")
	}
	return r.fail("not JSON at byte " + strconv.Itoa(r.i) + ": " + wanted + " expected")
}

func (r *reader) space() {
	for r.i < len(r.s) {
		switch r.s[r.i] {
		case ' ', '\t', '\n', '\r':
			r.i++
			r.ws = true
		default:
			return
		}
	}
}

// peek skips whitespace and returns the next byte, 0 at the end.
func (r *reader) peek() byte {
	if r.i < len(r.s) && r.s[r.i] > ' ' {
		return r.s[r.i]
	}
	r.space()
	if r.i < len(r.s) {
		return r.s[r.i]
	}
	return 0
}

// take consumes c if it comes next.
func (r *reader) take(c byte) bool {
	if r.peek() == c && r.i < len(r.s) {
		r.i++
		return true
	}
	return false
}

// more is called between the members of an array or object that ends with end. It consumes the comma, or the end.
func (r *reader) more(first bool, end byte) (again, ok bool) {
	if r.take(end) {
		return false, true
	}
	if first {
		return true, true
	}
	if !r.take(',') {
		return false, r.syntax("a comma or " + strconv.QuoteRune(rune(end)))
	}
	return true, true
}

// text reads a string.
func (r *reader) text() (string, bool) {
	if r.peek() != '"' {
		return "", r.syntax("a string")
	}
	start := r.i + 1
	j := plainEnd(r.s, start)
	switch {
	case j >= len(r.s):
		r.i = j
		return "", r.syntax("the end of a string")
	case r.s[j] == '"':
		r.i = j + 1
		return r.s[start:j], true
	case r.s[j] == '\\':
		return r.escaped(start, j)
	}
	r.i = j
	return "", r.fail("a string holds a raw control character; it must be escaped")
}

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// plainEnd is the first place from i on with a quote, a backslash or a control character, or len(s).
func plainEnd(s string, i int) int {
	for ; i+8 <= len(s); i += 8 {
		w := s[i : i+8]
		x := uint64(w[0]) | uint64(w[1])<<8 | uint64(w[2])<<16 | uint64(w[3])<<24 |
			uint64(w[4])<<32 | uint64(w[5])<<40 | uint64(w[6])<<48 | uint64(w[7])<<56
		quote, slash := x^(ones*'"'), x^(ones*'\\')
		// A borrow can only flag a byte above a flagged one, so the lowest flag is exact.
		hit := ((quote - ones) & ^quote) | ((slash - ones) & ^slash) | ((x - ones*0x20) & ^x)
		if hit &= highs; hit != 0 {
			return i + bits.TrailingZeros64(hit)/8
		}
	}
	for ; i < len(s); i++ {
		if c := s[i]; c == '"' || c == '\\' || c < 0x20 {
			return i
		}
	}
	return i
}

// escaped reads on from the first backslash, at j, of the string that begins at start.
func (r *reader) escaped(start, j int) (string, bool) {
	r.buf = append(r.buf[:0], r.s[start:j]...)
	r.i = j
	for r.i < len(r.s) {
		switch c := r.s[r.i]; {
		case c == '"':
			r.i++
			return string(r.buf), true
		case c == '\\':
			if !r.escape() {
				return "", false
			}
		case c < 0x20:
			return "", r.fail("a string holds a raw control character; it must be escaped")
		default:
			end := plainEnd(r.s, r.i)
			r.buf = append(r.buf, r.s[r.i:end]...)
			r.i = end
		}
	}
	return "", r.syntax("the end of a string")
}

// escape reads one escape sequence into buf.
func (r *reader) escape() bool {
	if r.i+1 >= len(r.s) {
		r.i = len(r.s)
		return r.syntax("the rest of an escape")
	}
	c := r.s[r.i+1]
	switch c {
	case '"', '\\', '/':
	case 'b':
		c = '\b'
	case 'f':
		c = '\f'
	case 'n':
		c = '\n'
	case 'r':
		c = '\r'
	case 't':
		c = '\t'
	case 'u':
		return r.unicode()
	default:
		return r.fail("a string holds an unknown escape")
	}
	r.buf = append(r.buf, c)
	r.i += 2
	return true
}

// unicode reads \uXXXX, or a pair of them that makes one character.
func (r *reader) unicode() bool {
	hi, ok := r.hex4(r.i + 2)
	if !ok {
		return false
	}
	r.i += 6
	if hi < 0xD800 || hi > 0xDFFF {
		r.buf = utf8.AppendRune(r.buf, hi)
		return true
	}
	if hi > 0xDBFF || r.i+1 >= len(r.s) || r.s[r.i] != '\\' || r.s[r.i+1] != 'u' {
		return r.fail("a string holds a lone surrogate, which is no character")
	}
	lo, ok := r.hex4(r.i + 2)
	if !ok {
		return false
	}
	if lo < 0xDC00 || lo > 0xDFFF {
		return r.fail("a string holds a lone surrogate, which is no character")
	}
	r.i += 6
	r.buf = utf8.AppendRune(r.buf, 0x10000+(hi-0xD800)<<10+(lo-0xDC00))
	return true
}

func (r *reader) hex4(at int) (rune, bool) {
	if at+4 > len(r.s) {
		r.i = len(r.s)
		return 0, r.syntax("the rest of an escape")
	}
	var v rune
	for _, c := range []byte(r.s[at : at+4]) {
		switch {
		case c >= '0' && c <= '9':
			v = v<<4 | rune(c-'0')
		case c >= 'a' && c <= 'f':
			v = v<<4 | rune(c-'a'+10)
		case c >= 'A' && c <= 'F':
			v = v<<4 | rune(c-'A'+10)
		default:
			return 0, r.fail("a string holds a broken \\u escape")
		}
	}
	return v, true
}

// wrongType says that the next value is not what it should be.
func (r *reader) wrongType(name, wanted string) bool {
	var got string
	switch c := r.peek(); {
	case c == '"':
		got = "a string"
	case c == '{':
		got = "an object"
	case c == '[':
		got = "an array"
	case c == 't' || c == 'f':
		got = "true or false"
	case c == 'n':
		got = "null"
	case c == '-' || digit(c):
		got = "a number"
	default:
		return r.syntax(name)
	}
	return r.fail(name + " must be " + wanted + ", not " + got)
}

// word consumes a literal.
func (r *reader) word(w string) bool {
	r.space()
	if len(r.s)-r.i < len(w) || r.s[r.i:r.i+len(w)] != w {
		return r.syntax("a value")
	}
	r.i += len(w)
	return true
}

// null consumes a null if one comes next.
func (r *reader) null() (was, ok bool) {
	if r.peek() != 'n' {
		return false, true
	}
	return true, r.word("null")
}

// key reads an object's key and its colon.
func (r *reader) key() (string, bool) {
	if r.peek() != '"' {
		return "", r.syntax("a key")
	}
	start := r.i
	k, ok := r.text()
	if !ok {
		return "", false
	}
	if r.i-start != len(k)+2 {
		r.esc = true
	}
	if !r.take(':') {
		return "", r.syntax("a colon")
	}
	return k, true
}

// skip reads over any value.
func (r *reader) skip(depth int) bool {
	if depth > maxDepth {
		return r.fail("the JSON is nested too deeply")
	}
	switch r.peek() {
	case '"':
		_, ok := r.text()
		return ok
	case '{', '[':
		return r.skipNested(depth)
	case 't':
		return r.word("true")
	case 'f':
		return r.word("false")
	case 'n':
		return r.word("null")
	}
	_, _, ok := r.number()
	if !ok && r.reason == "" {
		return r.syntax("a value")
	}
	return ok
}

func (r *reader) skipNested(depth int) bool {
	object := r.s[r.i] == '{'
	end := byte(']')
	if object {
		end = '}'
	}
	r.i++
	for first := true; ; first = false {
		again, ok := r.more(first, end)
		if !again {
			return ok
		}
		if object {
			if _, ok := r.key(); !ok {
				return false
			}
		}
		if !r.skip(depth + 1) {
			return false
		}
	}
}

// done checks that nothing follows.
func (r *reader) done() bool {
	r.space()
	if r.i < len(r.s) {
		return r.fail("something follows the end of the JSON")
	}
	return true
}
