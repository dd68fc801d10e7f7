package config

import (
	"encoding"
	"fmt"
	"io"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// Print writes the configuration as TOML that Load reads back to the same values.
func (c Config) Print(w io.Writer) error {
	var b strings.Builder
	last := ""
	for _, e := range entries(&c) {
		section, name, _ := strings.Cut(e.key, ".")
		if section != last {
			if last != "" {
				b.WriteByte('\n')
			}
			fmt.Fprintf(&b, "[%s]\n", section)
			last = section
		}
		fmt.Fprintf(&b, "%s = %s\n", name, format(e.value))
	}
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("print configuration: %w", err)
	}
	return nil
}

// Change is a key whose value differs between two configurations.
type Change struct {
	Key      string
	From, To string // as TOML
	Live     bool   // takes effect without a restart
}

// Diff is what differs between two configurations, in the order of the keys.
func Diff(from, to Config) []Change {
	var out []Change
	next := entries(&to)
	for i, e := range entries(&from) {
		if a, b := format(e.value), format(next[i].value); a != b {
			out = append(out, Change{Key: e.key, From: a, To: b, Live: isLive(e.key)})
		}
	}
	return out
}

// isLive says whether a key takes effect without a restart: the rules, the upstreams, and how much is logged.
func isLive(key string) bool {
	section, _, _ := strings.Cut(key, ".")
	switch section {
	case "policies", "kinds":
		return true
	case "limits":
		return key != "limits.query_budget" // the store is opened with it
	}
	switch key {
	case "log.level", "mirror.upstreams", "mirror.follow", "mirror.bytes_per_second", "mirror.events_per_second":
		return true
	}
	return false
}

// format writes a value as TOML.
func format(v reflect.Value) string {
	if m, ok := v.Interface().(encoding.TextMarshaler); ok {
		text, err := m.MarshalText()
		if err != nil {
			return `""`
		}
		if n, err := strconv.Atoi(string(text)); err == nil {
			return strconv.Itoa(n)
		}
		return quote(string(text))
	}
	switch {
	case v.Type() == reflect.TypeFor[time.Duration]():
		return quote(formatDuration(time.Duration(v.Int())))
	case v.Kind() == reflect.Int64:
		text, hasUnit := formatSize(v.Int())
		if hasUnit {
			return quote(text)
		}
		return text
	case v.Kind() == reflect.Slice:
		items := make([]string, v.Len())
		for i := range items {
			items[i] = format(v.Index(i))
		}
		return "[" + strings.Join(items, ", ") + "]"
	case v.Kind() == reflect.String:
		return quote(v.String())
	}
	return fmt.Sprint(v.Interface())
}

// quote writes a TOML basic string.
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r < 0x20 || r == 0x7f:
			fmt.Fprintf(&b, "\\u%04X", r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}
