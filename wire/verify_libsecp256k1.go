//go:build libsecp256k1

package wire

import (
	"github.com/nbd-wtf/go-nostr"
)

// SignatureLibrary names what verifies signatures in this build: "btcec" or "libsecp256k1".
const SignatureLibrary = "libsecp256k1"

// verify leaves the hashing to the library too, which does not take a hash from outside: so an id that is not the hash
// has to be refused here, to mean the same in both builds.
func verify(evt *nostr.Event, id [32]byte) bool {
	ok, err := evt.CheckSignature()
	return err == nil && ok && Hash(evt) == id
}
