package web

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// docPage is the OpenAPI document as a page shows it.
type docPage struct {
	Name, Version, About string
	Operations           []docOperation
	Shapes               []docShape
}

type docOperation struct {
	ID, Method, Path    string
	Summary, About      string
	Params              []docParam
	Body                string
	Answers             []docAnswer
	Example, ExampleOut string
}

type docParam struct {
	Name, In, Type, About string
	Required              bool
}

type docAnswer struct {
	Status, About string
	Types         []docType
}

// docType is a media type and what is in it; Shape is the name of a shape of the page, or empty.
type docType struct{ Name, Text, Shape string }

type docShape struct {
	Name   string
	Fields []docField
}

type docField struct {
	Name, About string
	Type        docType
	Required    bool
}

// docsScreen is the page that describes the API: the OpenAPI document itself, for people. It is made once.
func (s *Site) docsScreen() *screen {
	return &screen{
		path: "/docs", file: "docs.html", api: openapi,
		load: s.described("The HTTP API", "Every path of the HTTP API, with its parameters."),
	}
}

// shapesScreen is what the answers of the API are made of.
func (s *Site) shapesScreen() *screen {
	return &screen{
		path: "/docs/shapes", file: "shapes.html", api: openapi,
		load: s.described("Shapes of the HTTP API", "What the answers of the HTTP API are made of."),
	}
}

func openapi(*visit) string { return openapiPath }

func (s *Site) described(title, about string) func(context.Context, *visit) (*sheet, error) {
	return func(context.Context, *visit) (*sheet, error) {
		return &sheet{Title: title, About: about, Data: s.doc}, nil
	}
}

func describe(name string, doc *huma.OpenAPI) *docPage {
	page := &docPage{Name: name, Version: doc.Info.Version, About: doc.Info.Description}
	for path, item := range doc.Paths {
		for _, op := range [...]*huma.Operation{item.Get, item.Post} {
			if op != nil {
				page.Operations = append(page.Operations, describeOperation(doc, path, op))
			}
		}
	}
	slices.SortFunc(page.Operations, func(a, b docOperation) int { return cmp.Compare(a.Path, b.Path) })
	for name, schema := range doc.Components.Schemas.Map() {
		page.Shapes = append(page.Shapes, docShape{name, fields(schema)})
	}
	slices.SortFunc(page.Shapes, func(a, b docShape) int { return cmp.Compare(a.Name, b.Name) })
	return page
}

func describeOperation(doc *huma.OpenAPI, path string, op *huma.Operation) docOperation {
	d := docOperation{ID: op.OperationID, Method: op.Method, Path: path, Summary: op.Summary, About: op.Description}
	for _, p := range op.Parameters {
		about := p.Description
		if about == "" && p.Schema != nil {
			about = p.Schema.Description
		}
		d.Params = append(d.Params, docParam{p.Name, p.In, typeOf(p.Schema).Text, about, p.Required})
	}
	if op.RequestBody != nil {
		for kind, m := range op.RequestBody.Content {
			d.Body = kind + ": " + m.Schema.Description
		}
	}
	for status, r := range op.Responses {
		a := docAnswer{Status: status, About: r.Description}
		for kind, m := range r.Content {
			t := typeOf(m.Schema)
			t.Name = kind
			a.Types = append(a.Types, t)
			if status == "200" && kind == "application/json" {
				d.ExampleOut = example(doc.Components.Schemas, m.Schema)
			}
		}
		slices.SortFunc(a.Types, func(a, b docType) int { return cmp.Compare(a.Name, b.Name) })
		d.Answers = append(d.Answers, a)
	}
	slices.SortFunc(d.Answers, func(a, b docAnswer) int { return cmp.Compare(a.Status, b.Status) })
	d.Example = request(path, op)
	return d
}

// request is an operation as a command.
func request(path string, op *huma.Operation) string {
	for name, value := range map[string]string{
		"{id}": strings.Repeat("ab", 32), "{key}": strings.Repeat("cd", 32), "{address}": "31990:" + strings.Repeat("cd", 32) + ":my-service", "{kind}": "5050",
	} {
		path = strings.ReplaceAll(path, name, value)
	}
	query := map[string]string{
		"jobs": "?state=unanswered&kind=5050", "handlers": "?kind=5050&online=true", "stats": "?window=7d&exclude_kind=5300",
		"stream": "?topics=job,provider&kind=5050", "export": "?since=1700000000&kind=31990", "providers": "?sort=answer_rate", "kinds": "?window=7d",
	}[op.OperationID]
	switch {
	case op.Method == http.MethodPost:
		return "curl --data @event.json HOST" + path
	case op.OperationID == "stream":
		return "curl -N 'HOST" + path + query + "'"
	}
	return "curl 'HOST" + path + query + "'"
}

// typeOf describes a schema in a few words.
func typeOf(s *huma.Schema) docType {
	if s == nil {
		return docType{}
	}
	switch {
	case s.Ref != "":
		name := s.Ref[strings.LastIndexByte(s.Ref, '/')+1:]
		return docType{Text: name, Shape: name}
	case len(s.AnyOf) > 0:
		t := typeOf(s.AnyOf[0])
		t.Text += " or null"
		return t
	case s.Type == huma.TypeArray:
		t := typeOf(s.Items)
		t.Text = "list of " + cmp.Or(t.Text, "anything")
		return t
	case len(s.Enum) > 0:
		words := make([]string, len(s.Enum))
		for i, v := range s.Enum {
			words[i] = fmt.Sprint(v)
		}
		return docType{Text: strings.Join(words, " | ")}
	case s.Pattern == "^[0-9a-f]{64}$":
		return docType{Text: "64 hex characters"}
	case s.Type == "":
		return docType{Text: "anything"}
	}
	text := s.Type
	if m, ok := s.AdditionalProperties.(*huma.Schema); ok {
		text = "object of " + typeOf(m).Text
	}
	if s.Minimum != nil && s.Maximum != nil {
		text += fmt.Sprintf(", %.0f to %.0f", *s.Minimum, *s.Maximum)
	}
	if s.Default != nil {
		text += fmt.Sprintf(", default %v", s.Default)
	}
	if s.Nullable {
		text += " or null"
	}
	return docType{Text: text}
}

func fields(s *huma.Schema) (out []docField) {
	for name, p := range s.Properties {
		out = append(out, docField{name, p.Description, typeOf(p), slices.Contains(s.Required, name)})
	}
	slices.SortFunc(out, func(a, b docField) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

// example is a value of a schema.
func example(schemas huma.Registry, s *huma.Schema) string {
	b, err := json.MarshalIndent(sample(schemas, s, "", 0), "", "  ")
	if err != nil {
		return ""
	}
	return string(b)
}

func sample(schemas huma.Registry, s *huma.Schema, name string, depth int) any {
	for s.Ref != "" {
		s = schemas.SchemaFromRef(s.Ref)
	}
	if len(s.AnyOf) > 0 {
		return sample(schemas, s.AnyOf[0], name, depth)
	}
	switch {
	case len(s.Enum) > 0:
		return s.Enum[0]
	case s.Pattern == "^[0-9a-f]{64}$":
		return strings.Repeat("ab", 32)
	}
	switch s.Type {
	case huma.TypeArray:
		if depth > 3 {
			return []any{}
		}
		return []any{sample(schemas, s.Items, strings.TrimSuffix(name, "s"), depth+1)}
	case huma.TypeObject:
		out := map[string]any{}
		for name, p := range s.Properties {
			out[name] = sample(schemas, p, name, depth+1)
		}
		return out
	case huma.TypeBoolean:
		return false
	case huma.TypeNumber:
		return 0.71
	case huma.TypeInteger:
		return sampleNumber(name)
	case huma.TypeString:
		return sampleText(name)
	}
	return map[string]any{}
}

func sampleNumber(name string) int {
	switch {
	case strings.HasSuffix(name, "_msat") || name == "msat":
		return 2000
	case strings.HasSuffix(name, "_at") || strings.HasSuffix(name, "since") || name == "until" || name == "at" || name == "now":
		return 1_700_000_000
	case name == "kind":
		return 5050
	}
	return 1
}

func sampleText(name string) string {
	switch name {
	case "pubkey", "customer", "provider", "addresse", "addressed":
		return strings.Repeat("cd", 32)
	case "url", "relay":
		return "wss://relay.example"
	case "address", "handler":
		return "31990:" + strings.Repeat("cd", 32) + ":my-service"
	}
	return "…"
}
