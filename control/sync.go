package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"dvmrelay/mirror"
	"dvmrelay/nip90"
	"dvmrelay/wire"

	"github.com/nbd-wtf/go-nostr"
)

// SyncRequest says what to read from another relay, once. Times are unix seconds, both included.
type SyncRequest struct {
	URL    string // ws:// or wss://
	Since  int64  // 0 = as far back as the mirror reads
	Until  int64  // 0 = now
	Filter *nostr.Filter
	DryRun bool // count what is missing and store nothing
}

// syncBody is a SyncRequest on its way.
type syncBody struct {
	URL    string          `json:"url"`
	Since  int64           `json:"since,omitempty"`
	Until  int64           `json:"until,omitempty"`
	Filter json.RawMessage `json:"filter,omitempty"`
	DryRun bool            `json:"dry_run,omitempty"`
}

func (r SyncRequest) body() syncBody {
	b := syncBody{URL: r.URL, Since: r.Since, Until: r.Until, DryRun: r.DryRun}
	if r.Filter != nil {
		b.Filter = wire.AppendFilter(nil, *r.Filter)
	}
	return b
}

func (b syncBody) request() (SyncRequest, error) {
	r := SyncRequest{URL: b.URL, Since: b.Since, Until: b.Until, DryRun: b.DryRun}
	if b.Filter != nil {
		f, err := wire.ParseFilter(b.Filter, wire.Limits{})
		if err != nil {
			return r, fmt.Errorf("%w: filter: %w", ErrUsage, err)
		}
		r.Filter = &f
	}
	return r, nil
}

// check finds what no relay needs to be asked for.
func (r SyncRequest) check() error {
	switch f := r.Filter; {
	case r.Since < 0 || r.Until < 0:
		return fmt.Errorf("%w: since and until must not be negative", ErrUsage)
	case r.Until != 0 && r.Since > r.Until:
		return fmt.Errorf("%w: since must not be later than until", ErrUsage)
	case f == nil:
	case f.Limit != 0 || f.LimitZero:
		return fmt.Errorf("%w: filter: a limit has no meaning here", ErrUsage)
	case f.Search != "":
		return fmt.Errorf("%w: filter: search means something else on every relay", ErrUsage)
	}
	return nil
}

// sinkFunc is a way in as a mirror.Sink.
type sinkFunc func(context.Context, *nip90.Parsed) mirror.Verdict

// Submit implements mirror.Sink.
func (f sinkFunc) Submit(ctx context.Context, p *nip90.Parsed) mirror.Verdict { return f(ctx, p) }

// Sync implements Verbs.
func (l *Local) Sync(ctx context.Context, r SyncRequest, progress func(mirror.SyncReport)) (mirror.SyncReport, error) {
	if err := r.check(); err != nil {
		return mirror.SyncReport{}, err
	}
	if l.Mirror == nil || l.Submit == nil {
		return mirror.SyncReport{}, errors.New("sync: nothing takes events here")
	}
	rep, err := mirror.Sync(ctx, mirror.SyncOptions{
		Options: l.Mirror(), URL: r.URL, Since: r.Since, Until: r.Until, Filter: r.Filter, DryRun: r.DryRun, Progress: progress,
	}, sinkFunc(l.Submit))
	switch {
	case errors.Is(err, mirror.ErrAddress):
		return rep, fmt.Errorf("%w: %w", ErrUsage, err)
	case err != nil:
		return rep, fmt.Errorf("sync with %s: %w", rep.URL, err)
	}
	return rep, nil
}

// syncWith ends when the command leaves.
func (s *server) syncWith(w http.ResponseWriter, r *http.Request) {
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxFilter))
	var b syncBody
	if err == nil {
		err = json.Unmarshal(raw, &b)
	}
	if err != nil {
		s.refuse(w, errors.Join(ErrUsage, err))
		return
	}
	req, err := b.request()
	if err != nil {
		s.refuse(w, err)
		return
	}
	ctx, cancel := context.WithCancelCause(r.Context())
	defer cancel(nil)
	t, err := tell[mirror.SyncReport](w)
	if err != nil {
		return // the command has left
	}
	report, err := s.verbs.Sync(ctx, req, func(rep mirror.SyncReport) {
		if err := t.progress(rep); err != nil {
			cancel(err)
		}
	})
	if err := t.end(report, err); err != nil {
		s.log.Info("sync ended without anybody to tell", "relay", report.URL, "stored", report.Stored, "err", err)
	}
}

// Sync implements Verbs.
func (c *Client) Sync(ctx context.Context, r SyncRequest, progress func(mirror.SyncReport)) (mirror.SyncReport, error) {
	body, err := json.Marshal(r.body())
	if err != nil {
		return mirror.SyncReport{}, fmt.Errorf("ask the running relay: %w", err)
	}
	resp, err := c.do(ctx, http.MethodPost, pathSync, bytes.NewReader(body)) //nolint:bodyclose // follow closes it
	if err != nil {
		return mirror.SyncReport{}, err
	}
	return follow(ctx, "sync", resp, progress)
}
