package index

import (
	"slices"
	"strings"

	"dvmrelay/nip90"
	"dvmrelay/store"
)

// summaryRunes is how much of a job's input a summary shows.
const summaryRunes = 200

// Thread shows the job that an event belongs to; id may be any event of it. Its events come oldest first, at most 1000,
// and at most 4 MiB of them whole; More says that there are others, or that some are without their bodies. Why explains
// how the job stands. False for an id that belongs to no thread known here.
func (x *Index) Thread(r store.Reader, id nip90.ID) (Thread, bool, error) {
	root, ok, err := x.Root(r, id)
	if err != nil || !ok {
		return Thread{}, false, err
	}
	l := lens{Reader: r, x: x, now: x.now(0)}
	o, ok, err := l.opened(root)
	return o.Thread, ok, err
}

// opened is a thread with its events and the reasons for how it stands.
func (l *lens) opened(root nip90.ID) (opened, bool, error) {
	o, ok, err := l.read(root)
	if err != nil || !ok {
		return opened{}, false, err
	}
	if err := l.events(&o); err != nil {
		return opened{}, false, err
	}
	if err := l.remark(&o); err != nil {
		return opened{}, false, err
	}
	if err := l.explain(&o); err != nil {
		return opened{}, false, err
	}
	return o, true, nil
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

	most  int  // events of a thread that are read, 0 = maxEvents
	first int  // that were read without a gap
	cut   bool // there are others behind them
}

// opened is a thread on its way to be shown, with what its parts were read from.
type opened struct {
	Thread
	row     threadRow
	request store.Fact              // zero while it is not here
	asked   *nip90.Request          // what the request says; nil when its body may not be shown
	people  []nip90.PubKey          // whom the request addresses, as far as it is known
	more    bool                    // it addresses others as well
	sides   []sided                 // by key, at most maxProviders
	members []store.Fact            // of the events that are shown, in their order
	zaps    map[nip90.ID]*nip90.Zap // of the receipts that are shown whole
}

// sided is a provider and its side of a thread.
type sided struct {
	pk nip90.PubKey
	sideRow
}

// side finds a provider's side; nil when it has none.
func (o *opened) side(pk nip90.PubKey) *sided {
	i, ok := slices.BinarySearchFunc(o.sides, pk, func(s sided, pk nip90.PubKey) int { return byName(s.pk, pk) })
	if !ok {
		return nil
	}
	return &o.sides[i]
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

// thread is a thread as a list shows it: without its events, and without reasons.
func (l *lens) thread(root nip90.ID) (Thread, bool, error) {
	o, ok, err := l.read(root)
	return o.Thread, ok, err
}

func (l *lens) read(root nip90.ID) (opened, bool, error) {
	row, folded, ok, err := current(l, root)
	if err != nil || !ok {
		return opened{}, false, err
	}
	o := opened{row: row, Thread: Thread{
		ID: root, State: row.state(l.now), Stalled: row.stalled(l.now, l.x.stalledAfter()), AskedMsat: max(row.asked, 0),
		ClaimedMsat: max(row.claimed, 0), ResultsCount: int(row.results), RequestSeen: row.is(rowSeen), Kind: row.kind,
		CreatedAt: row.created, ExpiresAt: row.expires, Addressed: []string{}, Relays: []string{}, Providers: []Provider{},
		ChainedFrom: []nip90.ID{}, ChainedTo: []nip90.ID{},
	}}
	if err := l.root(&o); err != nil {
		return o, false, err
	}
	o.Payment = payNone.String()
	if row.answers+row.payments > 0 {
		if err := l.providers(&o, folded); err != nil {
			return o, false, err
		}
	}
	return o, true, l.chains(&o.Thread, o.ID)
}

// root reads the event that the thread is named by: its request, or an answer that names no job.
func (l *lens) root(o *opened) error {
	f, ok, err := l.Fact(o.ID)
	if err != nil || !ok {
		return err
	}
	if !o.RequestSeen {
		o.Unlinked = isAnswer(&f) && len(f.Links) == 0
		return nil
	}
	o.request, o.KindName = f, nip90.KindName(o.Kind)
	return l.ask(o)
}

func (l *lens) ask(o *opened) error {
	f, t := &o.request, &o.Thread
	if l.x.keepsCustomer(f) {
		t.Customer = f.Author.String()
	}
	t.Encrypted = f.Has(store.FactEncrypted)
	if f.Has(store.FactAsk) {
		bid := int64(f.Msat)
		t.BidMsat = &bid
	}
	p, err := l.body(f)
	if err != nil {
		return err
	}
	if o.people, err = providersAmong(l, f.People); err != nil {
		return err
	}
	o.more = f.Has(store.FactMorePeople) || len(o.people) < len(f.People)
	if p != nil {
		if m, ok := p.Message.(*nip90.Request); ok {
			o.asked, o.people, o.more = m, m.Providers, false
			if l.afford(t, len(m.Output)+len(strings.Join(m.Relays, ""))) {
				t.Output = m.Output
				t.Relays = append(t.Relays, m.Relays...)
			}
			t.Summary = Summary(m)
			t.ChainedFrom = append(t.ChainedFrom, m.Chained...)
		}
	} else if err := l.chainedFrom(t, f); err != nil {
		return err
	}
	for _, pk := range o.people {
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

// Summary is the beginning of what a request asks for: its first input that says something, or else its content; empty when
// that is encrypted.
func Summary(m *nip90.Request) string {
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

// chains adds the jobs that name an event as their input: a job, or a result, as the NIP can be read as well. NIP-90
// "Job chaining".
func (l *lens) chains(t *Thread, id nip90.ID) error {
	prefix := prefixOf(id)
	if marked, err := has(l, chainMarkKey(prefix)); err != nil || !marked {
		return err
	}
	return l.Scan(keyOf(keyChain, prefix[:]), nil, func(key, _ []byte) bool {
		if id, ok := lastID(key); ok && !slices.Contains(t.ChainedTo, id) {
			t.ChainedTo = append(t.ChainedTo, id)
		}
		return len(t.ChainedTo) < maxEvents
	})
}
