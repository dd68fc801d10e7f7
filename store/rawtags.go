package store

import (
	"bytes"
	"encoding/json"
)

// tagSpan finds the array of the top-level field "tags" in the JSON of an event; empty when there is none.
func tagSpan(raw []byte) (from, to int) {
	i := skipSpace(raw, 0)
	if i >= len(raw) || raw[i] != '{' {
		return 0, 0
	}
	i++
	for {
		i = skipSpace(raw, i)
		if i >= len(raw) || raw[i] != '"' {
			return 0, 0
		}
		nameEnd := skipString(raw, i)
		name := raw[i:nameEnd]
		i = skipSpace(raw, nameEnd)
		if i >= len(raw) || raw[i] != ':' {
			return 0, 0
		}
		i = skipSpace(raw, i+1)
		end := skipValue(raw, i)
		if string(name) == `"tags"` {
			return i, end
		}
		i = skipSpace(raw, end)
		if i >= len(raw) || raw[i] != ',' {
			return 0, 0
		}
		i++
	}
}

func skipSpace(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\t' || b[i] == '\r') {
		i++
	}
	return i
}

// skipString returns the index behind the string that opens at i.
func skipString(b []byte, i int) int {
	for j := i + 1; j < len(b); {
		k := bytes.IndexByte(b[j:], '"')
		if k < 0 {
			return len(b)
		}
		j += k
		slashes := 0
		for b[j-1-slashes] == '\\' {
			slashes++
		}
		j++
		if slashes%2 == 0 {
			return j
		}
	}
	return len(b)
}

func skipValue(b []byte, i int) int {
	if i >= len(b) {
		return i
	}
	switch b[i] {
	case '"':
		return skipString(b, i)
	case '{', '[':
		return skipNested(b, i)
	}
	for i < len(b) && b[i] != ',' && b[i] != ']' && b[i] != '}' {
		i++
	}
	return i
}

func skipNested(b []byte, i int) int {
	depth := 0
	for i < len(b) {
		switch b[i] {
		case '"':
			i = skipString(b, i)
			continue
		case '{', '[':
			depth++
		case '}', ']':
			depth--
			if depth == 0 {
				return i + 1
			}
		}
		i++
	}
	return i
}

// tagWalk walks the tags of an event's JSON without decoding it.
type tagWalk struct {
	b []byte
	i int
}

// rawTag is the name and first value of a tag, between their quotes and still escaped.
type rawTag struct {
	name, value []byte
	hasValue    bool
}

func walkTags(span []byte) tagWalk { return tagWalk{b: span, i: 1} }

// next returns the next tag that has a name, false at the end.
func (w *tagWalk) next() (rawTag, bool) {
	for w.i < len(w.b) {
		if w.b[w.i] != '[' {
			w.i++
			continue
		}
		i := skipSpace(w.b, w.i+1)
		var t rawTag
		var ok bool
		if t.name, i, ok = w.element(i); !ok {
			w.i = w.close(i)
			continue
		}
		if i < len(w.b) && w.b[i] == ',' {
			t.value, i, t.hasValue = w.element(skipSpace(w.b, i+1))
		}
		w.i = w.close(i)
		return t, true
	}
	return rawTag{}, false
}

// element reads the string at i and returns it with the index of what follows.
func (w *tagWalk) element(i int) (s []byte, next int, ok bool) {
	if i >= len(w.b) || w.b[i] != '"' {
		return nil, i, false
	}
	end := skipString(w.b, i)
	if end-i < 2 || w.b[end-1] != '"' {
		return nil, len(w.b), false
	}
	return w.b[i+1 : end-1], skipSpace(w.b, end), true
}

// close skips what is left of the tag and returns the index behind its bracket.
func (w *tagWalk) close(i int) int {
	for i < len(w.b) {
		switch w.b[i] {
		case '"':
			i = skipString(w.b, i)
		case '[', '{':
			i = skipNested(w.b, i)
		case ']':
			return i + 1
		default:
			i++
		}
	}
	return i
}

// plain returns the text of an escaped string; it allocates only when something is escaped.
func plain(s []byte) []byte {
	if bytes.IndexByte(s, '\\') < 0 {
		return s
	}
	quoted := make([]byte, 0, len(s)+2)
	quoted = append(quoted, '"')
	quoted = append(quoted, s...)
	quoted = append(quoted, '"')
	var text string
	if json.Unmarshal(quoted, &text) != nil {
		return s
	}
	return []byte(text)
}

// letterOf returns the letter of a single-letter tag. NIP-01 "tags".
func letterOf(name []byte) (byte, bool) {
	name = plain(name)
	if len(name) != 1 {
		return 0, false
	}
	c := name[0]
	return c, c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}
