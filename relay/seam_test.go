package relay_test

import (
	"context"
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

// race is publishers and subscribers at once. Whoever subscribes while events are being stored must get each of them
// once, either as stored or as live.
type race struct {
	r      *rig
	total  int
	sent   atomic.Int64
	starts []start
}

// start is when one subscriber comes: with about at events on their way.
type start struct {
	at int64
	ch chan struct{}
}

func TestSeam_NothingIsMissedAndNothingDoubled(t *testing.T) {
	const publishers, each, subscribers = 3, 800, 10
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	x := &race{r: open(t), total: publishers * each}
	for range subscribers {
		x.starts = append(x.starts, start{int64(rng.IntN(x.total)), make(chan struct{})})
	}
	author := pub("customer")
	batches := make([][]*nip90.Parsed, publishers)
	for p := range batches {
		for i := range each {
			// The store looks at no signature, and making thousands takes longer than the race.
			batches[p] = append(batches[p], storetest.Parsed(t, nostr.Event{PubKey: author, Kind: 5300, CreatedAt: nostr.Now(), Content: fmt.Sprint(p, i)}))
		}
	}
	var wg sync.WaitGroup
	for i, s := range x.starts {
		c := x.r.dial()
		wg.Go(func() {
			<-s.ch
			if err := x.subscribe(c); err != nil {
				t.Errorf("subscriber %d: %v", i, err)
			}
		})
	}
	for _, batch := range batches {
		wg.Go(func() {
			for part := range slices.Chunk(batch, 10) {
				if err := x.publish(t.Context(), part); err != nil {
					t.Errorf("publish: %v", err)
				}
			}
		})
	}
	wg.Wait()
}

// publish stores events, and lets the subscribers go whose time has come.
func (x *race) publish(ctx context.Context, events []*nip90.Parsed) error {
	var under []*store.Pending
	for _, p := range events {
		pending, err := x.r.store.Submit(ctx, p)
		if err != nil {
			return err
		}
		under = append(under, pending)
	}
	n := int64(len(events))
	to := x.sent.Add(n)
	for _, s := range x.starts {
		if s.at >= to-n && s.at < to {
			close(s.ch)
		}
	}
	for _, pending := range under {
		if outcome, _, err := pending.Wait(ctx); err != nil || outcome != store.Stored {
			return fmt.Errorf("outcome %v: %w", outcome, err)
		}
	}
	return nil
}

// subscribe reads until every event has come, and EOSE.
func (x *race) subscribe(c *client) error {
	c.send(`["REQ","a",{"kinds":[5300],"limit":5000}]`)
	seen := make(map[string]bool)
	for answered := false; len(seen) < x.total || !answered; {
		m, err := c.read()
		switch {
		case err != nil:
			return fmt.Errorf("after %d of %d events, EOSE %v: %w", len(seen), x.total, answered, err)
		case m.text(0) == "EOSE":
			answered = true
		case seen[m.id()]:
			return fmt.Errorf("%s came twice", m.id())
		default:
			seen[m.id()] = true
		}
	}
	c.send(`["NEG-MSG","end","61"]`)
	if m, err := c.read(); err != nil || m.text(0) != "NEG-ERR" {
		return fmt.Errorf("after everything: %v %w", m, err)
	}
	return nil
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
