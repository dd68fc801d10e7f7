package index

import (
	"fmt"

	"dvmrelay/nip90"
	"dvmrelay/store"
)

// paymentsShown is how many payments to one provider are given as evidence.
const paymentsShown = 4

// payments sorts the claimed payments that are shown by who was paid.
func (w *reasons) payments() error {
	w.paid = make(map[nip90.PubKey][]Evidence)
	for i := range w.o.members {
		f := &w.o.members[i]
		if !isPayment(f) {
			continue
		}
		d, ok, err := flowSeen(w, f, w.o.request.Author)
		if err != nil {
			return err
		}
		if ok && !d.refund && len(w.paid[d.provider]) < paymentsShown {
			msat := amount(f.Msat)
			w.paid[d.provider] = append(w.paid[d.provider], Evidence{What: "payment", ID: f.ID.String(), At: f.CreatedAt, Msat: &msat})
		}
	}
	return nil
}

func askEvidence(s *sided) Evidence {
	msat := s.ask.msat
	return Evidence{What: "ask", ID: s.ask.id.String(), PubKey: s.pk.String(), At: s.ask.at, Msat: &msat}
}

// eachSide says something of every side that holds; those beyond whyPerCode are only counted.
func (w *reasons) eachSide(code string, holds func(*sided) bool, say func(s *sided, name string) error) error {
	for i := range w.o.sides {
		s := &w.o.sides[i]
		if !holds(s) {
			continue
		}
		if w.full(code) {
			w.over[code]++
			continue
		}
		name, err := w.called(s.pk)
		if err != nil {
			return err
		}
		if err := say(s, name); err != nil {
			return err
		}
	}
	return nil
}

func (w *reasons) paidNoResult() error {
	return w.eachSide(whyPaidNoResult, func(s *sided) bool {
		return s.payment(w.now, w.x.stalledAfter()) == payUndelivered
	}, func(s *sided, name string) error {
		evidence := append([]Evidence(nil), w.paid[s.pk]...)
		text := fmt.Sprintf("%spayments of %s to %s are claimed, the last at %s; no result by it came to this relay until %s", observed, sats(s.claimed), name, utc(s.paidAt), utc(w.now))
		if s.answers > 0 {
			evidence = append(evidence, Evidence{What: "last-answer", PubKey: s.pk.String(), At: s.last})
			text += fmt.Sprintf(", and its last word is of %s", utc(s.last))
		}
		life, err := w.life(s.pk)
		if err != nil {
			return err
		}
		if life.beat {
			evidence = append(evidence, life.evidence(s.pk))
			text += fmt.Sprintf("; its last heartbeat is of %s", utc(life.at))
		}
		heir, ok, err := w.heir(s)
		if err != nil {
			return err
		}
		if ok {
			evidence = append(evidence, heir)
			text += ". Another key that announces a service of the same name gave a result"
		}
		w.say(whyPaidNoResult, s.pk, text+". A receipt is a claim, not a proof.", evidence...)
		return nil
	})
}

// heir is the result of another key that looks like the same provider.
func (w *reasons) heir(paid *sided) (Evidence, bool, error) {
	rivals := 0
	for i := range w.o.sides {
		s := &w.o.sides[i]
		if s.pk == paid.pk || s.results == 0 || s.claims > 0 {
			continue
		}
		if rivals++; rivals > maxRivals {
			break
		}
		same, err := w.similar(paid.pk, s.pk, w.o.Kind)
		if err != nil || same {
			return Evidence{What: "result-by-similar-service", PubKey: s.pk.String(), At: s.firstResult}, same, err
		}
	}
	return Evidence{}, false, nil
}

func (w *reasons) wrongAmount() error {
	return w.eachSide(whyWrongAmount, func(s *sided) bool {
		return s.claims > 0 && s.ask.set && s.claimed != s.ask.msat && !s.refundedAny()
	}, func(s *sided, name string) error {
		than := "less"
		if s.claimed > s.ask.msat {
			than = "more"
		}
		text := fmt.Sprintf("%s%s asked for %s at %s; payments of %s are claimed on this relay, the last at %s, which is %s.",
			observed, name, sats(s.ask.msat), utc(s.ask.at), sats(s.claimed), utc(s.paidAt), than)
		if s.claimed < s.ask.msat && s.results == 0 {
			text += " Many services do not start for less than they asked."
		}
		w.say(whyWrongAmount, s.pk, text, append([]Evidence{askEvidence(s)}, w.paid[s.pk]...)...)
		return nil
	})
}

// successGrace is how long after a feedback that says success its result may take, in seconds.
const successGrace = 60

func (w *reasons) noResultAfterSuccess() error {
	if w.o.row.results > 0 || w.o.row.cancelled() {
		return nil
	}
	return w.eachSide(whyNoResult, func(s *sided) bool {
		return s.said.status == nip90.Success && s.results == 0 && w.now-s.said.at >= successGrace
	}, func(s *sided, name string) error {
		text := fmt.Sprintf("%s%s said success at %s, and no result by it came to this relay until %s.", observed, name, utc(s.said.at), utc(w.now))
		if s.said.content {
			text += " Its feedback has content: what was asked for may stand there."
		}
		w.say(whyNoResult, s.pk, text, Evidence{What: "feedback", ID: s.said.id.String(), PubKey: s.pk.String(), At: s.said.at})
		return nil
	})
}

// asks says whether the newest word of a side is that it wants to be paid, and nothing is claimed. Some ask along with a
// sample, or with a success that stands in for the result; who asks while at work does not wait.
func (w *reasons) asks(s *sided) bool {
	if s.claims > 0 || s.results > 0 {
		return false
	}
	switch s.said.status {
	case nip90.PaymentRequired:
		return true
	case nip90.Partial, nip90.Success:
		return s.ask.set && s.ask.id == s.said.id
	}
	return false
}

func lapsed(s *sided, now int64) bool {
	return s.ask.set && s.ask.invoiceAt != 0 && s.ask.invoiceAt <= now
}

func (w *reasons) awaitingPayment() error {
	if w.o.row.results > 0 || w.o.row.cancelled() {
		return nil
	}
	return w.eachSide(whyAwaitingPayment, func(s *sided) bool {
		return w.asks(s) && !lapsed(s, w.now)
	}, func(s *sided, name string) error {
		if !s.ask.set {
			w.say(whyAwaitingPayment, s.pk,
				fmt.Sprintf("%s%s asked for a payment at %s and named no amount; no payment is claimed on this relay until %s.", observed, name, utc(s.said.at), utc(w.now)),
				Evidence{What: "feedback", ID: s.said.id.String(), PubKey: s.pk.String(), At: s.said.at})
			return nil
		}
		evidence := []Evidence{askEvidence(s)}
		text := fmt.Sprintf("%s%s asked for %s at %s; no payment is claimed on this relay until %s.", observed, name, sats(s.ask.msat), utc(s.ask.at), utc(w.now))
		if s.ask.invoiceAt != 0 {
			evidence = append(evidence, Evidence{What: "invoice-expires", At: s.ask.invoiceAt})
			text += fmt.Sprintf(" Its invoice can be paid until %s.", utc(s.ask.invoiceAt))
		}
		w.say(whyAwaitingPayment, s.pk, text, evidence...)
		return nil
	})
}

func (w *reasons) invoiceExpired() error {
	if w.o.row.results > 0 || w.o.row.cancelled() {
		return nil
	}
	return w.eachSide(whyInvoiceExpired, func(s *sided) bool {
		return w.asks(s) && lapsed(s, w.now)
	}, func(s *sided, name string) error {
		w.say(whyInvoiceExpired, s.pk,
			fmt.Sprintf("%s%s asked for %s at %s with an invoice that expired at %s; no payment is claimed on this relay until %s.", observed, name, sats(s.ask.msat), utc(s.ask.at), utc(s.ask.invoiceAt), utc(w.now)),
			askEvidence(s), Evidence{What: "invoice-expired", At: s.ask.invoiceAt})
		return nil
	})
}

// limit is the most that the customer will pay, in msat; false when the request does not tell.
func (w *reasons) limit() (int64, bool) {
	f := &w.o.request
	if !f.Has(store.FactAsk) {
		return 0, false
	}
	bid := f.Msat
	if w.o.asked != nil {
		bid = max(bid, w.o.asked.MaxBid)
	}
	return amount(bid), true
}

func (w *reasons) bidBelowPrice() error {
	bid, ok := w.limit()
	if !ok || !w.undelivered() {
		return nil
	}
	bidEvidence := w.requestEvidence()
	bidEvidence.What, bidEvidence.Msat = "bid", &bid
	err := w.eachSide(whyBid, func(s *sided) bool {
		return s.ask.set && s.ask.msat > bid && w.asks(s)
	}, func(s *sided, name string) error {
		w.say(whyBid, s.pk, fmt.Sprintf("%s%s asked for %s at %s, and the job of %s bids %s.", observed, name, sats(s.ask.msat), utc(s.ask.at), utc(w.o.CreatedAt), sats(bid)),
			bidEvidence, askEvidence(s))
		return nil
	})
	if err != nil || !w.unanswered() {
		return err
	}
	if len(w.o.people) > 0 {
		return w.bidBelowAddressed(bid, bidEvidence)
	}
	return w.bidBelowAll(bid, bidEvidence)
}

// bidBelowAddressed compares the bid with what the addressed providers that are silent announce.
func (w *reasons) bidBelowAddressed(bid int64, bidEvidence Evidence) error {
	for _, pk := range w.o.people[:min(len(w.o.people), whyAddressed)] {
		if s := w.o.side(pk); s != nil && s.answers > 0 {
			continue
		}
		offers, err := w.offersOf(pk)
		if err != nil {
			return err
		}
		best, ok := cheapest(offers)
		if !ok || best.msat <= bid {
			continue
		}
		name, err := w.called(pk)
		if err != nil {
			return err
		}
		w.say(whyBid, pk, fmt.Sprintf("%sthe bid of %s is too low for %s, which announces a price of %s.", likely, sats(bid), name, sats(best.msat)), bidEvidence, best.evidence())
	}
	return nil
}

// bidBelowAll compares the bid with what everybody announces who serves the kind.
func (w *reasons) bidBelowAll(bid int64, bidEvidence Evidence) error {
	supply, whole, err := w.supply(w.o.Kind, maxOffers)
	if err != nil || !whole {
		return err
	}
	var offers []offer
	for i := range supply {
		o, ok, err := w.offer(&supply[i])
		if err != nil {
			return err
		}
		if ok {
			offers = append(offers, o)
		}
	}
	best, ok := cheapest(offers)
	if !ok || best.msat <= bid {
		return nil
	}
	w.say(whyBid, nip90.PubKey{}, fmt.Sprintf("%sthe bid of %s is too low: the lowest price that is announced for kind %d is %s.", likely, sats(bid), w.o.Kind, sats(best.msat)), bidEvidence, best.evidence())
	return nil
}
