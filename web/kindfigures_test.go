package web

import (
	"testing"
	"time"
)

// TestKinds_AreCountedBeforeSomebodyAsks: what is kept is counted again, and whatever may show more than there is goes.
func TestKinds_AreCountedBeforeSomebodyAsks(t *testing.T) {
	r := newRig(t, DefaultOptions())
	ctx := r.running()
	requests := func() (n int64) {
		kinds, err := r.site.kindsLately(ctx, "30d")
		if err != nil {
			t.Fatal(err)
		}
		for i := range kinds.Items {
			n += kinds.Items[i].Requests
		}
		return n
	}
	until := func(what string, done func() bool) {
		t.Helper()
		for deadline := time.Now().Add(20 * time.Second); !done(); {
			if time.Now().After(deadline) {
				t.Fatal(what)
			}
		}
	}
	until("the site does not run", r.site.running)
	if n := requests(); n != 0 {
		t.Fatalf("%d requests, want none", n)
	}
	r.story()
	r.clock.Add(3)
	until("the counts stay what they were", func() bool { return requests() == 1 })
}

func TestKindFigures_AreLetGo(t *testing.T) {
	var f kindFigures
	now := time.Unix(1_740_000_000, 0)
	kept := &Kinds{Window: "30d"}
	f.keep("30d", &kindsCounted{at: now, loss: 7, cost: time.Millisecond, wanted: now, kinds: kept})
	for name, got := range map[string]*Kinds{
		"another window":   f.want("7d", now, 7),
		"after a deletion": f.want("30d", now, 8),
		"too old":          f.want("30d", now.Add(kindsFor), 7),
		"of the future":    f.want("30d", now.Add(-time.Second), 7),
	} {
		if got != nil {
			t.Errorf("%s: it is shown", name)
		}
	}
	if f.want("30d", now.Add(time.Second), 7) != kept {
		t.Error("what was counted a second ago is not shown")
	}
	if list := f.stale(now.Add(time.Second)); len(list) != 0 {
		t.Errorf("%v is counted again after a second", list)
	}
	if list := f.stale(now.Add(3 * time.Second)); !list["30d"].Equal(now.Add(time.Second)) {
		t.Errorf("%v is counted again, want what was looked at", list)
	}
	if list := f.stale(now.Add(time.Minute)); len(list) != 0 || len(f.by) != 0 {
		t.Errorf("%v is counted again though nobody looks", list)
	}
}
