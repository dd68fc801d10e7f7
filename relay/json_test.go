package relay_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/gobwas/ws"
	"github.com/nbd-wtf/go-nostr"
)

// replaced is the JSON of a good event with one part changed. The id stays readable.
func replaced(t *testing.T, old, with string) (id, msg string) {
	t.Helper()
	e := event("customer", 5300, "hello", nostr.Tag{"i", "x", "text"})
	msg = publish(e)
	if !strings.Contains(msg, old) {
		t.Fatalf("%s does not hold %s", msg, old)
	}
	return e.ID, strings.Replace(msg, old, with, 1)
}

func TestJSON_BadEventsAreAnsweredWithTheirID(t *testing.T) {
	r := open(t)
	c := r.dial()
	for _, x := range []struct{ name, old, with string }{
		{"depth 240,000", `"sig":`, `"x":` + strings.Repeat("[", 240_000) + strings.Repeat("]", 240_000) + `,"sig":`},
		{"duplicate keys", `"kind":5300`, `"kind":5300,"kind":5301`},
		{"invalid UTF-8", `hello`, "he\xffo"},
		{"raw NUL", `hello`, "he\x00o"},
		{"lone surrogate", `hello`, `\ud800`},
		{"1e999", `"kind":5300`, `"kind":1e999`},
		{"scientific notation", `"kind":5300`, `"kind":53e2`},
		{"fraction", `"kind":5300`, `"kind":5300.0`},
		{"kind below zero", `"kind":5300`, `"kind":-1`},
		{"kind over 65,535", `"kind":5300`, `"kind":65536`},
		{"created_at -1", `"created_at":`, `"created_at":-`},
		{"created_at 2^63", `"created_at":`, `"created_at":9223372036854775808`},
		{"kind as text", `"kind":5300`, `"kind":"5300"`},
		{"sig of 129 hex", `"sig":"`, `"sig":"0`},
		{"pubkey of 65 hex", `"pubkey":"`, `"pubkey":"0`},
		{"no content", `"content":"hello",`, ``},
		{"tags null", `"tags":[`, `"tags":null,"x":[`},
		{"a tag that is no array", `["i",`, `"i",["i",`},
		{"content over the limit", `hello`, strings.Repeat("x", 256<<10+1)},
		{"10,000 tags", `["i",`, strings.Repeat(`["t","x"],`, 10_000) + `["i",`},
	} {
		id, msg := replaced(t, x.old, x.with)
		c.send(msg)
		m := c.recv()
		if m.text(0) != "OK" || m.text(1) != id || m.text(2) != "false" || !strings.HasPrefix(m.text(3), "invalid: ") {
			t.Errorf("%s: got %.300s, want OK false invalid", x.name, m)
		}
	}
	c.publish(event("customer", 5300, "still here"))
}

func TestJSON_ForeignFieldIsDropped(t *testing.T) {
	r := open(t)
	c := r.dial()
	id, msg := replaced(t, `{"`, `{"_id":{"$oid":"x"},"`)
	c.send(msg)
	c.want("OK", id, "true", "")
	c.send(fmt.Sprintf(`["REQ","a",{"ids":["%s"]}]`, id))
	if m := c.want("EVENT", "a"); strings.Contains(m.text(2), "_id") {
		t.Errorf("the foreign field came back: %s", m)
	}
}

func TestJSON_UnreadableIsNoticedAndThreeInARowEnd(t *testing.T) {
	r := open(t)
	nonsense := []string{
		"", "{}", "[]", "null", "[1]", `["HELLO"]`, `["EVENT"]`, `["EVENT",{}]`, `["REQ"]`, `["REQ",1,{}]`, `["CLOSE"]`, `["CLOSE",{}]`,
		`,"x"`, `["NEG-OPEN",,"x"]`, `,"NEG-OPEN"`, `["EVENT","x"`, "\xff\xfe", strings.Repeat("[", 240_000), `["AUTH",{}]`, `["EVENT",{"id":"short"}]`,
	}
	good := publish(event("customer", 5300, "x"))
	for cut := 1; cut < 60; cut += 7 {
		nonsense = append(nonsense, good[:cut])
	}
	c := r.dial()
	for _, x := range nonsense {
		c.send(x)
		c.want("NOTICE", "invalid: *")
		c.send(`["NEG-MSG","a","61"]`) // a readable message forgives what came before
		c.want("NEG-ERR", "a")
	}
	c.send("a", "b", "c")
	for range 3 {
		c.want("NOTICE", "invalid: *")
	}
	c.wantClose(ws.StatusPolicyViolation)
}

func TestJSON_BadFiltersAreClosedWithTheirID(t *testing.T) {
	r := open(t)
	c := r.dial()
	list := func(n int, item string) string { return "[" + strings.Repeat(item+",", n-1) + item + "]" }
	long := strings.Repeat("s", 65)
	for _, x := range []struct{ name, sub, rest, prefix string }{
		{"limit -1", "a", `{"limit":-1}`, "invalid: "},
		{"limit 1e9 as a float", "a", `{"limit":1e9}`, "invalid: "},
		{"kinds as text", "a", `{"kinds":["5300"]}`, "invalid: "},
		{"since as a float", "a", `{"since":1.5}`, "invalid: "},
		{"ids too short", "a", `{"ids":["abc"]}`, "invalid: "},
		{"2,501 values", "a", `{"#e":` + list(2501, `"x"`) + `}`, "invalid: "},
		{"10,000 values", "a", `{"#e":` + list(10_000, `"x"`) + `}`, "invalid: "},
		{"200 filters", "a", strings.Repeat(`{},`, 199) + `{}`, "invalid: "},
		{"no filter", "a", ``, "invalid: "},
		{"filter is no object", "a", `[]`, "invalid: "},
		{"unknown tag filter", "a", `{"#title":["x"]}`, "unsupported: "},
		{"limit 0 with a bad search", "a", `{"limit":0,"search":"thread:nonsense"}`, "invalid: search: "},
		{"search of unknown keys", "a", `{"search":"tread:x"}`, "invalid: search: "},
		{"sub id empty", "", `{}`, "invalid: "},
		{"sub id of 65", long, `{}`, "invalid: "},
		{"sub id of 100,000", strings.Repeat("s", 100_000), `{}`, "invalid: "},
	} {
		for _, label := range []string{"REQ", "COUNT"} {
			msg := fmt.Sprintf(`[%q,%q,%s]`, label, x.sub, x.rest)
			if x.rest == "" {
				msg = fmt.Sprintf(`[%q,%q]`, label, x.sub)
			}
			c.send(msg)
			m := c.recv()
			sub := x.sub[:min(len(x.sub), 64)]
			if m.text(0) != "CLOSED" || m.text(1) != sub || !strings.HasPrefix(m.text(2), x.prefix) {
				t.Errorf("%s %s: got %.300s, want CLOSED %q %q", label, x.name, m, sub, x.prefix)
			}
		}
	}
	c.send(`["NEG-OPEN","n",{"kinds":["x"]},"61"]`)
	c.want("NEG-ERR", "n", "invalid: *")
	if got := r.relay.Gauges().Subscriptions; got != 0 {
		t.Errorf("%d subscriptions are open, want none", got)
	}
}
