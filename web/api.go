package web

import (
	"net/http"
	"strings"

	"dvmrelay/nip90"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
)

const (
	apiPrefix   = "/api/v1"
	openapiPath = "/openapi.json"
)

// The paths whose answers have no end that could be waited for.
const (
	streamPath = apiPrefix + "/stream"
	exportPath = apiPrefix + "/export"
	lintPath   = apiPrefix + "/lint"
)

// api adds the API, its OpenAPI document and the page made of it.
func (s *Site) api(mux *http.ServeMux) {
	inner := http.NewServeMux()
	config := huma.DefaultConfig("dvmrelay", s.d.Version)
	config.Info.Description = "What this relay heard of Nostr Data Vending Machines (NIP-90). Times are unix seconds, amounts " +
		"millisatoshi; a payment seen is a claim, not a proof."
	config.DocsPath = "" // its page would load a script from another host
	config.SchemasPath = ""
	config.CreateHooks = nil // no $schema member in every answer
	config.Formats = map[string]huma.Format{"application/json": huma.DefaultJSONFormat, "json": huma.DefaultJSONFormat}
	aliases(config.Components.Schemas)
	api := humago.New(inner, config)

	lists := tables{}
	s.jobsAPI(api, lists)
	s.handlersAPI(api, lists)
	s.providersAPI(api, lists)
	s.statsAPI(api, lists)
	s.eventsAPI(api)
	s.streamAPI(api)

	promise(config.Components.Schemas)
	promiseParameters(api.OpenAPI())
	lists.describe(api.OpenAPI())

	inner.HandleFunc("/api/", func(w http.ResponseWriter, _ *http.Request) {
		problem(w, http.StatusNotFound, "no such path; /docs describes them and /openapi.json lists them")
	})
	answers := tagged(lists.serve(inner))
	mux.Handle("/api/", answers)
	mux.Handle(openapiPath, answers)
	s.answers, s.doc = answers, describe(s.d.Name, api.OpenAPI())
}

// operation is what all reading operations have in common.
func operation(id, path, summary string) huma.Operation {
	return huma.Operation{
		OperationID: id, Method: http.MethodGet, Path: apiPrefix + path, Summary: summary,
		Errors: []int{http.StatusBadRequest, http.StatusNotFound, http.StatusUnprocessableEntity, http.StatusServiceUnavailable},
	}
}

type body[T any] struct{ Body T }

// list is a page of anything.
type list[T any] struct {
	Items []T    `json:"items" nullable:"false"`
	Next  string `json:"next_cursor,omitempty" doc:"Give it as cursor to read on."`
}

func listed[T any](items []T, next string) *body[list[T]] {
	if items == nil {
		items = []T{}
	}
	return &body[list[T]]{list[T]{Items: items, Next: next}}
}

// Paging is what every list takes.
type Paging struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"200" default:"50" doc:"Items on a page."`
	Cursor string `query:"cursor" maxLength:"1024" doc:"next_cursor of the page before."`
	Format string `query:"format" enum:"json,csv" doc:"As Accept: text/csv does, csv gives a table."`
}

// parsedKey reads a key that a person gave; zero for none.
func parsedKey(name, text string) (nip90.PubKey, error) {
	if text == "" {
		return nip90.PubKey{}, nil
	}
	ref, err := nip90.ParseReference(text)
	if err != nil || ref.PubKey.IsZero() || ref.Address != nil || !ref.Hex && !ref.ID.IsZero() {
		return nip90.PubKey{}, huma.Error400BadRequest(name + ": is no public key (hex, npub or nprofile)")
	}
	return ref.PubKey, nil
}

// parsedID reads the id of an event that a person gave.
func parsedID(text string) (nip90.ID, error) {
	ref, err := nip90.ParseReference(text)
	if err != nil || ref.ID.IsZero() {
		return nip90.ID{}, huma.Error400BadRequest("id: names no event (hex, note or nevent)")
	}
	return ref.ID, nil
}

// parsedKinds reads kinds that are repeated or joined by commas.
func parsedKinds(name string, texts []string) ([]int, error) {
	var kinds []int
	for _, text := range texts {
		for _, one := range strings.Split(text, ",") {
			kind, ok := number(strings.TrimSpace(one))
			if !ok {
				return nil, huma.Error400BadRequest(name + ": is no kind between 0 and 65535")
			}
			if kinds = append(kinds, kind); len(kinds) > maxKinds {
				return nil, huma.Error400BadRequest(name + ": names too many kinds")
			}
		}
	}
	return kinds, nil
}

// maxKinds bounds the kinds of one request.
const maxKinds = 200

func number(text string) (n int, ok bool) {
	if text == "" || len(text) > 5 {
		return 0, false
	}
	for _, c := range text {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = 10*n + int(c-'0')
	}
	return n, n <= 65535
}
