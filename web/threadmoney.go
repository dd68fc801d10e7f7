package web

import (
	"slices"

	"dvmrelay/index"
	"dvmrelay/nip90"
)

const threadPayments = 10

// threadMoney is one event about money.
type threadMoney struct {
	What    string // ask, receipt, nutzap or refund
	Who     person
	At      int64
	Row     string
	Msat    int64
	Known   bool // Msat is
	Method  string
	Bolt11  string // shortened
	Invoice *threadInvoice
	Mint    string
	Gone    string
}

// threadInvoice is what a BOLT-11 invoice says.
type threadInvoice struct {
	Msat    int64 // 0 = open
	Expires int64
	Over    bool // it has expired
	Fits    string
}

// money gathers asks, receipts, nutzaps and refunds, oldest first.
func (r *threadReader) money() {
	p := r.page
	for i := range p.Events {
		e := &p.Events[i]
		if e.AmountMsat == nil || e.Role == nip90.RoleRequest.String() {
			continue
		}
		p.Money = append(p.Money, r.amount(e))
	}
	// Payments before asks when there is no room for all; then in their order again.
	if len(p.Money) > threadPayments {
		slices.SortStableFunc(p.Money, func(a, b threadMoney) int { return askRank(a) - askRank(b) })
		p.Money = p.Money[:threadPayments]
		slices.SortStableFunc(p.Money, func(a, b threadMoney) int { return int(min(max(a.At-b.At, -1), 1)) })
	}
}

func askRank(m threadMoney) int {
	if m.What == "ask" {
		return 1
	}
	return 0
}

func (r *threadReader) amount(e *index.Entry) threadMoney {
	m := threadMoney{What: "ask", Who: r.page.Who(e.PubKey), At: e.CreatedAt, Row: r.page.Row(e.ID), Msat: *e.AmountMsat, Known: true, Gone: r.gone(e)}
	switch e.Role {
	case nip90.RoleZap.String():
		m.What = "receipt"
	case nip90.RoleNutzap.String(), nip90.RoleRefund.String():
		m.What = e.Role
	}
	_, said := opened(e)
	switch said := said.(type) {
	case *nip90.Feedback:
		r.asked(&m, said.Ask)
	case *nip90.Result:
		r.asked(&m, said.Ask)
	case *nip90.Zap:
		if said.Invoice != nil {
			m.Invoice = r.invoice(said.Invoice, 0, false)
		}
	case *nip90.Nutzap:
		m.Mint = shorten(said.Mint, 80)
	}
	return m
}

func (r *threadReader) asked(m *threadMoney, a nip90.Ask) {
	m.Method = shorten(a.Method, 20)
	if m.Bolt11 = a.Bolt11; len(m.Bolt11) > 24 {
		m.Bolt11 = m.Bolt11[:24] + "…"
	}
	if a.Invoice != nil {
		m.Invoice = r.invoice(a.Invoice, m.Msat, a.Msat != 0)
	}
}

// invoice reads an invoice; with is the amount of the tag beside it, if there is one.
func (r *threadReader) invoice(inv *nip90.Invoice, with int64, tagged bool) *threadInvoice {
	out := &threadInvoice{Msat: int64(inv.Msat), Expires: inv.ExpiresAt()}
	out.Over = out.Expires <= r.now
	switch {
	case !tagged || out.Msat == 0:
	case out.Msat == with:
		out.Fits = "tag = invoice ✓"
	default:
		out.Fits = "tag ≠ invoice"
	}
	return out
}
