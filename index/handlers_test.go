package index

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"dvmrelay/nip90"
	"dvmrelay/store"

	"github.com/nbd-wtf/go-nostr"
)

// view asks the store, and fails the test when that fails.
func view[T any](t testing.TB, r *rig, ask func(store.Reader) (T, error)) (out T) {
	t.Helper()
	if err := r.View(func(v store.Reader) (err error) {
		out, err = ask(v)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return out
}

func (r *rig) handler(t testing.TB, author, d string) (Handler, bool) {
	t.Helper()
	found := false
	h := view(t, r, func(v store.Reader) (h Handler, err error) {
		h, found, err = r.x.Handler(v, nip90.Address{Kind: 31990, PubKey: pub(t, author), D: d})
		return h, err
	})
	return h, found
}

func codes(findings []nip90.Finding) []string {
	out := []string{}
	for _, f := range findings {
		out = append(out, f.Code)
	}
	return out
}

func TestHandler_JoinsWhatItsKeySays(t *testing.T) {
	r := newRig(t, nil)
	address := "31990:" + key("bob") + ":fox"
	r.put(t,
		event("bob", 31990, 5, `{"about":"a fox"}`, tag("d", "fox"), tag("k", "5100"), tag("relays", "wss://own.example")),
		event("bob", 0, 1, `{"name":"Bob","about":"not the fox","picture":"https://x.example/b.png","lud16":"bob@x.example"}`),
		event("bob", 10002, 1, "", tag("r", "wss://own.example"), tag("r", "wss://two.example", "read")),
		event("bob", 10019, 1, "", tag("relay", "wss://mint.example"), tag("mint", "https://m.example")),
		event("carla", 31989, 9, "", tag("d", "5100"), tag("a", address)),
		event("carla", 31989, 10, "", tag("d", "5101"), tag("a", address)),
		event("dave", 31989, 11, "", tag("d", "5100"), tag("a", address, "wss://x.example", "web")),
		event("erin", 31989, 11, "", tag("d", "5100"), tag("a", "31990:"+key("bob")+":owl")),
		event("erin", 1984, 12, "spam", tag("p", key("bob"), "spam")))
	h, ok := r.handler(t, "bob", "fox")
	if !ok || h.Name != "Bob" || h.About != "a fox" || h.Picture != "https://x.example/b.png" || h.Lud16 != "bob@x.example" || !h.Nutzaps {
		t.Errorf("got %t %+v, want name, picture, lud16 and nutzaps of its key, and its own words", ok, h)
	}
	if want := []string{"wss://own.example", "wss://two.example"}; !slices.Equal(h.Relays, want) {
		t.Errorf("relays: got %v, want %v", h.Relays, want)
	}
	if h.RecommendedBy != 2 || h.Reports != 1 || h.SeenOn == nil || len(h.SeenOn) != 0 {
		t.Errorf("recommended by %d, reports %d, seen on %v; want 2 keys, 1 key, and []", h.RecommendedBy, h.Reports, h.SeenOn)
	}
	list := view(t, r, func(v store.Reader) (HandlerPage, error) { return r.x.Handlers(v, HandlerQuery{Q: "bob fox"}) })
	if len(list.Items) != 1 || list.Items[0].Name != "Bob" || list.Items[0].RecommendedBy != 2 {
		t.Errorf("list by the profile's name: got %+v", list.Items)
	}
}

func TestHandler_FirstSeenIsAFunctionOfTheFacts(t *testing.T) {
	versions := []nostr.Event{announce("bob", "fox", "Fox", 30, "5100"), announce("bob", "fox", "Old Fox", 10, "5100"), announce("bob", "fox", "Fox", 20, "5100")}
	other := announce("bob", "owl", "Owl", 5, "5300")
	for _, order := range [][]int{{0, 1, 2}, {1, 2, 0}, {2, 0, 1}} {
		r := newRig(t, nil)
		r.put(t, other)
		for _, i := range order {
			r.put(t, versions[i])
			r.handler(t, "bob", "fox") // what is remembered must not outlive what is true
		}
		if h, ok := r.handler(t, "bob", "fox"); !ok || h.FirstSeen != epoch+10 || h.LastSeen != epoch+30 || h.Name != "Fox" {
			t.Errorf("order %v: got %t, first seen %d, last %d, want 10 and 30", order, ok, h.FirstSeen-epoch, h.LastSeen-epoch)
		}
		if h, _ := r.handler(t, "bob", "owl"); h.FirstSeen != epoch+5 {
			t.Errorf("another service: first seen %d, want 5", h.FirstSeen-epoch)
		}
	}
}

func TestHandler_Findings(t *testing.T) {
	const day = 86400
	fox := announce("bob", "fox", "Fox", 0, "5100")
	price := func(msat string) nostr.Event {
		return event("bob", 31990, 0, `{"name":"Fox","amount":"`+msat+`"}`, tag("d", "fox"), tag("k", "5100"))
	}
	var asked []nostr.Event
	for i := range int64(21) {
		asked = append(asked, request("alice", 100+i, tag("nonce", fmt.Sprint(i))))
	}
	answered := append(slices.Clone(asked), feedback("bob", 200, "payment-required", asked[0].ID, tag("amount", "2000")))
	cases := []struct {
		name   string
		events []nostr.Event
		now    int64
		want   []string // codes that must be among the findings
		not    []string
		newer  bool
	}{
		{"nothing odd", []nostr.Event{fox}, 1000, nil, []string{"superseded", "duplicate", "d-shared", "republished", "stale", "never-answers", "price-differs"}, false},
		{"announced again elsewhere", []nostr.Event{fox, announce("bob", "fox2", "FOX", 5, "5100", "5200")}, 1000, []string{"superseded"}, []string{"duplicate"}, true},
		{"announced before elsewhere", []nostr.Event{fox, announce("bob", "fox2", "Fox", -5, "5100")}, 1000, []string{"duplicate"}, []string{"superseded"}, false},
		{"the later one serves less", []nostr.Event{announce("bob", "fox", "Fox", 0, "5100", "5200"), announce("bob", "fox2", "Fox", 5, "5100")}, 1000, []string{"duplicate"}, []string{"superseded"}, false},
		{"superseded, but it lives", []nostr.Event{fox, announce("bob", "fox2", "Fox", 5, "5100"), event("bob", 11998, 990, "", tag("d", "fox"))}, 1000, []string{"duplicate"}, []string{"superseded"}, false},
		{"another name", []nostr.Event{fox, announce("bob", "owl", "Owl", 5, "5100")}, 1000, nil, []string{"superseded", "duplicate"}, false},
		{"another key's d", []nostr.Event{fox, announce("carol", "fox", "Copy", 5, "5300")}, 1000, []string{"d-shared"}, nil, false},
		{"deleted and published again", []nostr.Event{announce("bob", "fox", "Fox", -9, "5100"), event("bob", 5, -5, "", tag("a", "31990:"+key("bob")+":fox")), fox}, 1000, []string{"republished"}, nil, false},
		{"silent for a month", []nostr.Event{fox}, 31 * day, []string{"stale"}, nil, false},
		{"silent, but it answered", append([]nostr.Event{fox}, answered...), 30*day + 150, nil, []string{"stale"}, false},
		{"asked in vain", append([]nostr.Event{fox}, asked...), 1000, []string{"never-answers"}, nil, false},
		{"asked in vain, but not often", append([]nostr.Event{fox}, asked[:20]...), 1000, nil, []string{"never-answers"}, false},
		{"asked and answered", append([]nostr.Event{fox}, answered...), 1000, nil, []string{"never-answers"}, false},
		{"asks for twice its price", append([]nostr.Event{price("1000")}, answered...), 1000, []string{"price-differs"}, nil, false},
		{"asks for its price", append([]nostr.Event{price("2000")}, answered...), 1000, nil, []string{"price-differs"}, false},
		{"no JSON", []nostr.Event{event("bob", 31990, 0, "a fox", tag("d", "fox"), tag("k", "5100"))}, 1000, []string{"handler-content-unreadable"}, nil, false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, nil)
			r.put(t, c.events...)
			r.at.Store(epoch + c.now)
			h, ok := r.handler(t, "bob", "fox")
			if !ok {
				t.Fatal("got no handler")
			}
			got := codes(h.Findings)
			for _, w := range c.want {
				if !slices.Contains(got, w) {
					t.Errorf("got %v, want %s among them", got, w)
				}
			}
			for _, n := range c.not {
				if slices.Contains(got, n) {
					t.Errorf("got %v, want no %s", got, n)
				}
			}
			if (h.SupersededBy == "31990:"+key("bob")+":fox2") != c.newer {
				t.Errorf("superseded by %q, want it: %t", h.SupersededBy, c.newer)
			}
			listed := view(t, r, func(v store.Reader) (HandlerPage, error) { return r.x.Handlers(v, HandlerQuery{}) })
			for _, l := range listed.Items {
				if l.Address == h.Address && !slices.Equal(codes(l.Findings), got) {
					t.Errorf("in the list: got %v, alone %v", codes(l.Findings), got)
				}
			}
		})
	}
	r := newRig(t, nil)
	r.put(t, event("bob", 31990, 0, `{"name":"Fox"}`, tag("k", "5100")))
	if h, ok := r.handler(t, "bob", ""); !ok || !slices.Contains(codes(h.Findings), "handler-no-d") {
		t.Errorf("without d: got %t %v, want handler-no-d", ok, codes(h.Findings))
	}
}

// market is three services of one kind: bob answers three of four eligible jobs and asks for 2,000, carol answers one of
// the same four at once and for less, dave none.
func market(t testing.TB, r *rig) {
	t.Helper()
	const long = 900
	job := func(i int64, tags ...nostr.Tag) nostr.Event {
		return request("alice", 100+i, append(tags, tag("nonce", fmt.Sprint(i)))...)
	}
	j := []nostr.Event{job(0), job(1), job(2), job(3), job(4, tag("p", key("bob"))), job(5, tag("p", key("zoe")))}
	r.put(t, announce("bob", "fox", "Fox", 10, "5100"), announce("carol", "owl", "Owl", 20, "5100"), announce("dave", "elk", "Elk", 30, "5100"),
		announce("erin", "bee", "Bee", 40, "5300"))
	r.put(t, j...)
	r.put(t, feedback("bob", 105, "payment-required", j[0].ID, tag("amount", "2000")), result("bob", 150, j[0].ID),
		result("bob", 151, j[1].ID), result("bob", 184, j[4].ID), feedback("bob", 190, "error", j[2].ID),
		feedback("carol", 110, "payment-required", j[0].ID, tag("amount", "1000")), result("carol", 102, j[0].ID),
		event("erin", 11998, long, "", tag("d", "bee")))
}

func TestHandlers_Sorts(t *testing.T) {
	r := newRig(t, nil)
	market(t, r)
	cases := []struct {
		sort  string
		want  []string
		first any // value of the first
		of    map[string]int64
		none  []string // those without a value
	}{
		{SortAnswerRate, []string{"Fox", "Owl", "Elk", "Bee"}, 0.8, map[string]int64{"answered": 4, "eligible": 5}, []string{"Bee"}},
		{SortFirstResult, []string{"Owl", "Fox", "Bee", "Elk"}, int64(2000), map[string]int64{"jobs": 1}, []string{"Elk", "Bee"}},
		{SortPrice, []string{"Owl", "Fox", "Bee", "Elk"}, int64(1000), map[string]int64{"asked_jobs": 1}, []string{"Elk", "Bee"}},
		{SortSeen, []string{"Bee", "Fox", "Owl", "Elk"}, int64(epoch + 900), map[string]int64{"heartbeat_at": epoch + 900, "announced_at": epoch + 40}, nil},
		{SortNew, []string{"Bee", "Elk", "Owl", "Fox"}, int64(epoch + 40), map[string]int64{"announced_at": epoch + 40}, nil},
		{SortName, []string{"Bee", "Elk", "Fox", "Owl"}, "Bee", nil, nil},
		{SortKind, []string{"", "", "", "Bee"}, nil, nil, nil},
	}
	for _, c := range cases {
		t.Run(c.sort, func(t *testing.T) {
			page := view(t, r, func(v store.Reader) (HandlerPage, error) { return r.x.Handlers(v, HandlerQuery{Sort: c.sort}) })
			var got []string
			for i, h := range page.Items {
				got = append(got, h.Name)
				if h.Rank == nil || h.Rank.By != c.sort || h.Rank.Of == nil {
					t.Fatalf("%s: rank %+v, want one by %s", h.Name, h.Rank, c.sort)
				}
				if i < len(c.want) && c.want[i] == "" {
					got[i] = ""
				}
				if none := slices.Contains(c.none, h.Name); (h.Rank.Value == nil) != none {
					t.Errorf("%s: value %v, want none: %t", h.Name, h.Rank.Value, none)
				}
			}
			first := page.Items[0].Rank
			if n, ok := c.first.(int64); ok && c.sort == SortFirstResult || c.sort == SortPrice {
				v, _ := first.Value.(int64)
				if !ok || v < n-n/32 || v > n+n/32 { // within the bound of the histogram
					t.Errorf("value of the first: got %v, want about %d", first.Value, n)
				}
			} else if c.first != nil && first.Value != c.first {
				t.Errorf("value of the first: got %v, want %v", first.Value, c.first)
			}
			for k, v := range c.of {
				if first.Of[k] != v {
					t.Errorf("rank of the first is made of %v, want %s %d", first.Of, k, v)
				}
			}
			// Those without a value stand by their keys.
			if c.sort == SortFirstResult || c.sort == SortPrice {
				slices.Sort(got[2:])
				slices.Sort(c.want[2:])
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
	err := r.View(func(v store.Reader) error {
		_, err := r.x.Handlers(v, HandlerQuery{Sort: "luck"})
		return err
	})
	if err == nil {
		t.Error("a sort that there is not is taken")
	}
}

func TestHandlers_EverySortPagesWithoutGapsWhileNewOnesCome(t *testing.T) {
	r := newRig(t, nil)
	market(t, r)
	for i := range 20 {
		r.put(t, announce(fmt.Sprintf("p%02d", i), "x", fmt.Sprintf("n%02d", i), int64(50+i/4), "5300"))
	}
	for _, by := range HandlerSorts() {
		whole := r.handlers(t, HandlerQuery{Sort: by})
		var got []string
		q := HandlerQuery{Sort: by, Limit: 5}
		for range 9 {
			page := view(t, r, func(v store.Reader) (HandlerPage, error) { return r.x.Handlers(v, q) })
			for _, h := range page.Items {
				got = append(got, h.Name)
			}
			r.at.Add(20)
			r.put(t, request("alice", r.at.Load()-epoch, tag("nonce", by+page.Next)))
			if q.Cursor = page.Next; q.Cursor == "" {
				break
			}
		}
		if !slices.Equal(got, whole) || len(got) != 24 {
			t.Errorf("sort %s: pages give %v, want %v", by, got, whole)
		}
		other := SortNew
		if by == SortNew {
			other = SortName
		}
		first := view(t, r, func(v store.Reader) (HandlerPage, error) { return r.x.Handlers(v, HandlerQuery{Sort: by, Limit: 5}) })
		err := r.View(func(v store.Reader) error {
			_, err := r.x.Handlers(v, HandlerQuery{Sort: other, Cursor: first.Next})
			return err
		})
		if err == nil {
			t.Errorf("a cursor of sort %s is taken for %s", by, other)
		}
	}
}

func TestHandlers_HostileAnnouncementsAreBounded(t *testing.T) {
	r := newRig(t, nil)
	tags := []nostr.Tag{tag("d", "wide")}
	for k := range 2000 {
		tags = append(tags, tag("k", fmt.Sprint(5000+k%1500)), tag("k", "no kind"))
	}
	r.put(t, event("bob", 31990, 1, `{"name":"wide"}`, tags...),
		event("carol", 31990, 2, mustJSON(t, map[string]string{"name": "\x1b[31mred\u202egnp.exe\u0000\n\tx" + strings.Repeat("y", 100<<10), "about": strings.Repeat("z\x07", 50<<10)}), tag("d", "x"), tag("k", "5100")))
	for i := range 1000 {
		r.put(t, announce("mallory", fmt.Sprint(i), "Many", int64(i), "5100"))
	}
	r.put(t, request("alice", 500), event("alice", 5300, 501, ""))
	h, ok := r.handler(t, "carol", "x")
	if !ok || strings.ContainsAny(h.Name, "\x1b\x00\n\t\u202e") || len([]rune(h.Name)) > 200 || strings.Contains(h.About, "\x07") || !strings.HasPrefix(h.Name, "[31mredgnp.exe x") {
		t.Errorf("got %t, a name of %d bytes %.40q", ok, len(h.Name), h.Name)
	}
	if h, ok := r.handler(t, "bob", "wide"); !ok || len(h.Kinds) < 500 || h.Measured == nil || h.Measured.Eligible != 2 {
		t.Errorf("two thousand k tags: got %t, %d kinds, measured %+v", ok, len(h.Kinds), h.Measured)
	}
	seen := make(map[string]bool)
	for q := (HandlerQuery{Limit: MaxLimit}); ; {
		page := view(t, r, func(v store.Reader) (HandlerPage, error) { return r.x.Handlers(v, q) })
		for _, h := range page.Items {
			seen[h.Address] = true
		}
		if q.Cursor = page.Next; q.Cursor == "" {
			break
		}
	}
	if len(seen) != 1002 {
		t.Errorf("pages hold %d handlers, want 1002", len(seen))
	}
	d, ok := r.provider(t, "mallory")
	if !ok || d.HandlersCount != 1000 || len(d.Handlers) != maxHandlersShown {
		t.Errorf("a key with 1000 handlers: got %t, %d counted, %d shown", ok, d.HandlersCount, len(d.Handlers))
	}
}

func TestRebuild_GivesTheSameHandlers(t *testing.T) {
	r := newRig(t, nil)
	market(t, r)
	r.put(t, announce("bob", "fox", "Fox", 60, "5100"))
	before := mustJSON(t, view(t, r, func(v store.Reader) (HandlerPage, error) { return r.x.Handlers(v, HandlerQuery{}) }))
	if err := r.x.Rebuild(context.Background(), r.Store); err != nil {
		t.Fatal(err)
	}
	r.x = New(r.x.o)
	if after := mustJSON(t, view(t, r, func(v store.Reader) (HandlerPage, error) { return r.x.Handlers(v, HandlerQuery{}) })); after != before {
		t.Errorf("after a rebuild: got %s, want %s", after, before)
	}
}
