package policies

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"dvmrelay/nip90"
)

// Deps are what the rules ask. Every field may be left out.
type Deps struct {
	Lists    Lists            // asked beside the lists of the options
	Standing Standing         // nil: nobody is exempt from the rate of an address
	Now      func() time.Time // nil: the system's clock
}

// Set is all the rules in order. All methods are safe for concurrent use.
type Set struct {
	deps    Deps
	counts  counts
	limiter *Limiter
	rules   atomic.Pointer[rules]
}

// rules are what one set of options makes. It is immutable.
type rules struct {
	options Options
	kinds   *Kinds
	gate    []Policy
	chain   []Policy
	lists   func(context.Context, *nip90.Parsed) error
}

// New builds the rules. The error joins every fault of the options.
func New(o Options, d Deps) (*Set, error) {
	if d.Now == nil {
		d.Now = time.Now
	}
	s := &Set{deps: d, counts: newCounts()}
	s.limiter = newLimiter(o.Limits, d.Now, s.counts)
	r, err := s.build(o)
	if err != nil {
		return nil, err
	}
	s.rules.Store(r)
	return s, nil
}

// Reload puts other options in force, or returns every fault and changes nothing. Sockets keep their counts; a rate that
// did not change keeps its buckets.
func (s *Set) Reload(o Options) error {
	r, err := s.build(o)
	if err != nil {
		return err
	}
	s.limiter.rates.Store(s.limiter.rates.Load().renewed(o.Limits))
	s.rules.Store(r)
	return nil
}

func (s *Set) build(o Options) (*rules, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	static, err := NewStaticLists(o.Rules)
	if err != nil {
		return nil, err
	}
	lists := []Lists{static}
	if s.deps.Lists != nil {
		lists = append(lists, s.deps.Lists)
	}
	l, kinds, listed := o.Limits, NewKinds(o.Kinds), listRule(lists)
	return &rules{
		options: o,
		kinds:   kinds,
		lists:   listed,
		// The rate comes first: what is refused for another reason has cost us too.
		gate: []Policy{
			{nameAddressRate, addressRateRule(s.limiter, s.deps.Standing, l.EventsPerSecond, l.EventsBurst)},
			{nameShape, checkShape},
			{nameKind, kinds.check},
			{nameContent, contentRule(l.ContentLength)},
			{nameTags, tagRule(l.Tags)},
			{nameCreatedAt, createdRule(l.FutureSecs, s.deps.Now)},
			{nameExpired, expiredRule(s.deps.Now)},
			{namePoW, powRule(o.Rules.MinPoW)},
		},
		chain: []Policy{
			{nameLists, listed},
			{nameProtected, checkProtected},
			{nameKeyRate, keyRateRule(s.limiter, l.RequestsPerKey, l.RequestsBurst)},
		},
	}, nil
}

// Gate is the rules that need no trust, in order; they run before the id is hashed.
func (s *Set) Gate() []Policy { return s.rules.Load().gate }

// Chain is the rules for what was verified, in order.
func (s *Set) Chain() []Policy { return s.rules.Load().chain }

// Limits are the limits in force.
func (s *Set) Limits() Limits { return s.rules.Load().options.Limits }

// Options are the options in force.
func (s *Set) Options() Options { return s.rules.Load().options }

// Kinds is the table in force.
func (s *Set) Kinds() *Kinds { return s.rules.Load().kinds }

// Limiter counts what addresses do.
func (s *Set) Limiter() *Limiter { return s.limiter }

// CheckGate runs the gate. The first refusal wins, is counted, and is a *Rejection.
func (s *Set) CheckGate(ctx context.Context, p *nip90.Parsed) error {
	return s.run(ctx, s.Gate(), p)
}

// CheckChain runs the chain. The first refusal wins, is counted, and is a *Rejection.
func (s *Set) CheckChain(ctx context.Context, p *nip90.Parsed) error {
	return s.run(ctx, s.Chain(), p)
}

func (s *Set) run(ctx context.Context, list []Policy, p *nip90.Parsed) error {
	for _, policy := range list {
		if err := policy.Check(ctx, p); err != nil {
			s.counts.add(policy.Name)
			return err
		}
	}
	return nil
}

// CheckReq counts one REQ, COUNT or NEG-OPEN of the peer in ctx. It returns nil or a *Rejection.
func (s *Set) CheckReq(ctx context.Context) error {
	peer := PeerFrom(ctx)
	if peer == nil || peer.Exempt || s.limiter.AllowReq(peer.Addr) {
		return nil
	}
	l := s.Limits()
	return Refuse(RateLimited, fmt.Sprintf("more than %d requests per second from your address, or %d at once: wait and ask again", l.ReqsPerSecond, l.ReqsBurst))
}

// Forged must be told of every event from a socket whose id or signature is wrong: for a minute the address loses the
// exemption that is granted on a claim.
func (s *Set) Forged(ctx context.Context) {
	s.counts.add(nameForged)
	if peer := PeerFrom(ctx); peer != nil && !peer.Exempt && peer.Addr != "" {
		s.limiter.forged(peer.Addr)
	}
}

// AsRejection is the refusal inside an error, if there is one.
func AsRejection(err error) (*Rejection, bool) {
	var r *Rejection
	return r, errors.As(err, &r)
}
