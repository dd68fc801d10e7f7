package month

import (
	"bytes"

	"dvmrelay/nip90"
)

// hear takes an answer; they come oldest first, equal times by lowest id.
func (s *Side) hear(f *fact) {
	s.Answers++
	s.last = f.at
	if f.failed() {
		s.Errors++
	}
	if f.role == nip90.RoleFeedback {
		if s.Feedbacks++; s.Feedbacks == 1 {
			s.FirstFeedback = f.at
		}
	}
	if f.good() {
		if s.Results++; s.Results == 1 {
			s.FirstResult = f.at
		}
	} else if f.status != nip90.StatusNone && supersedes(f, s.said) {
		s.said = f
	}
	if f.asked && (s.ask == nil || f.at > s.ask.at) {
		s.ask, s.HasAsk, s.Asked, s.InvoiceExpires = f, true, f.msat, f.invoiced
	}
}

// supersedes: the newest feedback counts, by created_at, then rank, then lowest id.
func supersedes(f, old *fact) bool {
	switch {
	case old == nil || f.at > old.at:
		return true
	case f.at < old.at:
		return false
	case f.status != old.status:
		return rank(f.status) > rank(old.status)
	}
	return bytes.Compare(f.id[:], old.id[:]) < 0
}

func rank(s nip90.Status) int {
	switch s {
	case nip90.Success:
		return 5
	case nip90.Error:
		return 4
	case nip90.Partial:
		return 3
	case nip90.PaymentRequired:
		return 2
	case nip90.Processing:
		return 1
	}
	return 0
}

func (s *Side) state() string {
	switch {
	case s.Results > 0:
		return "success"
	case s.said == nil:
		return "none"
	}
	switch s.said.status {
	case nip90.Success:
		if s.said.content {
			return "partial"
		}
		return "processing"
	case nip90.Error:
		return "error"
	case nip90.Partial:
		return "partial"
	case nip90.PaymentRequired:
		return "payment-required"
	}
	return "processing"
}

// pay takes a payment: to the customer it goes back, to anybody else it is a claim.
func (j *Job) pay(f *fact) {
	if f.to.IsZero() {
		return
	}
	if j.Seen && f.to == j.Customer {
		if f.from.IsZero() || f.from == j.Customer {
			return
		}
		s := j.side(f.from)
		if !s.given[f.payment] {
			s.given[f.payment] = true
			s.Refunds++
			s.Refunded = plus(s.Refunded, f.msat)
		}
		return
	}
	s := j.side(f.to)
	s.PaidAt = f.at
	if !s.claimed[f.payment] {
		s.claimed[f.payment] = true
		s.Claims++
		s.Claimed = plus(s.Claimed, f.msat)
	}
}

func (v *View) sidePayment(s *Side) string {
	silent := v.Now-max(s.last, s.PaidAt) >= int64(v.ref.StalledAfter.Seconds())
	switch {
	case s.Refunds > 0 && s.Answers > 0:
		return "refunded"
	case s.Claims > 0 && s.Results == 0 && silent:
		return "undelivered"
	case s.Claims > 0 && s.HasAsk && s.Claimed != s.Asked:
		return "mismatch"
	case s.Claims > 0:
		return "claimed"
	case s.HasAsk && s.InvoiceExpires != 0 && s.InvoiceExpires <= v.Now:
		return "invoice-expired"
	case s.HasAsk:
		return "asked"
	}
	return "none"
}

func payment(j *Job) string {
	for _, p := range []string{"refunded", "undelivered", "mismatch", "claimed", "invoice-expired", "asked"} {
		for _, s := range j.Sides {
			if s.Payment == p {
				return p
			}
		}
	}
	return "none"
}

func (v *View) state(j *Job) string {
	some := func(state string) bool {
		for _, s := range j.Sides {
			if s.Answers > 0 && s.State == state {
				return true
			}
		}
		return false
	}
	switch {
	case some("success"):
		return "success"
	case j.Cancelled:
		return "cancelled"
	}
	for _, state := range []string{"partial", "payment-required", "processing", "error"} {
		if some(state) {
			return state
		}
	}
	if j.Expires != 0 && j.Expires <= v.Now {
		return "expired"
	}
	return "open"
}

// stalled: at work, or paid and not done, and silent.
func (v *View) stalled(j *Job) bool {
	switch j.State {
	case "success", "cancelled", "error":
		return false
	case "processing", "partial":
	default:
		if j.Claims == 0 {
			return false
		}
	}
	return v.Now-j.Silence >= int64(v.ref.StalledAfter.Seconds())
}
