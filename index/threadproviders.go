package index

import (
	"fmt"
	"slices"

	"dvmrelay/nip90"
)

func (l *lens) providers(o *opened, folded map[nip90.PubKey]*sideRow) error {
	top := payNone
	err := eachSide(l, o.ID, folded, func(pk nip90.PubKey, s *sideRow) bool {
		top = max(top, s.payment(l.now, l.x.stalledAfter()))
		if (s.answers > 0 || s.claims > 0) && len(o.sides) <= maxProviders {
			o.sides = append(o.sides, sided{pk, *s})
		}
		return true
	})
	if err != nil {
		return err
	}
	o.Payment = top.String()
	for i := range o.sides {
		if o.sides[i].pk, err = unveiled(l, o.sides[i].pk); err != nil {
			return err
		}
	}
	slices.SortFunc(o.sides, func(a, b sided) int { return byName(a.pk, b.pk) })
	if len(o.sides) > maxProviders {
		o.sides, o.More = o.sides[:maxProviders], true
	}
	for i := range o.sides {
		p, err := l.provider(&o.Thread, &o.sides[i])
		if err != nil {
			return err
		}
		o.Providers = append(o.Providers, p)
	}
	return nil
}

func (l *lens) provider(t *Thread, s *sided) (Provider, error) {
	p := Provider{
		PubKey: shown(s.pk), State: s.state().String(), Payment: s.payment(l.now, l.x.stalledAfter()).String(),
		ClaimedMsat: max(s.claimed, 0), RefundedMsat: max(s.refunded, 0), PaymentMethods: []string{},
	}
	if s.feedbacks > 0 {
		p.FirstFeedbackAt = s.first
	}
	if s.results > 0 {
		p.FirstResultAt = s.firstResult
	}
	if s.claims > 0 {
		p.PaidAt = s.paidAt
	}
	if err := l.introduce(t, &p, s.pk); err != nil {
		return p, err
	}
	if s.said.status != nip90.StatusNone {
		said, err := l.bodyOf(s.said.id)
		if err != nil {
			return p, err
		}
		if text := statusText(said); text != "" && l.afford(t, len(text)) {
			p.StatusText = text
		}
	}
	return p, l.asked(t, &p, s)
}

// introduce names a provider: as its announcement for the job's kind does, else as its profile does.
func (l *lens) introduce(t *Thread, p *Provider, pk nip90.PubKey) error {
	hs, err := l.handlersOf(pk)
	if err != nil {
		return err
	}
	for _, h := range hs {
		if slices.Contains(h.Kinds, t.Kind) {
			if l.afford(t, len(h.Name)+len(h.Address)) {
				p.Name, p.Handler = h.Name, h.Address
			}
			break
		}
	}
	if p.Name != "" {
		return nil
	}
	self, err := l.profile(pk)
	if err != nil {
		return fmt.Errorf("read profile of %s: %w", pk, err)
	}
	if self != nil && l.afford(t, len(self.name)) {
		p.Name = self.name
	}
	return nil
}

func statusText(p *nip90.Parsed) string {
	if p == nil {
		return ""
	}
	switch m := p.Message.(type) {
	case *nip90.Feedback:
		return m.Text
	case *nip90.Result:
		return m.Text
	}
	return ""
}

func (l *lens) asked(t *Thread, p *Provider, s *sided) error {
	if !s.ask.set {
		return nil
	}
	p.AskedMsat, p.InvoiceExpiresAt = s.ask.msat, s.ask.invoiceAt
	body, err := l.bodyOf(s.ask.id)
	if err != nil || body == nil {
		return err
	}
	var a nip90.Ask
	switch m := body.Message.(type) {
	case *nip90.Feedback:
		a = m.Ask
	case *nip90.Result:
		a = m.Ask
	}
	if !l.afford(t, len(a.Bolt11)+len(a.Method)) {
		return nil
	}
	p.Invoice = a.Bolt11
	if a.Method != "" {
		p.PaymentMethods = append(p.PaymentMethods, a.Method)
	}
	return nil
}

// similar says whether two keys announce one service for a kind, as far as announcements tell: by the same name, or the
// same d that is not only a kind number, which many choose.
func (l *lens) similar(a, b nip90.PubKey, kind int) (bool, error) {
	as, err := l.handlersOf(a)
	if err != nil {
		return false, err
	}
	bs, err := l.handlersOf(b)
	if err != nil {
		return false, err
	}
	for i := range as {
		for j := range bs {
			if slices.Contains(as[i].Kinds, kind) && slices.Contains(bs[j].Kinds, kind) && sameService(&as[i], &bs[j]) {
				return true, nil
			}
		}
	}
	return false, nil
}

func sameService(a, b *Handler) bool {
	if a.Name != "" && a.Name == b.Name {
		return true
	}
	da, _ := nip90.ParseAddress(a.Address)
	db, _ := nip90.ParseAddress(b.Address)
	return len(da.D) > len("65535") && da.D == db.D
}
