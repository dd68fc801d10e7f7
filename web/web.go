// Package web is the door for browsers and programs that speak HTTP: the API under /api/v1 with its OpenAPI document,
// health, a first page that is whole without JavaScript, and on a port of its own metrics and profiles.
package web

import (
	"context"
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"dvmrelay/index"
	"dvmrelay/store"

	"github.com/nbd-wtf/go-nostr"
)

// Options configure the web door. The toml keys stand in section [web].
type Options struct {
	// Inputs is how much of a job's input pages and summaries show: "show", "truncate" (default) or "hide".
	Inputs string `toml:"inputs"`
}

// The values of Options.Inputs.
const (
	InputsShow     = "show"
	InputsTruncate = "truncate"
	InputsHide     = "hide"
)

// DefaultOptions are the options of a relay without a configuration file.
func DefaultOptions() Options { return Options{Inputs: InputsTruncate} }

// Validate returns every fault, joined; each begins with its toml key.
func (o Options) Validate() error {
	switch o.Inputs {
	case InputsShow, InputsTruncate, InputsHide:
		return nil
	}
	return fmt.Errorf(`web.inputs: %q: must be "show", "truncate" or "hide"`, o.Inputs)
}

// Upstream is what is known of one upstream. DESIGN's shape of the HTTP API; times are unix seconds.
type Upstream struct {
	URL         string            `json:"url" doc:"The upstream relay."`
	State       string            `json:"state" enum:"connecting,backfilling,live,refused,waiting,paused"`
	Reason      string            `json:"reason,omitempty" doc:"One word on why it is not live."`
	HeardSince  int64             `json:"heard_since,omitempty" doc:"Heard without a break since then; absent while it is not."`
	LastEventAt int64             `json:"last_event_at,omitempty" doc:"When an event last came from it."`
	LagSeconds  int64             `json:"lag_seconds" doc:"How long ago it was last heard completely; 0 while it is heard."`
	Accepted    uint64            `json:"accepted"`
	Duplicates  uint64            `json:"duplicates"`
	Ignored     uint64            `json:"ignored" doc:"Stale, deleted or expired events."`
	Rejected    map[string]uint64 `json:"rejected" doc:"Refused events, and faults of the upstream, by reason."`
	Exclusive   uint64            `json:"exclusive" doc:"Events known here that no other source was seen to have."`
	Waiting     uint64            `json:"waiting" doc:"Events about nothing known here, kept in case it arrives."`
	Connects    uint64            `json:"connects" doc:"Connections made since the relay started."`
	Backfill    *Backfill         `json:"backfill,omitempty"`
	Gaps        []index.Gap       `json:"gaps" doc:"When it was not heard, the newest few."`

	Strikes     int              `json:"strikes" doc:"What it did in the last ten minutes that no honest relay does; from 1,000 on it is paused."`
	PausedUntil int64            `json:"paused_until,omitempty" doc:"While it is paused."`
	Bytes       uint64           `json:"bytes" doc:"Bytes of messages received since this relay started."`
	SlowedMS    int64            `json:"slowed_ms" doc:"How long reading waited for the upstream's budget."`
	Unheard     map[string]int64 `json:"unheard,omitempty" doc:"Seconds of the last day in which it was not heard, by reason."`
	Parts       []UpstreamPart   `json:"parts,omitempty" doc:"What is asked of it, while it is connected."`
}

// UpstreamPart is one of the interests in an upstream. docs/MIRROR.md has the table of them.
type UpstreamPart struct {
	Name          string `json:"name" doc:"a: jobs, b: handlers, c: providers, d: customers; c.past, d.past and profiles read the past of some keys."`
	State         string `json:"state" doc:"live, polled or refused; empty before the first answer."`
	Reason        string `json:"reason,omitempty" doc:"One word on why it is refused."`
	Subscriptions int    `json:"subscriptions" doc:"Live subscriptions that are open."`
	Keys          int    `json:"keys" doc:"Whom it is about; 0 = about no keys."`
	Pending       int    `json:"pending" doc:"Of these, whose past was not read yet."`
}

// Backfill is how far the past of an upstream was read.
type Backfill struct {
	Done  bool   `json:"done"`
	Until int64  `json:"until,omitempty" doc:"What is newer than this was read."`
	How   string `json:"how,omitempty" enum:"negentropy,req" doc:"How the last window was read: by comparison (NIP-77), or page by page."`
	Why   string `json:"why,omitempty" doc:"Why it was read page by page, in one word."`
	// Compared and Faults count windows since the relay started.
	Compared uint64 `json:"compared" doc:"Windows read by comparison."`
	Faults   uint64 `json:"faults" doc:"Windows in which comparison failed; they were read page by page."`
}

// Deps are what the web door shows. View, Index and Now are needed; the rest may be nil.
type Deps struct {
	// View gives a consistent view of the store, which ends with fn.
	View      func(fn func(store.Reader) error) error
	Index     *index.Index
	Upstreams func() []Upstream
	// Ready is nil once the relay serves.
	Ready func() error
	// Watch is fed by the store's commits; without it a stream tells of upstreams and statistics only.
	Watch *index.Watch
	// Address names who asks, so that streams can be bounded for each; exempt from that when it is empty. When nil, the
	// peer's address is taken, or what a proxy on this machine names.
	Address func(*http.Request) string
	Now     func() time.Time
	Log     *slog.Logger
	// AuthEncrypted keeps encrypted jobs and their answers for those they concern. Nobody proves a key here, so of them
	// facts alone are shown.
	AuthEncrypted bool
	// Relay is what anybody may know of the relay itself; nil = nothing.
	Relay func() RelayFacts
	// Admin is the administrator who signed a request (NIP-98), in hex; Insight is what they may see. The error of Admin is
	// told to who asked, with the status of its method HTTPStatus, or 401. nil = there are no administrators.
	Admin   func(*http.Request) (key string, err error)
	Insight func() RelayInsight

	// Peek answers a filter from what is stored, as a socket is answered that has proved no key: with at most most events, or
	// with how many there are. Its error is a policies.Rejection where a socket would be told a reason. nil = filters can only
	// be asked for over a websocket.
	Peek func(ctx context.Context, f nostr.Filter, count bool, most int) (Found, error)

	Name        string // of the relay, for people
	Description string
	RelayURL    string // ws:// or wss://; empty = told from the request
	Version     string
	Demo        bool // what is shown is a made-up market, and each page says so
}

// maxBusy bounds the requests that read the store at once, and with them the memory that answers take; the rest wait,
// for at most maxWait.
const (
	maxBusy = 16
	maxWait = 3 * time.Second
)

// New makes the handler of the relay's port for everything that is neither websocket nor NIP-11 nor NIP-86. Its streams
// are served while Run runs.
func New(o Options, d Deps) *Site {
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	if d.Now == nil {
		d.Now = time.Now
	}
	if d.Upstreams == nil {
		d.Upstreams = func() []Upstream { return nil }
	}
	if d.Ready == nil {
		d.Ready = func() error { return nil }
	}
	if d.Name == "" {
		d.Name = "dvmrelay"
	}
	if d.AuthEncrypted {
		d.Index = d.Index.WithoutSealed()
	}
	if d.Address == nil {
		d.Address = address
	}
	s := &Site{o: o, d: d, busy: make(chan struct{}, maxBusy), fed: d.Watch != nil, lively: make(map[string]bool)}
	var err error
	if s.assets, err = loadFiles(); err != nil {
		panic(err) // they are part of the program
	}
	if d.Watch == nil {
		s.d.Watch = index.NewWatch(index.WatchOptions{Now: d.Now})
	}
	s.demand.loss = s.loss
	s.streams.init()
	mux := http.NewServeMux()
	s.api(mux)
	s.health(mux)
	s.pages(mux)
	s.handler = secured(s.recovered(besides(mux)))
	return s
}

// Site is the web door of the relay's port. It is safe for concurrent use.
type Site struct {
	o       Options
	d       Deps
	handler http.Handler
	answers http.Handler // the API
	doc     *docPage
	assets  map[string]*file
	fault   *template.Template // the page of what cannot be shown
	lively  map[string]bool    // patterns of the pages with live fragments
	busy    chan struct{}
	fed     bool // the Watch hears of commits
	shown   renderings
	days    figures[index.Stats] // by the kinds that they leave out
	demand  figures[*Kinds]      // by window
	streams streams
	seals   seals

	mu   sync.Mutex    // guards below
	runs chan struct{} // closed when Run ends; nil while it does not run
}

// ServeHTTP implements http.Handler.
func (s *Site) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, r) }

// errBusy means that too many requests read the store already.
var errBusy = errors.New("busy, try again")

// secured sets what every answer carries.
func secured(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'")
		next.ServeHTTP(w, r)
	})
}

// recovered turns a panic into an answer, so that one request takes nothing else along.
func (s *Site) recovered(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			p := recover()
			if p == nil {
				return
			}
			if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) {
				panic(p)
			}
			s.d.Log.Error("request ended in a panic", "path", r.URL.Path, "panic", p)
			problem(w, http.StatusInternalServerError, "this request ran into a fault of the relay")
		}()
		next.ServeHTTP(w, r)
	})
}
