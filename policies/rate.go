package policies

import (
	"context"
	"fmt"

	"dvmrelay/nip90"
)

// addressRateRule bounds the events of one address. Answers by known providers to known requests are exempt, as long as
// the address has sent nothing forged: at this point a name is only a claim.
func addressRateRule(l *Limiter, standing Standing, perSecond, burst int) func(context.Context, *nip90.Parsed) error {
	return func(ctx context.Context, p *nip90.Parsed) error {
		peer := PeerFrom(ctx)
		if peer == nil || peer.Exempt || l.AllowEvent(peer.Addr) {
			return nil
		}
		if standing != nil && l.trusts(peer.Addr) && answersKnownJob(standing, p) {
			return nil
		}
		return Refuse(RateLimited, fmt.Sprintf("more than %d events per second from your address, or %d at once: wait and send again", perSecond, burst))
	}
}

// keyRateRule bounds the job requests of one key. It runs after verification: else anybody could spend somebody else's
// budget in his name.
func keyRateRule(l *Limiter, perSecond, burst int) func(context.Context, *nip90.Parsed) error {
	return func(ctx context.Context, p *nip90.Parsed) error {
		peer := PeerFrom(ctx)
		if peer == nil || peer.Exempt {
			return nil
		}
		if k := p.Event.Kind; k < 5000 || k > 5999 || l.allowRequest(p.Author) {
			return nil
		}
		return Refuse(RateLimited, fmt.Sprintf("more than %d job requests per second by this key, or %d at once: wait and send again", perSecond, burst))
	}
}
