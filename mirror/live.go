package mirror

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"dvmrelay/nip90"

	"github.com/nbd-wtf/go-nostr"
)

// issue makes the live subscriptions what they should be: those that ask for the same stay, a changed one is opened before
// the one in its place is closed. They reach back by the overlap, for authors whose clock is slow.
func (st *stand) issue(ctx context.Context, values int) (reason string, err error) {
	u := st.s.u
	filters := st.r.part.filters(values)
	fits := u.fits(values, st.r.part.valueBytes())
	subs := st.s.shares.ask(st, (len(filters)+fits.wanted-1)/fits.wanted)
	wanted, rest := bundle(filters, fits, subs)
	for len(st.live) > subs { // others are waiting for these
		if err := st.retire(ctx, len(st.live)-1); err != nil {
			return "", err
		}
	}
	st.s.shares.has(st, max(len(st.live), len(wanted)))
	polled := st.polls(len(rest))
	have := len(st.live)
	for i, some := range wanted {
		asks, err := spell(some)
		if err != nil {
			return "", err
		}
		switch {
		case i >= have:
			b, err := st.open(ctx, some)
			if err != nil {
				return "", err
			}
			st.live = append(st.live, standing{b, asks})
		case st.live[i].asks != asks:
			if reason, err := st.replace(ctx, i, some, asks); reason != "" || err != nil {
				return reason, err
			}
		}
	}
	for _, l := range st.live[have:] {
		if reason, err := st.await(ctx, l.sub); reason != "" || err != nil {
			return reason, err
		}
	}
	for len(st.live) > len(wanted) {
		if err := st.retire(ctx, len(st.live)-1); err != nil {
			return "", err
		}
	}
	st.s.shares.has(st, len(st.live))
	st.stand()
	st.tells("")
	if polled && len(rest) == 0 { // the last page was some time ago
		return "", st.plan(ctx, u.m.now().Unix())
	}
	return "", nil
}

// spell writes out what a subscription asks for, to compare it.
func spell(filters []nostr.Filter) (string, error) {
	raw, err := json.Marshal(filters)
	if err != nil {
		return "", fmt.Errorf("spell filters: %w", err)
	}
	return string(raw), nil
}

// open asks for something live.
func (st *stand) open(ctx context.Context, some []nostr.Filter) (*sub, error) {
	now, back := st.s.u.m.now().Unix(), int64(st.s.u.m.o.pace.overlap/time.Second)
	filters := make([]nostr.Filter, len(some))
	for i, f := range some {
		filters[i] = within(f, max(1, now-back), 0)
	}
	b := st.s.add(&sub{filters: filters, door: nip90.DoorMirror, stand: st})
	return b, st.s.c.Req(ctx, b.id, filters...)
}

// replace opens a subscription in the place of another one. Meanwhile it takes the turn of a page.
func (st *stand) replace(ctx context.Context, i int, some []nostr.Filter, asks string) (reason string, err error) {
	if err := st.s.shares.turns.Acquire(ctx, 1); err != nil {
		return "", err
	}
	defer st.s.shares.turns.Release(1)
	b, err := st.open(ctx, some)
	if err != nil {
		return "", err
	}
	if reason, err = st.await(ctx, b); reason != "" || err != nil {
		// forgetting it cannot fail if the upstream closed it, and the connection ends if not
		_ = st.s.drop(ctx, b)
		return reason, err
	}
	old := st.live[i].sub
	st.live[i] = standing{b, asks}
	return "", st.s.drop(ctx, old)
}

// retire closes a live subscription; those behind it move up.
func (st *stand) retire(ctx context.Context, i int) error {
	b := st.live[i].sub
	st.live = append(st.live[:i], st.live[i+1:]...)
	return st.s.drop(ctx, b)
}

// await waits until a subscription is past what is stored, and returns why it was closed instead.
func (st *stand) await(ctx context.Context, b *sub) (reason string, err error) {
	answer := time.NewTimer(st.s.u.m.o.pace.answer)
	defer answer.Stop()
	select {
	case <-b.eose:
		return "", nil
	case <-b.closed:
		return b.reason, nil
	case <-answer.C:
		if st.r.part.keys != nil {
			return reasonSilent, nil
		}
		return "", errSilent
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// silent ends a page that was not answered. Jobs that are not answered end the connection; people who are not are asked
// about again later.
func (st *stand) silent(ctx context.Context, b *sub) error {
	if st.r.part.keys == nil {
		return errSilent
	}
	if err := st.s.drop(ctx, b); err != nil {
		return err
	}
	b.page.pending.Wait()
	return &errRefusedPage{reasonSilent}
}

// ended is why one of the live subscriptions was closed; empty while all are open.
func (st *stand) ended() string {
	for _, l := range st.live {
		select {
		case <-l.closed:
			return l.reason
		default:
		}
	}
	return ""
}

// renew looks whom to ask about, and says whether that has changed.
func (st *stand) renew(ctx context.Context) bool {
	p, m := st.r.part, st.s.u.m
	if p.keys == nil {
		return false
	}
	return p.keys.set(m.people.list(ctx, p.whose, m.o.pace.watch/4), maxKeys)
}

// idle says that the part is about people, and nobody is asked about.
func (st *stand) idle() bool { return st.r.part.keys != nil && len(st.whom()) == 0 }

// polls notes how many filters are not live, and says whether any were not before.
func (st *stand) polls(rest int) (before bool) {
	st.mu.Lock()
	defer st.mu.Unlock()
	before = st.rest > 0
	if !before && rest > 0 {
		st.read = st.asked
	}
	st.rest = rest
	return before
}

// polled says whether anything is not live, and up to when that was read.
func (st *stand) polled() (until int64, polls bool) {
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.read, st.rest > 0
}

// asks is when what is not live was last planned to be read.
func (st *stand) asks() int64 {
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.asked
}

// reads notes that a window planned before then was read.
func (st *stand) reads(asked int64) {
	if _, more := st.r.next(); more {
		return
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	st.read = max(st.read, asked)
}

// stand notes whose events will be heard from now on, live or by pages.
func (st *stand) stand() {
	if st.r.part.keys == nil {
		return
	}
	keys := st.r.part.keys.list()
	st.mu.Lock()
	st.stood = keys
	st.mu.Unlock()
	for _, o := range st.s.all {
		if o.r.part.past {
			o.wake()
		}
	}
}

// whom are the keys whose events are heard.
func (st *stand) whom() []string {
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.stood
}
