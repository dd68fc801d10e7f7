package store

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"sync/atomic"
	"time"

	"dvmrelay/nip90"
)

// groupEvents is how many events one commit takes at most.
const groupEvents = 512

// op is one thing for the writer to do: an event, or a function.
type op struct {
	parsed *nip90.Parsed
	fn     func(*group) error
	state  atomic.Int32 // of fn: opQueued, opRuns or opLeft

	// Written by the writer before done closes.
	done    chan struct{}
	outcome Outcome
	change  Change
	err     error
}

// What a function in the queue is.
const (
	opQueued int32 = iota
	opRuns         // the writer has it
	opLeft         // who queued it has gone, so it never runs
)

// Pending is an event on its way to disk.
type Pending struct {
	s  *Store
	op *op
}

// Submit queues an event. Events are committed in the order of Submit. It blocks only while the queue is full.
func (s *Store) Submit(ctx context.Context, p *nip90.Parsed) (*Pending, error) {
	return s.submit(ctx, &op{parsed: p, done: make(chan struct{})})
}

func (s *Store) submit(ctx context.Context, o *op) (*Pending, error) {
	if err := ctx.Err(); err != nil {
		return nil, err // or chance would decide, when there is room in the queue
	}
	select {
	case <-s.stopping:
		return nil, ErrClosed
	default:
	}
	select {
	case s.queue <- o:
		return &Pending{s, o}, nil
	case <-s.stopping:
		return nil, ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Wait returns when the event is on disk (or why it is not). The event may still be stored after ctx has ended.
func (p *Pending) Wait(ctx context.Context) (Outcome, Change, error) {
	select {
	case <-p.op.done:
	case <-ctx.Done():
		return 0, Change{}, ctx.Err()
	case <-p.s.finished:
		// The writer's last answers come before its end.
		select {
		case <-p.op.done:
		default:
			return 0, Change{}, ErrClosed
		}
	}
	return p.op.outcome, p.op.change, p.op.err
}

// Save is Submit and Wait.
func (s *Store) Save(ctx context.Context, p *nip90.Parsed) (Outcome, Change, error) {
	pending, err := s.Submit(ctx, p)
	if err != nil {
		return 0, Change{}, err
	}
	return pending.Wait(ctx)
}

// Update runs fn in the writer, in the transaction of a group: it sees what was committed and queued before it, and all
// that it writes (keys of IndexSpace) is on disk when Update returns nil. An error of fn undoes its writes. One Update
// must stay within a transaction of Badger, about 2 MiB or 20,000 keys: work in steps. When ctx ends first, fn has not run
// and never will; once it runs, Update waits for its end, so that fn may write to variables of its caller.
func (s *Store) Update(ctx context.Context, fn func(Txn) error) error {
	return s.do(ctx, func(g *group) error {
		err := fn(g)
		return errors.Join(err, g.foreign)
	})
}

func (s *Store) do(ctx context.Context, fn func(*group) error) error {
	o := &op{fn: fn, done: make(chan struct{})}
	pending, err := s.submit(ctx, o)
	if err != nil {
		return err
	}
	select {
	case <-o.done:
	case <-ctx.Done():
		if o.state.CompareAndSwap(opQueued, opLeft) {
			return ctx.Err()
		}
	}
	_, _, err = pending.Wait(context.WithoutCancel(ctx))
	return err
}

// writer is the state of the goroutine that runs Run.
type writer struct {
	s     *Store
	carry []*op
	tasks bool // there may be task rows
	sweep bool // there may be expired events
	lapse bool // there may be events that have waited in vain
	due   []dueRow
}

// Run writes what Save brings, expires, and watches the disk, until ctx ends; then it finishes what was begun.
func (s *Store) Run(ctx context.Context) error {
	if !s.started.CompareAndSwap(false, true) {
		return errors.New("run store: it ran already")
	}
	defer s.end()
	w := &writer{s: s, tasks: true, sweep: true}
	if err := w.begin(); err != nil {
		return err
	}
	tick := time.NewTicker(s.o.SweepEvery)
	defer tick.Stop()
	for {
		batch, alive := w.wait(ctx, tick.C)
		if !alive {
			return w.finish()
		}
		if err := w.turn(batch); err != nil {
			return err
		}
	}
}

// turn commits one batch, then does one bounded step of whatever else is due, so that neither starves the other.
func (w *writer) turn(batch []*op) error {
	if len(batch) > 0 {
		if err := w.commit(batch); err != nil {
			return err
		}
	}
	if w.tasks {
		if err := w.step(w.taskStep, Deleted); err != nil {
			return err
		}
	}
	if w.adopts() {
		if err := w.adoptStep(); err != nil {
			return err
		}
	}
	if w.lapse {
		if err := w.step(w.lapseStep, Deleted); err != nil {
			return err
		}
	}
	if w.sweep {
		return w.step(w.sweepStep, FactOnly)
	}
	return nil
}

// adopts says whether waiting events are to be decided again and can be written.
func (w *writer) adopts() bool { return len(w.due) > 0 && !w.s.disk.full.Load() }

// wait returns what is queued; it blocks while there is nothing at all to do. It is false when ctx has ended.
func (w *writer) wait(ctx context.Context, tick <-chan time.Time) (batch []*op, alive bool) {
	if len(w.carry) > 0 {
		if ctx.Err() != nil {
			return nil, false
		}
		batch, w.carry = w.carry, nil
		return w.fill(batch), true
	}
	if w.tasks || w.sweep || w.lapse || w.adopts() {
		select {
		case <-ctx.Done():
			return nil, false
		case <-tick:
			w.periodic()
		case o := <-w.s.queue:
			batch = append(batch, o)
		default:
		}
		return w.fill(batch), true
	}
	select {
	case <-ctx.Done():
		return nil, false
	case <-tick:
		w.periodic()
	case o := <-w.s.queue:
		batch = append(batch, o)
		select {
		case <-tick:
			w.periodic()
		default:
		}
	}
	return w.fill(batch), true
}

// fill takes what else is waiting, without waiting for it.
func (w *writer) fill(batch []*op) []*op {
	if len(batch) == 0 {
		return nil
	}
	for len(batch) < groupEvents {
		select {
		case o := <-w.s.queue:
			batch = append(batch, o)
		default:
			return batch
		}
	}
	return batch
}

func (w *writer) periodic() {
	w.sweep = true
	w.lapse = w.lapse || len(w.s.shelf.rows) > 0
	w.s.disk.check(w.s.o)
}

func (w *writer) begin() error {
	g := w.s.newGroup(1)
	w.s.began, w.lapse = g.now, true
	// What they wait for may have come with a commit that the last run could not go on from, or by another configuration.
	for _, row := range w.s.shelf.all() {
		row.queued = true
		w.due = append(w.due, dueRow{row: row, by: -1})
	}
	if w.s.fresh {
		g.over.set(schemaKey, binary.BigEndian.AppendUint32(nil, schemaVersion))
	}
	if w.s.o.BlindKeys && w.s.blinder == nil {
		b, err := newBlinder(g.version + 1)
		if err != nil {
			return err
		}
		g.over.set(blindKey, b.encode())
		w.s.blinder = b
	}
	return w.publish(g, nil)
}

// finish commits what was queued before the end and leaves the counts for the next start.
func (w *writer) finish() error {
	w.s.refuse()
	for {
		batch := w.carry
		w.carry = nil
		if len(batch) == 0 {
			select {
			case o := <-w.s.queue:
				batch = append(batch, o)
			default:
			}
		}
		if batch = w.fill(batch); len(batch) == 0 {
			break
		}
		if err := w.commit(batch); err != nil {
			return err
		}
	}
	g := w.s.newGroup(1)
	g.over.set(countsKey, w.s.countsRow(g.version+1))
	return w.publish(g, nil)
}

// commit stages a batch, writes it with one sync, publishes it and answers. What does not fit is carried over.
func (w *writer) commit(batch []*op) error {
	g := w.s.newGroup(len(batch))
	var commits []Commit
	taken := 0
	for i, o := range batch {
		m := g.mark()
		o.outcome, o.change, o.err = w.stage(g, o)
		if o.err == nil && g.tooBig() {
			g.rollback(m)
			if m.undo > 0 {
				o.state.Store(opQueued)
				break
			}
			o.err = fmt.Errorf("more than one transaction holds: %w", ErrBadEvent)
		} else if o.err != nil {
			g.rollback(m)
		}
		taken = i + 1
		if o.err == nil && len(g.over.undo) > m.undo {
			o.change.Version = g.version + 1
			if o.parsed != nil {
				commits = w.tell(g, commits, o, g.facts > m.facts)
			}
		}
		if g.full() {
			break
		}
	}
	w.carry = batch[taken:]
	batch = batch[:taken]
	err := w.publish(g, commits)
	for _, o := range batch {
		if err != nil && o.err == nil {
			o.err = err
		}
		close(o.done)
	}
	return err
}

func (w *writer) stage(g *group, o *op) (Outcome, Change, error) {
	if w.s.disk.full.Load() {
		return 0, Change{}, ErrDiskFull
	}
	if o.fn != nil {
		if !o.state.CompareAndSwap(opQueued, opRuns) {
			return 0, Change{}, context.Canceled
		}
		return Stored, Change{}, o.fn(g)
	}
	return g.stage(o.parsed)
}

// step commits one bounded piece of upkeep.
func (w *writer) step(piece func(*group) (Change, error), outcome Outcome) error {
	g := w.s.newGroup(1)
	change, err := piece(g)
	if err != nil {
		g.txn.Discard()
		return err
	}
	var commits []Commit
	if len(change.Roots) > 0 || len(change.Adopted) > 0 {
		change.Version = g.version + 1
		commits = []Commit{{Outcome: outcome, Change: change}}
	}
	return w.publish(g, commits)
}

// publish writes a group and lets readers see it. An empty group costs nothing.
func (w *writer) publish(g *group, commits []Commit) error {
	defer g.txn.Discard()
	if g.over.count == 0 {
		return nil
	}
	s := w.s
	version := g.version + 1
	began := time.Now()
	if err := g.write(version); err != nil {
		return err
	}
	s.counters.group(len(commits), time.Since(began))
	s.kinds.turn.Add(1)
	for _, d := range g.deltas {
		s.kinds.add(d.kind, d.delta)
	}
	if len(g.vanish) > 0 || len(g.done) > 0 {
		next := maps.Clone(*s.vanishing.Load())
		for _, v := range g.vanish {
			next[v.key] = v
		}
		for _, key := range g.done {
			delete(next, key)
		}
		s.vanishing.Store(&next)
	}
	s.published.Store(version)
	s.facts.Add(g.facts)
	s.shelf.publish(g.held)
	s.shelf.adopted.Add(g.adopted)
	s.shelf.dropped.Add(g.dropped)
	s.kinds.turn.Add(1)
	w.tasks = w.tasks || g.over.tables[tabTask] != nil
	s.trail()
	if s.o.Committed != nil && len(commits) > 0 {
		s.o.Committed(version, commits)
	}
	return nil
}
