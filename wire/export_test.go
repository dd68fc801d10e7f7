package wire

import "github.com/nbd-wtf/go-nostr"

// Serialized is what Hash hashes.
func Serialized(evt *nostr.Event) []byte { return appendSerialized(nil, evt) }
