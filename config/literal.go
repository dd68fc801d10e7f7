package config

import (
	"encoding"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// shape is what a value was written as.
type shape uint8

const (
	isText  shape = iota // a string of the file
	isWord               // characters of a variable or a flag: its type is decided by the field
	isWhole              // an integer of the file
	isBool
	isList
	isOther // a float, a date, a table: no key wants one
)

// literal is a value as it was written.
type literal struct {
	shape shape
	text  string // the characters, unquoted
	list  []literal
	place place
	what  string // for faults: "a float"
}

// set puts a literal into a field, or says what is wrong with it.
func set(field reflect.Value, l literal) error {
	if field.CanAddr() {
		if u, ok := field.Addr().Interface().(encoding.TextUnmarshaler); ok {
			return setText(u, l)
		}
	}
	switch {
	case field.Type() == reflect.TypeFor[time.Duration]():
		d, err := durationOf(l)
		if err == nil {
			field.SetInt(int64(d))
		}
		return err
	case field.Kind() == reflect.String:
		if l.shape != isText && l.shape != isWord {
			return wants("a string", l)
		}
		field.SetString(l.text)
		return nil
	case field.Kind() == reflect.Bool:
		return setBool(field, l)
	case field.Kind() == reflect.Int:
		n, err := wholeOf(l)
		if err == nil {
			field.SetInt(n)
		}
		return err
	case field.Kind() == reflect.Int64:
		n, err := sizeOf(l)
		if err == nil {
			field.SetInt(n)
		}
		return err
	case field.Kind() == reflect.Slice:
		return setList(field, l)
	}
	return fmt.Errorf("has a type that no value can be read into, %s", field.Type())
}

func wants(what string, l literal) error {
	got := l.what
	if got == "" {
		got = map[shape]string{isText: "a string", isWhole: "a number", isBool: "true or false", isList: "a list"}[l.shape]
	}
	if l.shape == isWord {
		return fmt.Errorf("%q: must be %s", l.text, what)
	}
	return fmt.Errorf("must be %s, not %s", what, got)
}

func setText(u encoding.TextUnmarshaler, l literal) error {
	if l.shape == isBool || l.shape == isList || l.shape == isOther {
		return wants("a string or a number", l)
	}
	if err := u.UnmarshalText([]byte(l.text)); err != nil {
		return fmt.Errorf("%q: %w", l.text, err)
	}
	return nil
}

func setBool(field reflect.Value, l literal) error {
	if l.shape != isBool && (l.shape != isWord || l.text != "true" && l.text != "false") {
		return wants("true or false", l)
	}
	field.SetBool(l.text == "true")
	return nil
}

func setList(field reflect.Value, l literal) error {
	items := l.list
	switch l.shape {
	case isList:
	case isWord:
		items = split(l.text)
	default:
		return wants("a list", l)
	}
	out := reflect.MakeSlice(field.Type(), len(items), len(items))
	var faults []error
	for i, item := range items {
		if err := set(out.Index(i), item); err != nil {
			faults = append(faults, itemFault{item.place, err})
		}
	}
	if len(faults) == 0 {
		field.Set(out)
	}
	return errors.Join(faults...)
}

// itemFault is what is wrong with one element of a list, and where it stands.
type itemFault struct {
	place place
	err   error
}

func (f itemFault) Error() string { return f.err.Error() }

// split takes a comma-separated list apart; nothing is the empty list.
func split(s string) []literal {
	out := []literal{}
	if strings.TrimSpace(s) == "" {
		return out
	}
	for item := range strings.SplitSeq(s, ",") {
		out = append(out, literal{shape: isWord, text: strings.TrimSpace(item)})
	}
	return out
}

func wholeOf(l literal) (int64, error) {
	if l.shape != isWhole && l.shape != isWord {
		return 0, wants("a whole number", l)
	}
	n, err := strconv.ParseInt(l.text, 0, 64)
	if err != nil || n > math.MaxInt || n < math.MinInt {
		return 0, fmt.Errorf("%q: must be a whole number", l.text)
	}
	return n, nil
}

// sizeOf reads a number of bytes: 1024, or "2GiB".
func sizeOf(l literal) (int64, error) {
	switch l.shape {
	case isWhole, isWord:
		if n, err := strconv.ParseInt(l.text, 0, 64); err == nil {
			return n, nil
		}
	case isText:
	default:
		return 0, wants("a number of bytes", l)
	}
	n, ok := parseSize(l.text)
	if !ok {
		return 0, fmt.Errorf("%q: must be a number of bytes, such as 1048576 or \"1MiB\"", l.text)
	}
	return n, nil
}

// durationOf reads "90s", "10m", "30d"; a number without a unit is taken only for 0.
func durationOf(l literal) (time.Duration, error) {
	switch l.shape {
	case isText, isWord, isWhole:
	default:
		return 0, wants("a duration such as \"10m\"", l)
	}
	d, ok := parseDuration(l.text)
	switch {
	case ok:
		return d, nil
	case l.shape == isWhole:
		return 0, fmt.Errorf("%s: has no unit, write a duration such as \"%ss\"", l.text, l.text)
	}
	return 0, fmt.Errorf("%q: must be a duration such as \"90s\", \"10m\", \"12h\" or \"30d\"", l.text)
}
