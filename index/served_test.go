package index

import (
	"fmt"
	"testing"

	"dvmrelay/store"

	"github.com/google/go-cmp/cmp"
)

// TestServers_RememberedIsWhatIsCountedAnew: what a provider did of one kind is taken over from table to table, but for those
// who did something since, and who is eligible is counted each time.
func TestServers_RememberedIsWhatIsCountedAnew(t *testing.T) {
	r := newRig(t, nil)
	at := int64(1000)
	names := make([]string, fewProviders+4)
	serve := func(name string, kind int, n int) {
		job := event("alice", kind, at+int64(n), fmt.Sprint(name, kind, n), tag("i", "paint a fox", "text"))
		r.put(t, job, event(name, kind+1000, at+int64(n)+2, "done", tag("e", job.ID)))
	}
	for i := range names {
		names[i] = fmt.Sprint("provider ", i)
		serve(names[i], 5100, i)
		serve(names[i], 5300, i)
	}
	detail := func(x *Index, kind int) (d KindDetail) {
		t.Helper()
		err := r.View(func(v store.Reader) (err error) {
			d, _, err = x.KindDetail(v, kind, KindQuery{})
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	same := func(what string) {
		t.Helper()
		for _, kind := range []int{5100, 5300} {
			got, want := detail(r.x, kind), detail(New(r.x.o), kind)
			if len(got.ServedBy) != len(names) {
				t.Errorf("%s: kind %d is served by %d, want %d", what, kind, len(got.ServedBy), len(names))
			}
			if diff := cmp.Diff(want.ServedBy, got.ServedBy); diff != "" {
				t.Errorf("%s: kind %d, counted anew and remembered (-, +):\n%s", what, kind, diff)
			}
		}
	}
	r.at.Store(epoch + at + 3600)
	same("at first")
	kept := 0
	for _, s := range r.x.seen.table.Load().providers {
		s.lately.Range(func(any, any) bool { kept++; return true })
	}
	if kept != 2*len(names) {
		t.Errorf("%d services are remembered, want %d", kept, 2*len(names))
	}
	serve(names[3], 5300, 200)
	r.put(t, event("bob", 5100, at+300, "", tag("i", "asked of nobody", "text")))
	r.at.Add(tableSeconds + 1)
	old := r.x.seen.table.Load()
	same("after one more job of one, and a request that nobody answered")
	if r.x.seen.table.Load() == old {
		t.Error("the table is the old one")
	}
	r.at.Add(tableSeconds + 1)
	same("later")
}
