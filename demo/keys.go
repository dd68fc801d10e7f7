package demo

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/rand/v2"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/schnorr"
	"github.com/nbd-wtf/go-nostr"
)

// key is a throwaway key pair.
type key struct {
	secret *btcec.PrivateKey
	public string
}

// newKey derives a key from the seed and a name: nobody keeps it, and everybody can make it again.
func newKey(seed uint64, name string) key {
	h := sha256.Sum256(fmt.Appendf(nil, "dvmrelay demo %d %s", seed, name))
	secret, public := btcec.PrivKeyFromBytes(h[:])
	return key{secret, hex.EncodeToString(schnorr.SerializePubKey(public))}
}

// sign fills in author, id and signature. It uses no chance, whatever signatures the rest of the program is built with:
// results quote the signature of their request, so ids depend on it.
func (k key) sign(evt *nostr.Event) error {
	if evt.Tags == nil {
		evt.Tags = nostr.Tags{}
	}
	evt.PubKey = k.public
	id := sha256.Sum256(evt.Serialize())
	sig, err := schnorr.Sign(k.secret, id[:], schnorr.FastSign()) // who takes it in verifies it
	if err != nil {
		return fmt.Errorf("sign demo event: %w", err)
	}
	evt.ID, evt.Sig = hex.EncodeToString(id[:]), hex.EncodeToString(sig.Serialize())
	return nil
}

// dice is where all chance comes from: the same seed and stream throw the same.
type dice struct{ *rand.Rand }

func newDice(seed, stream uint64) dice { return dice{rand.New(rand.NewPCG(seed, stream))} }

func (d dice) chance(p float64) bool { return d.Float64() < p }

// between is a whole number from lo to hi, both possible.
func (d dice) between(lo, hi int64) int64 {
	if hi <= lo {
		return lo
	}
	return lo + d.Int64N(hi-lo+1)
}

func (d dice) bytes(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(d.Uint32())
	}
	return b
}

func (d dice) hex(n int) string { return hex.EncodeToString(d.bytes(n)) }

func pick[T any](d dice, list []T) T { return list[d.IntN(len(list))] }
