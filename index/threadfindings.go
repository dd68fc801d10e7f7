package index

import (
	"slices"

	"dvmrelay/nip90"
	"dvmrelay/store"
)

// What an event shows only beside the others of its thread. The linter, which sees one event, says the rest.
var (
	findingResultKind = nip90.Finding{
		Code: "result-kind", Text: "The result's kind is not the request's kind plus 1000.", Section: `NIP-90 "Kinds"`,
	}
	findingNotAddressed = nip90.Finding{
		Code: "author-not-addressed", Text: "The job names other providers in its p tags; this one answered all the same.", Section: `NIP-90 "Job request"`,
	}
	findingZapLate = nip90.Finding{
		Code: "zap-after-expiry", Text: "The receipt is dated after its invoice expired; it was counted all the same.", Section: `NIP-57 "Appendix E: Zap Receipt Event"`,
	}
	findingNoResult = nip90.Finding{
		Code: "success-without-result", Text: "The feedback says success, but no result of its author is known; the job counts as in work, or as partly done if the feedback has content.", Section: `NIP-90 "Job feedback status"`,
	}
	findingRepeated = nip90.Finding{
		Code: "duplicate-work", Text: "The provider was paid and had delivered already; this is another result.", Section: `NIP-90 "Job result"`,
	}
	findingOthersWork = nip90.Finding{
		Code: "duplicate-work", Text: "Another provider had been paid for this job before this result was made.", Section: `NIP-90 "Job result"`,
	}
	findingRotated = nip90.Finding{
		Code: "provider-key-differs", Text: "Another key, which announces a service of the same name, was paid for this job; perhaps it is the same provider.", Section: `NIP-90 "Job result"`,
	}
)

// maxRivals bounds the paid providers that one result is compared with.
const maxRivals = 8

// remark adds to the events of a thread what they show only together.
func (l *lens) remark(o *opened) error {
	w := workday{lens: l, o: o, delivered: make(map[nip90.PubKey]bool)}
	for i := range o.members {
		f, e := &o.members[i], &o.Events[i]
		switch {
		case isAnswer(f):
			if err := w.answer(f, e); err != nil {
				return err
			}
		case isPayment(f):
			if err := w.payment(f, e); err != nil {
				return err
			}
		}
	}
	return nil
}

// workday walks the events of a thread in their order and remembers who was paid and who has delivered.
type workday struct {
	*lens
	o         *opened
	paid      []nip90.PubKey // in the order of their first payment, at most maxRivals
	delivered map[nip90.PubKey]bool
}

func (w *workday) payment(f *store.Fact, e *Entry) error {
	if z := w.o.zaps[f.ID]; z != nil && z.Invoice != nil && f.CreatedAt > z.Invoice.ExpiresAt() {
		note(e, findingZapLate)
	}
	d, ok, err := flowSeen(w, f, w.o.request.Author)
	if ok && !d.refund && len(w.paid) < maxRivals && !slices.Contains(w.paid, d.provider) {
		w.paid = append(w.paid, d.provider)
	}
	return err
}

func (w *workday) answer(f *store.Fact, e *Entry) error {
	o := w.o
	if o.RequestSeen && len(o.people) > 0 && !o.more && !slices.Contains(o.people, f.Author) {
		note(e, findingNotAddressed)
	}
	if f.Role != nip90.RoleResult {
		if s := o.side(f.Author); f.Status == nip90.Success && s != nil && s.results == 0 {
			note(e, findingNoResult)
		}
		return nil
	}
	if o.RequestSeen && f.Kind != nip90.ResultKind(o.Kind) && !noted(e, "result-in-request-range") {
		note(e, findingResultKind)
	}
	if isError(f) {
		return nil
	}
	again := w.delivered[f.Author]
	w.delivered[f.Author] = true
	if slices.Contains(w.paid, f.Author) {
		if again {
			note(e, findingRepeated)
		}
		return nil
	}
	return w.unpaid(f, e)
}

// unpaid looks at a result of a provider that nobody has paid so far.
func (w *workday) unpaid(f *store.Fact, e *Entry) error {
	for _, rival := range w.paid {
		if s := w.o.side(rival); s == nil || s.results > 0 {
			continue
		}
		same, err := w.similar(rival, f.Author, w.o.Kind)
		if err != nil {
			return err
		}
		if same {
			note(e, findingRotated)
			return nil
		}
	}
	if len(w.paid) > 0 {
		note(e, findingOthersWork)
	}
	return nil
}

// note adds a finding unless one of its code is there.
func note(e *Entry, f nip90.Finding) {
	if !noted(e, f.Code) {
		e.Findings = append(e.Findings, f)
	}
}

func noted(e *Entry, code string) bool {
	return slices.ContainsFunc(e.Findings, func(f nip90.Finding) bool { return f.Code == code })
}
