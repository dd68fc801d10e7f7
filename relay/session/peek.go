package session

import (
	"bytes"
	"context"
	"errors"
	"iter"

	"dvmrelay/index"
	"dvmrelay/policies"
	"dvmrelay/store"
)

// Glimpse is what was there when somebody looked.
type Glimpse struct {
	Events   [][]byte // as signed, in the order of an answer to a REQ; none when they were counted
	Count    int64    // how many there are, when they were counted
	Complete bool     // there are no more
}

// peekBytes is how much of what is found is given, but for the first event.
const peekBytes = 1 << 20

// errTooCostly is told of a query that was broken off.
var errTooCostly = policies.Refuse(policies.Error, "this query takes more work than one query may, narrow it")

// Peek answers a question from what is stored, as a session does whose peer has proved no key: with at most most events
// and a MiB of them, or their number. Its error is a policies.Rejection where a peer would hear CLOSED with a reason of its own. It is safe for
// concurrent use.
func (h *Host) Peek(ctx context.Context, q Query, count bool, most int) (Glimpse, error) {
	s := &Session{host: h}
	s.peer.Store(&policies.Peer{})
	if err := s.mayRead([]Query{q}); err != nil {
		return Glimpse{}, err
	}
	snap := h.Store.Snapshot()
	defer snap.Close()
	var g Glimpse
	var err error
	if count {
		g.Count, g.Complete, err = s.countAll(ctx, snap, []Query{q})
	} else {
		g, err = s.peek(ctx, snap, q, most)
	}
	if errors.Is(err, store.ErrBudget) {
		err = errTooCostly
	}
	return g, err
}

func (s *Session) peek(ctx context.Context, snap store.Snapshot, q Query, most int) (g Glimpse, err error) {
	if q.LimitZero {
		return g, nil
	}
	if q.Limit > 0 {
		most = min(most, q.Limit)
	}
	q.Limit = most + 1 // one more proves that there is more
	n, size, whole := 0, 0, true
	take := func(raw *store.Raw) bool {
		n++
		if size += len(raw.JSON); n > most || size > peekBytes && n > 1 {
			whole = false
			return false
		}
		if s.readableRaw(raw) {
			g.Events = append(g.Events, bytes.Clone(raw.JSON))
		}
		return true
	}
	if q.Wanted != nil {
		work := index.SelectWork
		var all bool
		all, err = s.find(ctx, snap, &q, &work, take)
		whole = whole && all
	} else {
		err = each(snap.Query(ctx, q.Filter), take)
	}
	g.Complete = whole
	return g, err
}

// each yields rows until there is an error, or no more are wanted.
func each(rows iter.Seq2[store.Raw, error], yield func(*store.Raw) bool) error {
	for raw, err := range rows {
		if err != nil {
			return err
		}
		if !yield(&raw) {
			return nil
		}
	}
	return nil
}
