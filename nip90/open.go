package nip90

import (
	"errors"
	"time"

	"github.com/nbd-wtf/go-nostr"
)

// Open makes a Parsed of an event read at a door: it decodes id and author, reads the expiration and parses the
// meaning. Raw must be the event's own JSON. The caller has not verified hash or signature yet; Open does neither.
// It fails when there is no event, or when id or author are not 64 lowercase hexadecimal characters.
func Open(evt *nostr.Event, raw []byte, door Door, received time.Time) (*Parsed, error) {
	if evt == nil {
		return nil, ErrNoEvent
	}
	id, ok := ParseID(evt.ID)
	if !ok {
		return nil, errors.New("id is not 64 lowercase hex characters")
	}
	pk, ok := ParsePubKey(evt.PubKey)
	if !ok {
		return nil, errors.New("pubkey is not 64 lowercase hex characters")
	}
	msg, err := Parse(evt)
	if err != nil {
		return nil, err
	}
	return &Parsed{Event: evt, Raw: raw, Message: msg, ID: id, Author: pk, CreatedAt: int64(evt.CreatedAt), Expires: Expiration(evt), Received: received, Door: door}, nil
}
