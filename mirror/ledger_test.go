package mirror

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const epoch = 1_700_000_000 // when the clocks of these tests begin, unix seconds

func clockAt(at int64) *clock { return newClock(time.Unix(at, 0)) }

// listen opens a ledger and begins with one upstream.
func listen(t *testing.T, state State, c *clock, url string) *Ledger {
	t.Helper()
	l := NewLedger(state, c.now, nil)
	l.list([]string{url})
	if err := l.begin(t.Context(), url); err != nil {
		t.Fatal(err)
	}
	return l
}

// of are the gaps of one source.
func of(url string, gaps []Gap) (out []Gap) {
	for _, g := range gaps {
		if g.URL == url {
			out = append(out, g)
		}
	}
	return out
}

func heardSeconds(t *testing.T, l *Ledger, url string, since, until int64) int64 {
	t.Helper()
	for _, c := range l.Coverage(since, until) {
		if c.URL == url {
			return c.HeardSeconds
		}
	}
	t.Fatalf("no coverage of %s", url)
	return 0
}

func TestLedger_TellsWhyAndForHowLong(t *testing.T) {
	const url = "wss://a.example"
	ctx, c, state := t.Context(), clockAt(epoch), newState()
	l := listen(t, state, c, url)
	c.add(10 * time.Second)
	l.up(url, c.now().Unix(), nil)
	c.add(100 * time.Second)
	l.lost(url, down)
	c.add(20 * time.Second)
	l.lost(url, refused)
	c.add(5 * time.Second)
	l.up(url, c.now().Unix(), nil)
	c.add(50 * time.Second)
	l.end(ctx, url)
	c.add(1000 * time.Second)
	l = NewLedger(state, c.now, nil)
	l.list([]string{url})
	if err := l.begin(ctx, url); err != nil {
		t.Fatal(err)
	}
	c.add(3 * time.Second)
	l.up(url, c.now().Unix(), nil)
	c.add(7 * time.Second)

	now := c.now().Unix()
	all := []Gap{
		{url, epoch - 50, epoch + 10, "unheard-before"},
		{url, epoch + 110, epoch + 130, "down"},
		{url, epoch + 130, epoch + 135, "refused"},
		{url, epoch + 185, epoch + 1185, "stopped"},
		{url, epoch + 1185, epoch + 1188, "connecting"},
	}
	if d := cmp.Diff(all, of(url, l.Gaps(epoch-50, now, 0))); d != "" {
		t.Errorf("gaps: -want +got\n%s", d)
	}
	if d := cmp.Diff(all[1:], l.recent(url, maxGaps)); d != "" {
		t.Errorf("recent gaps: -want +got\n%s", d)
	}
	if d := cmp.Diff(all[4:], l.recent(url, 1)); d != "" {
		t.Errorf("the newest gap: -want +got\n%s", d)
	}
	for _, tc := range []struct {
		name         string
		since, until int64
		want         Coverage
		gaps         []Gap
	}{
		{"all", epoch - 50, now, Coverage{url, 157, now - epoch + 50}, all},
		{"the future is left out", epoch - 50, now + 500, Coverage{url, 157, now - epoch + 50}, all},
		{"inside a gap", epoch + 112, epoch + 114, Coverage{url, 0, 2}, []Gap{{url, epoch + 112, epoch + 114, "down"}}},
		{"inside what was heard", epoch + 20, epoch + 30, Coverage{url, 10, 10}, nil},
		{"across one edge", epoch + 105, epoch + 115, Coverage{url, 5, 10}, []Gap{{url, epoch + 110, epoch + 115, "down"}}},
		{"before everything", 10, 20, Coverage{url, 0, 10}, []Gap{{url, 10, 20, "unheard-before"}}},
		{"empty", epoch + 20, epoch + 20, Coverage{url, 0, 0}, nil},
		{"upside down", epoch + 30, epoch + 20, Coverage{url, 0, 0}, nil},
		{"future alone", now + 10, now + 20, Coverage{url, 0, 0}, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if d := cmp.Diff(tc.want, l.Coverage(tc.since, tc.until)[1]); d != "" {
				t.Errorf("coverage: -want +got\n%s", d)
			}
			if d := cmp.Diff(tc.gaps, of(url, l.Gaps(tc.since, tc.until, 0))); d != "" {
				t.Errorf("gaps: -want +got\n%s", d)
			}
		})
	}
	if got := l.Gaps(epoch-50, now, 3); len(got) != 3 || !slices.IsSortedFunc(got, func(a, b Gap) int { return int(a.Since - b.Since) }) {
		t.Errorf("limited gaps = %v, want the three oldest in order", got)
	}
}

func TestLedger_SelfIsHeardWhileRunRuns(t *testing.T) {
	c, state := clockAt(epoch), newState()
	run := func(seconds int) *Ledger {
		l := NewLedger(state, c.now, nil)
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan error, 1)
		go func() { ended <- l.Run(ctx) }()
		eventually(t, "the doors", func() bool { return l.running(Self) })
		c.add(time.Duration(seconds) * time.Second)
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run = %v, want nil", err)
		}
		return l
	}
	if got := NewLedger(state, c.now, nil).Since(); got != 0 {
		t.Errorf("Since = %d before the first run, want 0", got)
	}
	run(45)
	c.add(95 * time.Second)
	l := run(10)
	c.add(5 * time.Second)
	want := []Gap{{Self, epoch + 45, epoch + 140, "stopped"}, {Self, epoch + 150, epoch + 155, "stopped"}}
	if d := cmp.Diff(want, l.Gaps(epoch, c.now().Unix(), 0)); d != "" {
		t.Errorf("gaps: -want +got\n%s", d)
	}
	if got := NewLedger(state, c.now, nil).Since(); got != epoch {
		t.Errorf("Since = %d, want %d", got, epoch)
	}
}

// A machine that slept heard nothing, though the process lived.
func TestLedger_SleepIsNotHeard(t *testing.T) {
	c, state := clockAt(epoch), newState()
	l := NewLedger(state, c.now, nil)
	for _, pause := range []time.Duration{0, growEvery, time.Hour, growEvery} {
		c.add(pause)
		l.pulse(t.Context())
	}
	c.add(time.Hour)
	l.end(t.Context(), Self)
	want := []Gap{{Self, epoch + 15, epoch + 3615, "stopped"}, {Self, epoch + 3630, epoch + 7230, "stopped"}}
	if d := cmp.Diff(want, l.Gaps(epoch, c.now().Unix(), 0)); d != "" {
		t.Errorf("gaps: -want +got\n%s", d)
	}
}

func (l *Ledger) running(url string) bool {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.sources[url].runs && l.sources[url].line.now() == heard
}

// TestLedger_KilledAnywhereForgetsLittleAndInventsNothing plays hours of coming and going, with a process that is killed
// at random moments, against the true list of seconds.
func TestLedger_KilledAnywhereForgetsLittleAndInventsNothing(t *testing.T) {
	const url, span = "wss://a.example", 1500
	seed := rand.Uint64()
	rnd := rand.New(rand.NewPCG(seed, 5))
	ctx := t.Context()
	for round := range 6 {
		c, state := clockAt(epoch), newState()
		truth := make([]bool, span)
		kills := 0
		l := listen(t, state, c, url)
		up, grown := false, int64(0)
		var certain int64 // the last sign of life
		for at := int64(0); at < span; at = c.now().Unix() - epoch {
			switch rnd.IntN(30) {
			case 0:
				up, certain = true, at
				l.up(url, epoch+at, func() int64 { return epoch + certain })
				l.save(ctx, url)
			case 1:
				l.lost(url, []hearing{down, refused}[rnd.IntN(2)])
				l.save(ctx, url)
				for i := certain; up && i < at; i++ {
					truth[i] = false // it was not certain
				}
				up = false
			case 2:
				if rnd.IntN(3) > 0 {
					break
				}
				for i := certain; up && i < at; i++ {
					truth[i] = false
				}
				up, kills, state = false, kills+1, state.killed()
				l = listen(t, state, c, url)
			default:
				certain = at
			}
			if at-grown >= int64(growEvery/time.Second) {
				l.grow(ctx)
				grown = at
			}
			if up {
				truth[at] = true
			}
			c.add(time.Second)
		}
		l.grow(ctx)
		missing := 0
		got := make([]bool, span)
		l.sources[url].line.walk(epoch, epoch+span, l.sources[url].line.until, func(since, until int64, is hearing) {
			for i := since; i < until && is == heard; i++ {
				got[i-epoch] = true
			}
		})
		for i := range truth {
			switch {
			case truth[i] && !got[i]:
				missing++
			case got[i] && !truth[i]:
				t.Errorf("seed %d, round %d: second %d is said to be heard and was not", seed, round, i)
			}
		}
		if most := (kills + 1) * (int(growEvery/time.Second) + 1); missing > most {
			t.Errorf("seed %d, round %d: %d seconds forgotten over %d kills, want at most %d", seed, round, missing, kills, most)
		}
	}
}

func TestLedger_LongHistoriesMoveToTheSecondNote(t *testing.T) {
	const url, breaks = "wss://a.example", 300
	ctx, c, state := t.Context(), clockAt(epoch), newState()
	l := listen(t, state, c, url)
	for range breaks {
		l.up(url, c.now().Unix(), nil)
		l.save(ctx, url)
		c.add(60 * time.Second)
		l.lost(url, down)
		l.save(ctx, url)
		c.add(30 * time.Second)
	}
	recent, err := state.Meta(recentKey(url))
	if err != nil || len(recent) > 2048 {
		t.Errorf("the note that is written often has %d bytes (%v), want at most 2048", len(recent), err)
	}
	want := l.Gaps(0, c.now().Unix(), 0)
	again := NewLedger(state.killed(), c.now, nil)
	again.list([]string{url})
	got := again.Gaps(0, c.now().Unix(), 0)
	if len(want) != breaks+2 || len(got) != breaks+2 || got[breaks+1].Why != "stopped" { // of the last one nothing was written yet
		t.Fatalf("%d gaps, after a kill %d, the last %+v; want %d, as many, stopped", len(want), len(got), got[len(got)-1], breaks+2)
	}
	if d := cmp.Diff(want[:breaks+1], got[:breaks+1]); d != "" {
		t.Errorf("gaps: -before +after the kill\n%s", d)
	}
	// what is filled in the past is gone from both notes
	if !l.fill(url, []window{{epoch, epoch + 25_000}}) {
		t.Error("filling a gap is no news")
	}
	l.save(ctx, url)
	again = NewLedger(state.killed(), c.now, nil)
	again.list([]string{url})
	if got := heardSeconds(t, again, url, epoch, epoch+25_000); got != 25_000 {
		t.Errorf("%d seconds are heard after filling, want 25000", got)
	}
}

// TestLedger_KilledBetweenTwoNotes has one of them old and one new.
func TestLedger_KilledBetweenTwoNotes(t *testing.T) {
	const url = "wss://a.example"
	turns := func(from, n int64) (all []turn) {
		for i := range n {
			all = append(all, turn{from + i*10, []hearing{heard, down}[i%2]})
		}
		return all
	}
	for _, tc := range []struct {
		name         string
		past, recent note
		want         timeline
		moved        int
	}{
		{"nothing", note{}, note{}, timeline{}, 0},
		{"parted", note{Turns: turns(10, 4)}, note{turns(50, 2), 65}, timeline{turns(10, 6), 65}, 4},
		{"moved, still in both", note{Turns: turns(10, 6)}, note{turns(50, 2), 65}, timeline{turns(10, 6), 65}, 4},
		{"filled, not yet below", note{Turns: turns(10, 1)}, note{turns(50, 2), 65}, timeline{[]turn{{10, heard}, {60, down}}, 65}, 1},
		{"the past is damaged", note{}, note{turns(60, 3)[1:], 85}, timeline{[]turn{{80, heard}}, 85}, 0},
		{"the present is damaged", note{Turns: turns(10, 3)}, note{}, timeline{turns(10, 3), 30}, 3},
		{"out of order", note{}, note{[]turn{{50, heard}, {40, down}}, 45}, timeline{turns(50, 1), 50}, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			line, moved := join(tc.past, tc.recent)
			if d := cmp.Diff(tc.want, line, cmp.AllowUnexported(timeline{}, turn{})); d != "" || moved != tc.moved {
				t.Errorf("join: moved %d, want %d; -want +got\n%s", moved, tc.moved, d)
			}
		})
	}
	state := newState()
	state.meta[recentKey(url)], state.meta[pastKey(url)] = []byte(`{"turns":[[1,"x"]]}`), []byte(`nonsense`)
	c := clockAt(epoch)
	l := listen(t, state, c, url)
	l.up(url, epoch, nil)
	c.add(time.Minute)
	if got := heardSeconds(t, l, url, epoch, epoch+60); got != 60 {
		t.Errorf("after damage %d seconds are heard, want 60", got)
	}
}

func TestLedger_AFullDiskLosesNothingThatIsWrittenLater(t *testing.T) {
	const url = "wss://a.example"
	ctx, c, state := t.Context(), clockAt(epoch), newState()
	l := listen(t, state, c, url)
	state.setFull(errors.New("disk full"))
	l.up(url, epoch, nil)
	l.save(ctx, url)
	c.add(time.Minute)
	l.grow(ctx)
	state.setFull(nil)
	c.add(time.Minute)
	l.grow(ctx)
	writes := state.writes
	l.save(ctx, url)
	if state.writes != writes {
		t.Error("an unchanged ledger was written again")
	}
	again := NewLedger(state.killed(), c.now, nil)
	again.list([]string{url})
	if got := heardSeconds(t, again, url, epoch, epoch+120); got != 120 {
		t.Errorf("%d seconds are heard, want 120", got)
	}
}

func TestLedger_ReadsAndWritesTogether(t *testing.T) {
	urls := []string{"wss://a.example", "wss://b.example", "wss://c.example"}
	c := clockAt(epoch)
	l := NewLedger(newState(), c.now, nil)
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	all.Go(func() { _ = l.Run(ctx) }) // it always returns nil
	for _, url := range urls {
		all.Go(func() {
			for range 50 {
				if err := l.begin(ctx, url); err != nil {
					t.Error(err)
				}
				l.up(url, c.now().Unix(), func() int64 { return c.now().Unix() })
				l.grow(ctx)
				c.add(time.Second)
				l.lost(url, down)
				l.fill(url, []window{{epoch, epoch + 10}})
				l.end(ctx, url)
			}
		})
	}
	for range 50 {
		l.list(urls)
		now := c.now().Unix()
		for _, cov := range l.Coverage(epoch, now) {
			if cov.HeardSeconds > cov.WindowSeconds {
				t.Errorf("%+v: more is heard than there is", cov)
			}
		}
		l.Gaps(0, now, 10)
		l.recent(urls[0], 3)
		l.Since()
	}
	cancel()
	all.Wait()
}
