package index

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"dvmrelay/nip90"

	"github.com/nbd-wtf/go-nostr"
)

// selects asks and returns the ids in their order.
func (r *rig) selects(t testing.TB, q Selection) (ids []string, complete bool) {
	t.Helper()
	snap := r.Snapshot()
	defer snap.Close()
	got, err := r.x.Select(snap, q)
	if err != nil {
		t.Fatalf("select %+v: %v", q, err)
	}
	if !slices.IsSortedFunc(got.Places, Place.compare) {
		t.Errorf("select %+v: not in the order of NIP-01", q)
	}
	for _, p := range got.Places {
		ids = append(ids, p.ID.String())
	}
	return ids, got.Complete
}

func sealedRequest(author string, at int64, to string) nostr.Event {
	return event(author, 5100, at, "AqRz?iv=abc", tag("encrypted"), tag("p", key(to)))
}

func TestSelect_Table(t *testing.T) {
	j1 := request("alice", 10)
	j2 := event("alice", 5300, 20, "", tag("i", "Paint a CAT", "text"), tag("expiration", at(5000)))
	j3 := sealedRequest("carla", 30, "bob")
	a1, a2 := feedback("bob", 50, "processing", j1.ID), result("bob", 60, j1.ID)
	a3 := feedback("carol", 45, "payment-required", j2.ID, tag("amount", "5000"))
	zap := nutzap("alice", "carol", 70, 5, "x", a3.ID)
	orphan := feedback("bob", 80, "processing", request("nobody", 1).ID)
	fox := event("erin", 31990, 90, `{"name":"Fox painter","about":"cats too"}`, tag("d", "x"), tag("k", "5100"))
	owl := event("fred", 31990, 91, `{"name":"Owl"}`, tag("d", "y"), tag("k", "5100"))
	beat := event("fred", 11998, 900, "", tag("d", "y"))
	r := newRig(t, nil)
	r.put(t, j1, j2, j3, a1, a2, a3, zap, orphan, fox, owl, beat)
	yes, no := true, false
	bob, alice := pub(t, "bob"), pub(t, "alice")
	for _, c := range []struct {
		name string
		q    Selection
		want []nostr.Event
	}{
		{"nothing asked", Selection{}, nil},
		{"thread by its zap", Selection{Thread: mustID(t, zap.ID)}, []nostr.Event{zap, a3, j2}},
		{"thread of an unknown id", Selection{Thread: mustID(t, event("x", 1, 1, "").ID)}, nil},
		{"thread of an announcement is itself", Selection{Thread: mustID(t, fox.ID)}, []nostr.Event{fox}},
		{"thread whose request is not here", Selection{Thread: mustID(t, orphan.ID)}, []nostr.Event{orphan}},
		{"thread in a state", Selection{Thread: mustID(t, a1.ID), State: "success"}, []nostr.Event{a2, a1, j1}},
		{"thread in another state", Selection{Thread: mustID(t, a1.ID), State: "error"}, nil},
		{"state", Selection{State: "success"}, []nostr.Event{a2, a1, j1}},
		{"unanswered", Selection{State: "unanswered"}, []nostr.Event{j3}},
		{"stalled", Selection{State: "stalled"}, []nostr.Event{zap, a3, j2}},
		{"payment", Selection{Payment: "undelivered"}, []nostr.Event{zap, a3, j2}},
		{"no payment", Selection{Payment: "none"}, []nostr.Event{a2, a1, j3, j1}},
		{"provider", Selection{Provider: bob}, []nostr.Event{a2, a1, j1}},
		{"customer", Selection{Customer: alice}, []nostr.Event{zap, a2, a1, a3, j2, j1}},
		{"both", Selection{Customer: alice, Provider: bob}, []nostr.Event{a2, a1, j1}},
		{"kind", Selection{Kind: 5300}, []nostr.Event{zap, a3, j2}},
		{"encrypted", Selection{Encrypted: &yes}, []nostr.Event{j3}},
		{"not encrypted", Selection{Encrypted: &no, Provider: pub(t, "carol")}, []nostr.Event{zap, a3, j2}},
		{"requests only", Selection{Customer: alice, Kinds: []int{5100, 5300}}, []nostr.Event{j2, j1}},
		{"window of the events", Selection{Customer: alice, Since: epoch + 20, Until: epoch + 50}, []nostr.Event{a1, a3, j2}},
		{"what contradicts itself", Selection{Kind: 5300, Provider: bob}, nil},
		{"online", Selection{Online: true}, []nostr.Event{owl}},
		{"online jobs", Selection{Online: true, State: "open"}, nil},
		{"online with a word", Selection{Online: true, Words: []string{"fox"}}, nil},
		{"word", Selection{Words: []string{"paint"}}, []nostr.Event{fox, j2, j1}},
		{"two words", Selection{Words: []string{"paint", "cat"}}, []nostr.Event{fox, j2}},
		{"word in requests", Selection{Words: []string{"paint"}, Kinds: []int{5100, 6100}}, []nostr.Event{j1}},
		{"word in announcements", Selection{Words: []string{"paint"}, Kinds: []int{31990}}, []nostr.Event{fox}},
		{"word and state", Selection{Words: []string{"paint"}, State: "success"}, []nostr.Event{j1}},
		{"word that is a tag's name", Selection{Words: []string{"text"}}, nil},
		{"word in what is sealed", Selection{Words: []string{"aqrz"}}, nil},
		{"private to a stranger", Selection{Encrypted: &yes, Private: true, Readers: []nip90.PubKey{alice}}, nil},
		{"private thread to nobody", Selection{Thread: mustID(t, j3.ID), Private: true}, nil},
		{"private to its provider", Selection{Encrypted: &yes, Private: true, Readers: []nip90.PubKey{alice, bob}}, []nostr.Event{j3}},
		{"private to its customer", Selection{State: "open", Private: true, Readers: []nip90.PubKey{pub(t, "carla")}}, []nostr.Event{j3}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, complete := r.selects(t, c.q)
			var want []string
			for _, e := range c.want {
				want = append(want, e.ID)
			}
			if !slices.Equal(got, want) || !complete {
				t.Errorf("got %v, %t, want %v, true", got, complete, want)
			}
		})
	}
}

func TestSelect_IsBounded(t *testing.T) {
	r := newRig(t, nil)
	for i := range MaxSelectedJobs + 20 {
		r.put(t, request("alice", int64(i), tag("nonce", strconv.Itoa(i))))
	}
	got, complete := r.selects(t, Selection{Customer: pub(t, "alice")})
	if len(got) != MaxSelectedJobs || complete {
		t.Errorf("got %d events, complete %t, want %d of the newest jobs", len(got), complete, MaxSelectedJobs)
	}
	if got, complete = r.selects(t, Selection{Customer: pub(t, "alice"), Until: epoch + 99}); len(got) != 100 && complete {
		t.Errorf("the older ones: got %d, complete %t, want 100", len(got), complete)
	}
	work := SelectWork
	for work > 0 {
		before := work
		q := Selection{State: "open", Work: &work}
		if _, _ = r.selects(t, q); work >= before {
			t.Fatalf("a search cost nothing: %d units left of %d", work, before)
		}
	}
	if got, complete = r.selects(t, Selection{State: "open", Work: &work}); len(got) != 0 || complete {
		t.Errorf("without work left: got %d events, complete %t", len(got), complete)
	}
}

func TestOptions_InputsSayWhatFreeTextFinds(t *testing.T) {
	long := "needle " + strings.Repeat("hay ", 60) + "pin"
	job := event("alice", 5100, 1, "", tag("i", long, "text"))
	for inputs, want := range map[string]map[string]int{
		"":             {"needle": 1, "pin": 0},
		InputsTruncate: {"needle": 1, "pin": 0},
		InputsShow:     {"needle": 1, "pin": 1},
		InputsHide:     {"needle": 0, "pin": 0},
	} {
		r := newRig(t, func(o *Options) { o.Inputs = inputs })
		r.put(t, job)
		for word, n := range want {
			if got, _ := r.selects(t, Selection{Words: []string{word}}); len(got) != n {
				t.Errorf("inputs %q: a search for %q finds %d, want %d", inputs, word, len(got), n)
			}
			if got := r.list(t, ThreadQuery{Text: word}); len(got.Items) != n {
				t.Errorf("inputs %q: a list of %q has %d, want %d", inputs, word, len(got.Items), n)
			}
		}
	}
}
