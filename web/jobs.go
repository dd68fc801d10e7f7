package web

import (
	"context"
	"net/http"
	"reflect"
	"slices"

	"dvmrelay/index"
	"dvmrelay/nip90"
	"dvmrelay/store"

	"github.com/danielgtaylor/huma/v2"
)

func (s *Site) jobsAPI(api huma.API, lists tables) {
	huma.Register(api, operation("jobs", "/jobs", "Jobs, newest first"), s.jobs)
	lists.add("/jobs", reflect.TypeFor[index.Thread]())
	huma.Register(api, unseenOperation(api, operation("job", "/jobs/{id}", "One job, from any id in it")), s.job)
	huma.Register(api, unseenOperation(api, operation("graph", "/jobs/{id}/graph", "One job as a graph")), s.graph)
}

// unseenOperation describes an operation whose 404 says more than that.
func unseenOperation(api huma.API, op huma.Operation) huma.Operation {
	op.Errors = slices.DeleteFunc(op.Errors, func(status int) bool { return status == http.StatusNotFound })
	op.Responses = map[string]*huma.Response{"404": {
		Description: "Never seen here, and what was listened to meanwhile",
		Content: map[string]*huma.MediaType{"application/problem+json": {
			Schema: api.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[unseen](), true, "Unseen"),
		}},
	}}
	return op
}

type jobsInput struct {
	Paging
	State     string `query:"state" enum:"open,unanswered,processing,payment-required,partial,error,success,cancelled,expired,stalled"`
	Payment   string `query:"payment" enum:"none,asked,invoice-expired,claimed,mismatch,undelivered,refunded"`
	Kind      int    `query:"kind" minimum:"0" maximum:"65535" doc:"Kind of the request."`
	Provider  string `query:"provider" maxLength:"5000" doc:"A key that answered: hex, npub or nprofile."`
	Customer  string `query:"customer" maxLength:"5000" doc:"The key that asked: hex, npub or nprofile."`
	For       string `query:"for" maxLength:"5000" doc:"What this provider could answer, unanswered first: hex, npub or nprofile."`
	Encrypted string `query:"encrypted" enum:"true,false" doc:"Encrypted jobs, or those in the open."`
	Q         string `query:"q" maxLength:"200" doc:"Words that all occur in the input, as far as inputs are shown here."`
	Since     int64  `query:"since" minimum:"0" doc:"Asked at or after."`
	Until     int64  `query:"until" minimum:"0" doc:"Asked at or before."`
}

func (s *Site) jobs(ctx context.Context, in *jobsInput) (*body[list[index.Thread]], error) {
	if in.Q != "" && s.o.Inputs == InputsHide {
		return nil, huma.Error400BadRequest("q: inputs are hidden here")
	}
	q := index.ThreadQuery{
		State: in.State, Payment: in.Payment, Kind: in.Kind, Since: in.Since, Until: in.Until, Text: in.Q,
		Encrypted: choice(in.Encrypted), Cursor: in.Cursor, Limit: in.Limit, Now: s.d.Now().Unix(),
	}
	for _, key := range []struct {
		name, text string
		to         *nip90.PubKey
	}{{"provider", in.Provider, &q.Provider}, {"customer", in.Customer, &q.Customer}, {"for", in.For, &q.For}} {
		var err error
		if *key.to, err = parsedKey(key.name, key.text); err != nil {
			return nil, err
		}
	}
	page, err := s.threads(ctx, q)
	if err != nil {
		return nil, s.failed(err)
	}
	return listed(page.Items, page.Next), nil
}

// choice reads true, false or nothing.
func choice(text string) *bool {
	if text == "" {
		return nil
	}
	yes := text == "true"
	return &yes
}

func (s *Site) threads(ctx context.Context, q index.ThreadQuery) (page index.ThreadPage, err error) {
	err = s.view(ctx, func(r store.Reader) error {
		page, err = s.d.Index.Threads(r, q)
		return err
	})
	for i := range page.Items {
		s.veil(&page.Items[i])
	}
	return page, err
}

type jobInput struct {
	ID string `path:"id" maxLength:"5000" doc:"Any event of the job: hex, note or nevent."`
}

// inThread reads something of the thread that an id belongs to.
func (s *Site) inThread(ctx context.Context, id string, fn func(store.Reader, nip90.ID) (bool, error)) error {
	event, err := parsedID(id)
	if err != nil {
		return err
	}
	return s.one(ctx, func(r store.Reader) (bool, error) { return fn(r, event) }, func() error {
		return s.unseen("no job with this event was seen here")
	})
}

func (s *Site) job(ctx context.Context, in *jobInput) (*body[index.Thread], error) {
	var t index.Thread
	err := s.inThread(ctx, in.ID, func(r store.Reader, id nip90.ID) (ok bool, err error) {
		t, ok, err = s.d.Index.Thread(r, id)
		return ok, err
	})
	if err != nil {
		return nil, err
	}
	s.veil(&t)
	return &body[index.Thread]{t}, nil
}

func (s *Site) graph(ctx context.Context, in *jobInput) (*body[index.Graph], error) {
	var g index.Graph
	err := s.inThread(ctx, in.ID, func(r store.Reader, id nip90.ID) (ok bool, err error) {
		g, ok, err = s.d.Index.Graph(r, id)
		return ok, err
	})
	if err != nil {
		return nil, err
	}
	return &body[index.Graph]{g}, nil
}
