package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/nbd-wtf/go-nostr"
	"golang.org/x/sync/errgroup"
)

// Fanout is what publishing to live subscriptions showed.
type Fanout struct {
	Subs      int     `json:"subs"`
	Conns     int     `json:"conns"`
	Rate      float64 `json:"rate_per_s"` // 0: as fast as the relay answers
	Published int     `json:"published"`
	Refused   int     `json:"refused"`

	Expected   int `json:"expected_deliveries"`
	Delivered  int `json:"delivered"`
	Missing    int `json:"missing"`
	Duplicate  int `json:"duplicate"`
	Unexpected int `json:"unexpected"`

	Seconds          float64 `json:"seconds"`
	DeliveriesPerSec float64 `json:"deliveries_per_s"`
	P50              float64 `json:"p50_ms"` // from the write of the EVENT to its delivery
	P95              float64 `json:"p95_ms"`
	P99              float64 `json:"p99_ms"`
	ServerCPUMicros  float64 `json:"server_cpu_us_per_delivery"`
	Cost

	Wrong    int            `json:"wrong"`
	Reasons  map[string]int `json:"reasons,omitempty"`
	Examples []string       `json:"wrong_examples,omitempty"`
}

const (
	publishers    = 2
	publishWindow = 32
	quietAfter    = 3 * time.Second        // with deliveries missing and none coming, the rest is lost
	lateDuplicate = 150 * time.Millisecond // how long to listen on when everything has come
)

// delivery is one EVENT that came for a live subscription.
type delivery struct{ sub, event int }

// arrival is a delivery and when it came, in ns after the start of the publication.
type arrival struct {
	delivery
	at int64
}

// audience is every live subscription of a phase and what it heard.
type audience struct {
	r       *runner
	filters []nostr.Filter
	pub     *publication
	heard   [][]arrival // by connection
	count   atomic.Int64
	notes   *notes
}

// subscriptions: a tenth wants everything of a kind, a quarter is a provider's inbox, the rest awaits the answers to one job.
func (r *runner) subscriptions(items []item) []nostr.Filter {
	rng := newRand(r.o.Seed, 3)
	byProv := rand.NewZipf(rng, 1.1, 4, uint64(len(r.set.providers)-1))
	byKind := rand.NewZipf(rng, 1.2, 2, uint64(len(r.set.kinds)-1))
	var jobs []string
	for i := range items {
		if k := items[i].Kind; k >= 5000 && k < 6000 {
			jobs = append(jobs, items[i].ID)
		}
	}
	since := nostr.Timestamp(r.set.end - 3600)
	fs := make([]nostr.Filter, r.o.Subs)
	for i := range fs {
		switch {
		case i%10 == 0:
			fs[i] = nostr.Filter{Kinds: []int{r.set.kinds[byKind.Uint64()]}, Since: &since, Limit: 1}
		case i%4 == 1 || len(jobs) == 0:
			kinds := []int{r.set.kinds[rng.IntN(6)], r.set.kinds[6+rng.IntN(len(r.set.kinds)-6)]}
			fs[i] = nostr.Filter{Kinds: kinds, Tags: nostr.TagMap{"p": {r.set.providers[byProv.Uint64()]}}, Since: &since, Limit: 1}
		default:
			fs[i] = nostr.Filter{Tags: nostr.TagMap{"e": {jobs[rng.IntN(len(jobs))]}}}
		}
	}
	return fs
}

func (r *runner) fanout(ctx context.Context, items []item, rate float64) (*Fanout, error) {
	a := &audience{r: r, filters: r.subscriptions(items), notes: newNotes()}
	conns, err := r.dial.many(ctx, min(r.o.SubConns, r.o.Subs))
	if err != nil {
		return nil, err
	}
	defer closeAll(conns)
	if err := a.subscribe(ctx, conns); err != nil {
		return nil, err
	}
	pubs, err := r.dial.many(ctx, publishers)
	if err != nil {
		return nil, err
	}
	defer closeAll(pubs)
	expected := a.expected(items)
	server, self := usageOf(r.o.PID), usageOf(os.Getpid())
	a.pub = newPublication(items, r.o.Wait)

	lctx, stop := context.WithCancel(ctx)
	defer stop()
	var listeners errgroup.Group
	for i, c := range conns {
		listeners.Go(func() error { return a.listen(lctx, i, c) })
	}
	err = a.publish(ctx, pubs, rate)
	for k := range expected {
		if a.pub.said[k.event].Load() != saidYes {
			delete(expected, k)
		}
	}
	a.drain(ctx, len(expected))
	res := &Fanout{Subs: len(a.filters), Conns: len(conns), Rate: rate, Cost: costSince(server, self, r.o.PID)}
	stop()
	closeAll(conns) // ends the reads
	if lerr := listeners.Wait(); err == nil {
		err = lerr
	}
	a.judge(expected, res)
	return res, err
}

// subscribe opens every subscription and waits for each EOSE before the next on that connection.
func (a *audience) subscribe(ctx context.Context, conns []*conn) error {
	a.heard = make([][]arrival, len(conns))
	g, _ := errgroup.WithContext(ctx)
	for ci, c := range conns {
		g.Go(func() error {
			for s := ci; s < len(a.filters); s += len(conns) {
				if err := a.open(c, s); err != nil {
					return fmt.Errorf("subscribe: %w", err)
				}
			}
			return nil
		})
	}
	return g.Wait()
}

func (a *audience) open(c *conn, s int) error {
	sub := "s" + strconv.Itoa(s)
	f := &a.filters[s]
	if err := c.send(fmt.Appendf(nil, `["REQ","%s",%s]`, sub, f)); err != nil {
		return err
	}
	for {
		b, err := c.read(a.r.o.Wait)
		if err != nil {
			return err
		}
		m, err := parseMessage(b)
		if err != nil {
			return err
		}
		switch {
		case m.label == labelEOSE && string(m.sub) == sub:
			return nil
		case m.label == labelClosed && string(m.sub) == sub:
			return fmt.Errorf("CLOSED %s", m.text)
		case m.label == labelNotice:
			return fmt.Errorf("NOTICE %s", m.text)
		case m.label == labelEvent && string(m.sub) == sub:
			var e nostr.Event
			if err := json.Unmarshal(m.event, &e); err != nil || !f.Matches(&e) {
				a.notes.wrong("stored event %x does not match %s", m.id, f)
			}
		}
	}
}

func (a *audience) expected(items []item) map[delivery]bool {
	want := map[delivery]bool{}
	for e := range items {
		for s := range a.filters {
			if a.filters[s].Matches(&items[e].Event) {
				want[delivery{s, e}] = true
			}
		}
	}
	return want
}

// listen collects live events until ctx ends.
func (a *audience) listen(ctx context.Context, ci int, c *conn) error {
	for {
		b, err := c.read(a.r.o.MaxTime)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("subscriber lost its connection: %w", err)
		}
		now := int64(time.Since(a.pub.start))
		m, err := parseMessage(b)
		if err != nil {
			return err
		}
		switch m.label {
		case labelEvent:
		case labelClosed, labelNotice:
			a.notes.wrong("live subscription ended: %s %s", m.label, m.text)
			continue
		default:
			continue
		}
		e, ours := a.pub.by[m.id]
		s := -1
		if len(m.sub) > 1 && m.sub[0] == 's' {
			s, err = strconv.Atoi(string(m.sub[1:]))
		}
		switch {
		case s < 0 || err != nil || s >= len(a.filters):
			a.notes.wrong("event for subscription %q that does not exist", m.sub)
		case ours:
			a.heard[ci] = append(a.heard[ci], arrival{delivery{s, e}, now})
			a.count.Add(1)
		case !a.r.o.Shared:
			a.notes.wrong("live event %x that was not published", m.id)
		}
	}
}

func (a *audience) publish(ctx context.Context, pubs []*conn, rate float64) error {
	var due func(i int) time.Duration
	if rate > 0 {
		due = func(i int) time.Duration { return time.Duration(float64(i) / rate * float64(time.Second)) }
	}
	g, gctx := errgroup.WithContext(ctx)
	for _, c := range pubs {
		g.Go(func() error {
			_, err := a.pub.lane(gctx, c, publishWindow, due)
			if err != nil {
				return fmt.Errorf("publish: %w", err)
			}
			return nil
		})
	}
	return g.Wait()
}

// drain waits until want deliveries came, or none comes any more.
func (a *audience) drain(ctx context.Context, want int) {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	have, last := a.count.Load(), time.Now()
	for int(have) < want && time.Since(last) < quietAfter {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if n := a.count.Load(); n != have {
			have, last = n, time.Now()
		}
	}
	_ = waitUntil(ctx, time.Now().Add(lateDuplicate)) // ends early with ctx, which the caller sees as well
}

func (a *audience) judge(want map[delivery]bool, res *Fanout) {
	var took []int64
	seen := map[delivery]bool{}
	for _, hs := range a.heard {
		for _, h := range hs {
			switch {
			case seen[h.delivery]:
				res.Duplicate++
				a.notes.wrong("event %s delivered twice to %s", a.pub.items[h.event].ID, &a.filters[h.sub])
			case !want[h.delivery]:
				res.Unexpected++
				a.notes.wrong("event %s delivered to %s, which it does not match, or although it was refused", a.pub.items[h.event].ID, &a.filters[h.sub])
			default:
				took = append(took, h.at-a.pub.at[h.event].Load())
				res.Seconds = max(res.Seconds, time.Duration(h.at).Seconds())
			}
			seen[h.delivery] = true
		}
	}
	for k := range want {
		if !seen[k] {
			res.Missing++
			a.notes.wrong("event %s not delivered to %s", a.pub.items[k.event].ID, &a.filters[k.sub])
		}
	}
	for i := range a.pub.said {
		if a.pub.at[i].Load() != 0 {
			res.Published++
		}
		if a.pub.said[i].Load() == saidNo {
			res.Refused++
		}
	}
	res.Expected, res.Delivered = len(want), len(took)
	if res.Delivered > 0 {
		res.DeliveriesPerSec = float64(res.Delivered) / res.Seconds
	}
	res.ServerCPUMicros = per(res.ServerCPU, res.Delivered)
	res.P50, res.P95, res.P99 = percentiles([][]int64{took})
	a.notes.merge(a.pub.notes)
	res.Wrong, res.Examples, res.Reasons = a.notes.wrongs, a.notes.examples, a.notes.reasons
}
