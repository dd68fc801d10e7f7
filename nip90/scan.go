package nip90

import (
	"encoding/json"
	"strings"
)

// eachMember calls visit with key and raw value of every member of the JSON object s, in order, without recursion and
// without copying. It says whether s was one object from end to end. It is laxer than a JSON parser inside of values
// that nobody asks for; who needs certainty checks the raw value.
func eachMember(s string, visit func(key, raw string)) bool {
	return eachIn(s, '{', '}', func(i int) (end int, more bool) {
		keyEnd := stringEnd(s, i)
		if keyEnd < 0 {
			return -1, false
		}
		from := skipSpace(s, keyEnd)
		if from >= len(s) || s[from] != ':' {
			return -1, false
		}
		from = skipSpace(s, from+1)
		if end = valueEnd(s, from); end < 0 {
			return -1, false
		}
		visit(s[i+1:keyEnd-1], s[from:end])
		return end, true
	})
}

// eachElement is eachMember for an array. Visit returns false to stop early.
func eachElement(s string, visit func(raw string) bool) bool {
	return eachIn(s, '[', ']', func(i int) (end int, more bool) {
		if end = valueEnd(s, i); end < 0 {
			return -1, false
		}
		return end, visit(s[i:end])
	})
}

// eachIn walks what stands between two brackets with commas between. Item reads what begins at i and returns the index
// after it, -1 when it cannot be read; more is false to stop early.
func eachIn(s string, open, shut byte, item func(i int) (end int, more bool)) bool {
	i := skipSpace(s, 0)
	if i >= len(s) || s[i] != open {
		return false
	}
	i = skipSpace(s, i+1)
	if i < len(s) && s[i] == shut {
		return skipSpace(s, i+1) == len(s)
	}
	for i < len(s) {
		end, more := item(i)
		if end < 0 || !more {
			return end >= 0
		}
		i = skipSpace(s, end)
		if i >= len(s) {
			return false
		}
		if s[i] == shut {
			return skipSpace(s, i+1) == len(s)
		}
		if s[i] != ',' {
			return false
		}
		i = skipSpace(s, i+1)
	}
	return false
}

func skipSpace(s string, i int) int {
	for i < len(s) && (s[i] == ' ' || s[i] == '\n' || s[i] == '\t' || s[i] == '\r') {
		i++
	}
	return i
}

// stringEnd is the index after the string literal that starts at i, -1 when there is none.
func stringEnd(s string, i int) int {
	if i >= len(s) || s[i] != '"' {
		return -1
	}
	i++
	for {
		next := strings.IndexByte(s[i:], '"')
		if next < 0 {
			return -1
		}
		end := i + next
		slashes := 0
		for k := end - 1; k >= i && s[k] == '\\'; k-- {
			slashes++
		}
		if slashes%2 == 0 {
			return end + 1
		}
		i = end + 1
		if i > len(s) {
			return -1
		}
	}
}

// valueEnd is the index after the JSON value that starts at i, -1 when there is none.
func valueEnd(s string, i int) int {
	if i >= len(s) {
		return -1
	}
	switch s[i] {
	case '"':
		return stringEnd(s, i)
	case '{', '[':
		return nestedEnd(s, i)
	}
	start := i
	for i < len(s) && strings.IndexByte(" \t\r\n,]}:\"", s[i]) < 0 {
		i++
	}
	if i == start {
		return -1
	}
	return i
}

func nestedEnd(s string, i int) int {
	depth := 0
	for i < len(s) {
		switch s[i] {
		case '"':
			end := stringEnd(s, i)
			if end < 0 {
				return -1
			}
			i = end
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
	return -1
}

// unquote is the text of a JSON string literal.
func unquote(raw string) (string, bool) {
	if len(raw) < 2 || raw[0] != '"' || raw[len(raw)-1] != '"' {
		return "", false
	}
	if strings.IndexByte(raw, '\\') < 0 {
		return raw[1 : len(raw)-1], true
	}
	var s string
	if err := json.Unmarshal([]byte(raw), &s); err != nil {
		return "", false
	}
	return s, true
}

// pythonToJSON rewrites the repr of a Python value as JSON: single quotes, True, False, None. It says whether the
// outcome is valid JSON.
func pythonToJSON(s string) (string, bool) {
	out := make([]byte, 0, len(s)+16)
	for i := 0; i < len(s); {
		c := s[i]
		switch {
		case c == '\'' || c == '"':
			var ok bool
			if out, i, ok = appendPythonString(out, s, i); !ok {
				return "", false
			}
		case strings.HasPrefix(s[i:], "True"):
			out, i = append(out, "true"...), i+4
		case strings.HasPrefix(s[i:], "False"):
			out, i = append(out, "false"...), i+5
		case strings.HasPrefix(s[i:], "None"):
			out, i = append(out, "null"...), i+4
		default:
			out, i = append(out, c), i+1
		}
	}
	return string(out), json.Valid(out)
}

// appendPythonString rewrites the Python string literal at i and returns the index after it.
func appendPythonString(out []byte, s string, i int) ([]byte, int, bool) {
	quote := s[i]
	out = append(out, '"')
	for i++; i < len(s); i++ {
		c := s[i]
		switch {
		case c == quote:
			return append(out, '"'), i + 1, true
		case c == '"':
			out = append(out, '\\', '"')
		case c == '\\' && i+1 < len(s):
			i++
			switch s[i] {
			case '\'':
				out = append(out, '\'')
			case 'x':
				out = append(out, '\\', 'u', '0', '0')
			default:
				out = append(out, '\\', s[i])
			}
		case c < 0x20:
			out = append(out, '\\', 'u', '0', '0', hexDigit(c>>4), hexDigit(c&15))
		default:
			out = append(out, c)
		}
	}
	return nil, i, false
}

func hexDigit(n byte) byte { return "0123456789abcdef"[n&15] }
