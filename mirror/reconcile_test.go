package mirror

import (
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"dvmrelay/nip90"
	"dvmrelay/wire"
	"dvmrelay/wire/negentropy"

	"github.com/nbd-wtf/go-nostr"
)

// negRig is a relay with events of which most are here, and a mirror that is about to start.
type negRig struct {
	relay  *fakeRelay
	server *negServer
	sink   *memSink
	hold   *holdings
	events []*nostr.Event
	now    int64
}

// newNegRig has one event a minute, of which every tenth is missing here.
func newNegRig(t *testing.T, n int) *negRig {
	t.Helper()
	g := &negRig{relay: newFake(t), sink: newSink(), now: time.Now().Unix()}
	g.server = serveNeg(g.relay)
	g.hold = &holdings{sink: g.sink, gone: map[nip90.ID]bool{}}
	g.events = jobs(n, g.now-3600, 60)
	g.relay.publish(g.events...)
	for i, e := range g.events {
		if i%10 != 0 {
			g.sink.put(t, e)
		}
	}
	return g
}

func (g *negRig) start(t *testing.T, o Options) *Mirror {
	t.Helper()
	o.Upstreams, o.Holdings = []string{g.relay.addr()}, g.hold
	if o.Kinds == nil {
		o.Kinds = []int{5300, 5301, 5302}
	}
	m, _ := start(t, o, g.sink, newState())
	eventually(t, "backfill", backfilled(m))
	return m
}

func (g *negRig) whole(t *testing.T) {
	t.Helper()
	for _, e := range g.events {
		if !g.sink.has(e) {
			t.Fatalf("event %s of %d is missing, want all", e.ID, e.CreatedAt)
		}
	}
}

func TestReconcile_FetchesOnlyWhatIsMissing(t *testing.T) {
	g := newNegRig(t, 1000)
	m := g.start(t, Options{})
	g.whole(t)
	pages, ids := g.relay.pagings()
	if len(ids) != 100 {
		t.Errorf("%d ids were asked for, want the 100 that were missing", len(ids))
	}
	for _, q := range g.relay.requests() {
		if q.paging() && slices.Contains(q.filters[0].Kinds, 5300) && q.filters[0].Limit != 16 {
			t.Errorf("jobs were asked for by pages: %v", q.filters[0])
		}
	}
	if pages == 0 {
		t.Error("announcements, of which none is here, were not asked for by pages")
	}
	if b := m.Upstreams()[0].Backfill; b.Compared != 1 || b.Faults != 0 {
		t.Errorf("backfill = %+v, want 1 window compared and no fault", b)
	}
	if n := g.sink.doors[nip90.DoorBackfill]; n > 102 {
		t.Errorf("%d events came by backfill, want the 100 that were missing and the oldest again", n)
	}
}

// Who has an event is remembered, also when it is not sent.
func TestReconcile_SharedIsSeen(t *testing.T) {
	g := newNegRig(t, 300)
	var mu sync.Mutex
	seen := map[nip90.ID]string{}
	g.start(t, Options{Seen: func(id nip90.ID, upstream string) {
		mu.Lock()
		defer mu.Unlock()
		seen[id] = upstream
	}})
	mu.Lock()
	defer mu.Unlock()
	for _, e := range g.events {
		if id, _ := nip90.ParseID(e.ID); seen[id] != g.relay.addr() {
			t.Fatalf("event %s was seen on %q, want %q", e.ID, seen[id], g.relay.addr())
		}
	}
}

func TestReconcile_KnownIsNotFetchedAgain(t *testing.T) {
	g := newNegRig(t, 300)
	for i, e := range g.events {
		if id, _ := nip90.ParseID(e.ID); i%10 == 0 {
			g.hold.gone[id] = true
		}
	}
	g.start(t, Options{})
	if _, ids := g.relay.pagings(); len(ids) != 0 {
		t.Errorf("%d ids were asked for, want none: all were counted here", len(ids))
	}
}

func TestReconcile_NothingHereIsReadByPages(t *testing.T) {
	g := newNegRig(t, 300)
	clear(g.sink.events)
	m := g.start(t, Options{})
	g.whole(t)
	if n := len(g.server.opened()); n != 0 {
		t.Errorf("%d comparisons, want none", n)
	}
	if b := m.Upstreams()[0].Backfill; b.How != HowPages || b.Why != whyHoldsFew {
		t.Errorf("backfill = %+v, want %s because of %s", b, HowPages, whyHoldsFew)
	}
}

func TestReconcile_LittleSharedIsReadByPages(t *testing.T) {
	g := newNegRig(t, 3000)
	clear(g.sink.events)
	g.sink.put(t, g.events[:minHeld]...)
	m := g.start(t, Options{})
	g.whole(t)
	if n := len(g.server.opened()); n != 1 {
		t.Errorf("%d comparisons, want one that was given up", n)
	}
	if b := m.Upstreams()[0].Backfill; b.Faults != 0 || b.Compared != 0 {
		t.Errorf("backfill = %+v, want no fault: the upstream did nothing wrong", b)
	}
}

func TestReconcile_NotOfferedIsReadByPages(t *testing.T) {
	g := newNegRig(t, 300)
	g.relay.info = `{"supported_nips":[1,11]}`
	m := g.start(t, Options{})
	g.whole(t)
	if n := len(g.server.opened()); n != 0 {
		t.Errorf("%d comparisons, want none", n)
	}
	if b := m.Upstreams()[0].Backfill; b.Why != whyNotOffered {
		t.Errorf("backfill = %+v, want %s", b, whyNotOffered)
	}
}

func TestReconcile_TooBigIsHalvedNewestFirst(t *testing.T) {
	g := newNegRig(t, 1000)
	g.server.most = 200
	m := g.start(t, Options{})
	g.whole(t)
	if b := m.Upstreams()[0].Backfill; b.Faults != 0 || b.Compared < 5 {
		t.Errorf("backfill = %+v, want 5 windows or more and no fault", b)
	}
	var done nostr.Timestamp
	for _, f := range g.server.opened() {
		if done != 0 && *f.Until > done {
			t.Errorf("a window until %d after one until %d, want the newest first", *f.Until, done)
		}
		done = *f.Until
	}
}

// Some relays compare no more than the newest events that one answer of theirs may hold.
func TestReconcile_ACutComparisonIsFoundOut(t *testing.T) {
	g := newNegRig(t, 1000)
	g.server.cut = 300
	m := g.start(t, Options{})
	g.whole(t)
	if b := m.Upstreams()[0].Backfill; b.Faults == 0 {
		t.Errorf("backfill = %+v, want a fault", b)
	}
}

func TestReconcile_LongFiltersAreHalved(t *testing.T) {
	g := newNegRig(t, 300)
	g.server.twist = func(sub string, c *fakeConn) bool {
		if opens := g.server.opens; len(opens[len(opens)-1].Kinds) > 600 {
			c.send(wire.AppendNegErr(nil, sub, "invalid: filter has too long a list"))
			return true
		}
		return false
	}
	m := g.start(t, Options{Kinds: DefaultKinds()})
	g.whole(t)
	if b := m.Upstreams()[0].Backfill; b.Faults != 0 || b.Compared == 0 {
		t.Errorf("backfill = %+v, want comparisons and no fault", b)
	}
	if _, ids := g.relay.pagings(); len(ids) != 30 {
		t.Errorf("%d ids were asked for, want 30", len(ids))
	}
}

// What a relay can do wrong. In each case all that it gives is here in the end, it is not asked to compare for ever, and the
// status says why.
func TestReconcile_FaultsEndInPages(t *testing.T) {
	notice := func(_ string, c *fakeConn) bool {
		c.send(wire.AppendNotice(nil, "unknown command NEG-OPEN"))
		return true
	}
	negErr := func(reason string) func(string, *fakeConn) bool {
		return func(sub string, c *fakeConn) bool { c.send(wire.AppendNegErr(nil, sub, reason)); return true }
	}
	says := func(message string) func(string, *fakeConn) bool {
		return func(sub string, c *fakeConn) bool { c.send(wire.AppendNegMsg(nil, sub, message)); return true }
	}
	// a fingerprint of everything that fits nothing: to be answered with smaller ranges, again and again
	endless := hex.EncodeToString(append([]byte{0x61, 0, 0, 1}, make([]byte, 16)...))
	for _, tc := range []struct {
		name, why string
		twist     func(string, *fakeConn) bool
		rejected  string
	}{
		{"notice in place of an answer", whyNotice, notice, ""},
		{"NEG-ERR", whyRefused, negErr("error: no such thing here"), ""},
		{"too big however short", whyTooBig, negErr("blocked: this query is too big"), ""},
		{"CLOSED", whyRefused, func(sub string, c *fakeConn) bool { c.send(wire.AppendClosed(nil, sub, "error: no")); return true }, ""},
		{"auth", whyRefused, func(sub string, c *fakeConn) bool {
			c.send(wire.AppendClosed(nil, sub, "auth-required: who?"))
			return true
		}, ""},
		{"silence", whySilent, func(string, *fakeConn) bool { return true }, ""},
		{"garbage", whyMalformed, says("61ffffffff"), reasonShape},
		{"another version", whyMalformed, says("62"), reasonShape},
		{"no hex", whyMalformed, says("zz"), ""},
		{"rounds without end", whyEndless, says(endless), ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			g := newNegRig(t, 300)
			g.server.twist = tc.twist
			p := quick()
			p.answer = 500 * time.Millisecond
			m := g.start(t, Options{pace: p})
			g.whole(t)
			st := m.Upstreams()[0]
			if st.Backfill.Faults == 0 || st.Backfill.Faults > maxMisfits || st.Backfill.Compared != 0 {
				t.Errorf("backfill = %+v, want %d faults at most and nothing compared", st.Backfill, maxMisfits)
			}
			if tc.rejected != "" && st.Rejected[tc.rejected] == 0 {
				t.Errorf("rejected = %v, want %s", st.Rejected, tc.rejected)
			}
			if n := len(g.server.opened()); n > 40 {
				t.Errorf("%d comparisons were begun, want a few", n)
			}
		})
	}
}

func TestReconcile_AfterTwoFaultsTheConnectionIsReadByPages(t *testing.T) {
	g := newNegRig(t, 1000)
	g.server.most = 200 // windows are short, so there are many
	n := 0
	g.server.twist = func(sub string, c *fakeConn) bool {
		if n++; n < 2 {
			return false
		}
		c.send(wire.AppendNegMsg(nil, sub, "ff"))
		return true
	}
	m := g.start(t, Options{})
	g.whole(t)
	b := m.Upstreams()[0].Backfill
	if b.Faults != maxMisfits || b.How != HowPages || b.Why != whyMalformed && b.Why != whyHoldsFew {
		t.Errorf("backfill = %+v, want %d faults and pages because of %s", b, maxMisfits, whyMalformed)
	}
}

func TestReconcile_IDsClaimedAndNotGivenAreCountedOnce(t *testing.T) {
	for _, tc := range []struct {
		name   string
		claims int
		faults uint64
	}{{"a few", 5, 0}, {"many", 100, 1}} {
		t.Run(tc.name, func(t *testing.T) {
			g := newNegRig(t, 300)
			for i := range tc.claims {
				g.server.claim = append(g.server.claim, negentropy.Item{CreatedAt: g.now - 7200 - int64(i), ID: [32]byte{1, byte(i)}})
			}
			m := g.start(t, Options{})
			g.whole(t)
			st := m.Upstreams()[0]
			if st.Rejected[reasonAbsent] != uint64(tc.claims) || st.Backfill.Faults != tc.faults {
				t.Errorf("rejected = %v, backfill = %+v, want %d not given and %d faults", st.Rejected, st.Backfill, tc.claims, tc.faults)
			}
			if _, ids := g.relay.pagings(); len(ids) > 2*(tc.claims+30) {
				t.Errorf("%d ids were asked for, want each twice at most", len(ids))
			}
		})
	}
}

func TestReconcile_WrongEventsForIDsAreUnasked(t *testing.T) {
	g := newNegRig(t, 300)
	note := job(1, g.now-7200) // told as one of the jobs, given when asked for
	id, _ := nip90.ParseID(note.ID)
	g.server.claim = []negentropy.Item{{CreatedAt: g.now - 7200, ID: id}}
	other := job(5300, g.now-1_000_000)
	g.relay.twisted(func(sub string, f nostr.Filter, c *fakeConn) bool {
		if len(f.IDs) == 0 {
			return false
		}
		c.event(sub, other)
		if slices.Contains(f.IDs, note.ID) {
			c.event(sub, note)
		}
		return false
	})
	m := g.start(t, Options{})
	g.whole(t)
	if g.sink.has(note) || g.sink.has(other) {
		t.Error("an event that was not asked for was taken")
	}
	if n := m.Upstreams()[0].Rejected[reasonUnasked]; n < 2 {
		t.Errorf("%d events unasked for were counted, want 2 or more", n)
	}
}

func TestReconcile_AGapIsComparedOnReconnect(t *testing.T) {
	g := newNegRig(t, 300)
	g.sink.put(t, g.events...)
	state := newState()
	o := Options{Upstreams: []string{g.relay.addr()}, Holdings: g.hold, Kinds: []int{5300, 5301, 5302}}
	m, stop := start(t, o, g.sink, state)
	eventually(t, "backfill", backfilled(m))
	stop()
	g.relay.forget()
	before := len(g.server.opened())
	missed := jobs(200, g.now-1, 2) // younger than the overlap
	g.relay.publish(missed...)
	g.events = append(g.events, missed...)
	g.sink.put(t, missed[:150]...)
	m, _ = start(t, o, g.sink, state)
	eventually(t, "backfill", backfilled(m))
	g.whole(t)
	if len(g.server.opened()) == before {
		t.Error("the time since the last connection was not compared")
	}
}

// Whatever is here and there, and whatever the relay bounds, all that is there is here in the end.
func TestReconcile_RandomSetsBecomeOne(t *testing.T) {
	seed := rand.Uint64()
	for i := range 12 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			rnd := rand.New(rand.NewPCG(seed, uint64(i)))
			g := &negRig{relay: newFake(t), sink: newSink(), now: time.Now().Unix()}
			g.server = serveNeg(g.relay)
			g.hold = &holdings{sink: g.sink, gone: map[nip90.ID]bool{}}
			n := 1 + rnd.IntN(1500)
			share := rnd.Float64()
			for range n {
				e := job(5300+rnd.IntN(3), g.now-rnd.Int64N(1+rnd.Int64N(29*86400)), nostr.Tag{"n", fmt.Sprint(rnd.Uint64())})
				e.ID = e.GetID()
				if rnd.IntN(20) > 0 {
					g.events = append(g.events, e)
				}
				if rnd.Float64() < share {
					g.sink.put(t, e)
				}
			}
			g.relay.publish(g.events...)
			g.server.frame = 4096 + rnd.IntN(30_000)
			if rnd.IntN(2) == 0 {
				g.server.most = 20 + rnd.IntN(n)
			}
			g.relay.maxLimit = 60 + rnd.IntN(500)
			g.relay.info = fmt.Sprintf(`{"supported_nips":[77],"limitation":{"max_limit":%d,"max_message_length":%d}}`, g.relay.maxLimit, 10_000+rnd.IntN(100_000))
			m := g.start(t, Options{})
			for _, e := range g.events {
				if !g.sink.has(e) {
					t.Fatalf("seed %d/%d: event %s of %d is missing; backfill = %+v", seed, i, e.ID, e.CreatedAt, m.Upstreams()[0].Backfill)
				}
			}
		})
	}
}
