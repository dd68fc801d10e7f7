package nip90

import "github.com/nbd-wtf/go-nostr"

// answer is what results and feedback have in common while their tags are read.
type answer struct {
	links    links
	request  string // the first request tag
	quoted   bool
	keys     [8]PubKey // `p`, without repetition
	keyCount int
	status   nostr.Tag
	short    nostr.Tag // an s tag
	ask      ask
	inputs   []Input
	marked   bool
}

// read takes one tag.
func (a *answer) read(evt *nostr.Event, tag nostr.Tag, n *notes) {
	switch tag[0] {
	case "e":
		a.links.addTag(evt, tag, n)
	case "p":
		a.addKey(tag, n)
	case "request":
		if a.quoted {
			n.add(oddRequestTwice)
			return
		}
		a.quoted, a.request = true, value(tag, 1)
	case "status":
		if a.status != nil {
			n.add(oddStatusTwice)
		} else if value(tag, 1) != "" {
			a.status = tag
		}
	case "s":
		if a.short == nil {
			a.short = tag
		}
	case "amount", "bolt11", "invoice":
		a.ask.read(tag, n)
	case "encrypted":
		a.marked = true
	case "i":
		a.addInput(tag, n)
	case "#j", "#e", "#p":
		n.addf(oddHashTag, tag[0])
	}
}

// readAll takes all tags, and the request that one of them may quote.
func (a *answer) readAll(evt *nostr.Event, n *notes) (q quote) {
	for _, tag := range evt.Tags {
		if !n.named(tag) {
			continue
		}
		a.read(evt, tag, n)
	}
	if a.quoted {
		q = readQuote(a.request)
		a.links.addQuote(evt, q, n)
	}
	return q
}

func (a *answer) addKey(tag nostr.Tag, n *notes) {
	pk, odd := readPubKey(value(tag, 1))
	if pk.IsZero() {
		n.addf(oddBadPubKey, value(tag, 1))
		return
	}
	n.add(odd)
	for _, have := range a.keys[:a.keyCount] {
		if have == pk {
			return
		}
	}
	if a.keyCount < len(a.keys) {
		a.keys[a.keyCount] = pk
		a.keyCount++
	}
}

func (a *answer) addInput(tag nostr.Tag, n *notes) {
	if len(a.inputs) >= maxInputs {
		n.addf(oddTooMany, "i")
		return
	}
	a.inputs = append(a.inputs, readInput(tag, n))
}

// customer chooses among the `p` tags: the author of a quote that proves itself, else the first that is not the
// provider itself, else the first.
func (a *answer) customer(evt *nostr.Event, q quote, n *notes) PubKey {
	if a.keyCount == 0 {
		n.add(oddNoCustomer)
		return PubKey{}
	}
	if a.keyCount > 1 {
		n.add(oddSeveralCustomers)
	}
	keys := a.keys[:a.keyCount]
	for _, pk := range keys {
		if q.trusted && pk == q.author {
			return pk
		}
	}
	self, _ := ParsePubKey(evt.PubKey) // zero when unreadable, which equals no key
	for _, pk := range keys {
		if pk != self {
			return pk
		}
	}
	return keys[0]
}

// parseResult reads kinds 6000-6999 and their like. NIP-90 "Job result".
func parseResult(evt *nostr.Event) *Result {
	m := &Result{Kind: evt.Kind, Content: evt.Content}
	var n notes
	var a answer
	q := a.readAll(evt, &n)
	m.QuotedKind = q.kind
	m.Links = a.links.sorted()
	switch {
	case m.Links == nil:
		n.add(oddUnlinked)
		if a.keyCount > 0 {
			m.Customer = a.customer(evt, q, &n)
		}
	default:
		m.Customer = a.customer(evt, q, &n)
	}
	switch {
	case !IsResult(evt.Kind):
		n.add(oddResultInRequestRange)
	case q.kind != 0 && q.kind+1000 != evt.Kind:
		n.add(oddResultKind)
	}
	m.Encrypted = sealing(a.marked, evt.Content, &n)
	// Without a status the result itself is the answer; an unknown word changes nothing about that.
	s := readStatus(a.status, a.short, "", true, StatusNone, &n)
	m.Status, m.Said, m.Text = s.status, s.word, s.text
	m.Ask = a.ask.settle(&n)
	if m.Status == PaymentRequired && !m.Ask.Set {
		n.add(oddAmountMissing)
	}
	m.Inputs = a.inputs
	m.findings = n.list
	return m
}

// parseFeedback reads kind 7000. NIP-90 "Job feedback".
func parseFeedback(evt *nostr.Event) *Feedback {
	m := &Feedback{Content: evt.Content}
	var n notes
	var a answer
	q := a.readAll(evt, &n)
	m.Links = a.links.sorted()
	if m.Links == nil {
		n.add(oddUnlinked)
	}
	m.Customer = a.customer(evt, q, &n)
	m.Encrypted = sealing(a.marked, evt.Content, &n)
	s := readStatus(a.status, a.short, evt.Content, m.Encrypted != Plain, Processing, &n)
	m.Status, m.Said, m.Text = s.status, s.word, s.text
	if !s.told {
		m.Status = Processing
		if m.Encrypted != Plain {
			n.add(oddStatusSealed)
		} else {
			n.add(oddStatusMissing)
		}
	}
	m.Ask = a.ask.settle(&n)
	if m.Status == PaymentRequired && !m.Ask.Set {
		n.add(oddAmountMissing)
	}
	m.findings = n.list
	return m
}

// answersInRequestRange says whether a kind of the request range is a result after all: it quotes the job that it
// answers, or it is the kind that music services answer with and names a job.
func answersInRequestRange(evt *nostr.Event) bool {
	linked := false
	var request string
	quotes := false
	for _, tag := range evt.Tags {
		if len(tag) < 2 {
			continue
		}
		switch tag[0] {
		case "request":
			request, quotes = tag[1], true
		case "e":
			linked = true
		}
	}
	if evt.Kind == kindMusicResult && linked {
		return true
	}
	return quotes && !readQuote(request).id.IsZero()
}
