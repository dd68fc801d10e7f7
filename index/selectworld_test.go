package index

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"dvmrelay/nip90"
	"dvmrelay/store"

	"github.com/nbd-wtf/go-nostr"
)

// searchTraffic is made-up traffic with jobs of other kinds, sealed ones, and words.
func searchTraffic(rng *rand.Rand, n int) *traffic {
	g := &traffic{rng: rng}
	for i := range n / 6 {
		var e nostr.Event
		who, when := g.who("customer", 3), int64(rng.IntN(900))
		switch rng.IntN(4) {
		case 0:
			e = sealedRequest(who, when, g.who("provider", 4))
		case 1:
			e = event(who, 5300, when, "", tag("i", []string{"a Fox", "an owl", "Fox and OWL"}[rng.IntN(3)], "text"), tag("nonce", strconv.Itoa(i)))
		default:
			e = event(who, 5100+rng.IntN(3), when, "a fox \u00c9", tag("p", key(g.who("provider", 4))), tag("nonce", strconv.Itoa(i)))
		}
		g.jobs = append(g.jobs, g.add(e))
	}
	for i := range 6 {
		name := []string{"Fox", "Owl", "fox and owl"}[rng.IntN(3)]
		g.add(event(g.who("provider", 4), 31990, g.at(), fmt.Sprintf(`{"name":%q}`, name), tag("d", strconv.Itoa(i)), tag("k", "5100")))
		g.add(event(g.who("provider", 4), 11998, int64(rng.IntN(1000)), "", tag("d", strconv.Itoa(i))))
	}
	g.make(n)
	return g
}

// anySelection draws a search.
func anySelection(t testing.TB, g *traffic) Selection {
	var q Selection
	maybe := func(n int) bool { return g.rng.IntN(n) == 0 }
	if maybe(3) {
		q.State = States()[g.rng.IntN(len(States()))]
	}
	if maybe(4) {
		q.Payment = Payments()[g.rng.IntN(len(Payments()))]
	}
	if maybe(4) {
		q.Kind = []int{5100, 5101, 5300, 5999}[g.rng.IntN(4)]
	}
	if maybe(4) {
		q.Provider = pub(t, g.who("provider", 4))
	}
	if maybe(4) {
		q.Customer = pub(t, g.who("customer", 3))
	}
	if maybe(5) {
		sealed := maybe(2)
		q.Encrypted = &sealed
	}
	if maybe(5) {
		q.Words = [][]string{{"fox"}, {"fox", "owl"}, {"paint"}, {"\u00e9"}}[g.rng.IntN(4)]
	}
	if maybe(8) {
		q.Online = true
	}
	if maybe(6) {
		q.Thread, _ = nip90.ParseID(g.one(g.events))
	}
	if maybe(6) {
		q.Since = epoch + int64(g.rng.IntN(900))
	}
	if maybe(6) {
		q.Until = epoch + int64(g.rng.IntN(900))
	}
	if maybe(4) {
		q.Kinds = [][]int{{5100, 5101, 5102}, {7000, 6100}, {31990}, {5300, 9321}}[g.rng.IntN(4)]
	}
	if maybe(4) {
		q.Private = true
		if maybe(2) {
			q.Readers = []nip90.PubKey{pub(t, g.who("customer", 3)), pub(t, g.who("provider", 4))}
		}
	}
	return q
}

// world is all that is stored, as the views of single threads and announcements show it.
type world struct {
	now      int64
	threads  map[string]Thread      // by the id of each of their events
	roots    map[string]Thread      // by root
	events   map[string]nostr.Event // with a body or without
	handlers map[string]bool        // announcements held, by id; whether their service is alive
}

func (r *rig) members(t testing.TB, root nip90.ID) (list []Entry) {
	t.Helper()
	err := r.View(func(v store.Reader) error {
		ids, err := members(v, root, 0)
		for _, id := range ids {
			list = append(list, Entry{ID: id})
		}
		return err
	})
	if err != nil {
		t.Fatalf("members of %s: %v", root, err)
	}
	return list
}

func (r *rig) world(t testing.TB, g *traffic) *world {
	t.Helper()
	w := &world{
		now: r.at.Load(), threads: make(map[string]Thread), roots: make(map[string]Thread), events: make(map[string]nostr.Event),
		handlers: make(map[string]bool),
	}
	beats := make(map[string]int64)
	for _, e := range g.events {
		w.events[e.ID] = e
		if th, ok := r.thread(t, e.ID); ok {
			if !th.RequestSeen {
				// The id that is answered may be an answer to something else, and then Thread shows that one's events.
				th.Events = r.members(t, th.ID)
			}
			w.threads[e.ID], w.roots[th.ID.String()] = th, th
		}
		if e.Kind == 11998 {
			name := e.PubKey + e.Tags.GetD()
			beats[name] = max(beats[name], int64(e.CreatedAt))
		}
	}
	snap := r.Snapshot()
	defer snap.Close()
	for raw, err := range snap.Query(context.Background(), nostr.Filter{Kinds: []int{31990}}) {
		if err != nil {
			t.Fatalf("read announcements: %v", err)
		}
		e := w.events[raw.ID.String()]
		w.handlers[e.ID] = w.now-max(beats[e.PubKey+e.Tags.GetD()], beats[e.PubKey]) <= aliveSeconds
	}
	return w
}

// answer is what a search selects, the slow way.
func (w *world) answer(q Selection) []string {
	ids := make(map[string]bool)
	if !q.Online || !q.ofJobs() {
		if !q.ofJobs() && (q.Online || len(q.Words) > 0) {
			for id, alive := range w.handlers {
				var meta struct{ Name string }
				_ = json.Unmarshal([]byte(w.events[id].Content), &meta) // the traffic makes nothing else
				ids[id] = (alive || !q.Online) && hasAll(meta.Name, q.Words)
			}
		}
		if !q.Online {
			maps.Copy(ids, w.jobs(q))
		}
	}
	var out []string
	for id, in := range ids {
		e := w.events[id]
		created := int64(e.CreatedAt)
		if in && (q.Kinds == nil || slices.Contains(q.Kinds, e.Kind)) && (q.Since == 0 || created >= q.Since) && (q.Until == 0 || created <= q.Until) {
			out = append(out, id)
		}
	}
	slices.Sort(out)
	return out
}

func (w *world) jobs(q Selection) map[string]bool {
	ids := make(map[string]bool)
	if !q.ofJobs() && len(q.Words) == 0 {
		return ids
	}
	named, root := !q.Thread.IsZero(), q.Thread
	if _, here := w.events[q.Thread.String()]; here {
		root = w.threads[q.Thread.String()].ID
		ids[q.Thread.String()] = q.onlyThread() && root.IsZero()
	}
	for id, th := range w.roots {
		if named && th.ID != root || !w.wanted(q, &th) && !(named && q.onlyThread() && !th.RequestSeen) {
			continue
		}
		ids[id] = th.RequestSeen
		for _, e := range th.Events {
			ids[e.ID.String()] = len(q.Words) == 0 || e.ID == th.ID
		}
	}
	return ids
}

func (w *world) wanted(q Selection, th *Thread) bool {
	answered := slices.ContainsFunc(th.Events, func(e Entry) bool {
		return (e.Role == "result" || e.Role == "feedback") && e.PubKey == q.Provider.String()
	})
	state := q.State == "" || q.State == th.State || q.State == StateStalled && th.Stalled ||
		q.State == StateUnanswered && th.State == StateOpen && w.now-th.CreatedAt > 600
	readable := !q.Private || !th.Encrypted || slices.ContainsFunc(q.Readers, func(k nip90.PubKey) bool {
		return th.Customer == k.String() || slices.Contains(th.Addressed, k.String())
	})
	// Of a job that says it was asked long after its events nothing is found by a search up to those.
	asked := q.Until == 0 || !q.Thread.IsZero() || th.CreatedAt <= q.Until+jobSlack
	return th.RequestSeen && asked && state && readable && (q.Payment == "" || q.Payment == th.Payment) && (q.Kind == 0 || q.Kind == th.Kind) &&
		(q.Provider.IsZero() || answered) && (q.Customer.IsZero() || q.Customer.String() == th.Customer) &&
		(q.Encrypted == nil || *q.Encrypted == th.Encrypted) && (len(q.Words) == 0 || hasAll(th.Summary, q.Words) && th.Summary != "")
}

// TestSelect_LikeBruteForce holds random searches over random stores to every thread looked at one by one.
func TestSelect_LikeBruteForce(t *testing.T) {
	rng := seeded(t)
	for round := range 4 {
		g := searchTraffic(rng, 150)
		r := newRig(t, nil)
		r.put(t, g.shuffled()...)
		r.at.Add(int64(100 * round))
		if round%2 == 1 {
			r.sweep(t)
		}
		w := r.world(t, g)
		found := 0
		for range 400 {
			q := anySelection(t, g)
			got, complete := r.selects(t, q)
			if !complete {
				t.Errorf("%s: is not complete", mustJSON(t, q))
			}
			if q.Kinds != nil {
				got = slices.DeleteFunc(got, func(id string) bool { return !slices.Contains(q.Kinds, w.events[id].Kind) })
			}
			slices.Sort(got)
			want := w.answer(q)
			found += len(want)
			if !slices.Equal(got, want) {
				t.Fatalf("round %d: %s:\ngot  %s\nwant %s", round, mustJSON(t, q), w.words(got), w.words(want))
			}
		}
		if found == 0 {
			t.Error("no search found anything")
		}
	}
}

func (w *world) words(ids []string) string {
	var b strings.Builder
	for _, id := range ids {
		fmt.Fprintf(&b, "%.8s(%d at %d) ", id, w.events[id].Kind, w.events[id].CreatedAt-epoch)
	}
	return b.String()
}

// TestThreads_LikeBruteForce holds the lists of jobs, page by page, to every thread looked at one by one.
func TestThreads_LikeBruteForce(t *testing.T) {
	rng := seeded(t)
	g := searchTraffic(rng, 250)
	r := newRig(t, nil)
	r.put(t, g.shuffled()...)
	w := r.world(t, g)
	roots := slices.SortedFunc(maps.Keys(w.roots), func(a, b string) int {
		x, y := w.roots[a], w.roots[b]
		return Place{x.CreatedAt, x.ID}.compare(Place{y.CreatedAt, y.ID})
	})
	for range 200 {
		s := anySelection(t, g)
		s.Online, s.Private, s.Thread, s.Kinds = false, false, nip90.ID{}, nil
		q := ThreadQuery{
			State: s.State, Payment: s.Payment, Kind: s.Kind, Provider: s.Provider, Customer: s.Customer, Encrypted: s.Encrypted,
			Text: strings.Join(s.Words, " "), Since: s.Since, Until: s.Until, Limit: 1 + rng.IntN(7), Now: r.at.Load(),
		}
		var got, want []string
		for page := (ThreadPage{Next: "-"}); page.Next != ""; q.Cursor = page.Next {
			page = r.list(t, q)
			got = append(got, jobIDs(page)...)
		}
		for _, id := range roots {
			th := w.roots[id]
			if w.wanted(s, &th) && (q.Since == 0 || th.CreatedAt >= q.Since) && (q.Until == 0 || th.CreatedAt <= q.Until) {
				want = append(want, id)
			}
		}
		if !slices.Equal(got, want) {
			t.Fatalf("%+v:\ngot  %s\nwant %s", q, w.words(got), w.words(want))
		}
	}
}
