package mirror

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// stand is one part on one connection: its live subscriptions, and the backfill beside them.
type stand struct {
	s      *session
	r      *reach
	more   chan struct{} // one slot: there may be windows to fill
	fallen chan struct{} // one slot: a live subscription may have been closed by the upstream
	shared chan struct{} // one slot: it may have more live subscriptions, or must have fewer
	cuts   []int64       // fill's own: seconds of the present window of which only part was given
	cmp    comparing     // of the goroutine that fills

	live []standing // the live subscriptions; who holds them guards them

	mu    sync.Mutex // guards below
	tide  tide
	rest  int      // filters that are not live
	asked int64    // when these were last asked for by pages, unix seconds
	read  int64    // up to when all of that is here
	stood []string // keys of those that are asked for
}

// standing is a live subscription and what it asks for, but for the time.
type standing struct {
	*sub
	asks string
}

func newStand(s *session, r *reach) *stand {
	return &stand{s: s, r: r, more: make(chan struct{}, 1), fallen: make(chan struct{}, 1), shared: make(chan struct{}, 1)}
}

// run reads the part until the connection ends.
func (st *stand) run(ctx context.Context) error {
	if st.r.part.past {
		return st.gather(ctx)
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return st.hold(ctx) })
	g.Go(func() error { return st.fill(ctx) })
	return g.Wait()
}

func (st *stand) begin(at time.Time) uint64 {
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.tide.begin(at.Unix())
}

func (st *stand) oldest() (int64, bool) {
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.tide.oldest()
}

func (st *stand) end(ticket uint64, createdAt int64) {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.tide.end(ticket, createdAt)
}

// level is the newest moment up to which everything live is on disk, never later than now.
func (st *stand) level(now int64) int64 {
	st.mu.Lock()
	defer st.mu.Unlock()
	if came, ok := st.tide.oldest(); ok {
		now = min(now, came) // a level from an author's fast clock says nothing about what is on its way
	}
	return min(st.tide.level, now)
}

// hold keeps the part's live subscriptions open until the connection ends. What the upstream refuses is asked for again
// in smaller parts, or later.
func (st *stand) hold(ctx context.Context) error {
	for {
		values, grants := st.r.bears(), st.s.grants()
		reason, err := st.serve(ctx, values)
		if err != nil {
			return err
		}
		st.falls(ctx, reason)
		for len(st.live) > 0 {
			if err := st.retire(ctx, len(st.live)-1); err != nil {
				return err
			}
		}
		if reason == reasonAuth && st.s.admitted(ctx, grants) {
			continue
		}
		wait := st.patience(reason, values)
		st.s.u.m.log.Info("upstream ended a subscription", "upstream", st.s.u.url, "part", st.r.part.name, "reason", reason, "again_in", wait)
		if !sleep(ctx, wait) {
			return ctx.Err()
		}
	}
}

// patience is how long to wait after a refusal of filters with so many values, which may be fewer afterwards.
func (st *stand) patience(reason string, values int) time.Duration {
	p := st.s.u.m.o.pace
	if (reason == reasonClosed || reason == reasonSilent) && st.r.split(values) {
		return p.split
	}
	return p.reissue
}

// falls notes that the part is refused.
func (st *stand) falls(ctx context.Context, reason string) {
	st.tells(reason)
	if st.r.part.keys != nil {
		return // whether the upstream is heard is about jobs
	}
	st.s.falls(ctx, st.r.part.name, refused)
	st.s.u.tally.update(func(s *Status) { s.State, s.Reason, s.HeardSince = StateRefused, reason, 0 })
}

// fell is told by the reader that a live subscription was closed; st may be nil.
func (st *stand) fell() {
	if st != nil {
		signal(st.fallen)
	}
}

// serve plans the windows that the time since the last live subscriptions leaves, opens new ones, then stays with them
// until one is closed.
func (st *stand) serve(ctx context.Context, values int) (reason string, err error) {
	now := st.s.u.m.now().Unix()
	st.renew(ctx)
	if st.r.part.keys == nil || len(st.r.part.keys.list()) > 0 { // else nothing is read, and nothing was heard
		if err := st.plan(ctx, now); err != nil {
			return "", err
		}
	}
	if reason, err = st.issue(ctx, values); reason != "" || err != nil {
		return reason, err
	}
	if st.r.part.keys == nil {
		st.s.rises(ctx, st.r.part.name, now)
	}
	st.wake()
	return st.stay(ctx, values)
}

// plan adds the windows of what was not live since the last time.
func (st *stand) plan(ctx context.Context, now int64) error {
	p, again := st.s.u.m.o.pace, st.again(now)
	st.mu.Lock()
	st.asked = now
	st.mu.Unlock()
	return st.r.change(ctx, func(m *mark) {
		if st.r.part.keys != nil {
			m.follow(now, p.overlap)
			return
		}
		m.cover(st.r.part.kinds)
		m.open(now, st.r.floor(), p.overlap)
		if st.r.part.sweeping {
			m.sweep(now, p.sweep)
		}
		m.addAll(again)
	})
}

func (st *stand) stay(ctx context.Context, values int) (reason string, err error) {
	p := st.s.u.m.o.pace
	tick, watch, poll := time.NewTicker(p.checkpoint), time.NewTicker(p.watch), time.NewTicker(p.poll)
	defer tick.Stop()
	defer watch.Stop()
	defer poll.Stop()
	for {
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case <-st.fallen:
			if reason := st.ended(); reason != "" {
				return reason, nil
			}
		case <-st.shared:
			reason, err = st.issue(ctx, values)
		case <-watch.C:
			reason, err = st.turn(ctx, values)
		case <-poll.C:
			if _, polls := st.polled(); polls {
				err = st.plan(ctx, st.s.u.m.now().Unix())
				st.wake()
			}
		case <-tick.C:
			err = st.checkpoint(ctx)
			st.wake()
		}
		if reason != "" || err != nil {
			return reason, err
		}
	}
}

// turn asks about others than before, if there are such.
func (st *stand) turn(ctx context.Context, values int) (reason string, err error) {
	if !st.renew(ctx) {
		return "", nil
	}
	if st.idle() {
		if err := st.plan(ctx, st.s.u.m.now().Unix()); err != nil {
			return "", err
		}
		st.wake()
	}
	return st.issue(ctx, values)
}

// checkpoint writes down how far the live subscriptions came.
func (st *stand) checkpoint(ctx context.Context) error {
	if st.idle() {
		return nil
	}
	now := st.s.u.m.now().Unix()
	level, again := st.level(now), st.again(now)
	_, polls := st.polled()
	return st.r.change(ctx, func(m *mark) {
		if !polls {
			m.Heard = max(m.Heard, level)
		}
		if st.r.part.sweeping {
			m.sweep(now, st.s.u.m.o.pace.sweep)
		}
		m.addAll(again)
	})
}

// wake tells fill to look for windows.
func (st *stand) wake() { signal(st.more) }
