package mirror

import (
	"errors"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"dvmrelay/nip90"
	"dvmrelay/wire"

	"github.com/nbd-wtf/go-nostr"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	// khatru starts it with every relay and has no way to end it
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("github.com/fiatjaf/khatru.(*expirationManager).start"))
}

// past fills an upstream with n jobs, some of the same second, ending ten minutes ago.
func past(r *fakeRelay, n int) []*nostr.Event {
	base := time.Now().Unix() - 3600 - int64(n)
	var out []*nostr.Event
	for i := range n {
		kind := []int{5300, 6300, 7000, 5050}[i%4]
		out = append(out, job(kind, base+int64(i/3)*3, nostr.Tag{"n", string(rune('a' + i%26))}, nostr.Tag{"i", strings.Repeat("x", i%7), "text"}))
	}
	r.events = append(r.events, out...)
	return out
}

func TestMirror_BackfillsEverythingPastTheUpstreamsLimit(t *testing.T) {
	r := newFake(t)
	r.maxLimit = 7
	events := past(r, 400)
	events = append(events, job(31990, 1000, nostr.Tag{"d", "x"}, nostr.Tag{"k", "5300"}), job(31989, 2000, nostr.Tag{"d", "6300"}))
	r.events = append(r.events, events[400:]...)
	r.events = append(r.events, job(1, 5000), job(5666, time.Now().Unix()-7200))
	sink := newSink()
	m, _ := start(t, Options{Upstreams: []string{r.addr()}}, sink, newState())
	eventually(t, "backfill", backfilled(m))
	for _, e := range events {
		if !sink.has(e) {
			t.Errorf("event %s (kind %d, %d) is missing", e.ID, e.Kind, e.CreatedAt)
		}
	}
	if got := sink.len(); got != len(events) {
		t.Errorf("got %d events, want %d: nothing else was asked for", got, len(events))
	}
	st := m.Upstreams()[0]
	if st.Accepted != uint64(len(events)) || len(st.Rejected) != 0 {
		t.Errorf("status = %+v, want %d accepted and nothing rejected", st, len(events))
	}
}

func TestMirror_BackfillWindowBoundsWhatIsAsked(t *testing.T) {
	r := newFake(t)
	now := time.Now().Unix()
	inside, outside := job(5300, now-3000), job(5300, now-5000)
	r.events = []*nostr.Event{inside, outside}
	sink := newSink()
	m, _ := start(t, Options{Upstreams: []string{r.addr()}, Backfill: time.Hour}, sink, newState())
	eventually(t, "backfill", backfilled(m))
	if !sink.has(inside) || sink.has(outside) {
		t.Errorf("inside = %v, outside = %v, want true, false", sink.has(inside), sink.has(outside))
	}
}

func TestMirror_DoorsTellLiveFromBackfill(t *testing.T) {
	r := newFake(t)
	old := past(r, 3)
	sink := newSink()
	m, _ := start(t, Options{Upstreams: []string{r.addr()}}, sink, newState())
	eventually(t, "backfill", backfilled(m))
	fresh := job(5300, time.Now().Unix())
	r.publish(fresh)
	eventually(t, "live event", func() bool { return sink.has(fresh) })
	sink.mu.Lock()
	defer sink.mu.Unlock()
	if d := sink.events[fresh.ID].Door; d != nip90.DoorMirror {
		t.Errorf("live event came through door %d, want %d", d, nip90.DoorMirror)
	}
	if d := sink.events[old[0].ID].Door; d != nip90.DoorBackfill {
		t.Errorf("old event came through door %d, want %d", d, nip90.DoorBackfill)
	}
}

func TestMirror_RestartDoesNotAskForEverythingAgain(t *testing.T) {
	r := newFake(t)
	past(r, 100)
	state := newState()
	m, stop := start(t, Options{Upstreams: []string{r.addr()}}, newSink(), state)
	eventually(t, "backfill", backfilled(m))
	stop()
	missed := job(5300, time.Now().Unix())
	r.publish(missed)
	r.forget()
	sink := newSink()
	m, _ = start(t, Options{Upstreams: []string{r.addr()}}, sink, state)
	eventually(t, "the missed event", func() bool { return sink.has(missed) })
	eventually(t, "backfill", backfilled(m))
	if got := sink.len(); got != 1 {
		t.Errorf("got %d events again, want only the missed one", got)
	}
	oldest := nostr.Timestamp(time.Now().Add(-11 * time.Minute).Unix())
	for _, q := range r.requests() {
		for _, f := range q.filters {
			if f.Since == nil || *f.Since < oldest {
				t.Errorf("asked %v, want nothing older than the overlap", f)
			}
		}
	}
}

// TestPage_WithAnEventThatWasNotTakenIsNotWhole: the sink may give up before who waits for the page hears that all ends.
func TestPage_WithAnEventThatWasNotTakenIsNotWhole(t *testing.T) {
	for outcome, whole := range map[Outcome]bool{Stored: true, Duplicate: true, Ignored: true, Refused: true, Failed: false} {
		b := &sub{page: &page{}}
		done := b.begin(job(5300, 1), time.Now())
		done(outcome, true)
		b.page.pending.Wait()
		if got := !b.page.failed.Load(); got != whole {
			t.Errorf("page with an event that came to outcome %d is whole: %t, want %t", outcome, got, whole)
		}
	}
}

func TestMirror_RestartInTheMiddleOfBackfillResumes(t *testing.T) {
	for range 5 { // what the end of a run leaves undone is a matter of moments
		restartInTheMiddle(t)
	}
}

func restartInTheMiddle(t *testing.T) {
	t.Helper()
	r := newFake(t)
	r.maxLimit = 10
	events := past(r, 300)
	state, first := newState(), newSink()
	first.most = 150
	_, stop := start(t, Options{Upstreams: []string{r.addr()}}, first, state)
	eventually(t, "half of it", func() bool { return first.len() >= 150 })
	stop()
	done := first.len()
	second := newSink()
	m, _ := start(t, Options{Upstreams: []string{r.addr()}}, second, state)
	eventually(t, "the rest", backfilled(m))
	for _, e := range events {
		if !first.has(e) && !second.has(e) {
			t.Errorf("event %s at %d was lost between the two runs", e.ID, e.CreatedAt)
		}
	}
	if again := done + second.len() - len(events); again > 3*r.maxLimit+quick().inFlight {
		t.Errorf("%d events were asked for twice, want at most a page or two", again)
	}
}

func TestMirror_ReconnectsAndOverlaps(t *testing.T) {
	r := newFake(t)
	sink := newSink()
	m, _ := start(t, Options{Upstreams: []string{r.addr()}}, sink, newState())
	eventually(t, "live", backfilled(m))
	r.forget()
	r.cut()
	lost := job(5300, time.Now().Unix()-300) // published while nobody listened, by a slow clock
	r.mu.Lock()
	r.events = append(r.events, lost)
	r.mu.Unlock()
	eventually(t, "the event of the gap", func() bool { return sink.has(lost) })
	eventually(t, "live again", backfilled(m))
	if st := m.Upstreams()[0]; st.Connects < 2 {
		t.Errorf("connects = %d, want at least 2", st.Connects)
	}
}

func TestMirror_HonoursTheInformationDocument(t *testing.T) {
	r := newFake(t)
	r.info = `{"limitation":{"max_limit":9,"max_message_length":8192,"max_filters":3}}`
	past(r, 40)
	m, _ := start(t, Options{Upstreams: []string{r.addr()}}, newSink(), newState())
	eventually(t, "backfill", backfilled(m))
	for _, q := range r.requests() {
		if n := len(wire.AppendReq(nil, q.sub, q.filters...)); n > 8192 {
			t.Errorf("REQ of %d bytes, want at most 8192", n)
		}
		if q.paging() && q.filters[0].Limit != 9 {
			t.Errorf("page with limit %d, want 9", q.filters[0].Limit)
		}
	}
}

func TestMirror_WhatTheSinkDoesNotTakeIsAskedForAgain(t *testing.T) {
	r := newFake(t)
	events := past(r, 30)
	sink, state := newSink(), newState()
	sink.setFail(errors.New("disk full"))
	m, _ := start(t, Options{Upstreams: []string{r.addr()}}, sink, state)
	eventually(t, "a failure", func() bool { return m.Upstreams()[0].Reason == reasonSink })
	if w := state.mark(t, "a", r.addr()).Windows; len(w) == 0 {
		t.Fatal("progress says that all was received, though nothing was taken")
	}
	sink.setFail(nil)
	eventually(t, "backfill", backfilled(m))
	if got := sink.len(); got != len(events) {
		t.Errorf("got %d events, want %d", got, len(events))
	}
}

func TestMirror_LiveFailureHoldsTheWatermark(t *testing.T) {
	r := newFake(t)
	sink, state := newSink(), newState()
	m, _ := start(t, Options{Upstreams: []string{r.addr()}}, sink, state)
	eventually(t, "live", backfilled(m))
	before := state.mark(t, "a", r.addr()).Heard
	fresh := job(5300, time.Now().Unix()+1)
	sink.setFail(errors.New("disk full"))
	r.publish(fresh)
	eventually(t, "a failure", func() bool { return m.Upstreams()[0].Connects >= 3 })
	if got := state.mark(t, "a", r.addr()); got.Heard > before+2 && len(got.Windows) == 0 {
		t.Errorf("mark = %+v, want a window for what was not taken", got)
	}
	sink.setFail(nil)
	eventually(t, "the event", func() bool { return sink.has(fresh) })
}

func TestMirror_WatermarkFollowsLiveEvents(t *testing.T) {
	r := newFake(t)
	state := newState()
	clock := newClock(time.Unix(1_700_000_000, 0))
	m, _ := start(t, Options{Upstreams: []string{r.addr()}, Now: clock.now}, newSink(), state)
	eventually(t, "live", backfilled(m))
	clock.add(time.Hour)
	r.publish(job(5300, clock.now().Unix()-5))
	eventually(t, "the watermark", func() bool { return state.mark(t, "a", r.addr()).Heard == clock.now().Unix()-5 })
	r.publish(job(5300, clock.now().Unix()+800))
	eventually(t, "the watermark of an event from the future", func() bool { return state.mark(t, "a", r.addr()).Heard == clock.now().Unix() })
}

func TestMirror_ReloadLeavesTheOthersAlone(t *testing.T) {
	a, b, c := newFake(t), newFake(t), newFake(t)
	m, _ := start(t, Options{Upstreams: []string{a.addr(), b.addr()}}, newSink(), newState())
	eventually(t, "live", backfilled(m))
	m.Reload([]string{c.addr(), a.addr() + "/"})
	eventually(t, "the change", func() bool {
		st := m.Upstreams()
		return len(st) == 2 && st[0].URL == c.addr() && backfilled(m)()
	})
	eventually(t, "the end of the removed one", func() bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		return len(b.conns) == 0
	})
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.dials != 1 {
		t.Errorf("the upstream on both lists was dialled %d times, want 1", a.dials)
	}
}

func TestMirror_LagCountsFromTheLoss(t *testing.T) {
	r := newFake(t)
	clock := newClock(time.Unix(1_700_000_000, 0))
	o := Options{Upstreams: []string{r.addr()}, Now: clock.now, pace: quick()}
	o.pace.firstRetry = time.Hour
	m, _ := start(t, o, newSink(), newState())
	eventually(t, "live", backfilled(m))
	clock.add(24 * time.Hour) // a quiet day
	if st := m.Upstreams()[0]; st.LagSeconds != 0 {
		t.Errorf("lag = %d while live, want 0", st.LagSeconds)
	}
	r.cut()
	eventually(t, "the loss", func() bool { return m.Upstreams()[0].State == StateWaiting })
	clock.add(time.Minute)
	if st := m.Upstreams()[0]; st.LagSeconds != 60 || st.HeardSince != 0 {
		t.Errorf("lag = %d, heard since %d, want 60 and 0: it was heard until a minute ago", st.LagSeconds, st.HeardSince)
	}
}

// TestMirror_RandomHistoriesArriveWhole draws histories with crowded seconds and upstreams with small limits.
func TestMirror_RandomHistoriesArriveWhole(t *testing.T) {
	seed := rand.Uint64()
	rnd := rand.New(rand.NewPCG(seed, 7))
	for round := range 8 {
		r := newFake(t)
		r.maxLimit = 2 + rnd.IntN(9)
		if rnd.IntN(2) == 0 {
			r.maxValues = 200 + rnd.IntN(2000)
		}
		at := time.Now().Unix() - 100_000
		for range rnd.IntN(60) {
			at += rnd.Int64N(30)
			for range rnd.IntN(r.maxLimit + 1) { // no more in one second than the upstream gives at once
				r.events = append(r.events, job(5000+rnd.IntN(60), at, nostr.Tag{"n", strconv.FormatUint(rnd.Uint64(), 36)}))
			}
			at++
		}
		sink := newSink()
		m, stop := start(t, Options{Upstreams: []string{r.addr()}}, sink, newState())
		eventually(t, "backfill", backfilled(m))
		stop()
		if sink.len() != len(r.events) {
			t.Errorf("seed %d, round %d: got %d events, want %d (limit %d, values %d)", seed, round, sink.len(), len(r.events), r.maxLimit, r.maxValues)
		}
	}
}
