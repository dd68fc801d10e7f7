package index

import (
	"fmt"
	"slices"

	"dvmrelay/store"
)

// Threads lists jobs, newest first. Jobs whose request is not here are not listed.
func (x *Index) Threads(r store.Reader, q ThreadQuery) (ThreadPage, error) {
	page := ThreadPage{Items: []Thread{}}
	if q.State != "" && !slices.Contains(States(), q.State) {
		return page, fmt.Errorf("state %q: %w", q.State, ErrQuery)
	}
	if q.Payment != "" && !slices.Contains(Payments(), q.Payment) {
		return page, fmt.Errorf("payment %q: %w", q.Payment, ErrQuery)
	}
	at := cursor{now: x.now(q.Now)}
	if q.Cursor != "" {
		var err error
		if at, err = parseCursor(q.Cursor); err != nil {
			return page, err
		}
		if len(at.key) != 0 && len(at.key) != timeLen+idLen {
			return page, ErrCursor
		}
	}
	l := lister{q: q, finder: finder{
		lens: lens{Reader: r, x: x, now: at.now},
		left: maxWork,
		want: jobWant{
			state: q.State, payment: q.Payment, kind: q.Kind, provider: q.Provider, customer: q.Customer, encrypted: q.Encrypted,
			words: Words(q.Text), answers: q.For, without: q.Without,
		},
	}}
	return page, l.fill(&page, at)
}

// lister fills a page with jobs.
type lister struct {
	finder
	q ThreadQuery
}

// fill walks the jobs; for q.For twice: first what nobody has answered, then what others have.
func (l *lister) fill(page *ThreadPage, at cursor) error {
	phases := byte(1)
	if !l.q.For.IsZero() {
		phases = 2
		hs, err := l.handlersOf(l.q.For)
		if err != nil {
			return err
		}
		for _, h := range hs {
			l.want.could = append(l.want.could, h.Kinds...)
		}
		slices.Sort(l.want.could)
		l.want.could = slices.Compact(l.want.could)
		if len(l.want.could) == 0 {
			return nil
		}
	}
	for at.phase < phases {
		more, err := l.turn(page, &at)
		if err != nil {
			return err
		}
		if more {
			page.Next = at.String()
			return nil
		}
		at = cursor{now: at.now, phase: at.phase + 1}
	}
	return nil
}

// turn goes on with a phase from where at stands, and says whether there may be more; at moves along.
func (l *lister) turn(page *ThreadPage, at *cursor) (more bool, err error) {
	l.want.phase = at.phase
	of := span{since: l.q.Since, until: l.q.Until}
	if len(at.key) > 0 {
		of.after = at.key
	}
	at.key, more, err = l.walk(of, func(j *job) (bool, error) {
		if len(page.Items) == pageSize(l.q.Limit) {
			return false, nil
		}
		t, ok, err := l.thread(j.root)
		if ok && err == nil {
			page.Items = append(page.Items, t)
		}
		return true, err
	})
	return more, err
}
