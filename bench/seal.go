package bench

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/schnorr"
	"github.com/nbd-wtf/go-nostr"
)

// seal signs an event without chance: go-nostr's signatures differ from run to run when it is built with libsecp256k1, and
// results quote the signature of their request, so their ids would too.
func seal(evt *nostr.Event, by identity) error {
	secret, err := hex.DecodeString(by.secret)
	if err != nil {
		return fmt.Errorf("read secret: %w", err)
	}
	if evt.Tags == nil {
		evt.Tags = nostr.Tags{}
	}
	evt.PubKey = by.public
	id := sha256.Sum256(evt.Serialize())
	key, _ := btcec.PrivKeyFromBytes(secret)
	sig, err := schnorr.Sign(key, id[:])
	if err != nil {
		return fmt.Errorf("sign event: %w", err)
	}
	evt.ID, evt.Sig = hex.EncodeToString(id[:]), hex.EncodeToString(sig.Serialize())
	return nil
}
