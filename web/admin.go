package web

import (
	"bytes"
	"cmp"
	"errors"
	"html/template"
	"net/http"
	"slices"
	"strings"
)

const adminPath = "/relay/admin"

// adminPages adds what only administrators are shown. Nothing of it goes through the pages that visitors share.
func (s *Site) adminPages(mux *http.ServeMux) {
	page := template.Must(template.New("admin.html").Funcs(s.words()).ParseFS(pageFiles, "pages/parts*.html", "pages/admin.html"))
	mux.HandleFunc("GET "+adminPath, func(w http.ResponseWriter, r *http.Request) { s.admin(w, r, page) })
	mux.HandleFunc("GET /relay/nip11", s.information)
}

// inside is what an administrator is shown.
type inside struct {
	RelayInsight
	Key string
	Now int64
}

// admin answers an administrator's signed request (NIP-98) with a part of a page, or with JSON for who accepts only that.
// Nobody may keep the answer.
func (s *Site) admin(w http.ResponseWriter, r *http.Request, page *template.Template) {
	w.Header().Set("Cache-Control", "no-store")
	if howAsked(r) != askedPage {
		problem(w, http.StatusNotFound, "ask "+adminPath+" itself, with Accept: application/json")
		return
	}
	key, err := s.administrator(r)
	if err != nil {
		refuseAdmin(w, err)
		return
	}
	in := inside{RelayInsight: s.d.Insight(), Key: key, Now: s.d.Now().Unix()}
	if strings.HasPrefix(r.Header.Get("Accept"), "application/json") {
		writeJSON(w, http.StatusOK, in.RelayInsight)
		return
	}
	var out bytes.Buffer
	if err := page.ExecuteTemplate(&out, "admin", &view{sheet: &sheet{Data: in}, Site: s, Now: s.d.Now()}); err != nil {
		s.d.Log.Error("page failed", "path", adminPath, "err", err)
		problem(w, http.StatusInternalServerError, "this cannot be shown now")
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write(withoutStacks(out.Bytes())) // whoever asked may be gone
}

var errNoAdmins = errors.New("signing in is off: this relay has no administrators")

func (s *Site) administrator(r *http.Request) (string, error) {
	if s.d.Admin == nil || s.d.Insight == nil {
		return "", errNoAdmins
	}
	return s.d.Admin(r)
}

// refuseAdmin says why nothing is shown.
func refuseAdmin(w http.ResponseWriter, err error) {
	status := http.StatusUnauthorized
	var told interface{ HTTPStatus() int }
	if errors.As(err, &told) {
		status = told.HTTPStatus()
	}
	switch status {
	case http.StatusUnauthorized:
		w.Header().Set("WWW-Authenticate", "Nostr")
	case http.StatusTooManyRequests:
		w.Header().Set("Retry-After", "10")
	}
	problem(w, status, err.Error())
}

// counted is a table of counts, the most frequent first; what never happened is left out.
type counted struct {
	Title string
	Rows  []countedRow
}

type countedRow struct {
	Name string
	N    uint64
}

func countsOf(title string, counts any) counted {
	c := counted{Title: title}
	add := func(name string, n uint64) {
		if n > 0 {
			c.Rows = append(c.Rows, countedRow{name, n})
		}
	}
	switch m := counts.(type) {
	case map[string]uint64:
		for name, n := range m {
			add(name, n)
		}
	case map[string]int64:
		for name, n := range m {
			add(name, uint64(max(0, n)))
		}
	}
	slices.SortFunc(c.Rows, func(a, b countedRow) int { return cmp.Or(cmp.Compare(b.N, a.N), cmp.Compare(a.Name, b.Name)) })
	return c
}
