package month

import (
	"crypto/sha256"
	"fmt"

	"github.com/btcsuite/btcd/btcutil/bech32"
	"github.com/nbd-wtf/go-nostr"
)

// price is what a provider asks.
type price struct {
	msat int64
	tags nostr.Tags
}

// price names an amount in one of the forms seen in use.
func (s *side) price() price {
	msat := one(s.rng, int64(1000), 5000, 10_000, 21_000, 50_000, 100_000, 1_599_000)
	if !s.often(shareOddAmount) {
		invoice := s.invoice(msat, one(s.rng, int64(60), 600, 3600, 86_400))
		if s.rng.IntN(3) == 0 {
			return price{msat, nostr.Tags{tag("amount", number(msat))}}
		}
		return price{msat, nostr.Tags{tag("amount", number(msat), invoice)}}
	}
	invoice := s.invoice(msat, 3600)
	switch s.rng.IntN(12) {
	case 0:
		return price{100_000, nostr.Tags{tag("amount", "100_000", "botlab@zeuspay.example")}}
	case 1:
		return price{msat, nostr.Tags{tag("amount", number(msat), "lightning:"+invoice)}}
	case 2:
		return price{msat, nostr.Tags{tag("amount", number(msat), "bolt11", invoice)}}
	case 3:
		return price{1000, nostr.Tags{tag("amount", "1", "ecash")}}
	case 4:
		return price{msat, nostr.Tags{tag("amount", number(msat/1000), "sat")}}
	case 5:
		return price{msat, nostr.Tags{tag("amount", number(msat/1000), invoice)}}
	case 6:
		return price{28_125, nostr.Tags{tag("amount", "28125", s.invoice(25_000, 3600))}}
	case 7:
		return price{0, nostr.Tags{tag("amount", "0")}}
	case 8:
		return price{msat, nostr.Tags{tag("amount", "ask me")}}
	case 9:
		return price{msat, nostr.Tags{tag("amount", "", invoice)}}
	case 10:
		return price{msat, nostr.Tags{tag("bolt11", invoice)}}
	}
	return price{msat, nil}
}

// bargain asks for money. It says whether the work goes on.
func (s *side) bargain() bool {
	p := s.price()
	if s.often(shareHugeAmount) {
		p = price{5000, nostr.Tags{tag("amount", "1000000000000000000000000000000")}}
	}
	e := s.say(s.word("payment-required"), "", p.tags...)
	if s.rng.IntN(10) == 0 { // it changes its mind
		s.pause(20)
		p = s.price()
		e = s.say(s.word("payment-required"), "", p.tags...)
	}
	if !s.often(sharePaid) {
		return s.rng.IntN(20) == 0
	}
	s.pause(90)
	amount := max(p.msat, 1000)
	if s.often(shareWrongAmount) {
		amount = amount/2000*1000 + 1000
	}
	s.pay(e, amount, "")
	if s.often(shareNeverServed) {
		s.say(s.word("error"), "")
		if s.rng.IntN(2) == 0 {
			s.refund(e, amount)
		}
		return false
	}
	s.say(s.word("processing"), "")
	if s.often(shareRefund) {
		s.refund(e, amount)
	}
	return true
}

// pay is a receipt or a nutzap for what the provider said. about, when set, is named in its place.
func (s *side) pay(e nostr.Event, msat int64, about string) {
	if about == "" {
		about = e.ID
	}
	switch s.rng.IntN(40) {
	case 0:
		about = s.request.ID
	case 1:
		about = s.w.key("nothing", 1) // names nothing that is here
	}
	s.transfer(s.request.PubKey, s.key, about, msat)
}

func (s *side) refund(e nostr.Event, msat int64) {
	s.pause(30)
	s.transfer(s.key, s.request.PubKey, one(s.rng, e.ID, s.said, s.request.ID), msat)
}

func (s *side) transfer(from, to, about string, msat int64) {
	at := s.at + 3
	if s.often(shareNutzap) {
		sats, secret := msat/1000, number(s.rng.Int64())
		tags := nostr.Tags{tag("p", to), tag("u", "https://mint.example"), tag("e", about)}
		for _, part := range []int64{sats / 2, sats - sats/2} {
			if part > 0 {
				tags = append(tags, tag("proof", fmt.Sprintf(`{"amount":%d,"id":"00","secret":"%s-%d-%d","C":"02"}`, part, secret, part, len(tags))))
			}
		}
		s.w.emit(event(from, 9321, at, "", tags...))
		if s.often(shareTwice) {
			s.w.emit(event(from, 9321, at+9, "again", tags...))
		}
		return
	}
	sender := from
	if s.rng.IntN(10) == 0 {
		sender = s.w.key("anon", s.rng.IntN(1000))
	}
	description := fmt.Sprintf(`{"pubkey":%q,"kind":9734,"content":"","tags":[["p",%q],["e",%q],["amount","%d"]]}`, sender, to, about, msat)
	invoice := s.invoice(msat, 600)
	for n := range 3 {
		tags := nostr.Tags{tag("p", to), tag("e", about), tag("bolt11", invoice), tag("description", description)}
		if sender == from && s.rng.IntN(2) == 0 {
			tags = append(tags, tag("P", from))
		}
		if s.rng.IntN(12) == 0 { // a second thing is named
			tags = append(tags, tag("e", s.request.ID))
		}
		s.w.emit(event(s.w.key("zapper", n), 9735, at+int64(n), "", tags...))
		if !s.often(shareTwice) {
			break
		}
	}
}

// invoice is a BOLT-11 invoice that nobody signed.
func (s *side) invoice(msat, expiry int64) string {
	var seed [16]byte
	for i := range seed {
		seed[i] = byte(s.rng.Uint32())
	}
	return invoice(msat, s.at, expiry, sha256.Sum256(seed[:]))
}

func invoice(msat, at, expiry int64, hash [32]byte) string {
	words := make([]byte, 0, 256)
	for shift := 30; shift >= 0; shift -= 5 {
		words = append(words, byte(max(at, 0)>>shift)&31)
	}
	field := func(kind byte, value []byte) {
		words = append(words, kind, byte(len(value)>>5), byte(len(value)&31))
		words = append(words, value...)
	}
	payment, err := bech32.ConvertBits(hash[:], 8, 5, true)
	if err != nil {
		return "" // whole bytes always convert with padding
	}
	field(1, payment)
	field(6, []byte{byte(expiry>>15) & 31, byte(expiry>>10) & 31, byte(expiry>>5) & 31, byte(expiry) & 31})
	words = append(words, make([]byte, 104)...)
	out, err := bech32.Encode(fmt.Sprintf("lnbc%dn", msat/100), words)
	if err != nil {
		return "" // every word is below 32
	}
	return out
}
