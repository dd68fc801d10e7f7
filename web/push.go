package web

import (
	"context"
	"errors"
	"net/http"
	"os"
	"time"
)

// pushAt is how much is gathered before it is written, in bytes.
const pushAt = 64 << 10

// errSlow means that a peer did not take what was written in time.
var errSlow = errors.New("peer too slow")

// pusher writes to a peer that may be slow.
type pusher struct {
	w        http.ResponseWriter
	rc       *http.ResponseController
	deadline time.Duration
}

// push writes b and sends it. It fails with errSlow when the peer has not taken enough of it within the deadline.
func (p pusher) push(b []byte) error {
	if len(b) == 0 {
		return nil
	}
	// A writer without deadlines is a test's, and takes everything.
	_ = p.rc.SetWriteDeadline(time.Now().Add(p.deadline))
	_, err := p.w.Write(b)
	if err == nil {
		err = p.rc.Flush()
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return errSlow
	}
	return err
}

// done lifts the deadline for what comes next on the connection.
func (p pusher) done() {
	_ = p.rc.SetWriteDeadline(time.Time{}) // as above
}

// whileRunning ends with the request, and with Run.
func (s *Site) whileRunning(parent context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(parent)
	s.mu.Lock()
	runs := s.runs
	s.mu.Unlock()
	if runs == nil {
		cancel()
		return ctx, cancel
	}
	go func() {
		select {
		case <-runs:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, cancel
}
