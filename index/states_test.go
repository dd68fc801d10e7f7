package index

import (
	"slices"
	"strconv"
	"testing"

	"github.com/nbd-wtf/go-nostr"
)

func at(s int64) string { return strconv.FormatInt(epoch+s, 10) }

func TestThread_StatesAndPayments(t *testing.T) {
	job := request("alice", 0)
	mortal := request("alice", 0, tag("expiration", at(60)))
	say := func(at int64, status string, tags ...nostr.Tag) nostr.Event {
		return feedback("bob", at, status, job.ID, tags...)
	}
	done := result("bob", 20, job.ID)
	failed := result("bob", 20, job.ID, tag("status", "error"))
	ask := func(at int64, msat string) nostr.Event { return say(at, "payment-required", tag("amount", msat)) }
	partial := event("bob", 7000, 10, "half a fox", tag("status", "partial"), tag("e", job.ID))
	bragging := event("bob", 7000, 10, "a fox", tag("status", "success"), tag("e", job.ID))
	asked := ask(10, "5000")
	pay := nutzap("alice", "bob", 15, 5, "s1", asked.ID)

	cases := []struct {
		name    string
		events  []nostr.Event
		now     int64
		state   string
		views   []string
		payment string
		side    string // state of bob
	}{
		{"nobody answered yet", []nostr.Event{job}, 30, "open", nil, "none", ""},
		{"nobody answered for long", []nostr.Event{job}, 601, "open", []string{"unanswered"}, "none", ""},
		{"nobody answered before it expired", []nostr.Event{mortal}, 60, "expired", nil, "none", ""},
		{"at work", []nostr.Event{job, say(10, "processing")}, 30, "processing", nil, "none", "processing"},
		{"at work and silent", []nostr.Event{job, say(10, "processing")}, 610, "processing", []string{"stalled"}, "none", "processing"},
		{"an unheard-of status is work", []nostr.Event{job, say(10, "pondering")}, 30, "processing", nil, "none", "processing"},
		{"a pong changes nothing", []nostr.Event{job, say(10, "pong")}, 30, "open", nil, "none", "none"},
		{"a pong after work changes nothing", []nostr.Event{job, say(10, "processing"), say(11, "pong")}, 30, "processing", nil, "none", "processing"},
		{"the newest feedback counts", []nostr.Event{job, say(12, "error"), say(10, "processing")}, 30, "error", nil, "none", "error"},
		{"error is not for good", []nostr.Event{job, say(10, "error"), say(12, "processing")}, 30, "processing", nil, "none", "processing"},
		{"in one second the higher status counts", []nostr.Event{job, say(10, "error"), say(10, "processing")}, 30, "error", nil, "none", "error"},
		{"partial", []nostr.Event{job, partial}, 30, "partial", nil, "none", "partial"},
		{"success without a result", []nostr.Event{job, say(10, "success")}, 30, "processing", nil, "none", "processing"},
		{"success with content but no result", []nostr.Event{job, bragging}, 30, "partial", nil, "none", "partial"},
		{"a result", []nostr.Event{job, done}, 30, "success", nil, "none", "success"},
		{"a result stays though error follows", []nostr.Event{job, done, say(25, "error")}, 9000, "success", nil, "none", "success"},
		{"a result that is an error", []nostr.Event{job, failed}, 30, "error", nil, "none", "error"},
		{"feedback after an error result", []nostr.Event{job, failed, say(25, "processing")}, 30, "processing", nil, "none", "processing"},
		{"one succeeds where another failed", []nostr.Event{job, done, feedback("carol", 25, "error", job.ID)}, 30, "success", nil, "none", "success"},
		{"work outranks another's error", []nostr.Event{job, say(10, "error"), feedback("carol", 5, "processing", job.ID)}, 30, "processing", nil, "none", "error"},
		{"a price outranks work", []nostr.Event{job, ask(10, "5000"), feedback("carol", 25, "processing", job.ID)}, 30, "payment-required", nil, "asked", "payment-required"},
		{"cancelled", []nostr.Event{job, say(10, "processing"), event("alice", 5, 20, "", tag("e", job.ID))}, 30, "cancelled", nil, "none", "processing"},
		{"cancelled too late", []nostr.Event{job, done, event("alice", 5, 25, "", tag("e", job.ID))}, 30, "success", nil, "none", "success"},
		{"a stranger cannot cancel", []nostr.Event{job, event("mallory", 5, 20, "", tag("e", job.ID))}, 30, "open", nil, "none", ""},
		{"cancelled before it came", []nostr.Event{event("alice", 5, 20, "", tag("e", job.ID)), say(10, "processing"), job}, 30, "cancelled", nil, "none", "processing"},

		{"asked", []nostr.Event{job, asked}, 30, "payment-required", nil, "asked", "payment-required"},
		{"free", []nostr.Event{job, ask(10, "0")}, 30, "payment-required", nil, "none", "payment-required"},
		{"paid", []nostr.Event{job, asked, pay}, 30, "payment-required", nil, "claimed", "payment-required"},
		{"paid and delivered", []nostr.Event{job, asked, pay, done}, 9000, "success", nil, "claimed", "success"},
		{"paid and silent", []nostr.Event{job, asked, pay}, 615, "payment-required", []string{"stalled"}, "undelivered", "payment-required"},
		{"paid once, told twice", []nostr.Event{job, asked, pay, nutzap("alice", "bob", 16, 5, "s1", asked.ID)}, 30, "payment-required", nil, "claimed", "payment-required"},
		{"paid twice", []nostr.Event{job, asked, pay, nutzap("alice", "bob", 16, 5, "s2", asked.ID)}, 30, "payment-required", nil, "mismatch", "payment-required"},
		{"paid too little", []nostr.Event{job, asked, nutzap("alice", "bob", 15, 4, "s1", asked.ID)}, 30, "payment-required", nil, "mismatch", "payment-required"},
		{"only the newest ask counts", []nostr.Event{job, ask(9, "9000"), asked, pay}, 30, "payment-required", nil, "claimed", "payment-required"},
		{"a tip nobody asked for", []nostr.Event{job, done, nutzap("alice", "bob", 25, 1, "s1", done.ID)}, 30, "success", nil, "claimed", "success"},
		{"refunded", []nostr.Event{job, asked, pay, nutzap("bob", "alice", 30, 5, "s3", job.ID)}, 40, "payment-required", nil, "refunded", "payment-required"},
		{"a stranger's tip to the customer is no refund", []nostr.Event{job, asked, nutzap("dave", "alice", 30, 5, "s3", job.ID)}, 40, "payment-required", nil, "asked", "payment-required"},
		{"paid before its ask came here", []nostr.Event{job, pay, asked}, 30, "payment-required", nil, "claimed", "payment-required"},
		{"refunded before the job came here", []nostr.Event{asked, nutzap("bob", "alice", 30, 5, "s3", asked.ID), job}, 40, "payment-required", nil, "refunded", "payment-required"},
		{"paid and failed, silent", []nostr.Event{job, asked, pay, say(20, "error")}, 9000, "error", nil, "undelivered", "error"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, nil)
			r.at.Store(epoch)
			r.put(t, c.events...)
			r.at.Store(epoch + c.now)
			th, ok := r.thread(t, c.events[len(c.events)-1].ID)
			if !ok {
				if th, ok = r.thread(t, c.events[0].ID); !ok {
					t.Fatal("got no thread")
				}
			}
			if th.State != c.state || th.Payment != c.payment || th.Stalled != slices.Contains(c.views, "stalled") {
				t.Errorf("got state %s, payment %s, stalled %t; want %s, %s, views %v", th.State, th.Payment, th.Stalled, c.state, c.payment, c.views)
			}
			if got := sideState(th, key("bob")); got != c.side {
				t.Errorf("provider's state: got %q, want %q", got, c.side)
			}
			r.holdLists(t, c.state, c.payment, c.views)
		})
	}
}

func sideState(th Thread, pk string) string {
	for _, p := range th.Providers {
		if p.PubKey == pk {
			return p.State
		}
	}
	return ""
}

// holdLists asks for every state and payment: the only job must be in its own lists and in no other.
func (r *rig) holdLists(t *testing.T, state, payment string, views []string) {
	t.Helper()
	now := r.at.Load()
	for _, s := range States() {
		want := 0
		if s == state || slices.Contains(views, s) {
			want = 1
		}
		if got := len(r.list(t, ThreadQuery{State: s, Now: now}).Items); got != want {
			t.Errorf("jobs in state %s: got %d, want %d", s, got, want)
		}
	}
	for _, p := range Payments() {
		want := 0
		if p == payment {
			want = 1
		}
		if got := len(r.list(t, ThreadQuery{Payment: p, Now: now}).Items); got != want {
			t.Errorf("jobs with payment %s: got %d, want %d", p, got, want)
		}
	}
}

func TestThread_Shape(t *testing.T) {
	first := request("alice", 0)
	job := event("alice", 5100, 5, "", tag("i", "  a fox\n", "text"), tag("i", first.ID, "job"), tag("bid", "7000"), tag("output", "image/png"),
		tag("relays", "wss://one.example", "wss://two.example"), tag("p", key("bob")), tag("expiration", at(5000)))
	asked := feedback("bob", 10, "payment-required", job.ID, tag("amount", "5000"))
	r := newRig(t, nil)
	r.put(t, first, job, asked, result("bob", 20, job.ID), nutzap("alice", "bob", 15, 5, "s", asked.ID), nutzap("bob", "alice", 25, 2, "s2", job.ID),
		event("bob", 31990, 1, `{"name":"Fox Painter"}`, tag("d", "fox"), tag("k", "5100")))
	th, ok := r.thread(t, asked.ID)
	if !ok {
		t.Fatal("got no thread")
	}
	if th.ID.String() != job.ID || th.Kind != 5100 || th.Customer != key("alice") || th.Summary != "a fox" || th.Output != "image/png" || th.ExpiresAt != epoch+5000 {
		t.Errorf("got %+v", th)
	}
	if th.BidMsat == nil || *th.BidMsat != 7000 || th.AskedMsat != 5000 || th.ClaimedMsat != 5000 || th.ResultsCount != 1 || !th.RequestSeen || th.More {
		t.Errorf("sums: got %+v", th)
	}
	if !slices.Equal(th.Addressed, []string{key("bob")}) || len(th.Relays) != 2 || len(th.ChainedFrom) != 1 || th.ChainedFrom[0].String() != first.ID {
		t.Errorf("links: got %+v", th)
	}
	if len(th.Providers) != 1 {
		t.Fatalf("providers: got %+v", th.Providers)
	}
	p := th.Providers[0]
	if p.Name != "Fox Painter" || p.FirstFeedbackAt != epoch+10 || p.FirstResultAt != epoch+20 || p.PaidAt != epoch+15 || p.RefundedMsat != 2000 || p.ClaimedMsat != 5000 {
		t.Errorf("provider: got %+v", p)
	}
	var roles []string
	for _, e := range th.Events {
		roles = append(roles, e.Role)
		if e.Event == nil {
			t.Errorf("event %s has no body", e.ID)
		}
	}
	if want := []string{"request", "feedback", "nutzap", "result", "refund"}; !slices.Equal(roles, want) {
		t.Errorf("roles: got %v, want %v", roles, want)
	}
	before, _ := r.thread(t, first.ID)
	if len(before.ChainedTo) != 1 || before.ChainedTo[0].String() != job.ID {
		t.Errorf("chained to: got %v, want %s", before.ChainedTo, job.ID)
	}
}

func TestThread_OutlivesBodies(t *testing.T) {
	job := request("alice", 0, tag("expiration", at(50)), tag("p", key("bob")), tag("bid", "3000"))
	r := newRig(t, nil)
	r.at.Store(epoch)
	r.put(t, job, feedback("bob", 10, "processing", job.ID, tag("expiration", at(60))))
	r.at.Store(epoch + 100)
	for _, swept := range []bool{false, true} {
		if swept {
			r.sweep(t)
		}
		th, ok := r.thread(t, job.ID)
		if !ok || th.State != "processing" || len(th.Events) != 2 || th.Customer != key("alice") || *th.BidMsat != 3000 || !slices.Equal(th.Addressed, []string{key("bob")}) {
			t.Fatalf("swept %t: got %t %+v", swept, ok, th)
		}
		if th.Summary != "" || th.Events[0].Event != nil || !th.Events[0].Expired || !th.Events[1].Expired {
			t.Errorf("swept %t: an expired body is shown: %+v", swept, th)
		}
	}
}

func TestThread_UnknownIDIsNone(t *testing.T) {
	r := newRig(t, nil)
	r.put(t, event("bob", 31990, 1, "{}", tag("d", "x"), tag("k", "5100")), nutzap("alice", "bob", 5, 1, "s", request("alice", 9).ID))
	for _, id := range []string{request("alice", 9).ID, event("bob", 31990, 1, "{}", tag("d", "x"), tag("k", "5100")).ID} {
		if th, ok := r.thread(t, id); ok {
			t.Errorf("%s: got %+v, want none", id, th)
		}
	}
}

func TestThread_ExplainsWhatIsOdd(t *testing.T) {
	job := request("alice", 0)
	odd := feedback("bob", 5, "pondering", job.ID)
	r := newRig(t, nil)
	r.put(t, job, odd)
	th, _ := r.thread(t, odd.ID)
	if len(th.Events) != 2 || len(th.Events[1].Findings) == 0 || th.Events[1].Findings[0].Code == "" {
		t.Errorf("got %+v, want a finding about the status", th.Events)
	}
}
