package index

import (
	"testing"

	"dvmrelay/nip90"
	"dvmrelay/store"

	"github.com/google/go-cmp/cmp"
	"github.com/nbd-wtf/go-nostr"
)

func (r *rig) open(t *testing.T, since int64, limit int) (list []OpenJob) {
	t.Helper()
	err := r.View(func(v store.Reader) (err error) {
		list, err = r.x.OpenJobs(v, since, limit)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestOpenJobs_AreThoseThatMayBeAnsweredElsewhere(t *testing.T) {
	named := func(author string, at int64, tags ...nostr.Tag) nostr.Event {
		return request(author, at, append([]nostr.Tag{tag("relays", "wss://one.example", "wss://two.example")}, tags...)...)
	}
	open, old, bare := named("alice", 0), named("alice", -4000), request("alice", 1)
	done, cancelled, failed := named("alice", 2), named("alice", 3), named("alice", 4)
	dead, working := named("alice", 5, tag("expiration", at(60))), named("alice", 6)
	toBob := request("alice", 7, tag("p", key("bob")))
	lists := []nostr.Event{
		event("bob", 10002, -50, "", tag("r", "wss://bob-writes.example", "write"), tag("r", "wss://bob-reads.example", "read"), tag("r", "wss://bob.example")),
		event("dave", 10002, -50, "", tag("r", "wss://dave.example")),
	}
	r := newRig(t, nil)
	r.put(t, lists...)
	r.put(t, open, old, bare, done, cancelled, failed, dead, working, toBob, result("dave", 10, done.ID),
		event("alice", 5, 11, "", tag("e", cancelled.ID)), feedback("dave", 12, "error", failed.ID), feedback("dave", 13, "processing", working.ID))
	two := []string{"wss://one.example", "wss://two.example"}
	want := []OpenJob{
		{ID: mustID(t, toBob.ID), Kind: 5100, CreatedAt: epoch + 7, Writes: []string{"wss://bob-writes.example", "wss://bob.example"}},
		{ID: mustID(t, working.ID), Kind: 5100, CreatedAt: epoch + 6, Relays: two, Writes: []string{"wss://dave.example"}},
		{ID: mustID(t, open.ID), Kind: 5100, CreatedAt: epoch, Relays: two},
	}
	if d := cmp.Diff(want, r.open(t, epoch-3600, 100)); d != "" {
		t.Errorf("-want +got\n%s", d)
	}
	if few := r.open(t, epoch-3600, 1); len(few) != 1 {
		t.Errorf("%d jobs, want no more than asked for", len(few))
	}
}

func TestOpenJobs_OneCustomerHasNoMoreThanItsShare(t *testing.T) {
	r := newRig(t, nil)
	for i := range int64(maxOpenOfOne + 10) {
		r.put(t, request("mallory", 10+i, tag("relays", "wss://x.example")))
	}
	honest := request("alice", 0, tag("relays", "wss://one.example"))
	r.put(t, honest)
	list := r.open(t, epoch-3600, maxOpenOfOne+1)
	if len(list) != maxOpenOfOne+1 || list[maxOpenOfOne].ID.String() != honest.ID {
		t.Errorf("%d jobs, want %d of one and then the honest one", len(list), maxOpenOfOne)
	}
}

// followed is heard, with relays that were listened on for jobs.
type followed struct {
	heard
	on map[string][]string
}

func (f *followed) Followed(root nip90.ID) []string { return f.on[root.String()] }

func TestWhy_ARelayThatWasFollowedIsNoUnwatchedOne(t *testing.T) {
	near := request("alice", 0, tag("relays", "wss://Far.example:443/", "wss://further.example"))
	half := request("alice", 1, tag("relays", "wss://far.example", "wss://further.example"))
	f := &followed{on: map[string][]string{near.ID: {"wss://far.example", "wss://further.example"}, half.ID: {"wss://far.example"}}}
	r := newRig(t, func(o *Options) { o.Listening = f })
	r.put(t, near, half)
	for id, want := range map[string]int{near.ID: 0, half.ID: 1} {
		th, ok := r.thread(t, id)
		got := 0
		for _, y := range th.Why {
			if y.Code == whyUnwatched {
				got = len(y.Evidence)
			}
		}
		if !ok || got != want {
			t.Errorf("%s: %d relays called unwatched, want %d", id, got, want)
		}
	}
}
