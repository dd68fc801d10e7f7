package session

import (
	"context"
	"net/url"
	"strings"
	"time"

	"dvmrelay/nip90"
	"dvmrelay/policies"
	"dvmrelay/wire"
)

const (
	authKind = 22242
	// authSkew is how far the clock of who authenticates may be off. NIP-42.
	authSkew = 10 * time.Minute
	// maxKeys bounds the keys that may be authenticated on one socket.
	maxKeys = 16
)

// auth judges an answer to the challenge. The event is never stored. NIP-42.
func (s *Session) auth(ctx context.Context, c wire.Auth) bool {
	v := s.judgeAuth(ctx, c)
	if v.OK {
		s.host.Counters.Auths.Add(1)
	} else {
		s.host.Counters.AuthFails.Add(1)
	}
	s.reply(func(b []byte) []byte { return wire.AppendOK(b, c.Event.ID, v.OK, v.Reason) })
	return true
}

func (s *Session) judgeAuth(ctx context.Context, c wire.Auth) Verdict {
	if s.challenge == "" {
		return Verdict{Reason: "error: this relay does not know its own url, so nobody can authenticate"}
	}
	if _, used := s.answered[c.Event.ID]; used {
		return Verdict{Reason: "invalid: this answer was used already"}
	}
	if reason := s.readAuth(c); reason != "" {
		return Verdict{Reason: reason}
	}
	id := wire.Hash(c.Event)
	if c.Event.ID != nip90.ID(id).String() {
		return Verdict{Reason: "invalid: id is not the hash of the event"}
	}
	good, err := s.host.Verify(ctx, c.Event, id)
	switch {
	case err != nil:
		return Verdict{Reason: "error: the relay is going down"}
	case !good:
		return Verdict{Reason: "invalid: signature does not fit id and pubkey"}
	}
	key, ok := nip90.ParsePubKey(c.Event.PubKey)
	if !ok {
		return Verdict{Reason: "invalid: pubkey must be 64 lowercase hex characters"}
	}
	return s.admit(key, c.Event.ID)
}

// admit adds a key to the peer. Events under way keep the peer they came with.
func (s *Session) admit(key nip90.PubKey, id string) Verdict {
	was := s.peer.Load()
	if !was.Is(key) {
		if len(was.Authed) >= maxKeys {
			return Verdict{Reason: "rate-limited: too many keys on one connection"}
		}
		now := *was
		now.Authed = append(append([]nip90.PubKey(nil), was.Authed...), key)
		s.peer.Store(&now)
	}
	if s.answered == nil {
		s.answered = make(map[string]struct{}, 1)
	}
	if len(s.answered) < maxAnswers {
		s.answered[strings.Clone(id)] = struct{}{}
	}
	return Verdict{OK: true}
}

// maxAnswers bounds how many used answers are remembered; the challenge and the clock bound what a replay can do.
const maxAnswers = 64

// readAuth checks what needs no signature; it returns the refusal.
func (s *Session) readAuth(c wire.Auth) string {
	if c.Event.Kind != authKind {
		return "invalid: an AUTH event has kind 22242"
	}
	skew := s.host.Now().Unix() - int64(c.Event.CreatedAt)
	if skew > int64(authSkew/time.Second) || skew < -int64(authSkew/time.Second) {
		return "invalid: created_at is more than 10 minutes off"
	}
	challenge, relay := false, false
	for _, tag := range c.Event.Tags {
		if len(tag) < 2 {
			continue
		}
		switch tag[0] {
		case "challenge":
			challenge = challenge || tag[1] == s.challenge
		case "relay":
			relay = relay || sameRelay(tag[1], s.host.Options.URL)
		}
	}
	switch {
	case !challenge:
		return "invalid: challenge is not the one that was sent on this connection"
	case !relay:
		return "invalid: relay tag names another relay than " + s.host.Options.URL
	}
	return ""
}

// sameRelay compares two addresses of relays: scheme, host without a default port, and path without a closing slash.
func sameRelay(a, b string) bool {
	ua, errA := url.Parse(strings.TrimSpace(a))
	ub, errB := url.Parse(b)
	if errA != nil || errB != nil {
		return false
	}
	return strings.EqualFold(ua.Scheme, ub.Scheme) && hostOf(ua) == hostOf(ub) &&
		strings.TrimRight(ua.Path, "/") == strings.TrimRight(ub.Path, "/")
}

func hostOf(u *url.URL) string {
	host := strings.ToLower(u.Host)
	switch strings.ToLower(u.Scheme) {
	case "wss":
		return strings.TrimSuffix(host, ":443")
	case "ws":
		return strings.TrimSuffix(host, ":80")
	}
	return host
}

func withPeer(ctx context.Context, p *policies.Peer) context.Context {
	return policies.WithPeer(ctx, p)
}
