package nip90

import "github.com/nbd-wtf/go-nostr"

// Parse reads what an event means.
func Parse(evt *nostr.Event) (Message, error) { return &Other{Kind: evt.Kind}, nil }

// Expiration is the NIP-40 expiration in unix seconds, 0 when there is none or it cannot be read.
func Expiration(evt *nostr.Event) int64 { return 0 }
