package web

import (
	"context"
	"net/http"
	"reflect"
	"slices"
	"time"

	"dvmrelay/index"
	"dvmrelay/nip90"
	"dvmrelay/store"

	"github.com/danielgtaylor/huma/v2"
)

// measuredSeconds is the window that providers and handlers are measured over.
const measuredSeconds = 30 * 86400

func (s *Site) providersAPI(api huma.API, lists tables) {
	huma.Register(api, operation("providers", "/providers", "Keys that announced a handler or answered a job"), s.providers)
	lists.add("/providers", reflect.TypeFor[index.ProviderHead]())
	huma.Register(api, operation("provider", "/providers/{key}", "One provider: its announcements, and what it really did"), s.provider)
	huma.Register(api, operation("check", "/providers/{key}/check", "What a provider may look after, with evidence"), s.check)
	up := operation("up", "/providers/{key}/up", "Whether a provider seems to be running: 200 or 503")
	up.Errors = slices.DeleteFunc(up.Errors, func(status int) bool { return status == http.StatusServiceUnavailable })
	schemas := api.OpenAPI().Components.Schemas
	up.Responses = map[string]*huma.Response{"503": {
		Description: "It does not seem to be running; or, as a problem, this relay is busy",
		Content: map[string]*huma.MediaType{
			"application/json":         {Schema: schemas.Schema(reflect.TypeFor[index.Up](), true, "Up")},
			"application/problem+json": {Schema: schemas.Schema(reflect.TypeFor[huma.ErrorModel](), true, "ErrorModel")},
		},
	}}
	huma.Register(api, up, s.up)
	huma.Register(api, operation("kinds", "/kinds", "Demand for each kind beside its supply, most requests first"), s.kinds)
	lists.add("/kinds", reflect.TypeFor[index.KindHead]())
	huma.Register(api, operation("kind", "/kinds/{kind}", "One kind: its history, and who serves it"), s.kind)
}

// Heard says how much of a window was listened to.
type Heard struct {
	Since         int64            `json:"since"`
	Until         int64            `json:"until"`
	ObservedSince int64            `json:"observed_since" doc:"Since when this relay listens; 0 = unknown."`
	Coverage      []index.Coverage `json:"coverage" doc:"How much of the window each source was heard."`
	Gaps          []index.Gap      `json:"gaps" doc:"Stretches of the window in which a source was not heard."`
}

func (s *Site) heard(since, until int64) Heard {
	st := s.d.Index.Heard(since, until)
	return Heard{Since: since, Until: until, ObservedSince: st.ObservedSince, Coverage: st.Coverage, Gaps: st.Gaps}
}

// measured is the window that providers and handlers are measured over now.
func (s *Site) measured() Heard {
	now := s.d.Now().Unix()
	return s.heard(now-measuredSeconds, now)
}

// measuredList is a page of what was measured.
type measuredList[T any] struct {
	Items []T    `json:"items" nullable:"false"`
	Next  string `json:"next_cursor,omitempty" doc:"Give it as cursor to read on."`
	Heard Heard  `json:"heard" doc:"The window of what is measured, and how much of it was listened to."`
}

type providersInput struct {
	Paging
	Kind   int    `query:"kind" minimum:"0" maximum:"65535" doc:"A kind that it announced or answered lately."`
	Online string `query:"online" enum:"true,false" doc:"Sends heartbeats now, or not."`
	Q      string `query:"q" maxLength:"200" doc:"Words that all occur in its profile, its key or its announcements."`
	Sort   string `query:"sort" enum:"answer_rate,first_result,price,seen,new,name,kind" doc:"Newest first when absent."`
}

func (s *Site) providers(ctx context.Context, in *providersInput) (*body[measuredList[index.ProviderHead]], error) {
	q := index.ProviderQuery{
		Kind: in.Kind, Online: choice(in.Online), Q: in.Q, Sort: in.Sort, Cursor: in.Cursor, Limit: in.Limit, Now: s.d.Now().Unix(),
	}
	return measuredPage(ctx, s, func(r store.Reader) ([]index.ProviderHead, string, error) {
		page, err := s.d.Index.ProviderPage(r, q)
		return page.Items, page.Next, err
	})
}

// measuredPage reads a page and the window that it was measured in from one view.
func measuredPage[T any](ctx context.Context, s *Site, read func(store.Reader) ([]T, string, error)) (*body[measuredList[T]], error) {
	var out body[measuredList[T]]
	err := s.view(ctx, func(r store.Reader) error {
		items, next, err := read(r)
		if err != nil {
			return err
		}
		out.Body.Items, out.Body.Next = listed(items, next).Body.Items, next
		out.Body.Heard = s.measured()
		return err
	})
	if err != nil {
		return nil, s.failed(err)
	}
	return &out, nil
}

type providerInput struct {
	Key string `path:"key" maxLength:"5000" doc:"hex, npub or nprofile."`
}

// ofProvider reads something of a key that a person gave.
func (s *Site) ofProvider(ctx context.Context, key string, fn func(store.Reader, nip90.PubKey) (bool, error)) error {
	pk, err := parsedKey("key", key)
	if err != nil {
		return err
	}
	if pk.IsZero() {
		return huma.Error400BadRequest("key: is no public key (hex, npub or nprofile)")
	}
	return s.one(ctx, func(r store.Reader) (bool, error) { return fn(r, pk) }, func() error {
		return huma.Error404NotFound("this key never announced a handler nor answered a job here")
	})
}

// ProviderView is one provider, and how much of the window it is measured over was listened to.
type ProviderView struct {
	index.ProviderDetail
	Heard Heard `json:"heard"`
}

func (s *Site) provider(ctx context.Context, in *providerInput) (*body[ProviderView], error) {
	var out body[ProviderView]
	err := s.ofProvider(ctx, in.Key, func(r store.Reader, pk nip90.PubKey) (ok bool, err error) {
		if out.Body.ProviderDetail, ok, err = s.d.Index.Provider(r, pk); err == nil && ok {
			out.Body.Heard = s.measured()
		}
		return ok, err
	})
	return &out, err
}

// CheckupView is what a provider may look after, and how much of the window it is measured over was listened to.
type CheckupView struct {
	index.Checkup
	Heard Heard `json:"heard"`
}

func (s *Site) check(ctx context.Context, in *providerInput) (*body[CheckupView], error) {
	var out body[CheckupView]
	err := s.ofProvider(ctx, in.Key, func(r store.Reader, pk nip90.PubKey) (ok bool, err error) {
		if out.Body.Checkup, ok, err = s.d.Index.Checkup(r, pk); err == nil && ok {
			out.Body.Heard = s.measured()
		}
		return ok, err
	})
	return &out, err
}

// providerChecked is provider and check of one look.
func (s *Site) providerChecked(ctx context.Context, in *providerInput) (*ProviderView, *CheckupView, error) {
	var one ProviderView
	var two CheckupView
	err := s.ofProvider(ctx, in.Key, func(r store.Reader, pk nip90.PubKey) (ok bool, err error) {
		if one.ProviderDetail, two.Checkup, ok, err = s.d.Index.ProviderChecked(r, pk); err == nil && ok {
			one.Heard = s.measured()
			two.Heard = one.Heard
		}
		return ok, err
	})
	return &one, &two, err
}

type upOutput struct {
	Status int
	Body   index.Up
}

func (s *Site) up(ctx context.Context, in *providerInput) (*upOutput, error) {
	out := &upOutput{Status: http.StatusOK}
	err := s.ofProvider(ctx, in.Key, func(r store.Reader, pk nip90.PubKey) (ok bool, err error) {
		out.Body, err = s.d.Index.Up(r, pk)
		return true, err
	})
	if !out.Body.Up {
		out.Status = http.StatusServiceUnavailable
	}
	return out, err
}

type kindsInput struct {
	Window
	Limit  int    `query:"limit" minimum:"1" maximum:"200" default:"200" doc:"Kinds in the answer; more says that there are others."`
	Format string `query:"format" enum:"json,csv" doc:"As Accept: text/csv does, csv gives a table."`
}

// query is the window of kinds: 30 days when none is asked for.
func (w Window) query(now time.Time) (q index.KindQuery, name string, err error) {
	if w.Window == "" && w.Since == 0 && w.Until == 0 {
		w.Window = "30d"
	}
	q.Now = now.Unix()
	q.Since, q.Until, name, err = w.bounds(now)
	// A beginning of 0 stands for none there.
	q.Since = max(q.Since, 1)
	return q, name, err
}

// Kinds are the kinds of a window.
type Kinds struct {
	Window string           `json:"window,omitempty"`
	Items  []index.KindHead `json:"items"`
	More   bool             `json:"more,omitempty" doc:"There are others, with fewer requests."`
	Heard
}

func (s *Site) kinds(ctx context.Context, in *kindsInput) (*body[Kinds], error) {
	q, name, err := in.query(s.d.Now())
	if err != nil {
		return nil, err
	}
	q.Limit = in.Limit
	var page index.KindPage
	out := body[Kinds]{Kinds{Window: name}}
	err = s.view(ctx, func(r store.Reader) (err error) {
		if page, err = s.d.Index.Kinds(r, q); err == nil {
			out.Body.Heard = s.heard(q.Since, q.Until)
		}
		return err
	})
	if err != nil {
		return nil, s.failed(err)
	}
	out.Body.Items, out.Body.More = page.Items, page.More
	return &out, nil
}

type kindInput struct {
	Window
	Kind int `path:"kind" minimum:"0" maximum:"65535" doc:"Kind of the request."`
}

func (s *Site) kind(ctx context.Context, in *kindInput) (*body[index.KindDetail], error) {
	q, _, err := in.query(s.d.Now())
	if err != nil {
		return nil, err
	}
	var out body[index.KindDetail]
	err = s.one(ctx, func(r store.Reader) (ok bool, err error) {
		out.Body, ok, err = s.d.Index.KindDetail(r, in.Kind, q)
		return ok, err
	}, func() error { return huma.Error404NotFound("this kind was neither asked for nor announced here") })
	return &out, err
}
