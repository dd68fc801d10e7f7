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

func TestFigures_AreLetGo(t *testing.T) {
	lost := uint64(7)
	f := figures[int]{loss: func() uint64 { return lost }}
	now := time.Unix(1_740_000_000, 0)
	f.keep("30d", figured[int]{counts: 5, at: now, loss: 7, cost: time.Millisecond, wanted: now})
	hidden := func(what, key string, at time.Time) {
		t.Helper()
		if got, ok := f.want(key, at); ok {
			t.Errorf("%s: %d is shown", what, got)
		}
	}
	hidden("another window", "7d", now)
	hidden("nobody looked for long", "30d", now.Add(figuresIdle+time.Second))
	hidden("of the future", "30d", now.Add(-time.Second))
	lost++
	hidden("after a deletion", "30d", now)
	lost--
	if got, ok := f.want("30d", now.Add(time.Second)); !ok || got != 5 {
		t.Error("what was counted a second ago is not shown")
	}
	if list := f.stale(now.Add(time.Second)); len(list) != 0 {
		t.Errorf("%v is counted again after a second", list)
	}
	if list := f.stale(now.Add(3 * time.Second)); !list["30d"].wanted.Equal(now.Add(time.Second)) {
		t.Errorf("%v is counted again, want what was looked at", list)
	}
	if list := f.stale(now.Add(time.Minute)); len(list) != 0 || len(f.by) != 0 {
		t.Errorf("%v is counted again though nobody looks", list)
	}
}

// TestFigures_DearOnesAreCountedSeldom: what takes a second is good for longer, and a look while it is counted is not lost.
func TestFigures_DearOnesAreCountedSeldom(t *testing.T) {
	var f figures[int]
	now := time.Unix(1_740_000_000, 0)
	f.keep("x", figured[int]{at: now, cost: time.Second, wanted: now})
	for at := time.Second; at < 49*time.Second; at += 10 * time.Second {
		if _, ok := f.want("x", now.Add(at)); !ok {
			t.Fatalf("it is not shown after %s, though somebody looks", at)
		}
		if list := f.stale(now.Add(at)); len(list) != 0 {
			t.Fatalf("it is counted again after %s", at)
		}
	}
	list := f.stale(now.Add(50 * time.Second))
	if len(list) != 1 {
		t.Fatal("it is never counted again")
	}
	if _, ok := f.want("x", now.Add(51*time.Second)); !ok {
		t.Fatal("it is not shown while it is counted")
	}
	f.keep("x", list["x"])
	if got := f.by["x"].wanted; !got.Equal(now.Add(51 * time.Second)) {
		t.Errorf("last looked at %s, want the look while it was counted", got)
	}
}
