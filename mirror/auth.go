package mirror

import (
	"context"
	"fmt"
	"sync"
	"time"

	"dvmrelay/wire"

	"github.com/nbd-wtf/go-nostr"
)

const (
	maxChallenge = 1024 // bytes; a longer one is not answered
	maxAuths     = 3    // answers on one connection
)

// auth is who this relay is to one connection. NIP-42.
type auth struct {
	asked chan string // one slot: the challenge to answer, the newest

	mu      sync.Mutex // guards below
	last    string     // challenge
	tries   int
	pending string        // id of the answer that is neither granted nor denied yet, or "soon" while it is made
	granted int           // how many answers were accepted
	moved   chan struct{} // closed when one of the above changes
}

// soon stands for an answer that is not signed yet.
const soon = "soon"

func newAuth() *auth { return &auth{asked: make(chan string, 1), moved: make(chan struct{})} }

// move tells those who wait. mu must be held.
func (a *auth) move() {
	close(a.moved)
	a.moved = make(chan struct{})
}

// challenged notes a challenge. It does not wait.
func (s *session) challenged(challenge string) {
	if s.u.m.o.Sign == nil || challenge == "" || len(challenge) > maxChallenge {
		return
	}
	a := s.auth
	a.mu.Lock()
	defer a.mu.Unlock()
	if challenge == a.last || a.tries == maxAuths {
		return
	}
	a.last, a.pending = challenge, soon
	a.tries++
	select {
	case <-a.asked: // the one before is of no use any more
	default:
	}
	a.asked <- challenge // only the reader sends, and the slot is free
	a.move()
}

// answered notes what became of an answer, if it is one.
func (a *auth) answered(ok wire.OK) (mine bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if ok.ID == "" || ok.ID != a.pending {
		return false
	}
	a.pending = ""
	if ok.Accepted {
		a.granted++
	}
	a.move()
	return true
}

// introduce answers challenges until ctx ends.
func (s *session) introduce(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case challenge := <-s.auth.asked:
			if err := s.introduceTo(ctx, challenge); err != nil {
				return err
			}
		}
	}
}

func (s *session) introduceTo(ctx context.Context, challenge string) error {
	evt := nostr.Event{
		CreatedAt: nostr.Timestamp(s.u.m.now().Unix()), Kind: nostr.KindClientAuthentication,
		Tags: nostr.Tags{{"relay", s.u.url}, {"challenge", challenge}},
	}
	if err := s.u.m.o.Sign(&evt); err != nil {
		return fmt.Errorf("sign for %s: %w", s.u.url, err)
	}
	s.auth.mu.Lock()
	if s.auth.last == challenge {
		s.auth.pending = evt.ID
	}
	s.auth.mu.Unlock()
	return s.c.Authenticate(ctx, wire.AppendEventJSON(nil, &evt))
}

// grants is how often the upstream has accepted who this relay is.
func (s *session) grants() int {
	s.auth.mu.Lock()
	defer s.auth.mu.Unlock()
	return s.auth.granted
}

// admitted says whether it is worth asking again at once what the upstream refused because it did not know who asked:
// it has accepted an answer since the question, when there were so many grants. An answer that is on its way, and the
// first challenge, are waited for.
func (s *session) admitted(ctx context.Context, grants int) bool {
	if s.u.m.o.Sign == nil {
		return false
	}
	patience := time.NewTimer(s.u.m.o.pace.auth)
	defer patience.Stop()
	for {
		s.auth.mu.Lock()
		granted, open, moved := s.auth.granted, s.auth.pending != "" || s.auth.tries == 0, s.auth.moved
		s.auth.mu.Unlock()
		if granted > grants || !open {
			return granted > grants
		}
		select {
		case <-moved:
		case <-patience.C:
			return false
		case <-ctx.Done():
			return false
		}
	}
}
