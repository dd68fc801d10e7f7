package policies

import (
	"strings"
	"testing"

	"dvmrelay/nip90"

	"github.com/nbd-wtf/go-nostr/nip19"
)

func TestParseSearch(t *testing.T) {
	note, err := nip19.EncodeNote(hexA)
	if err != nil {
		t.Fatal(err)
	}
	nevent, err := nip19.EncodeEvent(hexA, []string{"wss://relay.example"}, hexB)
	if err != nil {
		t.Fatal(err)
	}
	const notServed = " is not served yet"
	for _, tc := range []struct {
		name, in string
		want     string // the refusal, empty when thread hexA is asked for
	}{
		{"hex", "thread:" + hexA, ""},
		{"uppercase hex", "thread:" + strings.ToUpper(hexA), ""},
		{"note", "thread:" + note, ""},
		{"nevent", "thread:" + nevent, ""},
		{"nostr URI", "thread:nostr:" + nevent, ""},
		{"alias", "job:" + hexA, ""},
		{"key in capitals", "Thread:" + hexA, ""},
		{"spaces", "  thread:" + hexA + "\t", ""},
		{"twice the same", "thread:" + hexA + " job:" + note, ""},
		{"beside an unknown key", "language:en thread:" + hexA + " include:spam", ""},
		{"two threads", "thread:" + hexA + " thread:" + hexB, "invalid: search: one thread at a time, did you mean one filter for each"},
		{"no id", "thread:abc", `invalid: search: "thread:abc" has no such value, did you mean "thread:<64 hex characters, note or nevent>"`},
		{"a key for an id", "job:" + npubB, `invalid: search: "job:` + npubB + `" has no such value, did you mean "job:<64 hex characters, note or nevent>"`},
		{"no value", "thread:", `invalid: search: "thread:" has no such value, did you mean "thread:<64 hex characters, note or nevent>"`},
		{"a long value is cut", "thread:" + long(10_000), `invalid: search: "thread:` + long(64) + `..." has no such value, did you mean "thread:<64 hex characters, note or nevent>"`},
		{"state", "state:open", `unsupported: search: "state:"` + notServed},
		{"status", "status:stalled", `unsupported: search: "status:"` + notServed},
		{"state misspelt", "state:opne", `invalid: search: "state:opne" has no such value, did you mean "state:open"`},
		{"status misspelt", "status:payment_required", `invalid: search: "status:payment_required" has no such value, did you mean "status:payment-required"`},
		{"payment", "payment:claimed", `unsupported: search: "payment:"` + notServed},
		{"payment misspelt", "payment:claimd", `invalid: search: "payment:claimd" has no such value, did you mean "payment:claimed"`},
		{"provider", "provider:" + npubB, `unsupported: search: "provider:"` + notServed},
		{"provider is no key", "provider:me", `invalid: search: "provider:me" has no such value, did you mean "provider:<npub or 64 hex characters>"`},
		{"customer", "customer:" + hexA, `unsupported: search: "customer:"` + notServed},
		{"kind", "kind:5300", `unsupported: search: "kind:"` + notServed},
		{"job-kind of results", "job-kind:6300", `invalid: search: "job-kind:6300" has no such value, did you mean "job-kind:<a number between 5000 and 5999>"`},
		{"online", "online:true", `unsupported: search: "online:"` + notServed},
		{"offline", "online:false", `invalid: search: "online:false" has no such value, did you mean "online:true"`},
		{"encrypted", "encrypted:false", `unsupported: search: "encrypted:"` + notServed},
		{"encrypted misspelt", "encrypted:yes", `invalid: search: "encrypted:yes" has no such value, did you mean "encrypted:true"`},
		{"a thread and a key that is not served", "thread:" + hexA + " state:open", `unsupported: search: "state:"` + notServed},
		{"only unknown keys", "thred:" + hexA + " x:y", `invalid: search: "thred:" is not known here, did you mean "thread:"`},
		{"one unknown key", "stat:open", `invalid: search: "stat:" is not known here, did you mean "state:"`},
		{"free text", "cats", "unsupported: search: free text is not served yet"},
		{"free text beside a thread", "thread:" + hexA + " cats", "unsupported: search: free text is not served yet"},
		{"a colon alone", ":", "unsupported: search: free text is not served yet"},
		{"blank", "   ", `invalid: search: is empty, did you mean "thread:<id>"`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := ParseSearch(tc.in)
			wantRefusal(t, err, tc.want)
			want := nip90.ID{}
			if tc.want == "" {
				want = mustID(t, hexA)
			}
			if got.Thread != want {
				t.Errorf("thread: got %s, want %s", got.Thread, want)
			}
		})
	}
}

// FuzzParseSearch holds that a search is either refused in words of bounded length or names a thread: never everything.
func FuzzParseSearch(f *testing.F) {
	for _, s := range []string{"thread:" + hexA, "job:" + npubB, "state:open", "a b:c", "", ":", "thread::", "état:ouvert", "\x00:\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := ParseSearch(s)
		if err == nil {
			if !strings.Contains(strings.ToLower(s), ":") {
				t.Errorf("%q was accepted without a key", s)
			}
			return
		}
		r, ok := AsRejection(err)
		if !ok || r.Prefix != Invalid && r.Prefix != Unsupported {
			t.Errorf("%q: %v is no refusal", s, err)
		}
		if got != (Search{}) {
			t.Errorf("%q was refused and still asks for %s", s, got.Thread)
		}
		if n := len(err.Error()); n > 1000 {
			t.Errorf("the refusal has %d bytes", n)
		}
	})
}
