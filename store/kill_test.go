package store_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"dvmrelay/index"
	"dvmrelay/nip90"
	"dvmrelay/store"
	"dvmrelay/store/storetest"
)

const childFlag = "write-until-killed"

var benchWasFilled atomic.Bool

// runChild is the process that gets killed: it saves events from several goroutines and prints each id once the store
// says it is on disk.
func runChild(dir string) int {
	o := store.DefaultOptions()
	o.Dir, o.FreeFloor, o.Indexer = dir, 0, index.New(index.Options{KeepCustomer: true})
	s, err := store.Open(o)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	go func() {
		// The process is killed; Run only ends on its own when it fails.
		fmt.Fprintln(os.Stderr, s.Run(context.Background()))
		os.Exit(1)
	}()
	events := make(chan *nip90.Parsed)
	var out sync.Mutex
	for range 16 {
		go func() {
			for p := range events {
				if _, _, err := s.Save(context.Background(), p); err != nil {
					fmt.Fprintln(os.Stderr, err)
					os.Exit(1)
				}
				out.Lock()
				fmt.Println(p.ID)
				out.Unlock()
			}
		}()
	}
	w := newTraffic()
	w.Rand = rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 0))
	for {
		p, err := w.parsed()
		if err != nil {
			return 1
		}
		events <- p
	}
}

func TestStore_SurvivesKill(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	for round := range 5 {
		acked := killed(t, self, dir, 200+rnd.IntN(2000))
		s := storetest.Open(t, inDir(dir), storetest.Check(index.Check))
		err := s.View(func(r store.Reader) error {
			for _, id := range acked {
				if _, ok, err := r.Event(id); err != nil || !ok {
					return fmt.Errorf("acknowledged event %s: found %t, %w", id, ok, err)
				}
			}
			return nil
		})
		if err != nil {
			t.Errorf("round %d, %d acknowledged: %v", round, len(acked), err)
		}
		s.Stop()
	}
}

// killed runs the child until it has acknowledged n events, kills it, and returns what it acknowledged.
func killed(t *testing.T, self, dir string, n int) (acked []nip90.ID) {
	t.Helper()
	killedAfter(t, exec.Command(self, childFlag, dir), n, func(line string) bool {
		id, ok := nip90.ParseID(line)
		if ok {
			acked = append(acked, id)
		}
		return ok
	})
	return acked
}

// killedAfter runs a child until n of the lines that it prints count, and kills it.
func killedAfter(t *testing.T, child *exec.Cmd, n int, counts func(line string) bool) {
	t.Helper()
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	counted := 0
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if counts(lines.Text()) {
			counted++
		}
		if counted == n {
			if err := child.Process.Signal(syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
		}
	}
	var exit *exec.ExitError
	if err := child.Wait(); !errors.As(err, &exit) || counted < n {
		t.Fatalf("child: %v after %d lines, want it killed after %d", err, counted, n)
	}
}
