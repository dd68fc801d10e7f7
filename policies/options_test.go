package policies

import (
	"strings"
	"testing"
	"time"
)

func TestOptions_DefaultIsValid(t *testing.T) {
	if err := DefaultOptions().Validate(); err != nil {
		t.Error(err)
	}
}

func TestOptions_EveryFaultNamesItsKey(t *testing.T) {
	o := DefaultOptions()
	o.Rules = RuleOptions{MinPoW: 300, Allow: []string{"npub1x", hexA}, Deny: []string{"nsec1secret", "bob"}}
	o.Kinds = KindOptions{Presets: []string{"contextvn"}, Allow: []KindRange{{22242, 22242}}, Deny: []KindRange{{5, 70000}}}
	o.Limits.Tags, o.Limits.QueryBudget, o.Limits.WriteDeadline = -1, -time.Second, -time.Minute
	o.Limits.DefaultLimit, o.Limits.ContentLength = 6000, 1<<20
	want := []string{
		`policies.min_pow: 300: must be between 0 and 256 bits`,
		`policies.allow: "npub1x": is no public key: write npub or 64 hex characters`,
		`policies.deny: "nsec1...": is no public key: write npub or 64 hex characters`,
		`policies.deny: "bob": is no public key: write npub or 64 hex characters`,
		`kinds.presets: "contextvn": is no preset, did you mean "contextvm"`,
		`kinds.deny: "5-70000": must lie between 0 and 65535`,
		`kinds.allow: "22242": authentication is never stored`,
		`limits.tags: -1: must not be negative`,
		`limits.query_budget: -1s: must not be negative`,
		`limits.write_deadline: -1m0s: must not be negative`,
		`limits.default_limit: 6000: must not be above limits.max_limit, 5000`,
		`limits.content_length: 1048576: must not be above limits.message_bytes, 524288: such an event could never arrive`,
	}
	err := o.Validate()
	if err == nil {
		t.Fatal("no fault found")
	}
	if got := err.Error(); got != strings.Join(want, "\n") {
		t.Errorf("faults\n got %s\nwant %s", got, strings.Join(want, "\n"))
	}
	if _, err := New(o, Deps{}); err == nil {
		t.Error("New took faulty options")
	}
}

func TestNearest(t *testing.T) {
	for _, tc := range []struct{ word, want string }{{"thred", "thread"}, {"stat", "state"}, {"", "job"}, {"onlyne", "online"}} {
		if got := Nearest(tc.word, []string{"thread", "state", "online", "job"}); got != tc.want {
			t.Errorf("Nearest(%q) = %q, want %q", tc.word, got, tc.want)
		}
	}
	if got := Nearest("x", nil); got != "" {
		t.Errorf("nearest of nothing: %q", got)
	}
}
