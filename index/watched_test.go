package index

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"dvmrelay/nip90"
	"dvmrelay/store"
)

func (r *rig) watched() *Watched { return NewWatched(r.x, r.View) }

func names(t *testing.T, keys []nip90.PubKey) (all []string) {
	t.Helper()
	for _, pk := range keys {
		name := "?"
		for _, n := range []string{"alice", "anna", "bob", "carol", "dave", "erin", "frank"} {
			if pk == pub(t, n) {
				name = n
			}
		}
		all = append(all, name)
	}
	return all
}

func TestWatched_ProvidersThatWorkComeBeforeThoseThatAnnounce(t *testing.T) {
	r := newRig(t, nil)
	old, late := request("alice", 100), request("alice", 500)
	r.put(t, old, late,
		feedback("bob", 110, "processing", old.ID), feedback("carol", 510, "processing", late.ID),
		announce("dave", "x", "D", 900, "5300"), announce("erin", "x", "E", 950, "5300"),
		announce("frank", "x", "F", -5000, "5300"), announce("bob", "x", "B", 990, "5300"))
	for _, tc := range []struct {
		since int64
		limit int
		want  []string
	}{
		{epoch, 10, []string{"bob", "carol", "erin", "dave"}},
		{epoch, 3, []string{"bob", "carol", "erin"}},
		{epoch + 400, 10, []string{"carol", "bob", "erin", "dave"}}, // bob has only announced since
		{epoch - 6000, 10, []string{"bob", "carol", "erin", "dave", "frank"}},
		{epoch + 2000, 10, nil},
	} {
		got, err := r.watched().Providers(tc.since, tc.limit)
		if err != nil || !slices.Equal(names(t, got), tc.want) {
			t.Errorf("since %d, at most %d: got %v, %v; want %v", tc.since-epoch, tc.limit, names(t, got), err, tc.want)
		}
	}
}

func TestWatched_CustomersOfLateJobs(t *testing.T) {
	for _, keep := range []bool{true, false} {
		r := newRig(t, func(o *Options) { o.KeepCustomer = keep })
		r.put(t, request("alice", 100), request("anna", 200), request("alice", 300), request("bob", -100))
		want := []string{"alice", "anna"}
		if !keep {
			want = nil
		}
		if got, err := r.watched().Customers(epoch, 10); err != nil || !slices.Equal(names(t, got), want) {
			t.Errorf("customers kept %t: got %v, %v; want %v", keep, names(t, got), err, want)
		}
		if got, err := r.watched().Customers(epoch, 1); err != nil || !slices.Equal(names(t, got), want[:min(1, len(want))]) {
			t.Errorf("customers kept %t, at most one: got %v, %v", keep, names(t, got), err)
		}
	}
}

func TestWatched_LooksOnceForManyThatAsk(t *testing.T) {
	r := newRig(t, nil)
	r.put(t, request("alice", 100))
	looks, fault := 0, errors.New("closed")
	w := NewWatched(r.x, func(fn func(store.Reader) error) error {
		if looks++; looks == 1 {
			return fault
		}
		return r.View(fn)
	})
	if _, err := w.Customers(epoch, 10); !errors.Is(err, fault) {
		t.Errorf("error = %v, want %v", err, fault)
	}
	for i := range int64(20) {
		got, err := w.Customers(epoch+i, 10)
		if err != nil || len(got) != 1 {
			t.Fatalf("got %v, %v; want alice", got, err)
		}
		got[0] = nip90.PubKey{} // it is the caller's
	}
	if looks != 2 {
		t.Errorf("the store was read %d times, want once after the failure", looks)
	}
	if got, err := w.Customers(epoch+200, 10); err != nil || len(got) != 0 || looks != 3 {
		t.Errorf("another window: got %v, %v after %d looks, want nobody after 3", got, err, looks)
	}
}

// BenchmarkWatched measures who is watched of 2,000 providers and a day of 8,000 jobs.
func BenchmarkWatched(b *testing.B) {
	r := newRig(b, nil)
	r.at.Store(epoch + 86400)
	for i := range 2000 {
		r.put(b, announce(fmt.Sprint("p", i), "x", "X", int64(i), "5300"))
	}
	for i := range 8000 {
		job := request(fmt.Sprint("c", i%500), int64(i*10), tag("n", fmt.Sprint(i)))
		r.put(b, job, feedback(fmt.Sprint("p", i%165), int64(i*10+1), "processing", job.ID))
	}
	for name, ask := range map[string]func(store.Reader, int64, int) ([]nip90.PubKey, error){"providers": r.x.Providers, "customers": r.x.Customers} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				err := r.View(func(v store.Reader) error {
					got, err := ask(v, epoch, 2000)
					if len(got) == 0 {
						b.Error("nobody")
					}
					return err
				})
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
