package demo

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"dvmrelay/index"
	"dvmrelay/mirror"
	"dvmrelay/nip90"
	"dvmrelay/wire"

	"github.com/nbd-wtf/go-nostr"
)

// quick is a market that lives twenty times as fast, with a short past.
var quick = Rhythm{Every: 200 * time.Millisecond, Speed: 20, Past: 2 * time.Second}

// A client that listens on the relay's socket hears new jobs, and each story goes on: feedback, payments, results. The market
// does not mind that nobody is at the address where it looks for the relay first.
func TestMarket_NewJobsKeepComing(t *testing.T) {
	r, _ := newRig(t, "")
	var dials atomic.Int64
	end := running(t, r.market(true, func(o *Options) {
		o.Rhythm = quick
		o.URL = func() string {
			if dials.Add(1) == 1 {
				return "ws://127.0.0.1:1"
			}
			return r.url
		}
	}).Run)
	defer end()
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	client, err := wire.Dial(ctx, r.url, wire.DialOptions{})
	fatal(t, err)
	defer client.Close()
	since := nostr.Timestamp(time.Now().Unix() + 1)
	fatal(t, client.Req(ctx, "live", nostr.Filter{Since: &since}))
	heard, answered, jobs := map[int]int{}, 0, map[string]bool{}
	for len(jobs) < 10 || answered < 5 || heard[nip90.KindFeedback] < 5 || heard[nip90.KindZap] < 1 || heard[nip90.KindHeartbeat] < 1 {
		msg, err := client.Receive(ctx)
		if err != nil {
			t.Fatalf("after %d jobs, %d answers, kinds %v: %v", len(jobs), answered, heard, err)
		}
		m, is := msg.(wire.EventMsg)
		if !is {
			continue
		}
		heard[m.Event.Kind]++
		switch {
		case nip90.IsRequest(m.Event.Kind):
			jobs[m.Event.ID] = true
		case nip90.IsResult(m.Event.Kind):
			if tag := m.Event.Tags.Find("e"); tag != nil && jobs[tag[1]] {
				answered++
			}
		}
	}
}

func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	end := time.After(30 * time.Second)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-end:
			t.Fatalf("not within 30 s: %s", what)
		}
	}
}

// A directory that was left for an hour is lively again, and what was there is not made twice.
func TestMarket_GoesOnAfterAnHour(t *testing.T) {
	dir := t.TempDir()
	start := time.Now().Add(-time.Hour)
	r, stop := newRig(t, dir)
	fatal(t, r.market(false, func(o *Options) { o.Now = func() time.Time { return start } }).Run(context.Background()))
	facts := r.store.Stats().Facts
	fatal(t, r.market(false, func(o *Options) { o.Now = func() time.Time { return start } }).Run(context.Background()))
	if again := r.store.Stats().Facts; again != facts {
		t.Errorf("the same moment again: %d events became %d", facts, again)
	}
	stop()

	r, _ = newRig(t, dir)
	fatal(t, r.market(false, func(o *Options) { o.Seed, o.Rhythm.Past = 4711, 6*time.Minute }).Run(context.Background())) // the directory keeps its own
	snap := r.store.Snapshot()
	defer snap.Close()
	lately, keys := 0, map[string]bool{}
	for _, th := range r.threads() {
		keys[th.Customer] = true
		if th.CreatedAt > start.Add(54*time.Minute).Unix() {
			lately++
		}
	}
	if lately < 40 {
		t.Errorf("%d jobs in the last 6 minutes, want 40", lately)
	}
	if len(keys) > len(people) {
		t.Errorf("%d customers, want no more than the %d of the seed of the directory", len(keys), len(people))
	}
	page, err := r.index.Threads(snap, index.ThreadQuery{State: index.StateUnanswered, Since: start.Add(40 * time.Minute).Unix()})
	fatal(t, err)
	if len(page.Items) == 0 {
		t.Error("nobody has waited lately")
	}
}

// failing takes so many events and then none.
type failing struct {
	mirror.Sink
	left atomic.Int64
}

var errFull = errors.New("the disk is full")

func (f *failing) Submit(ctx context.Context, p *nip90.Parsed) mirror.Verdict {
	if f.left.Add(-1) < 0 {
		return mirror.Verdict{Outcome: mirror.Failed, Err: errFull}
	}
	return f.Sink.Submit(ctx, p)
}

// A fill that was interrupted is known as a demo's, and goes on where it was.
func TestMarket_InterruptedFillGoesOn(t *testing.T) {
	r, _ := newRig(t, "")
	start := time.Now()
	at := func(o *Options) { o.Now = func() time.Time { return start } }
	sink := &failing{Sink: r.relay}
	sink.left.Store(300)
	err := r.market(false, func(o *Options) { at(o); o.Sink = sink }).Run(context.Background())
	if !errors.Is(err, errFull) {
		t.Fatalf("Run = %v, want %v", err, errFull)
	}
	if err := Admit(r.store, true, r.store.Stats().Facts); err != nil {
		t.Errorf("a half full demo is refused: %v", err)
	}
	m := r.market(false, at)
	fatal(t, m.Run(context.Background()))
	lines, err := script(DefaultSeed, start, start.Unix(), m.o.Rhythm)
	fatal(t, err)
	snap := r.store.Snapshot()
	defer snap.Close()
	for _, l := range lines {
		if k := l.evt.Kind; k == nip90.KindProfile || k == nip90.KindRelayList {
			continue // of a customer who asked for nothing in so short a past
		}
		id, _ := nip90.ParseID(l.evt.ID)
		if _, ok, err := snap.Fact(id); l.due <= start.UnixMilli() && (err != nil || !ok) {
			t.Errorf("event %s of kind %d is not there (%v)", id, l.evt.Kind, err)
		}
	}
}

func TestAdmit_DemosAndRealRelaysDoNotMix(t *testing.T) {
	r, _ := newRig(t, "")
	if err := Admit(r.store, true, 0); err != nil {
		t.Errorf("an empty directory is refused to a demo: %v", err)
	}
	if err := Admit(r.store, false, 5); err != nil {
		t.Errorf("a relay's own directory is refused to it: %v", err)
	}
	if err := Admit(r.store, true, 5); !errors.Is(err, ErrRealData) {
		t.Errorf("a demo over real events: %v, want %v", err, ErrRealData)
	}
	m := r.market(false, nil)
	fatal(t, m.save(context.Background(), &mark{Seed: 1, Moment: moment}))
	if err := Admit(r.store, false, 0); !errors.Is(err, ErrDemoData) {
		t.Errorf("a relay over a demo: %v, want %v", err, ErrDemoData)
	}
	if err := Admit(r.store, true, 5); err != nil {
		t.Errorf("a demo over its own: %v", err)
	}
}

// Run ends when it is told to, whatever it does then: filling, or waiting for what is due.
func TestMarket_EndsWhenItIsTold(t *testing.T) {
	r, _ := newRig(t, "")
	end := running(t, r.market(true, nil).Run) // at its usual pace
	end()
	end = running(t, r.market(true, nil).Run)
	await(t, "filled", func() bool {
		k, err := readMark(r.store)
		return err == nil && k != nil && k.Filled
	})
	end()
}
