package web

import (
	"net/http"
	"net/netip"
	"strings"
)

// address names who asks: the peer, or, when a proxy on this machine asks, the nearest one it names. It is empty for
// this machine itself.
func address(r *http.Request) string {
	near, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return "unknown"
	}
	peer := near.Addr().Unmap()
	if !peer.IsLoopback() {
		return peer.String()
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	far, err := netip.ParseAddr(strings.TrimSpace(hops[len(hops)-1]))
	if err != nil || far.Unmap().IsLoopback() {
		return ""
	}
	return far.Unmap().WithZone("").String()
}
