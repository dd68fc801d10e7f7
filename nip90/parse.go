package nip90

import (
	"errors"
	"strings"

	"github.com/nbd-wtf/go-nostr"
)

// The bounds of what is kept of one event, whatever a stranger signs.
const (
	maxInputs  = 256
	maxParams  = 256
	maxRelays  = 64
	maxKeys    = 128
	maxTopics  = 64
	maxKinds   = 2000
	maxProofs  = 256
	maxTargets = 4000
)

// ErrNoEvent is returned for a nil event.
var ErrNoEvent = errors.New("no event")

// Parse reads what an event means. It checks neither id nor signature, refuses nothing but nil (ErrNoEvent), and tells
// in the message's findings what it had to overlook or repair. The message shares strings with the event.
func Parse(evt *nostr.Event) (Message, error) {
	if evt == nil {
		return nil, ErrNoEvent
	}
	switch k := evt.Kind; {
	case IsSquatter(k):
		return parseOther(evt), nil
	case IsRequest(k):
		if answersInRequestRange(evt) {
			return parseResult(evt), nil
		}
		return parseRequest(evt), nil
	case IsResult(k):
		return parseResult(evt), nil
	case k == KindFeedback:
		return parseFeedback(evt), nil
	case k == KindHandler:
		return parseHandler(evt), nil
	case k == KindRecommendation:
		return parseRecommendation(evt), nil
	case IsHeartbeat(k):
		return parseHeartbeat(evt), nil
	case k == KindZap:
		return parseZap(evt), nil
	case k == KindNutzap:
		return parseNutzap(evt), nil
	case k == KindDeletion:
		return parseCancel(evt), nil
	}
	return parseOther(evt), nil
}

// Expiration is the NIP-40 expiration in unix seconds, 0 when there is none or it cannot be read.
func Expiration(evt *nostr.Event) int64 {
	if evt == nil {
		return 0
	}
	for _, tag := range evt.Tags {
		if len(tag) >= 2 && tag[0] == "expiration" {
			if at, ok := parseSeconds(tag[1]); ok {
				return at
			}
		}
	}
	return 0
}

// parseSeconds reads a whole number of unix seconds; one that is not positive is 1, which is as long ago.
func parseSeconds(s string) (int64, bool) {
	s = strings.TrimSpace(s)
	past := strings.HasPrefix(s, "-")
	s = strings.TrimPrefix(s, "-")
	if s == "" || len(s) > 18 {
		return 0, false
	}
	var n int64
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		n = n*10 + int64(s[i]-'0')
	}
	if past {
		n = 1
	}
	return max(n, 1), true
}

// value is the element of a tag at i, empty when it is not there.
func value(tag nostr.Tag, i int) string {
	if i < 0 || i >= len(tag) {
		return ""
	}
	return tag[i]
}

// readID reads an event id as tags hold it: hex, hex in uppercase, or a bech32 name of an event. The id is zero when
// it cannot be read.
func readID(s string) (ID, oddity) {
	if id, ok := ParseID(s); ok {
		return id, oddNone
	}
	if len(s) == 64 {
		if id, ok := ParseID(strings.ToLower(s)); ok {
			return id, oddUppercaseHex
		}
	}
	if looksBech32(s) {
		if ref, err := ParseReference(s); err == nil && !ref.ID.IsZero() {
			return ref.ID, oddBech32Ref
		}
	}
	return ID{}, oddBadID
}

// readPubKey is readID for a public key.
func readPubKey(s string) (PubKey, oddity) {
	if pk, ok := ParsePubKey(s); ok {
		return pk, oddNone
	}
	if len(s) == 64 {
		if pk, ok := ParsePubKey(strings.ToLower(s)); ok {
			return pk, oddUppercaseHex
		}
	}
	if looksBech32(s) {
		if ref, err := ParseReference(s); err == nil && ref.ID.IsZero() && ref.Address == nil && !ref.PubKey.IsZero() {
			return ref.PubKey, oddBech32Ref
		}
	}
	return PubKey{}, oddBadPubKey
}

// looksBech32 is the cheap check before a bech32 decoder is troubled.
func looksBech32(s string) bool {
	s = strings.TrimPrefix(s, "nostr:")
	return len(s) >= 60 && len(s) <= maxReferenceLength && s[0] == 'n' &&
		(strings.HasPrefix(s, "note1") || strings.HasPrefix(s, "nevent1") || strings.HasPrefix(s, "npub1") ||
			strings.HasPrefix(s, "nprofile1") || strings.HasPrefix(s, "naddr1"))
}

// parseKind reads a kind number between 0 and 65535 in plain digits.
func parseKind(s string) (int, bool) {
	if s == "" || len(s) > 5 {
		return 0, false
	}
	n := 0
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		n = n*10 + int(s[i]-'0')
	}
	return n, n <= 65535
}

// ParseAddress reads "kind:pubkey:d". NIP-01.
func ParseAddress(s string) (Address, bool) {
	kind, rest, ok := strings.Cut(s, ":")
	if !ok {
		return Address{}, false
	}
	key, d, ok := strings.Cut(rest, ":")
	if !ok {
		return Address{}, false
	}
	k, ok := parseKind(kind)
	if !ok {
		return Address{}, false
	}
	pk, ok := ParsePubKey(key)
	return Address{Kind: k, PubKey: pk, D: d}, ok
}
