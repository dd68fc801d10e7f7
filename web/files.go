package web

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"
	"time"

	"github.com/klauspost/compress/gzip"
)

// The parts of pages, scripts and styles are in the program: nothing is read from a disk or another host.
var (
	//go:embed pages
	pageFiles embed.FS
	//go:embed assets vendored
	assetFiles embed.FS
)

const assetsPath = "/assets/"

// file is one script, style or picture.
type file struct {
	name  string // as a page names it, with its hash
	kind  string
	bytes []byte
	small []byte // squeezed; nil when that is no gain
}

// loadFiles reads what pages need: every asset under its own name.
func loadFiles() (map[string]*file, error) {
	files := map[string]*file{}
	for _, dir := range [...]string{"assets", "vendored"} {
		entries, err := fs.ReadDir(assetFiles, dir)
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			name := e.Name()
			kind := mime.TypeByExtension(path.Ext(name))
			if kind == "" || path.Ext(name) == ".md" {
				continue
			}
			b, err := assetFiles.ReadFile(dir + "/" + name)
			if err != nil {
				return nil, err
			}
			files[name] = newFile(name, kind, b)
		}
	}
	return files, nil
}

func newFile(name, kind string, b []byte) *file {
	sum := sha256.Sum256(b)
	ext := path.Ext(name)
	f := &file{name: strings.TrimSuffix(name, ext) + "." + hex.EncodeToString(sum[:6]) + ext, kind: kind, bytes: b}
	if len(b) >= squeezeFrom {
		f.small = squeezed(b, gzip.BestCompression)
	}
	return f
}

// files serves the assets, each under a name that changes with what is in it.
func (s *Site) files(mux *http.ServeMux) {
	by := map[string]*file{}
	for _, f := range s.assets {
		by[f.name] = f
	}
	mux.HandleFunc("GET "+assetsPath+"{name}", func(w http.ResponseWriter, r *http.Request) {
		f := by[r.PathValue("name")]
		if f == nil {
			plain(w, http.StatusNotFound, "there is no such file\n")
			return
		}
		w.Header().Set("Content-Type", f.kind)
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
		w.Header().Set("Vary", "Accept-Encoding")
		if f.small != nil && takesGzip(r) && r.Header.Get("Range") == "" {
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write(f.small) // whoever asked may be gone
			return
		}
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(f.bytes))
	})
	icon := s.assets["favicon.svg"]
	mux.HandleFunc("GET /favicon.ico", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", icon.kind)
		w.Header().Set("Cache-Control", "max-age=86400")
		_, _ = w.Write(icon.bytes) // whoever asked may be gone
	})
}

// asset is the path of a file of that name; a page that names a file that is not there ends in an error.
func (s *Site) asset(name string) string {
	return assetsPath + s.assets[name].name
}
