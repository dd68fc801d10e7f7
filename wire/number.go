package wire

import "strconv"

// number reads a number's token and says whether it is written as an integer.
func (r *reader) number() (token string, integer, ok bool) {
	r.space()
	start := r.i
	if r.i < len(r.s) && r.s[r.i] == '-' {
		r.i++
	}
	switch {
	case r.i >= len(r.s) || !digit(r.s[r.i]):
		return "", false, r.syntax("a number")
	case r.s[r.i] == '0':
		r.i++
	default:
		r.digits()
	}
	integer = true
	if r.i < len(r.s) && r.s[r.i] == '.' {
		integer = false
		r.i++
		if !r.digits() {
			return "", false, r.syntax("a digit")
		}
	}
	if r.i < len(r.s) && (r.s[r.i] == 'e' || r.s[r.i] == 'E') {
		integer = false
		r.i++
		if r.i < len(r.s) && (r.s[r.i] == '+' || r.s[r.i] == '-') {
			r.i++
		}
		if !r.digits() {
			return "", false, r.syntax("a digit")
		}
	}
	return r.s[start:r.i], integer, true
}

func (r *reader) digits() bool {
	start := r.i
	for r.i < len(r.s) && digit(r.s[r.i]) {
		r.i++
	}
	return r.i > start
}

func digit(c byte) bool { return c >= '0' && c <= '9' }

// integer reads an integer from lo to hi; name says in the reason what it is.
func (r *reader) integer(name string, lo, hi int64) (int64, bool) {
	if c := r.peek(); c != '-' && !digit(c) {
		return 0, r.wrongType(name, "an integer")
	}
	token, integer, ok := r.number()
	if !ok {
		return 0, false
	}
	if !integer {
		return 0, r.fail(name + " must be written as a plain integer, without fraction or exponent")
	}
	v, err := strconv.ParseInt(token, 10, 64)
	if err != nil || v < lo || v > hi {
		return 0, r.fail(name + " is out of range")
	}
	return v, true
}
