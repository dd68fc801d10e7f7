package web

import (
	"context"
	"net/url"
	"strings"

	"dvmrelay/index"
	"dvmrelay/nip90"
	"dvmrelay/store"

	"github.com/danielgtaylor/huma/v2"
)

// The bounds of a thread's page, which stays small however long the thread is.
const (
	threadEvents    = 100 // events that the timeline, the graph and the results are made of
	threadRows      = 16  // events of the table on one page
	threadLanes     = 8   // answering providers in the timeline
	threadSilent    = 5   // eligible ones in the timeline that said nothing
	threadSides     = 10  // providers in the table
	threadReasons   = 8
	threadEvidence  = 3
	threadChain     = 8 // jobs before it, and after it
	threadTexts     = 11 << 10
	threadTitle     = 60  // characters of the input in a title
	threadInput     = 120 // characters of the input in the head line, unless all inputs are shown
	threadInputShow = 600
)

// threadScreen is one job as a story.
func (s *Site) threadScreen() *screen {
	return &screen{
		path: "/jobs/{id}", file: "thread.html", style: []string{"thread.css", "explore.css"}, tab: "Jobs",
		live: []string{
			"thread-state", "thread-answer", "thread-why", "thread-lanes", "thread-providers", "thread-result", "thread-money",
			"thread-graph", "thread-events",
		},
		load: s.loadThread,
		api:  func(v *visit) string { return "/jobs/" + url.PathEscape(v.Path("id")) },
	}
}

// threadPage is what the page of a job shows.
type threadPage struct {
	index.Story
	Supply  index.Supply
	Words   string // how the job stands
	Sign    string
	Class   string // of the words
	Input   string
	Readers []person // who can read an encrypted job
	Whys    []threadWhy
	MoreWhy int
	Lanes   timeline
	Sides   []threadSide
	Beyond  int // providers that are not in Sides
	Results []threadResult
	Others  int // results that are not in Results
	Reports []threadReport
	Money   []threadMoney
	Plan    plan
	Table   []threadRow
	Later   string // address of the events behind those of the table
	Earlier string // address of the first of them
	Heard   int    // upstreams
	Answer  *answerable

	names map[string]string // of keys
	known map[string]bool   // keys that are providers
	rows  map[nip90.ID]string
	nth   map[nip90.ID]int // of Events
}

func newThreadPage() *threadPage {
	return &threadPage{rows: make(map[nip90.ID]string), nth: make(map[nip90.ID]int), names: make(map[string]string), known: make(map[string]bool)}
}

// Offset is when something was made, counted from the request.
func (p *threadPage) Offset(at int64) string {
	d := at - p.Lanes.Start
	if d < 0 {
		return "−" + lastingShort(-d)
	}
	return "+" + lastingShort(d)
}

// Cut says whether only a part of the thread was read.
func (p *threadPage) Cut() bool { return int64(p.First) < p.Count }

// Answered says whether somebody has delivered.
func (p *threadPage) Answered() bool { return p.ResultsCount > 0 }

// From and To are the jobs that this one builds on, and that build on it.
func (p *threadPage) From() []nip90.ID { return p.ChainedFrom[:min(len(p.ChainedFrom), threadChain)] }

// To is described at From.
func (p *threadPage) To() []nip90.ID { return p.ChainedTo[:min(len(p.ChainedTo), threadChain)] }

// Who is a key as the page shows it: providers lead to their page as that, all others to a person's.
func (p *threadPage) Who(key string) person {
	return person{key, fitted(p.names[key], 90), keyPath(key, p.known[key])}
}

// called is a key in one short word.
func (p *threadPage) called(key string) string {
	switch name := strings.TrimSpace(p.names[key]); {
	case name != "":
		return fitted(shorten(name, 24), 48)
	case key == "":
		return "not kept"
	}
	return shortKey(key)
}

// Row is where an event stands in the table: on this page, on another one, or, when that is not known, on its own page.
func (p *threadPage) Row(id nip90.ID) string {
	if at, ok := p.rows[id]; ok {
		return at
	}
	i, ok := p.nth[id]
	switch {
	case !ok || i >= p.First:
		return eventPath(id.String())
	case i < threadRows:
		return jobPath(p.ID.String()) + "#event-" + id.String()
	}
	return "?after=" + p.Events[i/threadRows*threadRows-1].ID.String() + "#event-" + id.String()
}

func (s *Site) loadThread(ctx context.Context, v *visit) (*sheet, error) {
	text := v.Path("id")
	q := index.StoryQuery{Most: threadEvents, Rows: threadRows}
	if after := v.Query.Get("after"); after != "" {
		var err error
		if q.After, err = parsedID(after); err != nil {
			return nil, huma.Error400BadRequest("after: names no event (hex, note or nevent)")
		}
	}
	p := newThreadPage()
	var beats map[nip90.PubKey]int64
	moved := ""
	err := s.inThread(ctx, text, func(r store.Reader, id nip90.ID) (ok bool, err error) {
		root, ok, err := s.d.Index.Root(r, id)
		if err != nil || !ok {
			return ok, err
		}
		if root.String() != text {
			moved = jobPath(root.String())
			if root != id {
				moved += "#event-" + id.String()
			}
			return true, nil
		}
		if p.Story, ok, err = s.d.Index.Story(r, root, q); err != nil || !ok {
			return ok, err
		}
		if p.Supply, err = s.d.Index.Supply(r, &p.Thread, threadSilent); err != nil {
			return ok, err
		}
		beats, err = s.d.Index.Beats(r, p.answerers())
		return ok, err
	})
	switch {
	case err != nil:
		return nil, err
	case moved != "":
		return nil, elsewhere{moved}
	}
	s.tellThread(p, q, v, beats)
	return s.threadSheet(p), nil
}

// answerers are the keys of the providers that the timeline has lanes for.
func (p *threadPage) answerers() (keys []nip90.PubKey) {
	for _, side := range p.inOrder()[:min(len(p.Providers), threadLanes)] {
		if pk, ok := nip90.ParsePubKey(side.PubKey); ok {
			keys = append(keys, pk)
		}
	}
	return keys
}

// tellThread works out what the page shows of a thread that was read.
func (s *Site) tellThread(p *threadPage, q index.StoryQuery, v *visit, beats map[nip90.PubKey]int64) {
	bodies := make(map[nip90.ID]bool) // that are here, shown or not
	for _, list := range [][]index.Entry{p.Events, p.Rows} {
		for i := range list {
			bodies[list[i].ID] = list[i].Event != nil
		}
	}
	s.veil(&p.Thread)
	if !q.After.IsZero() {
		rest := index.Thread{Events: p.Rows}
		s.veil(&rest)
		p.Earlier = jobPath(p.ID.String()) + "#events"
	}
	for i := range p.Rows {
		p.rows[p.Rows[i].ID] = "#event-" + p.Rows[i].ID.String()
	}
	for i := range p.Events {
		p.nth[p.Events[i].ID] = i
	}
	if n := len(p.Rows); p.Story.Later && n > 0 {
		p.Later = "?after=" + p.Rows[n-1].ID.String() + "#events"
	}
	p.names[p.Customer] = p.Called
	for i := range p.Providers {
		p.names[p.Providers[i].PubKey], p.known[p.Providers[i].PubKey] = p.Providers[i].Name, true
	}
	for _, b := range p.Supply.Silent {
		p.names[b.PubKey], p.known[b.PubKey] = b.Name, true
	}
	delete(p.names, "")
	for i, key := range p.Addressed {
		if p.Encrypted && i < threadSilent {
			p.Readers = append(p.Readers, p.Who(key))
		}
	}
	p.Heard = len(s.d.Upstreams())
	most := threadInput
	if s.o.Inputs == InputsShow {
		most = threadInputShow
	}
	p.Input = shorten(strings.Join(strings.Fields(p.Summary), " "), most)
	p.Sign, p.Words, p.Class = standingWords(&p.Thread)
	read := &threadReader{page: p, left: threadTexts, bodies: bodies, now: v.Now.Unix()}
	p.sides()
	p.reasons()
	read.results()
	p.Lanes = drawTimeline(p, s.d.Index.Heard(p.CreatedAt, v.Now.Unix()).Gaps, beats, v.Now.Unix())
	read.money()
	p.Plan = drawPlan(p)
	s.tabulate(read)
	if p.RequestSeen && nip90.IsRequest(p.Kind) && p.State != "cancelled" && p.State != "expired" {
		p.Answer = &answerable{
			ID: p.ID.String(), Kind: p.Kind, ResultKind: nip90.ResultKind(p.Kind), Customer: p.Customer, RelayURL: s.d.RelayURL, Encrypted: p.Encrypted,
		}
		for _, r := range p.Readers {
			p.Answer.Addressed = append(p.Answer.Addressed, r.Key)
		}
	}
}

func (s *Site) threadSheet(p *threadPage) *sheet {
	title := "A job that was not heard"
	if p.RequestSeen {
		title = strings.TrimSpace(itoa(p.Kind) + " " + p.KindName)
	} else if p.Unlinked {
		title = "An answer to no job"
	}
	switch input := shorten(p.Input, threadTitle); {
	case p.Encrypted:
		title += " · encrypted"
	case input != "":
		title += " · " + input
	}
	about := p.Words + ": " + count(len(p.Providers), "provider", "providers") + " answered, " + count(p.ResultsCount, "result", "results")
	if p.AskedMsat > 0 {
		about += ", " + sats(p.AskedMsat) + " sats asked"
	}
	if p.ClaimedMsat > 0 {
		about += ", " + sats(p.ClaimedMsat) + " claimed paid"
	}
	return &sheet{Title: title, About: about + ".", Script: []string{"thread.js"}, Data: p}
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return grouped(int64(n)) + " " + many
}

// threadWay is one way to name the job elsewhere.
type threadWay struct{ Name, Text string }

// Ways are the texts that name the job, or ask a relay for all of it. Base and relay are empty when unknown.
func (p *threadPage) Ways(base, relay string) []threadWay {
	id := p.ID.String()
	author, _ := nip90.ParsePubKey(p.Customer)
	var hints []string
	if relay != "" {
		hints = append(hints, relay)
	}
	ways := []threadWay{
		{"nevent", nip90.Nevent(p.ID, author, p.Kind, hints...)},
		{"REQ", `["REQ","job",{"ids":["` + id + `"]},{"#e":["` + id + `"]}]`},
	}
	if relay != "" {
		ways = append(ways, threadWay{"nak", "nak req -i " + id + " " + quoted(relay) + " && nak req -t e=" + id + " " + quoted(relay)})
	}
	if base != "" {
		ways = append(ways, threadWay{"curl", "curl " + quoted(base+apiPrefix+"/jobs/"+id)})
	}
	return ways
}
