package web

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"dvmrelay/index"
	"dvmrelay/store"

	"github.com/danielgtaylor/huma/v2"
)

// relayPage is what /relay shows.
type relayPage struct {
	RelayFacts
	// Jobs are the threads of requests that are known; JobsWhole is false when there are more than were counted.
	Jobs      int64 `json:"jobs"`
	JobsWhole bool  `json:"jobs_complete"`

	ObservedSince int64 `json:"observed_since,omitempty"` // since when it listens
	Uptime        int64 `json:"uptime_seconds"`

	doc nip11
}

// nip11 is of NIP-11 what the page names.
type nip11 struct {
	Name           string          `json:"name"`
	Description    string          `json:"description"`
	Version        string          `json:"version"`
	Contact        string          `json:"contact"`
	PubKey         string          `json:"pubkey"`
	Self           string          `json:"self"`
	TermsOfService string          `json:"terms_of_service"`
	Sync           string          `json:"sync"`
	NIPs           []int           `json:"supported_nips"`
	Limitation     json.RawMessage `json:"limitation"`
}

// Document is the NIP-11 document as templates read it.
func (p *relayPage) Document() *nip11 { return &p.doc }

// Limit is one limit as people read it.
type Limit struct{ Name, Words, Value string }

func (s *Site) relayScreen() *screen {
	return &screen{path: "/relay", file: "relay.html", style: []string{"relay.css"}, live: []string{"now"}, load: s.relayPage}
}

// relayPage reads what anybody may know of this relay.
func (s *Site) relayPage(ctx context.Context, v *visit) (*sheet, error) {
	if s.d.Relay == nil {
		return nil, huma.Error404NotFound("Nothing is known here of the relay itself.")
	}
	p := &relayPage{RelayFacts: s.d.Relay()}
	if err := json.Unmarshal(p.Information, &p.doc); err != nil {
		return nil, fmt.Errorf("read the relay's document: %w", err)
	}
	p.Uptime = max(0, int64(p.up(v.Now).Seconds()))
	err := s.view(ctx, func(r store.Reader) error {
		st, err := s.d.Index.Stats(r, index.StatsQuery{Since: 0, Until: v.Now.Unix(), Now: v.Now.Unix()})
		p.Jobs, p.JobsWhole, p.ObservedSince = st.Requests, st.Complete, st.ObservedSince
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("count jobs: %w", err)
	}
	return &sheet{
		Title: "This relay", Script: []string{"admin.js"}, Data: p,
		About: fmt.Sprintf("What %s serves, accepts and holds, and within which limits.", s.d.Name),
	}, nil
}

// limitRow says in words what a member of NIP-11's limitation means. none stands where it is absent; empty = it is left out.
type limitRow struct{ name, words, unit, none string }

const noLimit = "no limit"

var limitRows = [...]limitRow{
	{"max_message_length", "one message", "bytes", noLimit},
	{"max_content_length", "content of an event", "characters", noLimit},
	{"max_event_tags", "tags of an event", "", noLimit},
	{"created_at_upper_limit", "created_at ahead of now", "seconds", noLimit},
	{"min_pow_difficulty", "proof of work", "bits", "none wanted"},
	{"max_subscriptions", "open subscriptions of a connection", "", noLimit},
	{"max_live_values", "values in all live filters of a connection", "", noLimit},
	{"max_filters", "filters of a REQ", "", noLimit},
	{"max_filter_values", "values in one field of a filter", "", noLimit},
	{"default_limit", "events for a filter without limit", "", noLimit},
	{"max_limit", "events for a filter, at most", "", noLimit},
	{"max_subid_length", "name of a subscription", "characters", noLimit},
	{"max_neg_sessions", "reconciliations open on a connection", "", ""},
	{"max_neg_items", "events that one of them compares", "", ""},
	{"connections_per_ip", "connections of one address", "", noLimit},
	{"events_per_second", "events of one address", "a second", noLimit},
	{"events_burst", "of these at once", "", noLimit},
	{"reqs_per_second", "REQ, COUNT and NEG-OPEN of one address", "a second", noLimit},
	{"reqs_burst", "of these at once", "", noLimit},
	{"requests_per_key", "job requests of one key", "a second", noLimit},
	{"requests_burst", "of these at once", "", noLimit},
	{"auth_required", "proving a key before anything else", "", ""},
	{"payment_required", "payment", "", ""},
	{"restricted_writes", "only certain events may be written", "", ""},
}

// Limits are the limits that NIP-11 tells, each in words; what has no words here stands under its own name.
func (p *relayPage) Limits() ([]Limit, error) {
	told := map[string]any{}
	dec := json.NewDecoder(bytes.NewReader(p.doc.Limitation))
	dec.UseNumber()
	if len(p.doc.Limitation) > 0 {
		if err := dec.Decode(&told); err != nil {
			return nil, fmt.Errorf("read limits: %w", err)
		}
	}
	var all []Limit
	for _, row := range limitRows {
		value, ok := told[row.name]
		delete(told, row.name)
		switch {
		case ok:
			all = append(all, Limit{row.name, row.words, limitValue(value, row.unit)})
		case row.none != "":
			all = append(all, Limit{row.name, row.words, row.none})
		}
	}
	rest := make([]string, 0, len(told))
	for name := range told {
		rest = append(rest, name)
	}
	slices.Sort(rest)
	for _, name := range rest {
		all = append(all, Limit{name, "", limitValue(told[name], "")})
	}
	return all, nil
}

func limitValue(v any, unit string) string {
	switch v := v.(type) {
	case bool:
		if v {
			return "yes"
		}
		return "no"
	case json.Number:
		n, err := v.Int64()
		if err != nil {
			return v.String()
		}
		text := grouped(n)
		if unit == "bytes" {
			return byteSize(n) + " (" + text + " bytes)"
		}
		return strings.TrimSpace(text + " " + unit)
	}
	return fmt.Sprint(v)
}

// nipNames are short names of the NIPs that a relay of this kind can serve.
var nipNames = map[int]string{
	1: "events and subscriptions", 9: "deletion", 11: "this document", 13: "proof of work", 40: "expiration", 42: "authentication", 45: "counting",
	50: "search", 62: "vanishing", 67: "whether an answer was all", 70: "protected events", 77: "reconciliation", 86: "management", 89: "handlers",
	90: "jobs", 98: "HTTP authentication",
}

// NIPs are those that are served, with what each is about.
func (d *nip11) Served() []string {
	all := make([]string, 0, len(d.NIPs))
	for _, n := range d.NIPs {
		all = append(all, strings.TrimSpace(strconv.Itoa(n)+" "+nipNames[n]))
	}
	return all
}

// byteSize is an amount of bytes with two or three digits that count.
func byteSize(n int64) string {
	if n < 1<<10 {
		return strconv.FormatInt(n, 10) + " B"
	}
	f, unit := float64(n)/(1<<10), 0
	for f >= 999.5 && unit < 4 {
		f, unit = f/(1<<10), unit+1
	}
	digits := 1
	if f >= 99.95 {
		digits = 0
	}
	text := strconv.FormatFloat(f, 'f', digits, 64)
	return strings.TrimSuffix(text, ".0") + " " + [...]string{"KiB", "MiB", "GiB", "TiB", "PiB"}[unit]
}

// information serves the document of NIP-11 where a link can lead.
func (s *Site) information(w http.ResponseWriter, _ *http.Request) {
	if s.d.Relay == nil {
		problem(w, http.StatusNotFound, "nothing is known here of the relay itself")
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-cache")
	w.Header().Set("Access-Control-Allow-Origin", "*")
	_, _ = w.Write(s.d.Relay().Information) // whoever asked may be gone
}
