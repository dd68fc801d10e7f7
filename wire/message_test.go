package wire_test

import (
	"strings"
	"testing"

	"dvmrelay/wire"

	"github.com/google/go-cmp/cmp"
)

func TestParseMessage(t *testing.T) {
	for _, tt := range []struct {
		name, frame string
		want        wire.Message
	}{
		{"event", `["EVENT","s",` + eventWith("_id", "1") + `]`, wire.EventMsg{"s", baseEvent(), []byte(eventWith())}},
		{"ok", `["OK","` + idA + `",true,""]`, wire.OK{idA, true, ""}},
		{"refused", `["OK","` + idA + `",false,"blocked: no"]`, wire.OK{idA, false, "blocked: no"}},
		{"ok without reason", `["OK","` + idA + `",true]`, wire.OK{idA, true, ""}},
		{"ok with null", `["OK","` + idA + `",true,null,{}]`, wire.OK{idA, true, ""}},
		{"eose", `["EOSE","s"]`, wire.EOSE{"s", ""}},
		{"eose with hint", ` ["EOSE","s", ["finish"] ] `, wire.EOSE{"s", "finish"}},
		{"eose with several hints", `["EOSE","s",[1,{"a":[]},"more","x"]]`, wire.EOSE{"s", "more"}},
		{"eose with no hint in the list", `["EOSE","s",[]]`, wire.EOSE{"s", ""}},
		{"eose with a bare hint", `["EOSE","s","finish"]`, wire.EOSE{"s", "finish"}},
		{"closed", `["CLOSED","s","error: x"]`, wire.Closed{"s", "error: x"}},
		{"closed without reason", `["CLOSED","s"]`, wire.Closed{"s", ""}},
		{"notice", `["NOTICE","x"]`, wire.Notice{"x"}},
		{"auth", `["AUTH","c"]`, wire.AuthChallenge{"c"}},
		{"count", `["COUNT","s",{"count":3}]`, wire.CountMsg{"s", 3, false}},
		{"approximate count", `["COUNT","s",{"hll":"00","approximate":true,"count":3}]`, wire.CountMsg{"s", 3, true}},
		{"neg-msg", `["NEG-MSG","s","61"]`, wire.NegMsg{"s", "61"}},
		{"neg-err", `["NEG-ERR","s","closed: x"]`, wire.NegErr{"s", "closed: x"}},

		{"nothing", ``, wire.Unreadable{Reason: "invalid: the JSON ends where a frame should be"}},
		{"junk", `<html>`, wire.Unreadable{Reason: "invalid: not JSON at byte 0: a frame expected"}},
		{"cut", `["EOSE","s"`, wire.Unreadable{Label: "EOSE", Reason: "invalid: the JSON ends where the end of the frame should be"}},
		{"unknown label", `["HELLO","s"]`, wire.Unreadable{Label: "HELLO", Reason: `invalid: unknown message "HELLO"`}},
		{"label alone", `["EOSE"]`, wire.Unreadable{Label: "EOSE", Reason: "invalid: EOSE lacks an element"}},
		{"ok without verdict", `["OK","x"]`, wire.Unreadable{Label: "OK", Reason: "invalid: OK lacks an element"}},
		{"ok with text", `["OK","x","true"]`, wire.Unreadable{Label: "OK", Reason: "invalid: the third element of OK must be true or false, not a string"}},
		{"event of kind 70000", `["EVENT","s",` + eventWith("kind", "70000") + `]`, wire.Unreadable{Label: "EVENT", Sub: "s", Reason: "invalid: kind is out of range"}},
		{"count without count", `["COUNT","s",{}]`, wire.Unreadable{Label: "COUNT", Reason: "invalid: the answer to COUNT has no count"}},
		{"negative count", `["COUNT","s",{"count":-1}]`, wire.Unreadable{Label: "COUNT", Reason: "invalid: count is out of range"}},
		{"not UTF-8", "[\"NOTICE\",\"\xff\"]", wire.Unreadable{Reason: "invalid: the frame is not valid UTF-8"}},
		{"deep", `["EOSE","s",` + strings.Repeat("[", 240_000), wire.Unreadable{Label: "EOSE", Reason: "invalid: the JSON is nested too deeply"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := wire.ParseMessage([]byte(tt.frame), wire.DefaultLimits())
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}
