package web

import (
	"bytes"
	"encoding/json"
	"regexp"
	"slices"
	"strings"

	"dvmrelay/index"
	"dvmrelay/nip90"

	"github.com/nbd-wtf/go-nostr"
)

const (
	threadResults = 3
	threadReports = 8
	resultShown   = 2 << 10 // bytes of HTML of a result that stand there at once
	resultMost    = 6 << 10 // and with what can be unfolded
	resultRead    = 256 << 10
	resultLinks   = 6
)

// threadReader reads the bodies of a thread as far as the page has room for them.
type threadReader struct {
	page   *threadPage
	left   int // bytes of HTML that bodies may still take
	bodies map[nip90.ID]bool
	now    int64
}

// threadResult is what a provider gave.
type threadResult struct {
	By      person
	At      int64
	Row     string
	ID      nip90.ID
	Kind    int
	Status  string
	Word    bool     // it is a feedback with something in it
	Readers []person // of an encrypted one
	Sealed  bool
	Gone    string // why there is nothing to show
	Text    string
	Rest    string
	Size    int // bytes of the whole
	Cut     bool
	JSON    bool
	Links   []string
}

// threadReport is what somebody said of a result.
type threadReport struct {
	By    person
	At    int64
	Row   string
	Label bool
	Says  string
	Text  string
	About []string // rows of what it names
	Gone  string
}

// htmlSize is how long a character is on a page, escaped.
func htmlSize(c rune, width int) int {
	switch c {
	case '<', '>', '&', '"', '\'', '+':
		return 5
	}
	return width
}

// fit cuts a text so that it takes at most so many bytes of HTML.
func fit(text string, most int) (head, rest string) {
	used := 0
	for i, c := range text {
		if used += htmlSize(c, len(string(c))); used > most {
			return text[:i], text[i:]
		}
	}
	return text, ""
}

// take is as much of a text as there is room for.
func (r *threadReader) take(text string, most int) (head, rest string) {
	head, rest = fit(text, min(most, r.left))
	r.left -= weigh(head)
	return head, rest
}

// fitted is a text on one line that takes at most so many bytes of HTML.
func fitted(text string, most int) string {
	head, rest := fit(strings.Join(strings.Fields(text), " "), most)
	if rest != "" {
		head += "…"
	}
	return head
}

func weigh(text string) (n int) {
	for _, c := range text {
		n += htmlSize(c, len(string(c)))
	}
	return n
}

// opened is the event of an entry and what it says; nil when its body is not shown.
func opened(e *index.Entry) (*nostr.Event, nip90.Message) {
	if e.Event == nil {
		return nil, nil
	}
	evt, m, err := understood(e.Event)
	if err != nil {
		return nil, nil
	}
	return evt, m
}

// gone says why the body of an event is not shown.
func (r *threadReader) gone(e *index.Entry) string {
	switch {
	case e.Event != nil:
		return ""
	case r.bodies[e.ID]:
		return "not shown here: it repeats the input, and inputs are hidden"
	case e.Expired:
		return "expired, body gone"
	}
	return "no body here: deleted, or kept for those it concerns"
}

// results gathers what was delivered, best first, and what others say of it.
func (r *threadReader) results() {
	p := r.page
	var list []*index.Entry
	for i := range p.Events {
		e := &p.Events[i]
		switch e.Role {
		case nip90.RoleResult.String():
			list = append(list, e)
		case nip90.RoleFeedback.String():
			if e.Status == nip90.Partial.String() || e.Status == nip90.Success.String() {
				list = append(list, e)
			}
		case nip90.RoleReport.String():
			r.report(e)
		}
	}
	rank := func(e *index.Entry) int {
		switch {
		case e.Role != nip90.RoleResult.String():
			return 2
		case e.Status == nip90.Error.String():
			return 1
		}
		return 0
	}
	slices.SortStableFunc(list, func(a, b *index.Entry) int { return rank(a) - rank(b) })
	for _, e := range list {
		res, ok := r.result(e, len(p.Results) < threadResults)
		switch {
		case !ok:
		case len(p.Results) < threadResults:
			p.Results = append(p.Results, res)
		default:
			p.Others++
		}
	}
}

// result reads one; false for a feedback with nothing in it.
func (r *threadReader) result(e *index.Entry, whole bool) (threadResult, bool) {
	p := r.page
	res := threadResult{
		By: p.Who(e.PubKey), At: e.CreatedAt, ID: e.ID, Row: p.Row(e.ID), Kind: e.Kind, Status: e.Status, Word: e.Role != nip90.RoleResult.String(),
		Gone: r.gone(e),
	}
	if !whole && !res.Word {
		return res, true
	}
	evt, m := opened(e)
	if evt == nil {
		return res, !res.Word
	}
	if res.Word && strings.TrimSpace(evt.Content) == "" {
		return res, false
	}
	sealed := nip90.Plain
	switch m := m.(type) {
	case *nip90.Result:
		sealed = m.Encrypted
	case *nip90.Feedback:
		sealed = m.Encrypted
	}
	if !whole {
		return res, true
	}
	if sealed != nip90.Plain {
		res.Sealed = true
		if p.Customer != "" {
			res.Readers = append(res.Readers, p.Who(p.Customer))
		}
		return res, true
	}
	r.content(&res, evt.Content)
	return res, true
}

func (r *threadReader) content(res *threadResult, content string) {
	res.Size = len(content)
	text := content[:min(len(content), resultRead)]
	if start := strings.TrimLeft(text, " \t\r\n"); len(text) == len(content) && (strings.HasPrefix(start, "{") || strings.HasPrefix(start, "[")) {
		var out bytes.Buffer
		if json.Indent(&out, []byte(start), "", "  ") == nil && out.Len() <= 2*resultRead {
			text, res.JSON = out.String(), true
		}
	}
	text = strings.ToValidUTF8(strings.ReplaceAll(text, "\x00", ""), "\uFFFD")
	var rest string
	res.Text, rest = r.take(text, resultShown)
	if rest != "" {
		res.Rest, rest = r.take(rest, resultMost-resultShown)
	}
	res.Cut = rest != "" || len(content) > resultRead
	res.Links = linksIn(text[:min(len(text), resultMost)])
}

var linkPattern = regexp.MustCompile(`https?://[A-Za-z0-9][^\s"'<>\\^` + "`" + `{|}]{2,300}`)

// linksIn are the web addresses in a text, for people to follow; never loaded by a page.
func linksIn(text string) (links []string) {
	for _, l := range linkPattern.FindAllString(text, 4*resultLinks) {
		l = strings.TrimRight(l, ".,;:!?)]")
		if !slices.Contains(links, l) && len(links) < resultLinks {
			links = append(links, l)
		}
	}
	return links
}

func (r *threadReader) report(e *index.Entry) {
	p := r.page
	if len(p.Reports) == threadReports {
		return
	}
	rep := threadReport{By: p.Who(e.PubKey), At: e.CreatedAt, Row: p.Row(e.ID), Label: e.Kind == nip90.KindLabel, Gone: r.gone(e)}
	if evt, m := opened(e); evt != nil {
		rep.Text = fitted(evt.Content, rowText)
		if m, ok := m.(*nip90.Other); ok {
			rep.Says = fitted(strings.Join(m.Says, ", "), rowText)
			for _, l := range m.Links[:min(len(m.Links), 3)] {
				if _, ok := p.nth[l.ID]; ok {
					rep.About = append(rep.About, p.Row(l.ID))
				}
			}
		}
	}
	p.Reports = append(p.Reports, rep)
}
