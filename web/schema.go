package web

import (
	"reflect"
	"strings"

	"dvmrelay/nip90"

	"github.com/danielgtaylor/huma/v2"
)

// hexID describes ids and keys in the OpenAPI document.
type hexID struct{}

// Schema implements huma.SchemaProvider.
func (hexID) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Pattern: "^[0-9a-f]{64}$"}
}

// aliases tell how ids and keys are written.
func aliases(schemas huma.Registry) {
	schemas.RegisterTypeAlias(reflect.TypeFor[nip90.ID](), reflect.TypeFor[hexID]())
	schemas.RegisterTypeAlias(reflect.TypeFor[nip90.PubKey](), reflect.TypeFor[hexID]())
}

// promise makes the document say what holds: lists are never null, objects may gain members, and what may be null is
// said to be.
func promise(schemas huma.Registry) {
	for name, schema := range schemas.Map() {
		schema.AdditionalProperties = true
		for _, property := range schema.Properties {
			if property.Type == huma.TypeArray {
				property.Nullable = false
			}
		}
		if t := schemas.TypeFromRef("#/components/schemas/" + name); t != nil {
			refine(schema, t)
		}
	}
}

// promiseParameters says of parameters what promise says of members.
func promiseParameters(doc *huma.OpenAPI) {
	for _, item := range doc.Paths {
		for _, op := range [...]*huma.Operation{item.Get, item.Post} {
			if op == nil {
				continue
			}
			for _, p := range op.Parameters {
				if p.Schema.Type == huma.TypeArray {
					p.Schema.Nullable = false
				}
			}
		}
	}
}

// refine corrects the members of one struct: a pointer that is always written may be null, and what is left out when
// zero is not required.
func refine(schema *huma.Schema, t reflect.Type) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return
	}
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Anonymous {
			refine(schema, f.Type)
			continue
		}
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		property := schema.Properties[name]
		if property == nil {
			continue
		}
		if strings.Contains(options, "omitempty") || strings.Contains(options, "omitzero") {
			schema.Required = without(schema.Required, name)
			continue
		}
		if f.Type.Kind() == reflect.Pointer && property.Ref != "" {
			schema.Properties[name] = &huma.Schema{
				AnyOf: []*huma.Schema{{Ref: property.Ref}, {Type: "null"}}, Description: property.Description,
			}
		}
	}
}

func without(list []string, name string) []string {
	out := make([]string, 0, len(list))
	for _, s := range list {
		if s != name {
			out = append(out, s)
		}
	}
	return out
}
