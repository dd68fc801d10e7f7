package index

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/nbd-wtf/go-nostr"
)

// served is an earlier job that bob answered: the kind is served, and bob was alive then.
func served(at int64) []nostr.Event {
	job := request("erin", at, tag("nonce", "served"))
	return []nostr.Event{job, result("bob", at+5, job.ID)}
}

func joined(lists ...[]nostr.Event) []nostr.Event { return slices.Concat(lists...) }

func alone(e nostr.Event) []nostr.Event { return []nostr.Event{e} }

// TestWhy_Stories tells one story for each code, alone where it can stand alone, and holds the whole thread to a file.
func TestWhy_Stories(t *testing.T) {
	job := request("alice", 0)
	toBob := request("alice", 0, tag("p", key("bob")))
	mortal := request("alice", 0, tag("expiration", at(60)))
	stillborn := request("alice", 0, tag("expiration", at(-1)))
	odd := event("alice", 5999, 0, "", tag("i", "paint a fox", "text"))
	bid := request("alice", 0, tag("bid", "3000"))
	bill := invoice(t, 5000, 10, 300, "")
	billed := feedback("bob", 10, "payment-required", job.ID, tag("amount", "5000", bill))
	asked := feedback("bob", 10, "payment-required", job.ID, tag("amount", "5000"))
	bragged := feedback("bob", 10, "success", job.ID)
	prose := event("alice", 5100, 0, "paint a fox", tag("input", "paint a fox"), tag("i", "", "text"))
	sealed := event("alice", 5100, 0, "QUJDREVGR0hJSktMTU5PUA==?iv=QUJDREVGR0hJSktMTU5PUA==", tag("encrypted"))
	spread := request("alice", 0, tag("relays", "wss://Watched.example:443/", "wss://this.example", "wss://far.example/|", "wss://far.example", "ws://10.0.0.7:4848", "rubbish"))
	painted := request("alice", 0, tag("nonce", "first"))
	framed := event("alice", 5100, 300, "", tag("i", painted.ID, "job"), tag("p", key("bob")))

	for _, s := range []story{
		// Nobody announces 5999 and of two earlier jobs of it none was answered. That dave serves 5100 helps nobody. The
		// job is young, and the reason is told at once: waiting will not change it.
		{
			name:   "no-provider-for-kind",
			events: []nostr.Event{event("erin", 5999, -900, "", tag("i", "x", "text")), event("erin", 5999, -800, "", tag("i", "y", "text")), announce("dave", "d", "Dave", -500, "5100"), odd},
			of:     3, look: 60, state: "open", payment: "none", codes: []string{"no-provider-for-kind"},
		},
		// The job addresses bob, who answered another job three minutes before and has said nothing for eleven minutes
		// since. He never beats, so a silence of minutes does not make him offline.
		{
			name: "addressed-provider-silent", events: joined(served(-180), alone(toBob)), of: 2, look: 660,
			state: "open", payment: "none", codes: []string{"addressed-provider-silent"},
		},
		// Bob beats, and the last beat is 20 minutes old when alice asks. A minute is too short to call him silent, but
		// not too short to say that he is likely offline. The announcement gives him his name.
		{
			name:   "addressed-provider-offline",
			events: joined(served(-3000), []nostr.Event{announce("bob", "fox", "Fox Painter", -2500, "5100"), beat("bob", -1200), toBob}), of: 4, look: 60,
			state: "open", payment: "none", codes: []string{"addressed-provider-offline"},
		},
		// Alice bids 3 sat and addresses nobody; bob announces 5 sat and dave 7. The reason names the lower price.
		{
			name: "bid-below-price", events: []nostr.Event{priced("bob", "fox", "Fox", -500, `5000`), priced("dave", "owl", "Owl", -400, `"7000"`), bid}, of: 2, look: 60,
			state: "open", payment: "none", codes: []string{"bid-below-price"},
		},
		// Bob asks 5 sat for the job that bids 3: what was seen, not what is likely. It is why alice does not pay.
		{
			name: "bid-below-price-asked", events: []nostr.Event{bid, feedback("bob", 10, "payment-required", bid.ID, tag("amount", "5000"))}, look: 60,
			state: "payment-required", payment: "asked", codes: []string{"awaiting-payment", "bid-below-price"},
		},
		// Bob wants 5 sat by an invoice that lives for 300 s; 200 s are gone and nothing is claimed.
		{
			name: "awaiting-payment", events: []nostr.Event{job, billed}, look: 210,
			state: "payment-required", payment: "asked", codes: []string{"awaiting-payment"},
		},
		// The same at the second in which the invoice expires: it cannot be paid any more.
		{
			name: "invoice-expired", events: []nostr.Event{job, billed}, look: 310,
			state: "payment-required", payment: "invoice-expired", codes: []string{"invoice-expired"},
		},
		// Alice's nutzap of 5 sat names bob's price; ten minutes later he has given nothing, though he beats.
		{
			name: "paid-no-result", events: []nostr.Event{job, asked, nutzap("alice", "bob", 20, 5, "s", asked.ID), beat("bob", 500)}, look: 620,
			state: "payment-required", payment: "undelivered", codes: []string{"paid-no-result"},
		},
		// Alice paid 4 sat where 5 were asked. Bob may wait for the fifth; nobody has been silent for long yet.
		{
			name: "wrong-amount", events: []nostr.Event{job, asked, nutzap("alice", "bob", 20, 4, "s", asked.ID)}, look: 60,
			state: "payment-required", payment: "mismatch", codes: []string{"wrong-amount"},
		},
		// Bob said success, and a minute later there is no result. The state stays processing: a word is no result.
		{
			name: "no-result-after-success", events: []nostr.Event{job, bragged}, look: 70,
			state: "processing", payment: "none", codes: []string{"no-result-after-success"},
		},
		// The request expired a second before it was made, as one verified event did. It came by import: a fact without a
		// body, so there is no summary. Only the birth is told, not that nobody answered in time as well.
		{
			name: "born-expired", events: joined(served(-180), alone(stillborn)), of: 2, look: 700,
			state: "expired", payment: "none", codes: []string{"born-expired"},
		},
		// The request lived for a minute, which nobody used.
		{
			name: "expired-unanswered", events: joined(served(-180), alone(mortal)), of: 2, look: 700,
			state: "expired", payment: "none", codes: []string{"expired-unanswered"},
		},
		// The prompt stands in an input tag, and the i tag is empty: each is named by the code of its finding.
		{
			name: "malformed-input", events: joined(served(-180), alone(prose)), of: 2, look: 60,
			state: "open", payment: "none", codes: []string{"malformed-input"},
		},
		// Encrypted, but for whom? What is inside is not linted and not shown.
		{
			name: "encrypted-without-provider", events: joined(served(-180), alone(sealed)), of: 2, look: 60,
			state: "open", payment: "none", codes: []string{"encrypted-without-provider"},
		},
		// Of four gaps two touch the time between the request and now: one that had begun before it, and one that lasts.
		// The first ended when the job was asked, and the last begins when it is looked at: they explain nothing.
		{
			name:    "upstream-gap",
			options: listening(&heard{urls: []string{"wss://a.example", "self"}, gaps: []Gap{{"wss://a.example", epoch - 90, epoch, "closed"}, {"wss://a.example", epoch - 10, epoch + 20, "closed"}, {"self", epoch + 50, 0, "stopped"}, {"wss://a.example", epoch + 60, epoch + 99, "closed"}}}),
			events:  joined(served(-180), alone(job)), of: 2, look: 60,
			state: "open", payment: "none", codes: []string{"upstream-gap"},
		},
		// Of the relays that the job names one is watched, written otherwise, and one is this relay. far.example is told
		// once though it stands there twice, the machine in the customer's own network as well, and rubbish is overlooked.
		{
			name: "asks-on-unwatched-relay", options: listening(&heard{urls: []string{"wss://watched.example", "self"}}), events: joined(served(-180), alone(spread)), of: 2, look: 60,
			state: "open", payment: "none", codes: []string{"asks-on-unwatched-relay"},
		},
		// Bob finished a job whose input is the outcome of this one, so there must be one, only not here.
		{
			name: "answered-elsewhere-possible", events: joined(served(-180), []nostr.Event{painted, framed, result("bob", 310, framed.ID)}), of: 2, look: 400,
			state: "open", payment: "none", codes: []string{"answered-elsewhere-possible"},
		},
	} {
		t.Run(s.name, s.run)
	}
}

// TestWhy_NotSaid holds what is no reason, next to what is.
func TestWhy_NotSaid(t *testing.T) {
	job := request("alice", 0, tag("nonce", "not"))
	toBob := request("alice", 0, tag("p", key("bob")))
	asked := feedback("bob", 10, "payment-required", job.ID, tag("amount", "5000"))
	bid := request("alice", 0, tag("bid", "3000"))
	toBobBid := request("alice", 0, tag("bid", "3000"), tag("p", key("bob")))
	mortal := request("alice", 0, tag("expiration", at(60)))
	empty := event("alice", 5100, 0, "")
	sealed := event("alice", 5100, 0, "QUJDREVGR0hJSktMTU5PUA==?iv=QUJDREVGR0hJSktMTU5PUA==", tag("encrypted"))
	far := request("alice", 0, tag("relays", "wss://far.example"))
	gap := listening(&heard{gaps: []Gap{{"wss://a.example", epoch, epoch + 30, "closed"}}})
	painted := request("alice", 0, tag("nonce", "first"))
	framed := event("alice", 5100, 300, "", tag("i", painted.ID, "job"))
	cancel := func(of nostr.Event) nostr.Event { return event("alice", 5, 40, "", tag("e", of.ID)) }
	for _, c := range []struct {
		name    string
		options func(*Options)
		events  []nostr.Event
		of      int
		look    int64
		want    []string
	}{
		{"an answered job", gap, joined(served(-90), []nostr.Event{far, result("bob", 20, far.ID)}), 2, 9000, nil},
		{"a job of the kind was answered, though nobody announces it", nil, joined(served(-90), alone(job)), 2, 9000, nil},
		{"somebody announces it, though nobody ever answered", nil, []nostr.Event{announce("bob", "x", "X", -10, "5100"), job}, 1, 9000, nil},
		{"a young job to a living provider", nil, joined(served(-90), alone(toBob)), 2, 600, nil},
		{"an addressed provider at work", nil, []nostr.Event{toBob, feedback("bob", 10, "processing", toBob.ID)}, 0, 300, nil},
		{"an addressed provider that was never heard of", nil, []nostr.Event{announce("dave", "x", "X", -10, "5100"), toBob}, 1, 60, []string{"addressed-provider-offline"}},
		{"an addressed provider beats", nil, joined(served(-90), []nostr.Event{beat("bob", -100), toBob, beat("bob", 600)}), 3, 700, []string{"addressed-provider-silent", "answered-elsewhere-possible"}},
		{"a beat of the future is none", nil, joined(served(-90), []nostr.Event{toBob, beat("bob", 90_000)}), 2, 60, nil},
		{"a provider that beats again weeks later", nil, joined(served(-90), []nostr.Event{toBob, beat("bob", 1_000_000)}), 2, 1_000_100, []string{"addressed-provider-silent"}},
		{"silent until it expired", nil, joined(served(-90), alone(request("alice", 0, tag("p", key("bob")), tag("expiration", at(60))))), 2, 70, []string{"expired-unanswered", "addressed-provider-silent"}},
		{"cancelled while silent", nil, joined(served(-90), []nostr.Event{toBob, cancel(toBob)}), 2, 9000, nil},
		{"cancelled while it waits for payment", nil, []nostr.Event{job, asked, cancel(job)}, 0, 60, nil},
		{"cancelled after payment, undelivered", nil, []nostr.Event{job, asked, nutzap("alice", "bob", 15, 5, "s", asked.ID), cancel(job)}, 0, 9000, []string{"paid-no-result"}},
		{"paid one, delivered by another", nil, []nostr.Event{job, asked, nutzap("alice", "bob", 15, 5, "s", asked.ID), result("carol", 20, job.ID)}, 0, 9000, []string{"paid-no-result"}},
		{"delivered, and asked for more later", nil, []nostr.Event{job, result("carol", 5, job.ID), asked}, 0, 9000, nil},
		{"paid less, delivered all the same", nil, []nostr.Event{job, asked, nutzap("alice", "bob", 15, 4, "s", asked.ID), result("bob", 20, job.ID)}, 0, 9000, []string{"wrong-amount"}},
		{"paid less, paid back", nil, []nostr.Event{job, asked, nutzap("alice", "bob", 15, 4, "s", asked.ID), nutzap("bob", "alice", 20, 4, "r", job.ID)}, 0, 9000, nil},
		{"a tip nobody asked for", nil, []nostr.Event{job, result("bob", 5, job.ID), nutzap("alice", "bob", 15, 4, "s", job.ID)}, 0, 9000, nil},
		{"a price, then work", nil, []nostr.Event{job, asked, feedback("bob", 20, "processing", job.ID)}, 0, 30, nil},
		{"a price without a number", nil, []nostr.Event{job, feedback("bob", 10, "payment-required", job.ID)}, 0, 30, []string{"awaiting-payment"}},
		{"success a moment ago", nil, []nostr.Event{job, feedback("bob", 10, "success", job.ID)}, 0, 69, nil},
		{"success with what was asked for in it", nil, []nostr.Event{job, event("bob", 7000, 10, "a fox", tag("status", "success"), tag("e", job.ID))}, 0, 70, []string{"no-result-after-success"}},
		{"success, then an error", nil, []nostr.Event{job, feedback("bob", 10, "success", job.ID), feedback("bob", 20, "error", job.ID)}, 0, 90, nil},
		{"a bid, and a free provider", nil, []nostr.Event{priced("bob", "a", "A", -9, `5000`), priced("dave", "b", "B", -9, `"free"`), bid}, 2, 60, nil},
		{"a bid, and one that tells no price", nil, []nostr.Event{priced("bob", "a", "A", -9, `5000`), announce("dave", "b", "B", -9, "5100"), bid}, 2, 60, nil},
		{"a bid as high as the price", nil, []nostr.Event{priced("bob", "a", "A", -9, `3000`), bid}, 1, 60, nil},
		{"a bid for a dear provider that is addressed, though others are cheap", nil, []nostr.Event{priced("bob", "a", "A", -9, `5000`), priced("dave", "b", "B", -9, `1000`), toBobBid}, 2, 60, []string{"bid-below-price"}},
		{"a low bid that was raised by paying", nil, []nostr.Event{bid, feedback("bob", 10, "payment-required", bid.ID, tag("amount", "5000")), nutzap("alice", "bob", 15, 5, "s", bid.ID)}, 0, 30, nil},
		{"a second, higher number in the bid", nil, []nostr.Event{priced("bob", "a", "A", -9, `5000`), request("alice", 0, tag("bid", "3000", "5000"))}, 1, 60, nil},
		{"expired with an answer", nil, []nostr.Event{mortal, feedback("bob", 10, "processing", mortal.ID)}, 0, 90, nil},
		{"expired with a pong only", nil, joined(served(-90), []nostr.Event{mortal, feedback("bob", 10, "pong", mortal.ID)}), 2, 90, []string{"expired-unanswered"}},
		{"odd input that somebody works on", nil, []nostr.Event{empty, feedback("bob", 10, "processing", empty.ID)}, 0, 60, nil},
		{"odd input that somebody failed on", nil, []nostr.Event{empty, feedback("bob", 10, "error", empty.ID)}, 0, 60, []string{"malformed-input"}},
		{"encrypted for nobody, and somebody works on it", nil, []nostr.Event{sealed, feedback("bob", 10, "processing", sealed.ID)}, 0, 60, nil},
		{"unwatched relays, and nothing is known of listening", nil, joined(served(-90), alone(far)), 2, 60, nil},
		{"a gap after the job expired", listening(&heard{gaps: []Gap{{"wss://a.example", epoch + 61, epoch + 90, "closed"}}}), joined(served(-90), alone(mortal)), 2, 99, []string{"expired-unanswered"}},
		{"a gap weeks later", listening(&heard{gaps: []Gap{{"wss://a.example", epoch + 999_000, epoch + 999_999, "closed"}}}), joined(served(-90), alone(job)), 2, 2_000_000, nil},
		{"a chain that was asked at once", nil, joined(served(-90), []nostr.Event{painted, framed}), 2, 400, nil},
		{"a provider that once beat, and answered an hour ago", nil, joined(alone(beat("bob", -900_000)), served(-3600), alone(toBob)), 3, 60, nil},
		{"a sample that comes with a price", nil, []nostr.Event{job, event("bob", 7000, 10, "half a fox", tag("status", "partial"), tag("e", job.ID), tag("amount", "5000"))}, 0, 60, []string{"awaiting-payment"}},
		{"work that comes with a price", nil, []nostr.Event{job, feedback("bob", 10, "processing", job.ID, tag("amount", "5000"))}, 0, 60, nil},
		{"paid somebody who said nothing here", nil, joined(served(-90), []nostr.Event{job, nutzap("alice", "dave", 15, 4, "s", job.ID)}), 2, 60, []string{"answered-elsewhere-possible"}},
		{"a payment while the job is not here", nil, []nostr.Event{asked}, 0, 60, []string{"awaiting-payment"}},
		{"an answer that names no job", nil, []nostr.Event{event("bob", 7000, 10, "", tag("status", "payment-required"), tag("amount", "5000"))}, 0, 60, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := story{options: c.options, events: c.events, of: c.of, look: c.look}
			th := s.play(t)
			if got := whyCodesOf(th); !slices.Equal(got, append([]string{}, c.want...)) {
				t.Errorf("got %v, want %v\n%s", got, c.want, mustJSON(t, th.Why))
			}
		})
	}
}

// TestWhy_CameAfterExpiration: a request that import brought after it had expired says so.
func TestWhy_CameAfterExpiration(t *testing.T) {
	s := story{events: joined(served(-90), alone(request("alice", 0, tag("expiration", at(60))))), late: map[int]int64{2: 500}, of: 2, look: 600}
	th := s.play(t)
	if got, want := whyCodesOf(th), []string{"expired-unanswered", "answered-elsewhere-possible"}; !slices.Equal(got, want) {
		t.Fatalf("got %v, want %v", got, want)
	}
	if e := th.Why[1].Evidence; len(e) != 1 || e[0].What != "came-after-expiration" || e[0].At != epoch+500 {
		t.Errorf("evidence: got %+v", e)
	}
}

// TestWhy_IsBounded: with hundreds of providers each code is told a few times, and how many others there are.
func TestWhy_IsBounded(t *testing.T) {
	var people []string
	for i := range 40 {
		people = append(people, key(fmt.Sprint("silent", i)))
	}
	tags := []nostr.Tag{tag("bid", "10")}
	for _, p := range people {
		tags = append(tags, tag("p", p))
	}
	job := request("alice", 0, tags...)
	r := newRig(t, nil)
	r.put(t, job)
	for i := range 100 {
		r.put(t, feedback(fmt.Sprint("p", i), 10, "payment-required", job.ID, tag("amount", "5000")))
	}
	th, _ := r.thread(t, job.ID)
	counts := map[string]int{}
	for _, y := range th.Why {
		counts[y.Code]++
		if len(y.Evidence) > whyEvidence || len(y.Evidence) == 0 || y.Text == "" {
			t.Errorf("%s: %d pieces of evidence", y.Code, len(y.Evidence))
		}
	}
	for _, y := range th.Why {
		if want := map[string]int64{"awaiting-payment": 96, "bid-below-price": 96, "addressed-provider-silent": 36}[y.Code]; y.Evidence[0].What == "others" && y.Evidence[0].Count != want {
			t.Errorf("%s: %d others, want %d", y.Code, y.Evidence[0].Count, want)
		}
	}
	for code, n := range counts {
		if n > whyPerCode+1 {
			t.Errorf("%s is told %d times, want at most %d", code, n, whyPerCode+1)
		}
	}
	if counts["awaiting-payment"] != whyPerCode+1 || counts["addressed-provider-silent"] != whyPerCode+1 || len(th.Why) > 25 {
		t.Errorf("got %v", counts)
	}
}

// TestWhy_AbsentInLists: a list gives neither events nor reasons; a thread gives reasons even when there are none.
func TestWhy_AbsentInLists(t *testing.T) {
	job := request("alice", 0)
	r := newRig(t, nil)
	r.put(t, job, result("bob", 5, job.ID))
	th, _ := r.thread(t, job.ID)
	if text := mustJSON(t, th); !strings.Contains(text, `"why":[]`) {
		t.Errorf("a thread without reasons says %s", text)
	}
	if text := mustJSON(t, r.list(t, ThreadQuery{}).Items[0]); strings.Contains(text, `"why"`) || strings.Contains(text, `"events"`) {
		t.Errorf("a list says %s", text)
	}
}

// TestWhy_TextsKeepToTheirForm: what is observed says so with a time; what is concluded says likely.
func TestWhy_TextsKeepToTheirForm(t *testing.T) {
	files, err := os.ReadDir("testdata/threads")
	if err != nil {
		t.Fatal(err)
	}
	text := regexp.MustCompile(`(?m)^ +"code": "([a-z-]+)",\n +"text": "([A-Z].*)",?\n +"(?:subject|evidence)"`)
	seen := map[string]bool{}
	for _, f := range files {
		b, err := os.ReadFile("testdata/threads/" + f.Name())
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range text.FindAllStringSubmatch(string(b), -1) {
			seen[m[1]] = true
			if !strings.HasPrefix(m[2], likely) && !(strings.HasPrefix(m[2], observed) && strings.Contains(m[2], " UTC")) {
				t.Errorf("%s: %s: %q is neither observed at a time nor likely", f.Name(), m[1], m[2])
			}
		}
	}
	for _, code := range WhyCodes() {
		if !seen[code] {
			t.Errorf("no golden thread has the reason %s", code)
		}
	}
}

// TestWhy_PageForPeopleHasEveryCode holds docs/WHY.md to the codes: each has its section, in order, with its three parts.
func TestWhy_PageForPeopleHasEveryCode(t *testing.T) {
	b, err := os.ReadFile("../docs/WHY.md")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, section := range strings.Split(string(b), "\n### ")[1:] {
		code, body, _ := strings.Cut(section, "\n")
		got = append(got, strings.Trim(code, "`"))
		for _, part := range []string{"**Said when**", "**Means**", "**Do**"} {
			if strings.Count(body, part) != 1 {
				t.Errorf("%s: the page has %d times %s, want once", code, strings.Count(body, part), part)
			}
		}
	}
	if !slices.Equal(got, WhyCodes()) {
		t.Errorf("the page explains %v, want %v", got, WhyCodes())
	}
}

func TestNormalRelay(t *testing.T) {
	for _, c := range []struct {
		name, in, want string
	}{
		{"as it should be", "wss://a.example", "wss://a.example"},
		{"a slash", "wss://a.example/", "wss://a.example"},
		{"slashes", "wss://a.example//", "wss://a.example"},
		{"capitals", "WSS://A.Example", "wss://a.example"},
		{"its default port", "wss://a.example:443/", "wss://a.example"},
		{"the default port of ws", "ws://a.example:80", "ws://a.example"},
		{"another port", "wss://a.example:8443", "wss://a.example:8443"},
		{"a port that is the other's default", "ws://a.example:443", "ws://a.example:443"},
		{"a bar at its end", "wss://relay.primal.net/|", "wss://relay.primal.net"},
		{"spaces and a comma", " wss://a.example , ", "wss://a.example"},
		{"a path keeps its case", "wss://a.example/Inbox/", "wss://a.example/Inbox"},
		{"a query", "wss://a.example/?x=1", "wss://a.example?x=1"},
		{"a dot at the end of its name", "wss://a.example./", "wss://a.example"},
		{"an address", "ws://[::1]:7777", "ws://[::1]:7777"},
		{"an address with the default port", "wss://[::1]:443", "wss://[::1]"},
		{"written for a browser", "https://a.example/", "wss://a.example"},
		{"no scheme", "a.example", ""},
		{"no host", "wss://", ""},
		{"self", "self", ""},
		{"not a relay", "mailto:a@b.example", ""},
		{"a bar inside", "wss://a.example|wss://b.example", ""},
		{"too long", "wss://" + strings.Repeat("a", 600), ""},
		{"nothing", "", ""},
	} {
		got, ok := normalRelay(c.in)
		if got != c.want || ok != (c.want != "") {
			t.Errorf("%s: %q: got %q, %t; want %q", c.name, c.in, got, ok, c.want)
		}
	}
}
