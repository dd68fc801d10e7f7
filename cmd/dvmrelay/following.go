package main

import (
	"dvmrelay/index"
	"dvmrelay/mirror"
	"dvmrelay/store"
	"dvmrelay/web"
)

// openJobs names to the mirror the jobs that it may follow.
type openJobs struct {
	store *store.Store
	index *index.Index
}

// Open implements mirror.Jobs.
func (o *openJobs) Open(since int64, limit int) (jobs []mirror.Job, err error) {
	err = o.store.View(func(r store.Reader) error {
		list, err := o.index.OpenJobs(r, since, limit)
		for _, j := range list {
			jobs = append(jobs, mirror.Job(j))
		}
		return err
	})
	return jobs, err
}

// followFigures gives what following comes to the names that Prometheus knows it by.
func followFigures(m *mirror.Mirror) web.GaugesFunc {
	return func() []web.Figure {
		f := m.Following()
		now, total := nowFigure[int], totalFigure[uint64]
		out := []web.Figure{
			now("mirror_followed_jobs", "Open jobs whose named relays may be listened on.", f.Jobs),
			now("mirror_followed_relays", "Relays named by jobs that are listened on or dialled.", f.Relays),
			total("mirror_followed_dials", "Dials to relays named by jobs.", f.Dials),
			total("mirror_followed_accepted_events", "Events from followed relays that were new.", f.Accepted),
			total("mirror_followed_duplicate_events", "Events from followed relays that were here already.", f.Duplicates),
			total("mirror_followed_ignored_events", "Events from followed relays that were stale, deleted or expired.", f.Ignored),
		}
		out = append(out, totalsBy("reason", "mirror_followed_refused_addresses", "Addresses named by jobs that were not dialled, by reason.", f.Refused)...)
		out = append(out, totalsBy("reason", "mirror_followed_lost_connections", "Connections to followed relays that ended early, by reason.", f.Lost)...)
		return append(out, totalsBy("reason", "mirror_followed_rejected_events", "Events from followed relays that were refused, by reason.", f.Rejected)...)
	}
}
