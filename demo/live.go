package demo

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"dvmrelay/nip90"
	"dvmrelay/wire"

	"golang.org/x/sync/errgroup"
)

const (
	lateBy     = 10 * time.Minute // the clock jumped: the past is filled in anew
	reconnect  = time.Second      // between two tries to reach the relay
	patience   = 15 * time.Second // for the answer to one event
	noteEvery  = 30 * time.Second // between two notes of how far the market lived
	endingTime = 5 * time.Second  // to write the last of them
)

// stream is what is to be said from now on, slot by slot.
type stream struct {
	w       *world
	r       Rhythm
	next    int64 // number of the first slot that is not written yet
	waiting []line
}

// head is what is due next, once all that may begin before it is written.
func (s *stream) head() (*line, error) {
	for len(s.waiting) == 0 || s.waiting[0].due >= s.next*s.r.Every.Milliseconds() {
		lines, err := s.w.write(slot{n: s.next, lively: true}, s.r)
		if err != nil {
			return nil, err
		}
		s.waiting = append(s.waiting, lines...)
		inOrder(s.waiting)
		s.next++
	}
	return &s.waiting[0], nil
}

// live publishes what is due until ctx ends or the clock has jumped ahead. Since is until when everything was said.
func (m *Market) live(ctx context.Context, k *mark, since time.Time, coming []line) error {
	s := &stream{w: m.w, r: m.o.Rhythm, next: m.o.Rhythm.slotOf(since.UnixMilli()) + 1, waiting: coming}
	k.Lived = since.UnixMilli()
	defer func() {
		ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), endingTime)
		defer cancel()
		if err := m.save(ending, k); err != nil {
			m.o.Log.Warn("demo: the end is not noted", "err", err)
		}
	}()
	for ctx.Err() == nil {
		err := m.session(ctx, k, s)
		switch {
		case errors.Is(err, errJumped):
			return nil
		case ctx.Err() != nil:
		case errors.As(err, new(*brokenError)):
			return err
		case err != nil:
			m.o.Log.Warn("demo: connection to this relay lost", "err", err)
			sleep(ctx, reconnect)
		}
	}
	return nil
}

var errJumped = errors.New("the clock jumped ahead")

// brokenError is an error that no new connection mends.
type brokenError struct{ error }

// session is one connection to the relay.
func (m *Market) session(ctx context.Context, k *mark, s *stream) error {
	client, err := wire.Dial(ctx, m.o.URL(), wire.DialOptions{UserAgent: "dvmrelay demo"})
	if err != nil {
		return err
	}
	defer client.Close()
	g, ctx := errgroup.WithContext(ctx)
	answers := make(chan wire.OK)
	g.Go(func() error {
		for {
			msg, err := client.Receive(ctx)
			if err != nil {
				return err
			}
			if ok, is := msg.(wire.OK); is {
				select {
				case answers <- ok:
				case <-ctx.Done():
					return ctx.Err()
				}
			}
		}
	})
	g.Go(func() error { return client.KeepAlive(ctx) })
	g.Go(func() error { return m.speak(ctx, k, s, client, answers) })
	return g.Wait()
}

// speak says what is due, one after the other.
func (m *Market) speak(ctx context.Context, k *mark, s *stream, client *wire.Client, answers <-chan wire.OK) error {
	noted := m.o.Now()
	for {
		l, err := s.head()
		if err != nil {
			return &brokenError{err}
		}
		if late := m.o.Now().Sub(time.UnixMilli(l.due)); late > lateBy {
			return errJumped
		} else if late < 0 {
			sleep(ctx, -late)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err := m.tell(ctx, l, client, answers); err != nil {
			return err
		}
		k.Lived = l.due
		s.waiting = s.waiting[1:]
		if now := m.o.Now(); now.Sub(noted) >= noteEvery {
			noted = now
			if err := m.save(ctx, k); err != nil {
				return &brokenError{err}
			}
		}
	}
}

// tell publishes one event and waits for the relay's word about it; or lets a staged upstream bring it.
func (m *Market) tell(ctx context.Context, l *line, client *wire.Client, answers <-chan wire.OK) error {
	if l.brought {
		_, err := m.bring(ctx, l)
		return err
	}
	if err := client.Publish(ctx, []byte(l.evt.String())); err != nil {
		return err
	}
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-timeout.C:
			return fmt.Errorf("event %s: no answer", l.evt.ID)
		case ok := <-answers:
			if ok.ID != l.evt.ID {
				continue
			}
			if !ok.Accepted {
				m.refused(l, ok.Reason)
			} else if id, good := nip90.ParseID(l.evt.ID); good {
				m.sighted(id, l.staged)
			}
			return nil
		}
	}
}

// refused tells once that this relay's own rules keep the market out.
func (m *Market) refused(l *line, reason string) {
	level := slog.LevelDebug
	if l.evt.Kind != nip90.KindHeartbeat && !strings.HasPrefix(reason, "invalid: expired") {
		m.grumble.Do(func() { level = slog.LevelWarn })
	}
	m.o.Log.Log(context.Background(), level, "demo: this relay refuses an event of the market", "id", l.evt.ID, "kind", l.evt.Kind, "reason", reason)
}

// sleep waits for a while, or until ctx ends.
func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
