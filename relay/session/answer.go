package session

import (
	"context"
	"errors"
	"time"

	"dvmrelay/index"
	"dvmrelay/nip90"
	"dvmrelay/policies"
	"dvmrelay/store"
	"dvmrelay/wire"
)

const (
	// patience is how long the first results of a slow query gather before they are sent.
	patience = 2 * time.Millisecond
	// maxAnswer is how long one answer may take in all, at the pace of its reader: until then it holds a snapshot.
	maxAnswer = 10 * time.Minute
)

var errSlowReader = policies.Refuse(policies.Error, "the answer took longer than 10 minutes, ask for less")

// ask queues an answer and starts the answerer if there is none. s.mu is held.
func (s *Session) ask(a *answer) {
	s.host.Counters.Answering.Add(1)
	s.answers = append(s.answers, a)
	if !s.working {
		s.working = true
		s.tasks.Add(1)
		go s.answerAll()
	}
}

// answerAll gives the answers in the order of the questions until there are none.
func (s *Session) answerAll() {
	defer s.tasks.Done()
	for {
		s.mu.Lock()
		if len(s.answers) == 0 {
			s.answers, s.working = nil, false
			s.mu.Unlock()
			return
		}
		a := s.answers[0]
		s.answers[0] = nil
		s.answers = s.answers[1:]
		skip := s.o.ending || a.sub != nil && a.sub.ended
		s.room.Broadcast()
		s.mu.Unlock()
		if !skip {
			s.give(a)
		}
		s.host.Counters.Answering.Add(-1)
	}
}

// give answers one REQ or COUNT.
func (s *Session) give(a *answer) {
	ctx, cancel := context.WithTimeoutCause(a.ctx, maxAnswer, errSlowReader)
	defer cancel()
	began := time.Now()
	var err error
	if a.sub == nil {
		err = s.giveCount(ctx, a)
	} else {
		err = s.giveEvents(ctx, a)
	}
	reason := ""
	if err != nil && a.ctx.Err() == nil {
		reason = s.excuse(ctx, err)
	}
	s.spent(a, began, reason)
	if reason == "" {
		return
	}
	if a.sub != nil {
		s.mu.Lock()
		current := s.subs[a.id] == a.sub
		s.mu.Unlock()
		if !current {
			return
		}
		s.unsubscribe(a.id)
	}
	s.closed(a.id, reason)
}

// excuse says in words why there is no answer.
func (s *Session) excuse(ctx context.Context, err error) string {
	switch {
	case errors.Is(err, store.ErrBudget):
		return errTooCostly.Error()
	case errors.Is(err, store.ErrBadFilter):
		return "invalid: the filter cannot be served"
	case errors.Is(err, store.ErrClosed):
		return "error: the relay is going down"
	case errors.Is(context.Cause(ctx), errSlowReader):
		return errSlowReader.Error()
	}
	return s.words("query", err)
}

// giveEvents sends what is stored, then EOSE, then lets live events flow.
func (s *Session) giveEvents(ctx context.Context, a *answer) error {
	snap, err := s.open(a)
	if err != nil {
		return err
	}
	defer snap.Close()
	w := &stream{s: s, sub: a.sub, began: s.host.Now(), complete: true, work: index.SelectWork, cost: &a.cost}
	if len(a.queries) > 1 {
		w.seen = make(map[nip90.ID]struct{})
	}
	for i := range a.queries {
		q := a.queries[i]
		if q.LimitZero {
			w.unasked = true
			continue
		}
		if q.Wanted != nil {
			err = w.selected(ctx, snap, &q)
		} else {
			err = w.filter(ctx, snap, q)
		}
		if err != nil || w.stopped {
			return err
		}
	}
	w.finish()
	return nil
}

// open takes the snapshot that an answer comes from. What is asked of a thread is registered again if the store has
// learned meanwhile that the thread's name is another, and then a newer snapshot is taken.
func (s *Session) open(a *answer) (store.Snapshot, error) {
	for {
		snap := s.host.Store.Snapshot()
		threads := a.sub.threads
		if threads != nil {
			now, err := s.threadsOf(snap, a.queries)
			if err != nil {
				snap.Close()
				return nil, err
			}
			if !sameThreads(now, threads) {
				snap.Close()
				if err := s.follow(a, now); err != nil {
					return nil, err
				}
				continue
			}
		}
		s.mu.Lock()
		a.sub.version = snap.Version()
		s.mu.Unlock()
		return snap, nil
	}
}

// follow registers a subscription again, with other threads.
func (s *Session) follow(a *answer, threads [][]nip90.ID) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a.sub.ended {
		return context.Canceled
	}
	filters := s.liveFilters(a.queries, threads)
	registered, err := s.host.Live.Replace(a.sub.live, s, a.id, filters)
	if err != nil {
		return err
	}
	a.sub.live, a.sub.threads = registered, threads
	return nil
}

func sameThreads(a, b [][]nip90.ID) bool {
	for i := range a {
		if len(a[i]) != len(b[i]) {
			return false
		}
		for j := range a[i] {
			if a[i][j] != b[i][j] {
				return false
			}
		}
	}
	return true
}

// finishAnswers forgets what nobody waits for any more.
func (s *Session) finishAnswers() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.host.Counters.Answering.Add(-int64(len(s.answers)))
	s.answers = nil
}

// count queues the answer to a COUNT. NIP-45.
func (s *Session) count(ctx context.Context, c wire.Count) bool {
	s.host.Counters.Counts.Add(1)
	queries, err := s.host.Admit(withPeer(ctx, s.peer.Load()), c.Filters)
	if err == nil {
		err = s.mayRead(queries)
	}
	if err != nil {
		s.closed(c.Sub, s.words("admit", err))
		return true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.answers) >= maxCounts && !s.o.ending {
		s.room.Wait()
	}
	if s.o.ending {
		return false
	}
	s.ask(&answer{ctx: ctx, id: c.Sub, queries: queries})
	return true
}

// maxCounts bounds how many questions of one socket wait for their answer; the reader waits beyond.
const maxCounts = 64
