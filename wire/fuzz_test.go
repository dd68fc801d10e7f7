package wire_test

import (
	"bytes"
	"encoding/json"
	"math"
	"strings"
	"testing"
	"unicode/utf8"

	"dvmrelay/wire"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/nbd-wtf/go-nostr"
)

func seeds(f *testing.F, relay bool) {
	for _, line := range lines(f, "real-events.jsonl") {
		if len(line) > 700 {
			continue // long seeds keep the fuzzer busy with making them shorter
		}
		if relay {
			f.Add(wire.AppendEvent(nil, "s", line))
		} else {
			f.Add(wire.AppendPublish(nil, line))
		}
	}
	for _, s := range []string{
		`["EVENT",` + eventWith("x", `{"a":[1.5e3,null,true]}`, "content", `"\ud83d\ude00\u0000"`) + `]`,
		`["AUTH",` + eventWith() + `]`, `["EVENT","s",` + eventWith("kind", "1e3") + `]`,
		`["REQ","s",{"ids":["` + idA + `"],"authors":null,"kinds":[1,65535],"since":-1,"until":2,"limit":0,"search":"x","#e":["\n"],"intent":{}},{}]`,
		`["COUNT","s",{"#P":[]}]`, `["COUNT","s",{"count":1,"approximate":false}]`, `["CLOSE","é"]`, `["NEG-OPEN","s",{},"61"]`,
		`["NEG-MSG","s","6100"]`, `["NEG-CLOSE","s"]`, `["OK","x",true,""]`, `["EOSE","s","finish"]`, `["CLOSED","s","error: x"]`,
		`["NOTICE","x"]`, `["AUTH","c"]`, `["NEG-ERR","s","x"]`, `,"x"`, "[\"CLOSE\",\"\xff\"]", `["CLOSE","\ud800"]`, "",
	} {
		f.Add([]byte(s))
	}
}

// FuzzParseCommand: never panics; what it takes encoding/json takes as well and reads the same.
func FuzzParseCommand(f *testing.F) {
	seeds(f, false)
	f.Fuzz(func(t *testing.T, frame []byte) {
		before := bytes.Clone(frame)
		cmd, bad := wire.ParseCommand(frame, wire.DefaultLimits())
		if !bytes.Equal(before, frame) {
			t.Fatal("the frame was changed")
		}
		if (cmd == nil) == (bad == nil) {
			t.Fatalf("got both or neither: %v, %v", cmd, bad)
		}
		if bad != nil {
			checkMalformed(t, bad)
			return
		}
		checkCommand(t, cmd, unmarshal[[]json.RawMessage](t, frame))
	})
}

func checkMalformed(t *testing.T, bad *wire.Malformed) {
	t.Helper()
	if !strings.HasPrefix(bad.Reason, "invalid: ") && !strings.HasPrefix(bad.Reason, "unsupported: ") {
		t.Errorf("reason %q", bad.Reason)
	}
	if len(bad.Reason) > 500 || !utf8.ValidString(bad.Reason) {
		t.Errorf("reason of %d bytes: %q", len(bad.Reason), bad.Reason)
	}
	if bad.EventID != "" && len(bad.EventID) != 64 || utf8.RuneCountInString(bad.Sub) > 64 || bad.Sub != "" && !bad.HasSub {
		t.Errorf("id %q, sub %q, has sub %v", bad.EventID, bad.Sub, bad.HasSub)
	}
}

func checkCommand(t *testing.T, cmd wire.Command, parts []json.RawMessage) {
	t.Helper()
	text := func(i int) string { return unmarshal[string](t, parts[i]) }
	same := func(what string, got, want any) {
		t.Helper()
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s (-want +got)\n%s", what, diff)
		}
	}
	label := text(0)
	switch c := cmd.(type) {
	case wire.Event:
		same("label", label, wire.LabelEvent)
		checkSigned(t, c.Event, c.Raw, parts[1])
	case wire.Auth:
		same("label", label, wire.LabelAuth)
		checkSigned(t, c.Event, c.Raw, parts[1])
	case wire.Req:
		same("label and sub", []string{wire.LabelReq, c.Sub}, []string{label, text(1)})
		checkFilters(t, c.Filters, parts[2:])
	case wire.Count:
		same("label and sub", []string{wire.LabelCount, c.Sub}, []string{label, text(1)})
		checkFilters(t, c.Filters, parts[2:])
	case wire.Close:
		same("close", []string{wire.LabelClose, c.Sub}, []string{label, text(1)})
	case wire.NegOpen:
		same("neg-open", []string{wire.LabelNegOpen, c.Sub, c.Message}, []string{label, text(1), text(3)})
		checkFilters(t, []nostr.Filter{c.Filter}, parts[2:3])
	case wire.NegMsg:
		same("neg-msg", []string{wire.LabelNegMsg, c.Sub, c.Message}, []string{label, text(1), text(2)})
	case wire.NegClose:
		same("neg-close", []string{wire.LabelNegClose, c.Sub}, []string{label, text(1)})
	default:
		t.Errorf("unknown command %T", cmd)
	}
}

// checkSigned reads the event again by exact keys, since encoding/json is not strict about their case.
func checkSigned(t *testing.T, evt *nostr.Event, raw, sent []byte) {
	t.Helper()
	for _, text := range [][]byte{raw, sent} {
		fields := unmarshal[map[string]json.RawMessage](t, text)
		want := plainEvent{
			ID: unmarshal[string](t, fields["id"]), PubKey: unmarshal[string](t, fields["pubkey"]),
			CreatedAt: unmarshal[int64](t, fields["created_at"]), Kind: unmarshal[int](t, fields["kind"]),
			Tags: unmarshal[[][]string](t, fields["tags"]), Content: unmarshal[string](t, fields["content"]),
			Sig: unmarshal[string](t, fields["sig"]),
		}
		checkEvent(t, want, evt)
	}
	if fields := unmarshal[map[string]json.RawMessage](t, raw); len(fields) != 7 {
		t.Errorf("raw has %d fields: %s", len(fields), raw)
	}
	_, again, err := wire.ParseEvent(raw, wire.DefaultLimits())
	if err != nil || !bytes.Equal(raw, again) {
		t.Errorf("raw does not stay itself (%v)\nwas %s\nis  %s", err, raw, again)
	}
	if got, want := wire.Serialized(evt), evt.Serialize(); !bytes.Equal(got, want) {
		t.Errorf("serialized: got %q, want %q", got, want)
	}
}

func checkFilters(t *testing.T, filters []nostr.Filter, parts []json.RawMessage) {
	t.Helper()
	if len(filters) != len(parts) {
		t.Fatalf("got %d filters, want %d", len(filters), len(parts))
	}
	for i, f := range filters {
		fields := unmarshal[map[string]json.RawMessage](t, parts[i])
		var want nostr.Filter
		for key, value := range fields {
			if string(value) == "null" {
				continue
			}
			switch {
			case key == "ids":
				want.IDs = unmarshal[[]string](t, value)
			case key == "authors":
				want.Authors = unmarshal[[]string](t, value)
			case key == "kinds":
				want.Kinds = unmarshal[[]int](t, value)
			case key == "since":
				want.Since = stamp(unmarshal[int64](t, value))
			case key == "until":
				want.Until = stamp(unmarshal[int64](t, value))
			case key == "limit":
				want.Limit = int(min(unmarshal[int64](t, value), math.MaxInt32))
				want.LimitZero = want.Limit == 0
			case key == "search":
				want.Search = unmarshal[string](t, value)
			case len(key) == 2 && key[0] == '#':
				if want.Tags == nil {
					want.Tags = make(nostr.TagMap)
				}
				want.Tags[key[1:]] = unmarshal[[]string](t, value)
			case strings.HasPrefix(key, "#"), strings.HasPrefix(key, "&"):
				t.Errorf("filter %s with %q was taken", parts[i], key)
			}
		}
		if diff := cmp.Diff(want, f); diff != "" {
			t.Errorf("filter %s (-want +got)\n%s", parts[i], diff)
		}
		again, err := wire.ParseFilter(wire.AppendFilter(nil, f), wire.DefaultLimits())
		if err != nil {
			t.Errorf("filter %s written again: %v", parts[i], err)
		} else if diff := cmp.Diff(f, again); diff != "" {
			t.Errorf("filter %s written again (-want +got)\n%s", parts[i], diff)
		}
	}
}

// FuzzParseMessage: never panics; what it takes is JSON and survives being written and read again.
func FuzzParseMessage(f *testing.F) {
	seeds(f, true)
	f.Fuzz(func(t *testing.T, frame []byte) {
		msg := wire.ParseMessage(frame, wire.DefaultLimits())
		var again []byte
		switch m := msg.(type) {
		case wire.EventMsg:
			checkSigned(t, m.Event, m.Raw, unmarshal[[]json.RawMessage](t, frame)[2])
			again = wire.AppendEvent(nil, m.Sub, m.Raw)
		case wire.OK:
			again = wire.AppendOK(nil, m.ID, m.Accepted, m.Reason)
		case wire.EOSE:
			again = wire.AppendEOSE(nil, m.Sub, m.Hint)
		case wire.Closed:
			again = wire.AppendClosed(nil, m.Sub, m.Reason)
		case wire.Notice:
			again = wire.AppendNotice(nil, m.Text)
		case wire.AuthChallenge:
			again = wire.AppendAuth(nil, m.Challenge)
		case wire.CountMsg:
			again = wire.AppendCount(nil, m.Sub, m.Count, m.Approximate)
		case wire.NegMsg:
			again = wire.AppendNegMsg(nil, m.Sub, m.Message)
		case wire.NegErr:
			again = wire.AppendNegErr(nil, m.Sub, m.Reason)
		case wire.Unreadable:
			if !strings.HasPrefix(m.Reason, "invalid: ") {
				t.Errorf("reason %q", m.Reason)
			}
			return
		default:
			t.Fatalf("unknown message %T", msg)
		}
		if !json.Valid(frame) {
			t.Errorf("taken, but no JSON: %q", frame)
		}
		if diff := cmp.Diff(msg, wire.ParseMessage(again, wire.DefaultLimits())); diff != "" {
			t.Errorf("written again as %s (-want +got)\n%s", again, diff)
		}
	})
}
