package index

import (
	"bytes"

	"dvmrelay/nip90"
	"dvmrelay/store"
)

// mostMsat is 10,000 bitcoin. No honest payment for a job is larger, and nine thousand of them can be summed up.
const mostMsat = 10_000 * 100_000_000 * 1_000

func less(a, b nip90.ID) bool { return bytes.Compare(a[:], b[:]) < 0 }

func isAnswer(f *store.Fact) bool {
	return f.Role == nip90.RoleResult || f.Role == nip90.RoleFeedback
}

func isPayment(f *store.Fact) bool {
	return f.Role == nip90.RoleZap || f.Role == nip90.RoleNutzap
}

func isError(f *store.Fact) bool {
	if f.Role == nip90.RoleResult {
		return f.Has(store.FactErrorTag)
	}
	return f.Status == nip90.Error
}

// amount keeps a hostile number from turning sums over.
func amount(m nip90.Msat) int64 { return min(max(int64(m), 0), mostMsat) }

// add folds an answer in. It is associative, commutative and, as members are told apart by their id, safe to repeat.
func (s *sideRow) add(f *store.Fact) {
	if s.answers == 0 || f.CreatedAt > s.last {
		s.last = f.CreatedAt
	}
	s.answers++
	failed := isError(f)
	if failed {
		s.errors++
	}
	if f.Role == nip90.RoleFeedback {
		if s.feedbacks == 0 || f.CreatedAt < s.first {
			s.first = f.CreatedAt
		}
		s.feedbacks++
		s.hear(said{status: f.Status, content: f.Has(store.FactContent), at: f.CreatedAt, id: f.ID})
	} else if failed {
		s.hear(said{status: nip90.Error, at: f.CreatedAt, id: f.ID})
	} else {
		if s.results == 0 || f.CreatedAt < s.firstResult {
			s.firstResult = f.CreatedAt
		}
		s.results++
	}
	if f.Has(store.FactAsk) && (f.Msat > 0 || f.Has(store.FactInvoice)) {
		s.demand(ask{set: true, at: f.CreatedAt, id: f.ID, msat: amount(f.Msat), invoiceAt: f.InvoiceAt})
	}
}

// hear keeps the newest by (time, rank, lowest id). DESIGN's "States".
func (s *sideRow) hear(n said) {
	o := &s.said
	switch {
	case n.status == nip90.StatusNone:
		return
	case o.status == nip90.StatusNone, n.at > o.at:
	case n.at < o.at:
		return
	case n.status != o.status:
		if n.status < o.status {
			return
		}
	case !less(n.id, o.id):
		return
	}
	s.said = n
}

func (s *sideRow) demand(n ask) {
	if o := &s.ask; o.set && (n.at < o.at || n.at == o.at && !less(n.id, o.id)) {
		return
	}
	s.ask = n
}

// state is what the provider's side has come to.
func (s *sideRow) state() nip90.Status {
	switch {
	case s.results > 0:
		return nip90.Success
	case s.said.status == nip90.Success && s.said.content:
		return nip90.Partial // says it is done and sent something, but not as a result
	case s.said.status == nip90.Success:
		return nip90.Processing
	}
	return s.said.status
}

// refundedAny: a payment to the customer is a refund only when its sender worked on the job or was paid for it; else it is
// a tip.
func (s *sideRow) refundedAny() bool { return s.refunds > 0 && s.answers+s.claims > 0 }

// share is what the side adds to its thread.
func (s *sideRow) share() sums {
	c := sums{
		answers: s.answers, feedbacks: s.feedbacks, results: s.results, errors: s.errors,
		claims: s.claims, claimed: s.claimed,
	}
	if s.ask.set {
		c.asked, c.askers = s.ask.msat, 1
	}
	if s.answers > 0 {
		c.states[s.state()] = 1
	}
	if s.refundedAny() {
		c.refunders = 1
	}
	return c
}

// direction says whose side a payment belongs to, and which way it flows.
type direction struct {
	provider nip90.PubKey
	refund   bool
}

// flow reads the direction of a payment. customer is zero while the request is not here. The provider is given by its
// pseudonym where there are any.
func flow(b *store.Blinder, f *store.Fact, customer nip90.PubKey) (direction, bool) {
	if len(f.People) < 2 || f.People[1].IsZero() {
		return direction{}, false
	}
	sender, recipient, customer := b.Of(f.People[0]), b.Of(f.People[1]), b.Of(customer)
	if recipient != customer {
		return direction{provider: recipient}, true
	}
	return direction{provider: sender, refund: true}, !sender.IsZero() && sender != customer
}

// fingerprint tells payments apart; a receipt without one is its own.
func fingerprint(f *store.Fact) [8]byte {
	if f.Payment == [8]byte{} {
		return [8]byte(f.ID[:8])
	}
	return f.Payment
}

// pay folds a payment in. had is the receipt that counted for its fingerprint so far, nil when there was none. It says
// whether f counts now.
func (s *sideRow) pay(f *store.Fact, d direction, had *paymentRow) bool {
	count, sum := &s.claims, &s.claimed
	if d.refund {
		count, sum = &s.refunds, &s.refunded
	} else if s.claims == 0 || f.CreatedAt > s.paidAt {
		s.paidAt = f.CreatedAt
	}
	switch {
	case had == nil:
		*count++
		*sum += amount(f.Msat)
	case less(f.ID, had.id):
		*sum += amount(f.Msat) - had.msat
	default:
		return false
	}
	return true
}
