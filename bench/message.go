package bench

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// eventID is the 32 bytes of an event id.
type eventID [32]byte

func decodeID(hexID []byte) (id eventID, err error) {
	if len(hexID) != 64 {
		return id, fmt.Errorf("event id of %d characters", len(hexID))
	}
	_, err = hex.Decode(id[:], hexID)
	return id, err
}

type label string

// The messages of a relay that a run looks at.
const (
	labelEvent  label = "EVENT"
	labelOK     label = "OK"
	labelEOSE   label = "EOSE"
	labelClosed label = "CLOSED"
	labelNotice label = "NOTICE"
)

// message is one message of the relay; its slices live as long as the frame that was parsed.
type message struct {
	label label
	sub   []byte  // subscription of EVENT, EOSE, CLOSED
	id    eventID // event of EVENT, OK
	ok    bool
	text  string // reason of OK, CLOSED, NOTICE
	event []byte // JSON of EVENT
}

var (
	eventHead = []byte(`["EVENT","`)
	idKey     = []byte(`"id":"`)
	errShape  = errors.New("message is not a JSON array that starts with a label")
)

// parseMessage reads EVENT without decoding the event: quotes inside JSON strings are always escaped,
// so the bytes `"id":"` can only be a key of the event itself.
func parseMessage(b []byte) (message, error) {
	if rest, ok := bytes.CutPrefix(b, eventHead); ok {
		if m, ok := fastEvent(rest); ok {
			return m, nil
		}
	}
	var parts []json.RawMessage
	if err := json.Unmarshal(b, &parts); err != nil || len(parts) == 0 {
		return message{}, fmt.Errorf("%w: %.80q", errShape, b)
	}
	var m message
	if err := json.Unmarshal(parts[0], &m.label); err != nil {
		return message{}, fmt.Errorf("%w: %.80q", errShape, b)
	}
	if err := m.fill(parts[1:]); err != nil {
		return message{}, fmt.Errorf("read %s %.120q: %w", m.label, b, err)
	}
	return m, nil
}

func fastEvent(rest []byte) (message, bool) {
	rest, ended := bytes.CutSuffix(bytes.TrimRight(rest, " \r\n\t"), []byte("]"))
	sub, event, ok := bytes.Cut(rest, []byte(`",`))
	if !ended || !ok || bytes.IndexByte(sub, '\\') >= 0 || len(event) == 0 {
		return message{}, false
	}
	at := bytes.Index(event, idKey)
	if at < 0 || len(event) < at+len(idKey)+64 {
		return message{}, false
	}
	at += len(idKey)
	id, err := decodeID(event[at : at+64])
	if err != nil {
		return message{}, false
	}
	return message{label: labelEvent, sub: sub, id: id, event: event}, true
}

// fill reads the parts after the label; labels that a run does not look at are left empty.
func (m *message) fill(parts []json.RawMessage) error {
	text := func(i int) (string, error) {
		var s string
		if i >= len(parts) {
			return "", fmt.Errorf("element %d is missing", i+1)
		}
		return s, json.Unmarshal(parts[i], &s)
	}
	first, err := text(0)
	if err != nil {
		return err
	}
	m.sub = []byte(first)
	switch m.label {
	case labelEvent:
		var e struct{ ID string }
		if len(parts) < 2 {
			return errors.New("no event")
		}
		if err := json.Unmarshal(parts[1], &e); err != nil {
			return err
		}
		m.event = parts[1]
		m.id, err = decodeID([]byte(e.ID))
	case labelOK:
		if m.id, err = decodeID([]byte(first)); err != nil {
			return err
		}
		if len(parts) < 2 {
			return errors.New("no verdict")
		}
		if err := json.Unmarshal(parts[1], &m.ok); err != nil {
			return err
		}
		m.text, err = text(2)
	case labelClosed:
		m.text, err = text(1)
	case labelNotice:
		m.text = first
	}
	return err
}

// reasonKey shortens a refusal to words that repeat, so that reasons can be counted.
func reasonKey(s string) string {
	var words []string
	for _, w := range strings.Fields(s) {
		switch {
		case len(w) > 24:
			w = "…"
		case strings.ContainsAny(w, "0123456789"):
			w = "N"
		}
		words = append(words, w)
		if len(words) == 12 {
			break
		}
	}
	return strings.Join(words, " ")
}
