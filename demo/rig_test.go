package demo

import (
	"context"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"dvmrelay/index"
	"dvmrelay/mirror"
	"dvmrelay/nip90"
	"dvmrelay/policies"
	"dvmrelay/relay"
	"dvmrelay/store"
	"dvmrelay/store/storetest"
)

// rig is a whole relay with the index that it serves, and no market yet.
type rig struct {
	t     testing.TB
	store *storetest.Running
	index *index.Index
	relay *relay.Relay
	seen  *index.Sightings
	stage *Stage
	url   string
}

// newRig opens one in a directory of the test. Stop ends it early.
func newRig(t testing.TB, dir string) (r *rig, stop func()) {
	t.Helper()
	r = &rig{t: t, stage: NewStage(nil)}
	r.index = index.New(index.Options{KeepCustomer: true, Listening: r.stage})
	var rl atomic.Pointer[relay.Relay]
	var seen atomic.Pointer[index.Sightings]
	var set *policies.Set
	r.store = storetest.Open(t, storetest.Check(r.index.Check), storetest.With(func(o *store.Options) {
		o.Dir, o.Indexer = dir, r.index
		o.Admit = func(txn store.Txn, p *nip90.Parsed) error { return set.Admit(r.index.Known(txn), p) }
		o.Committed = func(version uint64, cs []store.Commit) {
			rl.Load().Committed(version, cs)
			seen.Load().Committed(version, cs)
		}
	}))
	var err error
	r.seen, err = index.NewSightings(r.index, r.store.Store)
	fatal(t, err)
	set, err = policies.New(policies.DefaultOptions(), policies.Deps{Standing: policies.View(func() (policies.Known, func()) {
		snap := r.store.Snapshot()
		return r.index.Known(snap), snap.Close
	})})
	fatal(t, err)
	r.relay, err = relay.New(relay.DefaultOptions(), relay.Deps{Store: r.store.Store, Index: r.index, Policies: set})
	fatal(t, err)
	rl.Store(r.relay)
	seen.Store(r.seen)
	fatal(t, r.index.Settle(context.Background(), r.store.Store))
	endSeen, endRelay := running(t, r.seen.Run), running(t, r.relay.Run)
	srv := httptest.NewServer(r.relay.Handler())
	r.url = "ws" + strings.TrimPrefix(srv.URL, "http")
	ended := false
	stop = func() {
		if !ended {
			ended = true
			endRelay()
			srv.Close()
			endSeen()
			r.store.Stop()
		}
	}
	t.Cleanup(stop)
	return r, stop
}

// running runs a part until the function that it returns is called, which waits for it.
func running(t testing.TB, run func(context.Context) error) (end func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- run(ctx) }()
	return func() {
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("run: %v", err)
			}
		case <-time.After(30 * time.Second):
			t.Error("run does not end within 30 s")
		}
	}
}

func fatal(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// market is one over the rig. Without live it only fills in the past.
func (r *rig) market(live bool, change func(*Options)) *Market {
	o := Options{Sink: r.relay, State: r.store.Store, Seen: r.seen.Saw, Stage: r.stage, Rhythm: Rhythm{Past: 3 * time.Minute}}
	if live {
		o.URL = func() string { return r.url }
	}
	if change != nil {
		change(&o)
	}
	return New(o)
}

var _ mirror.State = (*store.Store)(nil)

// threads are all jobs as the API shows each.
func (r *rig) threads() (list []index.Thread) {
	r.t.Helper()
	snap := r.store.Snapshot()
	defer snap.Close()
	q := index.ThreadQuery{Limit: index.MaxLimit}
	for {
		page, err := r.index.Threads(snap, q)
		fatal(r.t, err)
		for i := range page.Items {
			th, ok, err := r.index.Thread(snap, page.Items[i].ID)
			fatal(r.t, err)
			if !ok {
				r.t.Fatalf("job %s is listed and not there", page.Items[i].ID)
			}
			list = append(list, th)
		}
		if q.Cursor = page.Next; q.Cursor == "" {
			return list
		}
	}
}
