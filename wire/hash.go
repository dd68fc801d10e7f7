package wire

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"sync"

	"github.com/nbd-wtf/go-nostr"
)

var hashBuffers = sync.Pool{New: func() any { return new([]byte) }}

// maxHashBuffer is the largest buffer, in bytes, that is kept for the next hash.
const maxHashBuffer = 1 << 20

// Hash is the id that the event must have: the SHA-256 of its NIP-01 serialization. Its strings must be UTF-8, as those
// of every parsed event are.
func Hash(evt *nostr.Event) [32]byte {
	buf := hashBuffers.Get().(*[]byte)
	*buf = appendSerialized((*buf)[:0], evt)
	sum := sha256.Sum256(*buf)
	if cap(*buf) <= maxHashBuffer {
		hashBuffers.Put(buf)
	}
	return sum
}

func appendSerialized(dst []byte, evt *nostr.Event) []byte {
	dst = append(dst, `[0,"`...)
	dst = append(dst, evt.PubKey...)
	dst = append(dst, '"', ',')
	dst = strconv.AppendInt(dst, int64(evt.CreatedAt), 10)
	dst = append(dst, ',')
	dst = strconv.AppendInt(dst, int64(evt.Kind), 10)
	dst = append(dst, ',', '[')
	for i, tag := range evt.Tags {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, '[')
		for j, item := range tag {
			if j > 0 {
				dst = append(dst, ',')
			}
			dst = appendQuoted(dst, item)
		}
		dst = append(dst, ']')
	}
	dst = append(dst, ']', ',')
	dst = appendQuoted(dst, evt.Content)
	return append(dst, ']')
}

// CheckID says whether the event's id is its hash.
func CheckID(evt *nostr.Event) bool {
	sum := Hash(evt)
	var want [64]byte
	hex.Encode(want[:], sum[:])
	return evt.ID == string(want[:])
}

// VerifySignature says whether sig is pubkey's BIP-340 signature of id, which must be Hash(evt). Signature and key that
// are not 128 and 64 lowercase hex characters are refused before any library sees them.
func VerifySignature(evt *nostr.Event, id [32]byte) bool {
	if len(evt.Sig) != 128 || len(evt.PubKey) != 64 || !lowerHex(evt.Sig) || !lowerHex(evt.PubKey) {
		return false
	}
	return verify(evt, id)
}
