package config

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
)

// Fault is one thing wrong with the configuration, and where.
type Fault struct {
	Source string // the file's path, the variable's name, the flag's name; empty when a default is at fault
	Line   int    // 1 and up; 0 when the source has no lines
	Column int    // 1 and up; 0 when unknown
	Key    string // the toml key, such as mirror.backfill; may be empty
	Text   string // what is wrong
}

// Error is "dvmrelay.toml:12:3: mirror.backfill: ...".
func (f Fault) Error() string {
	var b strings.Builder
	if f.Source != "" {
		b.WriteString(f.Source)
		if f.Line > 0 {
			b.WriteString(":" + strconv.Itoa(f.Line))
			if f.Column > 0 {
				b.WriteString(":" + strconv.Itoa(f.Column))
			}
		}
		b.WriteString(": ")
	}
	if f.Key != "" {
		b.WriteString(f.Key + ": ")
	}
	b.WriteString(f.Text)
	return b.String()
}

// place is where a key got its value.
type place struct {
	source       string
	line, column int
}

func (p place) fault(key, format string, args ...any) Fault {
	return Fault{Source: p.source, Line: p.line, Column: p.column, Key: key, Text: withoutSecrets(fmt.Sprintf(format, args...))}
}

// withoutSecrets hides secret keys that were written where public ones belong: faults end up on screens and in logs.
func withoutSecrets(s string) string {
	const mark = "nsec1"
	var b strings.Builder
	for {
		at := strings.Index(strings.ToLower(s), mark)
		if at < 0 {
			b.WriteString(s)
			return b.String()
		}
		b.WriteString(s[:at] + mark + "...")
		s = strings.TrimLeftFunc(s[at+len(mark):], func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) || r == '.' })
	}
}
