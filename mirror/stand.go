package mirror

import (
	"context"
	"sync"
	"time"

	"dvmrelay/nip90"
)

// stand is one part on one connection: its live subscriptions, and the backfill beside them.
type stand struct {
	s    *session
	r    *reach
	more chan struct{} // one slot: there may be windows to fill
	cuts []int64       // fill's own: seconds of the present window of which only part was given
	cmp  comparing     // of the goroutine that fills

	mu   sync.Mutex // guards below
	tide tide
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
	p := st.s.u.m.o.pace
	for {
		values := st.r.bears()
		now, grants := st.s.u.m.now().Unix(), st.s.grants()
		subs, err := st.subscribe(ctx, now, values)
		if err != nil {
			return err
		}
		reason, err := st.watch(ctx, now, subs)
		if err != nil {
			return err
		}
		st.s.falls(ctx, st.r.part.name, refused)
		for _, b := range subs {
			if err := st.s.drop(ctx, b); err != nil {
				return err
			}
		}
		if reason == reasonAuth && st.s.admitted(ctx, grants) {
			continue
		}
		wait := p.reissue
		if reason == reasonClosed && st.r.split(values) {
			wait = p.split
		}
		st.s.u.tally.update(func(s *Status) { s.State, s.Reason, s.HeardSince = StateRefused, reason, 0 })
		st.s.u.m.log.Info("upstream ended a subscription", "upstream", st.s.u.url, "part", st.r.part.name, "reason", reason, "again_in", wait)
		if !sleep(ctx, wait) {
			return ctx.Err()
		}
	}
}

// subscribe plans the windows that the time since the last subscription leaves, then opens the live subscriptions. They
// reach back by the overlap, for authors whose clock is slow.
func (st *stand) subscribe(ctx context.Context, now int64, values int) ([]*sub, error) {
	u, p := st.s.u, st.s.u.m.o.pace
	again := st.again(now)
	err := st.r.change(ctx, func(m *mark) {
		m.cover(st.r.part.kinds)
		m.open(now, st.r.floor(), p.overlap)
		if st.r.part.sweeping {
			m.sweep(now, p.sweep)
		}
		m.addAll(again)
	})
	if err != nil {
		return nil, err
	}
	since := max(1, now-int64(p.overlap/time.Second))
	filters := st.r.part.filters(values)
	for i := range filters {
		filters[i] = within(filters[i], since, 0)
	}
	var subs []*sub
	for _, some := range bundle(filters, u.perSub(values)) {
		b := st.s.add(&sub{filters: some, door: nip90.DoorMirror, stand: st})
		subs = append(subs, b)
		if err := st.s.c.Req(ctx, b.id, some...); err != nil {
			return nil, err
		}
	}
	return subs, nil
}

// watch waits for EOSE of every subscription, then writes progress down now and then, until one of them is closed.
func (st *stand) watch(ctx context.Context, asked int64, subs []*sub) (reason string, err error) {
	ended := make(chan *sub, len(subs))
	var waiting sync.WaitGroup
	defer waiting.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	past := make(chan struct{}, len(subs))
	for _, b := range subs {
		waiting.Go(func() {
			select {
			case <-b.eose:
				past <- struct{}{}
			case <-b.closed:
			case <-ctx.Done():
				return
			}
			select {
			case <-b.closed:
				ended <- b
			case <-ctx.Done():
			}
		})
	}
	answer := time.NewTimer(st.s.u.m.o.pace.answer)
	defer answer.Stop()
	for left := len(subs); left > 0; {
		select {
		case <-past:
			left--
		case b := <-ended:
			return b.reason, nil
		case <-answer.C:
			return "", errSilent
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
	st.s.rises(ctx, st.r.part.name, asked)
	st.wake()
	return st.stay(ctx, ended)
}

func (st *stand) stay(ctx context.Context, ended <-chan *sub) (string, error) {
	p := st.s.u.m.o.pace
	tick := time.NewTicker(p.checkpoint)
	defer tick.Stop()
	for {
		select {
		case b := <-ended:
			return b.reason, nil
		case <-ctx.Done():
			return "", ctx.Err()
		case <-tick.C:
		}
		now := st.s.u.m.now().Unix()
		level, again := st.level(now), st.again(now)
		err := st.r.change(ctx, func(m *mark) {
			m.Heard = max(m.Heard, level)
			if st.r.part.sweeping {
				m.sweep(now, p.sweep)
			}
			m.addAll(again)
		})
		if err != nil {
			return "", err
		}
		st.wake()
	}
}

// wake tells fill to look for windows.
func (st *stand) wake() {
	select {
	case st.more <- struct{}{}:
	default: // it has been told already
	}
}
