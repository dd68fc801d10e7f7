package mirror

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"dvmrelay/nip90"
	"dvmrelay/wire"

	"github.com/nbd-wtf/go-nostr"
	"golang.org/x/sync/errgroup"
)

// SyncOptions say what Sync reads.
type SyncOptions struct {
	// Options are those of the mirror; Upstreams, Ledger, Watched and Follow do not count.
	Options
	// URL is the relay, ws:// or wss://.
	URL string
	// Since and Until bound created_at, both included, in unix seconds. Since 0 is now - Options.Backfill for what that bounds;
	// Until 0 is now.
	Since, Until int64
	// Filter replaces what the mirror asks for, if set. Its own since and until count too; limit and search do not.
	Filter *nostr.Filter
	// DryRun counts what is missing and stores nothing.
	DryRun bool
	// Progress hears of it now and then and is never called concurrently; nil = nobody asks.
	Progress func(SyncReport)
}

// SyncReport says how far a Sync has come. It is a copy: safe to keep.
type SyncReport struct {
	URL  string `json:"url"`
	Done bool   `json:"done"`          // all that was asked for was read; always false before the end
	How  string `json:"how,omitempty"` // as in Backfill, of what is being read
	Why  string `json:"why,omitempty"` // as in Backfill
	// Read is how much of the time asked for was read, 0 to 1; absent when there is no measure of it.
	Read      float64 `json:"read,omitempty"`
	Events    uint64  `json:"events"` // that came
	Stored    uint64  `json:"stored"`
	Duplicate uint64  `json:"duplicate"`
	Stale     uint64  `json:"stale"`     // a newer version is here
	Deleted   uint64  `json:"deleted"`   // by its author, before it came
	FactOnly  uint64  `json:"fact_only"` // expired: counted, never served
	Waiting   uint64  `json:"waiting"`   // kept until what they are about arrives
	// Missing are events of a dry run that were never counted here.
	Missing  uint64            `json:"missing"`
	Rejected map[string]uint64 `json:"rejected"` // by reason
	NotGiven uint64            `json:"not_given"`
	Compared uint64            `json:"compared"` // windows read by NIP-77
	Faults   uint64            `json:"faults"`   // windows in which NIP-77 failed
	BytesIn  int64             `json:"bytes_in"` // on the wire, encryption and all
	BytesOut int64             `json:"bytes_out"`
	Left     []SyncGap         `json:"left"` // what was not read
	Seconds  float64           `json:"seconds"`
}

// SyncGap is a stretch of created_at, both ends included, of which something may be missing still.
type SyncGap struct {
	Part  string `json:"part"`
	Since int64  `json:"since"`
	Until int64  `json:"until"`
	Why   string `json:"why"`
}

// ErrAddress means that a URL is no address of a relay.
var ErrAddress = errors.New("no address of a relay")

// ErrIncomplete means that a Sync ended before it had read everything; the report says what is left.
var ErrIncomplete = errors.New("not everything could be read")

const (
	tellSync    = time.Second
	maxRefusals = 3 // of one part in a row, before it is given up
)

// syncPace is more impatient than a mirror: somebody waits.
func syncPace() pace {
	p := pace{}.orDefault()
	p.answer, p.reissue = 30*time.Second, 5*time.Second
	return p
}

// syncer is one Sync under way.
type syncer struct {
	o       SyncOptions
	u       *upstream
	s       *session
	known   *recent // of a dry run
	began   time.Time
	in, out atomic.Int64

	mu     sync.Mutex // guards below
	report SyncReport
}

// Sync reads the past of one relay once: by NIP-77 where the relay offers it, else page by page. Events go to sink by the
// door DoorSync. It returns when they are on disk or refused, with ErrIncomplete when not everything could be read, and soon
// after ctx ends.
func Sync(ctx context.Context, o SyncOptions, sink Sink) (SyncReport, error) {
	addr, err := address(o.URL)
	if err != nil {
		return SyncReport{URL: o.URL}, fmt.Errorf("%w: %q %w", ErrAddress, o.URL, err)
	}
	o.Upstreams, o.Ledger, o.Watched = nil, nil, nil
	if o.pace.page == 0 {
		o.pace = syncPace()
	}
	y := &syncer{o: o, report: SyncReport{URL: addr, Rejected: map[string]uint64{}, Left: []SyncGap{}}}
	door := &syncDoor{y: y, sink: sink}
	m := New(o.Options, door, forgetful{})
	if o.DryRun {
		m.o.Seen, y.known = nil, &recent{}
		m.missing = y.miss
	}
	y.began = m.now()
	m.ledger.list([]string{addr}) // it notes what is given only in part
	y.u = m.newUpstream(addr)
	y.plan(m.now().Unix())
	err = y.run(ctx)
	return y.end(ctx, err), err
}

// plan puts one window before each part.
func (y *syncer) plan(now int64) {
	all := y.u.reaches
	if f := y.o.Filter; f != nil {
		base := *f
		base.Since, base.Until, base.Limit, base.LimitZero = nil, nil, 0, false
		all = []*reach{{u: y.u, part: &part{name: "filter", base: []nostr.Filter{base}, values: 4096}, values: 4096, saving: make(chan struct{}, 1)}}
	}
	y.u.reaches = all
	for _, r := range all {
		w := window{y.o.Since, y.o.Until}
		if w.Since == 0 && y.o.Filter == nil {
			w.Since = r.floor()
		}
		if w.Until == 0 {
			w.Until = now
		}
		if f := y.o.Filter; f != nil && f.Since != nil {
			w.Since = max(w.Since, int64(*f.Since))
		}
		if f := y.o.Filter; f != nil && f.Until != nil {
			w.Until = min(w.Until, int64(*f.Until))
		}
		r.mark, r.loaded = mark{Heard: w.Until, Floor: w.Since, Swept: now}, true
		if w.Since <= w.Until {
			r.mark.Windows = []window{w}
		}
	}
}

// run connects, reads everything, and waits for all it started.
func (y *syncer) run(ctx context.Context) error {
	p := y.u.m.o.pace
	o := wire.DialOptions{
		DialTimeout: p.dial, PingEvery: p.idle, UserAgent: "dvmrelay", Dial: y.dial(p.dial),
		ReadLimit: y.u.m.o.MaxMessageBytes, SkipLimit: skipFactor * y.u.m.o.MaxMessageBytes, MessageTimeout: p.message,
	}
	y.u.learn(ctx, o)
	c, err := wire.Dial(ctx, y.u.url, o)
	if err != nil {
		return err
	}
	defer c.Close()
	y.s = newSession(y.u, c)
	ctx, stop := context.WithCancel(ctx)
	var telling sync.WaitGroup
	if y.o.Progress != nil {
		telling.Go(func() { y.tell(ctx) })
	}
	defer telling.Wait()
	defer stop()
	return y.s.once(ctx, y.walk)
}

// once is run for a session without live subscriptions, which ends when work does.
func (s *session) once(parent context.Context, work func(context.Context) error) error {
	ctx, fail := context.WithCancelCause(parent)
	s.fail = fail
	defer fail(nil)
	errWorked := errors.New("work is done")
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error { return s.read(gctx) })
	g.Go(func() error { return s.keepAlive(gctx) })
	g.Go(func() error { return s.introduce(gctx) })
	g.Go(func() error {
		if err := work(gctx); err != nil {
			return err
		}
		return errWorked
	})
	err := g.Wait()
	s.workers.Wait()
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
		return cause
	}
	if errors.Is(err, errWorked) {
		return nil
	}
	return err
}

// walk reads part after part. One that the relay refuses for good is left, and the next is read.
func (y *syncer) walk(ctx context.Context) error {
	for _, st := range y.s.all {
		why, err := y.walkPart(ctx, st)
		if err != nil {
			return err
		}
		if why != "" {
			y.leave(st.r, why)
		}
		y.leaveCuts(st.r.part.name)
	}
	y.mu.Lock()
	defer y.mu.Unlock()
	if len(y.report.Left) > 0 {
		return fmt.Errorf("%w: part %s: %s", ErrIncomplete, y.report.Left[0].Part, y.report.Left[0].Why)
	}
	return nil
}

func (y *syncer) walkPart(ctx context.Context, st *stand) (why string, err error) {
	p := y.u.m.o.pace
	for refusals := 0; ; {
		w, ok := st.r.next()
		if !ok {
			return "", nil
		}
		values := st.r.bears()
		err := st.fillWindow(ctx, w, values)
		var refused *errRefusedPage
		switch {
		case err == nil:
			refusals = 0
			continue
		case !errors.As(err, &refused):
			return "", err
		}
		wait := p.reissue
		if refused.reason == reasonClosed && st.r.split(values) {
			wait = p.split
		} else if refusals++; refusals >= maxRefusals || refused.reason == reasonSilent {
			return refused.reason, nil
		}
		if !sleep(ctx, wait) {
			return "", ctx.Err()
		}
	}
}

// leave notes what of a part was not read.
func (y *syncer) leave(r *reach, why string) {
	r.mu.Lock()
	windows := slices.Clone(r.mark.Windows)
	r.mu.Unlock()
	y.mu.Lock()
	defer y.mu.Unlock()
	for _, w := range windows {
		y.report.Left = append(y.report.Left, SyncGap{r.part.name, w.Since, w.Until, why})
	}
}

// leaveCuts notes the seconds of which the relay gave only part, however it was asked.
func (y *syncer) leaveCuts(part string) {
	cuts := y.u.m.ledger.cutsOf(y.u.url, part, maxCuts)
	y.mu.Lock()
	defer y.mu.Unlock()
	for _, c := range cuts {
		y.report.Left = append(y.report.Left, SyncGap{part, c.Since, c.Until, string(truncated)})
	}
}

// end is the last report.
func (y *syncer) end(ctx context.Context, err error) SyncReport {
	if err != nil && !errors.Is(err, ErrIncomplete) {
		why := reasonOf(err)
		if y.s == nil {
			why = reasonDial
		}
		if ctx.Err() != nil {
			why = "interrupted"
		}
		told := map[string]bool{}
		for _, g := range y.report.Left {
			told[g.Part] = true
		}
		for _, r := range y.u.reaches {
			if !told[r.part.name] {
				y.leave(r, why)
			}
		}
	}
	rep := y.snapshot()
	if err == nil {
		rep.Done, rep.Read = true, 1
	}
	return rep
}

// snapshot is the report as of now.
func (y *syncer) snapshot() SyncReport {
	st := y.u.tally.snapshot(y.u.m.now())
	y.mu.Lock()
	defer y.mu.Unlock()
	rep := y.report
	rep.Rejected, rep.Left = maps.Clone(y.report.Rejected), slices.Clone(y.report.Left)
	for reason, n := range st.Rejected {
		if reason == reasonAbsent {
			rep.NotGiven = n
			continue
		}
		rep.Rejected[reason] = n
	}
	if b := st.Backfill; b != nil {
		rep.How, rep.Why, rep.Compared, rep.Faults = b.How, b.Why, b.Compared, b.Faults
	}
	rep.BytesIn, rep.BytesOut = y.in.Load(), y.out.Load()
	rep.Read, rep.Seconds = y.read(), y.u.m.now().Sub(y.began).Seconds()
	return rep
}

// read is the share of the time asked for that was read; 0 when one part goes back to the beginning of time.
func (y *syncer) read() float64 {
	var whole, left int64
	for _, r := range y.u.reaches {
		r.mu.Lock()
		m := r.mark
		for _, w := range m.Windows {
			left += w.Until - w.Since + 1
		}
		r.mu.Unlock()
		if m.Floor == 0 && len(m.Windows) > 0 {
			return 0
		}
		if m.Floor > 0 && m.Heard >= m.Floor {
			whole += m.Heard - m.Floor + 1
		}
	}
	if whole == 0 {
		return 0
	}
	return 1 - float64(left)/float64(whole)
}

// tell reports progress until ctx ends.
func (y *syncer) tell(ctx context.Context) {
	tick := time.NewTicker(tellSync)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			y.o.Progress(y.snapshot())
		}
	}
}

// miss counts what a comparison found.
func (y *syncer) miss(ids []nip90.ID) {
	y.mu.Lock()
	defer y.mu.Unlock()
	for _, id := range ids {
		if y.known.add(id) {
			y.report.Missing++
		}
	}
}
