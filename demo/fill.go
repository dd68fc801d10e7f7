package demo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"dvmrelay/mirror"
	"dvmrelay/nip90"

	"golang.org/x/sync/errgroup"
)

// together is how many events of the past are on their way to disk at once.
const together = 256

// fill takes in what is missing of the past until now, and returns what is begun and still to come.
func (m *Market) fill(ctx context.Context, k *mark, now time.Time) ([]line, error) {
	began := time.Now()
	ms := now.UnixMilli()
	var stories [][]line
	brisk := m.o.Rhythm.span(lively)
	since, lived, stage := int64(0), int64(0), k.Moment
	if k.Filled {
		// The last stories are told once more, so that those that were interrupted end. What is there is only found there.
		since, lived = k.Lived-brisk, k.Lived
		stage = now.Unix()
	} else {
		cast, err := m.w.announcements(k.Moment)
		if err != nil {
			return nil, err
		}
		stories = cast
	}
	slots := m.w.slots(since, lived, ms, m.o.Rhythm)
	if k.Filled {
		slots = append(m.w.unfinished(k.Moment*1000-brisk, since, m.o.Rhythm), slots...)
	}
	done, coming, err := m.w.told(slots, ms, m.o.Rhythm)
	if err != nil {
		return nil, err
	}
	if !k.Filled || ms-k.Lived > brisk {
		scenes, err := m.w.staged(stage)
		if err != nil {
			return nil, err
		}
		done, coming = split(slices.Concat(done, coming, scenes), ms)
	}
	fresh, _ := slices.BinarySearchFunc(done, ms-2*brisk, earlier)
	stories = append(append(stories, steps(done[fresh:])...), steps(done[:fresh])...) // what is looked at first comes first
	if !k.Filled {
		faces, err := m.w.faces(k.Moment)
		if err != nil {
			return nil, err
		}
		stories = append(stories, faces)
	}
	n, err := m.takeIn(ctx, stories)
	if err != nil {
		return nil, err
	}
	k.Filled, k.Lived = true, ms
	if err := m.save(ctx, k); err != nil {
		return nil, err
	}
	m.o.Log.Info("demo: the market has a past; all of it is made up", "events", n, "took", time.Since(began).Round(time.Millisecond).String())
	return coming, nil
}

// takeIn hands events to the sink, one step after the other, and counts those that were new.
func (m *Market) takeIn(ctx context.Context, stories [][]line) (stored int, err error) {
	for _, step := range stories {
		fresh := make([]bool, len(step))
		g, gctx := errgroup.WithContext(ctx)
		g.SetLimit(together)
		for i := range step {
			g.Go(func() (err error) {
				fresh[i], err = m.bring(gctx, &step[i])
				return err
			})
		}
		if err := g.Wait(); err != nil {
			return stored, err
		}
		for _, f := range fresh {
			if f {
				stored++
			}
		}
	}
	return stored, ctx.Err()
}

// bring hands one event to the sink, as if staged upstreams had it, and says whether it was new.
func (m *Market) bring(ctx context.Context, l *line) (bool, error) {
	p, err := nip90.Open(l.evt, []byte(l.evt.String()), nip90.DoorImport, m.o.Now())
	if err != nil {
		return false, fmt.Errorf("open event: %w", err)
	}
	if len(l.staged) > 0 {
		p.Source = upstreamList[l.staged[0]].url
	}
	v := m.o.Sink.Submit(ctx, p)
	switch v.Outcome {
	case mirror.Failed:
		if v.Err == nil {
			v.Err = errors.New("not taken")
		}
		return false, fmt.Errorf("event %s: %w", l.evt.ID, v.Err)
	case mirror.Refused:
		m.o.Log.Debug("demo: event refused", "id", l.evt.ID, "kind", l.evt.Kind, "reason", v.Reason)
		return false, nil
	case mirror.Stored, mirror.Duplicate, mirror.Ignored:
	}
	m.sighted(p.ID, l.staged)
	return v.Outcome == mirror.Stored, nil
}

// sighted tells which staged upstreams had an event.
func (m *Market) sighted(id nip90.ID, staged []int) {
	for _, i := range staged {
		m.o.Seen(id, upstreamList[i].url)
	}
}
