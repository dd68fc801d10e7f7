package relay

import (
	"net/http"
	"net/netip"
	"strings"

	"dvmrelay/policies"
)

// forwardedFor is the header that trusted proxies name their clients in.
const forwardedFor = "X-Forwarded-For"

// peerOf says who asks: the nearest address that is no trusted proxy. Who comes from the machine itself, and from no
// proxy, is exempt from rates.
func peerOf(r *http.Request, trusted []netip.Prefix) *policies.Peer {
	near, ok := remoteAddr(r.RemoteAddr)
	if !ok {
		return &policies.Peer{Addr: "unknown"}
	}
	forwarded := r.Header.Values(forwardedFor)
	switch {
	case len(forwarded) == 0:
		return &policies.Peer{Addr: near.String(), Exempt: near.IsLoopback()}
	case !isTrusted(near, trusted):
		return &policies.Peer{Addr: near.String()}
	}
	far := near
	hops := strings.Split(strings.Join(forwarded, ","), ",")
	for i := len(hops) - 1; i >= 0; i-- {
		hop, ok := remoteAddr(strings.TrimSpace(hops[i]))
		if !ok {
			break // what stands further left was written by who knows whom
		}
		far = hop
		if !isTrusted(hop, trusted) {
			break
		}
	}
	return &policies.Peer{Addr: far.String()}
}

func isTrusted(a netip.Addr, trusted []netip.Prefix) bool {
	for _, p := range trusted {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// remoteAddr reads an address with or without port.
func remoteAddr(s string) (netip.Addr, bool) {
	if ap, err := netip.ParseAddrPort(s); err == nil {
		return ap.Addr().Unmap().WithZone(""), true
	}
	a, err := netip.ParseAddr(strings.Trim(s, "[]"))
	return a.Unmap().WithZone(""), err == nil
}
