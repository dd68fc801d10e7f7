package web

import (
	"net/http"
	"net/http/pprof"

	"dvmrelay/store"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Figure is one number as a scrape finds it. Its name is dvmrelay_<package>_<noun>_<unit> or _total; the values of its
// labels come from closed sets, never from what strangers send.
type Figure struct {
	Name   string
	Help   string
	Total  bool // it only grows
	Labels []Label
	Value  float64
}

// Label is a dimension of a Figure.
type Label struct{ Name, Value string }

// Gauges are the numbers of a part. It is called for each scrape and must be cheap; figures of one name agree in Help,
// Total and the names of their labels.
type Gauges interface {
	Figures() []Figure
}

// GaugesFunc is a function that is Gauges.
type GaugesFunc func() []Figure

// Figures implements Gauges.
func (f GaugesFunc) Figures() []Figure { return f() }

// Part is the state of one part of the program in /healthz.
type Part struct {
	State  string         `json:"state"` // ok, or a word that says what is wrong
	Detail map[string]any `json:"detail,omitempty"`
}

// OpsDeps are what the ops port shows. Any may be nil.
type OpsDeps struct {
	Store       func() store.Stats
	StoreHealth func() error // nil while it takes events
	Sync        string       // store.sync
	Upstreams   func() []Upstream
	Gauges      []Gauges               // of relay, policies and whoever else counts
	Parts       func() map[string]Part // further parts of /healthz
	Version     string
	Demo        bool // what the relay shows is a made-up market
}

// Ops makes the handler of the ops port: /metrics, /debug/pprof/ and /healthz. It is not for strangers.
func Ops(d OpsDeps) http.Handler {
	reg := prometheus.NewRegistry()
	reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), &collector{d})
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(reg, promhttp.HandlerOpts{MaxRequestsInFlight: 4, ErrorHandling: promhttp.ContinueOnError}))
	mux.HandleFunc("GET /healthz", d.healthz)
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	return secured(mux)
}

type health struct {
	State   string          `json:"state"` // ok or degraded
	Version string          `json:"version"`
	Demo    bool            `json:"demo,omitempty"`
	Parts   map[string]Part `json:"parts"`
}

// healthz tells the state of every part: 200 while the store takes events, 503 when it does not. Lost upstreams degrade
// the state but not the status.
func (d OpsDeps) healthz(w http.ResponseWriter, _ *http.Request) {
	h := health{State: "ok", Version: d.Version, Demo: d.Demo, Parts: map[string]Part{}}
	status := http.StatusOK
	if d.Parts != nil {
		for name, p := range d.Parts() {
			h.Parts[name] = p
		}
	}
	if d.Store != nil || d.StoreHealth != nil {
		p := d.storePart()
		h.Parts["store"] = p
		if p.State != "ok" {
			status = http.StatusServiceUnavailable
		}
	}
	if d.Upstreams != nil {
		h.Parts["mirror"] = mirrorPart(d.Upstreams())
	}
	for _, p := range h.Parts {
		if p.State != "ok" {
			h.State = "degraded"
		}
	}
	writeJSON(w, status, h)
}

func (d OpsDeps) storePart() Part {
	p := Part{State: "ok", Detail: map[string]any{"sync": d.Sync}}
	if d.Store != nil {
		st := d.Store()
		p.Detail["events"], p.Detail["facts"], p.Detail["version"] = st.Bodies, st.Facts, st.Version
		p.Detail["disk_free_bytes"], p.Detail["disk_floor_bytes"] = st.DiskFree, st.DiskFloor
		p.Detail["queue"] = st.Queue
	}
	if d.StoreHealth != nil {
		if err := d.StoreHealth(); err != nil {
			p.State, p.Detail["error"] = "failing", err.Error()
		}
	}
	return p
}

func mirrorPart(upstreams []Upstream) Part {
	states := map[string]string{}
	heard := 0
	for _, u := range upstreams {
		states[u.URL] = u.State
		if u.State == "live" || u.State == "backfilling" {
			heard++
		}
	}
	p := Part{State: "ok", Detail: map[string]any{"upstreams": states, "heard": heard, "of": len(upstreams)}}
	if heard == 0 && len(upstreams) > 0 {
		p.State = "deaf"
	}
	return p
}
