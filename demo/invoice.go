package demo

import (
	"crypto/sha256"
	"fmt"
	"strconv"

	"github.com/btcsuite/btcd/btcec/v2/ecdsa"
	"github.com/btcsuite/btcd/btcutil/bech32"
)

// invoice is what a BOLT-11 payment request says. It is signed by a node that does not exist, so nobody can pay it.
type invoice struct {
	msat        int64
	at          int64 // unix seconds
	expiry      int64 // seconds
	description string
	hashed      []byte // SHA-256 of what is described elsewhere; replaces description
}

// The tagged fields of BOLT-11 that are written.
const (
	fieldHash     = 1
	fieldSecret   = 16
	fieldText     = 13
	fieldTextHash = 23
	fieldExpiry   = 6
	fieldCLTV     = 24
)

// encode writes the invoice, signed by a node's key. BOLT-11.
func (v invoice) encode(d dice, node key) (string, error) {
	hrp := "lnbc" + amountOf(v.msat)
	words := number(uint64(v.at), 7)
	var err error
	field := func(tag byte, value []byte) {
		five, e := bech32.ConvertBits(value, 8, 5, true)
		if e != nil {
			err = e
		}
		words = append(words, tag, byte(len(five)>>5), byte(len(five)&31))
		words = append(words, five...)
	}
	short := func(tag byte, n uint64, size int) {
		words = append(words, tag, 0, byte(size))
		words = append(words, number(n, size)...)
	}
	field(fieldHash, d.bytes(32))
	field(fieldSecret, d.bytes(32))
	if v.hashed != nil {
		field(fieldTextHash, v.hashed)
	} else {
		field(fieldText, []byte(v.description))
	}
	short(fieldExpiry, uint64(v.expiry), 4)
	short(fieldCLTV, 40, 2)
	if err != nil {
		return "", fmt.Errorf("write invoice: %w", err)
	}
	data, err := bech32.ConvertBits(words, 5, 8, true)
	if err != nil {
		return "", fmt.Errorf("write invoice: %w", err)
	}
	digest := sha256.Sum256(append([]byte(hrp), data...))
	compact := ecdsa.SignCompact(node.secret, digest[:], true)
	signature, err := bech32.ConvertBits(append(compact[1:], compact[0]-31), 8, 5, true)
	if err != nil {
		return "", fmt.Errorf("write invoice: %w", err)
	}
	out, err := bech32.Encode(hrp, append(words, signature...))
	if err != nil {
		return "", fmt.Errorf("write invoice: %w", err)
	}
	return out, nil
}

// amountOf is an amount in the shortest unit of BOLT-11 that holds it.
func amountOf(msat int64) string {
	for _, u := range [...]struct {
		msat int64
		name string
	}{{100_000_000, "m"}, {100_000, "u"}, {100, "n"}} {
		if msat%u.msat == 0 {
			return strconv.FormatInt(msat/u.msat, 10) + u.name
		}
	}
	return strconv.FormatInt(msat*10, 10) + "p"
}

// number is n as words of five bits, big end first.
func number(n uint64, size int) []byte {
	words := make([]byte, size)
	for i := size - 1; i >= 0; i-- {
		words[i] = byte(n & 31)
		n >>= 5
	}
	return words
}
