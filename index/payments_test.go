package index

import (
	"slices"
	"testing"

	"github.com/nbd-wtf/go-nostr"
)

// TestPayment_Stories tells one story for each payment state and some for what goes wrong around money, and holds the
// whole thread to a file. The time of each event is in the fixture's name or beside it, in seconds after the request.
func TestPayment_Stories(t *testing.T) {
	job := request("alice", 0)
	bill := invoice(t, 5000, 10, 300, "")
	billed := feedback("bob", 10, "payment-required", job.ID, tag("p", key("alice")), tag("amount", "5000", bill))
	asked := feedback("bob", 10, "payment-required", job.ID, tag("p", key("alice")), tag("amount", "5000"))
	about := zapRequest("alice", 5000)
	paid := zap("alice", "bob", 20, invoice(t, 5000, 15, 600, about), about, billed.ID)
	working := feedback("bob", 25, "processing", job.ID, tag("p", key("alice")))
	done := result("bob", 40, job.ID, tag("p", key("alice")))
	coins := nutzap("alice", "bob", 20, 5, "s", asked.ID)

	for _, s := range []story{
		// Nobody asks for money and nobody pays: bob works and delivers. No reasons: the job was answered.
		{
			name: "payment-none", events: []nostr.Event{job, feedback("bob", 5, "processing", job.ID, tag("p", key("alice"))), done}, look: 60,
			state: "success", payment: "none",
		},
		// Bob asks for 5 sat with an invoice; carol asks for 7 without one. The thread's sum is 12: of both. Both wait.
		{
			name: "payment-asked", events: []nostr.Event{job, billed, feedback("carol", 12, "payment-required", job.ID, tag("p", key("alice")), tag("amount", "7000"))}, look: 60,
			state: "payment-required", payment: "asked", codes: []string{"awaiting-payment", "awaiting-payment"},
		},
		// Bob's newest ask is an invoice that expired; an older, dearer one has no say. The job stays payment-required.
		{
			name: "payment-invoice-expired", events: []nostr.Event{job, feedback("bob", 5, "payment-required", job.ID, tag("p", key("alice")), tag("amount", "9000")), billed}, look: 400,
			state: "payment-required", payment: "invoice-expired", codes: []string{"invoice-expired"},
		},
		// Alice zaps bob's feedback with an invoice of her wallet's, made for the zap, that commits to its description. The
		// receipt comes twice under two ids, for one invoice: it counts once. Bob delivers.
		{
			name: "payment-claimed", events: []nostr.Event{job, billed, paid, zap("alice", "bob", 21, invoice(t, 5000, 15, 600, about), about, billed.ID), working, done}, look: 60,
			state: "success", payment: "claimed",
		},
		// The receipt is of 4 sat, its invoice commits to another description, and it is dated after that invoice expired.
		// It counts all the same, with two findings, and is not what was asked. Bob delivers, so only the amount is told.
		{
			name: "payment-mismatch", events: []nostr.Event{job, billed, zap("alice", "bob", 30, invoice(t, 4000, 12, 10, "another"), zapRequest("alice", 4000), billed.ID), done}, look: 60,
			state: "success", payment: "mismatch", codes: []string{"wrong-amount"},
		},
		// Alice pays what was asked; bob says that he is at work, and nothing for ten minutes after. Stalled as well.
		{
			name: "payment-undelivered", events: []nostr.Event{job, billed, paid, working}, look: 625,
			state: "processing", payment: "undelivered", codes: []string{"paid-no-result"},
		},
		// Bob was paid, failed, and sent the coins back with a nutzap that names the job: its role is refund. What was
		// claimed stays claimed. Nobody delivered, and nothing more can be said of why.
		{
			name: "payment-refunded", events: []nostr.Event{job, asked, coins, feedback("bob", 30, "error", job.ID, tag("p", key("alice"))), nutzap("bob", "alice", 35, 5, "r", job.ID)}, look: 9000,
			state: "error", payment: "refunded",
		},
		// Bob was paid; then carol, whom nobody paid, delivers, and so does bob, twice. Carol's result is work that another
		// had been paid for, bob's second one is work done again. The first results of both count for both.
		{
			name: "duplicate-work", events: []nostr.Event{job, asked, coins, result("carol", 30, job.ID, tag("p", key("alice"))), done, result("bob", 50, job.ID, tag("p", key("alice")), tag("nonce", "again"))}, look: 9000,
			state: "success", payment: "claimed",
		},
		// Bob was paid, and then a new key that announces the same service delivers: perhaps bob after he changed his key.
		// The money still counts as undelivered by bob's key, as a receipt proves nothing of who owns which; the reason
		// names the other result.
		{
			name: "provider-key-rotated",
			events: []nostr.Event{
				announce("bob", "fox-painter", "Fox Painter", -500, "5100"), announce("bob2", "fox-painter", "Fox Painter", 22, "5100"),
				job, asked, coins, result("bob2", 40, job.ID, tag("p", key("alice"))),
			}, of: 2, look: 9000,
			state: "success", payment: "undelivered", codes: []string{"paid-no-result"},
		},
		// Two providers compete for a job that addresses bob alone: carol answers unasked, which a finding notes, and is
		// first. Bob's error changes nothing.
		{
			name: "competing-providers",
			events: []nostr.Event{
				request("alice", 0, tag("p", key("bob")), tag("nonce", "c")),
				feedback("bob", 10, "processing", request("alice", 0, tag("p", key("bob")), tag("nonce", "c")).ID, tag("p", key("alice"))),
				result("carol", 12, request("alice", 0, tag("p", key("bob")), tag("nonce", "c")).ID, tag("p", key("alice"))),
				feedback("bob", 14, "error", request("alice", 0, tag("p", key("bob")), tag("nonce", "c")).ID, tag("p", key("alice"))),
			}, look: 9000,
			state: "success", payment: "none",
		},
		// What came to a job that alice cancelled: the cancel is part of the thread, the request's body is gone, and no
		// reasons are told. Bob gives up with a result that is an error; a report and a label about it stand there as well.
		{
			name: "cancelled-with-reports",
			events: []nostr.Event{
				job, feedback("bob", 5, "processing", job.ID, tag("p", key("alice"))), event("alice", 5, 30, "changed my mind", tag("e", job.ID), tag("k", "5100")),
				event("bob", 6100, 31, "half", tag("status", "error", "cancelled"), tag("e", job.ID), tag("p", key("alice"))),
				event("critic", 1984, 50, "", tag("e", event("bob", 6100, 31, "half", tag("status", "error", "cancelled"), tag("e", job.ID), tag("p", key("alice"))).ID, "spam"), tag("p", key("bob"))),
				event("critic", 1985, 51, "", tag("L", "quality"), tag("l", "bad", "quality"), tag("e", event("bob", 6100, 31, "half", tag("status", "error", "cancelled"), tag("e", job.ID), tag("p", key("alice"))).ID)),
			}, look: 9000,
			state: "cancelled", payment: "none",
		},
		// Answers to a job that is not here: it may yet come. Bob's price stands, and what the customer could do about it.
		{
			name: "request-not-seen", events: []nostr.Event{asked}, look: 60,
			state: "payment-required", payment: "asked", codes: []string{"awaiting-payment"},
		},
		// An answer that names no job is its own thread, marked unlinked, without reasons.
		{
			name: "unlinked", events: []nostr.Event{event("bob", 6100, 10, "for nobody")}, look: 60,
			state: "success", payment: "none",
		},
	} {
		t.Run(s.name, s.run)
	}
}

// TestPayment_FirstThatHolds gives each state everything that would make a later one hold as well.
func TestPayment_FirstThatHolds(t *testing.T) {
	job := request("alice", 0)
	bill := invoice(t, 5000, 10, 20, "")
	asked := feedback("bob", 10, "payment-required", job.ID, tag("amount", "5000", bill))
	less := nutzap("alice", "bob", 20, 4, "s", asked.ID)
	rest := nutzap("alice", "bob", 21, 1, "t", asked.ID)
	back := nutzap("bob", "alice", 30, 1, "r", job.ID)
	for _, c := range []struct {
		name   string
		events []nostr.Event
		look   int64
		want   string
	}{
		{"refunded before undelivered and mismatch", []nostr.Event{job, asked, less, back}, 9000, "refunded"},
		{"undelivered before mismatch", []nostr.Event{job, asked, less}, 9000, "undelivered"},
		{"mismatch before the expired invoice", []nostr.Event{job, asked, less}, 60, "mismatch"},
		{"claimed before the expired invoice: two payments sum up", []nostr.Event{job, asked, less, rest}, 60, "claimed"},
		{"the expired invoice before asked", []nostr.Event{job, asked}, 60, "invoice-expired"},
		{"asked", []nostr.Event{job, asked}, 20, "asked"},
		{"none", []nostr.Event{job}, 20, "none"},
		{"of two providers the highest counts", []nostr.Event{job, asked, feedback("carol", 11, "payment-required", job.ID, tag("amount", "4000")), nutzap("alice", "carol", 20, 4, "u", job.ID)}, 60, "claimed"},
		{"the second below which silence is short", []nostr.Event{job, asked, less, rest}, 21 + 599, "claimed"},
		{"the second from which silence is long", []nostr.Event{job, asked, less, rest}, 21 + 600, "undelivered"},
		{"a refund by one who never answered is a tip", []nostr.Event{job, asked, nutzap("dave", "alice", 30, 1, "r", job.ID)}, 20, "asked"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := story{events: c.events, look: c.look}
			if got := s.play(t); got.Payment != c.want {
				t.Errorf("got %s, want %s", got.Payment, c.want)
			}
		})
	}
}

// TestPayment_EachProviderHasItsOwn: the thread shows the highest, each provider its own.
func TestPayment_EachProviderHasItsOwn(t *testing.T) {
	job := request("alice", 0)
	bob := feedback("bob", 10, "payment-required", job.ID, tag("amount", "5000"))
	s := story{events: []nostr.Event{
		job, bob, feedback("carol", 10, "payment-required", job.ID, tag("amount", "2000")), feedback("dave", 10, "processing", job.ID),
		nutzap("alice", "bob", 20, 5, "s", bob.ID),
	}, look: 60}
	th := s.play(t)
	got := map[string]string{}
	for _, p := range th.Providers {
		got[p.PubKey] = p.Payment
	}
	if th.Payment != "claimed" || got[key("bob")] != "claimed" || got[key("carol")] != "asked" || got[key("dave")] != "none" {
		t.Errorf("thread %s, providers %v", th.Payment, got)
	}
}

// TestThread_NamesProvidersByProfile: an announcement for the kind names a provider; without one its profile does.
func TestThread_NamesProvidersByProfile(t *testing.T) {
	job := request("alice", 0)
	s := story{events: []nostr.Event{
		job, announce("bob", "x", "Announced", -9, "5100"), event("bob", 0, -9, `{"name":"Profile"}`), event("carol", 0, -9, `{"name":"Carol"}`),
		announce("carol", "y", "Other Kind", -9, "5300"), event("dave", 0, -9, `no JSON`),
		feedback("bob", 1, "processing", job.ID), feedback("carol", 1, "processing", job.ID), feedback("dave", 1, "processing", job.ID),
	}, look: 60}
	var names []string
	for _, p := range s.play(t).Providers {
		names = append(names, p.Name)
	}
	if want := []string{"Announced", "Carol", ""}; !slices.Equal(names, want) {
		t.Errorf("got %q, want %q", names, want)
	}
}
