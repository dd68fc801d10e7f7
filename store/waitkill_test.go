package store_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"dvmrelay/index"
	"dvmrelay/nip90"
	"dvmrelay/store"
	"dvmrelay/store/storetest"

	"github.com/nbd-wtf/go-nostr"
)

const waitingChildFlag = "wait-until-killed"

// runWaitingChild is the process that gets killed: it brings children, then their parents, and prints the ids of a pair
// once the parent is on disk, or that of a child which still waits.
func runWaitingChild(dir string) int {
	o := store.DefaultOptions()
	o.Dir, o.FreeFloor, o.Indexer, o.Admit = dir, 0, index.New(index.Options{KeepCustomer: true}), rule
	s, err := store.Open(o)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	go func() {
		fmt.Fprintln(os.Stderr, s.Run(context.Background())) // ends only when it fails
		os.Exit(1)
	}()
	var out sync.Mutex
	var work sync.WaitGroup
	for worker := range 8 {
		work.Go(func() {
			rnd := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), uint64(worker)))
			for {
				line, err := bringPair(s, rnd)
				if err != nil {
					fmt.Fprintln(os.Stderr, err)
					os.Exit(1)
				}
				out.Lock()
				fmt.Println(line)
				out.Unlock()
			}
		})
	}
	work.Wait()
	return 0
}

func bringPair(s *store.Store, rnd *rand.Rand) (line string, err error) {
	parent, err := opened(event(1, 5300, 1_700_000_000, nostr.Tag{"nonce", fmt.Sprint(rnd.Uint64())}))
	if err != nil {
		return "", err
	}
	child, err := opened(event(2, nip90.KindReport, 1_700_000_000, nostr.Tag{"e", parent.Event.ID}))
	if err != nil {
		return "", err
	}
	if outcome, _, err := s.Save(context.Background(), child); err != nil || outcome != store.Waiting {
		return "", fmt.Errorf("child: outcome %d, %w", outcome, err)
	}
	if rnd.IntN(8) == 0 {
		return child.Event.ID, nil
	}
	if _, change, err := s.Save(context.Background(), parent); err != nil || len(change.Adopted) != 1 {
		return "", fmt.Errorf("parent: %d adopted, %w", len(change.Adopted), err)
	}
	return child.Event.ID + " " + parent.Event.ID, nil
}

func opened(e nostr.Event) (*nip90.Parsed, error) {
	e.ID = e.GetID()
	e.Sig = strings.Repeat("0", 128)
	raw, err := e.MarshalJSON()
	if err != nil {
		return nil, err
	}
	return nip90.Open(&e, raw, nip90.DoorMirror, time.Now())
}

// TestWaiting_SurvivesKill: what waits is there after a kill, and what was let in came with its parent or not at all.
func TestWaiting_SurvivesKill(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	for round := range 3 {
		pairs := killedWaiting(t, self, dir, 50+rnd.IntN(500))
		s := storetest.Open(t, inDir(dir), storetest.Check(index.Check), storetest.With(func(o *store.Options) { o.Admit = rule }))
		for _, pair := range pairs {
			child, parent, adopted := strings.Cut(pair, " ")
			id, ok := nip90.ParseID(child)
			counted, err := s.Known(id)
			if !ok || err != nil || counted != adopted || s.Waits(id) == adopted {
				t.Errorf("round %d: child %s of %q: counted %t, waits %t, %v", round, child, parent, counted, s.Waits(id), err)
			}
		}
		s.Stop()
	}
}

// killedWaiting runs the child until it has printed n lines, and kills it.
func killedWaiting(t *testing.T, self, dir string, n int) (lines []string) {
	t.Helper()
	killedAfter(t, exec.Command(self, waitingChildFlag, dir), n, func(line string) bool {
		whole := len(line) == 64 || len(line) == 129
		if whole {
			lines = append(lines, line)
		}
		return whole
	})
	return lines
}
