package web

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"dvmrelay/nip90"

	"github.com/nbd-wtf/go-nostr"
)

// document is the OpenAPI document as it is served, read without the library that wrote it.
type document struct {
	OpenAPI    string
	Paths      map[string]map[string]docOp
	Components struct{ Schemas map[string]*jsonSchema }
}

type docOp struct {
	OperationID string `json:"operationId"`
	Parameters  []struct {
		Name, In string
		Required bool
		Schema   *jsonSchema
	}
	Responses map[string]struct {
		Content map[string]struct{ Schema *jsonSchema }
	}
}

type jsonSchema struct {
	Ref                  string `json:"$ref"`
	Type                 any
	Properties           map[string]*jsonSchema
	Required             []string
	Items                *jsonSchema
	AnyOf                []*jsonSchema
	Enum                 []any
	Pattern              string
	Minimum, Maximum     *float64
	AdditionalProperties any
}

// check says where a value does not fit a schema.
func (d *document) check(at string, s *jsonSchema, v any) (faults []string) {
	fault := func(format string, args ...any) { faults = append(faults, at+": "+fmt.Sprintf(format, args...)) }
	if s == nil {
		return nil
	}
	if s.Ref != "" {
		name := strings.TrimPrefix(s.Ref, "#/components/schemas/")
		if d.Components.Schemas[name] == nil {
			fault("no schema %s", s.Ref)
			return faults
		}
		return d.check(at, d.Components.Schemas[name], v)
	}
	if len(s.AnyOf) > 0 {
		for _, one := range s.AnyOf {
			if len(d.check(at, one, v)) == 0 {
				return nil
			}
		}
		fault("%v fits none of its schemas", v)
		return faults
	}
	if types := typesOf(s.Type); len(types) > 0 && !slices.ContainsFunc(types, func(t string) bool { return isOfType(t, v) }) {
		fault("%v is no %v", v, types)
		return faults
	}
	if len(s.Enum) > 0 && !slices.Contains(s.Enum, v) {
		fault("%v is none of %v", v, s.Enum)
	}
	switch v := v.(type) {
	case string:
		if s.Pattern != "" && !regexp.MustCompile(s.Pattern).MatchString(v) {
			fault("%q does not match %s", v, s.Pattern)
		}
	case float64:
		if s.Minimum != nil && v < *s.Minimum || s.Maximum != nil && v > *s.Maximum {
			fault("%v is out of bounds", v)
		}
	case []any:
		for i, one := range v {
			faults = append(faults, d.check(fmt.Sprintf("%s[%d]", at, i), s.Items, one)...)
		}
	case map[string]any:
		for _, name := range s.Required {
			if _, ok := v[name]; !ok {
				fault("has no %s", name)
			}
		}
		for name, one := range v {
			if p := s.Properties[name]; p != nil {
				faults = append(faults, d.check(at+"."+name, p, one)...)
			} else if len(s.Properties) > 0 && typesOf(s.Type) != nil {
				fault("has %s, which the document does not", name)
			}
		}
	}
	return faults
}

func typesOf(v any) (out []string) {
	switch v := v.(type) {
	case string:
		return []string{v}
	case []any:
		for _, one := range v {
			out = append(out, one.(string))
		}
	}
	return out
}

func isOfType(t string, v any) bool {
	switch v := v.(type) {
	case nil:
		return t == "null"
	case bool:
		return t == "boolean"
	case string:
		return t == "string"
	case float64:
		return t == "number" || t == "integer" && v == float64(int64(v))
	case []any:
		return t == "array"
	case map[string]any:
		return t == "object"
	}
	return false
}

func (r *rig) document() *document {
	r.t.Helper()
	var d document
	r.get("/openapi.json", http.StatusOK, &d)
	return &d
}

// answer calls an operation and holds what it says to what the document says of it.
func (r *rig) answer(d *document, path, target string, op docOp) int {
	r.t.Helper()
	resp := r.do(http.MethodGet, target)
	text := read(r.t, resp)
	status := fmt.Sprint(resp.StatusCode)
	kind, _, _ := strings.Cut(resp.Header.Get("Content-Type"), ";")
	described, ok := op.Responses[status]
	if !ok {
		described, ok = op.Responses["default"]
	}
	media, has := described.Content[kind]
	if !ok || !has {
		r.t.Errorf("GET %s = %s %s, which the document does not say of %s", target, status, kind, path)
		return resp.StatusCode
	}
	if !strings.HasSuffix(kind, "json") || kind == "application/x-ndjson" {
		return resp.StatusCode
	}
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		r.t.Fatalf("GET %s: %v in %s", target, err, text)
	}
	if faults := d.check("", media.Schema, v); len(faults) > 0 {
		r.t.Errorf("GET %s does not fit the document:\n%s", target, strings.Join(faults[:min(len(faults), 8)], "\n"))
	}
	return resp.StatusCode
}

// targets are an operation's path with every kind of value put in.
func (r *rig) targets(path string, ids []string, keys []nip90.PubKey, addresses []string) (out []string) {
	switch {
	case strings.Contains(path, "{id}"):
		for _, id := range append(ids, strings.Repeat("0", 63)+"1", "nonsense") {
			out = append(out, strings.Replace(path, "{id}", id, 1))
		}
	case strings.Contains(path, "{key}"):
		for _, k := range keys {
			out = append(out, strings.Replace(path, "{key}", k.String(), 1), strings.Replace(path, "{key}", nip90.Npub(k), 1))
		}
		out = append(out, strings.Replace(path, "{key}", "nobody", 1))
	case strings.Contains(path, "{address}"):
		for _, a := range append(addresses, "31990:"+strings.Repeat("0", 64)+":x", "nonsense") {
			out = append(out, strings.Replace(path, "{address}", pathEscaped(a), 1))
		}
	case strings.Contains(path, "{kind}"):
		for _, k := range []string{"5050", "5300", "5999", "5", "70000", "x"} {
			out = append(out, strings.Replace(path, "{kind}", k, 1))
		}
	default:
		out = append(out, path)
	}
	return out
}

func pathEscaped(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		if c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '-' || c == '_' || c == ':' {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

func TestOpenAPI_IsWhatIsAnswered(t *testing.T) {
	r := newRig(t, DefaultOptions())
	ids := r.real()
	request, feedback, result := r.story()
	ids = append(ids, request, feedback, result, r.encrypted())
	r.put(31990, 1_700_000_002, provider, "", nostr.Tag{"d", "a/b//../c d%"}, nostr.Tag{"k", "5050"})
	var handlers struct {
		Items []struct{ Address, PubKey string }
	}
	r.get("/api/v1/handlers?limit=200", http.StatusOK, &handlers)
	var addresses []string
	var keys []nip90.PubKey
	for _, h := range handlers.Items {
		addresses = append(addresses, h.Address)
		if pk, ok := nip90.ParsePubKey(h.PubKey); ok && !slices.Contains(keys, pk) && len(keys) < 20 {
			keys = append(keys, pk)
		}
	}
	keys = append(keys, nip90.PubKey{1})
	d := r.document()
	statuses := map[string]map[int]int{}
	for path, methods := range d.Paths {
		op, ok := methods["get"]
		if !ok || op.OperationID == "stream" {
			continue
		}
		statuses[path] = map[int]int{}
		for _, target := range r.targets(path, ids, keys, addresses) {
			statuses[path][r.answer(d, path, target, op)]++
		}
		for _, p := range op.Parameters {
			if p.In == "query" {
				base := r.targets(path, ids[:1], keys[:1], addresses[:1])[0]
				for _, v := range []string{"%00", "-1", "99999999999999999999", "success", "1h", "true", "1", strings.Repeat("x", 6000)} {
					statuses[path][r.answer(d, path, base+"?"+p.Name+"="+v, op)]++
				}
				for _, v := range p.Schema.Enum {
					statuses[path][r.answer(d, path, base+"?"+p.Name+"="+fmt.Sprint(v), op)]++
				}
			}
		}
	}
	for path, seen := range statuses {
		if seen[http.StatusOK] == 0 && !strings.HasSuffix(path, "/up") {
			t.Errorf("%s never answered 200: %v", path, seen)
		}
		if seen[http.StatusInternalServerError] > 0 {
			t.Errorf("%s answered 500: %v", path, seen)
		}
		if strings.Contains(path, "{") && seen[http.StatusOK] == len(seen) {
			t.Errorf("%s never answered with a problem: %v", path, seen)
		}
	}
}

func TestDocs_ShowTheDocument(t *testing.T) {
	r := newRig(t, DefaultOptions())
	resp := r.do(http.MethodGet, "/docs")
	text := read(t, resp)
	if resp.StatusCode != http.StatusOK || !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/html") {
		t.Fatalf("GET /docs = %d %s, want a page", resp.StatusCode, resp.Header.Get("Content-Type"))
	}
	if csp := resp.Header.Get("Content-Security-Policy"); !strings.HasPrefix(csp, "default-src 'none'; script-src 'self'; style-src 'self'") || strings.Contains(csp, "unsafe") {
		t.Errorf("policy %q", csp)
	}
	for _, bad := range []string{"<script>", "javascript:", "src=\"http", "https://", "style="} {
		if strings.Contains(text, bad) {
			t.Errorf("the page has %s", bad)
		}
	}
	d := r.document()
	for path, methods := range d.Paths {
		for method, op := range methods {
			if !strings.Contains(text, strings.ToUpper(method)+" "+path) {
				t.Errorf("the page lacks %s %s", method, path)
			}
			for _, p := range op.Parameters {
				if !strings.Contains(text, "<code>"+p.Name+"</code>") {
					t.Errorf("the page lacks parameter %s of %s", p.Name, path)
				}
			}
		}
	}
	text = read(t, r.do(http.MethodGet, "/docs/shapes"))
	for name, s := range d.Components.Schemas {
		if !strings.Contains(text, `id="shape-`+name+`"`) {
			t.Errorf("the page lacks shape %s", name)
		}
		for field := range s.Properties {
			if !strings.Contains(text, "<code>"+field+"</code>") {
				t.Errorf("the page lacks %s of %s", field, name)
			}
		}
	}
}

// TestDocs_APIFileNamesEveryPath holds docs/API.md to the document, in both directions.
func TestDocs_APIFileNamesEveryPath(t *testing.T) {
	r := newRig(t, DefaultOptions())
	text, err := os.ReadFile("../docs/API.md")
	if err != nil {
		t.Fatal(err)
	}
	var written []string
	for _, m := range regexp.MustCompile("(?m)^### `([A-Z]+ [^`]+)`$").FindAllStringSubmatch(string(text), -1) {
		written = append(written, m[1])
	}
	var served []string
	for path, methods := range r.document().Paths {
		for method := range methods {
			served = append(served, strings.ToUpper(method)+" "+path)
		}
	}
	slices.Sort(written)
	slices.Sort(served)
	if !slices.Equal(written, served) {
		t.Errorf("docs/API.md describes\n%s\nserved are\n%s", strings.Join(written, "\n"), strings.Join(served, "\n"))
	}
	sections := strings.Split(string(text), "\n### `")
	for _, s := range sections[1:] {
		name, _, _ := strings.Cut(s, "`")
		if !strings.Contains(s, "    curl ") {
			t.Errorf("%s has no example", name)
		}
	}
	for path, methods := range r.document().Paths {
		for _, op := range methods {
			for _, p := range op.Parameters {
				if p.In == "query" && !regexp.MustCompile(`\b`+p.Name+`\b`).Match(text) {
					t.Errorf("parameter %s of %s is not described", p.Name, path)
				}
			}
		}
	}
}
