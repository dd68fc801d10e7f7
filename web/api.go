package web

import (
	"context"
	"net/http"
	"reflect"
	"time"

	"dvmrelay/index"
	"dvmrelay/nip90"
	"dvmrelay/store"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
)

const apiPrefix = "/api/v1"

// api adds the API and its OpenAPI document.
func (s *site) api(mux *http.ServeMux) {
	inner := http.NewServeMux()
	config := huma.DefaultConfig("dvmrelay", s.d.Version)
	config.Info.Description = "What this relay heard of Nostr Data Vending Machines (NIP-90). Times are unix seconds, amounts " +
		"millisatoshi; a payment seen is a claim, not a proof."
	config.DocsPath = "" // its page would load a script from another host
	config.SchemasPath = ""
	config.CreateHooks = nil // no $schema member in every answer
	config.Formats = map[string]huma.Format{"application/json": huma.DefaultJSONFormat, "json": huma.DefaultJSONFormat}
	config.Components.Schemas.RegisterTypeAlias(reflect.TypeFor[nip90.ID](), reflect.TypeFor[hexID]())
	config.Components.Schemas.RegisterTypeAlias(reflect.TypeFor[nip90.PubKey](), reflect.TypeFor[hexID]())
	api := humago.New(inner, config)

	huma.Register(api, operation("jobs", "/jobs", "Jobs, newest first"), s.jobs)
	huma.Register(api, s.jobOperation(config.Components.Schemas), s.job)
	huma.Register(api, operation("handlers", "/handlers", "NIP-89 announcements"), s.handlers)
	huma.Register(api, operation("stats", "/stats", "Counts over a window of time"), s.stats)
	huma.Register(api, operation("upstreams", "/upstreams", "The relays this one listens to"), s.upstreams)

	promise(config.Components.Schemas)

	inner.HandleFunc("/api/", func(w http.ResponseWriter, _ *http.Request) {
		problem(w, http.StatusNotFound, "no such path; /openapi.json lists them")
	})
	mux.Handle("/api/", tagged(inner))
	mux.Handle("/openapi.json", tagged(inner))
}

// promise makes the document say what holds: lists are never null, and objects may gain members.
func promise(schemas huma.Registry) {
	for _, schema := range schemas.Map() {
		schema.AdditionalProperties = true
		for _, property := range schema.Properties {
			if property.Type == huma.TypeArray {
				property.Nullable = false
			}
		}
	}
}

func operation(id, path, summary string) huma.Operation {
	return huma.Operation{
		OperationID: id, Method: http.MethodGet, Path: apiPrefix + path, Summary: summary,
		Errors: []int{http.StatusBadRequest, http.StatusNotFound, http.StatusUnprocessableEntity, http.StatusServiceUnavailable},
	}
}

// jobOperation describes the one operation whose 404 says more than that.
func (s *site) jobOperation(schemas huma.Registry) huma.Operation {
	op := operation("job", "/jobs/{id}", "One job, from any id in it")
	op.Responses = map[string]*huma.Response{"404": {
		Description: "Never seen here, and what was listened to meanwhile",
		Content:     map[string]*huma.MediaType{"application/problem+json": {Schema: schemas.Schema(reflect.TypeFor[unseen](), true, "Unseen")}},
	}}
	return op
}

// hexID describes ids and keys in the OpenAPI document.
type hexID struct{}

// Schema implements huma.SchemaProvider.
func (hexID) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Pattern: "^[0-9a-f]{64}$"}
}

type body[T any] struct{ Body T }

// list is a page of anything.
type list[T any] struct {
	Items []T    `json:"items" nullable:"false"`
	Next  string `json:"next_cursor,omitempty" doc:"Give it as cursor to read on."`
}

// Paging is what every list takes.
type Paging struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"200" default:"50" doc:"Items on a page."`
	Cursor string `query:"cursor" maxLength:"1024" doc:"next_cursor of the page before."`
}

type jobsInput struct {
	Paging
	State    string `query:"state" enum:"open,unanswered,processing,payment-required,partial,error,success,cancelled,expired,stalled"`
	Payment  string `query:"payment" enum:"none,asked,invoice-expired,claimed,mismatch,undelivered,refunded"`
	Kind     int    `query:"kind" minimum:"0" maximum:"65535" doc:"Kind of the request."`
	Provider string `query:"provider" maxLength:"5000" doc:"A key that answered: hex, npub or nprofile."`
	Customer string `query:"customer" maxLength:"5000" doc:"The key that asked: hex, npub or nprofile."`
	For      string `query:"for" maxLength:"5000" doc:"What this provider could answer, unanswered first: hex, npub or nprofile."`
	Since    int64  `query:"since" minimum:"0" doc:"Asked at or after."`
	Until    int64  `query:"until" minimum:"0" doc:"Asked at or before."`
}

func (s *site) jobs(ctx context.Context, in *jobsInput) (*body[list[index.Thread]], error) {
	q := index.ThreadQuery{
		State: in.State, Payment: in.Payment, Kind: in.Kind, Since: in.Since, Until: in.Until,
		Cursor: in.Cursor, Limit: in.Limit, Now: s.d.Now().Unix(),
	}
	for _, key := range []struct {
		name, text string
		to         *nip90.PubKey
	}{{"provider", in.Provider, &q.Provider}, {"customer", in.Customer, &q.Customer}, {"for", in.For, &q.For}} {
		if key.text == "" {
			continue
		}
		ref, err := nip90.ParseReference(key.text)
		if err != nil || ref.PubKey.IsZero() {
			return nil, huma.Error400BadRequest(key.name + ": is no public key (hex, npub or nprofile)")
		}
		*key.to = ref.PubKey
	}
	page, err := s.threads(ctx, q)
	if err != nil {
		return nil, s.failed(err)
	}
	return &body[list[index.Thread]]{list[index.Thread]{Items: page.Items, Next: page.Next}}, nil
}

func (s *site) threads(ctx context.Context, q index.ThreadQuery) (page index.ThreadPage, err error) {
	err = s.view(ctx, func(r store.Reader) error {
		page, err = s.d.Index.Threads(r, q)
		return err
	})
	if page.Items == nil {
		page.Items = []index.Thread{}
	}
	for i := range page.Items {
		s.veil(&page.Items[i])
	}
	return page, err
}

// veil hides the inputs of a job as Options.Inputs says.
func (s *site) veil(t *index.Thread) {
	if s.o.Inputs != InputsHide {
		return
	}
	t.Summary = ""
	for i := range t.Events {
		if t.Events[i].Role == nip90.RoleRequest.String() {
			t.Events[i].Event = nil
		}
	}
}

type jobInput struct {
	ID string `path:"id" maxLength:"5000" doc:"Any event of the job: hex, note or nevent."`
}

func (s *site) job(ctx context.Context, in *jobInput) (*body[index.Thread], error) {
	ref, err := nip90.ParseReference(in.ID)
	if err != nil || ref.ID.IsZero() {
		return nil, huma.Error400BadRequest("id: names no event (hex, note or nevent)")
	}
	var t index.Thread
	var ok bool
	err = s.view(ctx, func(r store.Reader) error {
		t, ok, err = s.d.Index.Thread(r, ref.ID)
		return err
	})
	switch {
	case err != nil:
		return nil, s.failed(err)
	case !ok:
		return nil, s.unseen("no job with this event was seen here")
	}
	s.veil(&t)
	return &body[index.Thread]{t}, nil
}

type handlersInput struct {
	Paging
	Kind   int    `query:"kind" minimum:"0" maximum:"65535" doc:"A kind that it serves."`
	Online string `query:"online" enum:"true,false" doc:"Seen lately, or not."`
	Q      string `query:"q" maxLength:"200" doc:"Words that all occur in it."`
	Sort   string `query:"sort" enum:"name,kind" doc:"Newest first when absent."`
}

func (s *site) handlers(ctx context.Context, in *handlersInput) (*body[list[index.Handler]], error) {
	q := index.HandlerQuery{Kind: in.Kind, Q: in.Q, Sort: in.Sort, Cursor: in.Cursor, Limit: in.Limit, Now: s.d.Now().Unix()}
	if in.Online != "" {
		online := in.Online == "true"
		q.Online = &online
	}
	var page index.HandlerPage
	err := s.view(ctx, func(r store.Reader) (err error) {
		page, err = s.d.Index.Handlers(r, q)
		return err
	})
	if err != nil {
		return nil, s.failed(err)
	}
	if page.Items == nil {
		page.Items = []index.Handler{}
	}
	return &body[list[index.Handler]]{list[index.Handler]{Items: page.Items, Next: page.Next}}, nil
}

type statsInput struct {
	Window string `query:"window" enum:"1h,24h,7d,30d,all" doc:"24h when neither window nor since is given."`
	Since  int64  `query:"since" minimum:"0" doc:"In place of window."`
	Until  int64  `query:"until" minimum:"0" doc:"Now when absent."`
}

// Stats are counts over a window of time.
type Stats struct {
	Window string `json:"window,omitempty"`
	index.Stats
}

func (s *site) stats(ctx context.Context, in *statsInput) (*body[Stats], error) {
	now := s.d.Now()
	if in.Window != "" && (in.Since != 0 || in.Until != 0) {
		return nil, huma.Error400BadRequest("window: stands in place of since and until, not beside them")
	}
	since, until := in.Since, in.Until
	if until == 0 {
		until = now.Unix()
	}
	if in.Since == 0 && in.Until == 0 {
		if in.Window == "" {
			in.Window = "24h"
		}
		since = windowStart(in.Window, now)
	}
	if since > until {
		return nil, huma.Error400BadRequest("since: must not be later than until")
	}
	var st index.Stats
	err := s.view(ctx, func(r store.Reader) (err error) {
		st, err = s.d.Index.Stats(r, since, until, now.Unix())
		return err
	})
	if err != nil {
		return nil, s.failed(err)
	}
	return &body[Stats]{Stats{Window: in.Window, Stats: st}}, nil
}

func windowStart(window string, now time.Time) int64 {
	span := map[string]time.Duration{"1h": time.Hour, "24h": 24 * time.Hour, "7d": 7 * 24 * time.Hour, "30d": 30 * 24 * time.Hour}[window]
	if span == 0 {
		return 0
	}
	return now.Add(-span).Unix()
}

func (s *site) upstreams(context.Context, *struct{}) (*body[list[Upstream]], error) {
	items := s.d.Upstreams()
	if items == nil {
		items = []Upstream{}
	}
	for i := range items {
		if items[i].Rejected == nil {
			items[i].Rejected = map[string]uint64{}
		}
	}
	return &body[list[Upstream]]{list[Upstream]{Items: items}}, nil
}
