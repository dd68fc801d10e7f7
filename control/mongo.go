package control

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"
	"time"

	"dvmrelay/wire"

	"github.com/nbd-wtf/go-nostr"
)

// parseEvent reads one event as it stands in a file. What does not read as it is, is tried again without the clothes that
// databases put on numbers: {"$numberLong":"5"}, {"$date":...}, 5.0, "5". The id is checked later against the event as it
// is published, so nothing can be read into it.
func parseEvent(text []byte) (*nostr.Event, []byte, error) {
	evt, raw, err := wire.ParseEvent(text, wire.Limits{})
	if err == nil {
		return evt, raw, nil
	}
	if bare, ok := undressed(text); ok {
		if evt, raw, again := wire.ParseEvent(bare, wire.Limits{}); again == nil {
			return evt, raw, nil
		}
	}
	return nil, nil, err
}

// undressed writes an event anew with its numbers as numbers, and nothing but its own members.
func undressed(text []byte) ([]byte, bool) {
	var members map[string]json.RawMessage
	if json.Unmarshal(text, &members) != nil {
		return nil, false
	}
	kind, ok := whole(members["kind"])
	if !ok {
		return nil, false
	}
	at, ok := moment(members["created_at"])
	if !ok {
		return nil, false
	}
	var out bytes.Buffer
	out.WriteString(`{"kind":` + strconv.FormatInt(kind, 10) + `,"created_at":` + strconv.FormatInt(at, 10))
	for _, name := range []string{"id", "pubkey", "tags", "content", "sig"} {
		if v := members[name]; v != nil {
			out.WriteString(`,"` + name + `":`)
			out.Write(v)
		}
	}
	out.WriteByte('}')
	return out.Bytes(), true
}

// dress is what an object around one value holds; empty when it is none.
func dress(v json.RawMessage) (name string, value json.RawMessage) {
	var object map[string]json.RawMessage
	if json.Unmarshal(v, &object) != nil || len(object) != 1 {
		return "", nil
	}
	for name, value = range object {
	}
	return name, value
}

// whole is a number without a fraction, however it is written.
func whole(v json.RawMessage) (int64, bool) {
	if len(v) == 0 || len(v) > 64 {
		return 0, false
	}
	switch name, inner := dress(v); name {
	case "":
	case "$numberLong", "$numberInt", "$numberDouble", "$numberDecimal":
		v = inner
	default:
		return 0, false
	}
	digits := string(v)
	var quoted string
	if json.Unmarshal(v, &quoted) == nil {
		digits = quoted
	}
	if n, err := strconv.ParseInt(digits, 10, 64); err == nil {
		return n, true
	}
	f, err := strconv.ParseFloat(digits, 64)
	if err != nil || math.Abs(f) > 1<<53 || f != math.Trunc(f) {
		return 0, false
	}
	return int64(f), true
}

// moment is a time in unix seconds: a number, or a date of full seconds.
func moment(v json.RawMessage) (int64, bool) {
	name, inner := dress(v)
	if name != "$date" {
		return whole(v)
	}
	var text string
	if json.Unmarshal(inner, &text) == nil {
		at, err := time.Parse(time.RFC3339, text)
		return at.Unix(), err == nil && at.Nanosecond() == 0
	}
	ms, ok := whole(inner)
	return ms / 1000, ok && ms%1000 == 0
}
