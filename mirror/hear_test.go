package mirror

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"testing"
	"time"

	"dvmrelay/store"
	"dvmrelay/store/storetest"

	"github.com/google/go-cmp/cmp"
	"github.com/nbd-wtf/go-nostr"
)

func TestMirror_LedgerFillsAHoleThatWasRead(t *testing.T) {
	r, c, state := newFake(t), clockAt(epoch), newState()
	m, stop := start(t, Options{Upstreams: []string{r.addr()}, Now: c.now}, newSink(), state)
	eventually(t, "live", backfilled(m))
	c.add(100 * time.Second)
	fresh := job(5300, c.now().Unix())
	r.publish(fresh)
	eventually(t, "its count", func() bool { return m.Upstreams()[0].Accepted == 1 })
	r.leave(true)
	eventually(t, "the loss", func() bool { return m.Upstreams()[0].State == StateWaiting })
	c.add(1000 * time.Second)
	want := []Gap{{r.addr(), epoch + 100, epoch + 1100, "down"}}
	if d := cmp.Diff(want, of(r.addr(), m.ledger.Gaps(epoch, c.now().Unix(), 0))); d != "" {
		t.Errorf("gaps while it is away: -want +got\n%s", d)
	}
	if d := cmp.Diff(want, m.Upstreams()[0].Gaps); d != "" {
		t.Errorf("gaps of the status: -want +got\n%s", d)
	}

	// It comes back with more than it gives at once, and does not answer the second page of jobs at first.
	r.mu.Lock()
	for i := range 5 {
		r.events = append(r.events, job(5300, epoch+300+100*int64(i)))
	}
	r.maxLimit = 2
	r.mu.Unlock()
	held := make(chan func(), 100)
	r.twisted(func(sub string, f nostr.Filter, conn *fakeConn) bool {
		if f.Until == nil || int64(*f.Until) > epoch+600 || len(f.Kinds) < 10 {
			return false
		}
		held <- func() { conn.req(sub, []nostr.Filter{f}) }
		return true
	})
	r.leave(false)
	release := <-held
	eventually(t, "live", func() bool { return m.Upstreams()[0].State == StateBackfilling })
	want = []Gap{{r.addr(), epoch + 100, epoch + 601, "down"}}
	eventually(t, "the first page", func() bool {
		return slices.Equal(want, of(r.addr(), m.ledger.Gaps(epoch, c.now().Unix(), 0)))
	})
	c.add(50 * time.Second)
	r.twisted(nil)
	release()
	eventually(t, "all of it", backfilled(m))
	c.add(50 * time.Second)
	if gaps := of(r.addr(), m.ledger.Gaps(epoch, c.now().Unix(), 0)); len(gaps) != 0 {
		t.Errorf("gaps = %+v after all was read, want none", gaps)
	}

	// the same over a restart: the doors were closed, but the upstream's past is read
	r.publish(job(5300, c.now().Unix()))
	eventually(t, "its count", func() bool { return m.Upstreams()[0].Accepted == 7 })
	stop()
	c.add(time.Hour)
	m, _ = start(t, Options{Upstreams: []string{r.addr()}, Now: c.now}, newSink(), state)
	if gaps := m.ledger.recent(r.addr(), 1); len(gaps) == 1 && gaps[0].Why != "stopped" {
		t.Errorf("gaps = %+v at the start, want stopped", gaps)
	}
	eventually(t, "backfill", backfilled(m))
	if gaps := of(r.addr(), m.ledger.Gaps(epoch, c.now().Unix(), 0)); len(gaps) != 0 {
		t.Errorf("gaps = %+v after the restart and its backfill, want none", gaps)
	}
}

func TestMirror_LedgerSaysRefused(t *testing.T) {
	r, c := newFake(t), clockAt(epoch)
	m, _ := start(t, Options{Upstreams: []string{r.addr()}, Now: c.now}, newSink(), newState())
	eventually(t, "live", backfilled(m))
	c.add(time.Minute)
	r.publish(job(5300, c.now().Unix()))
	eventually(t, "its count", func() bool { return m.Upstreams()[0].Accepted == 1 })
	r.twisted(func(sub string, _ nostr.Filter, conn *fakeConn) bool {
		conn.send([]byte(`["CLOSED","` + sub + `","restricted: members only"]`))
		return true
	})
	r.mu.Lock()
	for conn := range r.conns {
		conn.mu.Lock()
		for sub := range conn.subs {
			conn.send([]byte(`["CLOSED","` + sub + `","restricted: members only"]`))
		}
		conn.mu.Unlock()
	}
	r.mu.Unlock()
	eventually(t, "the refusal", func() bool { return m.Upstreams()[0].State == StateRefused })
	c.add(time.Minute)
	want := []Gap{{r.addr(), epoch + 60, epoch + 120, "refused"}}
	if d := cmp.Diff(want, of(r.addr(), m.ledger.Gaps(epoch, c.now().Unix(), 0))); d != "" {
		t.Errorf("gaps: -want +got\n%s", d)
	}
}

// What came but was not taken was not heard, from its arrival on.
func TestMirror_LedgerTakesBackWhatTheSinkDidNotTake(t *testing.T) {
	r, c, sink := newFake(t), clockAt(epoch), newSink()
	m, _ := start(t, Options{Upstreams: []string{r.addr()}, Now: c.now}, sink, newState())
	eventually(t, "live", backfilled(m))
	c.add(time.Minute)
	sink.setFail(errors.New("disk full"))
	lost := job(5300, c.now().Unix())
	r.publish(lost)
	eventually(t, "the failure", func() bool { return m.Upstreams()[0].Connects >= 3 })
	r.leave(true)
	eventually(t, "the loss", func() bool { return m.Upstreams()[0].State == StateWaiting }) // or the minute would be heard
	c.add(time.Minute)
	if got := heardSeconds(t, m.ledger, r.addr(), epoch, epoch+120); got != 60 {
		t.Errorf("%d seconds are heard, want 60: until the event that was lost", got)
	}
	sink.setFail(nil)
	r.leave(false)
	eventually(t, "the event", func() bool { return sink.has(lost) })
	eventually(t, "backfill", backfilled(m))
	if got := heardSeconds(t, m.ledger, r.addr(), epoch, epoch+120); got != 120 {
		t.Errorf("%d seconds are heard once it was read again, want 120", got)
	}
}

// An event that was on its way to the sink when the connection ended counts as lost, though the upstream lived on.
func TestMirror_LedgerCountsToWhatWasDecided(t *testing.T) {
	r, c, sink := newFake(t), clockAt(epoch), newSink()
	m, _ := start(t, Options{Upstreams: []string{r.addr()}, Now: c.now}, sink, newState())
	eventually(t, "live", backfilled(m))
	sink.setMost(1)
	r.publish(job(5300, epoch))
	eventually(t, "its count", func() bool { return m.Upstreams()[0].Accepted == 1 })
	for range 2 {
		c.add(30 * time.Second)
		r.publish(job(5300, c.now().Unix()))
		eventually(t, "its arrival", func() bool { return m.Upstreams()[0].LastEventAt == c.now().Unix() })
	}
	r.leave(true)
	eventually(t, "the loss", func() bool { return m.Upstreams()[0].State == StateWaiting })
	if got := heardSeconds(t, m.ledger, r.addr(), epoch, epoch+60); got != 30 {
		t.Errorf("%d seconds are heard, want 30: until the first event that was not taken", got)
	}
	sink.setMost(0)
	r.leave(false)
	eventually(t, "the events", func() bool { return sink.len() == 3 })
	eventually(t, "backfill", backfilled(m))
	if got := heardSeconds(t, m.ledger, r.addr(), epoch, epoch+60); got != 60 {
		t.Errorf("%d seconds are heard once they were read again, want 60", got)
	}
}

// The time since the last sign of life is not certain, and is taken back when the connection turns out to be lost.
func TestMirror_LedgerCountsToTheLastSignOfLife(t *testing.T) {
	r, c, state := newFake(t), clockAt(epoch), newState()
	m, _ := start(t, Options{Upstreams: []string{r.addr()}, Now: c.now}, newSink(), state)
	eventually(t, "live", backfilled(m))
	c.add(40 * time.Second)
	r.publish(job(5300, c.now().Unix()))
	eventually(t, "its count", func() bool { return m.Upstreams()[0].Accepted == 1 })
	c.add(25 * time.Second)
	if got := heardSeconds(t, m.ledger, r.addr(), epoch, epoch+65); got != 65 {
		t.Errorf("%d seconds are heard while it seems alive, want 65", got)
	}
	m.ledger.grow(t.Context())
	again := NewLedger(state.killed(), c.now, nil)
	again.list([]string{r.addr()})
	if got := heardSeconds(t, again, r.addr(), epoch, epoch+65); got != 40 {
		t.Errorf("%d seconds are on disk, want 40", got)
	}
	r.leave(true)
	eventually(t, "the loss", func() bool { return m.Upstreams()[0].State == StateWaiting })
	if got := heardSeconds(t, m.ledger, r.addr(), epoch, epoch+65); got != 40 {
		t.Errorf("%d seconds are heard after the loss, want 40", got)
	}
}

// TestLedger_OverARealStore is closed and opened again; what the second one reads needs no running store.
func TestLedger_OverARealStore(t *testing.T) {
	const url = "wss://a.example"
	c, dir := clockAt(epoch), t.TempDir()
	at := storetest.With(func(o *store.Options) { o.Dir = dir })
	first := storetest.Open(t, at)
	l := listen(t, first.Store, c, url)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- l.Run(ctx) }()
	eventually(t, "the doors", func() bool { return l.running(Self) })
	for range 2 * recentTurns {
		l.up(url, c.now().Unix(), nil)
		c.add(40 * time.Second)
		l.pulse(ctx)
		l.lost(url, down)
		c.add(40 * time.Second)
		l.pulse(ctx)
	}
	l.end(ctx, url)
	cancel()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	first.Stop()
	c.add(time.Hour)

	second := storetest.Open(t, at)
	l = NewLedger(second.Store, c.now, nil)
	l.list([]string{url})
	now := c.now().Unix()
	want := []Coverage{{Self, 4 * recentTurns * 40, now - epoch}, {url, 2 * recentTurns * 40, now - epoch}}
	if d := cmp.Diff(want, l.Coverage(epoch, now)); d != "" {
		t.Errorf("coverage: -want +got\n%s", d)
	}
	if n := len(of(url, l.Gaps(epoch, now, 0))); n != 2*recentTurns+1 {
		t.Errorf("%d gaps, want %d", n, 2*recentTurns+1)
	}
}

// BenchmarkLedger_Coverage has ten upstreams with the longest histories there are.
func BenchmarkLedger_Coverage(b *testing.B) {
	c := clockAt(epoch)
	l := NewLedger(newState(), c.now, nil)
	var urls []string
	for i := range 10 {
		url := "wss://" + strconv.Itoa(i) + ".example"
		urls = append(urls, url)
		l.list(urls)
		s := l.sources[url]
		s.runs = true
		for j := range int64(maxTurns / 2) {
			s.line.turn(epoch+100*j, heard)
			s.line.turn(epoch+100*j+60, down)
		}
	}
	c.add(maxTurns * 50 * time.Second)
	now := c.now().Unix()
	for b.Loop() {
		if got := l.Coverage(epoch, now); len(got) != 11 {
			b.Fatal(got)
		}
		l.Gaps(epoch, now, 200)
	}
}
