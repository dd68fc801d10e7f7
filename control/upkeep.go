package control

import (
	"context"
	"errors"
	"fmt"
	"time"

	"dvmrelay/index"
	"dvmrelay/nip90"
	"dvmrelay/store"
)

// phaseDone is the phase of a report of something that has ended.
const phaseDone = "done"

// paced tells at most once in progressEvery, and whenever what it is about changes.
type paced struct {
	now   func() time.Time
	last  time.Time
	about string
}

func (p *paced) due(about string) bool {
	now := p.now()
	if about == p.about && now.Sub(p.last) < progressEvery {
		return false
	}
	p.about, p.last = about, now
	return true
}

// Reindex implements Verbs.
func (l *Local) Reindex(ctx context.Context, progress func(ReindexReport)) (ReindexReport, error) {
	began := l.now()
	before := l.Store.Stats()
	pace := paced{now: l.now}
	var rep ReindexReport
	err := l.Index.Rebuild(ctx, l.Store, func(p index.Progress) {
		rep = ReindexReport{
			Phase: p.Phase, Bodies: p.Bodies, Changed: p.Changed, Unreadable: p.Unread, Facts: min(p.Done, l.Store.Stats().Facts),
			Seconds: l.now().Sub(began).Seconds(),
		}
		switch p.Phase {
		case index.PhaseFacts:
			rep.Done, rep.Total = p.Bodies, before.Bodies
		case index.PhaseFold:
			rep.Done, rep.Total = rep.Facts, before.Facts
		}
		if progress != nil && pace.due(p.Phase) {
			progress(rep)
		}
	})
	rep.Seconds = l.now().Sub(began).Seconds()
	if err != nil {
		return rep, fmt.Errorf("reindex: %w", err)
	}
	rep.Phase, rep.Done, rep.Total = phaseDone, 0, 0
	return rep, nil
}

// bytesPerFact is about what index.Check takes of memory for each fact, at its height: it holds all of them, and all rows of the
// index.
const bytesPerFact = 4 << 10

// errUnfinished is the one fault that is told of an index that is not whole and is known not to be.
var errUnfinished = errors.New("the index is being built, was left unfinished, or is of an older form: the next start or a reindex makes it whole")

// Verify implements Verbs.
func (l *Local) Verify(ctx context.Context, storeOnly bool, progress func(VerifyReport)) (VerifyReport, error) {
	began := l.now()
	rep := VerifyReport{Phase: "store", Faults: []string{}}
	snap := l.Store.Snapshot()
	defer snap.Close()
	pace := paced{now: l.now}
	r := &watched{Snapshot: snap, broken: ctx.Err}
	r.tell = func() {
		rep.Read, rep.Seconds = r.read, l.now().Sub(began).Seconds()
		if progress != nil && pace.due(rep.Phase) {
			progress(rep)
		}
	}
	r.tell()
	rep.NeedBytes = l.Store.Stats().Facts * bytesPerFact
	if free, known := freeMemory(); !storeOnly && known && rep.NeedBytes > free {
		return rep, fmt.Errorf("%w: the check of the index takes about %d MiB, %d MiB are free; the store alone takes little",
			ErrTooBig, rep.NeedBytes>>20, free>>20)
	}
	seen, fault := store.Inspect(r)
	rep.Events, rep.Facts, rep.Keys = seen.Events, seen.Facts, seen.Keys
	if err := r.broken(); err != nil {
		return rep, fmt.Errorf("verify store: %w", err)
	}
	rep.add(fault)
	if !storeOnly {
		rep.Phase = "index"
		r.tell()
		fault := l.verifyIndex(r, &rep)
		if err := r.broken(); err != nil {
			return rep, fmt.Errorf("verify index: %w", err)
		}
		rep.add(fault)
	}
	rep.Phase, rep.Read, rep.Seconds = phaseDone, r.read, l.now().Sub(began).Seconds()
	return rep, nil
}

func (l *Local) verifyIndex(r *watched, rep *VerifyReport) error {
	sizes, err := index.Sizes(r)
	if err != nil {
		return err
	}
	rep.Threads, rep.Rows = sizes.Threads, sizes.Rows
	unfinished, err := l.Index.Unfinished(r)
	switch {
	case err != nil:
		return err
	case unfinished:
		return errUnfinished
	}
	rep.IndexChecked = true
	return l.Index.Check(r)
}

// add takes the faults that are joined in err.
func (rep *VerifyReport) add(err error) {
	var joined interface{ Unwrap() []error }
	switch {
	case err == nil:
	case errors.As(err, &joined):
		for _, one := range joined.Unwrap() {
			rep.add(one)
		}
	default:
		rep.Faults = append(rep.Faults, err.Error())
	}
}

// watched is a Snapshot that counts what is read of it and ends with a context.
type watched struct {
	store.Snapshot
	broken func() error // why to end, nil to go on
	read   int64
	tell   func()
}

// watchEvery is how many rows are read between two looks at the context and the clock.
const watchEvery = 4096

// Value implements store.Reader.
func (w *watched) Value(key []byte) ([]byte, error) {
	if !w.count() {
		return nil, w.broken()
	}
	return w.Snapshot.Value(key)
}

// Fact implements store.Reader.
func (w *watched) Fact(id nip90.ID) (store.Fact, bool, error) {
	if !w.count() {
		return store.Fact{}, false, w.broken()
	}
	return w.Snapshot.Fact(id)
}

// Scan implements store.Reader.
func (w *watched) Scan(prefix, start []byte, fn func(key, value []byte) bool) error {
	whole := true
	err := w.Snapshot.Scan(prefix, start, func(key, value []byte) bool {
		whole = w.count()
		return whole && fn(key, value)
	})
	if err == nil && !whole {
		err = w.broken()
	}
	return err
}

// count is false when the context has ended.
func (w *watched) count() bool {
	if w.read++; w.read%watchEvery != 0 {
		return true
	}
	w.tell()
	return w.broken() == nil
}
