package nip90

import "github.com/nbd-wtf/go-nostr"

// RepeatsInput says whether an event holds what a customer asked for: a request does, and so does an answer that copies
// the request's tags. Whoever hides inputs hides such events whole. NIP-90 "Job result".
func RepeatsInput(evt *nostr.Event) bool {
	if evt == nil {
		return false
	}
	if IsRequest(evt.Kind) {
		return true
	}
	for _, tag := range evt.Tags {
		switch value(tag, 0) {
		case "request", "i", "param":
			return true
		}
	}
	return false
}
