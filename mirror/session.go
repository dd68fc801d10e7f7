package mirror

import (
	"context"
	"errors"
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
	"golang.org/x/sync/semaphore"
)

// session is one connection to an upstream. One goroutine reads it; two per part write to it.
type session struct {
	u     *upstream
	c     *wire.Client
	slots chan struct{} // events on their way to the sink
	bytes *semaphore.Weighted
	auth  *auth
	fail  context.CancelCauseFunc

	workers sync.WaitGroup
	alive   atomic.Int64  // unix seconds of the last sign of life
	misfits atomic.Int32  // faults of NIP-77
	talks   chan struct{} // one slot: relays bear few comparisons at once
	all     []*stand      // set before anything runs
	jobs    []*stand      // those of them that ask for jobs and what answers them: they decide whether the upstream is heard
	shares  *shares       // of the subscriptions that the upstream bears

	messages atomic.Int64 // received
	faults   atomic.Int64 // since the last event of use
	lates    int          // the reader's own: events for subscriptions that are over

	mu       sync.Mutex // guards below; Ledger.mu may be taken while it is held, not the other way round
	subs     map[string]*sub
	issued   int
	standing map[string]int64 // by part, once all its live subscriptions are past EOSE: when they were asked for, unix seconds
	since    time.Time        // all parts stand since then; zero when they do not
	flawed   time.Time        // the last fault
	longest  time.Duration    // the longest that all parts stood without a fault
}

// sub is one subscription of a connection.
type sub struct {
	id      string
	filters nostr.Filters
	door    nip90.Door
	stand   *stand // of a live subscription
	page    *page  // of a page of backfill
	talk    *dialogue

	eose   chan struct{} // closed by the reader at EOSE
	closed chan struct{} // closed by the reader at CLOSED, after reason is set
	reason string
	over   bool // the reader's own: EOSE of a page or CLOSED was seen
	past   bool // the reader's own: EOSE was seen
	came   bool // the reader's own: an event was seen
	kept   bool // set before closed is: the upstream may still hold it
}

func newSession(u *upstream, c *wire.Client) *session {
	s := &session{u: u, c: c, slots: make(chan struct{}, u.m.o.pace.inFlight), talks: make(chan struct{}, 1), subs: map[string]*sub{}, standing: map[string]int64{}}
	s.bytes, s.auth = semaphore.NewWeighted(u.m.fairShare()), newAuth()
	for _, r := range u.reaches {
		s.all = append(s.all, newStand(s, r))
	}
	s.jobs = slices.DeleteFunc(slices.Clone(s.all), func(st *stand) bool { return st.r.part.keys != nil })
	s.shares = newShares(s.all, u.bears.most(u.info.Limitation.MaxSubscriptions, u.m.now()))
	s.sign()
	return s
}

// run reads until the connection ends or something fails, and waits for all it started.
func (s *session) run(parent context.Context) error {
	ctx, fail := context.WithCancelCause(parent)
	s.fail = fail
	defer fail(nil)
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error { return s.read(gctx) })
	g.Go(func() error { return s.keepAlive(gctx) })
	g.Go(func() error { return s.introduce(gctx) })
	for _, st := range s.all {
		g.Go(func() error { return st.run(gctx) })
	}
	err := g.Wait()
	s.workers.Wait()
	s.falls(parent, "", reasonWhy(parent, errors.Join(err, context.Cause(ctx))))
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
		return cause
	}
	return err
}

// read is the only reader of the connection. It blocks while too much is on its way to the sink, so that a fast
// upstream feels the back-pressure on its own socket.
func (s *session) read(ctx context.Context) error {
	for {
		msg, err := s.c.Receive(ctx)
		if err != nil {
			return err
		}
		s.sign()
		s.messages.Add(1)
		_, isEvent := msg.(wire.EventMsg)
		if !s.u.pay(ctx, s.c.Size(), isEvent) {
			return ctx.Err()
		}
		switch msg := msg.(type) {
		case wire.EventMsg:
			if err := s.event(ctx, msg); err != nil {
				return err
			}
		case wire.EOSE:
			if b := s.sub(msg.Sub); b != nil && !b.past {
				b.past, b.over = true, b.page != nil
				close(b.eose)
			}
		case wire.Closed:
			if b := s.sub(msg.Sub); b != nil && !b.over {
				b.over, b.reason = true, prefix(msg.Reason)
				s.complains(ctx, msg.Reason)
				close(b.closed)
				b.stand.fell()
			}
		case wire.NegMsg:
			s.answered(msg.Sub, negAnswer{message: msg.Message})
		case wire.NegErr:
			s.answered(msg.Sub, negAnswer{fault: errored(msg.Reason)})
		case wire.Unreadable:
			s.unreadable(msg)
		case wire.AuthChallenge:
			s.challenged(msg.Challenge)
		case wire.OK:
			if s.auth.answered(msg) && !msg.Accepted {
				s.u.m.log.Info("upstream does not accept who this relay is", "upstream", s.u.url, "reason", prefix(msg.Reason))
			}
		case wire.Notice:
			s.noticed(nil)
			s.complains(ctx, msg.Text)
			s.disliked(msg.Text)
			s.u.m.log.Debug("upstream says", "upstream", s.u.url, "notice", msg.Text[:min(len(msg.Text), 200)])
		default:
		}
	}
}

// unreadable counts what makes no sense. A label that this relay does not know may be an honest extension.
func (s *session) unreadable(msg wire.Unreadable) {
	switch {
	case msg.TooBig:
		s.fault(reasonTooBig)
	case msg.Label == wire.LabelEvent, msg.Label == "":
		s.fault(reasonShape)
	case msg.Label == wire.LabelNegMsg, msg.Label == wire.LabelNegErr:
		s.noticed(&compareFault{why: whyMalformed})
	}
}

// prefix says in a word why a subscription was closed: reasonClosed when smaller filters may help. NIP-01, NIP-42.
func prefix(reason string) string {
	word, _, _ := strings.Cut(reason, ":")
	switch word {
	case reasonAuth, "restricted", "rate-limited", "blocked":
		return word
	}
	return reasonClosed
}

func (s *session) sub(id string) *sub {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.subs[id]
}

// add makes a subscription known to the reader before it is sent.
func (s *session) add(b *sub) *sub {
	b.eose, b.closed = make(chan struct{}), make(chan struct{})
	s.mu.Lock()
	defer s.mu.Unlock()
	s.issued++
	b.id = strconv.Itoa(s.issued)
	s.subs[b.id] = b
	return b
}

// drop forgets a subscription and tells the upstream so, if it still holds it.
func (s *session) drop(ctx context.Context, b *sub) error {
	s.mu.Lock()
	delete(s.subs, b.id)
	s.mu.Unlock()
	select {
	case <-b.closed:
		if !b.kept {
			return nil
		}
	default:
	}
	return s.c.Unsubscribe(ctx, b.id)
}

// late says whether an unknown subscription id was ours, and what it brings is merely late.
func (s *session) late(id string) bool {
	n, err := strconv.Atoi(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	return err == nil && n > 0 && n <= s.issued
}

func (s *session) event(ctx context.Context, msg wire.EventMsg) error {
	at := s.u.m.now()
	s.u.tally.update(func(st *Status) { st.LastEventAt = at.Unix() })
	b := s.sub(msg.Sub)
	if b == nil || b.over {
		if s.late(msg.Sub) {
			s.lates++
		}
		if !s.late(msg.Sub) || s.lates > maxLate {
			s.fault(reasonUnasked)
		}
		return nil
	}
	b.came = true
	if !b.filters.Match(msg.Event) {
		s.fault(reasonUnasked)
		return nil
	}
	if b.page != nil && b.page.arrived.Add(1) > maxPageEvents {
		return errFlood
	}
	select {
	case s.slots <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	weight := min(int64(len(msg.Raw)), s.u.m.fairShare())
	if err := s.bytes.Acquire(ctx, weight); err != nil { // first its own share, so that it waits without anybody else's
		<-s.slots
		return err
	}
	if err := s.u.m.bytes.Acquire(ctx, weight); err != nil {
		s.bytes.Release(weight)
		<-s.slots
		return err
	}
	done := b.begin(msg.Event, at)
	s.workers.Go(func() {
		defer func() {
			s.u.m.bytes.Release(weight)
			s.bytes.Release(weight)
			<-s.slots
		}()
		done(s.submit(ctx, msg, b.door, at))
	})
	return nil
}

// begin notes that an event is on its way. What it returns must be called once, when the event arrived or did not.
func (b *sub) begin(evt *nostr.Event, at time.Time) func(Outcome, bool) {
	if b.page != nil {
		b.page.pending.Add(1)
		return func(o Outcome, genuine bool) {
			if o == Failed {
				b.page.failed.Store(true)
			}
			b.page.end(evt, genuine)
			b.page.pending.Done()
		}
	}
	ticket := b.stand.begin(at)
	return func(o Outcome, genuine bool) {
		if o == Failed {
			return // never ends: progress stays below it
		}
		created := int64(evt.CreatedAt)
		if !genuine || o == Refused {
			created = 0 // a forged date moves nothing
		}
		b.stand.end(ticket, created)
	}
}

// submit checks the id and hands the event on. genuine: the id is the hash of the event.
func (s *session) submit(ctx context.Context, msg wire.EventMsg, door nip90.Door, at time.Time) (o Outcome, genuine bool) {
	if !wire.CheckID(msg.Event) {
		s.fault(reasonID)
		return Refused, false
	}
	p, err := nip90.Open(msg.Event, msg.Raw, door, at)
	if err != nil {
		s.fault(reasonShape)
		return Refused, true
	}
	p.Source = s.u.url
	v := s.u.m.sink.Submit(ctx, p)
	if v.Outcome == Refused && v.Reason == ReasonSignature {
		s.fault(ReasonSignature)
		return Refused, true
	}
	s.u.tally.count(v)
	if v.Outcome != Refused && v.Outcome != Failed {
		if seen := s.u.m.o.Seen; seen != nil {
			seen(p.ID, s.u.url)
		}
		s.good()
	}
	if v.Outcome == Failed && ctx.Err() == nil {
		s.fail(errors.Join(errNotTaken, v.Err))
	}
	return v.Outcome, true
}
