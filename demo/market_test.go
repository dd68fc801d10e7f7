package demo

import (
	"context"
	"testing"
	"time"

	"dvmrelay/index"
)

// A fresh directory shows every state, view, payment and reason that there is.
func TestMarket_EverythingIsOnStage(t *testing.T) {
	r, _ := newRig(t, "")
	if err := r.market(false, func(o *Options) { o.Rhythm.Past = time.Hour }).Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	fatal(t, r.seen.Flush(context.Background()))
	states, payments, why := map[string]int{}, map[string]int{}, map[string]int{}
	list := r.threads()
	for i := range list {
		th := &list[i]
		states[th.State]++
		payments[th.Payment]++
		if th.Stalled {
			states[index.StateStalled]++
		}
		for _, y := range th.Why {
			why[y.Code]++
		}
	}
	snap := r.store.Snapshot()
	defer snap.Close()
	page, err := r.index.Threads(snap, index.ThreadQuery{State: index.StateUnanswered})
	fatal(t, err)
	states[index.StateUnanswered] = len(page.Items)
	for _, c := range []struct {
		what string
		want []string
		got  map[string]int
	}{{"state", index.States(), states}, {"payment", index.Payments(), payments}, {"reason", index.WhyCodes(), why}} {
		for _, name := range c.want {
			if c.got[name] == 0 {
				t.Errorf("no job with the %s %s", c.what, name)
			}
		}
		t.Logf("%s: %v", c.what, c.got)
	}
	if n := len(list); n < 250 || n > 3_000 {
		t.Errorf("the market has %d jobs, want 250 to 3,000", n)
	}
}
