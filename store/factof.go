package store

import (
	"crypto/sha256"
	"slices"

	"dvmrelay/nip90"
)

// FactOf makes the fact of an event, as it will be read back. Whether it has a body, was deleted or was born dead is for
// the writer to say.
func FactOf(p *nip90.Parsed) Fact {
	f := Fact{
		ID: p.ID, Author: p.Author, Kind: p.Event.Kind, CreatedAt: p.CreatedAt,
		Expires: clampTime(p.Expires), Received: clampTime(p.Received.Unix()), Role: p.Message.Role(),
	}
	if p.Door == nip90.DoorSocket {
		f.Flags |= FactOwn
	}
	switch m := p.Message.(type) {
	case *nip90.Request:
		f.ofRequest(m)
	case *nip90.Result:
		f.Status = m.Status
		f.ofAnswer(m.Links, m.Customer, m.Ask, m.Encrypted)
		if m.Status == nip90.Error {
			f.Flags |= FactErrorTag
		}
	case *nip90.Feedback:
		f.Status = m.Status
		f.ofAnswer(m.Links, m.Customer, m.Ask, m.Encrypted)
		if m.Content != "" {
			f.Flags |= FactContent
		}
	case *nip90.Zap:
		f.ofZap(m)
	case *nip90.Nutzap:
		f.Msat = m.Msat
		f.Links = factLinks(m.Links)
		f.People = []nip90.PubKey{p.Author, m.Recipient}
		f.Payment = fingerprint(m.Proofs)
	case *nip90.Cancel:
		for _, id := range m.IDs {
			f.Links = append(f.Links, FactLink{ID: id, Full: true})
		}
	case *nip90.Handler:
		f.Payment = dMark(m.D)
	case *nip90.Heartbeat:
		f.Links = factLinks(m.Links)
		f.Payment = dMark(m.D)
	case *nip90.Other:
		f.Links, f.People = factLinks(m.Links), m.About
	}
	f.fit()
	return f
}

func (f *Fact) ofRequest(m *nip90.Request) {
	f.Msat, f.People = m.Bid, m.Providers
	if m.BidSet {
		f.Flags |= FactAsk
	}
	if m.Encrypted != nip90.Plain {
		f.Flags |= FactEncrypted
	}
	for _, id := range m.Chained {
		f.Links = append(f.Links, FactLink{ID: id, Full: true})
	}
}

func (f *Fact) ofAnswer(links []nip90.Link, customer nip90.PubKey, ask nip90.Ask, enc nip90.Encryption) {
	f.Links = factLinks(links)
	if len(links) > 0 && links[0].Sure() {
		f.Flags |= FactSure
	}
	if !customer.IsZero() {
		f.People = []nip90.PubKey{customer}
	}
	if enc != nip90.Plain {
		f.Flags |= FactEncrypted
	}
	if ask.Set {
		f.Flags |= FactAsk
		f.Msat = ask.Msat
	}
	if ask.Invoice != nil {
		f.Flags |= FactInvoice
		f.InvoiceAt = clampTime(ask.Invoice.CreatedAt + int64(ask.Invoice.Expiry.Seconds()))
		copy(f.Payment[:], ask.Invoice.PaymentHash[:])
	}
}

func (f *Fact) ofZap(m *nip90.Zap) {
	f.Msat = m.Msat
	f.Links = factLinks(m.Links)
	f.People = []nip90.PubKey{m.Sender, m.Recipient}
	switch {
	case m.Invoice != nil:
		f.Flags |= FactInvoice
		copy(f.Payment[:], m.Invoice.PaymentHash[:])
	case m.Bolt11 != "":
		f.Payment = fingerprint([]string{m.Bolt11})
	}
}

func factLinks(links []nip90.Link) []FactLink {
	out := make([]FactLink, len(links))
	for i, l := range links {
		out[i] = FactLink{ID: l.ID, Full: true}
	}
	return out
}

// fingerprint is the same for the same parts in any order, and zero for none.
func fingerprint(parts []string) (sum [8]byte) {
	if len(parts) == 0 {
		return sum
	}
	sorted := slices.Clone(parts)
	slices.Sort(sorted)
	h := sha256.New()
	for _, p := range sorted {
		h.Write([]byte(p))
		h.Write([]byte{0})
	}
	copy(sum[:], h.Sum(nil))
	return sum
}

// dMark tells the services of one key apart: the first eight bytes of the SHA-256 of a d tag's value.
func dMark(d string) [8]byte {
	sum := sha256.Sum256([]byte(d))
	return [8]byte(sum[:8])
}

func clampTime(t int64) int64 { return max(0, min(t, maxTime)) }
