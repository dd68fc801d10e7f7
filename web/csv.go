package web

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"reflect"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

const csvType = "text/csv"

// tables are the lists that are given as CSV, too: the columns of each path.
type tables map[string][]string

func (t tables) add(path string, item reflect.Type) { t[apiPrefix+path] = columns(item, "") }

// columns are the members of an item that fit into a cell: those of a struct within it one by one, by its name, a dot and
// theirs.
func columns(t reflect.Type, prefix string) (out []string) {
	for i := range t.NumField() {
		f := t.Field(i)
		ft := f.Type
		if ft.Kind() == reflect.Pointer {
			ft = ft.Elem()
		}
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Anonymous:
			out = append(out, columns(ft, prefix)...)
		case name == "" || name == "-" || name == "events" || name == "why":
		case ft.Kind() == reflect.Struct:
			out = append(out, columns(ft, prefix+name+".")...)
		default:
			out = append(out, prefix+name)
		}
	}
	return out
}

// describe adds CSV to the document.
func (t tables) describe(doc *huma.OpenAPI) {
	for path := range t {
		if item := doc.Paths[path]; item != nil && item.Get != nil {
			item.Get.Responses["200"].Content[csvType] = &huma.MediaType{Schema: &huma.Schema{
				Type: huma.TypeString, Description: "A header, and a line for each item. The next page stands in the header Link.",
			}}
		}
	}
}

// serve turns the answers of lists into CSV for who wants that.
func (t tables) serve(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		cols := t[r.URL.Path]
		if cols == nil {
			r.Header.Set("Accept", "application/json")
			next.ServeHTTP(w, r)
			return
		}
		w.Header().Add("Vary", "Accept")
		wanted := wantsCSV(r)
		r.Header.Set("Accept", "application/json")
		if !wanted {
			next.ServeHTTP(w, r)
			return
		}
		held := &heldAnswer{header: w.Header(), status: http.StatusOK}
		next.ServeHTTP(held, r)
		out := held.body.Bytes()
		if held.status == http.StatusOK {
			table, cursor, err := tabulate(cols, out)
			if err != nil {
				problem(w, http.StatusInternalServerError, "this list cannot be written as a table")
				return
			}
			out = table
			h := w.Header()
			h.Set("Content-Type", csvType+"; charset=utf-8; header=present")
			h.Del("Content-Length")
			if cursor != "" {
				q := r.URL.Query()
				q.Set("cursor", cursor)
				q.Set("format", "csv")
				h.Add("Link", "<"+r.URL.EscapedPath()+"?"+q.Encode()+`>; rel="next"`)
			}
		}
		w.WriteHeader(held.status)
		_, _ = w.Write(out) // whoever asked may be gone
	})
}

func wantsCSV(r *http.Request) bool {
	if format := r.URL.Query().Get("format"); format != "" {
		return format == "csv"
	}
	for _, one := range strings.Split(strings.Join(r.Header.Values("Accept"), ","), ",") {
		kind, params, err := mime.ParseMediaType(one)
		switch {
		case err != nil:
		case kind == csvType && params["q"] != "0":
			return true
		case kind == "application/json" || kind == "*/*":
			return false
		}
	}
	return false
}

// tabulate writes a page of a list as CSV.
func tabulate(cols []string, page []byte) (table []byte, cursor string, err error) {
	var list struct {
		Items []map[string]any `json:"items"`
		Next  string           `json:"next_cursor"`
	}
	d := json.NewDecoder(bytes.NewReader(page))
	d.UseNumber()
	if err := d.Decode(&list); err != nil {
		return nil, "", fmt.Errorf("read list: %w", err)
	}
	var out bytes.Buffer
	w := csv.NewWriter(&out)
	w.UseCRLF = true  // RFC 4180
	_ = w.Write(cols) // a buffer takes everything; Error below would tell
	row := make([]string, len(cols))
	for _, item := range list.Items {
		for i, col := range cols {
			row[i] = cell(lookUp(item, col))
		}
		_ = w.Write(row) // as above
	}
	w.Flush()
	return out.Bytes(), list.Next, w.Error()
}

func lookUp(item map[string]any, col string) any {
	head, rest, deeper := strings.Cut(col, ".")
	v := item[head]
	if !deeper {
		return v
	}
	inner, ok := v.(map[string]any)
	if !ok {
		return nil
	}
	return lookUp(inner, rest)
}

// cell writes a value: lists of words with spaces between, what is deeper as JSON. Words that a spreadsheet would take
// for a formula are disarmed.
func cell(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case bool:
		return strconv.FormatBool(v)
	case json.Number:
		return v.String()
	case string:
		return disarmed(v)
	case []any:
		words := make([]string, 0, len(v))
		for _, one := range v {
			switch one := one.(type) {
			case string:
				words = append(words, one)
			case json.Number:
				words = append(words, one.String())
			default:
				return encoded(v)
			}
		}
		return disarmed(strings.Join(words, " "))
	}
	return encoded(v)
}

func encoded(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	return string(b)
}

// disarmed puts an apostrophe before what begins like a formula, behind any blanks, too.
func disarmed(text string) string {
	if rest := strings.TrimLeft(text, " \u00a0\ufeff"); rest != "" && strings.ContainsRune("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20", []rune(rest)[0]) {
		return "'" + text
	}
	return text
}
