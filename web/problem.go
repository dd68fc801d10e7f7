package web

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"dvmrelay/index"
	"dvmrelay/store"

	"github.com/danielgtaylor/huma/v2"
)

// problem writes an error outside of the API's own operations. RFC 9457.
func problem(w http.ResponseWriter, status int, detail string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	// whoever asked may be gone; there is nobody else to tell
	_ = json.NewEncoder(w).Encode(huma.ErrorModel{Title: http.StatusText(status), Status: status, Detail: detail})
}

// Watched says which upstream was listened to while a job was not seen.
type Watched struct {
	URL        string `json:"url"`
	State      string `json:"state"`
	HeardSince int64  `json:"heard_since,omitempty"`
}

// unseen is the answer for a job that never came: what this relay was listening to. RFC 9457 with one more member.
type unseen struct {
	huma.ErrorModel
	Watched []Watched `json:"watched"`
}

func (s *Site) unseen(detail string) error {
	e := &unseen{ErrorModel: huma.ErrorModel{Title: http.StatusText(http.StatusNotFound), Status: http.StatusNotFound, Detail: detail}, Watched: []Watched{}}
	for _, u := range s.d.Upstreams() {
		e.Watched = append(e.Watched, Watched{URL: u.URL, State: u.State, HeardSince: u.HeardSince})
	}
	return e
}

// failed gives an error its place in HTTP. What a stranger can cause is 4xx; the store's own trouble is logged, not told.
func (s *Site) failed(err error) error {
	var told huma.StatusError
	var to elsewhere
	switch {
	case errors.As(err, &told):
		return err
	case errors.As(err, &to):
		return huma.Error404NotFound(to.Error())
	case errors.Is(err, index.ErrCursor):
		return huma.Error400BadRequest("cursor: " + index.ErrCursor.Error())
	case errors.Is(err, index.ErrQuery):
		return huma.Error400BadRequest("a parameter is none of the values that can be asked for")
	case errors.Is(err, errBusy), errors.Is(err, store.ErrClosed), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return huma.ErrorWithHeaders(huma.Error503ServiceUnavailable("busy, try again in a moment"), http.Header{"Retry-After": {"2"}})
	}
	s.d.Log.Error("request failed", "err", err)
	return huma.Error500InternalServerError("the relay could not read its store")
}

// one reads something that may not be here; missing says so then.
func (s *Site) one(ctx context.Context, read func(store.Reader) (bool, error), missing func() error) error {
	var ok bool
	err := s.view(ctx, func(r store.Reader) (err error) {
		ok, err = read(r)
		return err
	})
	switch {
	case err != nil:
		return s.failed(err)
	case !ok:
		return missing()
	}
	return nil
}

// view reads the store when there is room for one more reader.
func (s *Site) view(ctx context.Context, fn func(store.Reader) error) error {
	return s.admitted(ctx, func() error { return s.d.View(fn) })
}

// admitted runs fn once few enough others read the store. It fails with errBusy when that takes too long.
func (s *Site) admitted(ctx context.Context, fn func() error) error {
	timer := time.NewTimer(maxWait)
	defer timer.Stop()
	select {
	case s.busy <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return errBusy
	}
	defer func() { <-s.busy }()
	return fn()
}
