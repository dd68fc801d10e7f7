package web

import (
	"encoding/json"

	"dvmrelay/index"
	"dvmrelay/nip90"

	"github.com/nbd-wtf/go-nostr"
)

// veil hides the inputs of a job as Options.Inputs says: its summary, and every event that holds them.
func (s *Site) veil(t *index.Thread) {
	if s.o.Inputs != InputsHide {
		return
	}
	t.Summary = ""
	for i := range t.Events {
		if e := &t.Events[i]; s.conceals(e.Event) {
			e.Event, e.Findings = nil, silent(e.Findings)
		}
	}
}

// conceals says whether an event holds inputs that are not to be shown.
func (s *Site) conceals(raw []byte) bool {
	if s.o.Inputs != InputsHide || raw == nil {
		return false
	}
	var evt nostr.Event
	return json.Unmarshal(raw, &evt) != nil || nip90.RepeatsInput(&evt)
}

// silent keeps what was found and leaves out the sentences, which may quote the event.
func silent(found []nip90.Finding) []nip90.Finding {
	out := make([]nip90.Finding, len(found))
	for i, f := range found {
		out[i] = nip90.Finding{Code: f.Code, Section: f.Section}
	}
	return out
}
