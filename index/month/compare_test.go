package month

import (
	"fmt"
	"reflect"
	"slices"
	"testing"

	"dvmrelay/index"
	"dvmrelay/nip90"
	"dvmrelay/store"
)

// maxFaults is how many disagreements one comparison names.
const maxFaults = 15

// comparison holds an index to a view of the reference.
type comparison struct {
	t      testing.TB
	r      store.Reader
	x      *index.Index
	v      *View
	when   string
	faults int
}

func (c *comparison) fault(format string, args ...any) {
	c.t.Helper()
	if c.faults++; c.faults <= maxFaults {
		c.t.Errorf("%s: %s", c.when, fmt.Sprintf(format, args...))
	}
}

// compare holds everything that the index says now to the reference; of threads at most most (0 = all).
func (r *rig) compare(t testing.TB, ref *Reference, when string, most int, queries []ask) {
	t.Helper()
	v := ref.At(r.now())
	err := r.View(func(s store.Reader) error {
		c := &comparison{t: t, r: s, x: r.x, v: v, when: when}
		if err := c.jobs(most); err != nil {
			return err
		}
		for _, q := range queries {
			if err := c.stats(q); err != nil {
				return err
			}
		}
		if c.faults > 0 {
			t.Fatalf("%s: %d disagreements", when, c.faults)
		}
		return nil
	})
	if err != nil {
		t.Fatalf("%s: %v", when, err)
	}
	t.Logf("%s: %d events, %d jobs, %d windows agree", when, ref.Len(), len(v.Jobs), len(queries))
}

func (c *comparison) jobs(most int) error {
	step := 1
	if most > 0 {
		step = max(1, len(c.v.Jobs)/most)
	}
	n := 0
	for root, j := range c.v.Jobs {
		if n++; n%step != 0 {
			continue
		}
		id := root
		if !j.Seen {
			id = j.Members[0] // what they name may be part of another job itself
		}
		got, ok, err := c.x.Thread(c.r, id)
		if err != nil {
			return err
		}
		if !ok {
			c.fault("job %s is not there", root)
			continue
		}
		ids, _, err := c.x.ThreadIDs(c.r, id, 0)
		if err != nil {
			return err
		}
		c.job(j, &got, ids)
		if c.faults > maxFaults {
			break
		}
	}
	return nil
}

// line is what is compared of a job or of a provider's side of one.
type line struct {
	what      string
	got, want any
}

func (c *comparison) lines(of string, lines []line) {
	for _, l := range lines {
		if !reflect.DeepEqual(l.got, l.want) {
			c.fault("%s: %s: got %v, want %v", of, l.what, l.got, l.want)
		}
	}
}

func (c *comparison) job(j *Job, got *index.Thread, ids []nip90.ID) {
	customer := ""
	if j.Seen {
		customer = j.Customer.String()
	}
	of := fmt.Sprintf("job %s of %d", j.Root, j.CreatedAt)
	c.lines(of, []line{
		{"id", got.ID, j.Root},
		{"request_seen", got.RequestSeen, j.Seen},
		{"kind", got.Kind, j.Kind},
		{"customer", got.Customer, customer},
		{"created_at", got.CreatedAt, j.CreatedAt},
		{"expires_at", got.ExpiresAt, j.Expires},
		{"state", got.State, j.State},
		{"stalled", got.Stalled, j.Stalled},
		{"payment", got.Payment, j.Payment},
		{"asked_msat", got.AskedMsat, j.Asked},
		{"claimed_msat", got.ClaimedMsat, j.Claimed},
		{"results_count", got.ResultsCount, int(j.Results)},
	})
	if !slices.Equal(got.ChainedFrom, j.From) || !slices.Equal(got.ChainedTo, j.To) {
		c.fault("%s: chained: got %v and %v, want %v and %v", of, got.ChainedFrom, got.ChainedTo, j.From, j.To)
	}
	want := make([]nip90.ID, 0, len(j.Members)+1)
	if j.Seen {
		want = append(want, j.Root)
	}
	want = append(want, j.Members...)
	if !j.Loose.IsZero() {
		loose := func(id nip90.ID) bool { return id == j.Loose }
		want, ids = slices.DeleteFunc(want, loose), slices.DeleteFunc(ids, loose)
	}
	if !slices.Equal(ids, want) {
		c.fault("%s: events: got %v, want %v", of, ids, want)
	}
	c.sides(of, j, got)
}

func (c *comparison) sides(of string, j *Job, got *index.Thread) {
	want := 0
	for _, s := range j.Sides {
		if s.Answers > 0 || s.Claims > 0 {
			want++
		}
	}
	if len(got.Providers) != want {
		c.fault("%s: providers: got %d, want %d", of, len(got.Providers), want)
		return
	}
	for _, p := range got.Providers {
		key, _ := nip90.ParsePubKey(p.PubKey)
		s := j.Sides[key]
		if s == nil {
			c.fault("%s: provider %s is a stranger", of, p.PubKey)
			continue
		}
		c.lines(of+", provider "+p.PubKey, []line{
			{"state", p.State, s.State},
			{"asked_msat", p.AskedMsat, s.Asked},
			{"claimed_msat", p.ClaimedMsat, s.Claimed},
			{"refunded_msat", p.RefundedMsat, s.Refunded},
			{"first_feedback_at", p.FirstFeedbackAt, s.FirstFeedback},
			{"first_result_at", p.FirstResultAt, s.FirstResult},
			{"paid_at", p.PaidAt, s.PaidAt},
			{"invoice_expires_at", p.InvoiceExpiresAt, s.InvoiceExpires},
		})
	}
}

func (q Query) String() string {
	s := fmt.Sprintf("window %d to %d", q.Since, q.Until)
	if q.Kind != 0 {
		s += fmt.Sprintf(", kind %d", q.Kind)
	}
	if !q.Provider.IsZero() {
		s += ", provider " + q.Provider.String()
	}
	if len(q.ExcludeKinds) > 0 {
		s += fmt.Sprintf(", without %v", q.ExcludeKinds)
	}
	return s
}

// hours widens a window to whole hours.
func (q Query) hours() Query {
	q.Since = q.Since / hour * hour
	q.Until = q.Until/hour*hour + hour - 1
	return q
}

// stats compares one window. Unlinked answers, distinct keys and a provider's figures are of whole hours, and the index
// says what window it counted.
func (c *comparison) stats(a ask) error {
	q := a.Query
	got, err := c.x.Stats(c.r, index.StatsQuery{
		Since: q.Since, Until: q.Until, Kind: q.Kind, Provider: q.Provider, ExcludeKinds: q.ExcludeKinds, Step: a.step,
	})
	if err != nil {
		return err
	}
	if q.Since > 0 && got.Since > q.Since || got.Until < q.Until || q.Since-got.Since >= hour || got.Until-q.Until >= hour {
		c.fault("%s: counted %d to %d", q, got.Since, got.Until)
	}
	counted := q
	if q.Since > 0 {
		counted.Since = got.Since
	}
	counted.Until = got.Until
	wide := c.v.Stats(counted.hours())
	want := wide
	if q.Provider.IsZero() && (counted.Since%hour != 0 || counted.Until%hour != hour-1) {
		want = c.v.Stats(counted)
	}
	of := q.String()
	c.counts(of, &got.Counts, &want, wide.Unlinked)
	c.distinct(of+": customers", got.Customers, wide.Customers, wide.MostCustomers)
	c.distinct(of+": providers", got.Providers, wide.Providers, wide.MostProviders)
	if !got.Complete {
		c.fault("%s: not complete", of)
	}
	if q.Provider.IsZero() {
		c.rate(of, &got, &want)
	}
	c.quantiles(of+": first_feedback_ms", got.FirstFeedbackMs, want.FirstFeedbackMs)
	c.quantiles(of+": first_result_ms", got.FirstResultMs, want.FirstResultMs)
	c.quantiles(of+": paid_to_result_ms", got.PaidToResultMs, want.PaidToResultMs)
	c.quantiles(of+": price_msat", got.PriceMsat, want.PriceMsat)
	c.series(of, counted, &got)
	return nil
}

// maxPoints is how many points of one series are worked out again.
const maxPoints = 8

// series: the points add up to the whole, and some of them are held to the reference.
func (c *comparison) series(of string, q Query, got *index.Stats) {
	if len(got.Series) == 0 {
		return
	}
	if !q.Provider.IsZero() {
		q = q.hours()
	}
	requests, every := int64(0), max(1, len(got.Series)/maxPoints)
	for i, p := range got.Series {
		if p.Requests == nil || p.Answered == nil || p.Results == nil || p.Errors == nil || p.ClaimedMsat == nil {
			c.fault("%s: point at %d says nothing", of, p.At)
			return
		}
		if requests += *p.Requests; (i+1)%every != 0 {
			continue
		}
		part := q
		part.Since = max(q.Since, p.At)
		if i+1 < len(got.Series) {
			part.Until = got.Series[i+1].At - 1
		}
		want := c.v.Stats(part)
		at := fmt.Sprintf("%s: point %d of %d at %d", of, i, len(got.Series), p.At)
		c.lines(at, []line{
			{"requests", *p.Requests, want.Requests},
			{"answered", *p.Answered, want.Answered},
			{"results", *p.Results, want.Results},
			{"errors", *p.Errors, want.Errors},
			{"claimed_msat", *p.ClaimedMsat, want.ClaimedMsat},
		})
		if (p.FirstResultP50Ms == nil) != (len(want.FirstResultMs) == 0) {
			c.fault("%s: first_result_p50_ms: got %v, want one of %d values", at, p.FirstResultP50Ms, len(want.FirstResultMs))
		} else if p.FirstResultP50Ms != nil {
			exact := want.FirstResultMs[(len(want.FirstResultMs)+1)/2-1]
			if d := max(*p.FirstResultP50Ms-exact, exact-*p.FirstResultP50Ms); d > exact/32 {
				c.fault("%s: first_result_p50_ms: got %d, want %d", at, *p.FirstResultP50Ms, exact)
			}
		}
	}
	if requests != got.Requests {
		c.fault("%s: the points add up to %d requests, want %d", of, requests, got.Requests)
	}
}

// counts compares every plain sum, by name.
func (c *comparison) counts(of string, got *index.Counts, want *Totals, unlinked int64) {
	want.Unlinked = unlinked
	ours, theirs := reflect.ValueOf(want.Counts), reflect.ValueOf(*got)
	for i := range ours.NumField() {
		field := ours.Type().Field(i).Name
		if g, w := theirs.FieldByName(field).Int(), ours.Field(i).Int(); g != w {
			c.fault("%s: %s: got %d, want %d", of, field, g, w)
		}
	}
}

func (c *comparison) rate(of string, got *index.Stats, want *Totals) {
	if got.ExcludedPending != want.ExcludedPending {
		c.fault("%s: excluded_pending: got %d, want %d", of, got.ExcludedPending, want.ExcludedPending)
	}
	switch {
	case got.AnswerRate == nil && want.Judged == 0:
	case got.AnswerRate == nil || want.Judged == 0:
		c.fault("%s: answer_rate: got %v, want %d of %d", of, got.AnswerRate, want.JudgedAnswered, want.Judged)
	default:
		rate := float64(want.JudgedAnswered) / float64(want.Judged)
		if d := *got.AnswerRate - rate; d > 1e-9 || d < -1e-9 {
			c.fault("%s: answer_rate: got %v, want %v", of, *got.AnswerRate, rate)
		}
	}
}

// distinct: exact below 500, within 6 % above, which is four standard errors of a HyperLogLog of 4,096 registers; keys
// that were met and are gone may count still.
func (c *comparison) distinct(of string, got, least, most int64) {
	if most >= 500 {
		least, most = least-least*6/100, most+most*6/100
	}
	if got < least || got > most {
		c.fault("%s: got %d, want %d to %d", of, got, least, most)
	}
}

// quantiles are within 1/32 of the value at their rank.
func (c *comparison) quantiles(of string, got *index.Quantiles, want []int64) {
	if got == nil || len(want) == 0 {
		if got != nil || len(want) > 0 {
			c.fault("%s: got %v, want %d values", of, got, len(want))
		}
		return
	}
	if got.Count != int64(len(want)) {
		c.fault("%s: count: got %d, want %d", of, got.Count, len(want))
		return
	}
	for _, q := range []struct {
		percent int
		got     int64
	}{{50, got.P50}, {95, got.P95}, {99, got.P99}} {
		rank := (len(want)*q.percent + 99) / 100
		exact := want[rank-1]
		if d := max(q.got-exact, exact-q.got); d > exact/32 {
			c.fault("%s: p%d: got %d, want %d", of, q.percent, q.got, exact)
		}
	}
}
