package web

import (
	"cmp"
	"slices"
	"strings"

	"dvmrelay/index"
	"dvmrelay/nip90"
)

var standingStates = map[string]string{
	"open": "Waiting for an answer", "unanswered": "Nobody answered", "processing": "At work", "payment-required": "Payment asked",
	"partial": "Partly answered", "error": "Failed", "success": "Answered", "cancelled": "Cancelled by its customer", "expired": "Expired unanswered",
}

var standingPayments = map[string]string{
	"asked": "payment asked", "invoice-expired": "the invoice expired unpaid", "claimed": "payment claimed", "mismatch": "another amount claimed than asked",
	"undelivered": "payment claimed, no result", "refunded": "paid back",
}

// standingWords say how a job stands, with a sign and a class.
func standingWords(t *index.Thread) (sign, words, class string) {
	sign, words, class = mark(t.State), cmp.Or(standingStates[t.State], t.State), t.State
	switch {
	case t.Unlinked:
		return "?", "An answer that names no job", ""
	case !t.RequestSeen:
		return "?", "The request itself was not heard here", ""
	}
	pay := standingPayments[t.Payment]
	switch {
	case t.Payment == "undelivered":
		sign, class = "$!", t.Payment
		if t.State == "payment-required" {
			words, pay = upperFirst(pay), ""
		}
	case t.State == "payment-required" && pay != "":
		words, pay, class = upperFirst(pay), "", t.Payment
		if t.Payment == "claimed" {
			words += ", no result yet"
		}
	}
	if pay != "" {
		words += ", " + pay
	}
	if t.Stalled && t.Payment != "undelivered" {
		words += ", stalled"
	}
	return sign, words, class
}

func upperFirst(text string) string {
	if text == "" {
		return ""
	}
	return strings.ToUpper(text[:1]) + text[1:]
}

// threadWhy is one reason, with what it rests on.
type threadWhy struct {
	Kind     string // Observed or Likely
	Text     string
	Code     string
	Evidence []threadEvidenceItem
}

// threadEvidenceItem is one thing that a reason rests on. Path is empty for what has no page.
type threadEvidenceItem struct {
	What, Text, Path string
	At               int64
}

func (p *threadPage) reasons() {
	for i, w := range p.Why {
		if i == threadReasons {
			p.MoreWhy = len(p.Why) - i
			return
		}
		y := threadWhy{Kind: "Observed", Text: w.Text, Code: w.Code}
		if rest, ok := strings.CutPrefix(w.Text, "Observed: "); ok {
			y.Text = rest
		} else if rest, ok := strings.CutPrefix(w.Text, "Likely "); ok {
			y.Kind, y.Text = "Likely", rest
		}
		for _, e := range w.Evidence[:min(len(w.Evidence), threadEvidence)] {
			item := threadEvidenceItem{What: e.What, At: e.At}
			if id, ok := nip90.ParseID(e.ID); ok {
				item.Path, item.Text = p.Row(id), e.ID[:8]
			} else if e.PubKey != "" {
				item.Path, item.Text = keyPath(e.PubKey, true), p.called(e.PubKey)
			} else {
				item.Text = shorten(e.URL, 60)
			}
			y.Evidence = append(y.Evidence, item)
		}
		p.Whys = append(p.Whys, y)
	}
}

// threadSide is one provider's row.
type threadSide struct {
	index.Provider
	Methods string
}

// inOrder are the providers of a thread: who delivered first, then by their first word.
func (p *threadPage) inOrder() []index.Provider {
	list := slices.Clone(p.Providers)
	late := func(at int64) int64 { return cmp.Or(at, int64(1)<<62) }
	slices.SortStableFunc(list, func(a, b index.Provider) int {
		return cmp.Or(cmp.Compare(late(a.FirstResultAt), late(b.FirstResultAt)), cmp.Compare(b.ClaimedMsat, a.ClaimedMsat), cmp.Compare(late(a.FirstFeedbackAt), late(b.FirstFeedbackAt)))
	})
	return list
}

func (p *threadPage) sides() {
	list := p.inOrder()
	n := min(len(list), threadSides)
	for _, side := range list[:n] {
		p.Sides = append(p.Sides, threadSide{side, shorten(strings.Join(side.PaymentMethods, ", "), 40)})
	}
	p.Beyond = len(list) - n
}
