package web

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"dvmrelay/store"

	"github.com/danielgtaylor/huma/v2"
)

const (
	livePath     = "/live"
	renderedFor  = time.Second      // how old a shown page may be
	renderedIdle = 10 * time.Second // how often a page is rendered anew in which only time passes
	maxRendered  = 256              // pages that are kept for that moment
	maxHere      = 4096             // characters of a page's path and query
)

// rendering is a page's sheet with its live fragments, as many visitors share it.
type rendering struct {
	at    time.Time
	loss  uint64 // as Site.loss was before the reading: what is deleted during it may be in there
	moves uint64
	sheet *sheet
	html  map[string]template.HTML
	sum   string // of all fragments
}

// renderings keeps pages for a moment, so that a crowd costs one reading a second of each. What may show something that
// was deleted is let go at once.
type renderings struct {
	mu sync.Mutex // guards below
	by map[string]*slot
}

// slot is one page's place. Who reads the page anew holds fresh.
type slot struct {
	fresh chan struct{}
	used  time.Time  // guarded by renderings.mu
	last  *rendering // guarded by renderings.mu
}

func (c *renderings) slot(key string, now time.Time) *slot {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.by == nil {
		c.by = make(map[string]*slot)
	}
	p := c.by[key]
	if p == nil {
		if len(c.by) >= maxRendered {
			c.evict()
		}
		p = &slot{fresh: make(chan struct{}, 1)}
		c.by[key] = p
	}
	p.used = now
	return p
}

// evict lets go of the page that was not asked for the longest. The mutex is held.
func (c *renderings) evict() {
	var oldest string
	var at time.Time
	for key, p := range c.by {
		if oldest == "" || p.used.Before(at) {
			oldest, at = key, p.used
		}
	}
	delete(c.by, oldest)
}

func (c *renderings) last(p *slot) *rendering {
	c.mu.Lock()
	defer c.mu.Unlock()
	return p.last
}

func (c *renderings) keep(p *slot, r *rendering) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p.last = r
}

// good says whether a rendering may still be shown.
func (s *Site) good(r *rendering, now time.Time) bool {
	if r == nil || r.loss != s.loss() {
		return false
	}
	age := now.Sub(r.at)
	return age >= 0 && age < renderedFor
}

// rendered reads a page, at most once a second however many ask.
func (s *Site) rendered(ctx context.Context, sc *screen, v *visit, here string) (*rendering, error) {
	if len(here) > maxHere {
		return nil, huma.Error400BadRequest("This address is too long.")
	}
	p := s.shown.slot(here, v.Now)
	if r := s.shown.last(p); s.good(r, v.Now) {
		return r, nil
	}
	select {
	case p.fresh <- struct{}{}:
		defer func() { <-p.fresh }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if r := s.shown.last(p); s.good(r, v.Now) {
		return r, nil
	}
	r := &rendering{at: v.Now, loss: s.loss(), moves: s.d.Watch.Moves()}
	var err error
	if r.sheet, err = sc.load(ctx, v); err != nil {
		return nil, err
	}
	if err := s.renderLive(sc, r, here); err != nil {
		return nil, err
	}
	s.shown.keep(p, r)
	return r, nil
}

func (s *Site) renderLive(sc *screen, r *rendering, here string) error {
	if len(sc.live) == 0 {
		return nil
	}
	r.html = make(map[string]template.HTML, len(sc.live))
	sum := sha256.New()
	for _, name := range sc.live {
		var out bytes.Buffer
		if err := sc.page.ExecuteTemplate(&out, name, &view{sheet: r.sheet, Site: s, Now: r.at, Tab: sc.tab, Here: here}); err != nil {
			return err
		}
		html := withoutStacks(out.Bytes())
		sum.Write(html)
		r.html[name] = template.HTML(html) // made by html/template just now
	}
	r.sum = hex.EncodeToString(sum.Sum(nil)[:8])
	return nil
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

// live answers /live?at=PAGE with the fragments of that page, each time they change (server-sent events).
func (s *Site) live(w http.ResponseWriter, r *http.Request, mux *http.ServeMux) {
	at, err := url.Parse(r.URL.Query().Get("at"))
	if err != nil || at.IsAbs() || at.Host != "" || !strings.HasPrefix(at.Path, "/") || at.Path == livePath || len(at.String()) > maxHere {
		problem(w, http.StatusBadRequest, "at: is the path of a page here")
		return
	}
	if _, pattern := mux.Handler(ask(r, askedLive, at)); !s.lively[pattern] {
		problem(w, http.StatusNotFound, "at: this page has nothing that changes by itself")
		return
	}
	to := ask(r, askedLive, at)
	to.Header = r.Header.Clone()
	to.Header.Set("Last-Event-Of", r.URL.Query().Get("of"))
	mux.ServeHTTP(w, to)
}

// serveLive tells the fragments of a screen as they change, never more often than every two seconds, until the visitor is
// gone. Who reads slowly misses what was in between, and is dropped when nothing is taken at all.
func (s *Site) serveLive(w http.ResponseWriter, r *http.Request, sc *screen, v *visit) {
	ctx, leave, ok := s.enterStream(w, r)
	if !ok {
		return
	}
	defer leave()
	here := r.URL.RequestURI()
	first, err := s.rendered(ctx, sc, v, here)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	h := w.Header()
	streaming(h)
	out := pusher{w, http.NewResponseController(w), s.streams.deadline}
	defer out.done()
	t := &fragments{out: out, sent: map[string]template.HTML{}, names: sc.live}
	if h.Set("Vary", "Accept-Encoding"); takesGzip(r) {
		h.Set("Content-Encoding", "gzip")
		t.small = newSqueezer()
	}
	if cmp.Or(r.Header.Get("Last-Event-ID"), r.Header.Get("Last-Event-Of")) == first.sum {
		t.sent = first.html // the page has these
	}
	tick := time.NewTicker(s.streams.pulse)
	defer tick.Stop()
	for shown := first; t.tell(shown); {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		v.Now = s.d.Now()
		if shown.moves == s.d.Watch.Moves() && shown.loss == s.loss() && v.Now.Sub(shown.at) < renderedIdle {
			continue
		}
		// what cannot be read now may be readable at the next tick
		if next, err := s.rendered(ctx, sc, v, here); err == nil {
			shown = next
		}
	}
}

// fragments writes what changed of a page.
type fragments struct {
	out   pusher
	small *squeezer // nil: as it is
	names []string
	sent  map[string]template.HTML
	begun bool
	quiet int // ticks since something was written
}

// tell writes the fragments that are not as they were sent; false when the reader is gone or does not take them.
func (t *fragments) tell(r *rendering) bool {
	var b bytes.Buffer
	if !t.begun {
		b.WriteString("retry: 2000\n\n")
		t.begun = true
	}
	changed := slices.DeleteFunc(slices.Clone(t.names), func(name string) bool { return t.sent[name] == r.html[name] })
	for i, name := range changed {
		html := r.html[name]
		if i == len(changed)-1 { // who comes back says so only when nothing of it is missing
			b.WriteString("id: " + r.sum + "\n")
		}
		b.WriteString("event: " + name + "\n")
		// To a stream a lone carriage return ends a line as well: a stranger's text must not.
		for line := range strings.Lines(strings.ReplaceAll(string(html), "\r", "&#13;")) {
			b.WriteString("data: " + strings.TrimRight(line, "\n") + "\n")
		}
		b.WriteString("\n")
	}
	t.sent = r.html
	if t.quiet++; b.Len() == 0 && t.quiet >= quietTicks {
		b.WriteString(": beat\n\n")
	}
	if b.Len() == 0 {
		return true
	}
	t.quiet = 0
	piece := b.Bytes()
	if t.small != nil {
		var err error
		if piece, err = t.small.squeeze(piece); err != nil {
			return false
		}
	}
	return t.out.push(piece) == nil
}

const (
	pulseEvery = 2 * time.Second
	quietTicks = 7 // then something is written all the same, so that the connection is known to live
)
