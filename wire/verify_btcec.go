//go:build !libsecp256k1

package wire

import (
	"encoding/hex"

	"github.com/btcsuite/btcd/btcec/v2/schnorr"
	"github.com/nbd-wtf/go-nostr"
)

// SignatureLibrary names what verifies signatures in this build: "btcec" or "libsecp256k1".
const SignatureLibrary = "btcec"

func verify(evt *nostr.Event, id [32]byte) bool {
	var rawKey [32]byte
	var rawSig [64]byte
	if _, err := hex.Decode(rawKey[:], []byte(evt.PubKey)); err != nil {
		return false
	}
	if _, err := hex.Decode(rawSig[:], []byte(evt.Sig)); err != nil {
		return false
	}
	key, err := schnorr.ParsePubKey(rawKey[:])
	if err != nil {
		return false
	}
	sig, err := schnorr.ParseSignature(rawSig[:])
	return err == nil && sig.Verify(id[:], key)
}
