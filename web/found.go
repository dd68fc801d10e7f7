package web

import (
	"context"
	"encoding/json"
	"strings"

	"dvmrelay/index"
	"dvmrelay/nip90"
	"dvmrelay/policies"

	"github.com/nbd-wtf/go-nostr"
)

// The bounds of what the explorer's page shows.
const (
	foundShown = 50
	foundChars = 140 // of what an event says
	foundBytes = 420
)

// Found is what the relay answers to a filter from what it holds, as it would answer a socket that has proved no key.
type Found struct {
	Events   [][]byte // as signed, in the order of an answer
	Count    int64    // how many there are, when that was asked
	Complete bool     // there are no more; of a count: it is exact
}

// found is what stands on the explorer's page of that.
type found struct {
	Events   []json.RawMessage `json:"events"`
	Count    *int64            `json:"count,omitempty"`
	Complete bool              `json:"complete"`
	Withheld int               `json:"withheld,omitempty"` // events that hold inputs, which are not shown here
	Refused  string            `json:"refused,omitempty"`  // why the relay does not answer this

	Rows []foundRow `json:"-"`
}

// Number is how many there are, when that was asked.
func (f *found) Number() int64 { return *f.Count }

// foundRow is one event of it.
type foundRow struct {
	ID     string
	Kind   int
	Name   string // of the kind
	Author person
	At     int64
	Status string // of a feedback, as written
	Said   string
	Sealed bool // encrypted: only its outer tags can be read
}

// find asks the relay for what a filter matches; nil when the relay is not there to be asked.
func (s *Site) find(ctx context.Context, f nostr.Filter, count bool) (*found, error) {
	if s.d.Peek == nil {
		return nil, nil
	}
	var got Found
	err := s.admitted(ctx, func() (err error) {
		got, err = s.d.Peek(ctx, f, count, foundShown)
		return err
	})
	if no, ok := policies.AsRejection(err); ok {
		return &found{Events: []json.RawMessage{}, Refused: no.Error()}, nil
	}
	if err != nil {
		return nil, err
	}
	out := &found{Events: make([]json.RawMessage, 0, len(got.Events)), Complete: got.Complete}
	if count {
		out.Count = &got.Count
		return out, nil
	}
	for _, raw := range got.Events {
		if s.conceals(raw) {
			out.Withheld++
			continue
		}
		row, err := s.foundRow(raw)
		if err != nil {
			return nil, err
		}
		out.Events, out.Rows = append(out.Events, raw), append(out.Rows, row)
	}
	return out, nil
}

// foundRow reads what a row shows of an event.
func (s *Site) foundRow(raw []byte) (foundRow, error) {
	evt, msg, err := understood(raw)
	if err != nil {
		return foundRow{}, err
	}
	row := foundRow{ID: evt.ID, Kind: evt.Kind, Name: nip90.KindName(evt.Kind), At: int64(evt.CreatedAt), Author: authorOf(evt.PubKey, msg.Role().String())}
	text, chars := evt.Content, foundChars
	switch m := msg.(type) {
	case *nip90.Feedback:
		row.Status, row.Sealed = strings.TrimSpace(m.Said+" "+m.Text), m.Encrypted != nip90.Plain
	case *nip90.Result:
		row.Sealed = m.Encrypted != nip90.Plain
	case *nip90.Request:
		text, row.Sealed = index.Summary(m), m.Encrypted != nip90.Plain
		if s.o.Inputs != InputsShow {
			chars = overviewSummary
		}
	}
	if !row.Sealed {
		row.Said = brief(strings.TrimSpace(text), chars, foundBytes)
	}
	row.Status = brief(row.Status, foundChars, foundBytes)
	return row, nil
}
