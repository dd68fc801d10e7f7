package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/nbd-wtf/go-nostr"
	"golang.org/x/sync/errgroup"
)

// Ingest is what publishing the stored events showed.
type Ingest struct {
	Sent     int            `json:"sent"`
	Accepted int            `json:"accepted"`
	Refused  int            `json:"refused"`
	Kept     int            `json:"kept"` // refused for now, kept until what they name arrives
	Reasons  map[string]int `json:"reasons,omitempty"`

	Seconds         float64 `json:"seconds"`
	AcceptedPerSec  float64 `json:"accepted_per_s"`
	P50             float64 `json:"p50_ms"`
	P95             float64 `json:"p95_ms"`
	P99             float64 `json:"p99_ms"`
	ServerCPUMicros float64 `json:"server_cpu_us_per_event"`
	Cost

	ReadBack int      `json:"read_back"` // accepted events that were asked for again and compared whole
	Wrong    int      `json:"wrong"`
	Examples []string `json:"wrong_examples,omitempty"`
}

const (
	unsaid int32 = iota
	saidYes
	saidNo
	saidKept
)

// publication is one set of events on its way; at and said are touched by the writer and the reader of a connection.
type publication struct {
	items []item
	by    map[eventID]int
	start time.Time
	at    []atomic.Int64 // ns after start
	said  []atomic.Int32
	next  atomic.Int64
	notes *notes
	wait  time.Duration
}

func newPublication(items []item, wait time.Duration) *publication {
	p := &publication{
		items: items, by: make(map[eventID]int, len(items)), start: time.Now(),
		at: make([]atomic.Int64, len(items)), said: make([]atomic.Int32, len(items)), notes: newNotes(), wait: wait,
	}
	for i := range items {
		p.by[items[i].id] = i
	}
	return p
}

// lane publishes over one connection, which it closes at the end, with at most window events in flight.
// Lanes take events in order from one queue, so none of them can fall behind by more than its window.
// due, if set, says when an event may leave, counted from the start.
func (p *publication) lane(ctx context.Context, c *conn, window int, due func(i int) time.Duration) ([]int64, error) {
	slots := make(chan struct{}, window)
	var all atomic.Bool
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		defer c.close() // ends the reader
		if err := p.write(ctx, c, slots, due); err != nil {
			return err
		}
		for range window { // every slot free again: everything is answered
			select {
			case slots <- struct{}{}:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		all.Store(true)
		return nil
	})
	var took []int64
	g.Go(func() error {
		var err error
		took, err = p.answers(c, slots)
		if all.Load() {
			return nil
		}
		return err
	})
	return took, g.Wait()
}

func (p *publication) write(ctx context.Context, c *conn, slots chan<- struct{}, due func(i int) time.Duration) error {
	for {
		i := int(p.next.Add(1)) - 1
		if i >= len(p.items) {
			return c.flush()
		}
		if due != nil {
			if err := waitUntil(ctx, p.start.Add(due(i))); err != nil {
				return err
			}
		}
		if err := p.slot(ctx, c, slots); err != nil {
			return err
		}
		p.at[i].Store(int64(time.Since(p.start)))
		if err := c.queue(p.items[i].frame); err != nil {
			return err
		}
		if due != nil {
			if err := c.flush(); err != nil {
				return err
			}
		}
	}
}

// slot waits for room in the window; what is buffered has to leave before an answer can make room.
func (p *publication) slot(ctx context.Context, c *conn, slots chan<- struct{}) error {
	select {
	case slots <- struct{}{}:
		return nil
	default:
	}
	if err := c.flush(); err != nil {
		return err
	}
	select {
	case slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func waitUntil(ctx context.Context, t time.Time) error {
	left := time.Until(t)
	if left <= 0 {
		return nil
	}
	timer := time.NewTimer(left)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// answers frees a slot for each OK until the connection ends.
func (p *publication) answers(c *conn, slots <-chan struct{}) ([]int64, error) {
	var took []int64
	for {
		b, err := c.read(p.wait)
		if err != nil {
			return took, fmt.Errorf("after %d answers: %w", len(took), err)
		}
		m, err := parseMessage(b)
		if err != nil {
			return took, err
		}
		if m.label == labelNotice {
			p.notes.reason("NOTICE " + m.text)
		}
		if m.label != labelOK {
			continue
		}
		i, ours := p.by[m.id]
		if !ours || p.at[i].Load() == 0 {
			p.notes.wrong("OK for an event that was not sent: %x", m.id)
			continue
		}
		if !p.said[i].CompareAndSwap(unsaid, verdict(m)) {
			p.notes.wrong("second OK for %x", m.id)
			continue
		}
		if !m.ok {
			p.notes.reason(m.text)
		}
		took = append(took, int64(time.Since(p.start))-p.at[i].Load())
		<-slots
	}
}

// verdict reads an OK. A relay may keep an event until what it names arrives, and says so.
func verdict(m message) int32 {
	switch {
	case m.ok:
		return saidYes
	case strings.Contains(m.text, "(kept "):
		return saidKept
	default:
		return saidNo
	}
}

func (r *runner) ingest(ctx context.Context) (*Ingest, error) {
	conns, err := r.dial.many(ctx, r.o.Conns)
	if err != nil {
		return nil, err
	}
	defer closeAll(conns)
	server, self := usageOf(r.o.PID), usageOf(os.Getpid())
	p := newPublication(r.set.stored, r.o.Wait)
	took := make([][]int64, len(conns))
	g, gctx := errgroup.WithContext(ctx)
	for i, c := range conns {
		g.Go(func() error {
			var err error
			took[i], err = p.lane(gctx, c, r.o.Window, nil)
			return err
		})
	}
	err = g.Wait()
	res := &Ingest{Seconds: time.Since(p.start).Seconds(), Cost: costSince(server, self, r.o.PID)}
	if err != nil {
		return res, err
	}
	r.settle(p, res)
	res.AcceptedPerSec = float64(res.Accepted) / res.Seconds
	res.ServerCPUMicros = per(res.ServerCPU, res.Accepted)
	res.P50, res.P95, res.P99 = percentiles(took)
	err = r.readBack(ctx, res, p.notes)
	res.Wrong, res.Examples, res.Reasons = p.notes.wrongs, p.notes.examples, p.notes.reasons
	return res, err
}

// settle turns what was said into what is served.
func (r *runner) settle(p *publication, res *Ingest) {
	fates := make([]fate, len(p.said))
	for i := range p.said {
		res.Sent++
		switch p.said[i].Load() {
		case saidYes:
			res.Accepted++
		case saidNo:
			res.Refused++
			fates[i] = gone
		case saidKept:
			res.Kept++
			fates[i] = maybe
		}
	}
	r.set.settle(fates)
}

const readBackChunk = 100

// readBack asks for every event by id and compares id, content and signature with what was sent.
func (r *runner) readBack(ctx context.Context, res *Ingest, notes *notes) error {
	c, err := r.dial.dial(ctx)
	if err != nil {
		return err
	}
	defer c.close()
	for at := 0; at < len(r.set.stored); at += readBackChunk {
		f := nostr.Filter{Limit: readBackChunk}
		for i := at; i < min(at+readBackChunk, len(r.set.stored)); i++ {
			f.IDs = append(f.IDs, r.set.stored[i].ID)
		}
		sub := fmt.Sprintf("back%d", at)
		got, err := c.ask(sub, []byte(f.String()), r.o.Wait, func(event []byte) {
			if err := r.same(event); err != nil {
				notes.wrong("read back: %v", err)
			}
		})
		if err != nil {
			return fmt.Errorf("read back: %w", err)
		}
		res.ReadBack += len(got)
		if wrong, _ := r.set.check(&f, got); wrong != "" {
			notes.wrong("read back: %s: got %d, want %d of ids %d to %d", wrong, len(got), len(r.set.wanted(&f, nil)), at, at+len(f.IDs)-1)
		}
	}
	return nil
}

// same compares one served event with the one that was sent.
func (r *runner) same(event []byte) error {
	var e nostr.Event
	if err := json.Unmarshal(event, &e); err != nil {
		return fmt.Errorf("event %.80q: %w", event, err)
	}
	id, err := decodeID([]byte(e.ID))
	if err != nil {
		return err
	}
	i, ours := r.set.byID[id]
	switch {
	case !ours || i < 0:
		return fmt.Errorf("event %s was not sent", e.ID)
	case !e.CheckID():
		return fmt.Errorf("event %s was changed: its id no longer fits", e.ID)
	case e.Sig != r.set.stored[i].Sig:
		return fmt.Errorf("event %s has another signature", e.ID)
	}
	return nil
}
