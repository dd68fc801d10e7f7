package index

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"dvmrelay/nip90"
	"dvmrelay/store"
)

// Why is one reason for how a job stands. Text begins with "Observed" when it tells what was seen, when and where, and
// with "Likely" when it is concluded from that. docs/WHY.md explains every code to people.
type Why struct {
	Code     string     `json:"code"`              // one of WhyCodes
	Text     string     `json:"text"`              // a sentence or two for a person; times are UTC
	Subject  string     `json:"subject,omitempty"` // the key of the provider that it is about
	Evidence []Evidence `json:"evidence"`          // at most 8
}

// Evidence is one thing that a reason rests on.
type Evidence struct {
	What   string `json:"what"`             // such as request, payment, heartbeat, gap, relay, or the code of a finding
	ID     string `json:"id,omitempty"`     // of an event
	PubKey string `json:"pubkey,omitempty"` // of a provider
	URL    string `json:"url,omitempty"`    // of a relay
	Kind   int    `json:"kind,omitempty"`   // of jobs
	At     int64  `json:"at,omitempty"`     // unix seconds
	Until  int64  `json:"until,omitempty"`  // unix seconds, the end of what began At
	Msat   *int64 `json:"msat,omitempty"`
	Count  int64  `json:"count,omitempty"`
}

// The codes of reasons.
const (
	whyNoProvider        = "no-provider-for-kind"
	whyAddressedSilent   = "addressed-provider-silent"
	whyAddressedOffline  = "addressed-provider-offline"
	whyBid               = "bid-below-price"
	whyAwaitingPayment   = "awaiting-payment"
	whyInvoiceExpired    = "invoice-expired"
	whyPaidNoResult      = "paid-no-result"
	whyWrongAmount       = "wrong-amount"
	whyNoResult          = "no-result-after-success"
	whyBornExpired       = "born-expired"
	whyExpiredUnanswered = "expired-unanswered"
	whyMalformed         = "malformed-input"
	whyEncrypted         = "encrypted-without-provider"
	whyGap               = "upstream-gap"
	whyUnwatched         = "asks-on-unwatched-relay"
	whyElsewhere         = "answered-elsewhere-possible"
)

// whyRules are the rules in the order in which their reasons are told; what is observed stands before what is likely.
//
// Three words are used below. A job is unserved while nobody has delivered anything and nobody is at it: its state is
// open, expired or error. It is unanswered while nobody has said anything that counts: open or expired. It is undelivered
// while it has no result that is no error and its customer has not cancelled it. A cancelled job has no reasons but those
// about money that has flowed, and a job that was answered well only those, too.
var whyRules = [...]struct {
	code string
	hold func(*reasons) error
}{
	// The provider's payment state is undelivered: a payment to it is claimed, it gave no result, paid nothing back, and
	// has been silent for stalled_after. Whatever others delivered: the money went to this one.
	{whyPaidNoResult, (*reasons).paidNoResult},
	// Payments to a provider are claimed that do not sum up to its newest ask, and nothing was paid back. Not when it
	// never asked: what nobody asked for is a tip.
	{whyWrongAmount, (*reasons).wrongAmount},
	// The newest word of a provider is success, it gave no result, and a minute has passed since. The job is undelivered.
	{whyNoResult, (*reasons).noResultAfterSuccess},
	// The newest word of a provider asks for payment (or is a sample, or a success, that comes with an ask), none is
	// claimed, and its invoice, if it has one, can still be paid.
	// The job is undelivered. Not once it went on to work, failed, or was paid, even wrongly.
	{whyAwaitingPayment, (*reasons).awaitingPayment},
	// As awaiting-payment, with an invoice that can no longer be paid.
	{whyInvoiceExpired, (*reasons).invoiceExpired},
	// The request's expiration is no later than its creation, and it is unserved: relays drop such an event at once.
	{whyBornExpired, (*reasons).bornExpired},
	// The request's expiration, later than its creation, passed while it was unanswered.
	{whyExpiredUnanswered, (*reasons).expiredUnanswered},
	// The request is encrypted, names no provider, and is unserved. Not when somebody is at work: then it could be read.
	{whyEncrypted, (*reasons).encryptedWithoutProvider},
	// The job names a provider that has said nothing about it for unanswered_after, or until the job expired. The job is
	// undelivered. Not in the first minutes, and not when it was born expired.
	{whyAddressedSilent, (*reasons).addressedSilent},
	// A source was not heard for a part of the time between the request and its end: its expiration while it is
	// unanswered, a day after the last word, or now. The job is undelivered. Not when nothing is known of listening.
	{whyGap, (*reasons).upstreamGap},

	// The job names a provider that has said nothing about it, and whose last sign of life is too long ago: 15 minutes
	// for one that beat in the day before that, a day for others; or that was never met. The job is undelivered.
	{whyAddressedOffline, (*reasons).addressedOffline},
	// No announcement for the kind is held, and none of the last jobs of the kind was ever answered. The job is
	// unanswered. Not when there are too many announcements to look at.
	{whyNoProvider, (*reasons).noProvider},
	// A provider waits for a payment above the bid; or, on an unanswered job, a silent provider that it names
	// announces a price above the bid, or, when it names none, everybody who announces the kind does. Not when one of
	// those is free, flexible or does not tell its price. The job is undelivered.
	{whyBid, (*reasons).bidBelowPrice},
	// The linter finds in the request what keeps providers from reading the input, and the job is unserved. Not when the
	// request's body is gone.
	{whyMalformed, (*reasons).malformedInput},
	// The request names relays, and some of them are not watched. The job is undelivered. Not when nothing is known of
	// listening, or the request's body is gone.
	{whyUnwatched, (*reasons).unwatchedRelay},
	// Something shows that there are answers that were not heard: a job that builds on this one has a result (not only
	// that it was asked: a chain may be asked at once), money flowed to a provider that said nothing here, a silent provider that the job names was active after it or
	// names only relays that are not watched, or the job itself came here only after it expired. The job is undelivered.
	{whyElsewhere, (*reasons).answeredElsewhere},
}

// WhyCodes are the codes of reasons, in the order in which they are told.
func WhyCodes() []string {
	codes := make([]string, 0, len(whyRules))
	for _, r := range whyRules {
		codes = append(codes, r.code)
	}
	return codes
}

const (
	whyPerCode   = 4  // reasons of one code, each about one provider; the last tells how many others there are
	whyEvidence  = 8  // of one reason
	whyAddressed = 16 // addressed providers that are looked up

	observed = "Observed: "
	likely   = "Likely "
)

// reasons gathers why a job stands as it does.
type reasons struct {
	*lens
	o     *opened
	list  []Why
	over  map[string]int64 // reasons left out, by code
	paid  map[nip90.PubKey][]Evidence
	signs map[nip90.PubKey]pulse
}

// explain fills in o.Why.
func (l *lens) explain(o *opened) error {
	o.Why = []Why{}
	if o.Unlinked {
		return nil
	}
	w := reasons{lens: l, o: o, over: make(map[string]int64), signs: make(map[nip90.PubKey]pulse)}
	if err := w.payments(); err != nil {
		return err
	}
	for _, rule := range whyRules {
		if err := rule.hold(&w); err != nil {
			return fmt.Errorf("look for %s: %w", rule.code, err)
		}
		if n := w.over[rule.code]; n > 0 {
			w.list = append(w.list, Why{
				Code: rule.code, Text: fmt.Sprintf("%sthe same of %d other providers of this job, on this relay until %s.", observed, n, utc(l.now)),
				Evidence: []Evidence{{What: "others", Count: n}},
			})
		}
	}
	slices.SortStableFunc(w.list, func(a, b Why) int {
		return cmp.Compare(rankOf(a.Text), rankOf(b.Text))
	})
	o.Why = append(o.Why, w.list...)
	return nil
}

func rankOf(text string) int {
	if strings.HasPrefix(text, observed) {
		return 0
	}
	return 1
}

// say adds a reason. subject is zero for one that is about no provider.
func (w *reasons) say(code string, subject nip90.PubKey, text string, evidence ...Evidence) {
	n := 0
	for i := range w.list {
		if w.list[i].Code == code {
			n++
		}
	}
	if n == whyPerCode {
		w.over[code]++
		return
	}
	y := Why{Code: code, Text: text, Evidence: evidence[:min(len(evidence), whyEvidence)]}
	if !subject.IsZero() && !store.IsPseudonym(subject) {
		y.Subject = subject.String()
	}
	w.list = append(w.list, y)
}

// full says whether another reason of this code would only be counted.
func (w *reasons) full(code string) bool {
	n := 0
	for i := range w.list {
		if w.list[i].Code == code {
			n++
		}
	}
	return n == whyPerCode
}

func (w *reasons) undelivered() bool {
	return w.o.RequestSeen && w.o.row.results == 0 && !w.o.row.cancelled()
}

func (w *reasons) unserved() bool {
	return w.o.RequestSeen && (w.o.State == StateOpen || w.o.State == StateExpired || w.o.State == StateError)
}

func (w *reasons) unanswered() bool {
	return w.o.RequestSeen && (w.o.State == StateOpen || w.o.State == StateExpired)
}

// waited: the job is old enough to call it unanswered, or it has ended.
func (w *reasons) waited() bool {
	return w.now-w.o.CreatedAt > w.x.unansweredAfter() || w.o.State == StateExpired
}

// end is the moment after which nothing that happens can explain how the job stands.
func (w *reasons) end() int64 {
	row, until := &w.o.row, w.o.CreatedAt+daySeconds
	if row.answers+row.payments > 0 {
		until = max(until, row.silence+daySeconds)
	} else if row.expires != 0 {
		until = min(until, max(row.expires, row.created))
	}
	return min(until, w.now)
}

func (w *reasons) requestEvidence() Evidence {
	return Evidence{What: "request", ID: w.o.ID.String(), At: w.o.CreatedAt}
}

// utc shows a time to people.
func utc(at int64) string { return time.Unix(at, 0).UTC().Format("2006-01-02 15:04:05") + " UTC" }

// sats shows an amount to people.
func sats(msat int64) string {
	if msat%1000 == 0 {
		return fmt.Sprintf("%d sat", msat/1000)
	}
	return fmt.Sprintf("%d.%03d sat", msat/1000, msat%1000)
}

// nameRunes is how much of a stranger's name a reason quotes.
const nameRunes = 40

// called is how a reason speaks of a provider: its name, which is only what it says of itself, and its key.
func (w *reasons) called(pk nip90.PubKey) (string, error) {
	if store.IsPseudonym(pk) {
		return "a key that is no provider known here", nil
	}
	npub := nip90.Npub(pk)
	short := npub[:min(len(npub), 12)] + "…"
	var p Provider
	scratch := Thread{Kind: w.o.Kind}
	if err := w.introduce(&scratch, &p, pk); err != nil {
		return "", err
	}
	name := strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) || r == '"' {
			return ' '
		}
		return r
	}, p.Name)
	if runes := []rune(strings.TrimSpace(name)); len(runes) > nameRunes {
		name = string(runes[:nameRunes]) + "…"
	}
	if strings.TrimSpace(name) == "" {
		return short, nil
	}
	return fmt.Sprintf("%q (%s)", strings.TrimSpace(name), short), nil
}
