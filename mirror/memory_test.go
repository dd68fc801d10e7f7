package mirror

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"dvmrelay/nip90"

	"github.com/nbd-wtf/go-nostr"
)

// memSink takes everything once.
type memSink struct {
	mu     sync.Mutex // guards below
	events map[string]*nip90.Parsed
	doors  map[nip90.Door]int
	fail   error
	forged func(e *nostr.Event) bool // whether a signature does not fit; nil = all do
	most   int                       // beyond so many events, each waits for the end of its context; 0 = no bound
}

func newSink() *memSink {
	return &memSink{events: map[string]*nip90.Parsed{}, doors: map[nip90.Door]int{}}
}

func (s *memSink) Submit(ctx context.Context, p *nip90.Parsed) Verdict {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.most > 0 && len(s.events) >= s.most {
		s.mu.Unlock()
		<-ctx.Done()
		s.mu.Lock()
		return Verdict{Outcome: Failed, Err: ctx.Err()}
	}
	if s.fail != nil {
		return Verdict{Outcome: Failed, Err: s.fail}
	}
	if s.forged != nil && s.forged(p.Event) {
		return Verdict{Outcome: Refused, Reason: ReasonSignature}
	}
	s.doors[p.Door]++
	if s.events[p.Event.ID] != nil {
		return Verdict{Outcome: Duplicate}
	}
	s.events[p.Event.ID] = p
	return Verdict{Outcome: Stored}
}

func (s *memSink) len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.events)
}

func (s *memSink) has(e *nostr.Event) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.events[e.ID] != nil
}

func (s *memSink) setMost(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.most = n
}

func (s *memSink) setFail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail = err
}

// memState keeps progress like the store does.
type memState struct {
	mu     sync.Mutex // guards below
	meta   map[string][]byte
	full   error // what a write ends with
	writes int
}

func newState() *memState { return &memState{meta: map[string][]byte{}} }

func (s *memState) Meta(key string) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.meta[key], nil
}

func (s *memState) SetMeta(_ context.Context, key string, value []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.full != nil {
		return s.full
	}
	s.writes++
	s.meta[key] = slices.Clone(value)
	return nil
}

// killed is what a process that starts now finds.
func (s *memState) killed() *memState {
	s.mu.Lock()
	defer s.mu.Unlock()
	return &memState{meta: maps.Clone(s.meta)}
}

func (s *memState) setFull(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.full = err
}

func (s *memState) mark(t *testing.T, part, url string) mark {
	t.Helper()
	raw, err := s.Meta("mirror/" + part + "/" + url)
	if err != nil {
		t.Fatal(err)
	}
	var m mark
	if raw != nil {
		if err := json.Unmarshal(raw, &m); err != nil {
			t.Fatal(err)
		}
	}
	return m
}

// stuckSink holds some events until free is closed.
type stuckSink struct {
	*memSink
	stuck   func(*nostr.Event) bool
	free    chan struct{}
	waiting atomic.Int64
}

func (s *stuckSink) Submit(ctx context.Context, p *nip90.Parsed) Verdict {
	if s.stuck(p.Event) {
		s.waiting.Add(1)
		defer s.waiting.Add(-1)
		select {
		case <-s.free:
		case <-ctx.Done():
			return Verdict{Outcome: Failed, Err: ctx.Err()}
		}
	}
	return s.memSink.Submit(ctx, p)
}
