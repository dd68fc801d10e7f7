package web

import (
	"context"
	"encoding/json"
	"net/url"
	"strconv"

	"dvmrelay/index"
	"dvmrelay/nip90"
	"dvmrelay/wire"
)

// explore is what the page shows on which a filter is built.
type explore struct {
	*filterForm `json:"-"`

	JSON    json.RawMessage   `json:"filter,omitempty"`
	API     string            `json:"api,omitempty"` // path and query of the same in the API
	Faults  map[string]string `json:"faults,omitempty"`
	Presets []preset          `json:"presets"`
	Found   *found            `json:"found,omitempty"`
}

// preset is a filter that is often wanted.
type preset struct {
	Name string `json:"name"`
	Path string `json:"path"`
}

func (s *Site) exploreScreen() *screen {
	return &screen{path: "/explore", file: "explore.html", style: []string{"explore.css"}, tab: "Explore", load: s.explore}
}

// explore reads a filter out of the address, and shows the first of what it finds; what comes later, a visitor's browser asks
// for over the websocket.
func (s *Site) explore(ctx context.Context, v *visit) (_ *sheet, err error) {
	q := v.Query
	if len(q) == 0 {
		q = url.Values{"limit": {"20"}}
	}
	e := &explore{filterForm: readFilterForm(q, v.Now)}
	if e.Bad {
		e.Faults = map[string]string{}
		for _, field := range e.Fields {
			if field.Fault != "" {
				e.Faults[field.Name] = field.Fault
			}
		}
	} else {
		e.JSON = wire.AppendFilter(nil, e.Filter)
		if !e.Count {
			e.API = sameInAPI(e.Filter)
		}
		if e.Found, err = s.find(ctx, e.Filter, e.Count); err != nil {
			return nil, err
		}
	}
	if e.Presets, err = s.presets(ctx); err != nil {
		return nil, err
	}
	return &sheet{
		Title: "Explore", About: "Build a filter, run it on this relay over the websocket, copy it as REQ, nak or curl.",
		Script: []string{"socket.js", "explore.js"}, Data: e,
	}, nil
}

// presets are filters that are often wanted; those about somebody name the newest that there is.
func (s *Site) presets(ctx context.Context) ([]preset, error) {
	all := []preset{
		{"Unanswered jobs of kind 5050", "/explore?kinds=5050&search=state%3Aunanswered&limit=20"},
		{"Open jobs of any kind", "/explore?search=state%3Aopen&limit=20"},
		{"Handlers of kind 5300", "/explore?kinds=31990&k=5300&limit=50"},
		{"Heartbeats of the last 15 minutes", "/explore?kinds=11998&since=15m"},
		{"Paid, no result", "/explore?search=payment%3Aundelivered&limit=50"},
		{"How many results of kind 6300 in a day", "/explore?kinds=6300&since=24h&count=1"},
	}
	page, err := s.threads(ctx, index.ThreadQuery{State: "success", Limit: 1, Now: s.d.Now().Unix()})
	if err != nil {
		return nil, err
	}
	if len(page.Items) == 0 {
		return all, nil
	}
	job := page.Items[0]
	all = append(all, preset{"One thread, whole", "/explore?" + url.Values{"search": {"thread:" + job.ID.String()}}.Encode()})
	for _, p := range job.Providers {
		kind, ok := nip90.ResultKind(job.Kind), p.PubKey != ""
		if p.State == "success" && kind != 0 && ok {
			q := url.Values{"kinds": {strconv.Itoa(kind)}, "authors": {p.PubKey}, "limit": {"20"}}
			return append(all, preset{"Results of one provider", "/explore?" + q.Encode()}), nil
		}
	}
	return all, nil
}

// Frame is what is sent over a websocket.
func (e *explore) Frame() string { return frame(e.Filter, e.Count) }

// Nak is the command that asks a relay.
func (e *explore) Nak(relay string) string { return nakReq(e.Filter, e.Count, relay) }

// Curl is the command that asks the API for the same; empty when it has no such thing.
func (e *explore) Curl(base string) string {
	if e.API == "" {
		return ""
	}
	return "curl -s " + quoted(base+apiPrefix+e.API)
}

// Websocat is the command that asks over a websocket without knowing of Nostr.
func (e *explore) Websocat(relay string) string { return websocat(e.Frame(), relay) }
