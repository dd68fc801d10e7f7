package wire_test

import (
	"fmt"
	"strings"
	"testing"

	"dvmrelay/wire"

	"github.com/google/go-cmp/cmp"
	"github.com/nbd-wtf/go-nostr"
)

const (
	idA  = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	keyB = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
	sigC = "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"
)

// eventWith is an event's JSON in which the fields named in pairs are replaced; "" leaves a field out.
func eventWith(pairs ...string) string {
	names := []string{"id", "pubkey", "created_at", "kind", "tags", "content", "sig"}
	values := map[string]string{
		"id": `"` + idA + `"`, "pubkey": `"` + keyB + `"`, "created_at": "1700000000", "kind": "5300",
		"tags": `[["i","x","text"]]`, "content": `"hello"`, "sig": `"` + sigC + `"`,
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		if _, ok := values[pairs[i]]; !ok {
			names = append(names, pairs[i])
		}
		values[pairs[i]] = pairs[i+1]
	}
	var b strings.Builder
	for _, name := range names {
		if values[name] == "" {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "%q:%s", name, values[name])
	}
	return "{" + b.String() + "}"
}

func baseEvent() *nostr.Event {
	return &nostr.Event{
		ID: idA, PubKey: keyB, CreatedAt: 1700000000, Kind: 5300,
		Tags: nostr.Tags{{"i", "x", "text"}}, Content: "hello", Sig: sigC,
	}
}

func stamp(n int64) *nostr.Timestamp {
	t := nostr.Timestamp(n)
	return &t
}

func many(n int, item string) string { return strings.TrimSuffix(strings.Repeat(item+",", n), ",") }

func TestParseCommand_Accepted(t *testing.T) {
	base := []byte(eventWith())
	for _, tt := range []struct {
		name, frame string
		want        wire.Command
	}{
		{"event", `["EVENT",` + eventWith() + `]`, wire.Event{baseEvent(), base}},
		{"space around it", " [ \"EVENT\" ,\n" + eventWith() + "\t] \r\n", wire.Event{baseEvent(), base}},
		{"space inside it", `["EVENT",` + strings.ReplaceAll(eventWith(), ",", ", ") + `]`, wire.Event{baseEvent(), base}},
		{"foreign field", `["EVENT",` + eventWith("_id", `{"$oid":"67"}`, "x", "[1,2.5e3,null,true]") + `]`, wire.Event{baseEvent(), base}},
		{"escaped key", `["EVENT",` + strings.Replace(eventWith(), `"kind"`, `"k\u0069nd"`, 1) + `]`, wire.Event{baseEvent(), base}},
		{"auth", `["AUTH",` + eventWith() + `]`, wire.Auth{baseEvent(), base}},
		{"req", `["REQ","s",{"kinds":[7000],"#e":["` + idA + `"],"limit":1}]`, wire.Req{"s", []nostr.Filter{
			{Kinds: []int{7000}, Tags: nostr.TagMap{"e": {idA}}, Limit: 1},
		}}},
		{"req with all fields", `["REQ","s",{"ids":["` + idA + `"],"authors":["` + keyB + `"],"kinds":[0,65535],"since":1,"until":2,"limit":3,"search":"state:open","#P":["not hex"],"#d":[""]}]`, wire.Req{"s", []nostr.Filter{
			{IDs: []string{idA}, Authors: []string{keyB}, Kinds: []int{0, 65535}, Since: stamp(1), Until: stamp(2), Limit: 3, Search: "state:open", Tags: nostr.TagMap{"P": {"not hex"}, "d": {""}}},
		}}},
		{"two filters", `["REQ","s",{},{"limit":0}]`, wire.Req{"s", []nostr.Filter{{}, {LimitZero: true}}}},
		{"key that means nothing", `["REQ","s",{"intent":{"a":[1]},"kinds":[5050]}]`, wire.Req{"s", []nostr.Filter{{Kinds: []int{5050}}}}},
		{"empty lists stay lists", `["REQ","s",{"ids":[],"kinds":[],"#e":[]}]`, wire.Req{"s", []nostr.Filter{{IDs: []string{}, Kinds: []int{}, Tags: nostr.TagMap{"e": {}}}}}},
		{"null is absence", `["REQ","s",{"ids":null,"since":null,"limit":null}]`, wire.Req{"s", []nostr.Filter{{}}}},
		{"kinds of the first drafts", `["REQ","s",{"kinds":[68002]}]`, wire.Req{"s", []nostr.Filter{{Kinds: []int{68002}}}}},
		{"huge limit", `["REQ","s",{"limit":1000000000}]`, wire.Req{"s", []nostr.Filter{{Limit: 1e9}}}},
		{"limit beyond all reason", `["REQ","s",{"limit":9007199254740991}]`, wire.Req{"s", []nostr.Filter{{Limit: 1<<31 - 1}}}},
		{"id with quotes and controls", `["REQ","\"\n\u0001\ud83d\ude00",{}]`, wire.Req{"\"\n\x01😀", []nostr.Filter{{}}}},
		{"id of 64 characters that are more bytes", `["CLOSE","` + strings.Repeat("é", 64) + `"]`, wire.Close{strings.Repeat("é", 64)}},
		{"count", `["COUNT","s",{"kinds":[5]}]`, wire.Count{"s", []nostr.Filter{{Kinds: []int{5}}}}},
		{"close", `["CLOSE","s"]`, wire.Close{"s"}},
		{"neg-open", `["NEG-OPEN","s",{"kinds":[6302]},"61AB"]`, wire.NegOpen{"s", nostr.Filter{Kinds: []int{6302}}, "61AB"}},
		{"neg-msg", `["NEG-MSG","s","61"]`, wire.NegMsg{"s", "61"}},
		{"neg-close", `["NEG-CLOSE","s"]`, wire.NegClose{"s"}},
		{"2,500 values", `["REQ","s",{"kinds":[` + many(2500, "1") + `]}]`, wire.Req{"s", []nostr.Filter{{Kinds: repeated(2500, 1)}}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, bad := wire.ParseCommand([]byte(tt.frame), wire.DefaultLimits())
			if bad != nil {
				t.Fatalf("refused: %+v", *bad)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func repeated(n, kind int) []int {
	list := make([]int, n)
	for i := range list {
		list[i] = kind
	}
	return list
}

func TestParseCommand_ContentIsDecoded(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"short escapes", `"\"\\\/\b\f\n\r\t"`, "\"\\/\b\f\n\r\t"},
		{"nul", `"a\u0000b"`, "a\x00b"},
		{"pair", `"x\ud83D\uDe00y"`, "x😀y"},
		{"highest", `"\uDBFF\uDFFF\uffff"`, "\U0010FFFF\uffff"},
		{"raw", `"é😀` + strings.Repeat("longer than a word", 3) + `"`, "é😀" + strings.Repeat("longer than a word", 3)},
		{"delete is no control character here", "\"\x7f\"", "\x7f"},
		{"escape at each place of a word", `"1\n12\n123\n1234\n12345\n123456\n1234567\n12345678\n"`, "1\n12\n123\n1234\n12345\n123456\n1234567\n12345678\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			frame := `["EVENT",` + eventWith("content", tt.text, "tags", "[["+tt.text+"]]") + `]`
			cmd, bad := wire.ParseCommand([]byte(frame), wire.DefaultLimits())
			if bad != nil {
				t.Fatalf("refused: %+v", *bad)
			}
			evt := cmd.(wire.Event)
			if evt.Event.Content != tt.want || evt.Event.Tags[0][0] != tt.want {
				t.Errorf("got %q and %q, want %q", evt.Event.Content, evt.Event.Tags[0][0], tt.want)
			}
			if want := frame[9 : len(frame)-1]; string(evt.Raw) != want {
				t.Errorf("raw: got %s, want the sender's bytes", evt.Raw)
			}
		})
	}
}

func TestParseCommand_ResultIsACopy(t *testing.T) {
	frame := []byte(`["EVENT",` + eventWith() + `]`)
	cmd, _ := wire.ParseCommand(frame, wire.DefaultLimits())
	clear(frame)
	if diff := cmp.Diff(wire.Command(wire.Event{baseEvent(), []byte(eventWith())}), cmd); diff != "" {
		t.Errorf("changed with the frame (-want +got)\n%s", diff)
	}
}

func TestParseCommand_TagsDoNotGrowIntoEachOther(t *testing.T) {
	cmd, bad := wire.ParseCommand([]byte(`["EVENT",`+eventWith("tags", `[["a","1"],[],["b"]]`)+`]`), wire.DefaultLimits())
	if bad != nil {
		t.Fatal(bad)
	}
	tags := cmd.(wire.Event).Event.Tags
	_ = append(tags[0], "overwritten") // the point is what it does to the others
	if diff := cmp.Diff(nostr.Tags{{"a", "1"}, {}, {"b"}}, tags); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}
