package web

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"dvmrelay/index"
	"dvmrelay/nip90"
	"dvmrelay/wire"

	"github.com/nbd-wtf/go-nostr"
)

// The bounds of an event's page, in bytes of HTML where it is text.
const (
	eventRaw      = 48_000
	eventReading  = 16_000
	eventFindings = 20
	eventSources  = 30
)

// eventPage is what the page of one event shows.
type eventPage struct {
	Event
	Author  person
	Sealed  bool   // withheld because it is for those alone whom it concerns
	Raw     string // as signed, or its beginning
	Bytes   int    // of the whole
	Cut     bool
	Type    string // what it was understood as
	Reading []eventField
	Unread  bool // more was read out of it than is shown
	More    int  // findings that are not shown
	Others  int  // sources that are not shown
}

// GoodID says whether the id is the hash of the event, as far as there is a body to check.
func (e *eventPage) GoodID() bool { return e.IDValid != nil && *e.IDValid }

// GoodSig says whether the signature is its author's, as far as there is a body to check.
func (e *eventPage) GoodSig() bool { return e.SigValid != nil && *e.SigValid }

// Amount is what the event names, in millisatoshi.
func (e *eventPage) Amount() int64 {
	if e.AmountMsat == nil {
		return 0
	}
	return *e.AmountMsat
}

// eventField is one thing that was read out of an event.
type eventField struct{ Name, Value string }

func (s *Site) eventScreen() *screen {
	return &screen{
		path: "/events/{id}", file: "event.html", style: []string{"explore.css"}, load: s.eventSheet,
		api: func(v *visit) string { return "/events/" + url.PathEscape(v.Path("id")) },
	}
}

// eventSheet reads one event: as it was signed, what is odd about it, what was understood, where it belongs.
func (s *Site) eventSheet(ctx context.Context, v *visit) (*sheet, error) {
	text := v.Path("id")
	id, err := parsedID(text)
	if err != nil {
		return nil, err
	}
	if text != id.String() {
		return nil, elsewhere{eventPath(id.String())}
	}
	got, err := s.event(ctx, &eventInput{ID: text})
	if err != nil {
		return nil, err
	}
	e := &eventPage{Event: got.Body, Sealed: got.Body.Encrypted && s.d.AuthEncrypted}
	e.Author = authorOf(e.PubKey, e.Role)
	e.Bytes = len(e.Event.Event.Event)
	e.Raw, e.Cut = cutToFit(string(e.Event.Event.Event), eventRaw)
	if err := e.read(e.Event.Event.Event); err != nil {
		return nil, err
	}
	if n := len(e.Findings); n > eventFindings {
		e.Findings, e.More = e.Findings[:eventFindings], n-eventFindings
	}
	if n := len(e.SeenOn); n > eventSources {
		e.SeenOn, e.Others = e.SeenOn[:eventSources], n-eventSources
	}
	for i, source := range e.SeenOn {
		if source == index.SelfSource {
			e.SeenOn[i] = "this relay"
		}
	}
	name := e.KindName
	if name == "" {
		name = "kind " + itoa(e.Kind)
	}
	return &sheet{
		Title: name + " " + text[:8], About: fmt.Sprintf("One event of kind %d (%s), as signed, checked and explained.", e.Kind, name), Data: e,
	}, nil
}

// understood parses a stored event.
func understood(raw []byte) (*nostr.Event, nip90.Message, error) {
	evt, _, err := wire.ParseEvent(raw, wire.Limits{})
	if err != nil {
		return nil, nil, fmt.Errorf("read a stored event: %w", err)
	}
	msg, err := nip90.Parse(evt)
	if err != nil {
		return nil, nil, fmt.Errorf("read event %s: %w", evt.ID, err)
	}
	return evt, msg, nil
}

// authorOf is who made an event with some role, with the page on which that is seen.
func authorOf(hex, role string) person {
	return person{hex, "", keyPath(hex, role == nip90.RoleResult.String() || role == nip90.RoleFeedback.String())}
}

// read fills in what the event was understood as. It has nothing to read when the body is gone.
func (e *eventPage) read(raw []byte) error {
	if raw == nil {
		return nil
	}
	_, msg, err := understood(raw)
	if err != nil {
		return err
	}
	kind, fields := reading(msg)
	e.Type = kind
	left := eventReading
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		value, err := fieldText(fields[name])
		if err != nil {
			return fmt.Errorf("read event %s: %w", e.ID, err)
		}
		if value == "" || strings.HasSuffix(name, "_set") {
			continue
		}
		short, cut := cutToFit(shorten(value, 400), left)
		e.Unread = e.Unread || cut || short != value
		if left -= len(short); left <= 0 {
			break
		}
		if name == "bid" || name == "max_bid" || name == "msat" {
			short += " msat"
		}
		e.Reading = append(e.Reading, eventField{strings.ReplaceAll(name, "_", " "), short})
	}
	return nil
}

// fieldText is a value for people; empty for one that says nothing. Values are as reading makes them.
func fieldText(v any) (string, error) {
	switch v := v.(type) {
	case nil, bool:
		if v == true {
			return "yes", nil
		}
		return "", nil
	case string:
		return v, nil
	case map[string]any:
		return joinedTexts(" · ", slices.Sorted(maps.Keys(v)), func(name string) (string, any) { return strings.ReplaceAll(name, "_", " ") + ": ", v[name] })
	case []any:
		return joinedTexts("; ", v, func(one any) (string, any) { return "", one })
	}
	text, err := json.Marshal(v)
	if err != nil || string(text) == "0" || string(text) == "null" {
		return "", err
	}
	return strings.Trim(string(text), `"`), nil
}

// joinedTexts joins what says something, each with its name before it.
func joinedTexts[T any](by string, all []T, of func(T) (string, any)) (string, error) {
	var out []string
	for _, one := range all {
		name, v := of(one)
		text, err := fieldText(v)
		if err != nil {
			return "", err
		}
		if text != "" {
			out = append(out, name+text)
		}
	}
	return strings.Join(out, by), nil
}

// cutToFit is as much of a text as takes at most so many bytes on a page, with what html/template escapes.
func cutToFit(text string, most int) (string, bool) {
	if len(text)*5 <= most {
		return text, false
	}
	n := 0
	for i, c := range text {
		switch c {
		case '"', '\'', '&', '+':
			n += 5
		case '<', '>':
			n += 4
		default:
			n += max(utf8.RuneLen(c), 1)
		}
		if n > most {
			return text[:i], true
		}
	}
	return text, false
}
