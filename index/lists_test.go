package index

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"dvmrelay/nip90"
	"dvmrelay/store"

	"github.com/nbd-wtf/go-nostr"
)

func jobIDs(page ThreadPage) (ids []string) {
	for _, th := range page.Items {
		ids = append(ids, th.ID.String())
	}
	return ids
}

func TestThreads_Filters(t *testing.T) {
	j1, j2, j3 := request("alice", 10), request("alice", 20), request("carla", 30)
	j4 := event("carla", 5300, 40, "")
	r := newRig(t, nil)
	r.put(t, j1, j2, j3, j4, result("bob", 35, j1.ID), feedback("bob", 36, "processing", j3.ID), feedback("carol", 37, "processing", j2.ID),
		feedback("bob", 38, "processing", request("nobody", 1).ID), event("erin", 31990, 1, "{}", tag("d", "x"), tag("k", "5100")))
	cases := []struct {
		name string
		q    ThreadQuery
		want []string
	}{
		{"all, newest first", ThreadQuery{}, []string{j4.ID, j3.ID, j2.ID, j1.ID}},
		{"by kind", ThreadQuery{Kind: 5300}, []string{j4.ID}},
		{"without a kind", ThreadQuery{Without: []int{5300}}, []string{j3.ID, j2.ID, j1.ID}},
		{"of a provider without a kind", ThreadQuery{Provider: pub(t, "bob"), Without: []int{5100}}, nil},
		{"by provider", ThreadQuery{Provider: pub(t, "bob")}, []string{j3.ID, j1.ID}},
		{"by customer", ThreadQuery{Customer: pub(t, "alice")}, []string{j2.ID, j1.ID}},
		{"by both", ThreadQuery{Customer: pub(t, "alice"), Provider: pub(t, "bob")}, []string{j1.ID}},
		{"by state", ThreadQuery{State: "success"}, []string{j1.ID}},
		{"since", ThreadQuery{Since: epoch + 30}, []string{j4.ID, j3.ID}},
		{"until", ThreadQuery{Until: epoch + 20}, []string{j2.ID, j1.ID}},
		{"window of a customer", ThreadQuery{Customer: pub(t, "alice"), Since: epoch + 10, Until: epoch + 19}, []string{j1.ID}},
		{"for a provider that has answered none", ThreadQuery{For: pub(t, "erin")}, []string{j3.ID, j2.ID}},
		{"for one that announces nothing", ThreadQuery{For: pub(t, "bob")}, nil},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if got := jobIDs(r.list(t, c.q)); !slices.Equal(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
	for name, q := range map[string]ThreadQuery{"state": {State: "opne"}, "payment": {Payment: "maybe"}} {
		err := r.View(func(v store.Reader) error {
			_, err := r.x.Threads(v, q)
			return err
		})
		if !errors.Is(err, ErrQuery) {
			t.Errorf("unknown %s: got %v, want %v", name, err, ErrQuery)
		}
	}
}

func TestThreads_PagesJoin(t *testing.T) {
	r := newRig(t, nil)
	r.put(t, event("erin", 31990, 1, "{}", tag("d", "x"), tag("k", "5100")))
	for i := range 23 {
		// Many jobs of one second, some of them answered.
		job := request("alice", int64(i/6), tag("nonce", fmt.Sprint(i)))
		r.put(t, job)
		if i%3 == 0 {
			r.put(t, feedback("bob", 50, "processing", job.ID))
		}
	}
	for name, q := range map[string]ThreadQuery{"all": {}, "for": {For: pub(t, "erin")}, "customer": {Customer: pub(t, "alice")}} {
		whole := jobIDs(r.list(t, q))
		if len(whole) != 23 {
			t.Fatalf("%s: got %d jobs, want 23", name, len(whole))
		}
		var got []string
		q.Limit = 4
		for pages := 0; ; pages++ {
			page := r.list(t, q)
			got = append(got, jobIDs(page)...)
			if page.Next == "" || pages > 23 {
				break
			}
			q.Cursor = page.Next
		}
		if !slices.Equal(got, whole) {
			t.Errorf("%s: pages give %v, want %v", name, got, whole)
		}
	}
}

func TestThreads_ForPutsUnansweredFirst(t *testing.T) {
	r := newRig(t, nil)
	old, young := request("alice", 1), request("alice", 2)
	r.put(t, event("erin", 31990, 1, "{}", tag("d", "x"), tag("k", "5100")), old, young, feedback("bob", 5, "processing", young.ID),
		request("alice", 3, tag("p", key("bob"))))
	if got, want := jobIDs(r.list(t, ThreadQuery{For: pub(t, "erin")})), []string{old.ID, young.ID}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestThreads_StrangeCursorIsRefused(t *testing.T) {
	r := newRig(t, nil)
	r.put(t, request("alice", 1))
	for _, c := range []string{"?", "AA", "AQAA", "AQACAAAA", cursor{key: []byte("short")}.String(), cursor{phase: 9}.String()} {
		err := r.View(func(v store.Reader) error {
			_, err := r.x.Threads(v, ThreadQuery{Cursor: c})
			return err
		})
		if err != nil && !errors.Is(err, ErrCursor) {
			t.Errorf("cursor %q: got %v", c, err)
		}
	}
}

func (r *rig) handlers(t testing.TB, q HandlerQuery) []string {
	t.Helper()
	names := []string{}
	snap := r.Snapshot()
	defer snap.Close()
	page, err := r.x.Handlers(snap, q)
	if err != nil {
		t.Fatalf("handlers %+v: %v", q, err)
	}
	for _, h := range page.Items {
		names = append(names, h.Name)
	}
	return names
}

func announce(author, d, name string, at int64, kinds ...string) nostr.Event {
	tags := []nostr.Tag{tag("d", d)}
	for _, k := range kinds {
		tags = append(tags, tag("k", k))
	}
	content := ""
	if name != "" {
		content = fmt.Sprintf(`{"name":%q,"about":"about %s"}`, name, name)
	}
	return event(author, 31990, at, content, tags...)
}

func TestHandlers_ListAndShow(t *testing.T) {
	r := newRig(t, nil)
	now := r.at.Load() - epoch
	silent := announce("carol", "", "", 3, "5300")
	r.put(t, announce("bob", "fox", "Old Fox", 1, "5100"), announce("bob", "fox", "Fox", 2, "5100", "5200"), announce("bob", "owl", "Owl", 4, "5300"), silent,
		event("carol", 0, 1, `{"name":"Carol","picture":7}`),
		event("bob", 11998, now-900, "", tag("d", "fox")), announce("dave", "gone", "Gone", 5, "5100"))
	r.put(t, event("dave", 5, 6, "", tag("a", "31990:"+key("dave")+":gone")))
	yes, no := true, false
	cases := []struct {
		name string
		q    HandlerQuery
		want []string
	}{
		{"newest first", HandlerQuery{}, []string{"Owl", "Carol", "Fox"}},
		{"by name", HandlerQuery{Sort: "name"}, []string{"Carol", "Fox", "Owl"}},
		{"by kind", HandlerQuery{Kind: 5300}, []string{"Owl", "Carol"}},
		{"online", HandlerQuery{Online: &yes}, []string{"Fox"}},
		{"offline", HandlerQuery{Online: &no}, []string{"Owl", "Carol"}},
		{"by words", HandlerQuery{Q: "ABOUT ow"}, []string{"Owl"}},
		{"by a word of the profile", HandlerQuery{Q: "carol"}, []string{"Carol"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if got := r.handlers(t, c.q); !slices.Equal(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
	r.at.Add(1)
	if got := r.handlers(t, HandlerQuery{Online: &yes}); len(got) != 0 {
		t.Errorf("a heartbeat of 901 s ago: got %v online, want none", got)
	}
	err := r.View(func(v store.Reader) error {
		h, ok, err := r.x.Handler(v, nip90.Address{Kind: 31990, PubKey: pub(t, "bob"), D: "fox"})
		if !ok || h.Name != "Fox" || !slices.Equal(h.Kinds, []int{5100, 5200}) || h.Price.Kind == "" || h.LastSeen != epoch+now-900 {
			t.Errorf("handler: got %t %+v", ok, h)
		}
		if err != nil {
			return err
		}
		_, ok, err = r.x.Handler(v, nip90.Address{Kind: 31990, PubKey: pub(t, "dave"), D: "gone"})
		if ok {
			t.Error("a deleted handler is shown")
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestHandlers_PagesJoin(t *testing.T) {
	r := newRig(t, nil)
	for i := range 11 {
		r.put(t, announce("bob", fmt.Sprint(i), fmt.Sprintf("h%02d", i), int64(i/3), "5100"))
	}
	for _, sort := range []string{"", "name", "kind"} {
		var got []string
		q := HandlerQuery{Limit: 4, Sort: sort}
		for range 4 {
			err := r.View(func(v store.Reader) error {
				page, err := r.x.Handlers(v, q)
				for _, h := range page.Items {
					got = append(got, h.Name)
				}
				q.Cursor = page.Next
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			if q.Cursor == "" {
				break
			}
		}
		if want := r.handlers(t, HandlerQuery{Sort: sort}); !slices.Equal(got, want) || len(got) != 11 {
			t.Errorf("sort %q: pages give %v, want %v", sort, got, want)
		}
	}
}

// Heartbeats are replaceable by kind, so of a key's services only one beat is stored; all of them are alive, whichever
// came first.
func TestHandlers_EachServiceOfAKeyIsHeard(t *testing.T) {
	for _, first := range []int64{0, 1} {
		r := newRig(t, nil)
		now := r.at.Load() - epoch
		r.put(t, announce("bob", "fox", "Fox", 1, "5100"), announce("bob", "owl", "Owl", 2, "5300"),
			event("bob", 11998, now-10-first, "", tag("d", "fox")), event("bob", 11998, now-11+first, "", tag("d", "owl")))
		yes := true
		if got := r.handlers(t, HandlerQuery{Online: &yes}); !slices.Equal(got, []string{"Owl", "Fox"}) {
			t.Errorf("newest beat %d: got %v online, want both", first, got)
		}
	}
}

func TestKnown_BodyOrNot(t *testing.T) {
	job := request("alice", 0, tag("expiration", at(2000)))
	r := newRig(t, nil)
	r.put(t, job, feedback("bob", 1, "processing", job.ID, tag("expiration", at(2000))), announce("carol", "x", "X", 2, "5100"))
	r.at.Store(epoch + 3000)
	r.sweep(t)
	err := r.View(func(v store.Reader) error {
		k := r.x.Known(v)
		facts := []struct {
			what string
			ask  func() (bool, error)
			want bool
		}{
			{"event", func() (bool, error) { return k.Event(mustID(t, job.ID)) }, true},
			{"request", func() (bool, error) { return k.Request(mustID(t, job.ID)) }, true},
			{"feedback as request", func() (bool, error) { return k.Request(mustID(t, feedback("bob", 1, "processing", job.ID).ID)) }, false},
			{"customer", func() (bool, error) { return k.Customer(pub(t, "alice")) }, true},
			{"provider as customer", func() (bool, error) { return k.Customer(pub(t, "bob")) }, false},
			{"provider that answered", func() (bool, error) { return k.Provider(pub(t, "bob")) }, true},
			{"provider that announced", func() (bool, error) { return k.Provider(pub(t, "carol")) }, true},
			{"author of what has expired", func() (bool, error) { return k.Author(pub(t, "alice")) }, true},
			{"author of what is stored", func() (bool, error) { return k.Author(pub(t, "carol")) }, true},
			{"author of nothing", func() (bool, error) { return k.Author(pub(t, "dave")) }, false},
			{"customer as provider", func() (bool, error) { return k.Provider(pub(t, "alice")) }, false},
			{"address", func() (bool, error) {
				return k.Address(nip90.Address{Kind: 31990, PubKey: pub(t, "carol"), D: "x"})
			}, true},
			{"another d", func() (bool, error) {
				return k.Address(nip90.Address{Kind: 31990, PubKey: pub(t, "carol"), D: "y"})
			}, false},
		}
		for _, f := range facts {
			if got, err := f.ask(); got != f.want || err != nil {
				t.Errorf("%s: got %t, %v; want %t", f.what, got, err, f.want)
			}
		}
		ps, err := r.x.Providers(v, epoch, 10)
		if len(ps) != 2 || err != nil {
			t.Errorf("providers: got %v, %v; want 2", ps, err)
		}
		cs, err := r.x.Customers(v, epoch, 10)
		if !slices.Equal(cs, []nip90.PubKey{pub(t, "alice")}) {
			t.Errorf("customers: got %v, want alice", cs)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestOptions_KeepCustomerFalseForgetsWithTheBody(t *testing.T) {
	for _, body := range []bool{true, false} {
		r := newRig(t, func(o *Options) { o.KeepCustomer = false })
		job := request("alice", 0, tag("expiration", at(2000)))
		r.put(t, job, feedback("bob", 5, "processing", job.ID))
		if !body {
			r.at.Store(epoch + 3000)
			r.sweep(t)
		}
		th, ok := r.thread(t, job.ID)
		if !ok || (th.Customer != "") != body || len(th.Events) != 2 || (th.Events[0].PubKey != "") != body {
			t.Errorf("body %t: got %t %+v", body, ok, th)
		}
		if got := len(r.list(t, ThreadQuery{Customer: pub(t, "alice")}).Items) == 1; got != body {
			t.Errorf("body %t: listed under its customer: %t", body, got)
		}
		for k := range r.dump(t) {
			if !body && k[0] == keyByCustomer {
				t.Errorf("row %x remembers the customer", k)
			}
		}
	}
}

func TestStats_Counts(t *testing.T) {
	r := newRig(t, nil)
	j1, j2, j3, j4 := request("alice", 10), request("alice", 20), request("carla", 30), request("carla", 990)
	r.put(t, j1, j2, j3, j4, feedback("bob", 11, "payment-required", j1.ID, tag("amount", "3000")), result("bob", 12, j1.ID), feedback("carol", 13, "error", j1.ID),
		feedback("bob", 21, "processing", request("nobody", 1).ID), event("carla", 5, 40, "", tag("e", j3.ID)), nutzap("alice", "bob", 14, 3, "s", j1.ID))
	err := r.View(func(v store.Reader) error {
		s, err := r.x.Stats(v, StatsQuery{Since: epoch, Until: epoch + 1000})
		if s.Requests != 4 || s.Results != 1 || s.Feedbacks != 2 || s.Errors != 1 || s.Unlinked != 1 || s.Customers != 2 || s.Providers != 2 ||
			s.AskedMsat != 3000 || s.ClaimedMsat != 3000 || s.ExcludedPending != 1 || !s.Complete || s.AnswerRate == nil || *s.AnswerRate != 0.5 {
			t.Errorf("got %+v", s)
		}
		if err != nil {
			return err
		}
		s, err = r.x.Stats(v, StatsQuery{Since: epoch + 15, Until: epoch + 25})
		if s.Requests != 1 || s.Results != 0 || *s.AnswerRate != 0 {
			t.Errorf("narrow window: got %+v", s)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestCheck_FindsWhatIsWrong(t *testing.T) {
	job := request("alice", 0)
	answer := feedback("bob", 5, "processing", job.ID)
	root := mustID(t, job.ID)
	cases := map[string]func(store.Txn){
		"a row that dangles":     func(t store.Txn) { t.Set(threadKey(nip90.ID{7}), (&threadRow{}).encode()) },
		"a row that is missing":  func(t store.Txn) { t.Delete(jobKey(epoch, root)) },
		"a row that is wrong":    func(t store.Txn) { t.Set(threadKey(root), (&threadRow{flags: rowSeen}).encode()) },
		"a row that is damaged":  func(t store.Txn) { t.Set(threadKey(root), []byte{1}) },
		"a member that is gone":  func(tx store.Txn) { tx.Delete(memberKey(root, epoch+5, mustID(t, answer.ID))) },
		"a heartbeat of nothing": func(tx store.Txn) { tx.Set(beatKey(pub(t, "bob"), "x"), (&signRow{}).encode()) },
	}
	for name, harm := range cases {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, nil)
			r.put(t, job, answer)
			if err := r.Update(context.Background(), func(tx store.Txn) error { harm(tx); return nil }); err != nil {
				t.Fatal(err)
			}
			if err := r.View(r.x.Check); err == nil {
				t.Error("Check finds nothing")
			}
			if err := r.x.Rebuild(context.Background(), r.Store); err != nil {
				t.Fatalf("rebuild: %v", err)
			}
			if err := r.View(r.x.Check); err != nil {
				t.Errorf("after a rebuild: %v", err)
			}
		})
	}
}
