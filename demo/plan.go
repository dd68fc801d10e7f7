package demo

import (
	"cmp"
	"math"
	"runtime"
	"slices"
	"time"

	"dvmrelay/nip90"

	"golang.org/x/sync/errgroup"
)

// Rhythm is how fast the market lives.
type Rhythm struct {
	// Every is the time between two new jobs in lively times, about; default 4 s. Time is cut into slots of this length.
	Every time.Duration
	// Speed is how much faster than life stories go; default 1.
	Speed float64
	// Past is how far back a fresh directory is filled beside what is set at certain times; default a week.
	Past time.Duration
}

func (r Rhythm) withDefaults() Rhythm {
	if r.Every < time.Millisecond {
		r.Every = 4 * time.Second
	}
	if r.Speed <= 0 {
		r.Speed = 1
	}
	if r.Past <= 0 {
		r.Past = 7 * 24 * time.Hour
	}
	return r
}

// The streams of chance that belong to no slot. Those of slots are below.
const (
	streamCast  = 1<<63 + iota // announcements
	streamFaces                // profiles of customers
	streamScene                // the scenes that are set when the stage is, one stream each
)

// How far back the market is lively and dense, in slots; at the default rhythm 15 minutes and a day.
const (
	lively = 225
	dense  = 21_600
)

// lasting is how long a story may go on, in milliseconds of life; those that are not long are over within the lively time.
const lasting = 30 * 60_000

const (
	sceneEach = 5   // slots between two scenes in lively times
	beatEach  = 60  // slots between two heartbeats of a provider
	thinOne   = 400 // one slot in so many has a job
	denseOne  = 50
	thinScene = 6 // one job in so many is a scene when times are not lively
)

// slot is a stretch of time that has its own chance, so that what happens in it depends on nothing else.
type slot struct {
	n      int64
	lively bool
	alone  bool // of what happens in lively times its scene alone is told
}

// scene is what is set in the slot in lively times; false when nothing is.
func (c slot) scene() (scene, bool) {
	all := scenes()
	return all[int(c.n/sceneEach)%len(all)], c.n%sceneEach == 0
}

// span is how long so many slots last, in milliseconds.
func (r Rhythm) span(slots int64) int64 { return slots * r.Every.Milliseconds() }

// slotOf is the number of the slot that a time lies in.
func (r Rhythm) slotOf(ms int64) int64 { return ms / r.Every.Milliseconds() }

// write writes what begins in a slot.
func (w *world) write(c slot, r Rhythm) ([]line, error) {
	d := newDice(w.seed, uint64(c.n)*4)
	begin := c.n * r.Every.Milliseconds()
	story := func(stream uint64, play func(*writer)) *writer {
		s := &writer{w: w, d: newDice(w.seed, uint64(c.n)*4+stream), speed: r.Speed}
		s.at = begin + s.d.Int64N(r.Every.Milliseconds())
		play(s)
		return s
	}
	var told []*writer
	switch set, is := c.scene(); {
	case c.alone:
		told = append(told, story(3, set.play))
	case !c.lively:
		if d.chance(1.0 / thinScene) {
			told = append(told, story(1, pick(d, scenes()).play))
		} else {
			told = append(told, story(1, (*writer).ordinary))
		}
	default:
		// A market breathes: three minutes in, three minutes out.
		swell := math.Sin(float64(begin) / (180_000 / math.Pi))
		if d.chance(0.75 + 0.25*swell) {
			told = append(told, story(1, (*writer).ordinary))
		}
		if d.chance(0.15 + 0.15*swell) {
			told = append(told, story(2, (*writer).ordinary))
		}
		if is {
			told = append(told, story(3, set.play))
		}
		told = append(told, w.beats(c, r))
	}
	var lines []line
	for _, s := range told {
		if s.err != nil {
			return nil, s.err
		}
		lines = append(lines, s.lines...)
	}
	return lines, nil
}

// beats are the heartbeats of a slot.
func (w *world) beats(c slot, r Rhythm) *writer {
	s := &writer{w: w, d: newDice(w.seed, uint64(c.n)*4+3), speed: r.Speed, at: c.n * r.Every.Milliseconds()}
	for i, p := range w.providers {
		if p.beats && (c.n+int64(i)*7)%beatEach == 0 {
			s.beat(p, s.after(10*60_000))
		}
	}
	return s
}

// slots are those of a stretch of the past in which something happens, seen from now; in unix milliseconds. Shortly before
// now all are lively, and so are those before lived, when the market was last alive.
func (w *world) slots(since, lived, now int64, r Rhythm) []slot {
	var list []slot
	last := r.slotOf(now)
	for n := r.slotOf(max(since, now-r.Past.Milliseconds())) + 1; n <= last; n++ {
		if n > last-lively || n <= r.slotOf(lived) {
			list = append(list, slot{n: n, lively: true})
			continue
		}
		rare := uint64(thinOne)
		if n > last-dense {
			rare = denseOne
		}
		if newDice(w.seed, uint64(n)*4+2).Uint64N(rare) == 0 {
			list = append(list, slot{n: n})
		}
	}
	return list
}

// unfinished are the slots of a stretch of lively time with stories that may still go on after it, in unix milliseconds.
func (w *world) unfinished(since, until int64, r Rhythm) (list []slot) {
	since = max(since, until-int64(lasting/r.Speed))
	for n := r.slotOf(since) + 1; n <= r.slotOf(until); n++ {
		c := slot{n: n, lively: true, alone: true}
		if set, is := c.scene(); is && set.long {
			list = append(list, c)
		}
	}
	return list
}

// staged are scenes at set times, so that each of them is old enough to tell its whole story, and once more a few hours old.
func (w *world) staged(moment int64) ([]line, error) {
	var lines []line
	for i, c := range scenes() {
		for j, at := range [...]int64{moment - 11*60 - int64(i)*19, moment - 3*3600 - int64(i)*413} {
			s := &writer{w: w, d: newDice(w.seed, streamScene+uint64(i*2+j)), speed: 1}
			s.at = at*1000 + s.d.Int64N(1000)
			c.play(s)
			if s.err != nil {
				return nil, s.err
			}
			lines = append(lines, s.lines...)
		}
	}
	return lines, nil
}

// told is everything that happened in some slots until now, and what is already begun and still to come: in unix
// milliseconds, in order.
func (w *world) told(slots []slot, now int64, r Rhythm) (done, coming []line, err error) {
	parts := make([][]line, len(slots))
	var g errgroup.Group
	cores := runtime.GOMAXPROCS(0)
	for c := range cores {
		g.Go(func() (err error) {
			for i := c; i < len(slots) && err == nil; i += cores {
				parts[i], err = w.write(slots[i], r)
			}
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, nil, err
	}
	done, coming = split(slices.Concat(parts...), now)
	return done, coming, nil
}

// split puts lines into order and parts those that are due now, or were, from those to come.
func split(lines []line, now int64) (done, coming []line) {
	inOrder(lines)
	at, _ := slices.BinarySearchFunc(lines, now+1, earlier)
	return lines[:at], lines[at:]
}

func inOrder(lines []line) {
	slices.SortStableFunc(lines, func(a, b line) int { return cmp.Compare(a.due, b.due) })
}

// earlier compares when a line is due with a time.
func earlier(l line, ms int64) int { return cmp.Compare(l.due, ms) }

// steps puts the past into an order in which everything is there before what is about it.
func steps(lines []line) [][]line {
	out := make([][]line, 3)
	for _, l := range lines {
		step := 2
		switch k := l.evt.Kind; {
		case nip90.IsRequest(k):
			step = 0
		case nip90.IsResult(k), k == nip90.KindFeedback:
			step = 1
		}
		out[step] = append(out[step], l)
	}
	return out
}
