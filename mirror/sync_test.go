package mirror

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"dvmrelay/nip90"

	"github.com/nbd-wtf/go-nostr"
)

// sync runs a Sync of the rig's relay with the pace of a test.
func (g *negRig) sync(ctx context.Context, o SyncOptions) (SyncReport, error) {
	o.URL, o.Holdings = g.relay.addr(), g.hold
	if o.Kinds == nil {
		o.Kinds = []int{5300, 5301, 5302}
	}
	if o.pace.page == 0 {
		o.pace = quick()
	}
	return Sync(ctx, o, g.sink)
}

func TestSync_BringsWhatIsMissing(t *testing.T) {
	for _, tc := range []struct{ name, info, how string }{
		{"by NIP-77", offers77, HowReconciled},
		{"page by page", `{}`, HowPages},
	} {
		t.Run(tc.name, func(t *testing.T) {
			g := newNegRig(t, 1000)
			g.relay.info = tc.info
			rep, err := g.sync(t.Context(), SyncOptions{Since: 1})
			if err != nil {
				t.Fatal(err)
			}
			g.whole(t)
			if !rep.Done || rep.Stored != 100 || len(rep.Left) != 0 || (rep.Compared > 0) != (tc.how == HowReconciled) {
				t.Errorf("report = %+v, want done by %s with 100 stored", rep, tc.how)
			}
			if rep.BytesIn < 10_000 || rep.BytesOut < 100 {
				t.Errorf("%d bytes in, %d out, want those of the wire", rep.BytesIn, rep.BytesOut)
			}
			if n := g.sink.doors[nip90.DoorSync]; n < 100 || g.sink.doors[nip90.DoorBackfill] != 0 {
				t.Errorf("doors = %v, want those of sync alone", g.sink.doors)
			}
		})
	}
}

func TestSync_DryRunCountsAndStoresNothing(t *testing.T) {
	for name, info := range map[string]string{"by NIP-77": offers77, "page by page": `{}`} {
		t.Run(name, func(t *testing.T) {
			g := newNegRig(t, 1000)
			g.relay.info = info
			before := g.sink.len()
			rep, err := g.sync(t.Context(), SyncOptions{Since: 1, DryRun: true})
			if err != nil {
				t.Fatal(err)
			}
			if rep.Missing != 100 || rep.Stored != 0 || g.sink.len() != before {
				t.Errorf("report = %+v and %d events more than before, want 100 missing and none", rep, g.sink.len()-before)
			}
			if _, ids := g.relay.pagings(); len(ids) != 0 {
				t.Errorf("%d events were fetched, want none", len(ids))
			}
		})
	}
}

func TestSync_FilterAndTimesChoose(t *testing.T) {
	g := newNegRig(t, 1000)
	at := nostr.Timestamp(g.now - 30_000)
	rep, err := g.sync(t.Context(), SyncOptions{Since: g.now - 40_000, Filter: &nostr.Filter{Kinds: []int{5300}, Until: &at}})
	if err != nil {
		t.Fatal(err)
	}
	if rep.Stored == 0 || rep.Read != 1 {
		t.Errorf("report = %+v, want something stored and all read", rep)
	}
	for _, e := range g.events {
		chosen := e.Kind == 5300 && int64(e.CreatedAt) >= g.now-40_000 && e.CreatedAt <= at
		if had := slices.Index(g.events, e)%10 != 0; g.sink.has(e) != (chosen || had) {
			t.Fatalf("event of kind %d and %d: here = %t, want %t", e.Kind, e.CreatedAt, g.sink.has(e), chosen || had)
		}
	}
}

// Without --since it reads as far back as the mirror does.
func TestSync_ReadsAsFarBackAsTheMirror(t *testing.T) {
	g := newNegRig(t, 1000)
	if _, err := g.sync(t.Context(), SyncOptions{Options: Options{Backfill: 2 * time.Hour}}); err != nil {
		t.Fatal(err)
	}
	if old := g.events[900]; g.sink.has(old) {
		t.Error("an event older than mirror.backfill was read")
	}
	if young := g.events[0]; !g.sink.has(young) {
		t.Error("an event younger than mirror.backfill was not read")
	}
}

func TestSync_EndsWithWhatIsLeft(t *testing.T) {
	silent := func(string, nostr.Filter, *fakeConn) bool { return true }
	for _, tc := range []struct {
		name, why string
		twist     func(string, nostr.Filter, *fakeConn) bool
	}{
		{"silence", reasonSilent, silent},
		{"refusal", "blocked", func(sub string, _ nostr.Filter, c *fakeConn) bool {
			c.send([]byte(`["CLOSED","` + sub + `","blocked: not you"]`))
			return true
		}},
		{"hanging up", reasonLost, func(_ string, _ nostr.Filter, c *fakeConn) bool { _ = c.ws.CloseNow(); return true }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			g := newNegRig(t, 300)
			g.relay.info = `{}`
			g.relay.twisted(tc.twist)
			p := quick()
			p.answer = 300 * time.Millisecond
			rep, err := g.sync(t.Context(), SyncOptions{Options: Options{pace: p}, Since: 1})
			if err == nil || rep.Done || len(rep.Left) == 0 || rep.Left[0].Why != tc.why {
				t.Errorf("error %v, report %+v, want an error and part a left because of %s", err, rep, tc.why)
			}
			if tc.name == "refusal" && (!errors.Is(err, ErrIncomplete) || len(rep.Left) != 2) {
				t.Errorf("error %v, left %v, want ErrIncomplete and both parts", err, rep.Left)
			}
		})
	}
}

// A relay that gives only part of one second, however it is asked, leaves that second.
func TestSync_ATruncatedSecondIsLeft(t *testing.T) {
	g := newNegRig(t, 10)
	g.relay.info, g.relay.maxLimit = `{}`, 50
	at := g.now - 5000
	for i := range 80 {
		e := job(5300, at, nostr.Tag{"n", strconv.Itoa(i)})
		e.ID = e.GetID()
		g.relay.publish(e)
	}
	rep, err := g.sync(t.Context(), SyncOptions{Since: 1})
	if want := []SyncGap{{"a", at, at, "truncated"}}; !errors.Is(err, ErrIncomplete) || !slices.Equal(rep.Left, want) {
		t.Errorf("error %v, left %v, want ErrIncomplete and %v", err, rep.Left, want)
	}
}

func TestSync_StopsSoonAfterItsContext(t *testing.T) {
	g := newNegRig(t, 300)
	asked := make(chan struct{}, 100)
	g.relay.twisted(func(string, nostr.Filter, *fakeConn) bool { asked <- struct{}{}; return true })
	clear(g.sink.events)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	var rep SyncReport
	go func() {
		var err error
		rep, err = g.sync(ctx, SyncOptions{Since: 1})
		ended <- err
	}()
	<-asked
	began := time.Now()
	cancel()
	err := <-ended
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("ended after %s, want within a second or so", took)
	}
	if !errors.Is(err, context.Canceled) || len(rep.Left) == 0 || rep.Left[0].Why != "interrupted" {
		t.Errorf("error %v, left %v, want that it was interrupted", err, rep.Left)
	}
}

func TestSync_NobodyThere(t *testing.T) {
	g := newNegRig(t, 10)
	g.relay.leave(true)
	rep, err := g.sync(t.Context(), SyncOptions{})
	if err == nil || len(rep.Left) != 2 || rep.Left[0].Why != reasonDial {
		t.Errorf("error %v, left %v, want both parts because it is %s", err, rep.Left, reasonDial)
	}
	_, err = Sync(t.Context(), SyncOptions{URL: "http://relay.example"}, g.sink)
	if !errors.Is(err, ErrAddress) || !strings.Contains(err.Error(), "ws://") {
		t.Errorf("error %v, want ErrAddress", err)
	}
}
