package index

import (
	"cmp"

	"dvmrelay/nip90"
	"dvmrelay/store"
)

// events adds the request and the members of a thread.
func (l *lens) events(o *opened) error {
	most := cmp.Or(l.most, maxEvents)
	ids, err := threadIDs(l, o.ID, most+1)
	if err != nil {
		return err
	}
	o.Events = []Entry{}
	o.zaps = make(map[nip90.ID]*nip90.Zap)
	if len(ids) > most {
		ids, l.cut, o.More = ids[:most], true, true
	}
	if err := l.entries(o, ids); err != nil {
		return err
	}
	l.first = len(o.Events)
	if l.cut && l.most > 0 {
		if ids, err = l.landmarks(o, ids); err != nil {
			return err
		}
		if err := l.entries(o, ids); err != nil {
			return err
		}
	}
	return l.resultChains(o)
}

// entries adds events to a thread.
func (l *lens) entries(o *opened, ids []nip90.ID) error {
	for _, id := range ids {
		f, ok, err := l.Fact(id)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		e, err := l.entry(o, &f)
		if err != nil {
			return err
		}
		o.Events, o.members = append(o.Events, e), append(o.members, f)
	}
	return nil
}

// chainedResults is how many results of a thread are looked up as the input of later jobs.
const chainedResults = 16

func (l *lens) resultChains(o *opened) error {
	left := chainedResults
	for i := range o.members {
		if o.members[i].Role != nip90.RoleResult || left == 0 {
			continue
		}
		left--
		if err := l.chains(&o.Thread, o.members[i].ID); err != nil {
			return err
		}
	}
	return nil
}

func (l *lens) entry(o *opened, f *store.Fact) (Entry, error) {
	author, err := unveiled(l, f.Author)
	if err != nil {
		return Entry{}, err
	}
	e := Entry{
		ID: f.ID, Kind: f.Kind, PubKey: shown(author), CreatedAt: f.CreatedAt, Role: f.Role.String(),
		Findings: []nip90.Finding{}, Expired: expired(f.Expires, l.now) || f.Has(store.FactBornDead),
	}
	if e.SeenOn, err = l.seenOn(f); err != nil {
		return e, err
	}
	if isRequest(f) || f.Role == nip90.RoleCancel {
		if !l.x.keepsCustomer(f) {
			e.PubKey = ""
		}
	}
	if isAnswer(f) && f.Status != nip90.StatusNone {
		e.Status = f.Status.String()
	}
	if f.Has(store.FactAsk) || isPayment(f) {
		msat := int64(f.Msat)
		e.AmountMsat = &msat
	}
	refund, err := l.isRefund(o, f)
	if err != nil {
		return e, err
	}
	if refund {
		e.Role = nip90.RoleRefund.String()
	}
	if !l.afford(&o.Thread, 0) {
		return e, nil
	}
	p, err := l.body(f)
	if err != nil || p == nil || !l.afford(&o.Thread, len(p.Raw)) {
		return e, err
	}
	if z, ok := p.Message.(*nip90.Zap); ok {
		o.zaps[f.ID] = z
	}
	e.StatusText = statusText(p)
	e.Findings = append(e.Findings, nip90.Lint(p.Event)...)
	e.Event = p.Raw
	return e, nil
}

// isRefund: a payment to the customer by a provider that has answered here.
func (l *lens) isRefund(o *opened, f *store.Fact) (bool, error) {
	if !o.RequestSeen || !isPayment(f) {
		return false, nil
	}
	d, ok, err := flowSeen(l, f, o.request.Author)
	if err != nil || !ok || !d.refund {
		return false, err
	}
	if s := o.side(d.provider); s != nil {
		return s.answers > 0, nil
	}
	// Row or stale row: whether the sender has answered here is in both.
	s, err := readSide(l, o.ID, d.provider)
	return s.answers > 0, err
}
