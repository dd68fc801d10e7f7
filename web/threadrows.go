package web

import (
	"strings"
	"sync"

	"dvmrelay/index"
	"dvmrelay/nip90"
)

const (
	rowSources  = 3
	rowFindings = 4
	rowText     = 240     // bytes of HTML of a status text
	rowRaw      = 4 << 10 // bytes of HTML of one event
	keptVerdict = 8192
)

// threadRow is one event in the table.
type threadRow struct {
	index.Entry
	Who      person
	Text     string
	Signed   *seal
	Sources  []string
	More     int // sources that are not named
	Findings []nip90.Finding
	Others   int // findings that are not named
	Raw      string
	Gone     string // why there is no raw JSON
	Long     bool   // it stands on a page of its own
}

// seal says whether an event is what it says it is.
type seal struct{ ID, Sig bool }

// seals remembers what was verified: a body never changes.
type seals struct {
	mu sync.Mutex // guards below
	by map[nip90.ID]seal
}

func (v *seals) of(e *index.Entry) *seal {
	v.mu.Lock()
	got, ok := v.by[e.ID]
	v.mu.Unlock()
	if ok {
		return &got
	}
	evt, _ := opened(e)
	if evt == nil {
		return nil
	}
	got.ID, got.Sig = genuine(evt)
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.by == nil || len(v.by) >= keptVerdict {
		v.by = make(map[nip90.ID]seal)
	}
	v.by[e.ID] = got
	return &got
}

// tabulate makes the table of events.
func (s *Site) tabulate(r *threadReader) {
	p := r.page
	for i := range p.Rows {
		e := &p.Rows[i]
		row := threadRow{Entry: *e, Who: p.Who(e.PubKey), Text: fitted(e.StatusText, rowText), Gone: r.gone(e)}
		for _, source := range e.SeenOn[:min(len(e.SeenOn), rowSources)] {
			row.Sources = append(row.Sources, sourceWord(source))
		}
		row.More = len(e.SeenOn) - len(row.Sources)
		row.Findings = e.Findings[:min(len(e.Findings), rowFindings)]
		row.Others = len(e.Findings) - len(row.Findings)
		if e.Event != nil {
			row.Signed = s.seals.of(e)
			raw := string(e.Event)
			if n := weigh(raw); n <= rowRaw && n <= r.left {
				row.Raw = raw
				r.left -= n
			} else {
				row.Long = true
			}
		}
		p.Table = append(p.Table, row)
	}
}

// Mark is the name of its mark in the timeline.
func (r *threadRow) Mark() string { return r.ID.String()[:16] }

// Amount is what it asks, bids or claims, in satoshi.
func (r *threadRow) Amount() string {
	switch {
	case r.AmountMsat == nil:
		return ""
	case r.Role == nip90.RoleRequest.String():
		return "bid " + sats(*r.AmountMsat)
	}
	return sats(*r.AmountMsat)
}

// sourceWord is a source in short.
func sourceWord(source string) string {
	if source == index.SelfSource {
		return "this relay"
	}
	return shorten(strings.TrimPrefix(strings.TrimPrefix(source, "wss://"), "ws://"), 40)
}
