package index

import (
	"cmp"
	"fmt"
	"slices"

	"dvmrelay/nip90"
	"dvmrelay/store"
)

// model is the index worked out from all facts at once. It shares the rows' encoding with the fold and nothing else, so
// that a mistake in the fold cannot repeat itself here.
type model struct {
	x       *Index
	facts   map[nip90.ID]store.Fact
	byShort map[prefix8][]nip90.ID
	rows    map[string][]byte
	threads map[nip90.ID]*modelThread
	blinder *store.Blinder
}

type modelThread struct {
	members []store.Fact
	sides   map[nip90.PubKey]*modelSide   // by pseudonym where there are any
	names   map[nip90.PubKey]nip90.PubKey // of who answered
}

type modelSide struct {
	answers         []store.Fact
	claims, refunds map[[8]byte]store.Fact // the receipt that counts
	paidAt          int64
}

func newModel(x *Index) *model {
	return &model{
		x: x, facts: make(map[nip90.ID]store.Fact), byShort: make(map[prefix8][]nip90.ID), rows: make(map[string][]byte),
		threads: make(map[nip90.ID]*modelThread),
	}
}

func (m *model) read(r store.Reader) (err error) {
	if m.blinder, err = store.BlinderOf(r); err != nil {
		return err
	}
	return store.ScanFacts(r, nip90.ID{}, func(f store.Fact) bool {
		m.facts[f.ID] = f
		p := prefixOf(f.ID)
		m.byShort[p] = append(m.byShort[p], f.ID) // in the order of ids
		return true
	})
}

func (m *model) want(key []byte, value []byte) { m.rows[string(key)] = value }

func (m *model) build(r store.Reader) error {
	for _, f := range m.facts {
		if err := m.agrees(r, &f); err != nil {
			return err
		}
		roots, waits := m.place(&f)
		for _, root := range roots {
			t := m.thread(root)
			t.members = append(t.members, f)
		}
		var where []byte
		if len(roots) > 0 && f.Role != nip90.RoleCancel {
			where = roots[0][:]
		}
		for _, n := range waits {
			m.want(waitKey(n, f.ID), where)
			m.want(waitMarkKey(n), nil)
		}
		switch {
		case isRequest(&f):
			m.thread(f.ID)
			m.request(&f)
		case f.Kind == nip90.KindHandler:
			m.want(handlerFactKey(f.Author, f.ID), nil)
			m.provider(f.Author)
		}
	}
	for root, t := range m.threads {
		m.fold(root, t)
	}
	return nil
}

// agrees holds a body to its fact, and notes the handler that it announces.
func (m *model) agrees(r store.Reader, f *store.Fact) error {
	raw, ok, err := r.Event(f.ID)
	if err != nil {
		return err
	}
	if ok != f.Has(store.FactBody) {
		return fmt.Errorf("event %s: body here is %t, and its fact says otherwise: %w", f.ID, ok, errRow)
	}
	if !ok {
		return nil
	}
	if raw.ID != f.ID || raw.PubKey != f.Author || raw.CreatedAt != f.CreatedAt || raw.Kind != f.Kind || raw.Expires != f.Expires {
		return fmt.Errorf("event %s: body and fact do not agree: %w", f.ID, errRow)
	}
	p, err := parsed(r, f, 0)
	if err != nil {
		return err
	}
	if again := store.FactOf(p); !sameMeaning(&again, f) {
		return fmt.Errorf("event %s: its body gives the fact %+v, kept is %+v: %w", f.ID, again, *f, errRow)
	}
	h, ok := p.Message.(*nip90.Handler)
	if !ok || f.Kind != nip90.KindHandler {
		return nil
	}
	key := handlerKey(f.Author, h.D)
	if b, ok := m.rows[string(key)]; ok {
		old, err := decodeSign(b)
		if err != nil || !old.newer(f.CreatedAt, f.ID) {
			return err
		}
	}
	m.want(key, (&signRow{id: f.ID, created: f.CreatedAt, kinds: h.Kinds}).encode())
	return nil
}

func sameMeaning(a, b *store.Fact) bool {
	const fromBody = store.FactEncrypted | store.FactErrorTag | store.FactContent | store.FactAsk | store.FactInvoice | store.FactSure
	return a.Role == b.Role && a.Status == b.Status && a.Msat == b.Msat && a.InvoiceAt == b.InvoiceAt &&
		a.Payment == b.Payment && a.Flags&fromBody == b.Flags&fromBody &&
		slices.Equal(a.People, b.People) && slices.Equal(a.Links, b.Links)
}

func (m *model) thread(root nip90.ID) *modelThread {
	t := m.threads[root]
	if t == nil {
		t = &modelThread{sides: make(map[nip90.PubKey]*modelSide), names: make(map[nip90.PubKey]nip90.PubKey)}
		m.threads[root] = t
	}
	return t
}

func (m *model) request(f *store.Fact) {
	flags := byte(0)
	if f.Has(store.FactEncrypted) {
		flags = listEncrypted
	}
	m.want(jobKey(f.CreatedAt, f.ID), []byte{byte(f.Kind >> 8), byte(f.Kind), flags})
	m.want(byKindKey(f.Kind, f.CreatedAt, f.ID), []byte{flags})
	if m.x.keepsCustomer(f) {
		m.want(byCustomerKey(f.Author, f.CreatedAt, f.ID), nil)
	}
	for _, l := range f.Links {
		m.want(chainKey(prefixOf(l.ID), f.ID), nil)
		m.want(chainMarkKey(prefixOf(l.ID)), nil)
	}
}

func (m *model) fold(root nip90.ID, t *modelThread) {
	var row threadRow
	var customer nip90.PubKey
	if f, ok := m.facts[root]; ok && isRequest(&f) {
		row.flags, row.kind, row.created, row.expires = rowSeen, f.Kind, f.CreatedAt, f.Expires
		customer = f.Author
		for flag, is := range map[byte]bool{
			rowCancelled: f.Has(store.FactDeleted), rowAddressed: len(f.People) > 0, rowEncrypted: f.Has(store.FactEncrypted),
		} {
			if is {
				row.flags |= flag
			}
		}
	}
	var times []int64
	for _, f := range t.members {
		m.want(memberKey(root, f.CreatedAt, f.ID), nil)
		row.members++
		switch {
		case f.Role == nip90.RoleCancel:
			row.cancels++
		case isAnswer(&f):
			times = append(times, f.CreatedAt)
			s := t.side(m.blinder.Of(f.Author))
			t.names[m.blinder.Of(f.Author)] = f.Author
			s.answers = append(s.answers, f)
		case isPayment(&f):
			times = append(times, f.CreatedAt)
			row.payments++
			t.pay(m.blinder, f, customer)
		}
	}
	if len(times) > 0 {
		row.silence = slices.Max(times)
	}
	for p, s := range t.sides {
		m.side(root, &row, p, cmp.Or(t.names[p], p), s)
	}
	t.firsts(&row)
	if row.flags&rowSeen == 0 {
		m.want(orphanKey(root), nil)
	} else {
		m.file(root, &row)
	}
	m.want(threadKey(root), row.encode())
}

// firsts finds the oldest feedback and the oldest result, and whose that was.
func (t *modelThread) firsts(row *threadRow) {
	var feedbacks, results []store.Fact
	for _, f := range t.members {
		switch {
		case f.Role == nip90.RoleFeedback:
			feedbacks = append(feedbacks, f)
		case f.Role == nip90.RoleResult && !f.Has(store.FactErrorTag):
			results = append(results, f)
		}
	}
	order := func(a, b store.Fact) int {
		return cmp.Or(cmp.Compare(a.CreatedAt, b.CreatedAt), cmp.Compare(a.Author.String(), b.Author.String()))
	}
	if len(feedbacks) > 0 {
		row.firstFeedback = slices.MinFunc(feedbacks, order).CreatedAt
	}
	if len(results) > 0 {
		first := slices.MinFunc(results, order)
		row.firstResult, row.firstBy = first.CreatedAt, first.Author
	}
}

// file lists a request under its classes.
func (m *model) file(root nip90.ID, row *threadRow) {
	class := byte(classOpen)
	for _, c := range [...]struct {
		name byte
		is   bool
	}{
		{classError, row.states[nip90.Error] > 0},
		{classProcessing, row.states[nip90.Processing] > 0},
		{classPaymentRequired, row.states[nip90.PaymentRequired] > 0},
		{classPartial, row.states[nip90.Partial] > 0},
		{classCancelled, row.cancels > 0 || row.flags&rowCancelled != 0},
		{classSuccess, row.results > 0},
	} {
		if c.is {
			class = c.name // the last that holds
		}
	}
	value := []byte{byte(row.kind >> 8), byte(row.kind), 0}
	if row.flags&rowEncrypted != 0 {
		value[2] = listEncrypted
	}
	m.want(classKey(class, row.created, root), value)
	for c, is := range map[byte]bool{
		classAsked: row.askers > 0, classClaimed: row.claims > 0, classRefunded: row.refunders > 0, classEncrypted: row.flags&rowEncrypted != 0,
	} {
		if is {
			m.want(classKey(c, row.created, root), value)
		}
	}
}

func (t *modelThread) side(p nip90.PubKey) *modelSide {
	s := t.sides[p]
	if s == nil {
		s = &modelSide{claims: make(map[[8]byte]store.Fact), refunds: make(map[[8]byte]store.Fact)}
		t.sides[p] = s
	}
	return s
}

func (t *modelThread) pay(b *store.Blinder, f store.Fact, customer nip90.PubKey) {
	if len(f.People) < 2 || f.People[1].IsZero() {
		return
	}
	from, to, customer := b.Of(f.People[0]), b.Of(f.People[1]), b.Of(customer)
	mark := f.Payment
	if mark == ([8]byte{}) {
		mark = [8]byte(f.ID[:8])
	}
	if to == customer {
		if from.IsZero() || from == customer {
			return
		}
		keepLowest(t.side(from).refunds, mark, f)
		return
	}
	list := t.side(to)
	if len(list.claims) == 0 || f.CreatedAt > list.paidAt {
		list.paidAt = f.CreatedAt
	}
	keepLowest(list.claims, mark, f)
}

func keepLowest(list map[[8]byte]store.Fact, mark [8]byte, f store.Fact) {
	if old, ok := list[mark]; !ok || less(f.ID, old.ID) {
		list[mark] = f
	}
}

// side: veiled is how payments name the provider, p how all the rest does.
func (m *model) side(root nip90.ID, row *threadRow, veiled, p nip90.PubKey, s *modelSide) {
	var o sideRow
	for mark, f := range s.claims {
		o.claims++
		o.claimed += amount(f.Msat)
		m.want(paymentKey(root, direction{provider: veiled}, mark), (&paymentRow{f.ID, amount(f.Msat)}).encode())
	}
	for mark, f := range s.refunds {
		o.refunds++
		o.refunded += amount(f.Msat)
		m.want(paymentKey(root, direction{provider: veiled, refund: true}, mark), (&paymentRow{f.ID, amount(f.Msat)}).encode())
	}
	o.paidAt = s.paidAt
	s.speak(&o)
	m.want(sideKey(root, p), o.encode())
	row.claims += o.claims
	row.claimed += o.claimed
	if o.refunds > 0 && (o.answers > 0 || o.claims > 0) {
		row.refunders++
	}
	if o.answers == 0 {
		return
	}
	m.want(byProviderKey(p, row.created, root), nil)
	m.provider(p)
	row.answers += o.answers
	row.feedbacks += o.feedbacks
	row.results += o.results
	row.errors += o.errors
	row.asked += o.ask.msat
	if o.ask.set {
		row.askers++
	}
	row.states[stateOf(&o)]++
}

// speak sums up what a provider said: sorted so that the last one counts.
func (s *modelSide) speak(o *sideRow) {
	slices.SortFunc(s.answers, func(a, b store.Fact) int {
		return cmp.Or(cmp.Compare(a.CreatedAt, b.CreatedAt), cmp.Compare(b.ID.String(), a.ID.String()))
	})
	var sayings []said
	for _, f := range s.answers {
		o.answers++
		o.last = f.CreatedAt
		feedback := f.Role == nip90.RoleFeedback
		failed := feedback && f.Status == nip90.Error || !feedback && f.Has(store.FactErrorTag)
		switch {
		case feedback && f.Status != nip90.StatusNone:
			sayings = append(sayings, said{f.Status, f.Has(store.FactContent), f.CreatedAt, f.ID})
		case failed:
			sayings = append(sayings, said{nip90.Error, false, f.CreatedAt, f.ID})
		case !feedback:
			if o.results == 0 {
				o.firstResult = f.CreatedAt
			}
			o.results++
		}
		if failed {
			o.errors++
		}
		if feedback {
			if o.feedbacks == 0 {
				o.first = f.CreatedAt
			}
			o.feedbacks++
		}
		if f.Has(store.FactAsk) && (f.Msat > 0 || f.Has(store.FactInvoice)) {
			o.ask = ask{true, f.CreatedAt, f.ID, amount(f.Msat), f.InvoiceAt}
		}
	}
	slices.SortStableFunc(sayings, func(a, b said) int {
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.status, b.status))
	})
	if len(sayings) > 0 {
		o.said = sayings[len(sayings)-1]
	}
}

func stateOf(o *sideRow) nip90.Status {
	if o.results > 0 {
		return nip90.Success
	}
	if o.said.status == nip90.Success {
		if o.said.content {
			return nip90.Partial
		}
		return nip90.Processing
	}
	return o.said.status
}
