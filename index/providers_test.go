package index

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"dvmrelay/store"

	"github.com/nbd-wtf/go-nostr"
)

func (r *rig) provider(t testing.TB, name string) (ProviderDetail, bool) {
	t.Helper()
	found := false
	d := view(t, r, func(v store.Reader) (d ProviderDetail, err error) {
		d, found, err = r.x.Provider(v, pub(t, name))
		return d, err
	})
	return d, found
}

func TestProvider_IsMeasured(t *testing.T) {
	r := newRig(t, nil)
	market(t, r)
	r.put(t, nutzap("alice", "bob", 160, 2, "s1", result("bob", 150, request("alice", 100, tag("nonce", "0")).ID).ID),
		event("bob", 0, 1, `{"name":"Bob","nip05":"bob@x.example"}`), event("bob", 10002, 1, "", tag("r", "wss://one.example")))
	d, ok := r.provider(t, "bob")
	if !ok {
		t.Fatal("got no provider")
	}
	m := d.Measured
	// Eligible: four that name nobody and one that names it; not the one that names another.
	if m.Eligible != 5 || m.Addressed != 1 || m.Answered != 4 || m.Results != 3 || m.Errors != 1 || m.First != 2 || *m.AnswerRate != 0.8 {
		t.Errorf("measured %+v (rate %v)", *m, *m.AnswerRate)
	}
	if m.AskedMsat != 2000 || m.ClaimedMsat != 2000 || m.PaidJobs != 1 || m.Undelivered != 0 || m.PriceMsat == nil || m.PriceMsat.Count != 1 ||
		m.FirstFeedbackMs == nil || m.FirstResultMs == nil || m.FirstResultMs.Count != 3 {
		t.Errorf("money and time: %+v", *m)
	}
	if d.Name != "Bob" || d.Nip05 != "bob@x.example" || !strings.HasPrefix(d.Npub, "npub1") || !slices.Equal(d.Kinds, []int{5100}) ||
		len(d.Handlers) != 1 || d.FirstSeen != epoch+10 || d.LastAnswerAt != epoch+190 || d.LastSeen != epoch+190 || d.Online ||
		!slices.Equal(d.Relays, []string{"wss://one.example"}) || len(d.ByKind) != 1 || d.ByKind[0].Measured.Answered != 4 {
		t.Errorf("got %s", mustJSON(t, d))
	}
	if _, ok := r.provider(t, "alice"); ok {
		t.Error("a customer is shown as a provider")
	}
	e, _ := r.provider(t, "dave")
	if e.Measured.Eligible != 4 || e.Measured.Answered != 0 || *e.Measured.AnswerRate != 0 || e.Measured.FirstResultMs != nil {
		t.Errorf("one that never answers: %+v", *e.Measured)
	}
	if b, _ := r.provider(t, "erin"); b.Measured.AnswerRate != nil || !b.Online {
		t.Errorf("one that nobody asked: %+v, online %t, want no rate", *b.Measured, b.Online)
	}
}

func TestMeasured_BeginsWhenTheProviderWasFirstSeen(t *testing.T) {
	r := newRig(t, nil)
	r.put(t, request("alice", 10), request("alice", 20), announce("bob", "fox", "Fox", 30, "5100"), request("alice", 40), request("alice", 50))
	if d, _ := r.provider(t, "bob"); d.Measured.Eligible != 2 || d.FirstSeen != epoch+30 {
		t.Errorf("announced after two of four: eligible %d, first seen %d, want 2, 30", d.Measured.Eligible, d.FirstSeen-epoch)
	}
	r.put(t, feedback("bob", 60, "processing", request("alice", 20).ID))
	if d, _ := r.provider(t, "bob"); d.Measured.Eligible != 3 || d.Measured.Answered != 1 || d.FirstSeen != epoch+20 {
		t.Errorf("after it answered an older job: eligible %d, first seen %d, want 3, 20", d.Measured.Eligible, d.FirstSeen-epoch)
	}
}

func TestMeasured_TellsTheServicesOfAKeyApart(t *testing.T) {
	r := newRig(t, nil)
	music := event("alice", 5250, 100, "", tag("i", "sing", "text"))
	r.put(t, announce("bob", "fox", "Fox", 1, "5100"), announce("bob", "owl", "Owl", 2, "5250"), announce("bob", "all", "All", 3, "5100", "5250"),
		request("alice", 101), request("alice", 102), music, result("bob", 110, request("alice", 101).ID), event("bob", 6250, 111, "la", tag("e", music.ID)))
	for d, want := range map[string][2]int64{"fox": {1, 2}, "owl": {1, 1}, "all": {2, 3}} {
		h, _ := r.handler(t, "bob", d)
		if got := [2]int64{h.Measured.Answered, h.Measured.Eligible}; got != want {
			t.Errorf("%s: answered and eligible %v, want %v", d, got, want)
		}
	}
	page := view(t, r, func(v store.Reader) (HandlerPage, error) { return r.x.Handlers(v, HandlerQuery{Sort: SortName}) })
	for i, want := range []int64{3, 2, 1} {
		if got := page.Items[i].Measured.Eligible; got != want {
			t.Errorf("in the list %s: eligible %d, want %d", page.Items[i].Name, got, want)
		}
	}
	d, _ := r.provider(t, "bob")
	if len(d.ByKind) != 2 || d.ByKind[0].Measured.Answered != 1 || d.ByKind[0].Kind == d.ByKind[1].Kind {
		t.Errorf("by kind: %s", mustJSON(t, d.ByKind))
	}
	one := view(t, r, func(v store.Reader) (m Measured, err error) {
		m, _, err = r.x.Measured(v, pub(t, "bob"), 5250, 0, 0)
		return m, err
	})
	if one.Eligible != 1 || one.Answered != 1 {
		t.Errorf("of one kind: %+v", one)
	}
}

// TestTable_NoticesWhatChanges has enough providers for the table to be kept.
func TestTable_NoticesWhatChanges(t *testing.T) {
	r := newRig(t, nil)
	market(t, r)
	for i := range fewProviders {
		r.put(t, announce(fmt.Sprint("p", i), "x", fmt.Sprint("n", i), 1, "5999"))
	}
	answered := func(name string) [3]int64 {
		t.Helper()
		page := view(t, r, func(v store.Reader) (ProviderPage, error) { return r.x.ProviderPage(v, ProviderQuery{}) })
		for _, p := range page.Items {
			if p.PubKey == key(name) {
				return [3]int64{p.Measured.Answered, p.Measured.Addressed, p.Measured.Eligible}
			}
		}
		t.Fatalf("%s is not listed", name)
		return [3]int64{}
	}
	step := func(what, name string, want [3]int64) {
		t.Helper()
		if got := answered(name); got != want {
			t.Errorf("%s: answered, addressed, eligible %v, want %v", what, got, want)
		}
	}
	step("at first", "bob", [3]int64{4, 1, 5})
	next := request("alice", 500)
	r.put(t, next, result("bob", 501, next.ID))
	step("at once", "bob", [3]int64{4, 1, 5})
	r.at.Add(tableSeconds + 1)
	step("after a while", "bob", [3]int64{5, 1, 6})
	r.put(t, request("alice", 600, tag("p", key("dave"))))
	r.at.Add(tableSeconds + 1)
	step("asked by name for the first time", "dave", [3]int64{0, 1, 6})
	var jobs []nostr.Event
	for i := range int64(recentJobs + 1) {
		jobs = append(jobs, request("alice", 700+i))
		r.put(t, jobs[i], feedback("bob", 800, "processing", jobs[i].ID))
	}
	r.at.Add(tableSeconds + 1)
	step("many more", "bob", [3]int64{14, 1, 15})
	r.put(t, feedback("bob", 900, "error", jobs[0].ID))
	if alone, _ := r.provider(t, "bob"); alone.Measured.Errors != 2 || alone.Measured.Answered != 14 || alone.Measured.Eligible != 15 {
		t.Errorf("alone, at once: %+v", alone.Measured)
	}
	r.at.Add(believedFor + 1)
	page := view(t, r, func(v store.Reader) (ProviderPage, error) { return r.x.ProviderPage(v, ProviderQuery{Q: key("bob")}) })
	if got := page.Items[0].Measured.Errors; got != 2 {
		t.Errorf("an old job failed five minutes ago: %d errors, want 2", got)
	}
}

// TestTable_ManyMayAsk is for the race detector.
func TestTable_ManyMayAsk(t *testing.T) {
	r := newRig(t, nil)
	market(t, r)
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			for n := range 10 {
				err := r.View(func(v store.Reader) error {
					_, err := r.x.Handlers(v, HandlerQuery{Sort: HandlerSorts()[(i+n)%len(HandlerSorts())], Now: epoch + 1000 + int64(20*n)})
					return err
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	for n := range int64(10) {
		r.put(t, announce("zoe", fmt.Sprint(n), "Zoe", n, "5100"))
	}
	group.Wait()
}

func TestProviderPage_ListsAndPages(t *testing.T) {
	r := newRig(t, nil)
	market(t, r)
	r.put(t, feedback("gus", 300, "processing", request("alice", 100, tag("nonce", "0")).ID))
	names := func(q ProviderQuery) (out []string) {
		for {
			page := view(t, r, func(v store.Reader) (ProviderPage, error) { return r.x.ProviderPage(v, q) })
			for _, p := range page.Items {
				if p.Rank == nil {
					t.Errorf("%s has no rank", p.Name)
				}
				name := p.Name
				if p.PubKey == key("gus") {
					name = "gus"
				}
				out = append(out, name)
			}
			if q.Cursor = page.Next; q.Cursor == "" {
				return out
			}
		}
	}
	yes := true
	cases := []struct {
		name string
		q    ProviderQuery
		want []string
	}{
		{"newest first", ProviderQuery{}, []string{"gus", "Bee", "Elk", "Owl", "Fox"}},
		{"in pages", ProviderQuery{Limit: 2}, []string{"gus", "Bee", "Elk", "Owl", "Fox"}},
		{"last seen first", ProviderQuery{Sort: SortSeen, Limit: 2}, []string{"Bee", "gus", "Fox", "Owl", "Elk"}},
		{"by kind", ProviderQuery{Kind: 5300}, []string{"Bee"}},
		{"online", ProviderQuery{Online: &yes}, []string{"Bee"}},
		{"by words", ProviderQuery{Q: "about ow"}, []string{"Owl"}},
		{"by answer rate", ProviderQuery{Sort: SortAnswerRate, Kind: 5100, Limit: 2}, []string{"Fox", "Owl", "gus", "Elk"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if got := names(c.q); !slices.Equal(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

func TestCheckup_SaysWhatIsMissing(t *testing.T) {
	state := func(t *testing.T, r *rig, name string) map[string]string {
		t.Helper()
		c := view(t, r, func(v store.Reader) (Checkup, error) {
			c, ok, err := r.x.Checkup(v, pub(t, name))
			if !ok {
				t.Errorf("%s: no checkup", name)
			}
			return c, err
		})
		out := make(map[string]string)
		for _, i := range c.Items {
			if i.Text == "" || i.Evidence == nil || out[i.Code] != "" {
				t.Errorf("item %+v: want a text, evidence that is a list, and each code once", i)
			}
			out[i.Code] = i.State
		}
		return out
	}
	job := func(at int64, relay string) nostr.Event {
		return event("alice", 5300, at, "", tag("relays", relay), tag("nonce", relay))
	}
	r := newRig(t, nil)
	r.put(t,
		event("bob", 31990, 1, `{"name":"Fox","lud16":"fox@x.example","amount":"free"}`, tag("d", "fox"), tag("k", "5300")),
		event("bob", 0, 1, `{"name":"Bob"}`), event("bob", 10002, 1, "", tag("r", "wss://One.example/")), event("bob", 11998, 900, "", tag("d", "fox")),
		job(100, "wss://one.example"), event("bob", 6300, 110, "[]", tag("e", job(100, "wss://one.example").ID)),
		event("carol", 31990, 1, "not JSON", tag("k", "5300"), tag("k", "many")),
		event("erin", 31990, 1, `{"name":"Bee","subscription":true}`, tag("d", "bee"), tag("k", "5300")),
		event("dave", 31990, 1, `{"name":"Elk"}`, tag("d", "elk"), tag("k", "1")), feedback("gus", 120, "processing", job(100, "wss://one.example").ID))
	for name, want := range map[string]map[string]string{
		"erin": {"found-by-amethyst": "warn", "found-by-noogle": "ok"},
		"dave": {"kinds": "fail", "found-by-noogle": "unknown"},
		"gus":  {"announced": "fail", "kinds": "unknown", "found-by-amethyst": "fail", "answers": "ok", "errors": "unknown"},
	} {
		got := state(t, r, name)
		for code, w := range want {
			if got[code] != w {
				t.Errorf("%s, %s: got %q, want %q", name, code, got[code], w)
			}
		}
	}
	good := state(t, r, "bob")
	for code, want := range map[string]string{
		"announced": "ok", "announced-where": "unknown", "content-json": "ok", "kinds": "ok", "d-tag": "ok", "price": "ok", "profile": "ok",
		"lud16": "ok", "relay-list": "ok", "heartbeat": "ok", "found-by-amethyst": "ok", "found-by-noogle": "ok",
		"found-by-openagents": "unknown", "listens-where-asked": "ok", "results-on-several-upstreams": "unknown", "answers": "ok",
		"delivers-when-paid": "unknown", "errors": "ok",
	} {
		if good[code] != want {
			t.Errorf("bob, %s: got %q, want %q", code, good[code], want)
		}
	}
	bad := state(t, r, "carol")
	for code, want := range map[string]string{
		"announced": "ok", "content-json": "fail", "kinds": "warn", "d-tag": "fail", "price": "warn", "profile": "warn", "lud16": "warn",
		"relay-list": "warn", "heartbeat": "warn", "found-by-amethyst": "ok", "listens-where-asked": "unknown", "answers": "warn",
	} {
		if bad[code] != want {
			t.Errorf("carol, %s: got %q, want %q", code, bad[code], want)
		}
	}
	for i := range int64(30) {
		r.put(t, announce("p"+string(rune('a'+i)), "x", "X", 500+i, "5300"), job(200+i, "wss://else"+string(rune('a'+i))+".example"))
	}
	r.at.Store(epoch + 5000)
	worse := state(t, r, "bob")
	if worse["found-by-amethyst"] != "warn" || worse["found-by-noogle"] != "ok" || worse["heartbeat"] != "fail" || worse["answers"] != "warn" {
		t.Errorf("behind 30 newer announcements: %v", worse)
	}
	r.put(t, event("bob", 10002, 2, "", tag("r", "wss://nowhere.example")))
	if got := state(t, r, "bob")["listens-where-asked"]; got != "fail" {
		t.Errorf("listening where nobody asks: got %s, want fail", got)
	}
	r.put(t, job(600, "wss://big.example"), nutzap("alice", "bob", 700, 2, "s", job(600, "wss://big.example").ID))
	if got := state(t, r, "bob")["delivers-when-paid"]; got != "fail" {
		t.Errorf("paid and nothing sent: got %s, want fail", got)
	}
}

func TestUp(t *testing.T) {
	fox := announce("bob", "fox", "Fox", 0, "5100")
	job := request("alice", 10)
	beat := func(at int64) nostr.Event { return event("bob", 11998, at, "", tag("d", "fox")) }
	cases := []struct {
		name   string
		events []nostr.Event
		now    int64
		up     bool
		code   string
	}{
		{"a fresh heartbeat", []nostr.Event{beat(100)}, 1000, true, "heartbeat"},
		{"a heartbeat a second too old", []nostr.Event{beat(100)}, 1001, false, "heartbeat-old"},
		{"an answer within 15 min", []nostr.Event{job, feedback("bob", 20, "processing", job.ID)}, 920, true, "answered"},
		{"an answer a second too old", []nostr.Event{job, feedback("bob", 20, "processing", job.ID)}, 921, false, "silent"},
		{"announced, never beats, answered today", []nostr.Event{fox, job, feedback("bob", 20, "processing", job.ID)}, 86000, true, "announced-and-answered"},
		{"announced, answered two days ago", []nostr.Event{fox, job, feedback("bob", 20, "processing", job.ID)}, 180000, false, "silent"},
		{"announced, once beat, answered today", []nostr.Event{fox, beat(5), job, feedback("bob", 20, "processing", job.ID)}, 86000, false, "heartbeat-old"},
		{"announced only", []nostr.Event{fox}, 100, false, "silent"},
		{"never heard of", nil, 100, false, "unknown"},
		{"a heartbeat of next year", []nostr.Event{beat(40_000_000)}, 100, false, "unknown"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, nil)
			r.put(t, c.events...)
			r.at.Store(epoch + c.now)
			u := view(t, r, func(v store.Reader) (Up, error) { return r.x.Up(v, pub(t, "bob")) })
			if u.Up != c.up || u.Code != c.code || u.Why == "" {
				t.Errorf("got %+v, want %t, %s", u, c.up, c.code)
			}
		})
	}
}

func TestKinds_DemandBesideSupply(t *testing.T) {
	r := newRig(t, nil)
	market(t, r)
	r.put(t, event("alice", 5999, 300, "", tag("i", "anything")), event("carla", 5100, 301, "", tag("i", "fox")))
	r.at.Store(epoch + 2000)
	page := view(t, r, func(v store.Reader) (KindPage, error) { return r.x.Kinds(v, KindQuery{}) })
	if len(page.Items) != 3 {
		t.Fatalf("got %s, want three kinds", mustJSON(t, page))
	}
	first, second, third := page.Items[0], page.Items[1], page.Items[2]
	if first.Kind != 5100 || first.Name == "" || first.Requests != 7 || first.Answered != 4 || first.Addressed != 2 || first.Providers != 2 ||
		first.Handlers != 3 || first.Online != 0 || first.Customers != 2 || first.PriceMsat == nil || first.Unserved {
		t.Errorf("most asked for: %s", mustJSON(t, first))
	}
	if second.Kind != 5999 || !second.Unserved || second.Requests != 1 || third.Kind != 5300 || third.Handlers != 1 || third.Online != 0 || third.Unserved {
		t.Errorf("got %s", mustJSON(t, page.Items[1:]))
	}
	narrow := view(t, r, func(v store.Reader) (KindPage, error) {
		return r.x.Kinds(v, KindQuery{Since: epoch + 300, Until: epoch + 300})
	})
	if narrow.Items[0].Kind != 5999 || narrow.Items[0].Requests != 1 {
		t.Errorf("of one second: %s", mustJSON(t, narrow.Items))
	}
	found := false
	d := view(t, r, func(v store.Reader) (d KindDetail, err error) {
		d, found, err = r.x.KindDetail(v, 5100, KindQuery{})
		return d, err
	})
	if !found || d.Requests != 7 || len(d.ServedBy) != 3 || d.ServedBy[0].Name != "Fox" || d.ServedBy[0].Measured.Answered != 4 || len(d.Announced) != 3 || len(d.Stats.Series) == 0 {
		t.Errorf("got %t %s", found, mustJSON(t, d))
	}
	for _, k := range []int{5050, 7000, 1, -1, 5666} {
		if view(t, r, func(v store.Reader) (ok bool, err error) {
			_, ok, err = r.x.KindDetail(v, k, KindQuery{})
			return ok, err
		}) {
			t.Errorf("kind %d: got a page, want none", k)
		}
	}
}

// TestTend_AnswersFromTheTableItKeeps: while somebody tends the table, who asks gets the one there is at once, and the next
// one soon after.
func TestTend_AnswersFromTheTableItKeeps(t *testing.T) {
	r := newRig(t, nil)
	for i := range fewProviders + 1 {
		r.put(t, event(fmt.Sprint("p", i), 31990, 1, `{"name":"x"}`, tag("d", "x"), tag("k", "5100")))
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- r.x.Tend(ctx, r.View) }()
	count := func() (n int) {
		err := r.View(func(v store.Reader) error {
			page, err := r.x.ProviderPage(v, ProviderQuery{Limit: MaxLimit})
			n = len(page.Items)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	if n := count(); n != fewProviders+1 {
		t.Errorf("got %d providers, want %d", n, fewProviders+1)
	}
	r.put(t, event("late", 31990, 1, `{"name":"x"}`, tag("d", "x"), tag("k", "5100")))
	r.at.Add(tableSeconds + 1)
	for deadline := time.Now().Add(20 * time.Second); count() != fewProviders+2; runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatal("the newcomer never appears")
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("tend: %v", err)
	}
}
