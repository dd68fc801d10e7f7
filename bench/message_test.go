package bench

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestParseMessage(t *testing.T) {
	id := strings.Repeat("ab", 32)
	for name, tc := range map[string]struct {
		in    string
		label label
		sub   string
		ok    bool
		text  string
		fails bool
	}{
		"event":               {in: `["EVENT","s1",{"content":"\"id\":\"x\"","id":"` + id + `"}]`, label: labelEvent, sub: "s1"},
		"event and a newline": {in: `["EVENT","s1",{"id":"` + id + `"}]` + "\n", label: labelEvent, sub: "s1"},
		"event with spaces":   {in: `[ "EVENT", "s1", {"id" : "` + id + `"} ]`, label: labelEvent, sub: "s1"},
		"event without id":    {in: `["EVENT","s1",{}]`, fails: true},
		"event cut short":     {in: `["EVENT","s1",`, fails: true},
		"ok":                  {in: `["OK","` + id + `",true,""]`, label: labelOK, sub: id, ok: true},
		"ok false":            {in: `["OK","` + id + `",false,"blocked: no"]`, label: labelOK, sub: id, text: "blocked: no"},
		"ok with short id":    {in: `["OK","ab",true,""]`, fails: true},
		"eose":                {in: `["EOSE","s1"]`, label: labelEOSE, sub: "s1"},
		"eose of three":       {in: `["EOSE","s1","finish"]`, label: labelEOSE, sub: "s1"},
		"closed":              {in: `["CLOSED","s1","error: no"]`, label: labelClosed, sub: "s1", text: "error: no"},
		"notice":              {in: `["NOTICE","hello"]`, label: labelNotice, sub: "hello", text: "hello"},
		"no array":            {in: `{}`, fails: true},
		"empty array":         {in: `[]`, fails: true},
		"label is no string":  {in: `[1]`, fails: true},
		"nothing but a label": {in: `["EOSE"]`, fails: true},
	} {
		t.Run(name, func(t *testing.T) {
			m, err := parseMessage([]byte(tc.in))
			if (err != nil) != tc.fails {
				t.Fatalf("error %v, want one: %v", err, tc.fails)
			}
			if tc.fails {
				return
			}
			if m.label != tc.label || string(m.sub) != tc.sub || m.ok != tc.ok || m.text != tc.text {
				t.Errorf("got %s %q %v %q, want %s %q %v %q", m.label, m.sub, m.ok, m.text, tc.label, tc.sub, tc.ok, tc.text)
			}
			if m.label == labelEvent && !json.Valid(m.event) {
				t.Errorf("event %q is not JSON", m.event)
			}
			if want, _ := decodeID([]byte(id)); (m.label == labelEvent || m.label == labelOK) && m.id != want {
				t.Errorf("id %x, want %x", m.id, want)
			}
		})
	}
}

func FuzzParseMessage(f *testing.F) {
	id := strings.Repeat("0f", 32)
	for _, s := range []string{
		`["EVENT","s1",{"id":"` + id + `","tags":[["request","{\"id\":\"` + id + `\"}"]]}]`, `["OK","` + id + `",true,""]`,
		`["EOSE","a"]`, `["CLOSED","a","error: x"]`, `["NOTICE","x"]`, `["EVENT","s",`, `["EVENT","\"",{"id":"` + id + `"}]`,
		`["EVENT","s",{"id":"` + id + `"}]` + "\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := parseMessage(b)
		if err != nil || m.label != labelEvent || !json.Valid(b) {
			return
		}
		// The short cut must agree with a decoder wherever the message is what a relay sends.
		var parts []json.RawMessage
		var sub string
		var e map[string]json.RawMessage
		if json.Unmarshal(b, &parts) != nil || len(parts) != 3 || json.Unmarshal(parts[1], &sub) != nil || json.Unmarshal(parts[2], &e) != nil {
			return
		}
		var want string
		if !json.Valid(m.event) {
			t.Errorf("event %q of %q is not JSON", m.event, b)
		}
		if json.Unmarshal(e["id"], &want) == nil && len(e) == 1 {
			if id, err := decodeID([]byte(want)); err == nil && id != m.id {
				t.Errorf("id %x, a decoder reads %x in %s", m.id, id, b)
			}
		}
	})
}
