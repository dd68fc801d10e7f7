package policies

import (
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"dvmrelay/nip90"

	"github.com/nbd-wtf/go-nostr/nip19"
)

func mustName(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("make a name: %v", err)
	}
}

func TestParseSearch(t *testing.T) {
	note, err := nip19.EncodeNote(hexA)
	mustName(t, err)
	nevent, err := nip19.EncodeEvent(hexA, []string{"wss://relay.example"}, hexB)
	mustName(t, err)
	nprofile, err := nip19.EncodeProfile(hexB, []string{"wss://relay.example"})
	mustName(t, err)
	thread := Search{Thread: mustID(t, hexA)}
	b := nip90.PubKey(mustID(t, hexB))
	yes, no := true, false
	for _, tc := range []struct {
		name, in string
		want     Search
	}{
		{"hex", "thread:" + hexA, thread},
		{"uppercase hex", "thread:" + strings.ToUpper(hexA), thread},
		{"note", "thread:" + note, thread},
		{"nevent", "thread:" + nevent, thread},
		{"nostr URI", "thread:nostr:" + nevent, thread},
		{"job is thread", "job:" + hexA, thread},
		{"key in capitals", "Thread:" + hexA, thread},
		{"spaces", "  thread:" + hexA + "\t", thread},
		{"twice the same", "thread:" + hexA + " job:" + note, thread},
		{"beside unknown keys", "language:en thread:" + hexA + " include:spam", thread},
		{"state", "state:open", Search{State: "open"}},
		{"status is state", "status:stalled", Search{State: "stalled"}},
		{"state in capitals", "State:Payment-Required", Search{State: "payment-required"}},
		{"payment", "payment:claimed", Search{Payment: "claimed"}},
		{"provider by npub", "provider:" + npubB, Search{Provider: b}},
		{"provider by nprofile", "provider:" + nprofile, Search{Provider: b}},
		{"customer by hex", "customer:" + strings.ToUpper(hexB), Search{Customer: b}},
		{"kind is job-kind", "kind:5300", Search{JobKind: 5300}},
		{"online", "online:true", Search{Online: true}},
		{"encrypted", "encrypted:true", Search{Encrypted: &yes}},
		{"not encrypted", "encrypted:FALSE", Search{Encrypted: &no}},
		{"a word", "Cats", Search{Words: []string{"cats"}}},
		{"words, each once", "cats  CATS and\ndogs", Search{Words: []string{"cats", "and", "dogs"}}},
		{"a colon is a word", ": :x", Search{Words: []string{":", ":x"}}},
		{"words beside an unknown key", "cats language:en", Search{Words: []string{"cats"}}},
		{"an address beside a word", "https://x.example cats", Search{Words: []string{"cats"}}},
		{"broken UTF-8 parts words", "caf\xffé", Search{Words: []string{"caf", "é"}}},
		{
			"all at once", "fox thread:" + hexA + " state:error payment:none provider:" + npubB + " customer:" + hexB + " job-kind:5100 encrypted:false online:true",
			Search{
				Thread: thread.Thread, State: "error", Payment: "none", Provider: b, Customer: b, JobKind: 5100, Encrypted: &no, Online: true,
				Words: []string{"fox"},
			},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := ParseSearch(tc.in)
			if err != nil || !reflect.DeepEqual(got, tc.want) {
				t.Errorf("got %+v, %v, want %+v", got, err, tc.want)
			}
		})
	}
}

func TestParseSearch_Refusals(t *testing.T) {
	nsec := "nsec1" + strings.Repeat("q", 58)
	for _, tc := range []struct{ name, in, want string }{
		{"two threads", "thread:" + hexA + " thread:" + hexB, `invalid: search: "thread:" is given twice with different values, did you mean one filter for each`},
		{"two states", "state:open status:error", `invalid: search: "status:" is given twice with different values, did you mean one filter for each`},
		{"both encrypted and not", "encrypted:true encrypted:false", `invalid: search: "encrypted:" is given twice with different values, did you mean one filter for each`},
		{"no id", "thread:abc", `invalid: search: "thread:abc" has no such value, did you mean "thread:<64 hex characters, note or nevent>"`},
		{"a key for an id", "job:" + npubB, `invalid: search: "job:` + npubB + `" has no such value, did you mean "job:<64 hex characters, note or nevent>"`},
		{"no value", "thread:", `invalid: search: "thread:" has no such value, did you mean "thread:<64 hex characters, note or nevent>"`},
		{"zero id", "thread:" + strings.Repeat("0", 64), `invalid: search: "thread:` + strings.Repeat("0", 64) + `" has no such value, did you mean "thread:<64 hex characters, note or nevent>"`},
		{"a long value is cut", "thread:" + long(10_000), `invalid: search: "thread:` + long(64) + `..." has no such value, did you mean "thread:<64 hex characters, note or nevent>"`},
		{"a secret key is not repeated", "provider:" + nsec, `invalid: search: "provider:nsec1..." has no such value, did you mean "provider:<npub, nprofile or 64 hex characters>"`},
		{"state misspelt", "state:opne", `invalid: search: "state:opne" has no such value, did you mean "state:open"`},
		{"status misspelt", "status:payment_required", `invalid: search: "status:payment_required" has no such value, did you mean "status:payment-required"`},
		{"payment misspelt", "payment:claimd", `invalid: search: "payment:claimd" has no such value, did you mean "payment:claimed"`},
		{"provider is no key", "provider:me", `invalid: search: "provider:me" has no such value, did you mean "provider:<npub, nprofile or 64 hex characters>"`},
		{"job-kind of results", "job-kind:6300", `invalid: search: "job-kind:6300" has no such value, did you mean "job-kind:<a number between 5000 and 5999>"`},
		{"offline", "online:false", `invalid: search: "online:false" has no such value, did you mean "online:true"`},
		{"encrypted misspelt", "encrypted:yes", `invalid: search: "encrypted:yes" has no such value, did you mean "encrypted:true"`},
		{"a bad value beside a good one", "thread:" + hexA + " state:", `invalid: search: "state:" has no such value, did you mean "state:open"`},
		{"only unknown keys", "thred:" + hexA + " x:y", `invalid: search: "thred:" is not known here, did you mean "thread:"`},
		{"one unknown key", "stat:open", `invalid: search: "stat:" is not known here, did you mean "state:"`},
		{"blank", "   ", `invalid: search: is empty, did you mean "thread:<id>"`},
		{"100 kB", long(100_000), "invalid: search: has 100000 bytes, at most 16384 are read: did you mean several filters"},
		{"10,000 words", strings.Repeat("a ", 8000), "invalid: search: has 8000 words and keys, at most 64 are read: did you mean several filters"},
		{"17 words", "a b c d e f g h i j k l m n o p q", "invalid: search: has more than 16 words, did you mean fewer"},
		{"a long word", strings.Repeat("é", 513), "invalid: search: its words have more than 512 characters, did you mean fewer"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := ParseSearch(tc.in)
			wantRefusal(t, err, tc.want)
			if !reflect.DeepEqual(got, Search{}) {
				t.Errorf("it is refused and still asks for %+v", got)
			}
		})
	}
}

// searchDocs is where the grammar is written down for people.
const searchDocs = "../docs/SEARCH.md"

// TestSearchDocs_ExamplesAreTrue holds every example of the documentation to the parser: those in the table of keys are
// read, and each error is the one that is given.
func TestSearchDocs_ExamplesAreTrue(t *testing.T) {
	text, err := os.ReadFile(searchDocs)
	if err != nil {
		t.Fatalf("read %s: %v", searchDocs, err)
	}
	seen := make(map[string]bool)
	for _, m := range regexp.MustCompile(`"search"\s*:\s*"((?:[^"\\]|\\.)*)"`).FindAllStringSubmatch(string(text), -1) {
		got, err := ParseSearch(m[1])
		if err != nil {
			t.Errorf("example %q: %v", m[1], err)
		}
		for name, used := range map[string]bool{
			"thread": !got.Thread.IsZero(), "state": got.State != "", "payment": got.Payment != "", "provider": !got.Provider.IsZero(),
			"customer": !got.Customer.IsZero(), "job-kind": got.JobKind != 0, "encrypted": got.Encrypted != nil, "online": got.Online,
			"words": len(got.Words) > 0,
		} {
			seen[name] = seen[name] || used
		}
	}
	for name, used := range seen {
		if !used {
			t.Errorf("there is no example of %s", name)
		}
	}
	if len(seen) == 0 {
		t.Error("there are no examples")
	}
	for _, alias := range []string{"job:", "status:", "kind:"} {
		if !strings.Contains(string(text), "`"+alias+"`") {
			t.Errorf("the alias %s is not mentioned", alias)
		}
	}
	errors := 0
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(strings.TrimSpace(line), " | ")
		if len(cells) != 2 || !strings.HasSuffix(cells[1], " |") || !strings.HasPrefix(cells[1], "`invalid: ") {
			continue
		}
		in := strings.Trim(strings.TrimPrefix(cells[0], "| "), "`")
		want := strings.Trim(strings.TrimSuffix(cells[1], " |"), "`")
		if _, err := ParseSearch(in); err == nil || err.Error() != want {
			t.Errorf("%q: got %v, documented is %s", in, err, want)
		}
		errors++
	}
	if errors < 5 {
		t.Errorf("%d errors are documented, want at least 5", errors)
	}
	for _, value := range append(SearchStates(), SearchPayments()...) {
		if !strings.Contains(string(text), "`"+value+"`") {
			t.Errorf("the value %s is not documented", value)
		}
	}
}

// FuzzParseSearch holds that a search is either refused in words of bounded length or asks for something: never
// everything.
func FuzzParseSearch(f *testing.F) {
	for _, s := range []string{
		"thread:" + hexA, "job:" + npubB, "state:open", "a b:c", "", ":", "thread::", "état:ouvert", "\x00:\xff", "cats ﷽ 👩‍👩‍👧",
		"state:open state:OPEN", "encrypted:true online:true", "provider:nsec1" + strings.Repeat("q", 58), strings.Repeat("é", 600),
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := ParseSearch(s)
		if err == nil {
			if reflect.DeepEqual(got, Search{}) {
				t.Errorf("%q means everything", s)
			}
			if len(got.Words) > maxWords {
				t.Errorf("%q has %d words", s, len(got.Words))
			}
			return
		}
		r, ok := AsRejection(err)
		if !ok || r.Prefix != Invalid {
			t.Errorf("%q: %v is no refusal", s, err)
		}
		if !reflect.DeepEqual(got, Search{}) {
			t.Errorf("%q was refused and still asks for %+v", s, got)
		}
		if n := len(err.Error()); n > 1000 {
			t.Errorf("the refusal has %d bytes", n)
		}
		if strings.Contains(err.Error(), "nsec1q") {
			t.Errorf("the refusal repeats a secret key: %v", err)
		}
	})
}
