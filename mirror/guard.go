package mirror

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"unicode/utf8"
)

// Why an address that a stranger named is not dialled.
var (
	errNoRelay    = errors.New("is no address of a relay")
	errNotPublic  = errors.New("is no public unicast address")
	errOwnAddress = errors.New("is an address of this machine")
	errBadPort    = errors.New("is a port that no relay listens on")
)

// maxFollowedURL bounds the length of an address that is followed, in bytes.
const maxFollowedURL = 256

// hidden are the endings of names that mean nothing on the public net, or only here.
var hidden = []string{
	".onion", ".i2p", ".local", ".localhost", ".internal", ".intranet", ".private", ".lan", ".corp", ".home", ".home.arpa",
	".localdomain", ".test", ".invalid", ".example", ".arpa",
}

// guard decides which addresses that were learned from events may be dialled. What a name resolves to is looked at when
// it is connected to, so that a name cannot change between question and use. Its zero value lets only public relays pass.
type guard struct {
	except func(netip.AddrPort) bool // tests only: these pass, whatever they are
	own    func() ([]net.Addr, error)
}

// learned is the one spelling of an address that an event named; an error when it must not be dialled whatever it
// resolves to. Nothing is looked up.
func (g guard) learned(raw string) (*url.URL, error) {
	raw = strings.TrimRight(strings.TrimSpace(raw), "/|,; \t")
	if raw == "" || len(raw) > maxFollowedURL || !utf8.ValidString(raw) {
		return nil, errNoRelay
	}
	u, err := url.Parse(raw)
	if err != nil || u.Opaque != "" || u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" {
		return nil, errNoRelay
	}
	u, port, err := spelled(u)
	if err != nil {
		return nil, err
	}
	if ip, err := netip.ParseAddr(u.Hostname()); err == nil {
		return u, g.check(netip.AddrPortFrom(ip, port))
	}
	if g.except == nil && !publicPort(port) {
		return nil, errBadPort
	}
	if !publicName(u.Hostname()) {
		return nil, errNotPublic
	}
	return u, nil
}

// spelled gives a relay's address its one spelling: lower case but for the path, no default port, no slash at its end.
func spelled(u *url.URL) (*url.URL, uint16, error) {
	scheme, host, port := strings.ToLower(u.Scheme), strings.ToLower(strings.TrimSuffix(u.Hostname(), ".")), u.Port()
	usual := map[string]uint16{"ws": 80, "wss": 443}[scheme]
	if usual == 0 || host == "" {
		return nil, 0, errNoRelay
	}
	n := usual
	if port != "" {
		p, err := strconv.ParseUint(port, 10, 16)
		if err != nil || p == 0 {
			return nil, 0, errNoRelay
		}
		n = uint16(p)
	}
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if n != usual {
		host += ":" + strconv.Itoa(int(n))
	}
	return &url.URL{Scheme: scheme, Host: host, Path: strings.TrimRight(u.Path, "/")}, n, nil
}

// publicName says whether a name could be that of a public relay: several labels, none of the endings that are not.
func publicName(host string) bool {
	if len(host) > 253 || !strings.Contains(host, ".") {
		return false
	}
	for _, end := range hidden {
		if strings.HasSuffix(host, end) {
			return false
		}
	}
	for i := range len(host) {
		c := host[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '.' && c != '_' {
			return false // names of other scripts come as xn--
		}
	}
	return true
}

// publicPort keeps strangers from sending this relay to the mail servers and databases of others: of the ports that
// belong to known services only those of the web.
func publicPort(port uint16) bool { return port == 80 || port == 443 || port >= 1024 }

// control is wire.DialOptions.Control: it sees each resolved address before it is connected.
func (g guard) control(network, address string, _ syscall.RawConn) error {
	if network != "tcp4" && network != "tcp6" {
		return fmt.Errorf("%s %s: %w", network, address, errNotPublic)
	}
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("%q: %w", address, errNotPublic)
	}
	return g.check(to)
}

func (g guard) check(to netip.AddrPort) error {
	if g.except != nil && g.except(to) {
		return nil
	}
	if !publicPort(to.Port()) {
		return errBadPort
	}
	if !publicAddr(to.Addr()) {
		return fmt.Errorf("%s: %w", to.Addr(), errNotPublic)
	}
	return g.foreign(to.Addr().Unmap())
}

// foreign refuses this machine's own addresses: what listens on them may trust who comes from here.
func (g guard) foreign(ip netip.Addr) error {
	own := g.own
	if own == nil {
		own = net.InterfaceAddrs
	}
	addrs, err := own()
	if err != nil {
		return fmt.Errorf("read addresses of this machine: %w", err)
	}
	for _, a := range addrs {
		if p, err := netip.ParsePrefix(a.String()); err == nil && p.Addr().Unmap() == ip {
			return fmt.Errorf("%s: %w", ip, errOwnAddress)
		}
	}
	return nil
}

// special4 and special6 are what the registries of special addresses (RFC 6890 and its successors) take out of the public
// net, of IPv6 within 2000::/3 only.
var (
	special4 = prefixes("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
		"192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24", "198.18.0.0/15",
		"198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4")
	special6 = prefixes("2001::/23", "2001:db8::/32", "2620:4f:8000::/48", "3fff::/20") // the first holds Teredo and ORCHID
	global6  = netip.MustParsePrefix("2000::/3")
	sixTo4   = netip.MustParsePrefix("2002::/16")
	nat64    = netip.MustParsePrefix("64:ff9b::/96")
)

func prefixes(list ...string) (out []netip.Prefix) {
	for _, p := range list {
		out = append(out, netip.MustParsePrefix(p))
	}
	return out
}

// publicAddr says whether an address is one of the public net, and so is the IPv4 address inside it, if it holds one.
func publicAddr(ip netip.Addr) bool {
	if !ip.IsValid() || ip.Zone() != "" {
		return false
	}
	ip = ip.Unmap()
	if ip.Is4() {
		return !within4(ip)
	}
	b := ip.As16()
	switch {
	case nat64.Contains(ip):
		return !within4(netip.AddrFrom4([4]byte(b[12:16])))
	case sixTo4.Contains(ip):
		return !within4(netip.AddrFrom4([4]byte(b[2:6])))
	case !global6.Contains(ip):
		return false
	case b[8]&^2 == 0 && b[9] == 0 && b[10] == 0x5e && b[11] == 0xfe: // ISATAP, RFC 5214
		return false
	}
	for _, p := range special6 {
		if p.Contains(ip) {
			return false
		}
	}
	return true
}

func within4(ip netip.Addr) bool {
	for _, p := range special4 {
		if p.Contains(ip) {
			return true
		}
	}
	return false
}
