package policies

import (
	"context"
	"testing"

	"dvmrelay/nip90"
)

func kindRefusal(k *Kinds, kind int, c *clock) string {
	p := &nip90.Parsed{Event: event(c, kind)}
	if err := k.check(context.Background(), p); err != nil {
		return err.Error()
	}
	return ""
}

func TestKinds_Words(t *testing.T) {
	c := newClock()
	with := func(change func(*KindOptions)) *Kinds {
		o := KindOptions{}
		if change != nil {
			change(&o)
		}
		return NewKinds(o)
	}
	deny := func(o *KindOptions) { o.Deny = []KindRange{{5300, 5399}} }
	allow := func(o *KindOptions) { o.Allow = []KindRange{{1, 1}, {20000, 30000}, {5128, 5128}} }
	both := func(o *KindOptions) { allow(o); o.Deny = []KindRange{{1, 1}} }
	contextvm := func(o *KindOptions) { o.Presets = []string{"contextvm"} }
	private := func(o *KindOptions) { o.Presets = []string{"private"} }
	for _, tc := range []struct {
		name   string
		change func(*KindOptions)
		kind   int
		want   string
	}{
		{"request", nil, 5300, ""},
		{"first request", nil, 5000, ""},
		{"last request", nil, 5999, ""},
		{"subscription request", nil, 5906, ""},
		{"result", nil, 6999, ""},
		{"feedback", nil, 7000, ""},
		{"ping", nil, 7007, ""},
		{"handler", nil, 31990, ""},
		{"recommendation", nil, 31989, ""},
		{"heartbeat", nil, 11998, ""},
		{"contextvm announcement", nil, 11320, ""},
		{"report", nil, 1984, ""},
		{"note", nil, 1, "blocked: kind 1 is not accepted: " + whatIsAccepted},
		{"below the range", nil, 4999, "blocked: kind 4999 is not accepted: " + whatIsAccepted},
		{"first draft", nil, 65000, "blocked: kind 65000 is not accepted: " + whatIsAccepted},
		{"site", nil, 5128, "blocked: kind 5128 (nsite manifest snapshot) is another protocol's, not a job: " + whatIsAccepted},
		{"poll", nil, 6969, "blocked: kind 6969 (zap poll) is another protocol's, not a job: " + whatIsAccepted},
		{"auth", nil, 22242, "blocked: kind 22242 (relay authentication) is never stored"},
		{"http auth", nil, 27235, "blocked: kind 27235 (HTTP authentication) is never stored"},
		{"preset off", nil, 25910, "blocked: kind 25910 (ContextVM message) is switched off on this relay: " + whatIsAccepted},
		{"preset on", contextvm, 25910, ""},
		{"another preset on", private, 25910, "blocked: kind 25910 (ContextVM message) is switched off on this relay: " + whatIsAccepted},
		{"private", private, 7002, ""},
		{"private off", nil, 37001, "blocked: kind 37001 (subscription tier) is switched off on this relay: " + whatIsAccepted},
		{"denied", deny, 5300, "blocked: kind 5300 (job request) is refused by the operator of this relay"},
		{"not denied", deny, 5400, ""},
		{"allowed", allow, 1, ""},
		{"allowed squatter", allow, 5128, ""},
		{"auth in an allowed range", allow, 22242, "blocked: kind 22242 (relay authentication) is never stored"},
		{"deny wins", both, 1, "blocked: kind 1 is refused by the operator of this relay"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			k := with(tc.change)
			if got := kindRefusal(k, tc.kind, c); got != tc.want {
				t.Errorf("refusal\n got %q\nwant %q", got, tc.want)
			}
			if got := k.Accepts(tc.kind); got != (tc.want == "") {
				t.Errorf("Accepts(%d) = %v", tc.kind, got)
			}
		})
	}
}

func TestKinds_AcceptedByDefault(t *testing.T) {
	k := NewKinds(KindOptions{})
	got := 0
	for kind := -10; kind < 70000; kind++ {
		if k.Accepts(kind) {
			got++
		}
	}
	// 5000-5999 without 4, 6000-6999 without 2, and 24 single kinds.
	const want = 996 + 998 + 24
	if got != want {
		t.Errorf("%d kinds accepted, want %d", got, want)
	}
}

func TestKinds_Gated(t *testing.T) {
	k := NewKinds(KindOptions{Presets: []string{"contextvm"}})
	for kind, want := range map[int]bool{1059: true, 25910: true, 21059: true, 5300: false, 11316: false, 1: false} {
		if got := k.Gated(kind); got != want {
			t.Errorf("Gated(%d) = %v", kind, got)
		}
	}
}

func TestKindRange_Text(t *testing.T) {
	for _, tc := range []struct{ in, want, fault string }{
		{"5300", "5300", ""},
		{"5000-5999", "5000-5999", ""},
		{" 5000 - 5999 ", "5000-5999", ""},
		{"5999-5000", "", "the range ends before it begins"},
		{"x", "", `is no kind: write a number up to 65535, or a range such as "5000-5999"`},
		{"70000", "", `is no kind: write a number up to 65535, or a range such as "5000-5999"`},
		{"-5", "", `is no kind: write a number up to 65535, or a range such as "5000-5999"`},
		{"", "", `is no kind: write a number up to 65535, or a range such as "5000-5999"`},
	} {
		var r KindRange
		err := r.UnmarshalText([]byte(tc.in))
		if tc.fault != "" {
			if err == nil || err.Error() != tc.fault {
				t.Errorf("%q: got %v, want %q", tc.in, err, tc.fault)
			}
			continue
		}
		if err != nil || r.String() != tc.want {
			t.Errorf("%q: got %q, %v; want %q", tc.in, r, err, tc.want)
		}
	}
}
