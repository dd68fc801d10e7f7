package web

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"dvmrelay/index"
	"dvmrelay/nip90"

	"github.com/danielgtaylor/huma/v2"
)

// jobFilter is what /jobs is asked for. Its names in the URL are those of the API, and window, which the API does not have.
type jobFilter struct {
	state, payment, window, encrypted, q string
	kind                                 int
	provider, customer, of               nip90.PubKey // of: the parameter "for"
	since, until                         clock
	cursor                               string
	limit                                int // 0 = jobsShown
}

// clock is a time as a visitor wrote it, and what it means in unix seconds; 0 = none.
type clock struct {
	text string
	at   int64
}

// jobsShown is how many jobs a page shows, and the most: the API gives longer lists.
const jobsShown = 50

// maxText is how many characters of words may be looked for.
const maxText = 200

// jobWindows are the values of window, and how a chip calls them.
var jobWindows = [...]struct{ value, name, words string }{
	{"1h", "1 h", "in the last hour"}, {"24h", "24 h", "in the last 24 hours"}, {"7d", "7 days", "in the last 7 days"},
}

// jobFilter reads what was asked for. What cannot be read is left out of the filter, and the first such fault is told.
func (s *Site) jobFilter(query url.Values) (f jobFilter, err error) {
	fault := func(what string) {
		if err == nil {
			err = huma.Error400BadRequest(what)
		}
	}
	one := func(name string, values ...string) string {
		text := query.Get(name)
		if text != "" && !slices.Contains(values, text) {
			fault(name + ": is none of " + strings.Join(values, ", "))
			return ""
		}
		return text
	}
	f.state = one("state", index.States()...)
	f.payment = one("payment", index.Payments()...)
	f.window = one("window", "1h", "24h", "7d")
	f.encrypted = one("encrypted", "true", "false")
	if text := strings.TrimSpace(query.Get("kind")); text != "" {
		kind, ok := number(text)
		if !ok {
			fault("kind: is no kind between 0 and 65535")
		}
		f.kind = kind
	}
	for _, key := range f.keys() {
		var bad error
		if *key.is, bad = parsedKey(key.name, strings.TrimSpace(query.Get(key.name))); bad != nil {
			fault(key.name + ": is no public key (hex, npub or nprofile)")
		}
	}
	for _, end := range f.ends() {
		var ok bool
		if *end.is, ok = readClock(query.Get(end.name), end.name == "until"); !ok {
			fault(end.name + ": is no time; write unix seconds, 2026-01-31, or 2026-01-31T12:00 (UTC)")
		}
	}
	if f.since.at != 0 || f.until.at != 0 {
		f.window = ""
	}
	f.q = strings.TrimSpace(query.Get("q"))
	switch {
	case f.q != "" && s.o.Inputs == InputsHide:
		f.q = ""
		fault("q: inputs are hidden here")
	case utf8.RuneCountInString(f.q) > maxText:
		f.q = ""
		fault("q: has more than " + itoa(maxText) + " characters")
	}
	var ok bool
	if f.limit, ok = readLimit(query.Get("limit")); !ok {
		fault("limit: is no number of jobs")
	}
	if f.cursor = query.Get("cursor"); len(f.cursor) > 1024 {
		f.cursor = ""
		fault("cursor: " + index.ErrCursor.Error())
	}
	return f, err
}

// named is a part of a filter and its parameter.
type named[T any] struct {
	name string
	is   *T
}

func (f *jobFilter) keys() []named[nip90.PubKey] {
	return []named[nip90.PubKey]{{"provider", &f.provider}, {"customer", &f.customer}, {"for", &f.of}}
}

func (f *jobFilter) ends() []named[clock] {
	return []named[clock]{{"since", &f.since}, {"until", &f.until}}
}

// readLimit reads how many jobs a page is to show; more than it can is as many as it can, 0.
func readLimit(text string) (int, bool) {
	if text == "" {
		return 0, true
	}
	n, ok := number(text)
	if n >= jobsShown {
		return 0, ok
	}
	return n, ok && n > 0
}

// readClock reads unix seconds, a day, or a day and a time, in UTC. A day as an end is its last second.
func readClock(text string, end bool) (clock, bool) {
	text = strings.TrimSpace(text)
	if text == "" {
		return clock{}, true
	}
	if len(text) > 32 {
		return clock{}, false
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		if n <= 0 || n > 1<<40 {
			return clock{}, false
		}
		return clock{text, n}, true
	}
	bare := strings.TrimSuffix(text, "Z")
	for _, layout := range [...]string{"2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02 15:04:05", "2006-01-02 15:04", time.DateOnly} {
		t, err := time.Parse(layout, bare)
		if err != nil {
			continue
		}
		if layout == time.DateOnly && end {
			t = t.Add(24*time.Hour - time.Second)
		}
		if end && strings.HasSuffix(layout, "15:04") {
			t = t.Add(59 * time.Second)
		}
		return clock{text, t.Unix()}, t.Unix() > 0
	}
	return clock{}, false
}

// values are the filter as it stands in a URL: nothing that is empty, keys as npub.
func (f *jobFilter) values() url.Values {
	q := url.Values{}
	set := func(name, value string) {
		if value != "" {
			q.Set(name, value)
		}
	}
	set("state", f.state)
	set("payment", f.payment)
	set("window", f.window)
	set("encrypted", f.encrypted)
	set("q", f.q)
	set("since", f.since.text)
	set("until", f.until.text)
	set("cursor", f.cursor)
	for _, key := range f.keys() {
		if !key.is.IsZero() {
			q.Set(key.name, nip90.Npub(*key.is))
		}
	}
	if f.kind != 0 {
		q.Set("kind", itoa(f.kind))
	}
	if f.limit != 0 {
		q.Set("limit", itoa(f.limit))
	}
	return q
}

// at is the path of the page with this filter; with other values for some names, "" for none. What is changed shows the
// first page.
func (f *jobFilter) at(change ...string) string {
	q := f.values()
	if len(change) > 0 {
		q.Del("cursor")
	}
	for i := 0; i+1 < len(change); i += 2 {
		if q.Del(change[i]); change[i+1] != "" {
			q.Set(change[i], change[i+1])
		}
	}
	if len(q) == 0 {
		return "/jobs"
	}
	return "/jobs?" + q.Encode()
}

// bounds are the times that jobs were asked between, in unix seconds; 0 = no bound.
func (f *jobFilter) bounds(now time.Time) (since, until int64) {
	if f.window != "" {
		return index.WindowStart(f.window, now), 0
	}
	return f.since.at, f.until.at
}

// query is what the index is asked.
func (f *jobFilter) query(now time.Time) index.ThreadQuery {
	q := index.ThreadQuery{
		State: f.state, Payment: f.payment, Kind: f.kind, Provider: f.provider, Customer: f.customer, For: f.of,
		Encrypted: choice(f.encrypted), Text: f.q, Cursor: f.cursor, Limit: f.limit, Now: now.Unix(),
	}
	q.Since, q.Until = f.bounds(now)
	if q.Limit == 0 {
		q.Limit = jobsShown
		// Each link of the page repeats the words: long ones leave less room for jobs.
		if len(url.QueryEscape(f.q)) > 300 {
			q.Limit = jobsShown / 4
		}
	}
	return q
}

// apiQuery is a query of the page as the API takes it. What the API would refuse is left for it to refuse.
func apiQuery(query url.Values, now time.Time) url.Values {
	out := url.Values{}
	for name, values := range query {
		if len(values) > 0 && values[0] != "" {
			out.Set(name, strings.TrimSpace(values[0]))
		}
	}
	for _, name := range [...]string{"since", "until"} {
		if t, ok := readClock(out.Get(name), name == "until"); ok && t.at != 0 {
			out.Set(name, strconv.FormatInt(t.at, 10))
		}
	}
	if since := index.WindowStart(out.Get("window"), now); since != 0 && out.Get("since") == "" && out.Get("until") == "" {
		out.Set("since", strconv.FormatInt(since, 10))
	}
	out.Del("window")
	return out
}
