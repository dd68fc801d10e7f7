package policies

import (
	"context"

	"dvmrelay/nip90"
)

// listRule asks every list: one denial refuses; where allow lists are in force, one of them must name the key.
func listRule(lists []Lists) func(context.Context, *nip90.Parsed) error {
	return func(_ context.Context, p *nip90.Parsed) error {
		// Whoever once could publish here may ask to be forgotten, listed or not. NIP-62.
		if p.Event.Kind == nip90.KindVanish {
			return nil
		}
		inForce, allowed := false, false
		for _, l := range lists {
			if reason, denied := l.Denied(p.Author); denied {
				if reason == "" {
					return Refuse(Blocked, "this key may not publish here")
				}
				return Refuse(Blocked, "this key may not publish here: "+reason)
			}
			ok, listed := l.Allowed(p.Author)
			inForce = inForce || listed
			allowed = allowed || listed && ok
		}
		if inForce && !allowed {
			return Refuse(Restricted, "only listed keys may publish here, ask the operator")
		}
		return nil
	}
}

// StaticLists are allow and deny lists that do not change. It implements Lists.
type StaticLists struct {
	allow, deny map[nip90.PubKey]bool
}

// NewStaticLists reads keys written as npub or hex. The error joins every key that cannot be read.
func NewStaticLists(o RuleOptions) (*StaticLists, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	allow, err := parseKeys("policies.allow", o.Allow)
	if err != nil {
		return nil, err
	}
	deny, err := parseKeys("policies.deny", o.Deny)
	if err != nil {
		return nil, err
	}
	return &StaticLists{allow: allow, deny: deny}, nil
}

// Allowed implements Lists.
func (l *StaticLists) Allowed(pk nip90.PubKey) (allowed, listed bool) {
	return l.allow[pk], len(l.allow) > 0
}

// Denied implements Lists. It gives no reason.
func (l *StaticLists) Denied(pk nip90.PubKey) (reason string, denied bool) { return "", l.deny[pk] }
