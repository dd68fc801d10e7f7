package web

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"dvmrelay/index"
	"dvmrelay/nip90"

	"github.com/danielgtaylor/huma/v2"
)

// kindPage is one kind.
type kindPage struct {
	*index.KindDetail
	history
	Status  string // how firmly it is described, in words
	Answer  int    // the kind of its results; 0 = none
	Servers []server
	Heard   Heard
}

// server is who serves a kind.
type server struct{ index.KindProvider }

// Hue and Initial are those of a provider.
func (p server) Hue() int { return hue(p.PubKey) }

// Initial is a letter that stands for the provider.
func (p server) Initial() string {
	return dvm{&index.ProviderHead{PubKey: p.PubKey, Npub: p.Npub, Name: p.Name}}.Initial()
}

// kindWords say how firmly a kind is described.
var kindWords = map[nip90.KindStatus]string{
	nip90.KindRegistered: "Registered: it stands in the list of data vending machine kinds that NIP-90 points to.",
	nip90.KindProposed:   "Proposed: an open proposal describes it, and it may change.",
	nip90.KindWild:       "In use, and proposed nowhere: ask those who serve it how they want it.",
	nip90.KindObserved:   "Seen in traffic, and described nowhere.",
	nip90.KindHistoric:   "Of the past: another kind took its place.",
	nip90.KindUnknown:    "It stands in no list that this relay knows: ask those who use it what it means.",
}

func (s *Site) kindScreen() *screen {
	return &screen{path: "/kinds/{kind}", file: "kind.html", style: []string{"dvms.css"}, tab: "Kinds", live: []string{"figures", "jobs"}, load: s.kindPage, api: func(v *visit) string {
		return withQuery("/kinds/"+url.PathEscape(v.Path("kind")), windowAlone(v.Query))
	}}
}

// kindPage reads one kind.
func (s *Site) kindPage(ctx context.Context, v *visit) (*sheet, error) {
	kind, err := numberOf(url.Values{"kind": {v.Path("kind")}}, "kind", 65535)
	if err != nil {
		return nil, err
	}
	h, err := historyOf(v, kindPath(kind), v.Path("kind") == itoa(kind))
	if err != nil {
		return nil, err
	}
	if request := nip90.RequestKind(kind); request != 0 {
		return nil, elsewhere{kindPath(request)} // of the jobs that such results answer
	}
	in := &kindInput{Kind: kind}
	in.Window.Window = h.Window
	got, err := s.kind(ctx, in)
	if err != nil {
		return nil, noKind(err, kind, h.Window)
	}
	d := &got.Body
	h.draw(&d.Stats, "Jobs by when they were asked.", "Jobs asked and answered", "requests", "answered", "errors")
	if err := s.newest(ctx, &h, jobsInput{Kind: kind}); err != nil {
		return nil, err
	}
	p := &kindPage{KindDetail: d, history: h, Answer: nip90.ResultKind(kind), Status: kindWords[nip90.KindStatus(d.KindHead.Status)], Heard: s.measured()}
	for _, one := range d.ServedBy {
		p.Servers = append(p.Servers, server{one})
	}
	return charted(strings.TrimSpace("Kind "+itoa(kind)+" "+d.Name), p.about(), p), nil
}

func (p *kindPage) about() string {
	text := fmt.Sprintf("%d jobs asked by %d customers, %d answered; %d announcements, %d of them online.", p.Requests, p.Customers, p.Answered, p.Handlers, p.Online)
	if p.Unserved {
		text = fmt.Sprintf("Nobody serves this: %d asked.", p.Requests)
	}
	return text
}

// noKind says of a kind that was never heard of what it may be, and where to go from here.
func noKind(err error, kind int, window string) error {
	if !isStatus(err, http.StatusNotFound) {
		return err
	}
	name := itoa(kind)
	if n := nip90.KindName(kind); n != "" {
		name += " (" + n + ")"
	}
	h := &hinted{hints: []hint{{"/kinds", "See the kinds that are asked for and served"}}}
	text := "Kind " + name + " was neither asked for nor announced here"
	switch {
	case !nip90.IsRequest(kind):
		text = "Kind " + name + " is no kind of job: those are 5000 to 5999"
	case window != "all":
		text += " in this window"
		h.hints = append([]hint{{withQuery(kindPath(kind), url.Values{"window": {"all"}}), "Look at all that was ever heard"}}, h.hints...)
	}
	h.error = huma.Error404NotFound(text + ".")
	return h
}
