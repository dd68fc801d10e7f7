package web

import (
	"context"
	"reflect"

	"dvmrelay/index"
	"dvmrelay/nip90"
	"dvmrelay/store"

	"github.com/danielgtaylor/huma/v2"
)

func (s *Site) handlersAPI(api huma.API, lists tables) {
	huma.Register(api, operation("handlers", "/handlers", "NIP-89 announcements"), s.handlers)
	lists.add("/handlers", reflect.TypeFor[index.Handler]())
	huma.Register(api, operation("handler", "/handlers/{address}", "One announcement"), s.handlerOf)
}

type handlersInput struct {
	Paging
	Kind   int    `query:"kind" minimum:"0" maximum:"65535" doc:"A kind that it serves."`
	Online string `query:"online" enum:"true,false" doc:"Seen lately, or not."`
	Q      string `query:"q" maxLength:"200" doc:"Words that all occur in it."`
	Sort   string `query:"sort" enum:"answer_rate,first_result,price,seen,new,name,kind" doc:"Newest first when absent."`
}

func (s *Site) handlers(ctx context.Context, in *handlersInput) (*body[measuredList[index.Handler]], error) {
	q := index.HandlerQuery{
		Kind: in.Kind, Online: choice(in.Online), Q: in.Q, Sort: in.Sort, Cursor: in.Cursor, Limit: in.Limit, Now: s.d.Now().Unix(),
	}
	return measuredPage(ctx, s, func(r store.Reader) ([]index.Handler, string, error) {
		page, err := s.d.Index.Handlers(r, q)
		return page.Items, page.Next, err
	})
}

type handlerInput struct {
	Address string `path:"address" maxLength:"5000" doc:"31990:pubkey:d, with what a path needs escaped, or naddr."`
}

func (s *Site) handlerOf(ctx context.Context, in *handlerInput) (*body[index.Handler], error) {
	ref, err := nip90.ParseReference(in.Address)
	if err != nil || ref.Address == nil {
		return nil, huma.Error400BadRequest("address: names no announcement (naddr or kind:pubkey:d)")
	}
	var out body[index.Handler]
	err = s.one(ctx, func(r store.Reader) (ok bool, err error) {
		out.Body, ok, err = s.d.Index.Handler(r, *ref.Address)
		return ok, err
	}, func() error { return huma.Error404NotFound("no announcement with this address is held here") })
	return &out, err
}
