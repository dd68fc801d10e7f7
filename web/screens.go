package web

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/klauspost/compress/gzip"
)

// screen is one page of the dashboard. Its template in pages/ defines "main", and each of its live fragments under the
// fragment's own name.
type screen struct {
	path string // as http.ServeMux has it, without a method
	file string // of its template
	// style are the sheets that only some pages need, this one among them.
	style []string
	tab   string // of the navigation
	// live are the fragments that are shown anew, without a reload, when what they show has changed.
	live []string
	// load reads what the page shows. It fails with what huma calls a StatusError for what a visitor may be told.
	load func(ctx context.Context, v *visit) (*sheet, error)
	// api is the path and query of the same thing under /api/v1, or openapiPath; when nil, .json gives what load read.
	api func(v *visit) string

	page *template.Template
}

// visit is what a visitor asks a screen for.
type visit struct {
	Path  func(name string) string // a part of the path
	Query url.Values
	Now   time.Time
}

// sheet is what a screen shows now.
type sheet struct {
	Title  string   // without the name of the site
	About  string   // one sentence on what is seen here, for who links to it
	Script []string // of assets or vendored, beside what every page has
	Style  []string
	Data   any

	Status int  // of HTTP; 0 = 200
	Still  bool // nothing of it changes by itself, whatever the screen has
}

// elsewhere is what load fails with when the page has another address: path, with what follows it.
type elsewhere struct{ path string }

func (e elsewhere) Error() string { return "the page is at " + e.path }

// view is what templates are given.
type view struct {
	*sheet
	Site  *Site
	Own   []string // style sheets
	Now   time.Time
	Tab   string
	Here  string // path and query of the page
	Theme string // light, dark, or empty for what the system says
	Base  string // https://hub.example; empty when unknown
	Relay string // where to point a client; empty when unknown

	live *rendering
}

// Name is what the site is called.
func (v *view) Name() string { return v.Site.d.Name }

// Demo says whether what is shown was made up.
func (v *view) Demo() bool { return v.Site.d.Demo }

// Version is the program's.
func (v *view) Version() string { return v.Site.d.Version }

// JSON is where the same is given to programs.
func (v *view) JSON() string { return beside(v.Here) }

// beside is where what a page shows is given to programs.
func beside(page string) string {
	path, query, asked := strings.Cut(page, "?")
	path = strings.TrimSuffix(path, "/")
	if path == "" {
		path = "/index"
	}
	if asked {
		query = "?" + query
	}
	return path + ".json" + query
}

// Stream is where the fragments of the page are told anew; empty when it has none.
func (v *view) Stream() string {
	if v.live == nil || len(v.live.html) == 0 || v.Still {
		return ""
	}
	return livePath + "?" + url.Values{"at": {v.Here}, "of": {v.live.sum}}.Encode()
}

// Fragment is a live part of the page.
func (v *view) Fragment(name string) (template.HTML, error) {
	html, ok := v.live.html[name]
	if !ok {
		return "", fmt.Errorf("page has no live fragment %q", name)
	}
	return html, nil
}

// allScreens are the pages of the dashboard.
func (s *Site) allScreens() []*screen {
	return []*screen{
		s.overviewScreen(),
		s.dvmsScreen(),
		s.dvmScreen(),
		s.kindsScreen(),
		s.kindScreen(),
		s.threadScreen(),
		s.upstreamsScreen(),
		s.relayScreen(),
		s.docsScreen(),
		s.shapesScreen(),
		s.jobsScreen(),
		s.personScreen(),
		s.meScreen(),
		s.eventScreen(),
		s.exploreScreen(),
		s.connectScreen(),
	}
}

// pages adds the screens and what they need.
func (s *Site) pages(mux *http.ServeMux) {
	s.fault = s.template("error.html")
	for _, sc := range s.allScreens() {
		sc.page = s.template(sc.file)
		s.lively["GET "+sc.path] = len(sc.live) > 0
		mux.HandleFunc("GET "+sc.path, func(w http.ResponseWriter, r *http.Request) { s.show(w, r, sc) })
	}
	s.adminPages(mux)
	s.files(mux)
	s.links(mux)
	mux.HandleFunc("GET "+livePath, func(w http.ResponseWriter, r *http.Request) { s.live(w, r, mux) })
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		ref := strings.TrimPrefix(r.URL.Path, "/")
		switch {
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			w.Header().Set("Allow", "GET, HEAD")
			s.refuse(w, r, huma.Error405MethodNotAllowed("Pages can only be read."))
		case ref == "" || strings.Contains(ref, "/"):
			s.refuse(w, r, huma.Error404NotFound("There is no such page here."))
		default:
			s.follow(w, r, ref, false)
		}
	})
}

// template reads a page with the frame around it. What cannot be read ends the program at its start.
func (s *Site) template(file string) *template.Template {
	return template.Must(template.New("frame.html").Funcs(s.words()).ParseFS(pageFiles, "pages/frame.html", "pages/parts*.html", "pages/"+file))
}

// asked is how a screen was asked for.
type asked string

const (
	askedPage asked = ""
	askedJSON asked = "json" // .json beside it
	askedLive asked = "live" // its fragments, as they change
)

type askedKey struct{}

func ask(r *http.Request, how asked, at *url.URL) *http.Request {
	to := r.Clone(context.WithValue(r.Context(), askedKey{}, how))
	to.URL, to.RequestURI, to.Method = at, at.RequestURI(), http.MethodGet
	return to
}

func howAsked(r *http.Request) asked {
	how, _ := r.Context().Value(askedKey{}).(asked)
	return how
}

// show answers for a screen.
func (s *Site) show(w http.ResponseWriter, r *http.Request, sc *screen) {
	v := &visit{Path: r.PathValue, Query: r.URL.Query(), Now: s.d.Now()}
	switch howAsked(r) {
	case askedLive:
		s.serveLive(w, r, sc, v)
		return
	case askedJSON:
		s.showJSON(w, r, sc, v)
		return
	}
	got, err := s.rendered(r.Context(), sc, v, r.URL.RequestURI())
	if to := (elsewhere{}); errors.As(err, &to) {
		away(w, r, to.path)
		return
	}
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	s.write(w, r, cmp.Or(got.sheet.Status, http.StatusOK), sc.page, &view{sheet: got.sheet, Own: sc.style, Now: got.at, Tab: sc.tab, live: got})
}

// write gives a page.
func (s *Site) write(w http.ResponseWriter, r *http.Request, status int, page *template.Template, v *view) {
	v.Site, v.Here, v.Theme = s, r.URL.RequestURI(), theme(r)
	v.Relay = s.relayURL(r)
	v.Base = strings.Replace(v.Relay, "ws", "http", 1)
	var out bytes.Buffer
	if err := page.Execute(&out, v); err != nil {
		s.d.Log.Error("page failed", "path", r.URL.Path, "err", err)
		plain(w, http.StatusInternalServerError, "this page cannot be shown now\n")
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-cache")
	h.Set("Vary", "Cookie, Accept-Encoding")
	answer := withoutStacks(out.Bytes())
	if len(answer) >= squeezeFrom && takesGzip(r) {
		h.Set("Content-Encoding", "gzip")
		answer = squeezed(answer, gzip.BestSpeed)
	}
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(answer) // whoever asked may be gone
	}
}

// fault is what a page says when it cannot show what was asked for.
type fault struct {
	Status  int
	Word    string
	Detail  string
	Watched []Watched // upstreams, when something was never seen
	Hints   []hint    // other pages that may help
}

// refuse answers with a page that says why, and what to do next; to a program, with a problem.
func (s *Site) refuse(w http.ResponseWriter, r *http.Request, err error) {
	err = s.failed(err)
	f := fault{Status: http.StatusInternalServerError}
	var told huma.StatusError
	if errors.As(err, &told) {
		f.Status, f.Detail = told.GetStatus(), told.Error()
	}
	var never *unseen
	if errors.As(err, &never) {
		f.Detail, f.Watched = never.Detail, never.Watched
	}
	var knows *hinted
	if errors.As(err, &knows) {
		f.Hints = knows.hints
	}
	f.Word = http.StatusText(f.Status)
	if f.Status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "2")
	}
	if howAsked(r) != askedPage || !strings.Contains(r.Header.Get("Accept"), "text/html") {
		problem(w, f.Status, f.Detail)
		return
	}
	s.write(w, r, f.Status, s.fault, &view{sheet: &sheet{Title: f.Word, Data: f}, Now: s.d.Now()})
}
