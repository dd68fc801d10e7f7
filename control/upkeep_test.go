package control

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"dvmrelay/index"
	"dvmrelay/store"
	"dvmrelay/store/storetest"

	"github.com/nbd-wtf/go-nostr"
)

// someJobs saves jobs with an answer each.
func someJobs(t *testing.T, s *storetest.Running, n int) {
	t.Helper()
	for i := range n {
		at := nostr.Timestamp(1_700_000_000 + i)
		p := storetest.Parsed(t, nostr.Event{Kind: 5300, PubKey: strings.Repeat("aa", 32), CreatedAt: at})
		s.Put(t, p)
		s.Put(t, storetest.Parsed(t, nostr.Event{Kind: 6300, PubKey: strings.Repeat("bb", 32), CreatedAt: at, Tags: nostr.Tags{{"e", p.Event.ID}}}))
	}
}

// spoil removes the first row of a table of the index.
func spoil(t *testing.T, s *storetest.Running, table byte) {
	t.Helper()
	err := s.Update(context.Background(), func(tx store.Txn) error {
		var first []byte
		err := tx.Scan([]byte{table}, nil, func(key, _ []byte) bool {
			first = bytes.Clone(key)
			return false
		})
		if first == nil {
			return errors.Join(err, fmt.Errorf("table %x is empty", table))
		}
		tx.Delete(first)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestVerifyAndReindex_BesideAndAlone(t *testing.T) {
	ctx := context.Background()
	for _, beside := range []bool{false, true} {
		t.Run(map[bool]string{false: "alone", true: "beside"}[beside], func(t *testing.T) {
			local, s := open(t)
			var v Verbs = local
			if beside {
				v = running(t, t.TempDir(), local)
			}
			someJobs(t, s, 40)
			clean, err := v.Verify(ctx, false, nil)
			if err != nil || len(clean.Faults) > 0 || clean.Events != 80 || clean.Facts != 80 || clean.Threads != 40 || !clean.IndexChecked || clean.Rows < 200 || clean.Keys < 200 {
				t.Fatalf("verify = %+v, %v; want 80 events, 40 threads and no fault", clean, err)
			}
			spoil(t, s, 0x81)
			spoil(t, s, 0x85)
			bad, err := v.Verify(ctx, false, nil)
			if err != nil || len(bad.Faults) < 2 || len(bad.Faults) > 40 {
				t.Errorf("verify of a damaged index = %+v, %v; want its faults", bad, err)
			}
			if rep, err := v.Verify(ctx, true, nil); err != nil || len(rep.Faults) > 0 || rep.IndexChecked {
				t.Errorf("verify of the store alone = %+v, %v; want no fault", rep, err)
			}
			var phases []string
			rep, err := v.Reindex(ctx, func(r ReindexReport) { phases = append(phases, r.Phase) })
			if err != nil || rep.Phase != "done" || rep.Bodies != 80 || rep.Changed != 0 || rep.Facts < 80 {
				t.Errorf("reindex = %+v, %v; want 80 bodies read", rep, err)
			}
			if got, want := strings.Join(phases, " "), "drop facts fold settle"; got != want {
				t.Errorf("told of %q, want %q", got, want)
			}
			if rep, err := v.Verify(ctx, false, nil); err != nil || len(rep.Faults) > 0 || rep.Rows != clean.Rows {
				t.Errorf("verify after reindex = %+v, %v; want %d rows and no fault", rep, err, clean.Rows)
			}
		})
	}
}

func TestVerify_AnUnfinishedIndexIsOneFault(t *testing.T) {
	local, s := open(t)
	someJobs(t, s, 3)
	ctx, cancel := context.WithCancel(context.Background())
	_, err := local.Reindex(ctx, func(r ReindexReport) {
		if r.Phase == index.PhaseFold {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("reindex = %v, want it broken off", err)
	}
	rep, err := local.Verify(context.Background(), false, nil)
	if err != nil || len(rep.Faults) != 1 || rep.Faults[0] != errUnfinished.Error() || rep.IndexChecked {
		t.Errorf("verify = %+v, %v; want one fault", rep, err)
	}
	if _, err := local.Reindex(context.Background(), nil); err != nil {
		t.Fatal(err)
	}
}

// slow is Verbs whose work lasts until its context ends.
type slow struct {
	Verbs
	begun, ended chan struct{}
}

func (s *slow) wait(ctx context.Context) error {
	close(s.begun)
	<-ctx.Done()
	close(s.ended)
	return ctx.Err()
}

func (s *slow) Reindex(ctx context.Context, _ func(ReindexReport)) (ReindexReport, error) {
	return ReindexReport{}, s.wait(ctx)
}

func (s *slow) Verify(ctx context.Context, _ bool, _ func(VerifyReport)) (VerifyReport, error) {
	return VerifyReport{}, s.wait(ctx)
}

func newSlow() *slow { return &slow{begun: make(chan struct{}), ended: make(chan struct{})} }

// leave asks for something and leaves once it has begun.
func leave(t *testing.T, s *slow, ask func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		<-s.begun
		cancel()
	}()
	if err := ask(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("asked and left: %v, want %v", err, context.Canceled)
	}
}

func TestReindex_GoesOnWithoutTheCommandAndEndsWithTheRelay(t *testing.T) {
	s := newSlow()
	t.Run("relay", func(t *testing.T) {
		c := running(t, t.TempDir(), s)
		leave(t, s, func(ctx context.Context) error { _, err := c.Reindex(ctx, nil); return err })
		if _, err := c.get(context.Background(), pathPing, nil); err != nil {
			t.Fatal(err)
		}
		select {
		case <-s.ended:
			t.Error("reindex ended with the command")
		default:
		}
	})
	select { // the relay has ended
	case <-s.ended:
	default:
		t.Error("reindex did not end with the relay")
	}
}

func TestVerify_EndsWithTheCommand(t *testing.T) {
	s := newSlow()
	c := running(t, t.TempDir(), s)
	leave(t, s, func(ctx context.Context) error { _, err := c.Verify(ctx, true, nil); return err })
	select {
	case <-s.ended:
	case <-time.After(30 * time.Second):
		t.Error("verify did not end with the command")
	}
}

func TestVerify_EndsInTheMiddle(t *testing.T) {
	local, s := open(t)
	someJobs(t, s, 600) // more rows than are read between two looks at the context
	for _, storeOnly := range []bool{true, false} {
		ctx, cancel := context.WithCancel(context.Background())
		_, err := local.Verify(ctx, storeOnly, func(r VerifyReport) {
			if storeOnly || r.Phase == "index" {
				cancel()
			}
		})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("verify, store only %t = %v, want %v", storeOnly, err, context.Canceled)
		}
		cancel()
	}
}

// tooBig is Verbs that has no room for the check.
type tooBig struct{ Verbs }

func (tooBig) Verify(context.Context, bool, func(VerifyReport)) (VerifyReport, error) {
	return VerifyReport{}, fmt.Errorf("%w: 9 GiB", ErrTooBig)
}

func TestVerify_TooBigIsToldApartThroughTheSocket(t *testing.T) {
	c := running(t, t.TempDir(), tooBig{})
	if _, err := c.Verify(context.Background(), false, nil); !errors.Is(err, ErrTooBig) || !strings.Contains(err.Error(), "9 GiB") {
		t.Errorf("verify = %v, want %v and how much", err, ErrTooBig)
	}
}

func TestFreeMemory_IsKnownOnLinux(t *testing.T) {
	if n, known := freeMemory(); known && (n < 1<<20 || n > 1<<50) {
		t.Errorf("free memory %d bytes, which cannot be", n)
	}
}
