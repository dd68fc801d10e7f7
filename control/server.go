package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"time"

	"dvmrelay/wire"
)

// The paths of the protocol between a command and a running relay: HTTP over the socket, of this program's own making
// and free to change with it.
const (
	pathPing     = "/v1/ping"
	pathThread   = "/v1/thread"
	pathHandlers = "/v1/handlers"
	pathStats    = "/v1/stats"
	pathImport   = "/v1/import"
	pathExport   = "/v1/export"
	pathReindex  = "/v1/reindex"
	pathVerify   = "/v1/verify"
	pathSync     = "/v1/sync"

	errorTrailer = "X-Control-Error"
	maxFilter    = 1 << 20 // bytes of a filter
	drainTime    = 10 * time.Second
)

// Pong is how a running relay answers a ping.
type Pong struct {
	Version string `json:"version"`
}

// fault is an error on its way to a command.
type fault struct {
	Code string `json:"code"` // not-found, usage, too-big or runtime
	Text string `json:"text"`
}

// New serves verbs on the control socket. log hears of what fails after an answer has begun; nil = silence.
func New(v Verbs, version string, log *slog.Logger) http.Handler {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	s := &server{verbs: v, log: log}
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+pathPing, func(w http.ResponseWriter, _ *http.Request) { s.json(w, Pong{Version: version}) })
	mux.HandleFunc("GET "+pathThread, s.view(func(ctx context.Context, q url.Values) (json.RawMessage, error) {
		return v.Thread(ctx, q.Get("id"))
	}))
	mux.HandleFunc("GET "+pathHandlers, s.view(v.Handlers))
	mux.HandleFunc("GET "+pathStats, s.view(v.Stats))
	mux.HandleFunc("GET "+pathImport, s.view(func(ctx context.Context, q url.Values) (json.RawMessage, error) {
		m, ok, err := v.Imported(ctx, q.Get("file"))
		if err == nil && !ok {
			err = fmt.Errorf("%w: that file was not imported here", ErrNotFound)
		}
		if err != nil {
			return nil, err
		}
		return json.Marshal(m)
	}))
	mux.HandleFunc("POST "+pathImport, s.importEvents)
	mux.HandleFunc("POST "+pathExport, s.export)
	mux.HandleFunc("POST "+pathReindex, s.reindex)
	mux.HandleFunc("POST "+pathVerify, s.verify)
	mux.HandleFunc("POST "+pathSync, s.syncWith)
	return mux
}

type server struct {
	verbs Verbs
	log   *slog.Logger
}

func (s *server) json(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(v); err != nil {
		s.log.Debug("command left before its answer", "err", err)
	}
}

func (s *server) view(fn func(context.Context, url.Values) (json.RawMessage, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		out, err := fn(r.Context(), r.URL.Query())
		if err != nil {
			s.refuse(w, err)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		if _, err := w.Write(out); err != nil {
			s.log.Debug("command left before its answer", "err", err)
		}
	}
}

func (s *server) refuse(w http.ResponseWriter, err error) {
	f := faultOf(err)
	w.Header().Set("Content-Type", "application/json")
	switch f.Code {
	case "not-found":
		w.WriteHeader(http.StatusNotFound)
	case "usage":
		w.WriteHeader(http.StatusBadRequest)
	default:
		w.WriteHeader(http.StatusInternalServerError)
	}
	s.json(w, f)
}

func faultOf(err error) fault {
	switch {
	case errors.Is(err, ErrNotFound):
		return fault{"not-found", err.Error()}
	case errors.Is(err, ErrUsage):
		return fault{"usage", err.Error()}
	case errors.Is(err, ErrTooBig):
		return fault{"too-big", err.Error()}
	}
	return fault{"runtime", err.Error()}
}

func (f fault) err() error {
	switch f.Code {
	case "not-found":
		return &remoteError{f.Text, ErrNotFound}
	case "usage":
		return &remoteError{f.Text, ErrUsage}
	case "too-big":
		return &remoteError{f.Text, ErrTooBig}
	}
	return &remoteError{f.Text, nil}
}

// remoteError is an error of the running relay, in its own words.
type remoteError struct {
	text string
	is   error
}

func (e *remoteError) Error() string { return e.text }
func (e *remoteError) Unwrap() error { return e.is }

// export streams, and says at the end, in a trailer, whether that was all.
func (s *server) export(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxFilter))
	if err != nil {
		s.refuse(w, errors.Join(ErrUsage, err))
		return
	}
	f, err := wire.ParseFilter(body, wire.Limits{})
	if err != nil {
		s.refuse(w, errors.Join(ErrUsage, err))
		return
	}
	w.Header().Set("Trailer", errorTrailer)
	w.Header().Set("Content-Type", "application/x-ndjson")
	out := &touched{w: w}
	err = s.verbs.Export(r.Context(), f, out)
	switch {
	case err != nil && !out.yes:
		w.Header().Del("Trailer")
		s.refuse(w, err)
	case err != nil:
		w.Header().Set(errorTrailer, url.QueryEscape(err.Error()))
	}
}

// touched remembers whether anything was written.
type touched struct {
	w   io.Writer
	yes bool
}

func (t *touched) Write(b []byte) (int, error) {
	t.yes = true
	return t.w.Write(b)
}

// Serve answers commands on l until ctx ends; then those under way are told through their contexts, and it returns when
// they have. It closes l.
func Serve(ctx context.Context, l net.Listener, h http.Handler) error {
	base, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	srv := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 10 * time.Second,
		BaseContext:       func(net.Listener) context.Context { return base },
		ErrorLog:          slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug),
	}
	ended := make(chan error, 1)
	go func() { ended <- srv.Serve(l) }()
	select {
	case err := <-ended:
		return fmt.Errorf("serve control socket: %w", err)
	case <-ctx.Done():
	}
	cancel()
	grace, stop := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer stop()
	err := srv.Shutdown(grace)
	if err != nil {
		err = errors.Join(fmt.Errorf("end control socket: %w", err), srv.Close())
	}
	_ = <-ended // ErrServerClosed, which Shutdown causes
	return err
}
