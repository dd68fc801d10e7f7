package mirror

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"dvmrelay/nip90"
	"dvmrelay/wire"

	"github.com/nbd-wtf/go-nostr"
	"golang.org/x/sync/errgroup"
)

// listener is one connection to a relay that jobs name. It is never taken up again: a new one stands in its place.
type listener struct {
	f         *follower
	url, host string
	began     time.Time
	stop      context.CancelFunc
	wake      chan struct{} // one slot: other jobs are to be followed
	idle      bool          // it is to make room for others; guarded by follower.mu
	brought   atomic.Bool   // something that was asked for

	strikes atomic.Int64
	minute  allowance // the reader's own

	mu     sync.Mutex // guards below
	jobs   map[nip90.ID]Job
	issued int              // subscriptions so far; the id of the last
	asked  map[nip90.ID]Job // by the last subscription
	past   map[nip90.ID]Job // by the one before
	eose   chan struct{}    // closed at EOSE of the last subscription
	at     int64            // when it was asked, unix seconds
	filter [2]nostr.Filter  // of asked and past, to hold events to
}

func (l *listener) useful() bool { return l.brought.Load() }

// follow says which jobs the relay is listened on for. It does not wait.
func (l *listener) follow(jobs map[nip90.ID]Job) {
	l.mu.Lock()
	same := len(l.jobs) == len(jobs)
	for id := range jobs {
		_, had := l.jobs[id]
		same = same && had
	}
	l.jobs = jobs
	l.mu.Unlock()
	if same {
		return
	}
	select {
	case l.wake <- struct{}{}:
	default: // it will look anyway
	}
}

// listen connects and listens until the connection or ctx ends, and waits for all it started.
func (l *listener) listen(ctx context.Context) error {
	b := l.f.b
	c, err := wire.Dial(ctx, l.url, wire.DialOptions{
		Control: l.f.guard.control, NoRedirect: true, DialTimeout: b.dial, ReadLimit: b.messageBytes, MessageTimeout: b.dial,
		PingEvery: b.ping, PingTimeout: b.ping, WriteTimeout: b.dial, UserAgent: "dvmrelay",
	})
	if err != nil {
		return &dialError{err}
	}
	defer c.Close()
	var workers errgroup.Group
	workers.SetLimit(b.inFlight)
	defer func() { _ = workers.Wait() }() // what they meet goes through fail
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error { return l.read(gctx, c, &workers, fail) })
	g.Go(func() error { return c.KeepAlive(gctx) })
	g.Go(func() error { return l.ask(gctx, c) })
	err = g.Wait()
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

// ask subscribes for the jobs of the moment, and anew when they change, but not too often.
func (l *listener) ask(ctx context.Context, c *wire.Client) error {
	for {
		last, eose, err := l.subscribe(ctx, c)
		if err != nil {
			return err
		}
		answer := time.NewTimer(l.f.b.answer)
		select {
		case <-eose:
		case <-answer.C:
			return errSilent
		case <-ctx.Done():
			answer.Stop()
			return ctx.Err()
		}
		answer.Stop()
		l.hear(last)
		if !sleep(ctx, l.f.b.reissue) {
			return ctx.Err()
		}
		select {
		case <-l.wake:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// hear notes the jobs that the relay is now listened on for.
func (l *listener) hear(jobs map[nip90.ID]Job) {
	l.f.mu.Lock()
	defer l.f.mu.Unlock()
	for id := range jobs {
		l.f.heard.note(id, l.url)
	}
}

// subscribe asks for the answers to the jobs of the moment: all there are for those that are new on this connection, what
// came since for the others. Then it takes the subscription before back.
func (l *listener) subscribe(ctx context.Context, c *wire.Client) (map[nip90.ID]Job, <-chan struct{}, error) {
	l.mu.Lock()
	before, fresh := map[nip90.ID]Job{}, map[nip90.ID]Job{}
	for id, j := range l.jobs {
		if _, had := l.asked[id]; had {
			before[id] = j
		} else {
			fresh[id] = j
		}
	}
	var filters nostr.Filters
	if len(fresh) > 0 {
		filters = append(filters, answersTo(fresh))
	}
	if len(before) > 0 {
		f, since := answersTo(before), nostr.Timestamp(l.at-int64(l.f.m.o.pace.overlap/time.Second))
		f.Since = &since
		filters = append(filters, f)
	}
	l.issued++
	l.past, l.asked, l.at = l.asked, maps.Clone(l.jobs), l.f.m.now().Unix()
	l.filter = [2]nostr.Filter{answersTo(l.asked), answersTo(l.past)}
	l.eose = make(chan struct{})
	id, last, asked, eose := l.issued, l.issued-1, l.asked, l.eose
	l.mu.Unlock()
	if len(filters) > 0 {
		if err := c.Req(ctx, strconv.Itoa(id), filters...); err != nil {
			return nil, nil, err
		}
	}
	if last > 0 {
		if err := c.Unsubscribe(ctx, strconv.Itoa(last)); err != nil {
			return nil, nil, err
		}
	}
	return asked, eose, nil
}

// answersTo is the filter for what answers jobs, pays for them or withdraws them.
func answersTo(jobs map[nip90.ID]Job) nostr.Filter {
	kinds := []int{nip90.KindDeletion, nip90.KindFeedback, nip90.KindNutzap, nip90.KindZap}
	ids := make([]string, 0, len(jobs))
	for id, j := range jobs {
		ids = append(ids, id.String())
		kinds = append(kinds, j.Kind+firstResult-firstRequest)
	}
	slices.Sort(ids)
	slices.Sort(kinds)
	return nostr.Filter{Kinds: slices.Compact(kinds), Tags: nostr.TagMap{"e": ids}}
}

// read is the only reader of the connection. It blocks while too much is on its way to the sink.
func (l *listener) read(ctx context.Context, c *wire.Client, workers *errgroup.Group, fail context.CancelCauseFunc) error {
	for {
		msg, err := c.Receive(ctx)
		if err != nil {
			return err
		}
		weight := int64(otherBytes)
		e, isEvent := msg.(wire.EventMsg)
		if isEvent {
			weight = int64(len(e.Raw))
		}
		if !l.minute.take(l.f.m.now(), l.f.b, weight) {
			return errFlood
		}
		switch msg := msg.(type) {
		case wire.EventMsg:
			err = l.event(ctx, msg, workers, fail)
		case wire.EOSE:
			l.passed(msg.Sub)
		case wire.Closed:
			if l.current(msg.Sub) {
				err = errServes
			}
		case wire.Unreadable:
			err = l.strike(reasonShape)
		default: // nothing else is of use here
		}
		if err != nil {
			return err
		}
	}
}

// otherBytes is what a message that is no event counts for.
const otherBytes = 64 << 10

func (l *listener) current(sub string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return sub == strconv.Itoa(l.issued)
}

func (l *listener) passed(sub string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if sub != strconv.Itoa(l.issued) {
		return
	}
	select {
	case <-l.eose:
	default:
		close(l.eose)
	}
}

// strike counts what an honest relay does not send, and ends the connection when it is too much.
func (l *listener) strike(reason string) error {
	l.f.mu.Lock()
	l.f.reject(reason)
	l.f.mu.Unlock()
	return l.struck()
}

func (l *listener) struck() error {
	if l.strikes.Add(1) >= int64(l.f.b.strikes) {
		return errHostile
	}
	return nil
}

// wanted says whether an event is an answer to a job that was asked for in one of the last two subscriptions.
func (l *listener) wanted(evt *nostr.Event) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.filter[0].Matches(evt) || l.filter[1].Matches(evt)
}

func (l *listener) event(ctx context.Context, msg wire.EventMsg, workers *errgroup.Group, fail context.CancelCauseFunc) error {
	if !l.wanted(msg.Event) {
		return l.strike(reasonUnasked)
	}
	weight := int64(len(msg.Raw))
	if err := l.f.bytes.Acquire(ctx, weight); err != nil {
		return err
	}
	workers.Go(func() error {
		defer l.f.bytes.Release(weight)
		if err := l.submit(ctx, msg); err != nil {
			fail(err)
		}
		return nil
	})
	return nil
}

// submit checks the id and hands the event on, as for an upstream.
func (l *listener) submit(ctx context.Context, msg wire.EventMsg) error {
	m := l.f.m
	if !wire.CheckID(msg.Event) {
		return l.strike(reasonID)
	}
	p, err := nip90.Open(msg.Event, msg.Raw, nip90.DoorMirror, m.now())
	if err != nil {
		return l.strike(reasonShape)
	}
	p.Source = l.url
	v := m.sink.Submit(ctx, p)
	if v.Outcome == Stored || v.Outcome == Duplicate {
		l.brought.Store(true)
	}
	l.f.count(v)
	if m.o.Seen != nil && v.Outcome != Refused && v.Outcome != Failed {
		m.o.Seen(p.ID, l.url)
	}
	switch v.Outcome {
	case Refused:
		if !strings.HasPrefix(v.Reason, "restricted") { // what it names may come yet
			return l.struck()
		}
	case Failed:
		if ctx.Err() == nil {
			return errors.Join(errNotTaken, v.Err)
		}
	case Stored, Duplicate, Ignored:
	}
	return nil
}

// allowance is what a relay may still send within a minute.
type allowance struct {
	began  time.Time
	events int
	bytes  int64
}

func (a *allowance) take(now time.Time, b bounds, weight int64) bool {
	if now.Sub(a.began) >= time.Minute {
		*a = allowance{began: now}
	}
	a.events++
	a.bytes += weight
	return a.events <= b.events && a.bytes <= b.bytes
}
