package wire_test

import (
	"strings"
	"testing"

	"dvmrelay/wire"
)

// refusal is what a Malformed must say; Reason is a part of it.
type refusal struct {
	name, frame string
	label       string
	id          string
	sub         string
	reason      string
}

func checkRefusals(t *testing.T, cases []refusal) {
	t.Helper()
	for _, tt := range cases {
		t.Run(tt.name, func(t *testing.T) {
			cmd, bad := wire.ParseCommand([]byte(tt.frame), wire.DefaultLimits())
			if bad == nil {
				t.Fatalf("accepted: %+v", cmd)
			}
			if cmd != nil {
				t.Errorf("a command beside the refusal: %+v", cmd)
			}
			if bad.Label != tt.label || bad.EventID != tt.id || bad.Sub != tt.sub {
				t.Errorf("got label %q, id %q, sub %q; want %q, %q, %q", bad.Label, bad.EventID, bad.Sub, tt.label, tt.id, tt.sub)
			}
			if !strings.HasPrefix(bad.Reason, "invalid: ") && !strings.HasPrefix(bad.Reason, "unsupported: ") {
				t.Errorf("reason %q lacks its prefix", bad.Reason)
			}
			if !strings.Contains(bad.Reason, tt.reason) {
				t.Errorf("reason: got %q, want %q in it", bad.Reason, tt.reason)
			}
			if len(bad.Reason) > 200 {
				t.Errorf("reason has %d bytes", len(bad.Reason))
			}
		})
	}
}

func TestParseCommand_RefusedFrames(t *testing.T) {
	deep := strings.Repeat("[", 240_000)
	checkRefusals(t, []refusal{
		{"nothing", ``, "", "", "", "ends where a frame"},
		{"space", "  \n", "", "", "", "ends where a frame"},
		{"no array", `{"a":1}`, "", "", "", "a frame must be an array, not an object"},
		{"no JSON", `hello`, "", "", "", "not JSON at byte 0"},
		{"empty array", `[]`, "", "", "", "first element"},
		{"label is a number", `[1]`, "", "", "", "must be a string, not a number"},
		{"unknown label", `["HELLO","s"]`, "", "", "", `unknown message "HELLO"`},
		{"lower case", `["event",` + eventWith() + `]`, "", "", "", "unknown message"},
		{"long label", `["` + strings.Repeat("x", 100_000) + `"]`, "", "", "", "unknown message"},
		{"label alone", `["REQ"]`, "REQ", "", "", "lacks an element"},
		{"deep", deep, "", "", "", "must be a string, not an array"},
		{"deep in a foreign field", `["EVENT",` + eventWith("x", deep) + `]`, "EVENT", idA, "", "nested too deeply"},
		{"deep before the id", `["EVENT",{"x":` + deep + `,"id":"` + idA + `"}]`, "EVENT", "", "", "nested too deeply"},
		{"deep objects", `["EVENT",{"x":` + strings.Repeat(`{"a":`, 240_000), "EVENT", "", "", "nested too deeply"},
		{"deep in a filter", `["REQ","s",{"intent":` + deep, "REQ", "", "s", "nested too deeply"},
		{"something follows", `["CLOSE","s"]x`, "CLOSE", "", "s", "follows the end"},
		{"another frame follows", `["CLOSE","s"]["CLOSE","s"]`, "CLOSE", "", "s", "follows the end"},
		{"element too many", `["CLOSE","s",1]`, "CLOSE", "", "s", "too many"},
		{"trailing comma", `["CLOSE","s",]`, "CLOSE", "", "s", "too many"},
		{"invalid UTF-8", "[\"CLOSE\",\"s\xff\"]", "CLOSE", "", "s\xff", "UTF-8"},
		{"surrogate in UTF-8", "[\"EVENT\"," + eventWith("content", "\"\xed\xa0\x80\"") + "]", "EVENT", idA, "", "UTF-8"},
		{"challenge from the wrong side", `["AUTH","challenge"]`, "AUTH", "", "", "must be an object, not a string"},
		{"message of the wrong side", `["EVENT","s",` + eventWith() + `]`, "EVENT", "", "", "must be an object, not a string"},
		{"single quotes", `['EVENT']`, "", "", "", "not JSON"},
		{"comment", `["CLOSE",/* */"s"]`, "CLOSE", "", "", "not JSON"},
		{"byte order mark", "\ufeff" + `["CLOSE","s"]`, "", "", "", "not JSON"},
		{"form feed is no space", "[\f\"CLOSE\",\"s\"]", "", "", "", "not JSON"},
		{"NUL byte", "[\"CLOSE\",\"s\"]\x00", "CLOSE", "", "s", "follows the end"},
	})
}

func TestParseCommand_RefusedEvents(t *testing.T) {
	event := func(name, reason string, pairs ...string) refusal {
		return refusal{name, `["EVENT",` + eventWith(pairs...) + `]`, "EVENT", idA, "", reason}
	}
	noID := func(r refusal) refusal {
		r.id = ""
		return r
	}
	checkRefusals(t, []refusal{
		event("kind in scientific notation", "plain integer", "kind", "5e3"),
		event("kind with a fraction", "plain integer", "kind", "5300.0"),
		event("kind 1e999", "plain integer", "kind", "1e999"),
		event("negative kind", "kind is out of range", "kind", "-1"),
		event("kind above 65,535", "kind is out of range", "kind", "65536"),
		event("kind with a leading zero", "not JSON", "kind", "05300"),
		event("kind with a plus", "not JSON", "kind", "+5300"),
		event("kind as text", "kind must be an integer, not a string", "kind", `"5300"`),
		event("negative time", "created_at is out of range", "created_at", "-1"),
		event("time of 2^63", "created_at is out of range", "created_at", "9223372036854775808"),
		event("time of 1,000 digits", "created_at is out of range", "created_at", strings.Repeat("9", 1000)),
		event("time with a fraction", "plain integer", "created_at", "1700000000.5"),
		event("hexadecimal time", "not JSON", "created_at", "0x10"),
		event("time NaN", "not JSON", "created_at", "NaN"),
		event("time is null", "not null", "created_at", "null"),
		event("bare minus", "not JSON", "created_at", "-"),
		event("broken exponent", "not JSON", "created_at", "1e"),
		event("broken fraction", "not JSON", "created_at", "1."),
		noID(event("short id", "id must be 64 lowercase hex", "id", `"aa"`)),
		noID(event("upper case id", "id must be 64 lowercase hex", "id", `"`+strings.ToUpper(idA)+`"`)),
		noID(event("no id", `no field "id"`, "id", "")),
		event("key of 65", "pubkey must be 64", "pubkey", `"`+keyB+`b"`),
		event("signature of 129", "sig must be 128", "sig", `"`+sigC+`c"`),
		event("signature of 130", "sig must be 128", "sig", `"`+sigC+`cc"`),
		event("no signature", `no field "sig"`, "sig", ""),
		event("no tags", `no field "tags"`, "tags", ""),
		event("tags is null", "tags must be an array, not null", "tags", "null"),
		event("tag is text", "a tag must be an array, not a string", "tags", `["e"]`),
		event("tag holds a number", "item must be a string, not a number", "tags", `[["amount",1000]]`),
		event("tag holds null", "item must be a string, not null", "tags", `[["e",null]]`),
		event("2,001 tags", "more than 2000 tags", "tags", "["+many(2001, `["t"]`)+"]"),
		event("content is null", "content must be a string, not null", "content", "null"),
		event("content too long", "content is longer than 262144 characters", "content", `"`+strings.Repeat("x", 262_145)+`"`),
		event("raw newline", "raw control character", "content", "\"a\nb\""),
		event("raw NUL", "raw control character", "content", "\"a\x00b\""),
		event("raw control after an escape", "raw control character", "content", "\"\\n\x1f\""),
		event("unknown escape", "unknown escape", "content", `"\x41"`),
		event("broken escape", "broken \\u escape", "content", `"\u00g0"`),
		event("lone high surrogate", "lone surrogate", "content", `"\ud83d"`),
		event("lone low surrogate", "lone surrogate", "content", `"\ude00"`),
		event("low surrogate twice", "lone surrogate", "content", `"\udc00\udc00"`),
		event("high surrogate twice", "lone surrogate", "content", `"\ud83d\ud83d"`),
		event("surrogate and another escape", "lone surrogate", "content", `"\ud83d\n"`),
		event("surrogate in a tag", "lone surrogate", "tags", `[["t","\udfff"]]`),
		event("lone surrogate in a foreign field", "lone surrogate", "x", `"\ud800"`),
		{"two kinds", `["EVENT",` + strings.Replace(eventWith(), `"kind":5300`, `"kind":5300,"kind":5300`, 1) + `]`, "EVENT", idA, "", `two fields "kind"`},
		{"two kinds, one escaped", `["EVENT",` + strings.Replace(eventWith(), `"kind":5300`, `"kind":5300,"k\u0069nd":1`, 1) + `]`, "EVENT", idA, "", `two fields "kind"`},
		{"two ids", `["EVENT",` + strings.Replace(eventWith(), `"kind":5300`, `"kind":5300,"id":"x"`, 1) + `]`, "EVENT", idA, "", `two fields "id"`},
		{"trailing comma in an object", `["EVENT",` + strings.TrimSuffix(eventWith(), "}") + `,}]`, "EVENT", idA, "", "a key"},
		{"id after the fault", `["EVENT",{"kind":1e9,"id":"` + idA + `"}]`, "EVENT", idA, "", "plain integer"},
		{"auth", `["AUTH",` + eventWith("kind", "-1") + `]`, "AUTH", idA, "", "out of range"},
	})
}

func TestParseCommand_RefusedFilters(t *testing.T) {
	filter := func(name, reason, text string) refusal {
		return refusal{name, `["REQ","s",` + text + `]`, "REQ", "", "s", reason}
	}
	long := strings.Repeat("é", 1_000_000)
	checkRefusals(t, []refusal{
		filter("kinds as text", "filter 1: kinds must be an integer, not a string", `{"kinds":["5300"]}`),
		filter("second filter", "filter 2: kinds", `{},{"kinds":[true]}`),
		filter("kinds is a number", "kinds must be an array", `{"kinds":5300}`),
		filter("negative kind", "out of range", `{"kinds":[-1]}`),
		filter("kind 1e3", "plain integer", `{"kinds":[1e3]}`),
		filter("float since", "since must be written as a plain integer", `{"since":1700000000.5}`),
		filter("since as text", "since must be an integer, not a string", `{"since":"now"}`),
		filter("until of 2^64", "out of range", `{"until":18446744073709551616}`),
		filter("limit -1", "limit is out of range", `{"limit":-1}`),
		filter("limit 1e9", "plain integer", `{"limit":1e9}`),
		filter("search is a number", "search must be a string", `{"search":1}`),
		filter("id prefix", "64 lowercase hex", `{"ids":["abcd"]}`),
		filter("upper case author", "64 lowercase hex", `{"authors":["`+strings.ToUpper(keyB)+`"]}`),
		filter("author is null", "must be a string, not null", `{"authors":[null]}`),
		filter("tag is text", "#e must be an array, not a string", `{"#e":"`+idA+`"}`),
		filter("tag holds a number", "#k must be a string, not a number", `{"#k":[5300]}`),
		filter("and-filter", `unsupported: filter 1 has the field "&p"`, `{"&p":["x"]}`),
		filter("long tag name", `unsupported: filter 1 has the field "#amount"`, `{"#amount":["1"]}`),
		filter("tag name is no letter", "unsupported", `{"#1":["1"]}`),
		filter("tag without name", "unsupported", `{"#":["1"]}`),
		filter("two kinds fields", `two fields "kinds"`, `{"kinds":[1],"kinds":[2]}`),
		filter("two tag fields", `two fields "#e"`, `{"#e":[],"#e":[]}`),
		filter("2,501 kinds", "more than 2500", `{"kinds":[`+many(2501, "1")+`]}`),
		filter("10,000 tag values", "more than 2500", `{"#e":[`+many(10_000, `"`+idA+`"`)+`]}`),
		filter("17 filters", "more than 16 filters", many(17, "{}")),
		filter("200 filters", "more than 16 filters", many(200, "{}")),
		filter("filter is text", "filter 1 must be an object, not a string", `"x"`),
		{"no filter", `["REQ","s"]`, "REQ", "", "s", "no filter"},
		{"count without filter", `["COUNT","s"]`, "COUNT", "", "s", "no filter"},
		{"empty id", `["REQ","",{}]`, "REQ", "", "", "is empty"},
		{"id of 65", `["REQ","` + strings.Repeat("x", 65) + `",{}]`, "REQ", "", strings.Repeat("x", 64), "longer than 64"},
		{"id of a million", `["CLOSE","` + long + `"]`, "CLOSE", "", strings.Repeat("é", 64), "longer than 64"},
		{"id is a number", `["REQ",7,{}]`, "REQ", "", "", "must be a string, not a number"},
		{"neg-open without filter", `["NEG-OPEN","s"]`, "NEG-OPEN", "", "s", "lacks an element"},
		{"neg-open without message", `["NEG-OPEN","s",{}]`, "NEG-OPEN", "", "s", "lacks an element"},
		{"neg-open of the first draft", `["NEG-OPEN","s",{},16,"61"]`, "NEG-OPEN", "", "s", "must be a string, not a number"},
		{"neg-msg is no hex", `["NEG-MSG","s","zz"]`, "NEG-MSG", "", "s", "hexadecimal"},
		{"neg-msg of odd length", `["NEG-MSG","s","610"]`, "NEG-MSG", "", "s", "hexadecimal"},
		{"four bytes that end khatru", `,"x"`, "", "", "", "not JSON"},
	})
}

func TestParseCommand_HasSub(t *testing.T) {
	for frame, want := range map[string]bool{
		`["REQ","",{}]`: true, `["REQ"]`: false, `["REQ",1]`: false, `["EVENT",{}]`: false, `["CLOSE","x`: false,
	} {
		if _, bad := wire.ParseCommand([]byte(frame), wire.DefaultLimits()); bad == nil || bad.HasSub != want {
			t.Errorf("%s: got %+v, want HasSub %v", frame, bad, want)
		}
	}
}

// TestParseCommand_CutAnywhere cuts good frames at every byte: each is refused, and what can be read is.
func TestParseCommand_CutAnywhere(t *testing.T) {
	event := `["EVENT",` + eventWith("content", `"a\u00e9\ud83d\ude00"`, "x", "[1.5e3,null,{}]") + `]`
	req := `["REQ","sub",{"kinds":[1,2],"#e":["x"],"since":12,"search":"y"},{"limit":0}]`
	for _, frame := range []string{event, req, `["COUNT","sub",{}]`, `["CLOSE","sub"]`, `["NEG-OPEN","sub",{},"6100"]`} {
		for n := range len(frame) {
			cmd, bad := wire.ParseCommand([]byte(frame[:n]), wire.DefaultLimits())
			if bad == nil {
				t.Fatalf("%s: accepted as %+v", frame[:n], cmd)
			}
			if end := strings.Index(frame, idA); frame == event && (bad.EventID == idA) != (n > end+len(idA)) {
				t.Fatalf("%s: got id %q", frame[:n], bad.EventID)
			}
			if end := strings.Index(frame, `"sub"`); frame != event && (bad.Sub == "sub") != (n >= end+5) {
				t.Fatalf("%s: got sub %q", frame[:n], bad.Sub)
			}
		}
	}
}

func TestParseCommand_NoLimits(t *testing.T) {
	for _, frame := range []string{
		`["EVENT",` + eventWith("tags", "["+many(5000, `["t"]`)+"]") + `]`,
		`["REQ","` + strings.Repeat("x", 1000) + `",` + many(100, `{"kinds":[`+many(3000, "1")+`]}`) + `]`,
	} {
		if _, bad := wire.ParseCommand([]byte(frame), wire.Limits{}); bad != nil {
			t.Errorf("refused although nothing is limited: %s", bad.Reason)
		}
	}
}
