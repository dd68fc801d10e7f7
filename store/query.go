package store

import (
	"bytes"
	"context"
	"iter"

	"dvmrelay/nip90"

	"github.com/nbd-wtf/go-nostr"
)

const (
	smallChunk = 32
	largeChunk = 4096
)

// query is one filter being answered.
type query struct {
	sn     *snapshot
	m      *matcher
	clock  *clock
	now    int64
	hidden map[nip90.PubKey]vanishing // keys being erased
	yield  func(Raw, error) bool
	left   int // answers still wanted
	win    window
	checks int // candidates of this leg that did not match
	body   body
}

// Query implements Snapshot.
func (sn *snapshot) Query(ctx context.Context, f nostr.Filter) iter.Seq2[Raw, error] {
	return func(yield func(Raw, error) bool) {
		q, legs, err := sn.query(ctx, f)
		if err != nil {
			yield(Raw{}, err)
			return
		}
		q.yield = yield
		for _, l := range legs {
			done, err := q.run(&l)
			if err != nil {
				yield(Raw{}, err)
				return
			}
			if done {
				return
			}
		}
	}
}

func (sn *snapshot) query(ctx context.Context, f nostr.Filter) (*query, []leg, error) {
	if sn.closed {
		return nil, nil, ErrClosed
	}
	m, err := compile(f)
	if err != nil {
		return nil, nil, err
	}
	q := &query{
		sn: sn, m: m, clock: newClock(ctx, sn.s.o.QueryBudget), now: sn.s.o.Now().Unix(),
		hidden: sn.hidden(), left: f.Limit, win: m.window(),
	}
	if q.left <= 0 {
		q.left = int(^uint(0) >> 1)
	}
	return q, sn.s.plan(m, f.Limit), q.clock.look()
}

// run walks one leg; done says that the answer is complete.
func (q *query) run(l *leg) (done bool, err error) {
	q.checks = 0
	switch l.way {
	case wayIDs:
		return q.byIDs()
	case wayTime:
		return q.byTime(l)
	}
	size := min(max(q.left, smallChunk), largeChunk)
	for {
		found, full, err := q.chunk(l, size)
		if err != nil {
			return false, err
		}
		for i := range found {
			if on, err := q.read(&found[i]); err != nil || !on {
				return !on, err
			}
			if l.checks > 0 && q.checks >= l.checks {
				q.win = q.win.after(found[i].place)
				return false, nil
			}
		}
		if !full {
			return true, nil
		}
		q.win = q.win.after(found[len(found)-1].place)
		size = min(2*size, largeChunk)
	}
}

// chunk finds the next candidates in order, at most n; full says that there may be more behind them.
func (q *query) chunk(l *leg, n int) (found []candidate, full bool, err error) {
	top := best{n: n, heap: make([]candidate, 0, n)}
	it := q.sn.txn.NewIterator(keysOnly([]byte{l.table}))
	defer func() { it.Close() }()
	w := &walker{it: it, m: q.m, clock: q.clock}
	for _, base := range l.bases {
		// Values of p that are no keys stand in the tag table.
		if base[0] != l.table || l.way == wayFlat {
			if base[0] != l.table {
				if err = q.elsewhere(base, &top); err != nil {
					return nil, false, err
				}
				continue
			}
			err = w.flat(base, q.win, top.offer)
		} else {
			err = w.kindsOf(base, l.kinds, q.win, top.offer)
		}
		if err != nil {
			return nil, false, err
		}
	}
	full = len(top.heap) == n
	return top.sorted(), full, nil
}

func (q *query) elsewhere(base []byte, top *best) error {
	it := q.sn.txn.NewIterator(keysOnly(base))
	defer it.Close()
	w := &walker{it: it, m: q.m, clock: q.clock}
	return w.flat(base, q.win, top.offer)
}

// read looks a candidate up, checks it against the whole filter and yields it. It is false when the answer is complete.
func (q *query) read(c *candidate) (on bool, err error) {
	if err := q.clock.tick(); err != nil {
		return false, err
	}
	var key [1 + placeLen + kindLen]byte
	value, err := q.sn.Value(eventKey(key[:0], &c.place, c.kind))
	if err != nil {
		return false, err
	}
	if value == nil {
		q.checks++
		return true, nil
	}
	return q.offer(&c.place, c.kind, value)
}

func (q *query) offer(p *place, kind uint16, value []byte) (on bool, err error) {
	if err := decodeBody(p, kind, value, &q.body); err != nil {
		return false, err
	}
	if !q.visible(&q.body.Head) || !q.m.matches(&q.body) {
		q.checks++
		return true, nil
	}
	q.left--
	q.clock.pause()
	on = q.yield(q.body.Raw, nil) && q.left > 0
	q.clock.resume()
	if on {
		return true, q.clock.ctx.Err()
	}
	return false, nil
}

// visible is false for what has expired and for what its author asked to forget, even if it is not gone yet.
func (q *query) visible(h *Head) bool {
	if h.Expires != 0 && h.Expires <= q.now {
		return false
	}
	if len(q.hidden) > 0 {
		if v, ok := q.hidden[h.PubKey]; ok && h.CreatedAt <= v.until && h.ID != v.request {
			return false
		}
	}
	return true
}

// byTime walks the event table, newest first. Kinds are judged by the key.
func (q *query) byTime(l *leg) (done bool, err error) {
	it := q.sn.txn.NewIterator(keysOnly([]byte{tabEvent}))
	defer it.Close()
	key := append([]byte{tabEvent}, q.win.from[:]...)
	var last place
	for it.Seek(key); it.Valid(); it.Next() {
		if err := q.clock.tick(); err != nil {
			return false, err
		}
		item := it.Item()
		p, kind, ok := decodeEventKey(item.Key())
		if !ok || bytes.Compare(p[:], q.win.to[:]) > 0 {
			return true, nil
		}
		last = p
		if !q.m.hasKind(kind) {
			continue
		}
		value, err := itemValue(item)
		if err != nil {
			return false, err
		}
		if on, err := q.offer(&p, kind, value); err != nil || !on {
			return !on, err
		}
		if l.checks > 0 && q.checks >= l.checks {
			q.win = q.win.after(last)
			return false, nil
		}
	}
	return true, nil
}

// byIDs reads each id of the filter.
func (q *query) byIDs() (done bool, err error) {
	found := best{n: len(q.m.ids) + 1}
	for id := range q.m.ids {
		if err := q.clock.tick(); err != nil {
			return false, err
		}
		f, ok, err := q.sn.Fact(id)
		if err != nil {
			return false, err
		}
		if ok && f.Has(FactBody) && q.m.hasKind(uint16(f.Kind)) {
			p := placeOf(f.CreatedAt, id)
			found.offer(&p, uint16(f.Kind))
		}
	}
	for _, c := range found.sorted() {
		if on, err := q.read(&c); err != nil || !on {
			return !on, err
		}
	}
	return true, nil
}
