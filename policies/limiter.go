package policies

import (
	"crypto/sha256"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"dvmrelay/nip90"
)

// distrustFor is how long an address that sent a forged event gets no exemption.
const distrustFor = time.Minute

// Limiter counts what addresses and keys do, in bounded memory whatever their number. An IPv6 address counts as its /64.
// An empty address is nobody's and is never limited. Safe for concurrent use.
type Limiter struct {
	now    func() time.Time
	counts counts
	rates  atomic.Pointer[rates]

	mu    sync.Mutex // guards below
	perIP map[addrKey]int
}

// rates are the buckets for one set of limits.
type rates struct {
	limits   Limits
	events   *buckets[addrKey]
	reqs     *buckets[addrKey]
	requests *buckets[nip90.PubKey]
}

func newRates(l Limits) *rates {
	return &rates{
		limits:   l,
		events:   newBuckets[addrKey](l.EventsPerSecond, l.EventsBurst, defaultBuckets),
		reqs:     newBuckets[addrKey](l.ReqsPerSecond, l.ReqsBurst, defaultBuckets),
		requests: newBuckets[nip90.PubKey](l.RequestsPerKey, l.RequestsBurst, defaultBuckets),
	}
}

// renewed keeps the buckets whose limits did not change.
func (r *rates) renewed(l Limits) *rates {
	next := newRates(l)
	o := r.limits
	if o.EventsPerSecond == l.EventsPerSecond && o.EventsBurst == l.EventsBurst {
		next.events = r.events
	}
	if o.ReqsPerSecond == l.ReqsPerSecond && o.ReqsBurst == l.ReqsBurst {
		next.reqs = r.reqs
	}
	if o.RequestsPerKey == l.RequestsPerKey && o.RequestsBurst == l.RequestsBurst {
		next.requests = r.requests
	}
	return next
}

func newLimiter(l Limits, now func() time.Time, c counts) *Limiter {
	lim := &Limiter{now: now, counts: c, perIP: make(map[addrKey]int)}
	lim.rates.Store(newRates(l))
	return lim
}

// AllowEvent counts one event of an address and says whether it is within the rate.
func (l *Limiter) AllowEvent(addr string) bool {
	return addr == "" || l.rates.Load().events.allow(keyOf(addr), l.now())
}

// AllowReq counts one REQ, COUNT or NEG-OPEN of an address and says whether it is within the rate.
func (l *Limiter) AllowReq(addr string) bool {
	if addr == "" || l.rates.Load().reqs.allow(keyOf(addr), l.now()) {
		return true
	}
	l.counts.add(nameReqRate)
	return false
}

// allowRequest counts one job request of a key, whose signature was verified.
func (l *Limiter) allowRequest(pk nip90.PubKey) bool {
	return l.rates.Load().requests.allow(pk, l.now())
}

// Connect counts one socket of an address. When ok is false the address has as many as it may, and release is nil; else
// release must be called when the socket is gone; calls after the first do nothing.
func (l *Limiter) Connect(addr string) (release func(), ok bool) {
	if addr == "" {
		return func() {}, true
	}
	key, most := keyOf(addr), l.rates.Load().limits.ConnectionsPerIP
	l.mu.Lock()
	defer l.mu.Unlock()
	if most > 0 && l.perIP[key] >= most {
		l.counts.add(nameConnections)
		return nil, false
	}
	l.perIP[key]++
	return sync.OnceFunc(func() { l.disconnect(key) }), true
}

func (l *Limiter) disconnect(key addrKey) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.perIP[key]--; l.perIP[key] <= 0 {
		delete(l.perIP, key)
	}
}

// forged remembers that an address sent an event whose id or signature is wrong.
func (l *Limiter) forged(addr string) {
	now := l.now()
	l.rates.Load().events.distrust(keyOf(addr), now, now.Add(distrustFor))
}

// trusts says whether an address may be exempt from the rate at all.
func (l *Limiter) trusts(addr string) bool {
	return l.rates.Load().events.trusts(keyOf(addr), l.now())
}

// addrKey is an IPv4 address in its IPv6 form, the /64 of an IPv6 address, or the hash of what is neither.
type addrKey [16]byte

func keyOf(addr string) addrKey {
	ip, err := netip.ParseAddr(addr)
	if err != nil {
		ap, err := netip.ParseAddrPort(addr)
		if err != nil {
			sum := sha256.Sum256([]byte(addr))
			return addrKey(sum[:16])
		}
		ip = ap.Addr()
	}
	ip = ip.Unmap()
	if ip.Is4() {
		return ip.As16()
	}
	key := addrKey(ip.As16())
	clear(key[8:])
	return key
}
