package index

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"dvmrelay/nip90"
	"dvmrelay/store"
)

// putReal puts real events in, each at the second it was made, in the order of their times.
func (r *rig) putReal(t testing.TB, events []*nip90.Parsed) {
	t.Helper()
	slices.SortStableFunc(events, func(a, b *nip90.Parsed) int { return int(a.CreatedAt - b.CreatedAt) })
	for _, p := range events {
		r.at.Store(p.CreatedAt)
		p.Received = time.Unix(p.CreatedAt, 0)
		r.Put(t, p)
	}
}

// lookedAt is when the real events are looked at, a day after the newest of them.
const lookedAt = 1_744_401_000

func TestThread_RealEvents(t *testing.T) {
	r := newRig(t, nil)
	r.putReal(t, realEvents(t, "real-events.jsonl"))
	r.at.Store(lookedAt)
	all := r.everyRoot(t)
	for i := range all {
		for j := range all[i].Events {
			all[i].Events[j].Event = nil // they stand in real-events.jsonl
		}
	}
	golden(t, "real-threads.json", all)
}

// TestThread_RealEventsExplained says of the notable ones, by the beginning of the root's id, what is to be seen and why.
// Nothing is known of listening, and no announcement for most of these kinds is among the events.
func TestThread_RealEventsExplained(t *testing.T) {
	r := newRig(t, nil)
	r.putReal(t, realEvents(t, "real-events.jsonl"))
	r.at.Store(lookedAt)
	byRoot := make(map[string]Thread)
	for _, th := range r.everyRoot(t) {
		byRoot[th.ID.String()[:8]] = th
	}
	for _, c := range []struct {
		root, state, payment string
		codes                []string
		finding              string // of some event
		why                  string
	}{
		{"03056ca3", "payment-required", "invoice-expired", []string{"invoice-expired"}, "", "1,545 sat were asked by an invoice of ten minutes in a feedback that has expired: the fact remembers both"},
		{"059cfc7f", "success", "none", nil, "", "feedback says success and then the result came: no finding about success without a result"},
		{"0e419d0b", "expired", "none", []string{"born-expired"}, "", "expires a second before it was made; that it addresses a provider that was active later means nothing then"},
		{"191207dd", "success", "none", nil, "unlinked", "kind 6016 of another application names no job: its own thread, counted apart, without reasons"},
		{"196ebec7", "processing", "none", nil, "status-encrypted", "an encrypted job with feedback whose status is sealed: processing, stalled, and nothing known that explains it"},
		{"1b48aa4b", "success", "none", nil, "", "a chained job: its input names two earlier jobs that are not here, so no thread leads on to it"},
		{"320e769d", "success", "none", nil, "no-customer", "feedback of 5305 names its job and nobody; the result asks for 0, which is no ask"},
		{"426e7002", "payment-required", "invoice-expired", []string{"invoice-expired"}, "amount-mismatch", "28,125 msat in the tag and 25,000 in the invoice: the tag stands; the request is not here"},
		{"5635e5dd", "success", "none", nil, "request-tag-hash", "the fixture of rust-nostr quotes a request under an id that is not its hash: linked by e all the same"},
		{"6fa1d4ca", "open", "none", []string{"encrypted-without-provider", "no-provider-for-kind"}, "encrypted-untagged", "the content is sealed though no tag says so, and no key is named"},
		{"72bcfb29", "open", "none", []string{"addressed-provider-silent", "addressed-provider-offline", "no-provider-for-kind", "malformed-input"}, "relay-as-tag-name", "a tag whose name is a relay is read as relays; the prompt stands in the content; its provider was never heard of"},
		{"7b094207", "success", "none", nil, "request-tag-python", "the request tag is Python; its id is its hash, so it proves the e"},
		{"84610264", "success", "none", nil, "author-not-addressed", "another than the addressed provider answered, which anybody may"},
		{"98db1c54", "success", "asked", nil, "request-tag-raw-id", "the result has no e: the bare id in its request tag links it. It asks for 100_000 at a lightning address; delivered first, so no reason"},
		{"a34008d2", "open", "none", []string{"no-provider-for-kind", "malformed-input"}, "no-input", "no tags and no content at all"},
		{"bf0ca16e", "success", "invoice-expired", nil, "", "the result came with its bill, which nobody paid while it could be: the payment says so, and there is no why as it was delivered"},
		{"c339128d", "payment-required", "asked", []string{"awaiting-payment"}, "relay-unreachable", "an amount without an invoice never expires"},
		{"e2947bcb", "partial", "asked", []string{"no-result-after-success", "awaiting-payment"}, "success-without-result", "success with the summary in the feedback, and a bill by lightning address: partial, as no result came"},
		{"f650ba80", "success", "none", nil, "amount-missing", "the result itself says payment-required in an s tag, without an amount: a result that is no error is success for good"},
		{"ff9657d5", "open", "none", []string{"addressed-provider-silent", "addressed-provider-offline", "no-provider-for-kind"}, "", "the provider answered another job three weeks before, and nothing since"},
	} {
		th, ok := byRoot[c.root]
		if !ok {
			t.Errorf("%s (%s): no such thread", c.root, c.why)
			continue
		}
		if th.State != c.state || th.Payment != c.payment || !slices.Equal(whyCodesOf(th), append([]string{}, c.codes...)) {
			t.Errorf("%s (%s): got %s, %s, %v; want %s, %s, %v", c.root, c.why, th.State, th.Payment, whyCodesOf(th), c.state, c.payment, c.codes)
		}
		found := c.finding == ""
		for i := range th.Events {
			found = found || noted(&th.Events[i], c.finding)
		}
		if !found {
			t.Errorf("%s (%s): no event has the finding %s", c.root, c.why, c.finding)
		}
	}
}

// TestThread_ForeignReceiptsChangeNothing: receipts and nutzaps that belong to no job leave facts and waiting rows alone.
func TestThread_ForeignReceiptsChangeNothing(t *testing.T) {
	r := newRig(t, nil)
	r.putReal(t, realEvents(t, "real-events.jsonl"))
	r.at.Store(lookedAt)
	look := func() (views []byte, rows map[string]string) {
		err := r.View(func(v store.Reader) error {
			handlers, err := r.x.Handlers(v, HandlerQuery{Limit: MaxLimit})
			if err != nil {
				return err
			}
			stats, err := r.x.Stats(v, StatsQuery{Since: 1, Until: lookedAt})
			if err != nil {
				return err
			}
			jobs, err := r.x.Threads(v, ThreadQuery{Limit: MaxLimit})
			if err != nil {
				return err
			}
			views, err = json.Marshal([]any{handlers, stats, jobs})
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		views = append(views, mustJSON(t, r.everyRoot(t))...)
		rows = r.dump(t)
		maps.DeleteFunc(rows, func(k, _ string) bool { return k[0] == keyWait })
		return views, rows
	}
	views, rows := look()
	receipts := 0
	for _, p := range realEvents(t, "real-zaps.jsonl") {
		if p.Event.Kind == nip90.KindZap {
			receipts++
		}
		if got := r.Put(t, p); got != store.Stored {
			t.Errorf("event %s of kind %d: got outcome %v, want it stored", p.ID, p.Event.Kind, got)
		}
	}
	if receipts != 161 {
		t.Errorf("got %d receipts, want 161", receipts)
	}
	viewsAfter, rowsAfter := look()
	if !bytes.Equal(viewsAfter, views) {
		t.Errorf("views differ: %s", firstDifference(indented(t, viewsAfter), indented(t, views)))
	}
	sameRows(t, rowsAfter, rows)
}

func indented(t testing.TB, b []byte) string {
	t.Helper()
	return string(bytes.ReplaceAll(b, []byte(`,"`), []byte(",\n\"")))
}

// TestShapes_UnlinkedAreCountedApart: answers that name no job are neither results nor feedback of any.
func TestShapes_UnlinkedAreCountedApart(t *testing.T) {
	job := request("alice", 0)
	r := newRig(t, nil)
	r.put(t, job, result("bob", 5, job.ID), event("eve", 6006, 6, "an app of its own"), event("eve", 6015, 7, "another"), event("eve", 7000, 8, "", tag("status", "processing")))
	err := r.View(func(v store.Reader) error {
		stats, err := r.x.Stats(v, StatsQuery{Since: epoch - 10, Until: epoch + 900, Now: epoch + 900})
		if stats.Requests != 1 || stats.Results != 1 || stats.Feedbacks != 0 || stats.Unlinked != 3 {
			t.Errorf("got %d requests, %d results, %d feedbacks, %d unlinked; want 1, 1, 0, 3", stats.Requests, stats.Results, stats.Feedbacks, stats.Unlinked)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if n := len(r.list(t, ThreadQuery{}).Items); n != 1 {
		t.Errorf("%d jobs are listed, want 1", n)
	}
}

// BenchmarkThread shows an ordinary open job with everything that could be a reason, among 2,000 announcements, and an
// ordinary answered one.
func BenchmarkThread(b *testing.B) {
	r := newRig(b, listening(&heard{urls: []string{"wss://watched.example"}, gaps: []Gap{{"wss://a.example", epoch, 0, "closed"}}}))
	for i := range 2000 {
		r.put(b, priced(storyName(i), "d", "Name", int64(i-5000), "5000"))
	}
	open := event("alice", 5999, 100, "", tag("i", "x", "text"), tag("bid", "10"), tag("p", key(storyName(7))), tag("relays", "wss://far.example"))
	done := request("alice", 0)
	asked := feedback("bob", 10, "payment-required", done.ID, tag("amount", "5000"))
	r.put(b, open, done, asked, nutzap("alice", "bob", 20, 5, "s", asked.ID), feedback("bob", 25, "processing", done.ID), result("bob", 40, done.ID))
	for i := range 40 {
		r.put(b, event("erin", 5999, int64(i), "", tag("i", "x", "text")))
	}
	for _, c := range []struct{ name, id string }{{"open", open.ID}, {"answered", done.ID}} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for range b.N {
				if _, ok := r.thread(b, c.id); !ok {
					b.Fatal("got no thread")
				}
			}
		})
	}
}

func storyName(i int) string { return fmt.Sprint("provider ", i) }

// TestThread_SameWhateverTheOrder: made-up traffic with everything odd in it gives the same threads, reasons included, in
// any order of arrival.
func TestThread_SameWhateverTheOrder(t *testing.T) {
	g := &traffic{rng: seeded(t)}
	g.make(250)
	var want string
	for order := range 3 {
		r := newRig(t, listening(&heard{urls: []string{"wss://watched.example"}, gaps: []Gap{{"wss://a.example", epoch + 3, epoch + 5, "closed"}}}))
		events := g.shuffled()
		if order == 0 {
			events = g.events
		}
		for _, e := range events {
			r.tell(t, epoch+1050, e)
		}
		r.settle(t)
		r.at.Store(epoch + 5000)
		got := mustJSON(t, r.everyRoot(t))
		if order == 0 {
			want = got
		}
		if got != want {
			t.Fatalf("order %d: %s", order, firstDifference(indented(t, []byte(got)), indented(t, []byte(want))))
		}
		r.Stop()
	}
}

// BenchmarkThreadCrowded shows a job with 500 providers that all ask; half of them were paid.
func BenchmarkThreadCrowded(b *testing.B) {
	r := newRig(b, nil)
	job := request("alice", 0, tag("bid", "10"))
	r.put(b, job)
	for i := range 500 {
		asked := feedback(storyName(i), 10, "payment-required", job.ID, tag("amount", "5000"))
		r.put(b, asked)
		if i%2 == 0 {
			r.put(b, nutzap("alice", storyName(i), 20, 4, storyName(i), asked.ID))
		}
	}
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		if _, ok := r.thread(b, job.ID); !ok {
			b.Fatal("got no thread")
		}
	}
}
