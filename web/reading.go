package web

import (
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"unicode"

	"dvmrelay/nip90"
)

// reading is what a message says, by the names of its fields.
func reading(m nip90.Message) (kind string, fields map[string]any) {
	v := reflect.ValueOf(m).Elem()
	return snake(v.Type().Name()), members(v)
}

func members(v reflect.Value) map[string]any {
	out := make(map[string]any)
	for i := range v.NumField() {
		if f := v.Type().Field(i); f.IsExported() {
			out[snake(f.Name)] = readable(v.Field(i))
		}
	}
	return out
}

// readable is a value as JSON shows it to people: ids as hex, numbers that stand for words as those, lists never null.
func readable(v reflect.Value) any {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return nil
		}
		return readable(v.Elem())
	}
	switch x := v.Interface().(type) {
	case nip90.Encryption:
		return [...]string{"plain", "nip04", "nip44", "unknown"}[min(int(x), 3)]
	case nip90.PriceKind:
		return [...]string{"unknown", "free", "fixed", "flexible"}[min(int(x), 3)]
	case nip90.ID:
		return zeroless(x.IsZero(), x.String())
	case nip90.PubKey:
		return zeroless(x.IsZero(), x.String())
	case nip90.Msat:
		return int64(x)
	case []byte:
		if json.Valid(x) {
			return json.RawMessage(x)
		}
		return nil
	case [32]byte:
		return fmt.Sprintf("%x", x)
	case encoding.TextMarshaler:
		return x
	case fmt.Stringer:
		return x.String()
	}
	switch v.Kind() {
	case reflect.Struct:
		return members(v)
	case reflect.Slice:
		out := make([]any, v.Len())
		for i := range out {
			out[i] = readable(v.Index(i))
		}
		return out
	}
	return v.Interface()
}

func zeroless(zero bool, text string) any {
	if zero {
		return nil
	}
	return text
}

// snake writes MaxBid as max_bid and IDs as ids.
func snake(name string) string {
	var b strings.Builder
	runes := []rune(name)
	for i, c := range runes {
		if unicode.IsUpper(c) && i > 0 && unicode.IsLower(runes[i-1]) {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(c))
	}
	return b.String()
}
