package web

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
)

// tagged gives answers to GET an ETag, lets every origin read them, and answers what it does not know with a problem.
func tagged(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Access-Control-Allow-Origin", "*")
		h.Set("Access-Control-Expose-Headers", "ETag, Link, Retry-After")
		switch r.Method {
		case http.MethodGet, http.MethodHead:
			if r.URL.Path == streamPath || r.URL.Path == exportPath {
				next.ServeHTTP(w, r) // it has no end that could be waited for
				return
			}
		case http.MethodOptions:
			h.Set("Access-Control-Allow-Methods", "GET, HEAD, OPTIONS")
			h.Set("Access-Control-Allow-Headers", "If-None-Match, Content-Type, Last-Event-ID")
			h.Set("Access-Control-Max-Age", "86400")
			w.WriteHeader(http.StatusNoContent)
			return
		case http.MethodPost:
			if r.URL.Path == lintPath {
				h.Set("Cache-Control", "no-store")
				next.ServeHTTP(w, r)
				return
			}
			fallthrough
		default:
			h.Set("Allow", "GET, HEAD, OPTIONS")
			problem(w, http.StatusMethodNotAllowed, "this can only be read")
			return
		}
		if r.URL.Path == lintPath {
			h.Set("Allow", "POST, OPTIONS")
			problem(w, http.StatusMethodNotAllowed, "send an event with POST")
			return
		}
		held := &heldAnswer{header: h, status: http.StatusOK}
		next.ServeHTTP(held, withGet(r))
		if held.status == http.StatusOK {
			sum := sha256.Sum256(held.body.Bytes())
			tag := `"` + hex.EncodeToString(sum[:16]) + `"`
			h.Set("ETag", tag)
			h.Set("Cache-Control", "no-cache")
			if matchesTag(r.Header.Get("If-None-Match"), tag) {
				h.Del("Content-Type")
				w.WriteHeader(http.StatusNotModified)
				return
			}
		}
		w.WriteHeader(held.status)
		if r.Method != http.MethodHead {
			_, _ = w.Write(held.body.Bytes()) // whoever asked may be gone
		}
	})
}

// withGet lets HEAD be answered as GET is: its answer is held, and its body left out.
func withGet(r *http.Request) *http.Request {
	if r.Method != http.MethodHead {
		return r
	}
	r = r.Clone(r.Context())
	r.Method = http.MethodGet
	return r
}

// matchesTag implements the weak comparison of If-None-Match. RFC 9110 section 13.1.2.
func matchesTag(header, tag string) bool {
	for _, have := range strings.Split(header, ",") {
		have = strings.TrimPrefix(strings.TrimSpace(have), "W/")
		if have == tag || have == "*" {
			return true
		}
	}
	return false
}

// heldAnswer keeps an answer until all of it is known. Pages are bounded, so is it.
type heldAnswer struct {
	header http.Header
	status int
	wrote  bool
	body   bytes.Buffer
}

func (a *heldAnswer) Header() http.Header { return a.header }

func (a *heldAnswer) WriteHeader(status int) {
	if !a.wrote {
		a.status, a.wrote = status, true
	}
}

func (a *heldAnswer) Write(b []byte) (int, error) {
	a.wrote = true
	return a.body.Write(b)
}
