package main

import (
	"fmt"
	"strings"
	"time"

	"dvmrelay/index"
)

// shownThread is a thread as it is read from the JSON of the API: ids are what stands there.
type shownThread struct {
	index.Thread
	ID          string       `json:"id"`
	Events      []shownEntry `json:"events"`
	ChainedFrom []string     `json:"chained_from"`
	ChainedTo   []string     `json:"chained_to"`
}

type shownEntry struct {
	index.Entry
	ID string `json:"id"`
}

// maxNamed is how many of a list of keys, relays or jobs one line names.
const maxNamed = 8

// thread draws a job: what it is, why it stands as it does, who answered, and everything that happened.
func (p *page) thread(t shownThread, now time.Time) {
	p.head(t, now)
	for i, why := range t.Why {
		label := ""
		if i == 0 {
			label = "why"
		}
		p.field(label, clean(why.Text, 300))
	}
	p.providers(t)
	p.timeline(t)
	if t.More {
		p.line("\nthere is more than is shown here")
	}
}

func (p *page) head(t shownThread, now time.Time) {
	state := t.State
	if t.Stalled {
		state += " (stalled)"
	}
	name := clean(t.KindName, 40)
	if name != "" {
		name = " " + name
	}
	if t.RequestSeen {
		p.line("%d%s: %s, payment %s", t.Kind, name, state, t.Payment)
	} else {
		p.line("request not seen here: %s, payment %s", state, t.Payment)
	}
	p.field("job", t.ID)
	if t.Customer != "" {
		p.field("customer", key(t.Customer))
	}
	if t.RequestSeen {
		asked := clock(t.CreatedAt) + " UTC, " + ago(t.CreatedAt, now)
		if t.ExpiresAt != 0 {
			asked += ", expires " + after(t.ExpiresAt, t.CreatedAt)
		}
		p.field("asked", asked)
	}
	money := "asked " + sats(t.AskedMsat) + ", claimed paid " + sats(t.ClaimedMsat)
	if t.BidMsat != nil {
		money = "bid " + sats(*t.BidMsat) + ", " + money
	}
	p.field("money", money)
	if t.Encrypted {
		p.field("input", "encrypted")
	} else {
		p.field("input", clean(t.Summary, 160))
	}
	p.field("output", clean(t.Output, 60))
	p.field("addressed", few(t.Addressed, key))
	p.field("relays", few(t.Relays, func(s string) string { return clean(s, 60) }))
	p.field("built on", few(t.ChainedFrom, func(s string) string { return s }))
	p.field("built by", few(t.ChainedTo, func(s string) string { return s }))
	p.field("results", fmt.Sprint(t.ResultsCount))
}

// few names the first of a list.
func few(list []string, show func(string) string) string {
	var out []string
	for _, s := range list[:min(len(list), maxNamed)] {
		out = append(out, show(s))
	}
	if n := len(list) - maxNamed; n > 0 {
		out = append(out, fmt.Sprintf("and %d more", n))
	}
	return strings.Join(out, ", ")
}

func (p *page) providers(t shownThread) {
	since := func(at int64) string {
		if at == 0 {
			return "-"
		}
		if !t.RequestSeen {
			return clock(at)
		}
		return after(at, t.CreatedAt)
	}
	var rows [][]string
	for _, x := range t.Providers {
		name := short(x.PubKey)
		if x.Name != "" {
			name = clean(x.Name, 24) + " " + name
		}
		rows = append(rows, []string{
			name, x.State, since(x.FirstFeedbackAt), since(x.FirstResultAt), orDash(x.AskedMsat), orDash(x.ClaimedMsat),
			since(x.PaidAt), orDash(x.RefundedMsat), clean(x.StatusText, 60),
		})
	}
	p.table([]string{"PROVIDER", "STATE", "FEEDBACK", "RESULT", "ASKED", "CLAIMED", "PAID", "REFUNDED", "SAYS"}, rows)
}

func (p *page) timeline(t shownThread) {
	if len(t.Events) == 0 {
		return
	}
	from := t.CreatedAt
	if !t.RequestSeen {
		from = t.Events[0].CreatedAt
	}
	var rows [][]string
	for _, e := range t.Events {
		amount := ""
		if e.AmountMsat != nil {
			amount = sats(*e.AmountMsat)
		}
		status := e.Status
		if e.StatusText != "" {
			status = strings.TrimSpace(status + " " + clean(e.StatusText, 48))
		}
		if e.Expired {
			status = strings.TrimSpace(status + " (expired)")
		}
		by := "-"
		if e.PubKey != "" {
			by = short(e.PubKey)
		}
		rows = append(rows, []string{clock(e.CreatedAt), after(e.CreatedAt, from), e.Role, fmt.Sprint(e.Kind), by, amount, status, e.ID})
	}
	p.table([]string{"TIME (UTC)", "AFTER", "ROLE", "KIND", "BY", "AMOUNT", "STATUS", "ID"}, rows)
	p.findings(t)
}

// findings says what is odd about each event, under its id.
func (p *page) findings(t shownThread) {
	first := true
	for _, e := range t.Events {
		for _, f := range e.Findings {
			if first {
				first = false
				p.line("\nFINDINGS")
			}
			p.line("%s…  %s: %s (%s)", clean(e.ID, 12)[:min(len(e.ID), 8)], f.Code, clean(f.Text, 160), clean(f.Section, 60))
		}
	}
}
