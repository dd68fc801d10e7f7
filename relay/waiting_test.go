package relay_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"dvmrelay/index"
	"dvmrelay/mirror"
	"dvmrelay/nip90"
	"dvmrelay/store"
	"dvmrelay/store/storetest"

	"github.com/nbd-wtf/go-nostr"
)

const (
	notKnown = "restricted: names no job or provider known here yet"
	kept     = notKnown + " (kept 10 min in case it arrives)"
)

// through is an event as a door brings it.
func through(t testing.TB, door nip90.Door, e *nostr.Event) *nip90.Parsed {
	t.Helper()
	p := parsed(t, e)
	p.Door = door
	return p
}

func TestWaiting_SocketIsToldAndNothingIsCheckedTwice(t *testing.T) {
	r := open(t)
	c := r.dial()
	job := event("customer", 5300, "")
	zap := event("wallet", 9735, "", nostr.Tag{"e", job.ID})
	c.send(publish(zap))
	c.want("OK", zap.ID, "false", kept)
	c.send(publish(zap))
	c.want("OK", zap.ID, "false", kept)
	forged := *zap
	forged.Sig = strings.Repeat("0", 128)
	c.send(publish(&forged))
	c.want("OK", zap.ID, "false", kept)
	for _, door := range []nip90.Door{nip90.DoorMirror, nip90.DoorBackfill, nip90.DoorImport, nip90.DoorSync} {
		v := r.relay.Submit(context.Background(), through(t, door, zap))
		if v.Outcome != mirror.Ignored || v.Reason != mirror.ReasonWaiting {
			t.Errorf("door %d: %+v", door, v)
		}
	}
	if got := r.relay.Gauges().Verified; got != 1 {
		t.Errorf("%d signatures checked, want 1", got)
	}
	if got := c.query(`{}`); len(got) != 0 {
		t.Errorf("served while it waits: %v", got)
	}
	c.send(`["COUNT","n",{}]`)
	c.want("COUNT", "n", `{"count":0}`)
	empty := event("wallet", 9735, "about nothing at all")
	c.send(publish(empty))
	c.want("OK", empty.ID, "false", notKnown)
	c.publish(job)
	if got := c.query(`{"kinds":[9735]}`); !slices.Equal(got, []string{zap.ID}) {
		t.Errorf("got %v, want the zap", got)
	}
	c.send(publish(zap))
	c.want("OK", zap.ID, "true", "duplicate: *")
}

// TestWaiting_FullForSocketsOnly: strangers who name nothing take room from each other alone, and are told.
func TestWaiting_FullForSocketsOnly(t *testing.T) {
	r := open(t)
	about := func(n int) nostr.Tag { return nostr.Tag{"e", fmt.Sprintf("%064x", n+1)} }
	var pending []*store.Pending
	flood := pub("flood")
	for n := range 5_300 {
		p := storetest.Parsed(t, nostr.Event{Kind: 9735, PubKey: flood, CreatedAt: nostr.Now(), Tags: nostr.Tags{about(n)}})
		p.Door = nip90.DoorSocket
		one, err := r.store.Submit(context.Background(), p)
		if err != nil {
			t.Fatal(err)
		}
		pending = append(pending, one)
	}
	waiting := 0
	for _, one := range pending {
		if outcome, _, err := one.Wait(context.Background()); err == nil && outcome == store.Waiting {
			waiting++
		}
	}
	if st := r.store.Stats(); waiting != 5_000 || st.Waiting != 5_000 || st.NoRoom != 300 {
		t.Errorf("%d of 5,300 were told to wait, %d do, %d refused", waiting, st.Waiting, st.NoRoom)
	}
	c := r.dial()
	late := event("wallet", 9735, "", about(20_000))
	c.send(publish(late))
	c.want("OK", late.ID, "false", notKnown)
	job := event("customer", 5300, "")
	zap := event("wallet", 9735, "", nostr.Tag{"e", job.ID})
	if v := r.relay.Submit(context.Background(), through(t, nip90.DoorMirror, zap)); v.Reason != mirror.ReasonWaiting {
		t.Errorf("from an upstream: %+v, want it kept", v)
	}
	c.publish(job)
	r.clock.pass(11 * time.Minute)
	if err := r.store.Sweep(context.Background()); err != nil {
		t.Fatal(err)
	}
	c = r.dial() // the first was silent for too long
	c.send(publish(late))
	c.want("OK", late.ID, "false", kept)
}

// TestWaiting_ToldLiveBehindItsParent follows a thread in every way that there is. A chain comes backwards: a label of a
// zap of an answer.
func TestWaiting_ToldLiveBehindItsParent(t *testing.T) {
	watch := index.NewWatch(index.WatchOptions{Beat: time.Millisecond})
	r := open(t, func(o *rigOptions) {
		o.store = func(so *store.Options) {
			told := so.Committed
			so.Committed = func(version uint64, cs []store.Commit) {
				told(version, cs)
				watch.Committed(version, cs)
			}
		}
	})
	ctx, cancel := context.WithCancel(context.Background())
	var ran sync.WaitGroup
	ran.Go(func() {
		_ = watch.Run(ctx, func(_ context.Context, notes []*index.Note) ([]index.Shown, error) {
			return make([]index.Shown, len(notes)), nil
		}) // its error is nil
	})
	t.Cleanup(func() { cancel(); ran.Wait() })
	notes := watch.Subscribe(index.TopicEvent)
	defer notes.Close()

	c := r.dial()
	job := event("customer", 5300, "")
	c.publish(job)
	answer := event("provider", 7000, "", nostr.Tag{"e", job.ID}, nostr.Tag{"status", "payment-required"}, nostr.Tag{"amount", "1000"})
	zap := event("wallet", 9735, "", nostr.Tag{"e", answer.ID})
	label := event("judge", 1985, "", nostr.Tag{"e", zap.ID})
	old := eventAt("wallet", 9321, time.Now().Unix()-3600, "", nostr.Tag{"e", answer.ID})
	by := map[string]string{
		"thread": fmt.Sprintf(`{"search":"thread:%s"}`, job.ID),
		"kinds":  `{"kinds":[7000,9735,1985,9321]}`,
		"tags":   fmt.Sprintf(`{"#e":["%s","%s","%s"]}`, job.ID, answer.ID, zap.ID),
	}
	readers := map[string]*client{}
	for name, filter := range by {
		readers[name] = r.dial()
		readers[name].send(fmt.Sprintf(`["REQ","live",%s]`, filter))
		for readers[name].recv().text(0) != "EOSE" {
		}
	}
	for _, e := range []*nostr.Event{label, zap} {
		c.send(publish(e))
		c.want("OK", e.ID, "false", kept)
	}
	if v := r.relay.Submit(ctx, through(t, nip90.DoorBackfill, old)); v.Reason != mirror.ReasonWaiting {
		t.Errorf("old nutzap: %+v", v)
	}
	c.publish(answer)
	last := event("provider", 7000, "", nostr.Tag{"e", job.ID}, nostr.Tag{"status", "processing"})
	c.publish(last)
	want := []string{answer.ID, zap.ID, label.ID, last.ID}
	for name, reader := range readers {
		for i, id := range want {
			if name == "thread" && id == label.ID {
				continue // a label of a payment is about no job
			}
			m := reader.want("EVENT", "live")
			if m.id() != id {
				t.Errorf("%s: event %d is %s, want %s of %v", name, i, m.id(), id, want)
			}
		}
	}
	var heard []string
	deadline, end := context.WithTimeout(ctx, patience)
	defer end()
	for len(heard) < 5 {
		list, _, err := notes.Next(deadline, 100)
		if err != nil {
			t.Fatalf("watch: %v after %v", err, heard)
		}
		for _, n := range list {
			heard = append(heard, n.Moved[0].ID.String())
		}
	}
	if !slices.Equal(heard, append([]string{job.ID}, want...)) {
		t.Errorf("watch heard %v, want %v", heard, want)
	}
	if got := c.query(fmt.Sprintf(`{"search":"thread:%s","kinds":[7000,9735,1985,9321]}`, job.ID)); len(got) != 4 {
		t.Errorf("stored: %v, want four with the old nutzap", got)
	}
}
