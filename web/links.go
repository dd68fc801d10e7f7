package web

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"dvmrelay/nip90"
	"dvmrelay/store"

	"github.com/danielgtaylor/huma/v2"
)

// links adds the ways that lead to pages: anything that names something, the search box, and the choice of colours.
func (s *Site) links(mux *http.ServeMux) {
	mux.HandleFunc("GET /search", func(w http.ResponseWriter, r *http.Request) {
		s.follow(w, r, strings.TrimSpace(r.URL.Query().Get("q")), true)
	})
	mux.HandleFunc("GET /theme", func(w http.ResponseWriter, r *http.Request) {
		to := r.URL.Query().Get("to")
		c := &http.Cookie{Name: themeCookie, Value: to, Path: "/", MaxAge: 365 * 86400, SameSite: http.SameSiteLaxMode, Secure: r.TLS != nil}
		if to != "light" && to != "dark" {
			c.Value, c.MaxAge = "", -1
		}
		http.SetCookie(w, c)
		away(w, r, within(r.URL.Query().Get("back")))
	})
}

const themeCookie = "theme"

// theme is which colours the visitor chose; empty for those of the system.
func theme(r *http.Request) string {
	if c, err := r.Cookie(themeCookie); err == nil && (c.Value == "light" || c.Value == "dark") {
		return c.Value
	}
	return ""
}

// within is a path of this site, or its first page: never another host's.
func within(back string) string {
	u, err := url.Parse(back)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || !strings.HasPrefix(back, "/") || strings.HasPrefix(back, "//") ||
		strings.ContainsAny(back, "\\\r\n\t") || len(back) > maxHere {
		return "/"
	}
	return back
}

func away(w http.ResponseWriter, r *http.Request, to string) {
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, to, http.StatusSeeOther)
}

// follow leads to the page of what a text names. Words that name nothing are looked for when they come from the search box.
func (s *Site) follow(w http.ResponseWriter, r *http.Request, text string, search bool) {
	text = strings.TrimPrefix(text, "nostr:")
	if len(text) > maxHere {
		s.refuse(w, r, huma.Error400BadRequest("This is too long to be a name of anything."))
		return
	}
	to, err := s.pathOf(r, text)
	switch {
	case err != nil:
		s.refuse(w, r, err)
	case to != "":
		away(w, r, to)
	case search && text == "":
		away(w, r, "/")
	case search:
		away(w, r, "/dvms?"+url.Values{"q": {shorten(text, 200)}}.Encode())
	default:
		s.refuse(w, r, huma.Error404NotFound("There is no such page here, and this names no event and no key (nevent, note, npub, nprofile, naddr or hex)."))
	}
}

// pathOf is the page of what a text names; empty when it names nothing.
func (s *Site) pathOf(r *http.Request, text string) (string, error) {
	if kind, ok := number(text); ok {
		return kindPath(kind), nil
	}
	ref, err := nip90.ParseReference(text)
	if err != nil {
		return "", nil
	}
	if ref.Address != nil {
		return keyPath(ref.Address.PubKey.String(), true), nil
	}
	var job, known, person, provider bool
	var root nip90.ID
	err = s.view(r.Context(), func(view store.Reader) (err error) {
		if !ref.ID.IsZero() {
			if root, job, err = s.d.Index.Root(view, ref.ID); err != nil || job {
				return err
			}
			if _, _, known, err = s.d.Index.Event(view, ref.ID); err != nil || known {
				return err
			}
		}
		if !ref.PubKey.IsZero() {
			if _, provider, err = s.d.Index.Provider(view, ref.PubKey); err != nil {
				return err
			}
			person, err = s.d.Index.Known(view).Customer(ref.PubKey)
		}
		person = person || provider
		return err
	})
	switch {
	case err != nil:
		return "", err
	case job:
		to := jobPath(root.String())
		if root != ref.ID {
			to += "#event-" + ref.ID.String()
		}
		return to, nil
	case known:
		return eventPath(ref.ID.String()), nil
	case !ref.ID.IsZero() && !(ref.Hex && person):
		return jobPath(ref.ID.String()), nil // which says that it was never seen
	}
	return keyPath(ref.PubKey.String(), provider), nil
}

// The paths of pages, by what they are about.

func jobPath(id string) string   { return "/jobs/" + id }
func eventPath(id string) string { return "/events/" + id }

func kindPath(kind int) string { return "/kinds/" + itoa(kind) }

// keyPath is the page of a key: as a provider, or as a person.
func keyPath(hex string, provider bool) string {
	pk, ok := nip90.ParsePubKey(hex)
	if !ok {
		return "/"
	}
	if provider {
		return "/dvms/" + nip90.Npub(pk)
	}
	return "/u/" + nip90.Npub(pk)
}

// besides serves PAGE.json, what the page shows for programs.
func besides(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path, isJSON := strings.CutSuffix(r.URL.Path, ".json")
		if !isJSON || path == "/openapi" || strings.HasPrefix(path, "/api/") || strings.HasPrefix(path, assetsPath) ||
			r.Method != http.MethodGet && r.Method != http.MethodHead {
			mux.ServeHTTP(w, r)
			return
		}
		if path == "" || path == "/index" {
			path = "/"
		}
		at := *r.URL
		at.Path, at.RawPath = path, ""
		if raw, ok := strings.CutSuffix(r.URL.RawPath, ".json"); ok {
			at.RawPath = raw
		}
		to := ask(r, askedJSON, &at)
		to.Method = r.Method
		mux.ServeHTTP(w, to)
	})
}

// showJSON gives what a screen shows: as the API has it, or as it was read for the page.
func (s *Site) showJSON(w http.ResponseWriter, r *http.Request, sc *screen, v *visit) {
	if sc.api != nil {
		path := sc.api(v)
		if path != openapiPath {
			path = apiPrefix + path
		}
		at, err := url.Parse(path)
		if err != nil {
			problem(w, http.StatusBadRequest, "this page has no such address")
			return
		}
		to := ask(r, askedPage, at)
		to.Method = r.Method
		s.answers.ServeHTTP(w, to)
		return
	}
	got, err := s.rendered(r.Context(), sc, v, r.URL.RequestURI())
	if to := (elsewhere{}); errors.As(err, &to) {
		away(w, r, beside(to.path))
		return
	}
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	w.Header().Set("Access-Control-Allow-Origin", "*")
	writeJSON(w, http.StatusOK, got.sheet.Data)
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
