package month

import (
	"slices"

	"dvmrelay/nip90"
)

// fact is what the reference keeps of an event, as the parser reads it.
type fact struct {
	id       nip90.ID
	author   nip90.PubKey
	kind     int
	at       int64
	expires  int64
	role     nip90.Role
	links    []nip90.ID
	sure     bool // a result whose first link is marked or proved
	status   nip90.Status
	content  bool
	vanish   bool
	asked    bool // an ask that names money
	msat     int64
	invoiced int64 // when the invoice of an ask expires, 0 = none
	named    []nip90.PubKey
	chained  []nip90.ID   // earlier jobs that a request builds on
	from, to nip90.PubKey // of a payment
	payment  string       // tells payments apart
}

func factOf(p *nip90.Parsed) fact {
	f := fact{id: p.ID, author: p.Author, kind: p.Event.Kind, at: p.CreatedAt, expires: p.Expires, role: p.Message.Role()}
	switch m := p.Message.(type) {
	case *nip90.Request:
		f.named, f.chained = slices.Clone(m.Providers), slices.Clone(m.Chained)
	case *nip90.Result:
		f.links, f.status = idsOf(m.Links), m.Status
		f.sure = len(m.Links) > 0 && (m.Links[0].Trusted || slices.Contains([]string{"job", "request", "root"}, m.Links[0].Marker))
		f.ask(m.Ask)
	case *nip90.Feedback:
		f.links, f.status, f.content = idsOf(m.Links), m.Status, m.Content != ""
		f.ask(m.Ask)
	case *nip90.Zap:
		f.links, f.from, f.to, f.msat = idsOf(m.Links), m.Sender, m.Recipient, believed(m.Msat)
		switch {
		case m.Invoice != nil:
			f.payment = string(m.Invoice.PaymentHash[:])
		case m.Bolt11 != "":
			f.payment = string([]byte(m.Bolt11))
		default:
			f.payment = string(p.ID[:])
		}
	case *nip90.Nutzap:
		f.links, f.from, f.to, f.msat = idsOf(m.Links), p.Author, m.Recipient, believed(m.Msat)
		proofs := slices.Sorted(slices.Values(m.Proofs))
		for _, proof := range proofs {
			f.payment += proof + " "
		}
		if len(proofs) == 0 {
			f.payment = string(p.ID[:])
		}
	case *nip90.Cancel:
		f.links = slices.Clone(m.IDs)
	case *nip90.Other:
		f.links = idsOf(m.Links)
		f.vanish = m.Kind == nip90.KindVanish && slices.Contains(m.Relays, "ALL_RELAYS")
	}
	return f
}

// believed: nobody asks or pays more than 10,000 bitcoin; a larger number counts as that many.
func believed(m nip90.Msat) int64 { return min(max(int64(m), 0), 10_000*100_000_000*1000) }

func idsOf(links []nip90.Link) (ids []nip90.ID) {
	for _, l := range links {
		ids = append(ids, l.ID)
	}
	return ids
}

// ask: an amount of zero without an invoice asks for nothing.
func (f *fact) ask(a nip90.Ask) {
	f.asked = a.Set && (a.Msat > 0 || a.Invoice != nil)
	f.msat = believed(a.Msat)
	if a.Invoice != nil {
		f.invoiced = a.Invoice.ExpiresAt()
	}
}

func (f *fact) answer() bool { return f.role == nip90.RoleResult || f.role == nip90.RoleFeedback }

// good is a result that is not an error.
func (f *fact) good() bool { return f.role == nip90.RoleResult && f.status != nip90.Error }

func (f *fact) failed() bool { return f.answer() && f.status == nip90.Error }

func (f *fact) pays() bool { return f.role == nip90.RoleZap || f.role == nip90.RoleNutzap }
