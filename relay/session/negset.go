package session

import (
	"context"
	"encoding/hex"
	"errors"
	"iter"
	"time"

	"dvmrelay/policies"
	"dvmrelay/store"
	"dvmrelay/wire"
	"dvmrelay/wire/negentropy"
)

const (
	// negItemBytes and negSumBytes are what an item costs in memory, apart and in a set.
	negItemBytes = 40
	negSumBytes  = 3
	// negPatience is how long a reconciliation may wait for its turn and for its set.
	negPatience = 30 * time.Second
	fewNegItems = 256
)

var (
	noNegRoom  = policies.Refuse(policies.RateLimited, "the relay compares as much as it can now, try again later")
	errNegWait = errors.New("waited too long")
	errNegBig  = errors.New("too many items")
)

// negotiate answers the messages that wait, in their order, until there are none.
func (s *Session) negotiate() {
	defer s.tasks.Done()
	for {
		n, msg := s.nextNegotiation()
		if n == nil {
			return
		}
		s.answerNeg(n, msg)
	}
}

// nextNegotiation takes what waits longest, as soon as the peer has taken what it was sent before.
func (s *Session) nextNegotiation() (*negotiation, []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.negs.waiting) > 0 && len(s.o.out) >= batchBytes && !s.o.ending {
		s.room.Wait()
	}
	if len(s.negs.waiting) == 0 || s.o.ending {
		s.negs.waiting, s.negs.working = nil, false
		return nil, nil
	}
	n := s.negs.waiting[0]
	s.negs.waiting[0] = nil
	s.negs.waiting = s.negs.waiting[1:]
	s.room.Broadcast()
	return n, n.msg
}

// answerNeg answers one message.
func (s *Session) answerNeg(n *negotiation, msg []byte) {
	if n.set == nil {
		if err := s.gatherFor(n); err != nil {
			return
		}
	}
	out, err := negentropy.Respond(n.set, msg, negFrame)
	if err != nil {
		s.failNeg(n, "invalid: the message breaks the negentropy protocol, version 1")
		return
	}
	text := hex.EncodeToString(out)
	s.mu.Lock()
	defer s.mu.Unlock()
	if n.ended || s.o.ending {
		return
	}
	s.giveBack(int64(len(n.msg)))
	n.bytes -= int64(len(n.msg))
	n.msg, n.busy, n.since = nil, false, s.host.Now()
	s.host.Counters.NegAnswers.Add(1)
	s.replyLocked(func(b []byte) []byte { return wire.AppendNegMsg(b, n.id, text) })
	s.wake()
}

// failNeg ends a reconciliation with words, unless it has ended.
func (s *Session) failNeg(n *negotiation, reason string) {
	if s.endNeg(n) {
		s.negErr(n.id, reason)
	}
}

// endNeg ends a reconciliation and says whether it had not ended yet.
func (s *Session) endNeg(n *negotiation) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	ended := n.ended
	s.forgetNeg(n)
	return !ended
}

// gatherFor gives a reconciliation its set, or ends it.
func (s *Session) gatherFor(n *negotiation) error {
	ctx, cancel := context.WithTimeoutCause(n.ctx, negPatience, errNegWait)
	defer cancel()
	set, bytes, err := s.gather(ctx, &n.query)
	n.query = Query{}
	if err != nil {
		if n.ctx.Err() == nil {
			s.failGather(ctx, n, err)
		}
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if n.ended {
		s.giveBack(bytes)
		return context.Canceled
	}
	n.set = set
	n.bytes += bytes
	return nil
}

// failGather says why there is no set.
func (s *Session) failGather(ctx context.Context, n *negotiation, err error) {
	switch {
	case errors.Is(err, errNegBig):
		if s.endNeg(n) {
			s.negTooBig(n.id)
		}
	case errors.Is(err, store.ErrBudget):
		s.failNeg(n, "blocked: this query is too big: it takes more work than one query may")
	case errors.Is(context.Cause(ctx), errNegWait):
		s.failNeg(n, noNegRoom.Error())
	default:
		s.failNeg(n, s.excuse(ctx, err))
	}
}

// negTooBig refuses with the words of NIP-77, and how much there may be.
func (s *Session) negTooBig(id string) {
	const reason = "blocked: this query is too big"
	s.host.Counters.negRefusal(reason)
	s.reply(func(b []byte) []byte { return wire.AppendNegTooBig(b, id, reason, s.host.Options.NegItems) })
}

// gather makes the set of what a query finds and the peer may see. bytes are reserved for it. Only so many are at it at once.
func (s *Session) gather(ctx context.Context, q *Query) (set *negentropy.Set, bytes int64, err error) {
	if err := s.host.Gatherers.Acquire(ctx, 1); err != nil {
		return nil, 0, err
	}
	defer s.host.Gatherers.Release(1)
	began := time.Now()
	snap := s.host.Store.Snapshot()
	defer snap.Close()
	g := gathering{s: s}
	if !q.LimitZero {
		err = g.all(ctx, snap, q)
	}
	if err == nil {
		err = g.reserve(int64(len(g.items)) * negSumBytes)
	}
	s.spentNeg(*q, len(g.items), began, err)
	if err != nil {
		s.giveBack(g.bytes)
		return nil, 0, err
	}
	return negentropy.NewSet(g.items), g.bytes, nil
}

// gathering is a set in the making.
type gathering struct {
	s     *Session
	items []negentropy.Item
	bytes int64 // reserved
}

func (g *gathering) all(ctx context.Context, snap store.Snapshot, q *Query) error {
	for item, err := range itemsOf(ctx, snap, q) {
		if err != nil {
			return err
		}
		may, err := g.s.mayCompare(snap, &item)
		if err != nil {
			return err
		}
		if may {
			if err := g.add(&item); err != nil {
				return err
			}
		}
	}
	return nil
}

// itemsOf are what a query finds: the newest when it names a limit.
func itemsOf(ctx context.Context, snap store.Snapshot, q *Query) iter.Seq2[store.Item, error] {
	if q.Limit == 0 {
		return snap.Items(ctx, q.Filter)
	}
	return func(yield func(store.Item, error) bool) {
		for raw, err := range snap.Query(ctx, q.Filter) {
			if !yield(store.Item{ID: raw.ID, CreatedAt: raw.CreatedAt, Kind: raw.Kind}, err) {
				return
			}
		}
	}
}

// mayCompare says whether the peer may learn that an event is here. Only what may be sealed costs more than its key.
func (s *Session) mayCompare(snap store.Snapshot, item *store.Item) (bool, error) {
	if !s.gated(item.Kind) {
		if !s.host.Options.SealedReads || !isJobKind(item.Kind) {
			return true, nil
		}
		fact, ok, err := snap.Fact(item.ID)
		if err != nil || ok && !fact.Has(store.FactEncrypted) {
			return err == nil, err
		}
	}
	raw, ok, err := snap.Event(item.ID)
	return ok && err == nil && s.readableRaw(&raw), err
}

func (g *gathering) add(item *store.Item) error {
	if most := g.s.host.Options.NegItems; most > 0 && len(g.items) >= most {
		return errNegBig
	}
	if len(g.items) == cap(g.items) {
		if err := g.grow(); err != nil {
			return err
		}
	}
	g.items = append(g.items, negentropy.Item{CreatedAt: item.CreatedAt, ID: item.ID})
	return nil
}

// grow makes room for more items, and keeps the books: the old room is held until all has moved.
func (g *gathering) grow() error {
	was := cap(g.items)
	room := max(fewNegItems, was+was/4)
	if was < 1<<14 {
		room = max(fewNegItems, 2*was)
	}
	if err := g.reserve(int64(room) * negItemBytes); err != nil {
		return err
	}
	grown := make([]negentropy.Item, len(g.items), room)
	copy(grown, g.items)
	g.items = grown
	g.s.giveBack(int64(was) * negItemBytes)
	g.bytes -= int64(was) * negItemBytes
	return nil
}

func (g *gathering) reserve(bytes int64) error {
	if !g.s.reserve(bytes) {
		return noNegRoom
	}
	g.bytes += bytes
	return nil
}
