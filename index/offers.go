package index

import (
	"slices"
	"strings"
)

// offer adds to a provider what its announcements ask for its work, and what is odd about them and about what it did: the
// lowest price stated, and the codes of what was found, each once. At most 32 announcements are looked at.
func (l *lens) offer(p *ProviderHead, s *standing) error {
	p.Price, p.FindingCodes = Price{Kind: "unknown"}, []string{}
	cards, err := l.offered(s)
	if err != nil {
		return err
	}
	add := func(code string) {
		if !slices.Contains(p.FindingCodes, code) {
			p.FindingCodes = append(p.FindingCodes, code)
		}
	}
	var found []string
	for i, c := range cards {
		p.Price = lower(p.Price, c.h.Price)
		if p.Price.Kind == "unknown" {
			p.Price = c.h.Price
		}
		if slices.ContainsFunc(cards[:i], c.alike) {
			found = append(found, "duplicate")
		}
		for j := range c.h.Findings {
			found = append(found, c.h.Findings[j].Code)
		}
	}
	d := ProviderDetail{}
	v := handlerView{lens: *l}
	v.providerFindings(&d, s)
	for i := range d.Findings {
		add(d.Findings[i].Code)
	}
	for _, code := range found {
		add(code)
	}
	return nil
}

// offered are the newest announcements of a provider.
func (l *lens) offered(s *standing) ([]*card, error) {
	if s.handlers == 0 {
		return nil, nil
	}
	return l.cardsOf(s.pk, maxOfOne)
}

// alike says whether two announcements of a key bear the same name and share a kind.
func (c *card) alike(o *card) bool {
	return c.h.Name != "" && strings.EqualFold(c.h.Name, o.h.Name) && c.jobs.within(o.jobs) != (kindSet{})
}
