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
		now := func(name, help string, v int) web.Figure {
			return web.Figure{Name: "dvmrelay_mirror_" + name, Help: help, Value: float64(v)}
		}
		total := func(name, help string, v uint64) web.Figure {
			return web.Figure{Name: "dvmrelay_mirror_" + name + "_total", Help: help, Total: true, Value: float64(v)}
		}
		out := []web.Figure{
			now("followed_jobs", "Open jobs whose named relays may be listened on.", f.Jobs),
			now("followed_relays", "Relays named by jobs that are listened on or dialled.", f.Relays),
			total("followed_dials", "Dials to relays named by jobs.", f.Dials),
			total("followed_accepted_events", "Events from followed relays that were new.", f.Accepted),
			total("followed_duplicate_events", "Events from followed relays that were here already.", f.Duplicates),
			total("followed_ignored_events", "Events from followed relays that were stale, deleted or expired.", f.Ignored),
		}
		for _, by := range []struct {
			name, help string
			counts     map[string]uint64
		}{
			{"followed_refused_addresses", "Addresses named by jobs that were not dialled, by reason.", f.Refused},
			{"followed_lost_connections", "Connections to followed relays that ended early, by reason.", f.Lost},
			{"followed_rejected_events", "Events from followed relays that were refused, by reason.", f.Rejected},
		} {
			for reason, n := range by.counts {
				fig := total(by.name, by.help, n)
				fig.Labels = []web.Label{{Name: "reason", Value: reason}}
				out = append(out, fig)
			}
		}
		return out
	}
}
