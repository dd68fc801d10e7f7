package web

import (
	"bytes"
	"context"
	"embed"
	"fmt"
	"html/template"
	"net/http"
	"strings"
	"sync"
	"time"

	"dvmrelay/index"
	"dvmrelay/nip90"
	"dvmrelay/store"
)

//go:embed assets
var assets embed.FS

const (
	overviewJobs    = 25
	overviewFor     = time.Second // how old a shown overview may be
	overviewSummary = 90          // characters of a summary, unless all inputs are shown
)

// overview is what the first page shows.
type overview struct {
	Now       time.Time
	Name      string
	About     string
	RelayURL  string
	Version   string
	Stats     index.Stats
	Jobs      []index.Thread
	Handlers  int
	More      bool // there are more handlers than were counted
	Upstreams []Upstream
	Live      int
}

// lastOverview keeps the overview for a moment, so that a crowd costs one reading a second. It is let go at once when
// something was deleted that it may show.
type lastOverview struct {
	mu   sync.Mutex // guards below
	at   time.Time
	loss uint64
	o    *overview
}

func (l *lastOverview) get(now time.Time, loss uint64) *overview {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.o == nil || l.loss != loss || now.Sub(l.at) >= overviewFor {
		return nil
	}
	return l.o
}

func (l *lastOverview) set(at time.Time, loss uint64, o *overview) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.at, l.loss, l.o = at, loss, o
}

// loss stands for what was deleted so far: it changes when that does. Without a Watch that hears of commits it changes
// with each of them.
func (s *Site) loss() uint64 {
	if s.fed {
		return s.d.Watch.Loss()
	}
	version := uint64(0)
	err := s.d.View(func(r store.Reader) error {
		version = r.Version()
		return nil
	})
	if err != nil {
		s.d.Log.Warn("store cannot be viewed", "err", err)
	}
	return version
}

// pages adds the first page, its style sheet, and an answer for every other path.
func (s *Site) pages(mux *http.ServeMux) {
	page := template.Must(template.New("page.html").Funcs(s.words()).ParseFS(assets, "assets/page.html"))
	style, err := assets.ReadFile("assets/style.css")
	if err != nil {
		panic(err) // it is part of the program
	}
	mux.HandleFunc("GET /style.css", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/css; charset=utf-8")
		w.Header().Set("Cache-Control", "max-age=300")
		_, _ = w.Write(style) // whoever asked may be gone
	})
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		o, err := s.overview(r.Context())
		if err != nil {
			s.d.Log.Warn("first page failed", "err", err)
			plain(w, http.StatusServiceUnavailable, "busy, try again in a moment\n")
			return
		}
		shown := *o
		shown.RelayURL = s.relayURL(r)
		var out bytes.Buffer
		if err := page.Execute(&out, shown); err != nil {
			s.d.Log.Error("first page failed", "err", err)
			plain(w, http.StatusServiceUnavailable, "this page cannot be shown now\n")
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Cache-Control", "no-cache")
		_, _ = out.WriteTo(w) // whoever asked may be gone
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		problem(w, http.StatusNotFound, "no such page; / has an overview and /openapi.json lists the API")
	})
}

// overview reads what the first page shows, at most once a second however many ask.
func (s *Site) overview(ctx context.Context) (*overview, error) {
	now := s.d.Now()
	if o := s.last.get(now, s.loss()); o != nil {
		return o, nil
	}
	select {
	case s.fresh <- struct{}{}:
		defer func() { <-s.fresh }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	loss := s.loss() // before the reading: what is deleted during it may be in there
	if o := s.last.get(now, loss); o != nil {
		return o, nil
	}
	o := &overview{Now: now, Name: s.d.Name, About: s.d.Description, Version: s.d.Version, Upstreams: s.d.Upstreams()}
	for _, u := range o.Upstreams {
		if u.State == "live" || u.State == "backfilling" {
			o.Live++
		}
	}
	err := s.view(ctx, func(r store.Reader) error {
		var err error
		if o.Stats, err = s.d.Index.Stats(r, index.StatsQuery{Since: windowStart("24h", now), Until: now.Unix(), Now: now.Unix()}); err != nil {
			return err
		}
		jobs, err := s.d.Index.Threads(r, index.ThreadQuery{Limit: overviewJobs, Now: now.Unix()})
		if err != nil {
			return err
		}
		o.Jobs = jobs.Items
		handlers, err := s.d.Index.Handlers(r, index.HandlerQuery{Limit: index.MaxLimit, Now: now.Unix()})
		o.Handlers, o.More = len(handlers.Items), handlers.Next != ""
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read overview: %w", err)
	}
	for i := range o.Jobs {
		s.veil(&o.Jobs[i])
	}
	s.last.set(now, loss, o)
	return o, nil
}

// hostname says whether a Host header may stand on a page: letters, digits and what addresses need, nothing else.
func hostname(host string) bool {
	if host == "" || len(host) > 260 {
		return false
	}
	for _, c := range host {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		case c == '.', c == '-', c == ':', c == '[', c == ']':
		default:
			return false
		}
	}
	return true
}

// relayURL is where to point a client: as configured, or as this browser came here.
func (s *Site) relayURL(r *http.Request) string {
	switch {
	case s.d.RelayURL != "":
		return s.d.RelayURL
	case !hostname(r.Host):
		return ""
	case r.TLS != nil:
		return "wss://" + r.Host
	}
	return "ws://" + r.Host
}

// words are the functions of the templates.
func (s *Site) words() template.FuncMap {
	return template.FuncMap{
		"summary": func(text string) string {
			if s.o.Inputs == InputsShow {
				return text
			}
			return shorten(text, overviewSummary)
		},
		"npub": func(hex string) string {
			pk, ok := nip90.ParsePubKey(hex)
			if !ok {
				return ""
			}
			name := nip90.Npub(pk)
			return name[:min(len(name), 12)] + "…"
		},
		"ago":     func(now time.Time, at int64) string { return ago(now, at) },
		"exact":   func(at int64) string { return time.Unix(at, 0).UTC().Format("2006-01-02 15:04:05 UTC") },
		"percent": func(f *float64) string { return fmt.Sprintf("%.0f %%", 100**f) },
		"sats":    func(msat int64) string { return grouped(msat / 1000) },
		"grouped": grouped,
		"mark":    mark,
	}
}

// mark is a state as a sign, beside its word: nobody has to tell colours apart.
func mark(state string) string {
	return map[string]string{
		"success": "✓", "error": "✕", "payment-required": "$", "processing": "▶", "partial": "◐", "open": "○", "cancelled": "–",
		"expired": "⌛", "live": "●", "backfilling": "◑", "connecting": "…", "waiting": "✕", "refused": "✕", "paused": "✕",
	}[state]
}

func shorten(text string, most int) string {
	n := 0
	for i := range text {
		if n == most {
			return text[:i] + "…"
		}
		n++
	}
	return text
}

func ago(now time.Time, at int64) string {
	if at == 0 {
		return "never"
	}
	d := now.Sub(time.Unix(at, 0))
	switch {
	case d < 0:
		return "just now"
	case d < time.Minute:
		return fmt.Sprintf("%d s ago", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min ago", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h ago", int(d.Hours()))
	}
	return fmt.Sprintf("%d days ago", int(d.Hours()/24))
}

// grouped writes a number with thin gaps between thousands.
func grouped(n int64) string {
	text := fmt.Sprint(n)
	sign := ""
	if strings.HasPrefix(text, "-") {
		sign, text = "-", text[1:]
	}
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "\u202f" + text[i:]
	}
	return sign + text
}
