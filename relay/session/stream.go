package session

import (
	"context"
	"slices"
	"time"

	"dvmrelay/index"
	"dvmrelay/nip90"
	"dvmrelay/store"
	"dvmrelay/wire"

	"github.com/nbd-wtf/go-nostr"
)

// stream sends the stored part of one subscription, no faster than its reader takes it.
type stream struct {
	s        *Session
	sub      *subscription
	began    time.Time
	seen     map[nip90.ID]struct{} // nil when nothing can come twice
	stopped  bool                  // nobody wants the rest
	unasked  bool                  // a filter asked for nothing stored: whether that would be all is not known
	work     int                   // what searches may still cost
	cost     *Cost
	complete bool // every filter was answered in full, as far as NIP-67 is asked to tell
}

// filter sends what matches one filter.
func (w *stream) filter(ctx context.Context, snap store.Snapshot, q Query) error {
	f, most := q.Filter, q.Limit
	if w.s.host.Options.EOSEHint && most > 0 {
		f.Limit++ // one more than is sent: it proves that there is more
	}
	n := 0
	for raw, err := range snap.Query(ctx, f) {
		if err != nil {
			return err
		}
		if n++; most > 0 && n > most {
			w.complete = false
			return nil
		}
		if !w.send(&raw) {
			return nil
		}
	}
	return nil
}

// send sends one stored event. It waits while the reader has enough to take, and says false when nobody wants more.
func (w *stream) send(raw *store.Raw) bool {
	if w.seen != nil {
		if _, twice := w.seen[raw.ID]; twice {
			return true
		}
		w.seen[raw.ID] = struct{}{}
	}
	if !w.s.readableRaw(raw) {
		return true
	}
	s := w.s
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.o.out) >= batchBytes {
		w.waitRoom()
	}
	if s.o.ending || w.sub.ended {
		w.stopped = true
		if !s.o.ending {
			s.wake() // for what is framed already
		}
		return false
	}
	s.o.out = appendEventFrame(room(s.o.out, len(w.sub.prefix)+len(raw.JSON)+16), w.sub.prefix, raw.JSON)
	s.host.Counters.Stored.Add(1)
	w.cost.Events++
	if !s.o.writing && (len(s.o.out) >= wakeBytes || s.host.Now().Sub(w.began) > patience) {
		s.wake()
	}
	return true
}

// waitRoom waits until the reader has room for more, or wants none; that is no work of ours. s.mu is held.
func (w *stream) waitRoom() {
	began := time.Now()
	for s := w.s; len(s.o.out) >= batchBytes && !s.o.ending && !w.sub.ended; {
		s.room.Wait()
	}
	w.cost.waited += time.Since(began)
}

// finish sends EOSE and lets live events flow.
func (w *stream) finish() {
	s := w.s
	hint := ""
	if s.host.Options.EOSEHint && !w.unasked {
		hint = "finish"
		if !w.complete {
			hint = "more"
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.o.ending || w.sub.ended {
		return
	}
	s.replyLocked(func(b []byte) []byte { return wire.AppendEOSE(b, w.sub.id, hint) })
	s.flow(w.sub)
	s.wake()
}

// giveCount sends the number of events that match any of the filters, each counted once.
func (s *Session) giveCount(ctx context.Context, a *answer) error {
	snap := s.host.Store.Snapshot()
	defer snap.Close()
	n, whole, err := s.countAll(ctx, snap, a.queries)
	if err != nil {
		return err
	}
	s.reply(func(b []byte) []byte { return wire.AppendCount(b, a.id, n, !whole) })
	return nil
}

// countAll counts; whole is false when a search had to be cut short, so that there are more.
func (s *Session) countAll(ctx context.Context, snap store.Snapshot, queries []Query) (n int64, whole bool, err error) {
	if q := &queries[0]; len(queries) == 1 && q.Wanted == nil && !s.host.Options.SealedReads {
		n, err = s.countOne(ctx, snap, q.Filter)
		return n, true, err
	}
	seen := make(map[nip90.ID]struct{})
	note := func(raw *store.Raw) bool {
		seen[raw.ID] = struct{}{}
		return true
	}
	work := index.SelectWork
	whole = true
	for i := range queries {
		q := queries[i]
		q.Limit, q.LimitZero = 0, false
		if q.Wanted != nil {
			all, err := s.find(ctx, snap, &q, &work, note)
			if err != nil {
				return 0, false, err
			}
			whole = whole && all
			continue
		}
		for raw, err := range snap.Query(ctx, q.Filter) {
			if err != nil {
				return 0, false, err
			}
			if s.readableRaw(&raw) {
				note(&raw)
			}
		}
	}
	return int64(len(seen)), whole, nil
}

// countOne counts what one filter matches, less what the peer must not see.
func (s *Session) countOne(ctx context.Context, snap store.Snapshot, f nostr.Filter) (int64, error) {
	f.Limit, f.LimitZero = 0, false
	n, err := snap.Count(ctx, f)
	if err != nil || n == 0 {
		return n, err
	}
	gated := s.host.Gated
	if f.Kinds != nil {
		gated = slices.DeleteFunc(slices.Clone(gated), func(k int) bool { return !slices.Contains(f.Kinds, k) })
	}
	if len(gated) == 0 {
		return n, nil
	}
	f.Kinds = gated
	for raw, err := range snap.Query(ctx, f) {
		if err != nil {
			return 0, err
		}
		if !s.readableRaw(&raw) {
			n--
		}
	}
	return n, nil
}
