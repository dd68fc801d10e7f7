package wire_test

import (
	"encoding/json"
	"strings"
	"testing"

	"dvmrelay/wire"

	"github.com/google/go-cmp/cmp"
	"github.com/nbd-wtf/go-nostr"
)

// nasty are strings that end up in frames.
var nasty = []string{
	"", "s", `"`, `\`, "a\"b\\c/", "\x00\x01\x1f\x7f", "\b\f\n\r\t", "é😀", "\u2028", "</script>",
	"bad \xff utf-8 \xed\xa0\x80 \xc3", strings.Repeat("é\n", 500),
}

func TestAppend_IsJSON(t *testing.T) {
	for _, s := range nasty {
		clean := strings.ToValidUTF8(s, "")
		for name, frame := range map[string][]byte{
			"string":    append(wire.AppendString([]byte("["), s), ']'),
			"event":     wire.AppendEvent(nil, s, []byte(eventWith())),
			"ok":        wire.AppendOK(nil, s, true, s),
			"eose":      wire.AppendEOSE(nil, s, ""),
			"eose hint": wire.AppendEOSE(nil, s, s),
			"closed":    wire.AppendClosed(nil, s, s),
			"notice":    wire.AppendNotice(nil, s),
			"auth":      wire.AppendAuth(nil, s),
			"count":     wire.AppendCount(nil, s, 1<<40, true),
			"neg-msg":   wire.AppendNegMsg(nil, s, s),
			"neg-err":   wire.AppendNegErr(nil, s, s),
			"req":       wire.AppendReq(nil, s, nostr.Filter{Search: s, Tags: nostr.TagMap{"t": {s}}}),
			"close":     wire.AppendClose(nil, s),
			"neg-open":  wire.AppendNegOpen(nil, s, nostr.Filter{}, "61"),
		} {
			var list []any
			if err := json.Unmarshal(frame, &list); err != nil {
				t.Errorf("%s of %q is not JSON: %v: %s", name, s, err, frame)
				continue
			}
			if len(list) > 1 && clean == s && list[1] != s {
				t.Errorf("%s of %q: got %q", name, s, list[1])
			}
			if strings.Contains(string(frame), "\xff") {
				t.Errorf("%s of %q is not UTF-8", name, s)
			}
		}
	}
}

func TestAppend_Bytes(t *testing.T) {
	for name, tt := range map[string]struct{ got, want string }{
		"event":       {string(wire.AppendEvent([]byte("x"), "s", []byte(`{}`))), `x["EVENT","s",{}]`},
		"ok":          {string(wire.AppendOK(nil, idA, false, "duplicate: seen")), `["OK","` + idA + `",false,"duplicate: seen"]`},
		"eose":        {string(wire.AppendEOSE(nil, "s", "")), `["EOSE","s"]`},
		"eose hint":   {string(wire.AppendEOSE(nil, "s", "finish")), `["EOSE","s",["finish"]]`},
		"closed":      {string(wire.AppendClosed(nil, `"`, "error: x")), `["CLOSED","\"","error: x"]`},
		"notice":      {string(wire.AppendNotice(nil, "invalid: x")), `["NOTICE","invalid: x"]`},
		"auth":        {string(wire.AppendAuth(nil, "c")), `["AUTH","c"]`},
		"count":       {string(wire.AppendCount(nil, "s", 12, false)), `["COUNT","s",{"count":12}]`},
		"approximate": {string(wire.AppendCount(nil, "s", 12, true)), `["COUNT","s",{"count":12,"approximate":true}]`},
		"neg-msg":     {string(wire.AppendNegMsg(nil, "s", "61")), `["NEG-MSG","s","61"]`},
		"neg-too-big": {string(wire.AppendNegTooBig(nil, "s", "blocked: this query is too big", 100)), `["NEG-ERR","s","blocked: this query is too big",100]`},
		"neg-err":     {string(wire.AppendNegErr(nil, "s", "error: not served yet")), `["NEG-ERR","s","error: not served yet"]`},
		"neg-close":   {string(wire.AppendNegClose(nil, "s")), `["NEG-CLOSE","s"]`},
		"publish":     {string(wire.AppendPublish(nil, []byte(`{}`))), `["EVENT",{}]`},
		"answer":      {string(wire.AppendAnswer(nil, []byte(`{}`))), `["AUTH",{}]`},
		"count req":   {string(wire.AppendCountReq(nil, "s", nostr.Filter{}, nostr.Filter{LimitZero: true})), `["COUNT","s",{},{"limit":0}]`},
	} {
		if tt.got != tt.want {
			t.Errorf("%s: got %s, want %s", name, tt.got, tt.want)
		}
	}
}

func TestAppendFilter_RoundTrip(t *testing.T) {
	for _, f := range []nostr.Filter{
		{},
		{IDs: []string{idA}, Authors: []string{keyB, idA}, Kinds: []int{0, 5300}, Since: stamp(-1), Until: stamp(0), Limit: 5, Search: `a "b"`},
		{IDs: []string{}, Kinds: []int{}, Tags: nostr.TagMap{"e": {}, "P": {"x", ""}, "k": {"5300"}}, LimitZero: true},
	} {
		text := wire.AppendFilter(nil, f)
		got, err := wire.ParseFilter(text, wire.DefaultLimits())
		if err != nil {
			t.Errorf("%s: %v", text, err)
		} else if diff := cmp.Diff(f, got); diff != "" {
			t.Errorf("%s (-want +got)\n%s", text, diff)
		}
	}
	if _, err := wire.ParseFilter([]byte(`{"kinds":["1"]}`), wire.DefaultLimits()); err == nil {
		t.Error("kinds as text: got no error")
	}
	if _, err := wire.ParseFilter([]byte(`{} {}`), wire.DefaultLimits()); err == nil {
		t.Error("two filters: got no error")
	}
}

func TestAppendEventJSON_RoundTrip(t *testing.T) {
	for _, s := range nasty {
		evt := baseEvent()
		evt.Content, evt.Tags = strings.ToValidUTF8(s, "\ufffd"), nostr.Tags{{}, {strings.ToValidUTF8(s, "\ufffd"), ""}}
		text := wire.AppendEventJSON(nil, evt)
		got, raw, err := wire.ParseEvent(text, wire.DefaultLimits())
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if diff := cmp.Diff(evt, got); diff != "" || string(raw) != string(text) {
			t.Errorf("%s: raw %s (-want +got)\n%s", text, raw, diff)
		}
	}
}
