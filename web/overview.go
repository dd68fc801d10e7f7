package web

import (
	"context"
	"fmt"

	"dvmrelay/index"
	"dvmrelay/store"
)

const (
	overviewJobs    = 25
	overviewSummary = 90 // characters of a summary, unless all inputs are shown
)

// overview is what the first page shows.
type overview struct {
	Stats     index.Stats
	Jobs      []index.Thread
	Handlers  int
	More      bool // there are more handlers than were counted
	Upstreams []Upstream
	Live      int
}

func (s *Site) overviewScreen() *screen {
	return &screen{path: "/{$}", file: "overview.html", live: []string{"live"}, load: s.overview}
}

// overview reads what the first page shows.
func (s *Site) overview(ctx context.Context, v *visit) (*sheet, error) {
	now := v.Now
	o := &overview{Upstreams: s.d.Upstreams()}
	for _, u := range o.Upstreams {
		if u.State == "live" || u.State == "backfilling" {
			o.Live++
		}
	}
	err := s.view(ctx, func(r store.Reader) error {
		var err error
		if o.Stats, err = s.d.Index.Stats(r, index.StatsQuery{Since: windowStart("24h", now), Until: now.Unix(), Now: now.Unix()}); err != nil {
			return err
		}
		jobs, err := s.d.Index.Threads(r, index.ThreadQuery{Limit: overviewJobs, Now: now.Unix()})
		if err != nil {
			return err
		}
		o.Jobs = jobs.Items
		handlers, err := s.d.Index.Handlers(r, index.HandlerQuery{Limit: index.MaxLimit, Now: now.Unix()})
		o.Handlers, o.More = len(handlers.Items), handlers.Next != ""
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read overview: %w", err)
	}
	for i := range o.Jobs {
		s.veil(&o.Jobs[i])
	}
	return &sheet{About: s.d.Description, Data: o}, nil
}
