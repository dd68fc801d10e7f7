package mirror

import (
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"dvmrelay/wire"
)

func TestGuard_LetsOnlyPublicUnicastPass(t *testing.T) {
	for addr, want := range map[string]bool{
		"8.8.8.8": true, "1.1.1.1": true, "100.63.255.255": true, "100.128.0.0": true, "172.15.0.1": true, "172.32.0.1": true, "223.255.255.255": true,
		"2606:4700::1111": true, "2a00:1450:4001:80e::200e": true, "64:ff9b::808:808": true, "2002:808:808::1": true, "::ffff:8.8.8.8": true,
		"0.0.0.0": false, "0.1.2.3": false, "10.0.0.1": false, "100.64.0.1": false, "100.127.255.255": false, "127.0.0.1": false, "127.255.0.9": false,
		"169.254.169.254": false, "172.16.0.1": false, "172.31.255.255": false, "192.0.0.8": false, "192.0.2.1": false, "192.168.1.1": false,
		"192.88.99.1": false, "198.18.0.1": false, "198.19.255.255": false, "198.51.100.7": false, "203.0.113.7": false, "224.0.0.1": false,
		"239.255.255.250": false, "240.0.0.1": false, "255.255.255.255": false,
		"::": false, "::1": false, "::ffff:127.0.0.1": false, "::ffff:10.0.0.1": false, "::127.0.0.1": false, "fe80::1": false, "fc00::1": false,
		"fd12:3456::1": false, "fec0::1": false, "ff02::1": false, "100::1": false, "2001:db8::1": false, "3fff::1": false, "2001:0:808:808::1": false,
		"2001:10::1": false, "64:ff9b::7f00:1": false, "64:ff9b::a00:1": false, "64:ff9b:1::808:808": false, "2002:7f00:1::1": false,
		"2002:c0a8:101::1": false, "2002:a9fe:a9fe::": false, "2606:4700::5efe:10.0.0.1": false, "2606:4700::200:5efe:10.0.0.1": false,
		"4000::1": false, "fe80::1%eth0": false, "2606:4700::1%eth0": false,
	} {
		err := guard{}.control("tcp6", netip.AddrPortFrom(netip.MustParseAddr(addr), 443).String(), nil)
		if (err == nil) != want {
			t.Errorf("%s: %v, want pass = %v", addr, err, want)
		}
	}
	for _, bad := range []string{"8.8.8.8", "localhost:80", "", "[::1]", "8.8.8.8:99999"} {
		if (guard{}).control("tcp4", bad, nil) == nil {
			t.Errorf("%q passes", bad)
		}
	}
	if (guard{}).control("unix", "8.8.8.8:443", nil) == nil || (guard{}).control("udp4", "8.8.8.8:443", nil) == nil {
		t.Error("something else than TCP passes")
	}
	for port, want := range map[string]bool{"80": true, "443": true, "7777": true, "25": false, "22": false, "0": false} {
		if err := (guard{}).control("tcp4", "8.8.8.8:"+port, nil); (err == nil) != want {
			t.Errorf("port %s: %v, want pass = %v", port, err, want)
		}
	}
	own := guard{own: func() ([]net.Addr, error) {
		return []net.Addr{&net.IPNet{IP: net.IPv4(8, 8, 8, 8), Mask: net.CIDRMask(24, 32)}}, nil
	}}
	if err := own.control("tcp4", "8.8.8.8:443", nil); !errors.Is(err, errOwnAddress) {
		t.Errorf("an address of this machine: %v, want %v", err, errOwnAddress)
	}
	if err := own.control("tcp4", "8.8.8.9:443", nil); err != nil {
		t.Errorf("a neighbour's address: %v", err)
	}
}

func TestGuard_Names(t *testing.T) {
	for raw, want := range map[string]string{
		"wss://Relay.Damus.io/": "wss://relay.damus.io", " wss://nos.lol:443| ": "wss://nos.lol", "WS://a.b.com:80/x/": "ws://a.b.com/x",
		"wss://a.b.com:7777/Path": "wss://a.b.com:7777/Path", "wss://nos.lol.": "wss://nos.lol", "ws://8.8.8.8": "ws://8.8.8.8",
		"wss://[2606:4700::1111]:444": "", "wss://[2606:4700::1111]:4444": "wss://[2606:4700::1111]:4444", "wss://xn--bcher-kva.de": "wss://xn--bcher-kva.de",
		"": "", "wss://": "", "wss:relay.damus.io": "", "relay.damus.io": "", "https://relay.damus.io": "", "ftp://a.b.com": "", "wss://user@a.b.com": "",
		"wss://user:pw@a.b.com": "", "wss://a.b.com/?x=1": "", "wss://a.b.com/?": "", "wss://a.b.com#x": "", "wss://a.b.com:0": "", "wss://a.b.com:65536": "",
		"wss://a.b.com:25": "", "wss://localhost": "", "wss://localhost:7777": "", "wss://intranet": "", "wss://printer.local": "", "ws://x.onion": "",
		"ws://x.ONION.": "", "wss://db.internal": "", "wss://a.home.arpa": "", "wss://x.i2p": "", "ws://127.0.0.1:7777": "", "ws://[::1]:7777": "",
		"ws://[fe80::1%25eth0]": "", "ws://10.0.0.1": "", "ws://169.254.169.254/latest": "", "ws://2130706433": "", "ws://0x7f000001": "",
		"wss://a.b.com, wss://c.d.com": "", "wss://bücher.de": "", "wss://a b.com": "", "wss://" + strings.Repeat("a", 300) + ".com": "", "wss://\x00.com": "",
		"wss://a.b.com/\xff": "", "wss://%31%32%37.0.0.1": "",
	} {
		u, err := guard{}.learned(raw)
		got := ""
		if err == nil {
			got = u.String()
		} else if refusalOf(err) == "" {
			t.Errorf("%q: no word for %v", raw, err)
		}
		if got != want {
			t.Errorf("%q: %q (%v), want %q", raw, got, err, want)
		}
	}
}

// TestGuard_LoopbackIsRefusedWhenItConnects goes past the check of names: what counts is where the connection goes.
func TestGuard_LoopbackIsRefusedWhenItConnects(t *testing.T) {
	asked := make(chan string, 10)
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { asked <- r.URL.Path }))
	defer srv.Close()
	_, port, _ := strings.Cut(strings.TrimPrefix(srv.URL, "http://"), ":")
	o := wire.DialOptions{Control: guard{}.control, NoRedirect: true, DialTimeout: 10 * time.Second}
	for _, host := range []string{"127.0.0.1", "localhost"} {
		_, err := wire.Dial(t.Context(), "ws://"+host+":"+port+"/dial", o)
		if !errors.Is(err, errNotPublic) {
			t.Errorf("dial %s: %v, want %v", host, err, errNotPublic)
		}
		if _, err = wire.FetchInfo(t.Context(), "ws://"+host+":"+port+"/info", o); !errors.Is(err, errNotPublic) {
			t.Errorf("information document of %s: %v, want %v", host, err, errNotPublic)
		}
	}
	select {
	case path := <-asked:
		t.Errorf("the server was asked for %s", path)
	default:
	}
}

// TestGuard_FollowsNoRedirect lets the redirecting server pass, which is what a public one would do.
func TestGuard_FollowsNoRedirect(t *testing.T) {
	asked := make(chan string, 10)
	behind := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { asked <- r.URL.Path }))
	defer behind.Close()
	front := httptest.NewServer(http.RedirectHandler(behind.URL, http.StatusFound))
	defer front.Close()
	o := wire.DialOptions{NoRedirect: true, DialTimeout: 10 * time.Second}
	if _, err := wire.Dial(t.Context(), "ws"+strings.TrimPrefix(front.URL, "http"), o); err == nil {
		t.Error("dialled by way of a redirect")
	}
	if _, err := wire.FetchInfo(t.Context(), "ws"+strings.TrimPrefix(front.URL, "http"), o); err == nil {
		t.Error("information document fetched by way of a redirect")
	}
	if len(asked) != 0 {
		t.Errorf("a redirect was followed to %s", <-asked)
	}
	o.NoRedirect = false
	_, _ = wire.Dial(t.Context(), "ws"+strings.TrimPrefix(front.URL, "http"), o) // it is no relay
	if len(asked) == 0 {
		t.Error("without NoRedirect nothing was followed: this test cannot fail")
	}
}
