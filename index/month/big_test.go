package month

import (
	"context"
	"encoding/json"
	"os"
	"strconv"
	"testing"
	"time"

	"dvmrelay/index"
	"dvmrelay/nip90"
	"dvmrelay/store"

	"github.com/nbd-wtf/go-nostr"
)

// TestBig_Fill fills the directory in DVMRELAY_BIG with a month of DVMRELAY_BIG_REQUESTS requests (1,250,000 make about five
// million facts), ending now, for measuring: start the relay on it and run "dvmrelay bench --phases views". Without the
// variable it fills a small one.
func TestBig_Fill(t *testing.T) {
	dir, requests := os.Getenv("DVMRELAY_BIG"), 300
	if dir == "" {
		dir = t.TempDir()
	} else if n, err := strconv.Atoi(os.Getenv("DVMRELAY_BIG_REQUESTS")); err != nil {
		t.Fatalf("DVMRELAY_BIG_REQUESTS: %v", err)
	} else {
		requests = n
	}
	began := time.Now()
	x := index.New(index.Options{KeepCustomer: true})
	s, err := store.Open(store.Options{Dir: dir, Sync: store.SyncNone, Indexer: x})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- s.Run(ctx) }()
	n := fill(t, s, Options{Seed: 1, Requests: requests, Start: began.Unix() - Days*day})
	if err := x.Settle(ctx, s); err != nil {
		t.Error(err)
	}
	st := s.Stats()
	cancel()
	if err := <-ran; err != nil {
		t.Errorf("run: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
	if st.Facts < int64(n)*9/10 {
		t.Errorf("%d facts of %d events", st.Facts, n)
	}
	took := time.Since(began)
	t.Logf("%d events, %d facts, %d bodies in %v, %.0f µs each", n, st.Facts, st.Bodies, took, float64(took.Microseconds())/float64(n))
}

// fill submits a month as an import does, and waits for each thousand.
func fill(t *testing.T, s *store.Store, o Options) (n int) {
	t.Helper()
	var last *store.Pending
	wait := func() {
		if last == nil {
			return
		}
		if _, _, err := last.Wait(t.Context()); err != nil {
			t.Fatalf("event %d: %v", n, err)
		}
		last = nil
	}
	Generate(o, func(e *nostr.Event) bool {
		raw, err := json.Marshal(e)
		if err == nil {
			var p *nip90.Parsed
			if p, err = nip90.Open(e, raw, nip90.DoorImport, time.Now()); err == nil {
				last, err = s.Submit(t.Context(), p)
			}
		}
		if err != nil {
			t.Fatalf("event %d, %v: %v", n, e, err)
		}
		if n++; n%1000 == 0 {
			wait()
		}
		return true
	})
	wait()
	return n
}
