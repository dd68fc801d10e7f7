package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"runtime"
	"slices"
	"sync"
	"text/tabwriter"

	"golang.org/x/sync/errgroup"
)

// Report is everything that a run measured. Phases that did not run are nil. Durations are milliseconds unless the name says otherwise.
type Report struct {
	URL     string  `json:"url"`
	Seed    int64   `json:"seed"`
	End     int64   `json:"end"` // unix seconds; with seed and counts it makes the same events again
	Events  int     `json:"events"`
	Cores   int     `json:"cores"`
	SyncP50 float64 `json:"sync_p50_ms,omitempty"` // one synced 4 KiB append on the disk of the data

	Ingest *Ingest `json:"ingest,omitempty"`
	Query  *Query  `json:"query,omitempty"`
	Paced  *Fanout `json:"paced,omitempty"`
	Burst  *Fanout `json:"burst,omitempty"`
	Idle   *Idle   `json:"idle,omitempty"`
}

func newReport(o *Options) Report {
	return Report{URL: o.URL, Seed: o.Seed, End: o.End, Events: o.Events, Cores: runtime.NumCPU()}
}

// Wrong counts the wrong answers of all phases.
func (r *Report) Wrong() int {
	n := 0
	if r.Ingest != nil {
		n += r.Ingest.Wrong
	}
	if r.Query != nil {
		n += r.Query.Wrong
	}
	for _, f := range []*Fanout{r.Paced, r.Burst} {
		if f != nil {
			n += f.Wrong
		}
	}
	if r.Idle != nil {
		n += r.Idle.Wrong
	}
	return n
}

// started reports whether a phase got as far as figures.
func (r *Report) started() bool {
	return r.Ingest != nil || r.Query != nil || r.Paced != nil || r.Burst != nil || r.Idle != nil
}

// verdict is the error of a run whose figures are not a result.
func (r *Report) verdict(o *Options) error {
	if n := r.Wrong(); n > 0 {
		return fmt.Errorf("%w: %d", ErrWrong, n)
	}
	if i := r.Ingest; i != nil {
		if share := float64(i.Refused) / float64(max(1, i.Sent)); share > o.MaxRefused {
			return fmt.Errorf("relay refused %d of %d events, more than max-refused %g allows", i.Refused, i.Sent, o.MaxRefused)
		}
	}
	return nil
}

func (r *Report) write(out io.Writer, asJSON bool) error {
	if asJSON {
		b, err := json.Marshal(r)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(out, "%s\n", b)
		return err
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	p := &printer{w: w}
	p.row("%s\tseed %d\tend %d\t%d events\t%d cores", r.URL, r.Seed, r.End, r.Events, r.Cores)
	if r.SyncP50 > 0 {
		p.row("sync\tp50 %.2f ms", r.SyncP50)
	}
	p.ingest(r.Ingest)
	p.query(r.Query)
	p.fanout("paced", r.Paced)
	p.fanout("burst", r.Burst)
	if i := r.Idle; i != nil {
		p.row("idle\t%d of %d open\t%.1f KiB each\t%.0f to %.0f MiB\tCPU %.1f ms/s", i.Opened, i.Asked, i.KiBPerConn, i.BaseMiB, i.FullMiB, i.CPUMillisPerSec)
		if i.Reason != "" {
			p.row("  stopped\t%s", i.Reason)
		}
	}
	p.row("wrong answers\t%d", r.Wrong())
	if p.err != nil {
		return p.err
	}
	return w.Flush()
}

// printer keeps the first error of many rows.
type printer struct {
	w   io.Writer
	err error
}

func (p *printer) row(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format+"\n", args...)
	}
}

func (p *printer) cost(c Cost) {
	p.row("  machine\trelay %.1f s CPU\tclient %.1f s CPU\trss %.0f MiB (%.0f anonymous)", c.ServerCPU, c.ClientCPU, c.RSSMiB, c.AnonMiB)
}

func (p *printer) notes(wrong int, examples []string, reasons map[string]int) {
	for _, k := range slices.Sorted(maps.Keys(reasons)) {
		p.row("  %d x\t%s", reasons[k], k)
	}
	if wrong > 0 {
		p.row("  WRONG\t%d", wrong)
	}
	for _, e := range examples {
		p.row("  \t%s", e)
	}
}

func (p *printer) ingest(i *Ingest) {
	if i == nil {
		return
	}
	p.row("ingest\t%.0f OK/s\tp50 %.2f ms\tp99 %.2f ms\t%.0f µs CPU/event", i.AcceptedPerSec, i.P50, i.P99, i.ServerCPUMicros)
	p.row("  events\t%d accepted\t%d refused\t%d kept\t%d read back", i.Accepted, i.Refused, i.Kept, i.ReadBack)
	p.cost(i.Cost)
	p.notes(i.Wrong, i.Examples, i.Reasons)
}

func (p *printer) query(q *Query) {
	if q == nil {
		return
	}
	p.row("query\t%.0f queries/s\t%.0f events/s\t%.0f µs CPU/query\t%d in all", q.QueriesPerSec, q.EventsPerSec, q.ServerCPUMicros, q.Queries)
	for _, name := range slices.Sorted(maps.Keys(q.Shapes)) {
		s := q.Shapes[name]
		p.row("  %s\tp50 %.2f ms\tp99 %.2f ms\t%d events in %d\t%d wrong, %d unordered", name, s.P50, s.P99, s.Events, s.Queries, s.Wrong, s.Unordered)
	}
	p.cost(q.Cost)
	p.notes(q.Wrong, q.Examples, q.Reasons)
}

func (p *printer) fanout(name string, f *Fanout) {
	if f == nil {
		return
	}
	p.row("%s\t%.0f deliveries/s\tp50 %.2f ms\tp99 %.2f ms\t%.0f µs CPU/delivery", name, f.DeliveriesPerSec, f.P50, f.P99, f.ServerCPUMicros)
	p.row("  events\t%d published\t%d delivered of %d\t%d missing\t%d twice, %d unexpected", f.Published, f.Delivered, f.Expected, f.Missing, f.Duplicate, f.Unexpected)
	p.cost(f.Cost)
	p.notes(f.Wrong, f.Examples, f.Reasons)
}

const maxExamples = 5

// notes counts what was refused and what was wrong. It is safe for concurrent use.
type notes struct {
	mu       sync.Mutex // guards below
	reasons  map[string]int
	wrongs   int
	examples []string
}

func newNotes() *notes { return &notes{reasons: map[string]int{}} }

func (n *notes) reason(text string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.reasons[reasonKey(text)]++
}

func (n *notes) wrong(format string, args ...any) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.wrongs++
	if len(n.examples) < maxExamples {
		n.examples = append(n.examples, fmt.Sprintf(format, args...))
	}
}

// merge adds the notes of other, which nobody writes to any more.
func (n *notes) merge(other *notes) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for k, c := range other.reasons {
		n.reasons[k] += c
	}
	n.wrongs += other.wrongs
	n.examples = append(n.examples, other.examples...)
	n.examples = n.examples[:min(len(n.examples), maxExamples)]
}

const dialsAtOnce = 16

// many opens n connections, or none.
func (d *dialer) many(ctx context.Context, n int) ([]*conn, error) {
	conns := make([]*conn, n)
	var g errgroup.Group
	g.SetLimit(dialsAtOnce)
	for i := range conns {
		g.Go(func() error {
			var err error
			conns[i], err = d.dial(ctx)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		closeAll(conns)
		return nil, err
	}
	return conns, nil
}

func closeAll(conns []*conn) {
	for _, c := range conns {
		if c != nil {
			c.close()
		}
	}
}
