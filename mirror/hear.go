package mirror

import (
	"context"
	"errors"
	"time"
)

// sign notes that the upstream lives.
func (s *session) sign() { s.alive.Store(s.u.m.now().Unix()) }

// keepAlive asks for a sign of life again and again, until none comes or ctx ends.
func (s *session) keepAlive(ctx context.Context) error {
	tick := time.NewTicker(s.u.m.o.pace.idle)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		before := s.messages.Load()
		err := s.c.Ping(ctx)
		switch {
		case err == nil:
			s.sign()
		case s.messages.Load() == before || ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded):
			return err
		default: // the pong waits behind what this relay is slow to read
		}
	}
}

// reasonWhy is the word for a connection that ended. parent is the context of the upstream, cause what ended the session.
func reasonWhy(parent context.Context, cause error) hearing {
	if parent.Err() != nil || errors.Is(cause, errNotTaken) || errors.Is(cause, errProgress) {
		return stopped
	}
	return down
}

// heardUntil is up to when all that was sent live is certainly here: the upstream gave a sign of life then, and nothing
// that came before is on its way or was given up.
func (s *session) heardUntil() int64 {
	at := s.alive.Load()
	for _, st := range s.jobs {
		if came, ok := st.oldest(); ok {
			at = min(at, came)
		}
		if polled, ok := st.polled(); ok {
			at = min(at, polled)
		}
	}
	return at
}

// rises notes that a part's live subscriptions, asked for at since, are all past EOSE. When all parts are, the upstream is
// heard.
func (s *session) rises(ctx context.Context, part string, since int64) {
	now := s.u.m.now()
	s.mu.Lock()
	s.standing[part] = since
	all := s.whole()
	if all && s.since.IsZero() {
		s.since = now
		s.u.m.ledger.up(s.u.url, s.asked(), s.heardUntil)
	}
	began := s.since
	s.mu.Unlock()
	if !all {
		return
	}
	s.u.tally.update(func(st *Status) { st.State, st.Reason, st.HeardSince = StateLive, "", began.Unix() })
	s.u.m.ledger.save(ctx, s.u.url)
	s.fill(ctx)
}

// falls notes that a part's live subscriptions do not all stand any more; part "" is all of them.
func (s *session) falls(ctx context.Context, part string, why hearing) {
	now := s.u.m.now()
	s.mu.Lock()
	if part == "" {
		clear(s.standing)
	} else {
		delete(s.standing, part)
	}
	if !s.since.IsZero() {
		s.measure(now)
		s.since = time.Time{}
		s.u.tally.lost(now)
	}
	s.u.m.ledger.lost(s.u.url, why)
	s.mu.Unlock()
	s.u.m.ledger.save(ctx, s.u.url)
}

// whole says whether all parts stand. mu must be held.
func (s *session) whole() bool { return len(s.standing) == len(s.jobs) }

// asked is the moment since which all parts' live subscriptions were asked for. mu must be held.
func (s *session) asked() (since int64) {
	for _, at := range s.standing {
		since = max(since, at)
	}
	return since
}

// fill tells the ledger what of the past is here: before the moment since which all parts stand, everything from their
// floors on that is in no window.
func (s *session) fill(ctx context.Context) {
	s.mu.Lock()
	whole, until := s.whole(), s.asked()
	s.mu.Unlock()
	if !whole {
		return
	}
	read := []window{{0, until}}
	for _, st := range s.jobs {
		read = st.r.read(read)
	}
	if s.u.m.ledger.fill(s.u.url, read) {
		s.u.m.ledger.save(ctx, s.u.url)
	}
}

// stood is the longest that all parts stood on this connection without a fault of the upstream.
func (s *session) stood() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.longest
}
