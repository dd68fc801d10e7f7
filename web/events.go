package web

import (
	"context"
	"errors"
	"net/http"

	"dvmrelay/index"
	"dvmrelay/nip90"
	"dvmrelay/store"
	"dvmrelay/wire"

	"github.com/danielgtaylor/huma/v2"
	"github.com/nbd-wtf/go-nostr"
)

// maxLint is the longest event that is read to be judged, in bytes.
const maxLint = 512 << 10

func (s *Site) eventsAPI(api huma.API) {
	huma.Register(api, unseenOperation(api, operation("event", "/events/{id}", "One event exactly as signed, and what is known of it")), s.event)
	lint := operation("lint", "/lint", "What is odd about an event, and what it is understood as; nothing is stored")
	lint.Method, lint.MaxBodyBytes, lint.SkipValidateBody = http.MethodPost, maxLint, true
	lint.Errors = []int{http.StatusBadRequest, http.StatusRequestEntityTooLarge}
	huma.Register(api, lint, s.lint)
	op := api.OpenAPI().Paths[lintPath].Post
	op.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{"application/json": {Schema: &huma.Schema{
		Type: huma.TypeObject, Description: "A signed Nostr event. NIP-01.", AdditionalProperties: true,
	}}}}
	s.exportAPI(api)
}

type eventInput struct {
	ID string `path:"id" maxLength:"5000" doc:"hex, note or nevent."`
}

// Event is one event, what is known of it, and whether it is what it says it is.
type Event struct {
	index.Event
	IDValid  *bool           `json:"id_valid,omitempty" doc:"The id is its hash; absent when there is no body to check."`
	SigValid *bool           `json:"sig_valid,omitempty" doc:"The signature is its author's."`
	Withheld bool            `json:"withheld,omitempty" doc:"There is a body, and it is not shown here."`
	Findings []nip90.Finding `json:"findings"`
}

func (s *Site) event(ctx context.Context, in *eventInput) (*body[Event], error) {
	id, err := parsedID(in.ID)
	if err != nil {
		return nil, err
	}
	var e Event
	var p *nip90.Parsed
	err = s.one(ctx, func(r store.Reader) (ok bool, err error) {
		if e.Event, p, ok, err = s.d.Index.Event(r, id); err != nil || !ok || p != nil {
			return ok, err
		}
		e.Withheld, err = s.d.Index.Sealed(r, id)
		return ok, err
	}, func() error { return s.unseen("no event with this id was seen here") })
	if err != nil {
		return nil, err
	}
	e.Findings = []nip90.Finding{}
	if p == nil {
		return &body[Event]{e}, nil
	}
	good, signed := genuine(p.Event)
	e.IDValid, e.SigValid = &good, &signed
	e.Findings = append(e.Findings, nip90.Lint(p.Event)...)
	if s.conceals(e.Event.Event) {
		e.Event.Event, e.Withheld, e.Findings = nil, true, silent(e.Findings)
	}
	return &body[Event]{e}, nil
}

// genuine says whether the id of an event is its hash, and the signature its author's.
func genuine(evt *nostr.Event) (id, sig bool) {
	return wire.CheckID(evt), wire.VerifySignature(evt, wire.Hash(evt))
}

type lintInput struct {
	RawBody []byte `contentType:"application/json"`
}

// Verdict is what a linter says of an event.
type Verdict struct {
	ID       string          `json:"id" doc:"As the event has it."`
	Kind     int             `json:"kind"`
	KindName string          `json:"kind_name"`
	Role     string          `json:"role" doc:"The part it plays in a job."`
	IDValid  bool            `json:"id_valid"`
	SigValid bool            `json:"sig_valid"`
	Findings []nip90.Finding `json:"findings"`
	Type     string          `json:"type" doc:"What it is understood as."`
	Parsed   map[string]any  `json:"parsed" doc:"What was read out of it."`
}

func (s *Site) lint(_ context.Context, in *lintInput) (*body[Verdict], error) {
	evt, _, err := wire.ParseEvent(in.RawBody, wire.DefaultLimits())
	if err != nil {
		var m *wire.Malformed
		if errors.As(err, &m) {
			return nil, huma.Error400BadRequest("event: " + m.Reason)
		}
		return nil, huma.Error400BadRequest("event: cannot be read")
	}
	msg, err := nip90.Parse(evt)
	if err != nil {
		return nil, huma.Error400BadRequest("event: cannot be read")
	}
	v := Verdict{
		ID: evt.ID, Kind: evt.Kind, KindName: nip90.KindName(evt.Kind), Role: msg.Role().String(),
		Findings: append([]nip90.Finding{}, nip90.Lint(evt)...),
	}
	v.Type, v.Parsed = reading(msg)
	v.IDValid, v.SigValid = genuine(evt)
	return &body[Verdict]{v}, nil
}
