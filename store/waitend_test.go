package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"dvmrelay/nip90"
	"dvmrelay/store"
	"dvmrelay/store/storetest"

	"github.com/nbd-wtf/go-nostr"
)

// TestWaiting_WithdrawnStaysAway: what its author deleted, or forgot, while it waited is never served, whichever came first.
func TestWaiting_WithdrawnStaysAway(t *testing.T) {
	for _, kind := range []int{nip90.KindDeletion, nip90.KindVanish} {
		for _, first := range []string{"the event", "the wish"} {
			for _, stranger := range []bool{false, true} {
				t.Run(fmt.Sprintf("kind %d after %s, by a stranger %t", kind, first, stranger), func(t *testing.T) {
					r := openWaiting(t)
					job := storetest.Parsed(t, event(1, 5300, waitEpoch-100))
					child := report(t, 2, job)
					author := 2
					if stranger {
						author = 3
					}
					wish := storetest.Parsed(t, event(author, kind, waitEpoch, nostr.Tag{"e", child.Event.ID}, nostr.Tag{"relay", "ALL_RELAYS"}))
					list := []*nip90.Parsed{child, wish}
					if first == "the wish" {
						slices.Reverse(list)
					}
					for _, p := range list {
						if _, _, err := r.Save(context.Background(), p); err != nil {
							t.Fatal(err)
						}
					}
					r.put(t, job, store.Stored)
					// Erasing goes on in steps behind the commit.
					eventually(t, "nothing of it waits", func() bool { return !r.Waits(child.ID) })
					want := []string{job.Event.ID, child.Event.ID}
					if !stranger {
						want = []string{job.Event.ID, wish.Event.ID}
					}
					for _, c := range r.told.take() {
						if c.Parsed != nil && c.Outcome == store.Stored && !slices.Contains(want, c.Parsed.Event.ID) && !(stranger && c.Parsed.ID == wish.ID) {
							t.Errorf("%s was told as stored", c.Parsed.ID)
						}
					}
					got := r.IDs(t, nostr.Filter{})
					got = slices.DeleteFunc(got, func(id string) bool { return stranger && id == wish.Event.ID })
					slices.Sort(got)
					slices.Sort(want)
					if !slices.Equal(got, want) {
						t.Errorf("served: %v, want %v", got, want)
					}
				})
			}
		}
	}
}

// TestWaiting_VanishedKeyLeavesNoRow erases more than one step takes.
func TestWaiting_VanishedKeyLeavesNoRow(t *testing.T) {
	r := openWaiting(t)
	for i := range 300 {
		r.put(t, report(t, 2, storetest.Parsed(t, event(1, 5300, int64(i)))), store.Waiting)
	}
	later := storetest.Parsed(t, event(2, nip90.KindReport, waitEpoch+10, nostr.Tag{"e", strings.Repeat("a", 64)}))
	other := report(t, 3, storetest.Parsed(t, event(1, 5300, 1)))
	r.put(t, later, store.Waiting)
	r.put(t, other, store.Waiting)
	r.put(t, storetest.Parsed(t, event(2, nip90.KindVanish, waitEpoch, nostr.Tag{"relay", "wss://elsewhere.example"})), store.Waiting)
	r.put(t, storetest.Parsed(t, event(2, nip90.KindVanish, waitEpoch, nostr.Tag{"relay", "ALL_RELAYS"})), store.Stored)
	eventually(t, "the rows are erased", func() bool { return r.Stats().Waiting == 2 })
	if !r.Waits(later.ID) || !r.Waits(other.ID) {
		t.Error("what was made later, or by another, is gone")
	}
	again := report(t, 2, storetest.Parsed(t, event(1, 5300, 7)))
	r.put(t, again, store.Deleted)
}

// TestWaiting_FailedAdoptionIsDropped: what is refused for good when its time has come goes, and holds nothing up.
func TestWaiting_FailedAdoptionIsDropped(t *testing.T) {
	r := openWaiting(t, storetest.With(func(o *store.Options) {
		o.Admit = func(txn store.Txn, p *nip90.Parsed) error {
			if err := rule(txn, p); err != nil || p.Event.Content != "bad" {
				return err
			}
			return errors.New("refused for good")
		}
	}))
	job := storetest.Parsed(t, event(1, 5300, waitEpoch-100))
	bad := event(2, nip90.KindReport, waitEpoch, nostr.Tag{"e", job.Event.ID})
	bad.Content = "bad"
	r.put(t, storetest.Parsed(t, bad), store.Waiting)
	good := report(t, 3, job)
	r.put(t, good, store.Waiting)
	if change := r.put(t, job, store.Stored); !slices.Equal(change.Adopted, []nip90.ID{good.ID}) {
		t.Errorf("adopted %v", change.Adopted)
	}
	r.waiting(t, 0)
	if st := r.Stats(); st.Adopted != 1 || st.Lapsed != 1 || st.Facts != 2 {
		t.Errorf("adopted %d, lapsed %d, %d facts", st.Adopted, st.Lapsed, st.Facts)
	}
}

// TestWaiting_SnapshotKeepsTheRow: whoever looks through a snapshot sees the rows as they were.
func TestWaiting_SnapshotKeepsTheRow(t *testing.T) {
	r := openWaiting(t)
	job := storetest.Parsed(t, event(1, 5300, waitEpoch-100))
	r.put(t, report(t, 2, job), store.Waiting)
	snap := r.Snapshot()
	defer snap.Close()
	r.put(t, job, store.Stored)
	seen, err := store.Inspect(snap)
	if err != nil || seen.Waiting != 1 || seen.Facts != 0 {
		t.Errorf("in the snapshot: %+v, %v", seen, err)
	}
}

func TestVerify_NamesWaitingRowsThatAreWrong(t *testing.T) {
	r := openWaiting(t)
	job := storetest.Parsed(t, event(1, 5300, waitEpoch-100))
	r.put(t, report(t, 2, job), store.Waiting)
	r.put(t, job, store.Stored)
	counted := report(t, 3, job)
	r.put(t, counted, store.Stored)
	other := report(t, 2, storetest.Parsed(t, event(1, 5300, 1)))
	r.put(t, other, store.Waiting)
	keys, values := rowsOf(t, r.Running, 'h')
	elsewhere := []byte(keys[0])
	elsewhere[len(elsewhere)-3] ^= 0xff
	later := []byte(keys[0])
	later[6]++
	known := slices.Concat([]byte(keys[0][:7]), counted.ID[:])
	for name, x := range map[string]struct {
		rows map[string][]byte
		want string
	}{
		"damaged":   {map[string][]byte{keys[0]: values[0][:60]}, "damaged"},
		"elsewhere": {map[string][]byte{string(elsewhere): values[0]}, "damaged"},
		"twice":     {map[string][]byte{string(later): values[0]}, "waits twice"},
		"counted":   {map[string][]byte{string(known): bytes.Replace(values[0], []byte(other.Event.ID), []byte(counted.Event.ID), 1)}, "has a fact"},
	} {
		damage(t, r.Running, x.rows)
		if err := r.View(store.Verify); err == nil || !strings.Contains(err.Error(), x.want) {
			t.Errorf("%s: got %v, want a fault with %q", name, err, x.want)
		}
		undo := map[string][]byte{}
		for key := range x.rows {
			undo[key] = nil
		}
		undo[keys[0]] = values[0]
		damage(t, r.Running, undo)
	}
}
