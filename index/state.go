package index

import (
	"time"
)

// The states of a thread. Unanswered is a view of open; stalled may also be asked for as a state.
const (
	StateOpen            = "open"
	StateUnanswered      = "unanswered"
	StateProcessing      = "processing"
	StatePaymentRequired = "payment-required"
	StatePartial         = "partial"
	StateError           = "error"
	StateSuccess         = "success"
	StateCancelled       = "cancelled"
	StateExpired         = "expired"
	StateStalled         = "stalled"
)

// States are the values that ThreadQuery.State takes.
func States() []string {
	return []string{
		StateOpen, StateUnanswered, StateProcessing, StatePaymentRequired, StatePartial, StateError, StateSuccess,
		StateCancelled, StateExpired, StateStalled,
	}
}

// payment is how the money of a job stands; of several providers the highest counts.
type payment uint8

const (
	payNone payment = iota
	payAsked
	payInvoiceExpired
	payClaimed
	payMismatch
	payUndelivered
	payRefunded
)

// Payments are the values that ThreadQuery.Payment takes, in the order of payment.
func Payments() []string {
	return []string{"none", "asked", "invoice-expired", "claimed", "mismatch", "undelivered", "refunded"}
}

func (p payment) String() string { return Payments()[p] }

const (
	defaultUnanswered = 10 * time.Minute
	defaultStalled    = 10 * time.Minute
)

func seconds(d, fallback time.Duration) int64 {
	if d <= 0 {
		d = fallback
	}
	return int64(d / time.Second)
}

func (x *Index) unansweredAfter() int64 { return seconds(x.o.UnansweredAfter, defaultUnanswered) }
func (x *Index) stalledAfter() int64    { return seconds(x.o.StalledAfter, defaultStalled) }

func (x *Index) now(asked int64) int64 {
	if asked != 0 {
		return asked
	}
	if x.o.Now != nil {
		return x.o.Now().Unix()
	}
	return time.Now().Unix()
}

// state is the stored state of a thread seen at a time. DESIGN's "States".
func (r *threadRow) state(now int64) string {
	switch r.class() {
	case classSuccess:
		return StateSuccess
	case classCancelled:
		return StateCancelled
	case classPartial:
		return StatePartial
	case classPaymentRequired:
		return StatePaymentRequired
	case classProcessing:
		return StateProcessing
	case classError:
		return StateError
	}
	if r.expires != 0 && r.expires <= now {
		return StateExpired
	}
	return StateOpen
}

// stalled: at work or paid, and silent for too long.
func (r *threadRow) stalled(now, after int64) bool {
	switch r.state(now) {
	case StateProcessing, StatePartial:
	case StatePaymentRequired, StateOpen, StateExpired:
		if r.claims == 0 {
			return false
		}
	default:
		return false
	}
	return now-r.silence >= after
}

func (x *Index) unanswered(r *threadRow, now int64) bool {
	return r.is(rowSeen) && r.state(now) == StateOpen && now-r.created > x.unansweredAfter()
}

// inState says whether a thread is in a state or in the view of that name.
func (x *Index) inState(r *threadRow, want string, now int64) bool {
	switch want {
	case "":
		return true
	case StateUnanswered:
		return x.unanswered(r, now)
	case StateStalled:
		return r.stalled(now, x.stalledAfter())
	}
	return r.state(now) == want
}

// payment is how the money between a customer and this provider stands. DESIGN's "Payment".
func (s *sideRow) payment(now, stalledAfter int64) payment {
	switch {
	case s.refundedAny():
		return payRefunded
	case s.claims > 0 && s.results == 0 && now-s.heard() >= stalledAfter:
		return payUndelivered
	case s.claims > 0 && s.ask.set && s.claimed != s.ask.msat:
		return payMismatch
	case s.claims > 0:
		return payClaimed
	case s.ask.set && s.ask.invoiceAt != 0 && s.ask.invoiceAt <= now:
		return payInvoiceExpired
	case s.ask.set:
		return payAsked
	}
	return payNone
}

// heard is when a paid provider's silence began.
func (s *sideRow) heard() int64 {
	if s.answers > 0 {
		return max(s.last, s.paidAt)
	}
	return s.paidAt
}
