package relay_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"dvmrelay/nip90"
	"dvmrelay/store"
	"dvmrelay/store/storetest"

	"github.com/nbd-wtf/go-nostr"
)

// TestSeam_NothingIsMissedAndNothingDoubled lets publishers and subscribers race: whoever subscribes while events are
// being stored must get each of them once, either as stored or as live.
func TestSeam_NothingIsMissedAndNothingDoubled(t *testing.T) {
	const publishers, each, subscribers = 4, 1000, 16
	r := open(t)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	batches := make([][]*nip90.Parsed, publishers)
	author := pub("customer")
	for p := range batches {
		for i := range each {
			// The store looks at no signature, and making thousands takes longer than the race.
			batches[p] = append(batches[p], storetest.Parsed(t, nostr.Event{PubKey: author, Kind: 5300, CreatedAt: nostr.Now(), Content: fmt.Sprint(p, i)}))
		}
	}
	// Subscriber i comes when about starts[i].at events are on their way.
	rng := rand.New(rand.NewPCG(seed, 1))
	starts := make([]struct {
		at int64
		ch chan struct{}
	}, subscribers)
	for i := range starts {
		starts[i].at, starts[i].ch = int64(rng.IntN(publishers*each)), make(chan struct{})
	}
	var sent atomic.Int64
	pass := func(n int64) {
		to := sent.Add(n)
		for _, s := range starts {
			if s.at >= to-n && s.at < to {
				close(s.ch)
			}
		}
	}
	var wg sync.WaitGroup
	begin := make(chan struct{})
	for _, batch := range batches {
		wg.Go(func() {
			<-begin
			for part := range slices.Chunk(batch, 10) {
				var under []*store.Pending
				for _, p := range part {
					pending, err := r.store.Submit(t.Context(), p)
					if err != nil {
						t.Errorf("submit: %v", err)
						return
					}
					under = append(under, pending)
				}
				pass(int64(len(part)))
				for _, pending := range under {
					if outcome, _, err := pending.Wait(t.Context()); err != nil || outcome != store.Stored {
						t.Errorf("store: %v %v", outcome, err)
					}
				}
			}
		})
	}
	for i := range subscribers {
		c := r.dial()
		wg.Go(func() {
			<-starts[i].ch
			c.send(`["REQ","a",{"kinds":[5300],"limit":5000}]`)
			seen := make(map[string]bool)
			stored, live := 0, -1
			for len(seen) < publishers*each {
				m, err := c.read()
				if err != nil {
					t.Errorf("subscriber %d: %d of %d events (%d stored): %v", i, len(seen), publishers*each, stored, err)
					return
				}
				if m.text(0) == "EOSE" {
					stored, live = len(seen), 0
					continue
				}
				if id := m.id(); seen[id] {
					t.Errorf("subscriber %d: %s came twice", i, id)
				} else {
					seen[id] = true
				}
			}
			for live < 0 { // all were stored: EOSE is still to come
				m, err := c.read()
				if err != nil || m.text(0) != "EOSE" {
					t.Errorf("subscriber %d: %v %v, want EOSE", i, m, err)
					return
				}
				live = 0
			}
			// What comes now was either sent twice or is the answer to this.
			c.send(`["NEG-OPEN","end",{},"61"]`)
			if m, err := c.read(); err != nil || m.text(0) != "NEG-ERR" {
				t.Errorf("subscriber %d: %v %v after everything", i, m, err)
			}
		})
	}
	close(begin)
	wg.Wait()
}

// TestOrder_OneSocketsEventsAreStoredAsSent uses rules that depend on order: a profile is taken only after the job that
// makes its author known, all sent in one breath.
func TestOrder_OneSocketsEventsAreStoredAsSent(t *testing.T) {
	r := open(t)
	watcher := r.dial()
	watcher.send(`["REQ","a",{"limit":0}]`)
	watcher.want("EOSE")
	c := r.dial()
	const n = 60
	var want, messages []string
	for i := range n {
		by := fmt.Sprint("customer", i)
		// The first is slow to judge, the second fast.
		job := event(by, 5300, strings.Repeat("long", 1000*(i%3)))
		profile := event(by, 0, "{}")
		want = append(want, job.ID, profile.ID)
		messages = append(messages, publish(job), publish(profile))
	}
	c.send(messages...)
	for range messages {
		if m := c.want("OK"); m.text(2) != "true" {
			t.Errorf("got %s", m)
		}
	}
	for i, id := range want {
		if got := watcher.want("EVENT").id(); got != id {
			t.Fatalf("event %d was stored as %s, want %s", i, got, id)
		}
	}
}

func TestOrder_RequestSeesTheEventsSentBeforeIt(t *testing.T) {
	r := open(t)
	c := r.dial()
	for round := range 10 {
		var messages []string
		for i := range 15 {
			messages = append(messages, publish(event("customer", 5300, fmt.Sprint(round, i))))
		}
		messages = append(messages, `["REQ","a",{"kinds":[5300]}]`, `["COUNT","n",{"kinds":[5300]}]`, `["CLOSE","a"]`)
		// CLOSE may cut the answer short; the COUNT is whole.
		c.send(messages...)
		for {
			if m := c.recv(); m.text(0) == "COUNT" {
				if want := fmt.Sprintf(`{"count":%d}`, 15*(round+1)); m.text(2) != want {
					t.Fatalf("round %d: got %s, want %s", round, m, want)
				}
				break
			}
		}
	}
}

func TestOrder_AFloodOfOneSocketIsBounded(t *testing.T) {
	r := open(t, func(o *rigOptions) { o.relay.InFlight, o.relay.InFlightBytes = 8, 32<<10 })
	c := r.dial()
	var messages []string
	for i := range 300 {
		messages = append(messages, publish(event("customer", 5300, fmt.Sprint(i))))
	}
	most := make(chan int64, 1)
	stop := make(chan struct{})
	go func() {
		var high int64
		for {
			select {
			case <-stop:
				most <- high
				return
			default:
				high = max(high, r.relay.Gauges().InFlight)
			}
		}
	}()
	c.send(messages...)
	for range messages {
		c.want("OK", "*", "true")
	}
	close(stop)
	if got := <-most; got > 8 {
		t.Errorf("%d events were under way at once, want at most 8", got)
	}
}

func TestLive_OldEventsOfBackfillAreNotTold(t *testing.T) {
	r := open(t)
	c := r.dial()
	c.send(`["REQ","a",{"kinds":[5300],"limit":0}]`)
	c.want("EOSE")
	now := time.Now().Unix()
	old, fresh := eventAt("customer", 5300, now-3600, "old"), eventAt("customer", 5300, now-60, "fresh")
	for _, e := range []*nostr.Event{old, fresh} {
		if v := r.relay.Submit(t.Context(), parsed(t, e)); v.Err != nil || v.Reason != "" {
			t.Fatalf("submit: %+v", v)
		}
	}
	r.dial().publish(eventAt("customer", 5300, now-7200, "older, over a socket"))
	if got := c.want("EVENT").id(); got != fresh.ID {
		t.Errorf("got %s live, want %s", got, fresh.ID)
	}
	c.want("EVENT")
	if got := c.query(`{"kinds":[5300]}`); len(got) != 3 {
		t.Errorf("%d are stored, want 3", len(got))
	}
}

func TestRun_EndSaysGoodbyeToAll(t *testing.T) {
	r := open(t)
	clients := []*client{r.dial(), r.dial(), r.dial()}
	for _, c := range clients {
		c.send(`["REQ","a",{"kinds":[5300]}]`)
		c.want("EOSE")
	}
	r.stop()
	for _, c := range clients {
		c.wantClose(1001)
	}
	if got := r.relay.Gauges().Dropped["shutdown"]; got != 3 {
		t.Errorf("counted %d goodbyes, want 3", got)
	}
	late, err := r.connect()
	if err == nil {
		defer func() { _ = late.Close() }()
		wantHangup(t, late)
	}
}
