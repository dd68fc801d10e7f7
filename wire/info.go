package wire

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
)

// Info is what a relay says of itself, as far as a client acts on it. NIP-11.
type Info struct {
	Name        string
	Description string
	PubKey      string
	Self        string
	Contact     string
	Software    string
	Version     string
	NIPs        []int // those given as numbers
	Limitation  Limitation
}

// Limitation is what a relay refuses; 0 and false where it does not say. NIP-11 "Server Limitations".
type Limitation struct {
	MaxMessageLength int64 // bytes
	MaxSubscriptions int64
	MaxFilters       int64
	MaxLimit         int64
	DefaultLimit     int64
	MaxSubIDLength   int64
	MaxEventTags     int64
	MaxContentLength int64
	MinPoWDifficulty int64
	AuthRequired     bool
	PaymentRequired  bool
	RestrictedWrites bool
}

// maxInfo is how long a NIP-11 document may be, in bytes.
const maxInfo = 256 << 10

// FetchInfo asks a relay, given by its ws or wss URL, for its NIP-11 document. Fields of the wrong type are taken as
// absent, since relays differ. It takes at most o.DialTimeout.
func FetchInfo(ctx context.Context, relay string, o DialOptions) (Info, error) {
	o = o.withDefaults()
	ctx, cancel := context.WithTimeout(ctx, o.DialTimeout)
	defer cancel()
	info, err := fetchInfo(ctx, relay, o)
	if err != nil {
		return Info{}, fmt.Errorf("fetch information document of %s: %w", relay, err)
	}
	return info, nil
}

func fetchInfo(ctx context.Context, relay string, o DialOptions) (Info, error) {
	u, err := url.Parse(relay)
	if err != nil {
		return Info{}, err
	}
	switch u.Scheme {
	case "ws":
		u.Scheme = "http"
	case "wss":
		u.Scheme = "https"
	default:
		return Info{}, fmt.Errorf("scheme %q is neither ws nor wss", u.Scheme)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return Info{}, err
	}
	req.Header.Set("Accept", "application/nostr+json")
	if o.UserAgent != "" {
		req.Header.Set("User-Agent", o.UserAgent)
	}
	transport := newTransport(o, nil)
	defer transport.CloseIdleConnections()
	resp, err := newHTTPClient(o, transport).Do(req)
	if err != nil {
		return Info{}, err
	}
	defer func() { _ = resp.Body.Close() }() // nothing is written to it
	if resp.StatusCode != http.StatusOK {
		return Info{}, fmt.Errorf("http status %d", resp.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxInfo+1))
	if err != nil {
		return Info{}, err
	}
	if len(body) > maxInfo {
		return Info{}, errors.New("document is too long")
	}
	return parseInfo(body)
}

func parseInfo(body []byte) (Info, error) {
	fields, err := objectOf(body)
	if err != nil {
		return Info{}, err
	}
	limits, err := objectOf(fields["limitation"])
	if err != nil {
		limits = nil // an oddly typed limitation is no limitation
	}
	info := Info{
		Name: value[string](fields, "name"), Description: value[string](fields, "description"),
		PubKey: value[string](fields, "pubkey"), Self: value[string](fields, "self"),
		Contact: value[string](fields, "contact"), Software: value[string](fields, "software"),
		Version: value[string](fields, "version"),
		Limitation: Limitation{
			MaxMessageLength: value[int64](limits, "max_message_length"),
			MaxSubscriptions: value[int64](limits, "max_subscriptions"),
			MaxFilters:       value[int64](limits, "max_filters"),
			MaxLimit:         value[int64](limits, "max_limit"),
			DefaultLimit:     value[int64](limits, "default_limit"),
			MaxSubIDLength:   value[int64](limits, "max_subid_length"),
			MaxEventTags:     value[int64](limits, "max_event_tags"),
			MaxContentLength: value[int64](limits, "max_content_length"),
			MinPoWDifficulty: value[int64](limits, "min_pow_difficulty"),
			AuthRequired:     value[bool](limits, "auth_required"),
			PaymentRequired:  value[bool](limits, "payment_required"),
			RestrictedWrites: value[bool](limits, "restricted_writes"),
		},
	}
	for _, nip := range value[[]json.RawMessage](fields, "supported_nips") {
		var n int
		if json.Unmarshal(nip, &n) == nil {
			info.NIPs = append(info.NIPs, n)
		}
	}
	return info, nil
}

func objectOf(text []byte) (map[string]json.RawMessage, error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(text, &fields); err != nil {
		return nil, fmt.Errorf("document is no JSON object: %w", err)
	}
	return fields, nil
}

// value is a field, or the zero value when it is absent or of another type.
func value[T any](fields map[string]json.RawMessage, name string) T {
	var v, zero T
	if json.Unmarshal(fields[name], &v) != nil {
		return zero
	}
	return v
}
