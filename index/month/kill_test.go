package month

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"dvmrelay/index"
	"dvmrelay/nip90"
	"dvmrelay/store"

	"github.com/nbd-wtf/go-nostr"
)

const (
	envChild   = "DVMRELAY_MONTH_CHILD"
	childReady = "open"
	childDone  = "done"
	childWait  = time.Minute
	// killWithin is how long a child lives at most, after its start or after its store is open.
	killWithin = 500 * time.Millisecond
)

func TestMain(m *testing.M) {
	if job := os.Getenv(envChild); job != "" {
		if err := child(job); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// task is what a child has to do. It travels in its environment.
type task struct {
	dir, file string
	from, to  int  // the lines to be fed
	rebuild   bool // the index, at the same time
}

func (k task) String() string {
	return fmt.Sprintf("%d %d %t\n%s\n%s", k.from, k.to, k.rebuild, k.dir, k.file)
}

func parseTask(s string) (k task, err error) {
	lines := strings.Split(s, "\n")
	if len(lines) != 3 {
		return k, fmt.Errorf("task %q has not three lines", s)
	}
	k.dir, k.file = lines[1], lines[2]
	_, err = fmt.Sscan(lines[0], &k.from, &k.to, &k.rebuild)
	return k, err
}

// child opens a store, feeds it some lines, and tells when it is open and when it is done. It is made to be killed.
func child(job string) error {
	k, err := parseTask(job)
	if err != nil {
		return err
	}
	var at atomic.Int64
	at.Store(start)
	now := func() time.Time { return time.Unix(at.Load(), 0) }
	x := index.New(index.Options{KeepCustomer: true, Now: now})
	o := store.DefaultOptions()
	o.Dir, o.Indexer, o.Now, o.FreeFloor, o.SweepEvery = k.dir, x, now, 0, 20*time.Millisecond
	s, err := store.Open(o)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- s.Run(ctx) }()
	fmt.Println(childReady)
	err = work(ctx, k, s, x, &at)
	cancel()
	if err = errors.Join(err, <-ran, s.Close()); err == nil {
		fmt.Println(childDone)
	}
	return err
}

// work feeds the lines; an index whose rebuild was broken off is rebuilt first, as the program does.
func work(ctx context.Context, k task, s *store.Store, x *index.Index, at *atomic.Int64) error {
	unfinished := false
	if err := s.View(func(r store.Reader) (err error) {
		unfinished, err = x.Unfinished(r)
		return err
	}); err != nil {
		return err
	}
	built := make(chan error, 1)
	if unfinished || k.rebuild {
		go func() { built <- x.Rebuild(ctx, s) }()
	} else {
		built <- nil
	}
	return errors.Join(feedLines(ctx, k, s, at), <-built)
}

func feedLines(ctx context.Context, k task, s *store.Store, at *atomic.Int64) error {
	f, err := os.Open(k.file)
	if err != nil {
		return err
	}
	defer f.Close() // read only
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	var last *store.Pending
	for n := 0; n < k.to && lines.Scan(); n++ {
		if n < k.from {
			continue
		}
		p, err := openLine(lines.Bytes())
		if err != nil {
			return err
		}
		if p.CreatedAt > at.Load() && p.CreatedAt < start+Days*day {
			at.Store(p.CreatedAt)
		}
		if last, err = s.Submit(ctx, p); err != nil {
			return err
		}
	}
	if last != nil {
		if _, _, err := last.Wait(ctx); err != nil {
			return err
		}
	}
	return lines.Err()
}

func openLine(line []byte) (*nip90.Parsed, error) {
	raw := append([]byte(nil), line...)
	var evt nostr.Event
	if err := evt.UnmarshalJSON(raw); err != nil {
		return nil, fmt.Errorf("read event %s: %w", raw, err)
	}
	return nip90.Open(&evt, raw, nip90.DoorMirror, time.Unix(int64(evt.CreatedAt), 0))
}

// TestKill_ChangesNothing kills a process that takes the month in, over and over on one data directory, while it opens,
// feeds, expires and rebuilds. In the end the index says what the events say.
func TestKill_ChangesNothing(t *testing.T) {
	seed, rng := seeded(t)
	rounds, requests := smallKills, smallMonth/5
	if size(t) > smallMonth {
		rounds, requests = fullKills, smallMonth
	}
	m := write(t, Options{Seed: seed, Requests: requests, Start: start, Wild: 3})
	dir := t.TempDir()
	opened, done := 0, 0
	for round := range rounds {
		// Each begins a little before where the one before it may have been killed.
		from := max(0, len(m.entries)*round/rounds-rng.IntN(2000))
		k := task{dir: dir, file: m.file.Name(), from: from, to: len(m.entries), rebuild: rng.IntN(4) == 0}
		e := runChild(t, k, time.Duration(rng.Int64N(int64(killWithin))), rng.IntN(3) > 0)
		if e.opened {
			opened++
		}
		if e.done {
			done++
		}
	}
	t.Logf("%d children, %d of them came to open the store, %d were done before they were killed", rounds, opened, done)
	if opened == done {
		t.Error("nobody was killed at work")
	}
	// What the killed did not get to, the last one brings; and what they did changes nothing.
	if !runChild(t, task{dir: dir, file: m.file.Name(), to: len(m.entries)}, childWait, false).done {
		t.Fatal("the last child was not done in time")
	}
	r := open(t, dir, m.o.End()+hour)
	if unfinished(t, r) {
		t.Error("the last child left the index half built")
	}
	r.settle(t)
	r.compare(t, m.reference(t), "after the kills", 0, asked(rng, m.o, r.at.Load(), 60))
	if err := r.View(r.x.Check); err != nil {
		t.Error(err)
	}
}

func unfinished(t *testing.T, r *rig) (yes bool) {
	t.Helper()
	if err := r.View(func(v store.Reader) (err error) {
		yes, err = r.x.Unfinished(v)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return yes
}

// end is how a child ended.
type end struct{ opened, done bool }

// runChild runs this test binary as a child and kills it some time after its start, or, with onceOpen, after its store was
// open.
func runChild(t *testing.T, k task, after time.Duration, onceOpen bool) (e end) {
	t.Helper()
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(binary)
	cmd.Env = append(os.Environ(), envChild+"="+k.String())
	var complaint strings.Builder
	cmd.Stderr = &complaint
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	wait := after
	if onceOpen {
		wait = childWait
	}
	kill := time.AfterFunc(wait, func() { _ = cmd.Process.Kill() }) // Wait tells how it ended
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		switch lines.Text() {
		case childReady:
			if e.opened = true; onceOpen {
				kill.Reset(after)
			}
		case childDone:
			e.done = true
		}
	}
	err = cmd.Wait()
	kill.Stop()
	if readErr := lines.Err(); readErr != nil {
		t.Fatalf("listen to the child: %v", readErr)
	}
	var ended *exec.ExitError
	if err != nil && (!errors.As(err, &ended) || ended.ExitCode() != -1) { // -1: by a signal
		t.Fatalf("child %q: %v\n%s", k, err, complaint.String())
	}
	return e
}

// TestTask_SurvivesItsWay holds the form in which a task travels.
func TestTask_SurvivesItsWay(t *testing.T) {
	k := task{dir: "/a dir", file: "/a file", from: 3, to: 7, rebuild: true}
	got, err := parseTask(k.String())
	if err != nil || got != k {
		t.Errorf("got %+v, %v; want %+v", got, err, k)
	}
}
