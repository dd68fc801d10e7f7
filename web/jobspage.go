package web

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"dvmrelay/index"
	"dvmrelay/nip90"
	"dvmrelay/store"

	"github.com/danielgtaylor/huma/v2"
)

// jobsPage is what /jobs shows.
type jobsPage struct {
	Fault    string            // what is wrong with the filter; nothing is shown then
	Form     map[string]string // as the visitor wrote it
	Fields   bool              // some of these fields are in use
	Texts    bool              // words can be looked for
	States   []chip
	Payments []chip
	Windows  []chip
	Kept     string // path of what is right of a filter that has a fault
	Active   []chip // what narrows the list; each leads to the list without it
	Words    []phrase
	List     *jobList
	For      *index.Person // whose jobs to answer are shown
	Newest   string        // path of the first page; empty on it
	Older    string        // path of the next page; empty on the last
	Ends     bool          // the time ends before it begins
	CSV      string
	Since    int64 // since when this relay listens; 0 = unknown
	KeepsAll bool  // customers are remembered for good

	names map[nip90.PubKey]string // of whom the filter names
}

// chip is a choice that is made by following a link, and taken back by following it again.
type chip struct {
	Name, Mark, Path string
	On               bool
}

// chipRow is the chips of one choice, and the id of what names it.
type chipRow struct {
	Of    string
	Chips []chip
}

// phrase is a part of a sentence: words or a person.
type phrase struct {
	Text string
	Who  *person
}

func (s *Site) jobsScreen() *screen {
	return &screen{path: "/jobs", file: "jobs.html", tab: "Jobs", live: []string{"list"}, load: s.jobsSheet, api: func(v *visit) string {
		return "/jobs?" + apiQuery(v.Query, v.Now).Encode()
	}}
}

// jobsSheet reads /jobs.
func (s *Site) jobsSheet(ctx context.Context, v *visit) (*sheet, error) {
	f, err := s.jobFilter(v.Query)
	p := &jobsPage{Form: form(v.Query), Texts: s.o.Inputs != InputsHide, KeepsAll: s.d.Index.KeepsCustomers()}
	if at := f.at(); err == nil && at != "/jobs"+asQuery(v.Query) {
		return nil, elsewhere{at}
	}
	if err == nil {
		err = s.readJobs(ctx, &f, p, v.Now)
	}
	var told huma.StatusError
	switch {
	case err == nil:
	case errors.As(s.failed(err), &told) && told.GetStatus() == http.StatusBadRequest:
		p.Fault, f.cursor = told.Error(), ""
		p.Kept = f.at()
	default:
		return nil, err
	}
	p.choices(&f)
	for name := range p.Form {
		p.Fields = p.Fields || !slices.Contains(chosen[:], name)
	}
	sh := &sheet{Title: "Jobs", About: "Jobs asked of Data Vending Machines, as this relay heard them: how each stands, what was paid, and who answered how fast.", Data: p}
	if p.Fault != "" {
		sh.Status, sh.Still = http.StatusBadRequest, true
		return sh, nil
	}
	p.Words = f.words(p)
	if len(p.Active) > 0 {
		sh.Title = title(&f)
	}
	sh.Still = f.cursor != ""
	return sh, nil
}

func asQuery(q url.Values) string {
	if len(q) == 0 {
		return ""
	}
	return "?" + q.Encode()
}

// chosen are the parameters that are chosen by chips.
var chosen = [...]string{"state", "payment", "window"}

// form is what was asked for, for its fields.
func form(query url.Values) map[string]string {
	out := map[string]string{}
	for _, name := range [...]string{"state", "payment", "window", "kind", "provider", "customer", "for", "encrypted", "q", "since", "until"} {
		if text := query.Get(name); text != "" {
			out[name] = brief(text, maxText, 1000)
		}
	}
	return out
}

// readJobs reads the jobs, and who is named by the filter.
func (s *Site) readJobs(ctx context.Context, f *jobFilter, p *jobsPage, now time.Time) error {
	err := s.view(ctx, func(r store.Reader) error {
		page, err := s.d.Index.Threads(r, f.query(now))
		if err != nil {
			return err
		}
		for i := range page.Items {
			s.veil(&page.Items[i])
		}
		p.List = s.jobRows(now, page.Items)
		if page.Next != "" {
			p.Older = f.at("cursor", page.Next)
		}
		if !f.of.IsZero() {
			who, err := s.d.Index.Person(r, f.of)
			if err != nil {
				return err
			}
			p.For = &who
		}
		if p.names, err = s.d.Index.Names(r, []nip90.PubKey{f.customer, f.provider}); err != nil {
			return err
		}
		if p.For != nil {
			p.names[f.of] = p.For.Name
		}
		return s.nameCustomers(r, p.List)
	})
	if err != nil {
		return err
	}
	if f.cursor != "" {
		p.Newest = f.at("cursor", "")
	}
	since, until := f.bounds(now)
	p.Ends = until != 0 && since > until
	api := apiQuery(f.values(), now)
	api.Set("format", "csv")
	p.CSV = apiPrefix + "/jobs?" + api.Encode()
	p.Since = s.d.Index.Heard(now.Unix(), now.Unix()).ObservedSince
	return nil
}

// choices are the chips, and what narrows the list.
func (p *jobsPage) choices(f *jobFilter) {
	choose := func(name, on string, values ...string) (out []chip) {
		out = append(out, chip{Name: "all", Path: f.at(name, ""), On: on == ""})
		for _, v := range values {
			c := chip{Name: v, Mark: mark(v), Path: f.at(name, v), On: v == on}
			if c.On {
				c.Path = f.at(name, "")
				p.Active = append(p.Active, chip{Name: name + " " + v, Path: c.Path})
			}
			out = append(out, c)
		}
		return out
	}
	p.States = choose("state", f.state, index.States()...)
	p.Payments = choose("payment", f.payment, index.Payments()...)
	p.Windows = []chip{{Name: "all", Path: f.at("window", "", "since", "", "until", ""), On: f.window == "" && f.since.at == 0 && f.until.at == 0}}
	for _, w := range jobWindows {
		c := chip{Name: w.name, Path: f.at("window", w.value, "since", "", "until", ""), On: f.window == w.value}
		if c.On {
			c.Path = f.at("window", "")
			p.Active = append(p.Active, chip{Name: "the last " + w.name, Path: c.Path})
		}
		p.Windows = append(p.Windows, c)
	}
	less := func(name, words string, is bool) {
		if is {
			p.Active = append(p.Active, chip{Name: words, Path: f.at(name, "")})
		}
	}
	for _, end := range f.ends() {
		less(end.name, end.name+" "+end.is.text, end.is.at != 0)
	}
	less("kind", "kind "+itoa(f.kind), f.kind != 0)
	for _, key := range f.keys() {
		less(key.name, key.name+" "+shortKey(key.is.String()), !key.is.IsZero())
	}
	less("encrypted", map[string]string{"true": "encrypted", "false": "in the open"}[f.encrypted], f.encrypted != "")
	less("q", "words “"+brief(f.q, 40, 100)+"”", f.q != "")
}

// stateWords say what jobs in a state are.
var stateWords = map[string]string{
	index.StateOpen: "that nobody has answered and that may still be", index.StateUnanswered: "that nobody answered in time",
	index.StateProcessing: "that somebody is working on", index.StatePaymentRequired: "that wait for a payment", index.StatePartial: "that have a part of a result",
	index.StateError: "that ended in an error", index.StateSuccess: "that have a result", index.StateCancelled: "that their customer took back",
	index.StateExpired: "that expired without an answer", index.StateStalled: "that were begun or paid and then went silent",
}

var paymentWords = map[string]string{
	"none": "for which no money was asked or sent", "asked": "for which money was asked", "invoice-expired": "whose invoice expired unpaid", "claimed": "with a claimed payment",
	"mismatch": "with a claimed payment that is not what was asked", "undelivered": "with a claimed payment and no result", "refunded": "of which a payment went back",
}

// words say in a sentence what is shown.
func (f *jobFilter) words(p *jobsPage) (out []phrase) {
	say := func(text string) { out = append(out, phrase{Text: text}) }
	who := func(key nip90.PubKey, provider bool) {
		out = append(out, phrase{Who: &person{key.String(), brief(p.names[key], nameChars, nameBytes), keyPath(key.String(), provider)}})
	}
	switch {
	case f.encrypted == "true":
		say("Encrypted jobs")
	case f.encrypted == "false":
		say("Jobs in the open")
	case len(p.Active) == 0:
		say("All jobs")
	default:
		say("Jobs")
	}
	if f.kind != 0 {
		say(" of kind " + itoa(f.kind))
		if name := nip90.KindName(f.kind); name != "" {
			say(" (" + name + ")")
		}
	}
	if !f.of.IsZero() {
		say(" that ")
		who(f.of, true)
		say(" could answer and has not")
	}
	if !f.customer.IsZero() {
		say(" of ")
		who(f.customer, false)
	}
	if !f.provider.IsZero() {
		say(" answered by ")
		who(f.provider, true)
	}
	for _, words := range []string{stateWords[f.state], paymentWords[f.payment]} {
		if words != "" {
			say(" " + words)
		}
	}
	if f.q != "" {
		say(" with “" + brief(f.q, 60, 200) + "” in the input")
	}
	say(f.time())
	if f.of.IsZero() {
		say(", newest first.")
	} else {
		say(": those that nobody answered first, each part newest first.")
	}
	return out
}

func (f *jobFilter) time() string {
	for _, w := range jobWindows {
		if w.value == f.window {
			return ", asked " + w.words
		}
	}
	switch since, until := f.since.at, f.until.at; {
	case since != 0 && until != 0:
		return ", asked from " + exact(since) + " to " + exact(until)
	case since != 0:
		return ", asked since " + exact(since)
	case until != 0:
		return ", asked until " + exact(until)
	}
	return ""
}

// title names a list without the words that somebody looked for.
func title(f *jobFilter) string {
	parts := []string{}
	if f.state != "" {
		parts = append(parts, f.state)
	}
	if f.payment != "" {
		parts = append(parts, "payment "+f.payment)
	}
	if f.kind != 0 {
		parts = append(parts, "kind "+itoa(f.kind))
	}
	for _, key := range []struct {
		word string
		of   nip90.PubKey
	}{{"for ", f.of}, {"of ", f.customer}, {"answered by ", f.provider}} {
		if !key.of.IsZero() {
			parts = append(parts, key.word+shortKey(key.of.String()))
		}
	}
	if len(parts) == 0 {
		return "Jobs"
	}
	return "Jobs: " + strings.Join(parts, ", ")
}
