package demo

import (
	"context"
	"strconv"
	"testing"
	"time"

	"dvmrelay/index"
)

// A fresh directory shows every state, view, payment and reason that there is, every role, and services in every condition.
func TestMarket_EverythingIsOnStage(t *testing.T) {
	r, _ := newRig(t, "")
	fatal(t, r.market(false, func(o *Options) { o.Rhythm.Past = 10 * time.Minute }).Run(context.Background()))
	fatal(t, r.seen.Flush(context.Background()))
	t.Run("jobs", func(t *testing.T) { jobsOnStage(t, r) })
	t.Run("services", func(t *testing.T) { servicesOnStage(t, r) })
	t.Run("sources", func(t *testing.T) {
		snap := r.store.Snapshot()
		defer snap.Close()
		counts, err := r.index.Exclusive(snap)
		fatal(t, err)
		if counts[upstreamList[0].url] == 0 {
			t.Errorf("no upstream has an event of its own: %v", counts)
		}
	})
}

// want fails for each name that was not counted.
func want(t *testing.T, what string, names []string, got map[string]int) {
	t.Helper()
	for _, name := range names {
		if got[name] == 0 {
			t.Errorf("nothing with the %s %s", what, name)
		}
	}
	t.Logf("%s: %v", what, got)
}

func jobsOnStage(t *testing.T, r *rig) {
	states, payments, why, roles, kinds := map[string]int{}, map[string]int{}, map[string]int{}, map[string]int{}, map[string]int{}
	extras := map[string]int{}
	list := r.threads()
	for i := range list {
		th := &list[i]
		states[th.State]++
		payments[th.Payment]++
		kinds[strconv.Itoa(th.Kind)]++
		if th.Stalled {
			states[index.StateStalled]++
		}
		if len(th.ChainedFrom) > 0 && th.State == index.StateSuccess {
			extras["chain"]++
		}
		if th.Encrypted && th.State == index.StateSuccess {
			extras["encrypted"]++
		}
		if len(th.Providers) > 1 {
			extras["competition"]++
		}
		for _, y := range th.Why {
			why[y.Code]++
			for _, e := range y.Evidence {
				why[y.Code+" by "+e.What]++
			}
		}
		for _, e := range th.Events {
			roles[e.Role]++
		}
	}
	snap := r.store.Snapshot()
	defer snap.Close()
	page, err := r.index.Threads(snap, index.ThreadQuery{State: index.StateUnanswered})
	fatal(t, err)
	states[index.StateUnanswered] = len(page.Items)
	want(t, "state", index.States(), states)
	want(t, "payment", index.Payments(), payments)
	want(t, "reason", append(index.WhyCodes(), "addressed-provider-offline by heartbeat", "answered-elsewhere-possible by later-job"), why)
	want(t, "role", []string{"request", "feedback", "result", "zap", "nutzap", "cancel", "refund", "report"}, roles)
	want(t, "kind", []string{"5300", "5050", "5100", "5000", "5250", "5002", "5900", "5302", "5999"}, kinds)
	want(t, "extra", []string{"chain", "encrypted", "competition"}, extras)
	for kind, n := range kinds {
		if n > kinds["5300"] {
			t.Errorf("%d jobs of kind %s, more than the %d of kind 5300", n, kind, kinds["5300"])
		}
	}
}

func servicesOnStage(t *testing.T, r *rig) {
	got := map[string]int{}
	snap := r.store.Snapshot()
	defer snap.Close()
	page, err := r.index.Handlers(snap, index.HandlerQuery{Limit: index.MaxLimit})
	fatal(t, err)
	for i := range page.Items {
		h := &page.Items[i]
		got["price "+h.Price.Kind]++
		for name, is := range map[string]bool{
			"online": h.Online, "offline": !h.Online, "encryption": h.Encryption, "nutzaps": h.Nutzaps, "picture": h.Picture != "", "params": h.Params != nil,
			"recommended": h.RecommendedBy > 0, "reported": h.Reports > 0, "superseded": h.SupersededBy != "", "relays": len(h.Relays) > 0,
		} {
			if is {
				got[name]++
			}
		}
		for _, f := range h.Findings {
			got[f.Code]++
		}
	}
	names := []string{
		"online", "offline", "encryption", "nutzaps", "picture", "params", "recommended", "reported", "superseded", "relays",
		"price free", "price fixed", "price flexible", "price unknown",
		"handler-content-unreadable", "superseded", "duplicate", "d-shared", "republished", "stale", "never-answers",
	}
	want(t, "service", names, got)
	if n := len(page.Items); n < 20 {
		t.Errorf("%d announcements, want 20 or more", n)
	}
}
