package mirror_test

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http/httptest"
	"os"
	"slices"
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
	"dvmrelay/wire"

	"github.com/google/go-cmp/cmp"
	"github.com/nbd-wtf/go-nostr"
)

// hub is a whole relay on a port of its own.
type hub struct {
	t     testing.TB
	store *storetest.Running
	index *index.Index
	relay *relay.Relay
	addr  string
}

// newHub opens one; change may alter the options of its store.
func newHub(t testing.TB, change ...func(*store.Options)) *hub {
	t.Helper()
	h := &hub{t: t, index: index.New(index.Options{KeepCustomer: true})}
	var rl atomic.Pointer[relay.Relay]
	var set *policies.Set
	h.store = storetest.Open(t, storetest.Check(h.index.Check), storetest.With(func(o *store.Options) {
		o.Indexer = h.index
		o.Admit = func(txn store.Txn, p *nip90.Parsed) error { return set.Admit(h.index.Known(txn), p) }
		o.Committed = func(version uint64, cs []store.Commit) { rl.Load().Committed(version, cs) }
		for _, c := range change {
			c(o)
		}
	}))
	var err error
	set, err = policies.New(policies.DefaultOptions(), policies.Deps{Standing: policies.View(func() (policies.Known, func()) {
		snap := h.store.Snapshot()
		return h.index.Known(snap), snap.Close
	})})
	if err != nil {
		t.Fatal(err)
	}
	h.relay, err = relay.New(relay.DefaultOptions(), relay.Deps{Store: h.store.Store, Index: h.index, Policies: set})
	if err != nil {
		t.Fatal(err)
	}
	rl.Store(h.relay)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- h.relay.Run(ctx) }()
	srv := httptest.NewServer(h.relay.Handler())
	h.addr = "ws" + strings.TrimPrefix(srv.URL, "http")
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("run relay: %v", err)
		}
		srv.Close()
	})
	return h
}

func (h *hub) submit(evt *nostr.Event, raw []byte) mirror.Verdict {
	h.t.Helper()
	p, err := nip90.Open(evt, raw, nip90.DoorImport, time.Now())
	if err != nil {
		h.t.Fatal(err)
	}
	return h.relay.Submit(context.Background(), p)
}

// real brings in the real events that have not expired: of the others only facts would be left, which no mirror sees.
func (h *hub) real() {
	h.t.Helper()
	f, err := os.Open("testdata/real-events.jsonl")
	if err != nil {
		h.t.Fatal(err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		evt, raw, err := wire.ParseEvent(lines.Bytes(), wire.Limits{})
		if err != nil {
			h.t.Fatal(err)
		}
		if at := nip90.Expiration(evt); at != 0 && at <= time.Now().Unix() {
			continue
		}
		if v := h.submit(evt, raw); v.Outcome == mirror.Failed {
			h.t.Fatalf("event %s: %v", evt.ID, v.Err)
		}
	}
}

// served are the ids of what mirrors ask for, as the hub serves it.
func (h *hub) served() []string {
	h.t.Helper()
	var ids []string
	kinds := append(mirror.DefaultKinds(), 31990, 31989)
	for raw, err := range h.store.Query(context.Background(), nostr.Filter{Kinds: kinds, Limit: 100_000}) {
		if err != nil {
			h.t.Fatal(err)
		}
		ids = append(ids, raw.ID.String())
	}
	slices.Sort(ids)
	return ids
}

// follow runs a mirror of other hubs into this one, until the returned stop.
func (h *hub) follow(others ...*hub) (*mirror.Mirror, func()) {
	h.t.Helper()
	o := mirror.Options{}
	for _, other := range others {
		o.Upstreams = append(o.Upstreams, other.addr)
	}
	m := mirror.New(o, h.relay, h.store.Store)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- m.Run(ctx) }()
	var stopped atomic.Bool
	stop := func() {
		if stopped.Swap(true) {
			return
		}
		cancel()
		if err := <-done; err != nil {
			h.t.Errorf("run mirror: %v", err)
		}
	}
	h.t.Cleanup(stop)
	h.until("backfill", func() bool {
		for _, u := range m.Upstreams() {
			if u.State != mirror.StateLive {
				return false
			}
		}
		return true
	})
	return m, stop
}

func (h *hub) until(what string, ok func() bool) {
	h.t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		if time.Now().After(deadline) {
			h.t.Fatalf("not within 30 s: %s", what)
		}
		<-tick.C
	}
}

func signed(t testing.TB, kind int, tags ...nostr.Tag) (*nostr.Event, []byte) {
	t.Helper()
	evt := &nostr.Event{Kind: kind, CreatedAt: nostr.Now(), Tags: tags}
	if err := evt.Sign(nostr.GeneratePrivateKey()); err != nil {
		t.Fatal(err)
	}
	return evt, wire.AppendEventJSON(nil, evt)
}

func TestHubs_OneMirrorsTheOtherAndThreadsAreTheSame(t *testing.T) {
	a, b := newHub(t), newHub(t)
	a.real()
	want := a.served()
	if len(want) < 50 {
		t.Fatalf("the first hub serves %d events, want at least 50", len(want))
	}
	m, stop := b.follow(a)
	if d := cmp.Diff(want, b.served()); d != "" {
		t.Fatalf("the second hub differs: -first +second\n%s", d)
	}
	if st := m.Upstreams()[0]; st.Accepted != uint64(len(want)) || len(st.Rejected) != 0 {
		t.Errorf("status = %+v, want %d accepted and none rejected", st, len(want))
	}
	for _, id := range want {
		if x, y := a.thread(id), b.thread(id); x != y {
			t.Errorf("thread of %s: first %s, second %s", id, x, y)
		}
	}
	live, raw := signed(t, 5300, nostr.Tag{"i", "x", "text"})
	if v := a.submit(live, raw); v.Outcome != mirror.Stored {
		t.Fatalf("live event: %+v", v)
	}
	b.until("the live event", func() bool { return slices.Contains(b.served(), live.ID) })
	stop()

	missed, raw := signed(t, 5300, nostr.Tag{"i", "y", "text"})
	a.submit(missed, raw)
	m, _ = b.follow(a)
	b.until("the missed event", func() bool { return slices.Contains(b.served(), missed.ID) })
	b.until("the count", func() bool { return m.Upstreams()[0].Accepted > 0 }) // it follows the event
	if st := m.Upstreams()[0]; st.Accepted != 1 || st.Duplicates > 6 {
		t.Errorf("after the restart: %d accepted, %d duplicates, want 1 and no more than the overlap brings", st.Accepted, st.Duplicates)
	}
}

// thread is how a hub sees the job of an event, without what depends on the moment or on other kinds of events.
func (h *hub) thread(id string) string {
	h.t.Helper()
	ref, err := nip90.ParseReference(id)
	if err != nil {
		h.t.Fatal(err)
	}
	out := ""
	err = h.store.View(func(r store.Reader) error {
		th, ok, err := h.index.Thread(r, ref.ID)
		if !ok || err != nil {
			return err
		}
		served := slices.DeleteFunc(th.Events, func(e index.Entry) bool { return e.Event == nil })
		raw, err := json.Marshal(served)
		out = th.ID.String() + th.State + string(raw)
		return err
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return out
}

func TestHubs_MirroringEachOtherDoNotEcho(t *testing.T) {
	a, b := newHub(t), newHub(t)
	ma, _ := a.follow(b)
	mb, _ := b.follow(a)
	live, raw := signed(t, 5300, nostr.Tag{"i", "x", "text"})
	a.submit(live, raw)
	b.until("the live event", func() bool { return slices.Contains(b.served(), live.ID) })
	second, raw := signed(t, 5300, nostr.Tag{"i", "y", "text"})
	b.submit(second, raw)
	a.until("the answer", func() bool { return slices.Contains(a.served(), second.ID) })
	for name, m := range map[string]*mirror.Mirror{"first": ma, "second": mb} {
		a.until("the count", func() bool { return m.Upstreams()[0].Accepted > 0 }) // it follows the event
		b.until("the count", func() bool { return m.Upstreams()[0].Accepted > 0 }) // it follows the event
		if st := m.Upstreams()[0]; st.Accepted != 1 || st.Duplicates > 1 {
			t.Errorf("%s hub: %d accepted, %d duplicates, want each event once and its echo at most once", name, st.Accepted, st.Duplicates)
		}
	}
}
