package control

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"
)

// step is one line of the answer to a verb that takes its time: how far it has come, or at its end the report and what
// went wrong.
type step[R any] struct {
	Report R      `json:"report"`
	Begun  bool   `json:"begun,omitempty"` // the first line: nothing to report yet
	Done   bool   `json:"done,omitempty"`
	Fault  *fault `json:"fault,omitempty"`
}

// telling answers one command line by line.
type telling[R any] struct {
	out *json.Encoder
	rc  *http.ResponseController
}

// tell begins an answer; an error means that the command has left.
func tell[R any](w http.ResponseWriter) (*telling[R], error) {
	w.Header().Set("Content-Type", "application/x-ndjson")
	w.WriteHeader(http.StatusOK)
	t := &telling[R]{json.NewEncoder(w), http.NewResponseController(w)}
	return t, t.say(step[R]{Begun: true})
}

func (t *telling[R]) say(st step[R]) error { return errors.Join(t.out.Encode(st), t.rc.Flush()) }

func (t *telling[R]) progress(r R) error { return t.say(step[R]{Report: r}) }

func (t *telling[R]) end(r R, err error) error {
	last := step[R]{Report: r, Done: true}
	if err != nil {
		f := faultOf(err)
		last.Fault = &f
	}
	return t.say(last)
}

// follow reads what telling says, and closes the answer.
func follow[R any](ctx context.Context, verb string, resp *http.Response, progress func(R)) (R, error) {
	defer func() { _ = resp.Body.Close() }() // its end is checked by the last step
	var last step[R]
	steps := json.NewDecoder(bufio.NewReader(resp.Body))
	for {
		var st step[R]
		if err := steps.Decode(&st); err != nil {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return last.Report, errors.Join(fmt.Errorf("%s: the running relay left: %w", verb, err), ctx.Err())
		}
		last = st
		if st.Done {
			if st.Fault != nil {
				return st.Report, st.Fault.err()
			}
			return st.Report, nil
		}
		if progress != nil && !st.Begun {
			progress(st.Report)
		}
	}
}

// importEvents answers while it still reads, so that a command can show progress.
func (s *server) importEvents(w http.ResponseWriter, r *http.Request) {
	q := params{query: r.URL.Query()}
	src := ImportSource{In: r.Body, File: q.query.Get("file"), From: q.number("from", 0, 1<<62)}
	if q.err != nil {
		s.refuse(w, q.err)
		return
	}
	rc := http.NewResponseController(w)
	if err := rc.EnableFullDuplex(); err != nil {
		s.refuse(w, err)
		return
	}
	ctx, cancel := context.WithCancelCause(r.Context())
	defer cancel(nil)
	t, err := tell[ImportReport](w)
	if err != nil {
		return // the command has left
	}
	report, err := s.verbs.ImportFrom(ctx, src, func(rep ImportReport) {
		if err := t.progress(rep); err != nil {
			cancel(err)
		}
	})
	if err := t.end(report, err); err != nil {
		s.log.Warn("import ended without anybody to tell", "read", report.Read, "stored", report.Stored, "err", err)
		return
	}
	// A command that is still sending would see its connection reset before it has read why; it hangs up when it has.
	if err := rc.SetReadDeadline(time.Now().Add(drainTime)); err == nil {
		_, _ = io.Copy(io.Discard, r.Body) // how it ends is of no matter
	}
}

// reindex goes on when the command leaves: half an index would be worse than one that nobody waits for. It ends with the
// server.
func (s *server) reindex(w http.ResponseWriter, r *http.Request) {
	t, err := tell[ReindexReport](w)
	if err != nil {
		return // the command has left before anything was begun
	}
	ctx, cancel := lifetime(r)
	defer cancel()
	s.log.Info("reindex begins")
	here := true
	report, err := s.verbs.Reindex(ctx, func(rep ReindexReport) { here = here && t.progress(rep) == nil })
	if err != nil {
		s.log.Warn("reindex failed", "err", err)
	} else {
		s.log.Info("reindex ended", "facts", report.Facts, "changed", report.Changed, "seconds", report.Seconds)
	}
	if err := t.end(report, err); err != nil {
		s.log.Debug("command left before its answer", "err", err)
	}
}

// lifetime is a context that ends with the server of a request, not with the request.
func lifetime(r *http.Request) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(r.Context()))
	srv, ok := r.Context().Value(http.ServerContextKey).(*http.Server)
	if !ok || srv.BaseContext == nil {
		return ctx, cancel
	}
	stop := context.AfterFunc(srv.BaseContext(nil), cancel)
	return ctx, func() { stop(); cancel() }
}

// verify ends when the command leaves.
func (s *server) verify(w http.ResponseWriter, r *http.Request) {
	storeOnly, err := strconv.ParseBool(r.URL.Query().Get("store_only"))
	if err != nil {
		s.refuse(w, fmt.Errorf("%w: store_only: %w", ErrUsage, err))
		return
	}
	ctx, cancel := context.WithCancelCause(r.Context())
	defer cancel(nil)
	t, err := tell[VerifyReport](w)
	if err != nil {
		return // the command has left
	}
	report, err := s.verbs.Verify(ctx, storeOnly, func(rep VerifyReport) {
		if err := t.progress(rep); err != nil {
			cancel(err)
		}
	})
	if err := t.end(report, err); err != nil {
		s.log.Debug("command left before its answer", "err", err)
	}
}

// Reindex implements Verbs.
func (c *Client) Reindex(ctx context.Context, progress func(ReindexReport)) (ReindexReport, error) {
	resp, err := c.do(ctx, http.MethodPost, pathReindex, nil) //nolint:bodyclose // follow closes it
	if err != nil {
		return ReindexReport{}, err
	}
	return follow(ctx, "reindex", resp, progress)
}

// Verify implements Verbs.
func (c *Client) Verify(ctx context.Context, storeOnly bool, progress func(VerifyReport)) (VerifyReport, error) {
	resp, err := c.do(ctx, http.MethodPost, pathVerify+"?store_only="+strconv.FormatBool(storeOnly), nil) //nolint:bodyclose // follow closes it
	if err != nil {
		return VerifyReport{}, err
	}
	return follow(ctx, "verify", resp, progress)
}
