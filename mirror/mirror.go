package mirror

import (
	"cmp"
	"context"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"dvmrelay/nip90"

	"golang.org/x/sync/semaphore"
)

// Mirror reads from upstreams. All methods are safe for concurrent use.
type Mirror struct {
	o     Options
	sink  Sink
	state State
	log   *slog.Logger
	now   func() time.Time
	bytes *semaphore.Weighted

	budget atomic.Pointer[Budget]
	ledger *Ledger
	follow *follower
	people *people // nil = nobody is watched

	missing func([]nip90.ID) // if set, what a comparison finds is told and not fetched

	changed chan struct{} // one slot: the wanted upstreams are not those that run

	mu        sync.Mutex // guards below
	wanted    []string
	kinds     []int // as in Options
	upstreams map[string]*upstream
}

// New makes a mirror; Run starts it. Options that do not validate give a mirror without the faulty upstreams.
func New(o Options, sink Sink, state State) *Mirror {
	o.pace = o.pace.orDefault()
	o.pace.temper = o.pace.temper.orDefault()
	if o.MaxMessageBytes <= 0 {
		o.MaxMessageBytes = 1 << 20
	}
	m := &Mirror{o: o, sink: sink, state: state, log: o.Log, now: o.Now, changed: make(chan struct{}, 1), upstreams: map[string]*upstream{}}
	if m.log == nil {
		m.log = slog.New(slog.DiscardHandler)
	}
	if m.now == nil {
		m.now = time.Now
	}
	m.bytes = semaphore.NewWeighted(max(o.pace.bytes, o.MaxMessageBytes))
	m.ReloadBudget(o.Budget())
	m.kinds, m.ledger = o.Kinds, o.Ledger
	if o.Watched != nil {
		m.people = newPeople(o.Watched, m.now, m.log)
	}
	if m.ledger == nil {
		m.ledger = NewLedger(state, m.now, m.log)
	}
	m.follow = newFollower(m, o.Follow, o.bounds)
	m.Reload(o.Upstreams)
	return m
}

// Reload replaces the list of upstreams. Those on both lists keep their connections. It does not wait.
func (m *Mirror) Reload(upstreams []string) {
	var wanted []string
	for _, raw := range upstreams {
		if addr, err := address(raw); err == nil && !slices.Contains(wanted, addr) {
			wanted = append(wanted, addr)
		}
	}
	m.ledger.list(wanted)
	m.mu.Lock()
	m.wanted = wanted
	m.mu.Unlock()
	m.change()
}

// ReloadKinds replaces Options.Kinds. When they differ every upstream is connected to anew, and the past of kinds that are
// new is read. It does not wait.
func (m *Mirror) ReloadKinds(kinds []int) {
	m.mu.Lock()
	m.kinds = kinds
	m.mu.Unlock()
	m.change()
}

func (m *Mirror) change() {
	select {
	case m.changed <- struct{}{}:
	default: // a change is already waiting to be seen, and it reads what is wanted when it is
	}
}

// Run mirrors until ctx ends. It returns nil when ctx has ended and everything it started has too.
func (m *Mirror) Run(ctx context.Context) error {
	for _, w := range m.o.Warnings() {
		m.log.Warn(w)
	}
	var running sync.WaitGroup
	defer running.Wait()
	running.Go(func() { m.follow.run(ctx) })
	stops := map[string]context.CancelFunc{}
	ends := map[string]chan struct{}{} // of the last connection to each upstream that ever ran
	defer func() {
		for _, stop := range stops {
			stop()
		}
	}()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-m.changed:
		}
		started, stopped := m.plan()
		for _, u := range stopped {
			stops[u.url]()
			delete(stops, u.url)
			m.log.Info("upstream removed", "upstream", u.url)
		}
		for _, u := range started {
			if stop := stops[u.url]; stop != nil {
				stop()
				m.log.Info("upstream is asked for other kinds", "upstream", u.url)
			}
			uctx, stop := context.WithCancel(ctx)
			before, end := ends[u.url], make(chan struct{})
			stops[u.url], ends[u.url] = stop, end
			running.Go(func() {
				defer close(end)
				if before != nil {
					<-before // two at once would write over each other's progress
				}
				u.run(uctx)
			})
		}
	}
}

// plan compares what is wanted with what runs. One that is started may stand in the place of one that runs.
func (m *Mirror) plan() (started, stopped []*upstream) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for url, u := range m.upstreams {
		if !slices.Contains(m.wanted, url) {
			stopped = append(stopped, u)
			delete(m.upstreams, url)
		}
	}
	for _, url := range m.wanted {
		old := m.upstreams[url]
		if old != nil && slices.Equal(old.kinds, m.kinds) && (old.kinds == nil) == (m.kinds == nil) {
			continue
		}
		u := m.newUpstream(url)
		if old != nil {
			u.tally, u.strikes, u.bytes, u.events = old.tally, old.strikes, old.bytes, old.events
		}
		m.upstreams[url] = u
		started = append(started, u)
	}
	return started, stopped
}

// Upstreams is the status of every wanted upstream, in the order of the configuration.
func (m *Mirror) Upstreams() []Status {
	m.mu.Lock()
	wanted := slices.Clone(m.wanted)
	tallies, struck := make([]*tally, len(wanted)), make([]*strikes, len(wanted))
	for i, url := range wanted {
		if u := m.upstreams[url]; u != nil {
			tallies[i], struck[i] = u.tally, u.strikes
		}
	}
	m.mu.Unlock()
	now := m.now()
	out := make([]Status, 0, len(wanted))
	for i, url := range wanted {
		s := cmp.Or(tallies[i], newTally(url)).snapshot(now)
		if struck[i] != nil {
			s.Strikes = struck[i].count(now)
		}
		s.Gaps = m.ledger.recent(url, maxGaps)
		s.Unheard = m.ledger.unheard(url, now.Add(-unheardTime).Unix(), now.Unix())
		out = append(out, s)
	}
	return out
}

// backoff gives the waits between attempts: doubling, capped, and spread so that many upstreams lost at once are not
// all dialled at once.
type backoff struct {
	wait, first, most time.Duration
}

func (b *backoff) next() time.Duration {
	if b.wait == 0 {
		b.wait = b.first
	} else {
		b.wait = min(2*b.wait, b.most)
	}
	return b.wait/2 + rand.N(b.wait/2+1) //nolint:forbidigo // jitter is there to differ; nothing repeats it
}

func (b *backoff) reset() { b.wait = 0 }

// sleep waits; false when ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
