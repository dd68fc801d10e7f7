package relay

import (
	"context"

	"dvmrelay/index"
	"dvmrelay/nip90"
	"dvmrelay/policies"
	"dvmrelay/relay/session"
	"dvmrelay/store"
	"dvmrelay/wire"

	"github.com/nbd-wtf/go-nostr"
)

// maxSubID is how long a subscription id may be, in characters. NIP-01.
const maxSubID = 64

// newHost is what sessions need of this relay.
func (r *Relay) newHost(l policies.Limits) *session.Host {
	return session.Host{
		Options: session.Options{
			URL:             r.o.URL,
			MaxMessage:      int(l.MessageBytes),
			Subscriptions:   l.Subscriptions,
			LiveValues:      l.LiveValues,
			LiveQueueBytes:  l.LiveQueueBytes,
			MaxInFlight:     r.o.InFlight,
			WriteDeadline:   l.WriteDeadline,
			MessageDeadline: r.o.MessageTimeout,
			PingInterval:    r.o.PingInterval,
			PongWait:        r.o.PongWait,
			EOSEHint:        r.o.EOSEHint,
			SealedReads:     r.o.AuthEncrypted,
			Negentropy:      r.o.Negentropy,
			NegSessions:     l.NegSessions,
			NegItems:        l.NegItems,
			NegBytes:        l.NegBytes,
			Frame: wire.Limits{
				MaxSubID: maxSubID, MaxFilters: l.Filters, MaxValues: l.Values, MaxTags: l.Tags, MaxContent: l.ContentLength,
			},
		},
		Counters: &r.counters,
		Store:    r.d.Store,
		Live:     r.live,
		Slots:    r.slots,

		Gatherers: r.gatherers,

		Now:    r.d.Now,
		Log:    r.d.Log,
		Submit: r.judgeForSession,
		Verify: r.verifier.verify,
		Admit:  r.admitFilters,
		Roots:  r.roots,
		Select: r.d.Index.Select,
		Gated:  gatedKinds(),

		TooSlow: func(v session.View, why session.Drop) { r.slow.note(r.d.Now(), v, why) },
		Spent: func(c *session.Cost) {
			if c.Took >= costlyFrom {
				r.costly.note(r.d.Now(), c)
			}
		},
	}.Prepared()
}

// gatedKinds are the kinds that are read by author and `p` only.
func gatedKinds() []int {
	var kinds []int
	for _, row := range policies.KindTable() {
		for k := row.From; row.Gated && k <= row.To; k++ {
			kinds = append(kinds, k)
		}
	}
	return kinds
}

// admitFilters counts a REQ, COUNT or NEG-OPEN, checks its filters and reads them.
func (r *Relay) admitFilters(ctx context.Context, filters []nostr.Filter) ([]session.Query, error) {
	if err := r.d.Policies.CheckReq(ctx); err != nil {
		return nil, err
	}
	return r.readFilters(ctx, filters)
}

// Peek answers one filter from what is stored, as a socket is answered that has proved no key: with at most most events and
// a MiB of them, or with how many there are. A limit of the relay's own holds too. Its error is a policies.Rejection where a socket would be
// told a reason. It is not counted against the requests of an address. It is safe for concurrent use.
func (r *Relay) Peek(ctx context.Context, f nostr.Filter, count bool, most int) (session.Glimpse, error) {
	queries, err := r.readFilters(ctx, []nostr.Filter{f})
	if err != nil {
		return session.Glimpse{}, err
	}
	return r.sharedHost().Peek(ctx, queries[0], count, most)
}

// readFilters checks filters and reads them.
func (r *Relay) readFilters(ctx context.Context, filters []nostr.Filter) ([]session.Query, error) {
	if err := r.d.Policies.CheckFilters(ctx, filters); err != nil {
		return nil, err
	}
	limits := r.d.Policies.Limits()
	queries := make([]session.Query, len(filters))
	for i, f := range filters {
		limits.Bound(&f)
		queries[i].Filter = f
		if f.Search == "" {
			continue
		}
		search, err := policies.ParseSearch(f.Search)
		if err != nil {
			return nil, err
		}
		queries[i].Wanted = selection(&search)
		queries[i].Search = ""
	}
	return queries, nil
}

// roots are the threads that an event belongs to.
func (r *Relay) roots(v store.Reader, id nip90.ID) ([]nip90.ID, error) {
	root, ok, err := r.d.Index.Root(v, id)
	if err != nil || !ok || root.IsZero() {
		return nil, err
	}
	return []nip90.ID{root}, nil
}

// selection is a search as the index takes it.
func selection(s *policies.Search) *index.Selection {
	return &index.Selection{
		Thread: s.Thread, State: s.State, Payment: s.Payment, Kind: s.JobKind, Provider: s.Provider, Customer: s.Customer,
		Encrypted: s.Encrypted, Online: s.Online, Words: s.Words,
	}
}
