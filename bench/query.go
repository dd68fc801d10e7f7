package bench

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/nbd-wtf/go-nostr"
	"golang.org/x/sync/errgroup"
)

// Query is what the REQs showed.
type Query struct {
	Queries         int               `json:"queries"`
	Events          int               `json:"events"`
	Seconds         float64           `json:"seconds"`
	QueriesPerSec   float64           `json:"queries_per_s"`
	EventsPerSec    float64           `json:"events_per_s"`
	Shapes          map[string]*Shape `json:"shapes"`
	ServerCPUMicros float64           `json:"server_cpu_us_per_query"`
	Cost

	Wrong    int            `json:"wrong"`
	Reasons  map[string]int `json:"reasons,omitempty"` // what CLOSED and broken connections said
	Examples []string       `json:"wrong_examples,omitempty"`
}

// Shape is one kind of REQ.
type Shape struct {
	Queries   int     `json:"queries"`
	Events    int     `json:"events"`
	P50       float64 `json:"p50_ms"`
	P99       float64 `json:"p99_ms"`
	Wrong     int     `json:"wrong"`
	Unordered int     `json:"unordered"` // right, but not newest first
}

// shape draws one REQ around a stored request.
type shape struct {
	name   string
	weight int
	open   bool // also selects events of others, so it cannot be checked on a shared relay
	draw   func(d *dataset, rng *rand.Rand, popular *rand.Zipf, req *item) nostr.Filter
}

// shapes are weighted by how often a DVM client or provider asks so.
func shapes() []shape {
	return []shape{
		{name: "thread", weight: 4, draw: func(_ *dataset, _ *rand.Rand, _ *rand.Zipf, req *item) nostr.Filter {
			return nostr.Filter{Tags: nostr.TagMap{"e": {req.ID}}}
		}},
		{name: "threads20", weight: 1, draw: drawThreads},
		{name: "inbox", weight: 3, draw: drawInbox},
		{name: "latest", weight: 1, open: true, draw: func(d *dataset, rng *rand.Rand, _ *rand.Zipf, _ *item) nostr.Filter {
			if rng.IntN(2) == 0 {
				return nostr.Filter{Kinds: []int{d.kinds[rng.IntN(len(d.kinds))]}, Limit: 100}
			}
			return nostr.Filter{Kinds: []int{5300, 5301, 5302, 5303}, Limit: 100}
		}},
		{name: "ids", weight: 2, draw: drawIDs},
		{name: "handlers", weight: 1, open: true, draw: func(d *dataset, rng *rand.Rand, _ *rand.Zipf, _ *item) nostr.Filter {
			return nostr.Filter{Kinds: []int{31990}, Tags: nostr.TagMap{"k": {strconv.Itoa(d.kinds[rng.IntN(8)])}}}
		}},
		{name: "author", weight: 2, draw: func(d *dataset, rng *rand.Rand, _ *rand.Zipf, _ *item) nostr.Filter {
			return nostr.Filter{Authors: []string{d.stored[rng.IntN(len(d.stored))].PubKey}, Limit: 100}
		}},
		{name: "window", weight: 1, open: true, draw: func(d *dataset, rng *rand.Rand, _ *rand.Zipf, _ *item) nostr.Filter {
			width := max(1, (d.end-d.start)*100/int64(len(d.stored))) // about 100 events
			since := nostr.Timestamp(d.start + rng.Int64N(max(1, d.end-d.start-width)))
			until := since + nostr.Timestamp(width)
			return nostr.Filter{Since: &since, Until: &until}
		}},
	}
}

func drawThreads(d *dataset, rng *rand.Rand, _ *rand.Zipf, _ *item) nostr.Filter {
	reqs := d.requests()
	at := rng.IntN(max(1, len(reqs)-20))
	var ids []string
	for _, i := range reqs[at:min(at+20, len(reqs))] {
		ids = append(ids, d.stored[i].ID)
	}
	return nostr.Filter{Tags: nostr.TagMap{"e": ids}}
}

func drawInbox(d *dataset, _ *rand.Rand, popular *rand.Zipf, req *item) nostr.Filter {
	p := d.providers[popular.Uint64()]
	if t := req.Tags.Find("p"); t != nil {
		p = t[1]
	}
	return nostr.Filter{Kinds: []int{req.Kind}, Tags: nostr.TagMap{"p": {p}}, Limit: 50}
}

func drawIDs(d *dataset, rng *rand.Rand, _ *rand.Zipf, _ *item) nostr.Filter {
	var f nostr.Filter
	for len(f.IDs) < 10 {
		if id := d.stored[rng.IntN(len(d.stored))].ID; !slices.Contains(f.IDs, id) {
			f.IDs = append(f.IDs, id)
		}
	}
	return f
}

// requests are the stored job requests, oldest first.
func (d *dataset) requests() []int {
	if d.reqs == nil {
		for i := range d.stored {
			if k := d.stored[i].Kind; k >= 5000 && k < 6000 {
				d.reqs = append(d.reqs, i)
			}
		}
	}
	return d.reqs
}

// question is one REQ and what came back.
type question struct {
	shape  string
	filter nostr.Filter
	json   []byte
	done   bool
	took   int64 // ns
	got    []eventID
	err    error
}

func (r *runner) questions() ([]question, error) {
	rng := newRand(r.o.Seed, 2)
	popular := rand.NewZipf(rng, 1.1, 4, uint64(len(r.set.providers)-1))
	reqs := r.set.requests()
	if len(reqs) == 0 {
		return nil, fmt.Errorf("no request among %d events", len(r.set.stored))
	}
	var mix []shape
	for _, s := range shapes() {
		if !s.open || !r.o.Shared {
			mix = append(mix, slices.Repeat([]shape{s}, s.weight)...)
		}
	}
	qs := make([]question, r.o.Queries)
	for i := range qs {
		s := mix[rng.IntN(len(mix))]
		q := &qs[i]
		q.shape = s.name
		q.filter = s.draw(r.set, rng, popular, &r.set.stored[reqs[rng.IntN(len(reqs))]])
		q.json = []byte(q.filter.String())
	}
	return qs, nil
}

func (r *runner) query(ctx context.Context) (*Query, error) {
	qs, err := r.questions()
	if err != nil {
		return nil, err
	}
	conns, err := r.dial.many(ctx, r.o.Clients)
	if err != nil {
		return nil, err
	}
	defer closeAll(conns)
	server, self := usageOf(r.o.PID), usageOf(os.Getpid())
	start := time.Now()
	var next atomic.Int64
	g, gctx := errgroup.WithContext(ctx)
	for i := range conns {
		g.Go(func() error {
			return r.client(gctx, &conns[i], qs, func() (int, bool) {
				n := int(next.Add(1)) - 1
				late := r.o.QueryLimit > 0 && time.Since(start) > r.o.QueryLimit
				return n, n < len(qs) && !late
			})
		})
	}
	err = g.Wait()
	res := &Query{Seconds: time.Since(start).Seconds(), Shapes: map[string]*Shape{}, Cost: costSince(server, self, r.o.PID)}
	r.judge(qs, res)
	return res, err
}

// client asks questions one after the other. A broken answer is noted; the next question gets a new connection.
func (r *runner) client(ctx context.Context, c **conn, qs []question, next func() (int, bool)) error {
	for {
		i, more := next()
		if !more {
			return nil
		}
		q := &qs[i]
		start := time.Now()
		q.got, q.err = (*c).ask("q"+strconv.Itoa(i), q.json, r.o.Wait, nil)
		q.took, q.done = int64(time.Since(start)), true
		if err := ctx.Err(); err != nil {
			return err
		}
		if q.err == nil {
			continue
		}
		fresh, err := r.dial.dial(ctx)
		if err != nil {
			return errors.Join(q.err, err)
		}
		(*c).close()
		*c = fresh
	}
}

func (r *runner) judge(qs []question, res *Query) {
	notes := newNotes()
	took := map[string][]int64{}
	for i := range qs {
		q := &qs[i]
		if !q.done {
			continue
		}
		s := res.Shapes[q.shape]
		if s == nil {
			s = &Shape{}
			res.Shapes[q.shape] = s
		}
		res.Queries++
		s.Queries++
		res.Events += len(q.got)
		s.Events += len(q.got)
		took[q.shape] = append(took[q.shape], q.took)
		wrong, unordered := r.set.check(&q.filter, q.got)
		if q.err != nil {
			wrong = q.err.Error()
			notes.reason(wrong)
		}
		switch {
		case wrong != "":
			s.Wrong++
			notes.wrong("%s: %s: got %d, want %d: %.300s", q.shape, wrong, len(q.got), len(r.set.wanted(&q.filter, nil)), q.json)
		case unordered:
			s.Unordered++
		}
	}
	for name, ns := range took {
		res.Shapes[name].P50, _, res.Shapes[name].P99 = percentiles([][]int64{ns})
	}
	res.QueriesPerSec, res.EventsPerSec = float64(res.Queries)/res.Seconds, float64(res.Events)/res.Seconds
	res.ServerCPUMicros = per(res.ServerCPU, res.Queries)
	res.Wrong, res.Examples, res.Reasons = notes.wrongs, notes.examples, notes.reasons
}
