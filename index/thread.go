package index

import (
	"bytes"
	"slices"
	"strings"

	"dvmrelay/nip90"
	"dvmrelay/store"
)

// summaryRunes is how much of a job's input a summary shows.
const summaryRunes = 200

// Thread shows the job that an event belongs to; id may be any event of it. Its events come oldest first, at most 1000,
// and at most 4 MiB of them whole; More says that there are others, or that some are without their bodies. False for an id that belongs to no thread known here.
func (x *Index) Thread(r store.Reader, id nip90.ID) (Thread, bool, error) {
	root, ok, err := x.Root(r, id)
	if err != nil || !ok {
		return Thread{}, false, err
	}
	l := lens{Reader: r, x: x, now: x.now(0)}
	t, ok, err := l.thread(root)
	if err != nil || !ok {
		return Thread{}, false, err
	}
	return t, true, l.events(&t, root)
}

// maxBodies bounds the bodies, and the words taken from them, that one answer holds, in bytes.
const maxBodies = 4 << 20

// lens shows rows at one time, and remembers the handlers that it has looked up.
type lens struct {
	store.Reader
	x        *Index
	now      int64
	handlers map[nip90.PubKey][]Handler
	spent    int // of maxBodies
}

// body is the parsed event of a fact; nil when there is none that may be shown.
func (l *lens) body(f *store.Fact) (*nip90.Parsed, error) {
	if l.x.sealed && f.Has(store.FactEncrypted) {
		return nil, nil
	}
	if gone, err := store.Vanished(l, f); err != nil || gone {
		return nil, err
	}
	return parsed(l, f, l.now)
}

func (l *lens) bodyOf(id nip90.ID) (*nip90.Parsed, error) {
	f, ok, err := l.Fact(id)
	if err != nil || !ok {
		return nil, err
	}
	return l.body(&f)
}

// afford takes n bytes of maxBodies. Once they do not suffice nothing more is given, and t has more.
func (l *lens) afford(t *Thread, n int) bool {
	if l.spent += n; l.spent > maxBodies {
		l.spent, t.More = maxBodies+1, true
		return false
	}
	return true
}

// thread is a thread without its events.
func (l *lens) thread(root nip90.ID) (Thread, bool, error) {
	row, folded, ok, err := current(l, root)
	if err != nil || !ok {
		return Thread{}, false, err
	}
	t := Thread{
		ID: root, State: row.state(l.now), Stalled: row.stalled(l.now, l.x.stalledAfter()), AskedMsat: max(row.asked, 0),
		ClaimedMsat: max(row.claimed, 0), ResultsCount: int(row.results), RequestSeen: row.is(rowSeen), Kind: row.kind,
		CreatedAt: row.created, ExpiresAt: row.expires, Addressed: []string{}, Relays: []string{}, Providers: []Provider{},
		ChainedFrom: []nip90.ID{}, ChainedTo: []nip90.ID{},
	}
	if t.RequestSeen {
		t.KindName = nip90.KindName(row.kind)
		if err := l.request(&t); err != nil {
			return t, false, err
		}
	}
	t.Payment = payNone.String()
	if row.answers+row.payments > 0 {
		if err := l.providers(&t, folded); err != nil {
			return t, false, err
		}
	}
	return t, true, l.chains(&t)
}

func (l *lens) request(t *Thread) error {
	f, ok, err := l.Fact(t.ID)
	if err != nil || !ok {
		return err
	}
	if l.x.keepsCustomer(&f) {
		t.Customer = f.Author.String()
	}
	t.Encrypted = f.Has(store.FactEncrypted)
	if f.Has(store.FactAsk) {
		bid := int64(f.Msat)
		t.BidMsat = &bid
	}
	people := f.People
	p, err := l.body(&f)
	if err != nil {
		return err
	}
	if p != nil {
		if m, ok := p.Message.(*nip90.Request); ok {
			people = m.Providers
			if l.afford(t, len(m.Output)+len(strings.Join(m.Relays, ""))) {
				t.Output = m.Output
				t.Relays = append(t.Relays, m.Relays...)
			}
			t.Summary = summary(m)
			t.ChainedFrom = append(t.ChainedFrom, m.Chained...)
		}
	} else if err := l.chainedFrom(t, &f); err != nil {
		return err
	}
	for _, pk := range people {
		t.Addressed = append(t.Addressed, pk.String())
	}
	return nil
}

// chainedFrom names the earlier jobs of a request whose body is gone, as far as its fact still can.
func (l *lens) chainedFrom(t *Thread, f *store.Fact) error {
	for _, link := range f.Links {
		if link.Full {
			t.ChainedFrom = append(t.ChainedFrom, link.ID)
			continue
		}
		e, ok, err := facts{l}.match(link, isRequestOrAnswer)
		if err != nil {
			return err
		}
		if ok {
			t.ChainedFrom = append(t.ChainedFrom, e.ID)
		}
	}
	return nil
}

func summary(m *nip90.Request) string {
	if m.Encrypted != nip90.Plain {
		return ""
	}
	text := m.Content
	for _, in := range m.Inputs {
		if strings.TrimSpace(in.Data) != "" {
			text = in.Data
			break
		}
	}
	text = strings.TrimSpace(strings.ToValidUTF8(text, ""))
	n := 0
	for i := range text {
		if n == summaryRunes {
			return text[:i]
		}
		n++
	}
	return text
}

func (l *lens) chains(t *Thread) error {
	prefix := prefixOf(t.ID)
	if marked, err := has(l, chainMarkKey(prefix)); err != nil || !marked {
		return err
	}
	return l.Scan(keyOf(keyChain, prefix[:]), nil, func(key, _ []byte) bool {
		if id, ok := lastID(key); ok {
			t.ChainedTo = append(t.ChainedTo, id)
		}
		return len(t.ChainedTo) < maxEvents
	})
}

func (l *lens) providers(t *Thread, folded map[nip90.PubKey]*sideRow) error {
	type one struct {
		pk   nip90.PubKey
		side sideRow
	}
	var all []one
	top := payNone
	err := eachSide(l, t.ID, folded, func(pk nip90.PubKey, s *sideRow) bool {
		top = max(top, s.payment(l.now, l.x.stalledAfter()))
		if (s.answers > 0 || s.claims > 0) && len(all) <= maxProviders {
			all = append(all, one{pk, *s})
		}
		return true
	})
	if err != nil {
		return err
	}
	t.Payment = top.String()
	slices.SortFunc(all, func(a, b one) int { return bytes.Compare(a.pk[:], b.pk[:]) })
	if len(all) > maxProviders {
		all, t.More = all[:maxProviders], true
	}
	for i := range all {
		p, err := l.provider(t, all[i].pk, &all[i].side)
		if err != nil {
			return err
		}
		t.Providers = append(t.Providers, p)
	}
	return nil
}

func (l *lens) provider(t *Thread, pk nip90.PubKey, s *sideRow) (Provider, error) {
	p := Provider{
		PubKey: pk.String(), State: s.state().String(), ClaimedMsat: max(s.claimed, 0), RefundedMsat: max(s.refunded, 0),
		PaymentMethods: []string{},
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
	hs, err := l.handlersOf(pk)
	if err != nil {
		return p, err
	}
	for _, h := range hs {
		if slices.Contains(h.Kinds, t.Kind) {
			if l.afford(t, len(h.Name)+len(h.Address)) {
				p.Name, p.Handler = h.Name, h.Address
			}
			break
		}
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

func (l *lens) asked(t *Thread, p *Provider, s *sideRow) error {
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

// events adds the request and the members of a thread.
func (l *lens) events(t *Thread, root nip90.ID) error {
	ids, _, err := l.x.ThreadIDs(l, root, maxEvents+1)
	if err != nil {
		return err
	}
	if len(ids) > maxEvents {
		ids, t.More = ids[:maxEvents], true
	}
	customer, _, err := l.Fact(root)
	if err != nil {
		return err
	}
	t.Events = []Entry{}
	for _, id := range ids {
		f, ok, err := l.Fact(id)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		e, err := l.entry(t, &f, customer.Author)
		if err != nil {
			return err
		}
		t.Events = append(t.Events, e)
	}
	return nil
}

func (l *lens) entry(t *Thread, f *store.Fact, customer nip90.PubKey) (Entry, error) {
	e := Entry{
		ID: f.ID, Kind: f.Kind, PubKey: f.Author.String(), CreatedAt: f.CreatedAt, Role: f.Role.String(),
		Findings: []nip90.Finding{}, Expired: expired(f.Expires, l.now) || f.Has(store.FactBornDead),
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
	if isPayment(f) {
		refund, err := l.isRefund(t, f, customer)
		if err != nil {
			return e, err
		}
		if refund {
			e.Role = nip90.RoleRefund.String()
		}
	}
	if !l.afford(t, 0) {
		return e, nil
	}
	p, err := l.body(f)
	if err != nil || p == nil || !l.afford(t, len(p.Raw)) {
		return e, err
	}
	e.StatusText = statusText(p)
	e.Findings = append(e.Findings, p.Message.Findings()...)
	e.Event = p.Raw
	return e, nil
}

func (l *lens) isRefund(t *Thread, f *store.Fact, customer nip90.PubKey) (bool, error) {
	if !t.RequestSeen {
		return false, nil
	}
	d, ok := flow(f, customer)
	if !ok || !d.refund {
		return false, nil
	}
	// Row or stale row: whether the sender has answered here is in both.
	s, err := readSide(l, t.ID, d.provider)
	return s.answers > 0, err
}
