package live_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"dvmrelay/nip90"
	"dvmrelay/relay/live"

	"github.com/nbd-wtf/go-nostr"
)

// inbox is a sink with a lock of its own, as a socket has.
type inbox struct {
	mu  sync.Mutex // guards below
	got []string   // subscription id and event id
}

func (b *inbox) Deliver(sub *live.Subscription, e live.Event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.got = append(b.got, sub.ID()+" "+e.Parsed.ID.String())
}

func (b *inbox) take() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	got := b.got
	b.got = nil
	return got
}

func hexOf(n int) string { return fmt.Sprintf("%064x", n) }

func idOf(n int) nip90.ID {
	id, ok := nip90.ParseID(hexOf(n))
	if !ok {
		panic("a number is no id")
	}
	return id
}

// event makes an event that was parsed at the door, without asking what it means.
func event(id, author, kind int, at int64, tags ...nostr.Tag) live.Event {
	evt := &nostr.Event{ID: hexOf(id), PubKey: hexOf(author), Kind: kind, CreatedAt: nostr.Timestamp(at), Tags: tags}
	return live.Event{Parsed: &nip90.Parsed{Event: evt, ID: idOf(id), Author: nip90.PubKey(idOf(author)), CreatedAt: at}}
}

func stamp(n int64) *nostr.Timestamp {
	t := nostr.Timestamp(n)
	return &t
}

func add(t testing.TB, x *live.Index, b live.Sink, id string, filters ...live.Filter) *live.Subscription {
	t.Helper()
	sub, err := x.Add(b, id, filters)
	if err != nil {
		t.Fatalf("Add(%s): %v", id, err)
	}
	return sub
}

func plain(f nostr.Filter) live.Filter { return live.Filter{Filter: f} }

func TestPublish_Matching(t *testing.T) {
	job := event(1, 10, 5300, 1000, nostr.Tag{"p", hexOf(20)}, nostr.Tag{"t", "bitcoin"}, nostr.Tag{"e", "not hex"},
		nostr.Tag{"d"}, nostr.Tag{}, nostr.Tag{"long", "x"}, nostr.Tag{"i", strings.Repeat("y", 300)})
	wide := make([]int, 0, 2000)
	for k := 5000; k < 7000; k++ {
		wide = append(wide, k)
	}
	for _, tt := range []struct {
		name string
		f    nostr.Filter
		want bool
	}{
		{"everything", nostr.Filter{}, true},
		{"its id", nostr.Filter{IDs: []string{hexOf(1)}}, true},
		{"another id", nostr.Filter{IDs: []string{hexOf(2)}}, false},
		{"no id at all", nostr.Filter{IDs: []string{}}, false},
		{"its kind", nostr.Filter{Kinds: []int{5300}}, true},
		{"another kind", nostr.Filter{Kinds: []int{5301}}, false},
		{"no kind at all", nostr.Filter{Kinds: []int{}}, false},
		{"kinds that cannot be", nostr.Filter{Kinds: []int{68001, -1}}, false},
		{"2,000 kinds", nostr.Filter{Kinds: wide}, true},
		{"2,000 kinds without it", nostr.Filter{Kinds: slices.DeleteFunc(slices.Clone(wide), func(k int) bool { return k == 5300 })}, false},
		{"its author", nostr.Filter{Authors: []string{hexOf(10)}}, true},
		{"another author", nostr.Filter{Authors: []string{hexOf(11)}}, false},
		{"p", nostr.Filter{Tags: nostr.TagMap{"p": {hexOf(20)}}}, true},
		{"p and kind", nostr.Filter{Tags: nostr.TagMap{"p": {hexOf(20)}}, Kinds: []int{5300}}, true},
		{"p and another kind", nostr.Filter{Tags: nostr.TagMap{"p": {hexOf(20)}}, Kinds: []int{7000}}, false},
		{"e with text that is not hex", nostr.Filter{Tags: nostr.TagMap{"e": {"not hex"}}}, true},
		{"topic", nostr.Filter{Tags: nostr.TagMap{"t": {"nostr", "bitcoin"}}}, true},
		{"beginning of a topic", nostr.Filter{Tags: nostr.TagMap{"t": {"b", "bit"}}}, false},
		{"two letters, both held", nostr.Filter{Tags: nostr.TagMap{"t": {"bitcoin"}, "p": {hexOf(20)}}}, true},
		{"two letters, one held", nostr.Filter{Tags: nostr.TagMap{"t": {"bitcoin"}, "p": {hexOf(21)}}}, false},
		{"no value at all", nostr.Filter{Tags: nostr.TagMap{"t": {}}}, false},
		{"nil values constrain nothing", nostr.Filter{Tags: nostr.TagMap{"t": nil}}, true},
		{"tag without value", nostr.Filter{Tags: nostr.TagMap{"d": {""}}}, false},
		{"long value", nostr.Filter{Tags: nostr.TagMap{"i": {strings.Repeat("y", 300)}}}, true},
		{"another long value", nostr.Filter{Tags: nostr.TagMap{"i": {strings.Repeat("y", 301)}}}, false},
		{"since its second", nostr.Filter{Since: stamp(1000)}, true},
		{"since later", nostr.Filter{Since: stamp(1001)}, false},
		{"until its second", nostr.Filter{Until: stamp(1000)}, true},
		{"until earlier", nostr.Filter{Until: stamp(999)}, false},
		{"since after until", nostr.Filter{Since: stamp(1001), Until: stamp(999)}, false},
		{"limit does not matter", nostr.Filter{Kinds: []int{5300}, LimitZero: true}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			x, box := live.New(live.Options{}), new(inbox)
			sub := add(t, x, box, "s", plain(tt.f))
			if got := x.Publish(job) == 1; got != tt.want {
				t.Errorf("matched: got %v, want %v", got, tt.want)
			}
			if got := len(box.take()) == 1; got != tt.want {
				t.Errorf("delivered: got %v, want %v", got, tt.want)
			}
			x.Remove(sub)
			x.Remove(sub)
			if n := x.Publish(job); n != 0 {
				t.Errorf("delivered after Remove: got %d, want 0", n)
			}
			if s := x.Stats(); s.Subscriptions != 0 || s.Filters != 0 || s.Values != 0 {
				t.Errorf("stats after Remove: got %+v, want none", s)
			}
		})
	}
}

func TestPublish_OncePerSubscription(t *testing.T) {
	x, box := live.New(live.Options{}), new(inbox)
	add(t, x, box, "s", plain(nostr.Filter{Kinds: []int{7000}}), plain(nostr.Filter{}),
		plain(nostr.Filter{Tags: nostr.TagMap{"e": {hexOf(1), hexOf(2)}}}))
	add(t, x, box, "r", plain(nostr.Filter{Kinds: []int{7000}}))
	e := event(5, 6, 7000, 1, nostr.Tag{"e", hexOf(1)}, nostr.Tag{"e", hexOf(2)}, nostr.Tag{"e", hexOf(1)})
	if n := x.Publish(e); n != 2 {
		t.Errorf("Publish: got %d, want 2", n)
	}
	got := box.take()
	slices.Sort(got)
	if want := []string{"r " + hexOf(5), "s " + hexOf(5)}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestPublish_Threads(t *testing.T) {
	x, box := live.New(live.Options{}), new(inbox)
	add(t, x, box, "job", live.Filter{Threads: []nip90.ID{idOf(1)}})
	add(t, x, box, "both", plain(nostr.Filter{IDs: []string{hexOf(7)}}),
		live.Filter{Threads: []nip90.ID{idOf(7)}, Filter: nostr.Filter{Kinds: []int{6300}}})
	add(t, x, box, "none", live.Filter{Threads: []nip90.ID{}})

	publish := func(id, kind int, roots ...int) string {
		e := event(id, 9, kind, 1)
		for _, r := range roots {
			e.Roots = append(e.Roots, idOf(r))
		}
		x.Publish(e)
		var subs []string
		for _, s := range box.take() {
			subs = append(subs, strings.Fields(s)[0])
		}
		slices.Sort(subs)
		return strings.Join(subs, " ")
	}
	for _, step := range []struct {
		name     string
		id, kind int
		roots    []int
		want     string
	}{
		{"the job itself", 1, 5300, nil, "job"},
		{"the job with itself as root", 1, 5300, []int{1}, "job"},
		{"an answer", 2, 7000, []int{1}, "job"},
		{"another thread", 3, 6300, []int{4}, ""},
		{"the event that reveals thread 4, of a kind not asked for", 7, 7000, []int{4}, "both"},
		{"a result in the revealed thread", 8, 6300, []int{4}, "both"},
		{"a feedback in the revealed thread", 10, 7000, []int{4}, ""},
	} {
		if got := publish(step.id, step.kind, step.roots...); got != step.want {
			t.Errorf("%s: got %q, want %q", step.name, got, step.want)
		}
	}
}

func TestPublish_Jobs(t *testing.T) {
	x, box := live.New(live.Options{}), new(inbox)
	if x.NeedsJobs() {
		t.Error("jobs are needed though nobody asks for them")
	}
	yes := true
	key := func(n int) nip90.PubKey { return nip90.PubKey(idOf(n)) }
	held := []*live.Subscription{
		add(t, x, box, "provider", live.Filter{Job: &live.Job{Provider: key(1)}}),
		add(t, x, box, "results", live.Filter{Job: &live.Job{Provider: key(1)}, Filter: nostr.Filter{Kinds: []int{6300}}}),
		add(t, x, box, "customer", live.Filter{Job: &live.Job{Customer: key(2)}}),
		add(t, x, box, "kind", live.Filter{Job: &live.Job{Kind: 5300}}),
		add(t, x, box, "sealed", live.Filter{Job: &live.Job{Encrypted: &yes}}),
		add(t, x, box, "any", live.Filter{Job: &live.Job{}, Filter: nostr.Filter{Kinds: []int{31990}}}),
		add(t, x, box, "thread", live.Filter{Job: &live.Job{Kind: 5300}, Threads: []nip90.ID{idOf(7)}}),
	}
	if !x.NeedsJobs() {
		t.Error("jobs are not needed though somebody asks for them")
	}
	for _, step := range []struct {
		name string
		kind int
		root int
		jobs []live.JobNote
		want string
	}{
		{"an answer of the provider", 6300, 8, []live.JobNote{{Kind: 5100, Customer: key(3), Providers: []nip90.PubKey{key(1)}}}, "provider results"},
		{"of another on a job it has answered", 7000, 8, []live.JobNote{{Kind: 5100, Providers: []nip90.PubKey{key(4), key(1)}}}, "provider"},
		{"a sealed request of the customer", 5300, 8, []live.JobNote{{Kind: 5300, Customer: key(2), Encrypted: true}}, "customer kind sealed"},
		{"two jobs at once", 5, 7, []live.JobNote{{Kind: 5100, Customer: key(2)}, {Kind: 5300}}, "customer kind thread"},
		{"an announcement", 31990, 0, nil, "any"},
		{"an answer without a job", 7000, 9, nil, ""},
	} {
		e := event(20, 1, step.kind, 1)
		e.Roots, e.Jobs = []nip90.ID{idOf(step.root)}, step.jobs
		x.Publish(e)
		var subs []string
		for _, s := range box.take() {
			subs = append(subs, strings.Fields(s)[0])
		}
		slices.Sort(subs)
		if got := strings.Join(subs, " "); got != step.want {
			t.Errorf("%s: got %q, want %q", step.name, got, step.want)
		}
	}
	x.RemoveAll(held)
	if x.NeedsJobs() {
		t.Error("jobs are still needed when nobody asks any more")
	}
}

func TestPublish_Extra(t *testing.T) {
	x, box := live.New(live.Options{}), new(inbox)
	add(t, x, box, "s", live.Filter{Extra: func(e live.Event) bool { return e.Version > 5 }})
	for version, want := range map[uint64]int{5: 0, 6: 1} {
		e := event(1, 2, 5000, 1)
		e.Version = version
		if got := x.Publish(e); got != want {
			t.Errorf("version %d: got %d, want %d", version, got, want)
		}
	}
}

func TestPublish_WithoutEvent(t *testing.T) {
	x := live.New(live.Options{})
	add(t, x, new(inbox), "s", live.Filter{})
	if n := x.Publish(live.Event{}); n != 0 {
		t.Errorf("got %d, want 0", n)
	}
}

func TestReplace(t *testing.T) {
	x, box := live.New(live.Options{MaxValues: 3}), new(inbox)
	old := add(t, x, box, "s", plain(nostr.Filter{Kinds: []int{7000}}))
	if _, err := x.Replace(old, box, "s", nil); !errors.Is(err, live.ErrNoFilter) {
		t.Errorf("without filters: got %v, want %v", err, live.ErrNoFilter)
	}
	if _, err := x.Replace(old, box, "s", []live.Filter{plain(nostr.Filter{Kinds: []int{1, 2, 3, 4}})}); !errors.Is(err, live.ErrTooMany) {
		t.Errorf("with four values: got %v, want %v", err, live.ErrTooMany)
	}
	for name, f := range map[string]nostr.Filter{
		"id": {IDs: []string{"ab"}}, "author": {Authors: []string{strings.Repeat("A", 64)}}, "tag": {Tags: nostr.TagMap{"ab": {"c"}}},
	} {
		if _, err := x.Replace(old, box, "s", []live.Filter{plain(f)}); !errors.Is(err, live.ErrUnreadable) {
			t.Errorf("with a bad %s: got %v, want %v", name, err, live.ErrUnreadable)
		}
	}
	if n := x.Publish(event(1, 1, 7000, 1)); n != 1 {
		t.Errorf("the old subscription after failed replacements: got %d deliveries, want 1", n)
	}
	sub, err := x.Replace(old, box, "s", []live.Filter{plain(nostr.Filter{Kinds: []int{5000, 5001}})})
	if err != nil {
		t.Fatal(err)
	}
	if got := sub.Values(); got != 2 {
		t.Errorf("Values: got %d, want 2", got)
	}
	if n := x.Publish(event(2, 1, 7000, 1)); n != 0 {
		t.Errorf("what the old one asked for: got %d deliveries, want 0", n)
	}
	if n := x.Publish(event(3, 1, 5000, 1)); n != 1 {
		t.Errorf("what the new one asks for: got %d deliveries, want 1", n)
	}
	if s := x.Stats(); s.Subscriptions != 1 || s.Values != 2 {
		t.Errorf("stats: got %+v, want 1 subscription with 2 values", s)
	}
}

// closer removes all its subscriptions when it hears of an event, holding its own lock, as a socket that overflows does.
type closer struct {
	mu   sync.Mutex // guards below
	x    *live.Index
	subs []*live.Subscription
	n    int
}

func (c *closer) Deliver(*live.Subscription, live.Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n++
	c.x.RemoveAll(c.subs)
}

func TestDeliver_MayRemove(t *testing.T) {
	x := live.New(live.Options{})
	c := &closer{x: x}
	for i := range 10 {
		c.subs = append(c.subs, add(t, x, c, fmt.Sprint(i), plain(nostr.Filter{})))
	}
	if n := x.Publish(event(1, 2, 3, 4)); n != 1 || c.n != 1 {
		t.Errorf("got %d deliveries, %d heard; want 1 and 1: the first removes the others", n, c.n)
	}
}

// TestConcurrent has sockets that add, replace and remove under their own lock while events are published. Each holds one
// subscription that matches everything and may miss nothing, and one that is replaced all the time and may double nothing.
func TestConcurrent(t *testing.T) {
	x := live.New(live.Options{})
	const sockets, events = 8, 300
	boxes := make([]*inbox, sockets)
	var ready, done sync.WaitGroup
	stop := make(chan struct{})
	for i := range boxes {
		box := new(inbox)
		boxes[i] = box
		ready.Add(1)
		done.Go(func() {
			all := add(t, x, box, "all", plain(nostr.Filter{Kinds: []int{5000}}))
			changing := add(t, x, box, "changing", plain(nostr.Filter{}))
			ready.Done()
			rng := rand.New(rand.NewPCG(1, uint64(i)))
			for {
				select {
				case <-stop:
					x.RemoveAll([]*live.Subscription{all, changing})
					return
				default:
				}
				other := add(t, x, box, "other", randomFilter(rng))
				box.mu.Lock()
				next, err := x.Replace(changing, box, "changing", []live.Filter{plain(nostr.Filter{Kinds: []int{5000 + rng.IntN(2)*1000, 5000}})})
				if err != nil {
					t.Error(err)
				}
				changing = next
				x.Remove(other)
				box.mu.Unlock()
			}
		})
	}
	ready.Wait()
	for i := range events {
		x.Publish(event(i+1, 3, 5000, 1, nostr.Tag{"e", hexOf(i)}))
	}
	close(stop)
	finished := make(chan struct{})
	go func() { done.Wait(); close(finished) }()
	select {
	case <-finished:
	case <-time.After(30 * time.Second):
		t.Fatal("deadlock")
	}
	for i, box := range boxes {
		seen := make(map[string]int)
		for _, s := range box.take() {
			seen[s]++
		}
		for n := range events {
			if got := seen["all "+hexOf(n+1)]; got != 1 {
				t.Fatalf("socket %d, event %d: delivered %d times, want 1", i, n+1, got)
			}
			if got := seen["changing "+hexOf(n+1)]; got > 1 {
				t.Fatalf("socket %d, event %d: delivered %d times to the replaced subscription, want 1 at most", i, n+1, got)
			}
		}
	}
	if s := x.Stats(); s.Subscriptions != 0 {
		t.Errorf("subscriptions left: got %d, want 0", s.Subscriptions)
	}
}
