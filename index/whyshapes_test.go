package index

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"dvmrelay/nip90"

	"github.com/nbd-wtf/go-nostr"
)

func quoted(t testing.TB, e nostr.Event) string {
	t.Helper()
	b, err := json.Marshal(e)
	if err != nil {
		t.Fatalf("quote event: %v", err)
	}
	return string(b)
}

func findingsOf(th Thread, id string) (codes []string) {
	for _, e := range th.Events {
		if e.ID.String() == id {
			for _, f := range e.Findings {
				codes = append(codes, f.Code)
			}
		}
	}
	return codes
}

// TestShapes_Linking: which job an answer belongs to, through the index, for every shape seen in use. Both jobs are here
// before the answer, and after it.
func TestShapes_Linking(t *testing.T) {
	a := event("alice", 5050, 0, "", tag("i", "say \"hi\"", "text"))
	b := event("alice", 5050, 1, "", tag("i", "say 'ho'", "text"))
	nested := event("alice", 5050, 2, "", tag("i", "x", "text"), tag("param", "request", quoted(t, b)))
	bb := quoted(t, b)
	forged := strings.Replace(bb, "say 'ho'", "say 'no'", 1)
	python := fmt.Sprintf(`{'id': '%s', 'pubkey': '%s', 'created_at': %d, 'kind': 5050, 'tags': [['i', "say 'ho'", 'text']], 'content': '', 'sig': None}`, b.ID, b.PubKey, b.CreatedAt)
	var template map[string]any
	if err := json.Unmarshal([]byte(bb), &template); err != nil {
		t.Fatal(err)
	}
	delete(template, "id")
	delete(template, "sig")
	unsigned, err := json.Marshal(template)
	if err != nil {
		t.Fatal(err)
	}
	cases := []struct {
		name    string
		tags    []nostr.Tag
		want    string // a, b, n or none
		finding string
	}{
		{"the only e", []nostr.Tag{tag("e", b.ID)}, "b", ""},
		{"the first of two plain e", []nostr.Tag{tag("e", a.ID), tag("e", b.ID)}, "a", ""},
		{"marker job at index 3", []nostr.Tag{tag("e", a.ID), tag("e", b.ID, "wss://r.example", "job")}, "b", ""},
		{"marker job at index 3, no relay", []nostr.Tag{tag("e", a.ID), tag("e", b.ID, "", "job")}, "b", ""},
		{"marker job at index 2", []nostr.Tag{tag("e", a.ID), tag("e", b.ID, "job")}, "b", ""},
		{"marker request", []nostr.Tag{tag("e", a.ID), tag("e", b.ID, "", "request")}, "b", ""},
		{"marker root", []nostr.Tag{tag("e", a.ID), tag("e", b.ID, "", "root")}, "b", ""},
		{"job before root", []nostr.Tag{tag("e", a.ID, "", "root"), tag("e", b.ID, "", "job")}, "b", ""},
		{"plain before reply", []nostr.Tag{tag("e", a.ID, "", "reply"), tag("e", b.ID)}, "b", ""},
		{"a reply is better than nothing", []nostr.Tag{tag("e", b.ID, "", "reply")}, "b", ""},
		{"nevent in e", []nostr.Tag{tag("e", nip90.Nevent(mustID(t, b.ID), nip90.PubKey{}, 0))}, "b", "bech32-in-tag"},
		{"capitals in e", []nostr.Tag{tag("e", strings.ToUpper(b.ID))}, "b", ""},
		{"garbage before the e", []nostr.Tag{tag("e", "nothing"), tag("e", b.ID)}, "b", "bad-event-id"},
		{"a request tag alone", []nostr.Tag{tag("request", bb)}, "b", ""},
		{"a request tag that quotes a quote", []nostr.Tag{tag("request", quoted(t, nested))}, "n", ""},
		{"a bare id", []nostr.Tag{tag("request", b.ID)}, "b", "request-tag-raw-id"},
		{"a Python literal", []nostr.Tag{tag("request", python)}, "b", "request-tag-python"},
		{"backslashes stripped", []nostr.Tag{tag("request", strings.ReplaceAll(quoted(t, a), `\`, ""))}, "a", "request-tag-broken"},
		{"cut off", []nostr.Tag{tag("request", bb[:120])}, "b", "request-tag-broken"},
		{"an unsigned template", []nostr.Tag{tag("request", string(unsigned))}, "b", "request-tag-unsigned"},
		{"an id that is not the hash still links when nothing else does", []nostr.Tag{tag("request", forged)}, "b", "request-tag-hash"},
		{"prose", []nostr.Tag{tag("request", "please")}, "none", "request-tag-no-id"},
		{"a quote that proves itself chooses among two e", []nostr.Tag{tag("e", a.ID), tag("e", b.ID), tag("request", bb)}, "b", ""},
		{"a quote that does not, chooses nothing", []nostr.Tag{tag("e", a.ID), tag("e", b.ID), tag("request", forged)}, "a", "request-tag-hash"},
		{"a bare id chooses nothing", []nostr.Tag{tag("e", a.ID), tag("e", b.ID), tag("request", b.ID)}, "a", "request-tag-raw-id"},
		{"the e wins against a quote of another job", []nostr.Tag{tag("e", a.ID), tag("request", bb)}, "a", "request-tag-other-job"},
		{"a marker wins against a proof", []nostr.Tag{tag("e", a.ID, "", "job"), tag("e", b.ID), tag("request", bb)}, "a", ""},
		{"an e of an answer before that of a job", []nostr.Tag{tag("e", feedback("bob", 3, "processing", a.ID).ID), tag("e", b.ID)}, "b", ""},
		{"two p tags", []nostr.Tag{tag("e", b.ID), tag("p", key("alice")), tag("p", key("dave"))}, "b", "several-customers"},
		{"neither e nor request", []nostr.Tag{tag("p", key("alice"))}, "none", "unlinked"},
	}
	events := []nostr.Event{a, b, nested, feedback("bob", 3, "processing", a.ID)}
	for i, c := range cases {
		events = append(events, event("bob", 6050, 10+int64(i), c.name, c.tags...))
	}
	answers := slices.Clone(events[4:])
	for order, events := range [][]nostr.Event{events, reversed(events)} {
		r := newRig(t, nil)
		r.put(t, events...)
		for i, c := range cases {
			id := answers[i].ID
			want := map[string]string{"a": a.ID, "b": b.ID, "n": nested.ID, "none": id}[c.want]
			th, ok := r.thread(t, id)
			if !ok || th.ID.String() != want || th.Unlinked != (c.want == "none") {
				t.Errorf("%s, order %d: got thread %s (%t, unlinked %t), want %s", c.name, order, th.ID, ok, th.Unlinked, want)
			}
			if got := findingsOf(th, id); c.finding != "" && !slices.Contains(got, c.finding) {
				t.Errorf("%s, order %d: findings %v, want %s among them", c.name, order, got, c.finding)
			}
		}
	}
}

// TestShapes_WrongKind: results of another kind than the request's plus 1000 count, with a finding.
func TestShapes_WrongKind(t *testing.T) {
	for _, c := range []struct {
		name            string
		request, result int
		finding         string
	}{
		{"as it should be", 5100, 6100, ""},
		{"music, in the range of requests", 5251, 5651, "result-in-request-range"},
		{"of another job kind", 5905, 6900, "result-kind"},
		{"generic for a generic job", 5999, 6999, ""},
		{"generic for a special job", 5100, 6999, "result-kind"},
	} {
		t.Run(c.name, func(t *testing.T) {
			job := event("alice", c.request, 0, "", tag("i", "x", "text"))
			done := event("bob", c.result, 5, "done", tag("e", job.ID), tag("p", key("alice")))
			s := story{events: []nostr.Event{job, done}, look: 60}
			th := s.play(t)
			got := findingsOf(th, done.ID)
			wrong := slices.ContainsFunc(got, func(code string) bool { return strings.HasPrefix(code, "result-") })
			if th.State != "success" || th.ResultsCount != 1 || wrong != (c.finding != "") || c.finding != "" && !slices.Contains(got, c.finding) {
				t.Errorf("got %s, %d results, findings %v; want success, 1, %q", th.State, th.ResultsCount, got, c.finding)
			}
		})
	}
}

// TestShapes_Chains: both ways, by the job's id or its result's, and whatever strangers make of it.
func TestShapes_Chains(t *testing.T) {
	first := request("alice", 0, tag("nonce", "1"))
	done := result("bob", 5, first.ID)
	byJob := event("alice", 5050, 10, "", tag("i", first.ID, "job"))
	byResult := event("alice", 5050, 11, "", tag("i", done.ID, "job"))
	byName := event("alice", 5050, 12, "", tag("i", nip90.Nevent(mustID(t, first.ID), nip90.PubKey{}, 0), "job"))
	byEvent := event("alice", 5050, 13, "", tag("i", first.ID, "event"))
	byAddress := event("alice", 5050, 14, "", tag("i", "31990:"+key("bob")+":x", "job"))
	all := []nostr.Event{first, done, byJob, byResult, byName, byEvent, byAddress}
	for _, events := range [][]nostr.Event{all, reversed(all)} {
		r := newRig(t, nil)
		r.put(t, events...)
		th, _ := r.thread(t, first.ID)
		var to []string
		for _, id := range th.ChainedTo {
			to = append(to, id.String())
		}
		slices.Sort(to)
		want := []string{byJob.ID, byResult.ID, byName.ID}
		slices.Sort(want)
		if !slices.Equal(to, want) {
			t.Errorf("chained to: got %v, want %v", to, want)
		}
		for from, want := range map[string][]string{byJob.ID: {first.ID}, byResult.ID: {done.ID}, byName.ID: {first.ID}, byEvent.ID: nil, byAddress.ID: nil} {
			th, _ := r.thread(t, from)
			var got []string
			for _, id := range th.ChainedFrom {
				got = append(got, id.String())
			}
			if !slices.Equal(got, want) {
				t.Errorf("%s chained from: got %v, want %v", from, got, want)
			}
		}
		r.Stop()
	}
	// A true cycle cannot be signed: each id would have to be known before the other. What can be is a job that names one
	// that never comes, and one that names itself, which no honest hash allows either.
	lost := event("alice", 5050, 20, "", tag("i", event("x", 5050, 0, "").ID, "job"))
	s := story{events: []nostr.Event{lost}, look: 60}
	if th := s.play(t); len(th.ChainedFrom) != 1 || len(th.ChainedTo) != 0 {
		t.Errorf("a job that builds on one that never came: from %v to %v", th.ChainedFrom, th.ChainedTo)
	}
}

func reversed(list []nostr.Event) []nostr.Event {
	out := slices.Clone(list)
	slices.Reverse(out)
	return out
}

// TestShapes_Status: what services write where a status belongs, as the state of their side.
func TestShapes_Status(t *testing.T) {
	r := newRig(t, nil)
	for _, c := range []struct {
		name    string
		content string
		tags    []nostr.Tag
		state   string
		finding string
	}{
		{"payment_required", "", []nostr.Tag{tag("status", "payment_required")}, "payment-required", "status-nonstandard"},
		{"subscription-required", "", []nostr.Tag{tag("status", "subscription-required")}, "payment-required", "status-nonstandard"},
		{"started", "", []nostr.Tag{tag("status", "started")}, "processing", "status-nonstandard"},
		{"scheduled", "", []nostr.Tag{tag("status", "scheduled")}, "processing", "status-nonstandard"},
		{"chain-scheduled", "", []nostr.Tag{tag("status", "chain-scheduled")}, "processing", "status-nonstandard"},
		{"failed", "", []nostr.Tag{tag("status", "failed")}, "error", "status-nonstandard"},
		{"payment-rejected", "", []nostr.Tag{tag("status", "payment-rejected")}, "error", "status-nonstandard"},
		{"pong", "", []nostr.Tag{tag("status", "pong")}, "none", ""},
		{"subscription-active", "", []nostr.Tag{tag("status", "subscription-active")}, "none", ""},
		{"subscription-success", "", []nostr.Tag{tag("status", "subscription-success")}, "none", ""},
		{"unheard of", "", []nostr.Tag{tag("status", "pondering")}, "processing", "status-unknown"},
		{"none at all", "NIP90 DVM task started processing. 👍", nil, "processing", "status-missing"},
		{"inside the ciphertext", "QUJDREVGR0hJSktMTU5PUA==?iv=QUJDREVGR0hJSktMTU5PUA==", []nostr.Tag{tag("encrypted")}, "processing", "status-encrypted"},
		{"inside JSON content", `{"status":"error"}`, nil, "error", "status-in-content"},
		{"in an s tag", "", []nostr.Tag{tag("s", "payment-required", "x"), tag("amount", "1000")}, "payment-required", "status-in-s-tag"},
		{"with an empty third element", "", []nostr.Tag{tag("status", "error", "")}, "error", ""},
		{"payment-required without an amount", "", []nostr.Tag{tag("status", "payment-required")}, "payment-required", "amount-missing"},
		{"success without a result", "", []nostr.Tag{tag("status", "success")}, "processing", "success-without-result"},
		{"success with content without a result", "a fox", []nostr.Tag{tag("status", "success")}, "partial", "success-without-result"},
	} {
		t.Run(c.name, func(t *testing.T) {
			job := request("alice", 0, tag("nonce", c.name))
			said := event("bob", 7000, 5, c.content, append(c.tags, tag("e", job.ID))...)
			r.put(t, job, said)
			th, _ := r.thread(t, said.ID)
			if got := sideState(th, key("bob")); got != c.state {
				t.Errorf("got %q, want %q", got, c.state)
			}
			if got := findingsOf(th, said.ID); c.finding != "" && !slices.Contains(got, c.finding) {
				t.Errorf("findings %v, want %s among them", got, c.finding)
			}
		})
	}
}

// TestShapes_Amounts: what is asked, in msat and by which method, and what is odd about it.
func TestShapes_Amounts(t *testing.T) {
	r := newRig(t, nil)
	r.at.Store(epoch + 60)
	bill := invoice(t, 25_000, 1, 600, "")
	for _, c := range []struct {
		name    string
		tags    []nostr.Tag
		msat    int64
		payment string
		methods []string
		finding string
	}{
		{"with its invoice", []nostr.Tag{tag("amount", "25000", bill)}, 25_000, "asked", []string{"bolt11"}, ""},
		{"alone", []nostr.Tag{tag("amount", "1599000")}, 1_599_000, "asked", nil, ""},
		{"a lightning address and an underscore", []nostr.Tag{tag("amount", "100_000", "botlab@zeuspay.com")}, 100_000, "asked", []string{"address"}, "invoice-is-address"},
		{"a lightning: prefix", []nostr.Tag{tag("amount", "25000", "lightning:"+bill)}, 25_000, "asked", []string{"bolt11"}, "invoice-prefix"},
		{"the word bolt11 before the invoice", []nostr.Tag{tag("amount", "25000", "bolt11", bill)}, 25_000, "asked", []string{"bolt11"}, "amount-extra"},
		{"ecash, which has no smaller coin than a sat", []nostr.Tag{tag("amount", "1", "ecash")}, 1000, "asked", []string{"ecash"}, "amount-ecash"},
		{"a unit", []nostr.Tag{tag("amount", "21", "sat")}, 21_000, "asked", nil, "amount-unit"},
		{"zero is no ask", []nostr.Tag{tag("amount", "0")}, 0, "none", nil, ""},
		{"zero with an invoice is one", []nostr.Tag{tag("amount", "0", bill)}, 0, "asked", []string{"bolt11"}, ""},
		{"another than the invoice", []nostr.Tag{tag("amount", "28125", bill)}, 28_125, "asked", []string{"bolt11"}, "amount-mismatch"},
		{"sats for msats, as the invoice shows", []nostr.Tag{tag("amount", "25", bill)}, 25_000, "asked", []string{"bolt11"}, "amount-sats-for-msats"},
		{"an invoice in a tag of its own", []nostr.Tag{tag("bolt11", bill)}, 25_000, "asked", []string{"bolt11"}, "invoice-own-tag"},
		{"more than there is", []nostr.Tag{tag("amount", "1"+strings.Repeat("0", 30))}, mostMsat, "asked", nil, "amount-huge"},
		{"negative", []nostr.Tag{tag("amount", "-5")}, 0, "none", nil, "amount-negative"},
		{"prose", []nostr.Tag{tag("amount", "a lot")}, 0, "none", nil, "amount-unreadable"},
	} {
		t.Run(c.name, func(t *testing.T) {
			job := request("alice", 0, tag("nonce", c.name))
			said := event("bob", 7000, 5, "", append(c.tags, tag("status", "payment-required"), tag("e", job.ID))...)
			r.put(t, job, said)
			th, _ := r.thread(t, said.ID)
			p := th.Providers[0]
			if p.AskedMsat != c.msat || p.Payment != c.payment || !slices.Equal(p.PaymentMethods, append([]string{}, c.methods...)) {
				t.Errorf("got %d, %s, %v; want %d, %s, %v", p.AskedMsat, p.Payment, p.PaymentMethods, c.msat, c.payment, c.methods)
			}
			if got := findingsOf(th, said.ID); c.finding != "" && !slices.Contains(got, c.finding) {
				t.Errorf("findings %v, want %s among them", got, c.finding)
			}
			if codes := whyCodesOf(th); !slices.Equal(codes, []string{"awaiting-payment"}) {
				t.Errorf("reasons: got %v", codes)
			}
		})
	}
}

// TestShapes_MidThread: what goes away while a thread goes on.
func TestShapes_MidThread(t *testing.T) {
	job := request("alice", 0)
	working := feedback("bob", 5, "processing", job.ID)
	done := result("bob", 10, job.ID)
	dying := result("bob", 10, job.ID, tag("expiration", at(30)))
	unmake := func(by string, e nostr.Event) nostr.Event { return event(by, 5, 20, "", tag("e", e.ID)) }
	vanish := event("bob", 62, 20, "", tag("relay", "ALL_RELAYS"))
	for _, c := range []struct {
		name   string
		events []nostr.Event
		state  string
		roles  []string // with a minus where the body is gone
	}{
		{"the provider deletes its result", []nostr.Event{job, working, done, unmake("bob", done)}, "success", []string{"request", "feedback", "-result"}},
		{"a stranger cannot delete it", []nostr.Event{job, working, done, unmake("mallory", done)}, "success", []string{"request", "feedback", "result"}},
		{"the customer deletes the job, then the result comes", []nostr.Event{job, working, unmake("alice", job), result("bob", 25, job.ID)}, "success", []string{"-request", "feedback", "cancel", "result"}},
		{"the customer deletes the job", []nostr.Event{job, working, unmake("alice", job)}, "cancelled", []string{"-request", "feedback", "cancel"}},
		{"the result expires", []nostr.Event{job, working, dying}, "success", []string{"request", "feedback", "-result"}},
		{"the provider vanishes", []nostr.Event{job, working, done, vanish}, "open", []string{"request"}},
		{"a result to a job that had expired", []nostr.Event{request("alice", 0, tag("expiration", at(8))), result("bob", 10, request("alice", 0, tag("expiration", at(8))).ID)}, "success", []string{"-request", "result"}},
		{"a result after an error", []nostr.Event{job, feedback("bob", 5, "error", job.ID), done}, "success", []string{"request", "feedback", "result"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, nil)
			for _, e := range c.events {
				r.tell(t, int64(e.CreatedAt), e)
			}
			r.at.Store(epoch + 60)
			r.sweep(t)
			th, ok := r.thread(t, c.events[0].ID)
			var roles []string
			for _, e := range th.Events {
				role := e.Role
				if e.Event == nil {
					role = "-" + role
				}
				roles = append(roles, role)
			}
			if !ok || th.State != c.state || !slices.Equal(roles, c.roles) {
				t.Errorf("got %s, %v; want %s, %v", th.State, roles, c.state, c.roles)
			}
		})
	}
}

// TestShapes_Payments: where receipts and nutzaps point, and whom they count for.
func TestShapes_Payments(t *testing.T) {
	job := request("alice", 0)
	asked := feedback("bob", 5, "payment-required", job.ID, tag("amount", "5000"))
	done := result("bob", 10, job.ID)
	about := zapRequest("alice", 5000)
	bill := invoice(t, 5000, 6, 600, about)
	anonymous := fmt.Sprintf(`{"kind":9734,"pubkey":%q,"tags":[["amount","5000"],["anon"]],"content":""}`, key("throwaway"))
	for _, c := range []struct {
		name    string
		pay     nostr.Event
		claimed int64 // -1: it belongs to no thread
		role    string
		finding string
	}{
		{"a zap of the feedback", zap("alice", "bob", 20, bill, about, asked.ID), 5000, "zap", ""},
		{"a zap of the result", zap("alice", "bob", 20, bill, about, done.ID), 5000, "zap", ""},
		{"a zap of the job itself", zap("alice", "bob", 20, bill, about, job.ID), 5000, "zap", ""},
		{"a zap by somebody else counts as well", zap("dave", "bob", 20, bill, zapRequest("dave", 5000), asked.ID), 5000, "zap", "zap-description-hash"},
		{"an anonymous zap", event("wallet", 9735, 20, "", tag("p", key("bob")), tag("e", asked.ID), tag("bolt11", invoice(t, 5000, 6, 600, anonymous)), tag("description", anonymous)), 5000, "zap", "zap-anonymous"},
		{"a zap of a profile", event("wallet", 9735, 20, "", tag("p", key("bob")), tag("bolt11", bill), tag("description", about)), -1, "", ""},
		{"a receipt without an invoice claims nothing", event("wallet", 9735, 20, "", tag("p", key("bob")), tag("e", asked.ID), tag("description", `{"kind":9734,"pubkey":"x","tags":[]}`)), 0, "zap", "zap-no-invoice"},
		{"a receipt dated after its invoice expired", zap("alice", "bob", 900, bill, about, asked.ID), 5000, "zap", "zap-after-expiry"},
		{"a nutzap of the feedback", nutzap("alice", "bob", 20, 5, "s", asked.ID), 5000, "nutzap", ""},
		{"a zap back to the customer", zap("bob", "alice", 20, invoice(t, 5000, 6, 600, zapRequest("bob", 5000)), zapRequest("bob", 5000), job.ID), 0, "refund", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			for order, events := range [][]nostr.Event{{job, asked, done, c.pay}, {c.pay, done, asked, job}} {
				r := newRig(t, nil)
				r.put(t, events...)
				th, ok := r.thread(t, c.pay.ID)
				if c.claimed < 0 {
					if ok {
						t.Errorf("order %d: it belongs to %s", order, th.ID)
					}
					continue
				}
				role := ""
				for _, e := range th.Events {
					if e.ID.String() == c.pay.ID {
						role = e.Role
					}
				}
				if !ok || th.ID.String() != job.ID || th.ClaimedMsat != c.claimed || role != c.role {
					t.Errorf("order %d: got thread %s, claimed %d, role %q; want %d, %q", order, th.ID, th.ClaimedMsat, role, c.claimed, c.role)
				}
				if got := findingsOf(th, c.pay.ID); c.finding != "" && !slices.Contains(got, c.finding) {
					t.Errorf("order %d: findings %v, want %s among them", order, got, c.finding)
				}
				r.Stop()
			}
		})
	}
}
