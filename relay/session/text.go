package session

import (
	"context"
	"unicode/utf8"

	"dvmrelay/policies"
	"dvmrelay/wire"

	"github.com/gobwas/ws"
)

// longestAnswered is to how many characters an id is cut in the answer to a message that cannot be taken.
const longestAnswered = 64

// maxNonsense is how many unreadable frames in a row a peer may send.
const maxNonsense = 3

// text takes one message. It says false when the session is over.
func (s *Session) text(ctx context.Context, message []byte) bool {
	s.host.Counters.Messages.Add(1)
	cmd, bad := wire.ParseCommand(message, s.host.Options.Frame)
	if bad != nil {
		return s.malformed(ctx, bad) && s.waitRoom()
	}
	s.nonsense = 0
	switch c := cmd.(type) {
	case wire.Event:
		return s.event(ctx, c) && s.waitRoom()
	case wire.Auth:
		s.auth(ctx, c)
	case wire.Req:
		return s.settle() && s.req(ctx, c) && s.waitRoom()
	case wire.Count:
		return s.settle() && s.count(ctx, c) && s.waitRoom()
	case wire.Close:
		s.unsubscribe(c.Sub)
	case wire.NegOpen:
		return s.settle() && s.negOpen(ctx, c) && s.waitRoom()
	case wire.NegMsg:
		return s.negMsg(c) && s.waitRoom()
	case wire.NegClose:
		s.endNegotiation(c.Sub)
	}
	return s.waitRoom()
}

// malformed answers a message that cannot be taken, addressed as well as what could be read of it allows.
func (s *Session) malformed(ctx context.Context, bad *wire.Malformed) bool {
	s.host.Counters.Malformed.Add(1)
	switch {
	case (bad.Label == wire.LabelEvent || bad.Label == wire.LabelAuth) && bad.EventID != "":
		s.nonsense = 0
		s.reply(func(b []byte) []byte { return wire.AppendOK(b, bad.EventID, false, bad.Reason) })
	case (bad.Label == wire.LabelReq || bad.Label == wire.LabelCount) && bad.HasSub:
		s.nonsense = 0
		// To its sender, CLOSED ends whatever had this id. One of full length may have been cut, and be another's.
		if bad.Label == wire.LabelReq && utf8.RuneCountInString(bad.Sub) < longestAnswered {
			s.unsubscribe(bad.Sub)
		}
		s.closed(bad.Sub, bad.Reason)
	case (bad.Label == wire.LabelNegOpen || bad.Label == wire.LabelNegMsg) && bad.HasSub:
		s.nonsense = 0
		if utf8.RuneCountInString(bad.Sub) < longestAnswered {
			s.endNegotiation(bad.Sub)
		}
		s.negErr(bad.Sub, bad.Reason)
	default:
		s.nonsense++
		s.reply(func(b []byte) []byte { return wire.AppendNotice(b, bad.Reason) })
		if s.nonsense >= maxNonsense {
			s.end(&fault{ws.StatusPolicyViolation, "three unreadable messages in a row", DropNonsense})
			return false
		}
	}
	return ctx.Err() == nil
}

// closed refuses or ends a subscription.
func (s *Session) closed(sub, reason string) {
	s.host.Counters.Closed.Add(1)
	s.reply(func(b []byte) []byte { return wire.AppendClosed(b, sub, reason) })
}

// words are what a peer hears of an error: the refusal, or nothing about what went wrong inside.
func (s *Session) words(act string, err error) string {
	if r, ok := policies.AsRejection(err); ok {
		return r.Error()
	}
	s.host.Log.Error("request failed", "act", act, "err", err)
	return "error: the relay could not do this, try again later"
}
