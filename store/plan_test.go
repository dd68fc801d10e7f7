package store

import (
	"fmt"
	"strings"
	"testing"

	"github.com/nbd-wtf/go-nostr"
)

func TestPlan_TakesTheIndexThatPromisesTheFewestKeys(t *testing.T) {
	s := &Store{}
	for kind, n := range map[uint16]int64{5300: 60_000, 6300: 60_000, 7000: 60_000, 5050: 100, 6050: 100, 31990: 900} {
		s.kinds.add(kind, n)
	}
	wide := []int{7000, 31990}
	for k := 5000; k < 7000; k++ {
		wide = append(wide, k)
	}
	many := make([]string, 1000)
	keys := make([]string, 1500)
	for i := range many {
		many[i] = fmt.Sprint(5000 + i)
	}
	for i := range keys {
		keys[i] = fmt.Sprintf("%064x", i)
	}
	id := strings.Repeat("ab", 32)
	cases := []struct {
		name   string
		filter nostr.Filter
		want   string
	}{
		{"ids", nostr.Filter{IDs: []string{id}, Kinds: []int{5300}}, "ids"},
		{"e and kinds", nostr.Filter{Kinds: []int{6300, 7000}, Tags: nostr.TagMap{"e": {id}}}, "flat t 1"},
		{"e, author and kinds", nostr.Filter{Kinds: []int{6300}, Authors: keys[:1], Tags: nostr.TagMap{"e": {id}}}, "flat t 1"},
		{"p and kind", nostr.Filter{Kinds: []int{5300}, Tags: nostr.TagMap{"p": {id}}}, "kinds p 1 of 1"},
		{"p alone", nostr.Filter{Tags: nostr.TagMap{"p": {id}}}, "kinds p 1"},
		{"p that is no key", nostr.Filter{Tags: nostr.TagMap{"p": {"bob"}}}, "kinds p 1"},
		{"e and p", nostr.Filter{Tags: nostr.TagMap{"p": {id}, "e": {id}}}, "flat t 1"},
		{"31990 k", nostr.Filter{Kinds: []int{31990}, Tags: nostr.TagMap{"k": {"5300"}}}, "flat t 1"},
		{"31990 with a thousand k", nostr.Filter{Kinds: []int{31990}, Tags: nostr.TagMap{"k": many}, Limit: 100}, "kinds k 1 of 1"},
		{"author and k", nostr.Filter{Kinds: []int{31990}, Authors: keys[:1], Tags: nostr.TagMap{"k": {"5300"}}}, "kinds a 1 of 1"},
		{"author", nostr.Filter{Authors: keys[:1]}, "kinds a 1"},
		{"authors and kinds", nostr.Filter{Authors: keys, Kinds: wide[:102], Limit: 100}, "kinds k 1 of 3, kinds a 1500 of 3"},
		{"authors", nostr.Filter{Authors: keys, Limit: 100}, "time, kinds a 1500"},
		{"two thousand kinds", nostr.Filter{Kinds: wide, Limit: 100}, "time"},
		{"one kind", nostr.Filter{Kinds: []int{31990}, Limit: 100}, "kinds k 1 of 1"},
		{"rare kinds", nostr.Filter{Kinds: []int{5050, 6050, 5051, 5052}, Limit: 100}, "kinds k 1 of 2"},
		{"absent kinds", nostr.Filter{Kinds: []int{1, 4}}, ""},
		{"everything", nostr.Filter{Limit: 100}, "time"},
		{"nothing", nostr.Filter{LimitZero: true}, ""},
		{"no valid id", nostr.Filter{IDs: []string{"x"}}, ""},
	}
	for _, c := range cases {
		m, err := compile(c.filter)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		var got []string
		for _, l := range s.plan(m, c.filter.Limit) {
			got = append(got, describe(l))
		}
		if strings.Join(got, ", ") != c.want {
			t.Errorf("%s: got %q, want %q", c.name, strings.Join(got, ", "), c.want)
		}
	}
	if _, err := compile(nostr.Filter{Search: "thread:x"}); err == nil {
		t.Error("search: got no error")
	}
}

func describe(l leg) string {
	switch l.way {
	case wayIDs:
		return "ids"
	case wayTime:
		return "time"
	case wayFlat:
		return fmt.Sprintf("flat %c %d", l.table, len(l.bases))
	}
	if l.kinds == nil {
		return fmt.Sprintf("kinds %c %d", l.table, len(l.bases))
	}
	return fmt.Sprintf("kinds %c %d of %d", l.table, len(l.bases), len(l.kinds))
}

func TestTagWalk_ReadsWhatADecoderReads(t *testing.T) {
	cases := []struct{ name, json, want string }{
		{"plain", `{"tags":[["e","x"],["p","y","z"]]}`, "e=x p=y"},
		{"none", `{"tags":[]}`, ""},
		{"absent", `{"id":"x"}`, ""},
		{"last field", `{"content":"\"tags\":[[\"e\",\"no\"]]","tags":[["e","x"]]}`, "e=x"},
		{"brackets in strings", `{"content":"}]","tags":[["e","]"],["t","[["]]}`, "e=] t=[["},
		{"escapes", `{"tags":[["\u0065","a\"b\\"]]}`, `e=a"b\`},
		{"space", "{ \"tags\" :\n[ [ \"e\" , \"x\" ] , [\"t\"] ] }", "e=x t"},
		{"empty tag", `{"tags":[[],["e","x"]]}`, "e=x"},
		{"not strings", `{"tags":[[1,2],["e",3],[["e","x"]],["t","y"]]}`, "e t=y"},
		{"cut off", `{"tags":[["e","x`, "e"},
		{"nested before", `{"a":{"tags":[["no","no"]]},"tags":[["e","x"]]}`, "e=x"},
	}
	for _, c := range cases {
		from, to := tagSpan([]byte(c.json))
		var got []string
		w := walkTags([]byte(c.json)[from:to])
		for tag, ok := w.next(); ok; tag, ok = w.next() {
			one := string(plain(tag.name))
			if tag.hasValue {
				one += "=" + string(plain(tag.value))
			}
			got = append(got, one)
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

func FuzzTagWalk(f *testing.F) {
	f.Add([]byte(`{"content":"x","tags":[["e","\"x"],["p"],[]]}`))
	f.Add([]byte(`{"tags":[["`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		from, to := tagSpan(raw)
		if from < 0 || to > len(raw) || from > to {
			t.Fatalf("span %d to %d of %d", from, to, len(raw))
		}
		w := walkTags(raw[from:to])
		for tag, ok := w.next(); ok; tag, ok = w.next() {
			plain(tag.name)
			plain(tag.value)
		}
	})
}
