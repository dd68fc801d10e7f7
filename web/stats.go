package web

import (
	"context"
	"reflect"
	"time"

	"dvmrelay/index"
	"dvmrelay/store"

	"github.com/danielgtaylor/huma/v2"
)

func (s *Site) statsAPI(api huma.API, lists tables) {
	huma.Register(api, operation("stats", "/stats", "Counts over a window of time"), s.stats)
	huma.Register(api, operation("upstreams", "/upstreams", "The relays this one listens to"), s.upstreams)
	lists.add("/upstreams", reflect.TypeFor[Upstream]())
}

// Window chooses a stretch of time.
type Window struct {
	Window string `query:"window" enum:"1h,24h,7d,30d,all" doc:"24h when neither window nor since is given."`
	Since  int64  `query:"since" minimum:"0" doc:"In place of window."`
	Until  int64  `query:"until" minimum:"0" doc:"Now when absent."`
}

// bounds are the ends of the window in unix seconds; name is empty when it has none.
func (w *Window) bounds(now time.Time) (since, until int64, name string, err error) {
	if w.Window != "" && (w.Since != 0 || w.Until != 0) {
		return 0, 0, "", huma.Error400BadRequest("window: stands in place of since and until, not beside them")
	}
	since, until, name = w.Since, w.Until, w.Window
	if until == 0 {
		until = now.Unix()
	}
	if w.Since == 0 && w.Until == 0 {
		if name == "" {
			name = "24h"
		}
		since = index.WindowStart(name, now)
	}
	if since > until {
		return 0, 0, "", huma.Error400BadRequest("since: must not be later than until")
	}
	return since, until, name, nil
}

type statsInput struct {
	Window
	Kind        int      `query:"kind" minimum:"0" maximum:"65535" doc:"Kind of the request."`
	Provider    string   `query:"provider" maxLength:"5000" doc:"This provider's side alone: hex, npub or nprofile."`
	ExcludeKind []string `query:"exclude_kind,explode" maxItems:"200" doc:"Kinds of requests left out; repeated, or joined by commas."`
}

// WindowStats are counts over a window of time.
type WindowStats struct {
	Window string `json:"window,omitempty"`
	index.Stats
}

func (s *Site) stats(ctx context.Context, in *statsInput) (*body[WindowStats], error) {
	now := s.d.Now()
	since, until, name, err := in.bounds(now)
	if err != nil {
		return nil, err
	}
	q := index.StatsQuery{Since: since, Until: until, Kind: in.Kind, Now: now.Unix()}
	if q.Provider, err = parsedKey("provider", in.Provider); err != nil {
		return nil, err
	}
	if q.ExcludeKinds, err = parsedKinds("exclude_kind", in.ExcludeKind); err != nil {
		return nil, err
	}
	st, err := s.count(ctx, q)
	if err != nil {
		return nil, s.failed(err)
	}
	return &body[WindowStats]{WindowStats{Window: name, Stats: st}}, nil
}

// count reads statistics, with every list of them there.
func (s *Site) count(ctx context.Context, q index.StatsQuery) (st index.Stats, err error) {
	err = s.view(ctx, func(r store.Reader) error {
		st, err = s.d.Index.Stats(r, q)
		return err
	})
	return st, err
}

type upstreamsInput struct {
	Format string `query:"format" enum:"json,csv" doc:"As Accept: text/csv does, csv gives a table."`
}

func (s *Site) upstreams(context.Context, *upstreamsInput) (*body[list[Upstream]], error) {
	items := s.d.Upstreams()
	for i := range items {
		if items[i].Rejected == nil {
			items[i].Rejected = map[string]uint64{}
		}
		if items[i].Gaps == nil {
			items[i].Gaps = []index.Gap{}
		}
	}
	return listed(items, ""), nil
}
