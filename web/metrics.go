package web

import (
	"strconv"

	"dvmrelay/nip90"
	"dvmrelay/store"

	"github.com/prometheus/client_golang/prometheus"
)

// maxSeries bounds the series of one name, should a part break the rule about closed sets.
const maxSeries = 1000

// collector turns snapshots into metrics at each scrape; nothing is counted twice and nothing is kept.
type collector struct{ d OpsDeps }

// Describe implements prometheus.Collector. What there is depends on the parts, so nothing is promised.
func (c *collector) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	var all []Figure
	all = append(all, Figure{Name: "dvmrelay_build_info", Help: "Always 1.", Labels: []Label{{"version", c.d.Version}}, Value: 1})
	if c.d.Store != nil {
		all = append(all, storeFigures(c.d.Store())...)
	}
	if c.d.Upstreams != nil {
		all = append(all, mirrorFigures(c.d.Upstreams())...)
	}
	for _, g := range c.d.Gauges {
		all = append(all, g.Figures()...)
	}
	descs := map[string]*prometheus.Desc{}
	series := map[string]int{}
	seen := map[string]bool{}
	for _, f := range all {
		key := f.Name
		names, values := make([]string, len(f.Labels)), make([]string, len(f.Labels))
		for i, l := range f.Labels {
			names[i], values[i] = l.Name, l.Value
			key += "\x00" + l.Name + "\x00" + l.Value
		}
		if series[f.Name]++; series[f.Name] > maxSeries || seen[key] {
			continue
		}
		seen[key] = true
		if descs[f.Name] == nil {
			descs[f.Name] = prometheus.NewDesc(f.Name, f.Help, names, nil)
		}
		kind := prometheus.GaugeValue
		if f.Total {
			kind = prometheus.CounterValue
		}
		m, err := prometheus.NewConstMetric(descs[f.Name], kind, f.Value, values...)
		if err != nil {
			m = prometheus.NewInvalidMetric(descs[f.Name], err)
		}
		ch <- m
	}
}

// KindLabel is a kind as a label: registered kinds by number, all others together.
func KindLabel(kind int) Label {
	if nip90.Registered(kind) {
		return Label{"kind", strconv.Itoa(kind)}
	}
	return Label{"kind", "other"}
}

func storeFigures(st store.Stats) []Figure {
	full := 0.0
	if st.DiskFull {
		full = 1
	}
	out := []Figure{
		{Name: "dvmrelay_store_facts", Help: "Events ever counted.", Value: float64(st.Facts)},
		{Name: "dvmrelay_store_commits_total", Help: "Groups of events written.", Total: true, Value: float64(st.Groups)},
		{Name: "dvmrelay_store_committed_events_total", Help: "Events in those groups.", Total: true, Value: float64(st.GroupEvents)},
		{Name: "dvmrelay_store_commit_seconds_total", Help: "Time spent writing groups.", Total: true, Value: st.CommitSeconds},
		{Name: "dvmrelay_store_queued_events", Help: "Events waiting for the writer.", Value: float64(st.Queue)},
		{Name: "dvmrelay_store_open_snapshots", Help: "Views of the store in use.", Value: float64(st.Snapshots)},
		{Name: "dvmrelay_store_vanishing_keys", Help: "Keys that are being erased.", Value: float64(st.Vanishing)},
		{Name: "dvmrelay_store_waiting_events", Help: "Events kept until what they are about arrives.", Value: float64(st.Waiting)},
		{Name: "dvmrelay_store_waiting_bytes", Help: "What those take.", Value: float64(st.WaitingBytes)},
		{Name: "dvmrelay_store_adopted_events_total", Help: "Events that waited and came in with what they are about.", Total: true, Value: float64(st.Adopted)},
		{Name: "dvmrelay_store_lapsed_events_total", Help: "Events that waited in vain, or were withdrawn meanwhile.", Total: true, Value: float64(st.Lapsed)},
		{Name: "dvmrelay_store_crowded_events_total", Help: "Events about nothing known that were refused because too many waited.", Total: true, Value: float64(st.NoRoom)},
		{Name: "dvmrelay_store_disk_free_bytes", Help: "Free space on the volume.", Value: float64(st.DiskFree)},
		{Name: "dvmrelay_store_disk_floor_bytes", Help: "Free space below which writes are refused.", Value: float64(st.DiskFloor)},
		{Name: "dvmrelay_store_disk_full", Help: "1 while writes are refused for want of space.", Value: full},
		{Name: "dvmrelay_store_lsm_bytes", Help: "Size of the tables.", Value: float64(st.LSMBytes)},
		{Name: "dvmrelay_store_log_bytes", Help: "Size of the value log.", Value: float64(st.LogBytes)},
	}
	by := map[Label]float64{}
	for kind, n := range st.Events {
		by[KindLabel(kind)] += float64(n)
	}
	for label, n := range by {
		out = append(out, Figure{Name: "dvmrelay_store_events", Help: "Events stored, by kind.", Labels: []Label{label}, Value: n})
	}
	return out
}

func mirrorFigures(upstreams []Upstream) []Figure {
	var out []Figure
	for _, u := range upstreams {
		url := Label{"upstream", u.URL} // from the configuration, so a closed set
		up, done, paused := 0.0, 0.0, 0.0
		if u.State == "paused" {
			paused = 1
		}
		if u.State == "live" || u.State == "backfilling" {
			up = 1
		}
		if u.Backfill != nil && u.Backfill.Done {
			done = 1
		}
		taken := func(outcome string, n uint64) Figure {
			return Figure{
				Name: "dvmrelay_mirror_events_total", Help: "Events received, by what became of them.", Total: true,
				Labels: []Label{url, {"outcome", outcome}}, Value: float64(n),
			}
		}
		out = append(out,
			Figure{Name: "dvmrelay_mirror_upstream_up", Help: "1 while it is connected and subscribed.", Labels: []Label{url}, Value: up},
			Figure{Name: "dvmrelay_mirror_backfill_done", Help: "1 when nothing of its past is known to be missing.", Labels: []Label{url}, Value: done},
			Figure{Name: "dvmrelay_mirror_lag_seconds", Help: "How long ago it was last heard completely.", Labels: []Label{url}, Value: float64(u.LagSeconds)},
			Figure{Name: "dvmrelay_mirror_connects_total", Help: "Connections made.", Total: true, Labels: []Label{url}, Value: float64(u.Connects)},
			Figure{Name: "dvmrelay_mirror_exclusive_events", Help: "Events that no other source was seen to have.", Labels: []Label{url}, Value: float64(u.Exclusive)},
			Figure{Name: "dvmrelay_mirror_upstream_paused", Help: "1 while it is left alone since it lied.", Labels: []Label{url}, Value: paused},
			Figure{Name: "dvmrelay_mirror_strikes", Help: "Faults in the last ten minutes.", Labels: []Label{url}, Value: float64(u.Strikes)},
			Figure{Name: "dvmrelay_mirror_received_bytes_total", Help: "Bytes of messages received.", Total: true, Labels: []Label{url}, Value: float64(u.Bytes)},
			Figure{Name: "dvmrelay_mirror_slowed_seconds_total", Help: "Time that reading waited for the budget.", Total: true, Labels: []Label{url}, Value: float64(u.SlowedMS) / 1000},
			taken("stored", u.Accepted), taken("duplicate", u.Duplicates), taken("ignored", u.Ignored), taken("waiting", u.Waiting),
		)
		for why, seconds := range u.Unheard {
			out = append(out, Figure{
				Name: "dvmrelay_mirror_unheard_seconds", Help: "Seconds of the last day in which it was not heard, by reason.",
				Labels: []Label{url, {"why", why}}, Value: float64(seconds),
			})
		}
		for reason, n := range u.Rejected {
			out = append(out, Figure{
				Name: "dvmrelay_mirror_rejected_events_total", Help: "Events refused, by reason.", Total: true,
				Labels: []Label{url, {"reason", reason}}, Value: float64(n),
			})
		}
	}
	return out
}
