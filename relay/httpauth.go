package relay

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"dvmrelay/nip90"
	"dvmrelay/wire"

	"github.com/nbd-wtf/go-nostr"
)

const (
	httpAuthKind   = 27235       // NIP-98
	httpAuthScheme = "nostr"     // of the Authorization header, in lower case
	httpAuthSkew   = time.Minute // how far the clock of who signs may be off. NIP-98
	// httpAuthMemory is how long a used event is remembered: longer than it is good, for requests that took their time.
	httpAuthMemory = 10 * time.Minute
	maxHTTPAuth    = 8 << 10 // characters of the header
	maxHTTPAuths   = 1024    // used events that are remembered; all of them are by administrators
)

// AuthError is why a request was not signed by an administrator, in words for who sent it.
type AuthError struct {
	Status int // 401, or 429 for who asks too often
	Reason string
}

// Error is the reason.
func (e *AuthError) Error() string { return e.Reason }

// HTTPStatus is the status to answer with.
func (e *AuthError) HTTPStatus() int { return e.Status }

func unauthorized(format string, args ...any) error {
	return &AuthError{http.StatusUnauthorized, fmt.Sprintf(format, args...)}
}

// SignURL is the address that a request for a path of this relay is signed for, as NIP-98 wants it in the tag `u`; empty
// without relay.url, and then nobody can sign.
func (r *Relay) SignURL(requestURI string) string {
	u, err := url.Parse(r.o.URL)
	if err != nil || u.Host == "" {
		return ""
	}
	scheme, port := "https", ":443"
	if strings.EqualFold(u.Scheme, "ws") {
		scheme, port = "http", ":80"
	}
	return scheme + "://" + strings.TrimSuffix(strings.ToLower(u.Host), port) + strings.TrimRight(u.EscapedPath(), "/") + requestURI
}

// Admins is how many keys may sign.
func (r *Relay) Admins() int { return len(r.admins) }

// Administrator is the key that signed a request: one of relay.admins, for this URL and method, a minute ago at most, and
// never before. Otherwise the error is an *AuthError, or that of the request's context. Safe for concurrent use. NIP-98.
func (r *Relay) Administrator(req *http.Request) (nip90.PubKey, error) {
	if r.o.URL == "" {
		return nip90.PubKey{}, unauthorized("signing in is off: this relay does not know its own address (relay.url)")
	}
	if len(r.admins) == 0 {
		return nip90.PubKey{}, unauthorized("signing in is off: this relay has no administrators (relay.admins)")
	}
	if peer := peerOf(req, r.trusted); !peer.Exempt && !r.d.Policies.Limiter().AllowReq(peer.Addr) {
		return nip90.PubKey{}, &AuthError{http.StatusTooManyRequests, "too many requests from your address: wait a moment"}
	}
	evt, err := httpAuthEvent(req.Header.Values("Authorization"))
	if err != nil {
		return nip90.PubKey{}, err
	}
	now := r.d.Now()
	if err := checkHTTPAuth(evt, r.SignURL(req.RequestURI), req.Method, now); err != nil {
		return nip90.PubKey{}, err
	}
	// The signature comes before the key, or anybody could find out who the administrators are.
	if err := r.checkSigned(req.Context(), evt); err != nil {
		return nip90.PubKey{}, err
	}
	key, ok := nip90.ParsePubKey(evt.PubKey)
	if !ok || !slices.Contains(r.admins, key) {
		return nip90.PubKey{}, unauthorized("the key that signed is no administrator of this relay")
	}
	if err := r.signIns.use(evt.ID, now, int64(evt.CreatedAt)); err != nil {
		return nip90.PubKey{}, err
	}
	return key, nil
}

// httpAuthEvent reads the event of an Authorization header.
func httpAuthEvent(headers []string) (*nostr.Event, error) {
	if len(headers) != 1 || headers[0] == "" {
		return nil, unauthorized("one Authorization header is wanted: Nostr, and a signed event of kind 27235 in base64 (NIP-98)")
	}
	if len(headers[0]) > maxHTTPAuth {
		return nil, unauthorized("the Authorization header is longer than %d characters", maxHTTPAuth)
	}
	scheme, token, _ := strings.Cut(headers[0], " ")
	if !strings.EqualFold(scheme, httpAuthScheme) {
		return nil, unauthorized("the Authorization header must begin with Nostr (NIP-98)")
	}
	text, err := base64.StdEncoding.DecodeString(strings.TrimSpace(token))
	if err != nil {
		return nil, unauthorized("the Authorization header is no base64")
	}
	evt, _, err := wire.ParseEvent(text, wire.Limits{MaxTags: 16, MaxContent: 1024})
	var bad *wire.Malformed
	switch {
	case errors.As(err, &bad):
		return nil, unauthorized("the Authorization header holds no event: %s", bad.Reason)
	case err != nil:
		return nil, unauthorized("the Authorization header holds no event")
	}
	return evt, nil
}

// checkHTTPAuth checks what needs no signature. NIP-98.
func checkHTTPAuth(evt *nostr.Event, at, method string, now time.Time) error {
	if evt.Kind != httpAuthKind {
		return unauthorized("the event has kind %d, want 27235", evt.Kind)
	}
	if skew := now.Unix() - int64(evt.CreatedAt); skew > int64(httpAuthSkew/time.Second) || skew < -int64(httpAuthSkew/time.Second) {
		return unauthorized("created_at is more than a minute off: sign again, and look at your clock")
	}
	if u, n := tagOf(evt, "u"); n != 1 || u != at {
		return unauthorized("the tag u must be %s", at)
	}
	if m, n := tagOf(evt, "method"); n != 1 || !strings.EqualFold(m, method) {
		return unauthorized("the tag method must be %s", method)
	}
	return nil
}

// tagOf is the value of the first tag of a name, and how many there are.
func tagOf(evt *nostr.Event, name string) (value string, n int) {
	for _, tag := range evt.Tags {
		if len(tag) < 2 || tag[0] != name {
			continue
		}
		if n++; n == 1 {
			value = tag[1]
		}
	}
	return value, n
}

// checkSigned checks id and signature, one at a time: strangers who try keep the cores from nobody.
func (r *Relay) checkSigned(ctx context.Context, evt *nostr.Event) error {
	id := wire.Hash(evt)
	if evt.ID != nip90.ID(id).String() {
		return unauthorized("the id is not the hash of the event")
	}
	if err := r.signIns.slot.Acquire(ctx, 1); err != nil {
		return err
	}
	defer r.signIns.slot.Release(1)
	good, err := r.verifier.verify(ctx, evt, id)
	switch {
	case err != nil:
		return err
	case !good:
		return unauthorized("the signature does not fit id and pubkey")
	}
	return nil
}

// signIns remembers which signed requests were used, as long as they could be used again.
type signIns struct {
	slot *slots

	mu   sync.Mutex       // guards below
	used map[string]int64 // id -> unix seconds until when it would be taken
}

func newSignIns() *signIns { return &signIns{slot: newSlots(1), used: make(map[string]int64)} }

// use lets an event stand for one request.
func (s *signIns) use(id string, now time.Time, createdAt int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, again := s.used[id]; again {
		return unauthorized("this signature was used already: sign again")
	}
	for other, until := range s.used {
		if until < now.Unix() {
			delete(s.used, other)
		}
	}
	if len(s.used) >= maxHTTPAuths {
		return &AuthError{http.StatusTooManyRequests, "too many sign-ins at once: wait a minute"}
	}
	s.used[strings.Clone(id)] = createdAt + int64(httpAuthMemory/time.Second)
	return nil
}
