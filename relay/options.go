package relay

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"time"

	"dvmrelay/nip90"
)

// Options are the toml keys of section [relay].
type Options struct {
	Listen  string `toml:"listen"`   // host:port; default 127.0.0.1:3334
	URL     string `toml:"url"`      // ws:// or wss:// address as the world knows it; empty: NIP-42 is off
	KeyFile string `toml:"key_file"` // secret key in hex, made at first start; empty: the relay has no key

	Admins         []string `toml:"admins"` // npub or hex
	Name           string   `toml:"name"`
	Description    string   `toml:"description"`
	Contact        string   `toml:"contact"`
	Icon           string   `toml:"icon"`   // URL
	Banner         string   `toml:"banner"` // URL
	TermsOfService string   `toml:"terms_of_service"`

	TrustedProxies []string      `toml:"trusted_proxies"`  // addresses or prefixes whose X-Forwarded-For counts; default loopback
	AuthEncrypted  bool          `toml:"auth_encrypted"`   // encrypted jobs are read by author and `p` only; default false
	EOSEHint       bool          `toml:"eose_hint"`        // NIP-67; default true
	Negentropy     bool          `toml:"negentropy"`       // NIP-77; default true
	PingInterval   time.Duration `toml:"ping_interval"`    // silence before a ping; default 30 s, 0 = never
	PongWait       time.Duration `toml:"pong_wait"`        // for its answer; default 30 s
	MessageTimeout time.Duration `toml:"message_timeout"`  // from the first to the last byte of a message; default 30 s
	HeaderTimeout  time.Duration `toml:"header_timeout"`   // for the headers of an HTTP request; default 10 s
	BodyTimeout    time.Duration `toml:"body_timeout"`     // for a whole HTTP request; default 30 s
	IdleTimeout    time.Duration `toml:"idle_timeout"`     // of an HTTP connection between requests; default 2 min
	InFlight       int           `toml:"in_flight"`        // events of one socket judged at once; default 256
	InFlightBytes  int64         `toml:"in_flight_bytes"`  // events of all sockets judged at once; default 64 MiB
	HeaderBytes    int           `toml:"max_header_bytes"` // of an HTTP request; default 16 KiB

	Sync    string `toml:"-"` // store.sync, as NIP-11 tells it
	Version string `toml:"-"` // of the program, as NIP-11 tells it
}

// DefaultOptions are the options of a relay that nobody configured.
func DefaultOptions() Options {
	return Options{
		Listen: "127.0.0.1:3334",
		Admins: []string{},
		Name:   "dvmrelay",
		Description: "A relay for Data Vending Machines: job requests, results, feedback, handlers and what belongs to them, " +
			"and nothing else.",
		TrustedProxies: []string{"127.0.0.0/8", "::1/128"},
		EOSEHint:       true,
		Negentropy:     true,
		PingInterval:   30 * time.Second,
		PongWait:       30 * time.Second,
		MessageTimeout: 30 * time.Second,
		HeaderTimeout:  10 * time.Second,
		BodyTimeout:    30 * time.Second,
		IdleTimeout:    2 * time.Minute,
		InFlight:       256,
		InFlightBytes:  64 << 20,
		HeaderBytes:    16 << 10,
	}
}

// Validate says what is wrong with the options, all faults at once, each beginning with its toml key.
func (o Options) Validate() error {
	var faults []error
	fault := func(key string, value any, why string) {
		faults = append(faults, fmt.Errorf("relay.%s: %v: %s", key, value, why))
	}
	if why := faultyListen(o.Listen); why != "" {
		fault("listen", strconv.Quote(o.Listen), why)
	}
	if o.URL != "" {
		if u, err := url.Parse(o.URL); err != nil || u.Scheme != "ws" && u.Scheme != "wss" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
			fault("url", strconv.Quote(o.URL), "must be ws:// or wss:// with a host")
		}
	}
	if o.AuthEncrypted && o.URL == "" {
		fault("auth_encrypted", o.AuthEncrypted, "needs relay.url, without which nobody can authenticate")
	}
	for _, link := range []struct{ key, value string }{{"icon", o.Icon}, {"banner", o.Banner}, {"terms_of_service", o.TermsOfService}} {
		if link.value == "" {
			continue
		}
		if u, err := url.Parse(link.value); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			fault(link.key, strconv.Quote(link.value), "must be http:// or https:// with a host")
		}
	}
	if _, err := parseAdmins(o.Admins); err != nil {
		faults = append(faults, err)
	}
	if _, err := parsePrefixes(o.TrustedProxies); err != nil {
		faults = append(faults, err)
	}
	for _, d := range []struct {
		key   string
		value time.Duration
	}{
		{"ping_interval", o.PingInterval},
		{"pong_wait", o.PongWait},
		{"message_timeout", o.MessageTimeout},
		{"header_timeout", o.HeaderTimeout},
		{"body_timeout", o.BodyTimeout},
		{"idle_timeout", o.IdleTimeout},
	} {
		if d.value < 0 {
			fault(d.key, d.value, "must not be negative")
		}
	}
	for _, n := range []struct {
		key   string
		value int64
	}{{"in_flight", int64(o.InFlight)}, {"in_flight_bytes", o.InFlightBytes}, {"max_header_bytes", int64(o.HeaderBytes)}} {
		if n.value < 1 {
			fault(n.key, n.value, "must be at least 1")
		}
	}
	return errors.Join(faults...)
}

func faultyListen(addr string) string {
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return "must be host:port"
	}
	if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
		return "port must be between 0 and 65535"
	}
	return ""
}

// parseAdmins reads the keys of administrators.
func parseAdmins(list []string) ([]nip90.PubKey, error) {
	var faults []error
	keys := make([]nip90.PubKey, 0, len(list))
	for _, s := range list {
		key, ok := parsePerson(s)
		switch {
		case !ok:
			faults = append(faults, fmt.Errorf("relay.admins: %q: is no public key: write npub or 64 hex characters", s))
		case isLeaked(key):
			faults = append(faults, fmt.Errorf("relay.admins: %q: everybody knows the secret key of this one", s))
		default:
			keys = append(keys, key)
		}
	}
	return keys, errors.Join(faults...)
}

// parsePerson reads a public key as people write it: hex, npub or nprofile.
func parsePerson(s string) (nip90.PubKey, bool) {
	if key, ok := nip90.ParsePubKey(s); ok {
		return key, true
	}
	ref, err := nip90.ParseReference(s)
	return ref.PubKey, err == nil && !ref.PubKey.IsZero() && ref.ID.IsZero() && ref.Address == nil
}

// parsePrefixes reads addresses and prefixes; an address is a prefix of its own length.
func parsePrefixes(list []string) ([]netip.Prefix, error) {
	var faults []error
	prefixes := make([]netip.Prefix, 0, len(list))
	for _, s := range list {
		if p, err := netip.ParsePrefix(s); err == nil {
			prefixes = append(prefixes, p.Masked())
		} else if a, err := netip.ParseAddr(s); err == nil {
			a = a.Unmap()
			prefixes = append(prefixes, netip.PrefixFrom(a, a.BitLen()))
		} else {
			faults = append(faults, fmt.Errorf("relay.trusted_proxies: %q: must be an address or a prefix such as 10.0.0.0/8", s))
		}
	}
	return prefixes, errors.Join(faults...)
}
