package relay

import (
	"context"
	"errors"
	"fmt"

	"dvmrelay/mirror"
	"dvmrelay/nip90"
	"dvmrelay/policies"
	"dvmrelay/relay/live"
	"dvmrelay/relay/session"
	"dvmrelay/store"
	"dvmrelay/wire"

	"github.com/fiatjaf/eventstore"
	"github.com/fiatjaf/khatru"
	"github.com/nbd-wtf/go-nostr"
)

// Verdict is what became of an event, in full.
type Verdict struct {
	OK      bool
	Reason  string // as an OK message says it: empty, or a NIP-01 prefix and words
	Outcome mirror.Outcome
	Forged  bool  // the signature does not fit
	Err     error // set when it could not be decided
}

// Submit is the one door for events, whoever brings them. It returns when the event is on disk or refused. It is safe
// for concurrent use, and is a mirror.Sink.
func (r *Relay) Submit(ctx context.Context, p *nip90.Parsed) mirror.Verdict {
	v := r.Judge(ctx, p)
	out := mirror.Verdict{Outcome: v.Outcome, Err: v.Err}
	switch prefix := prefixOf(v.Reason); {
	case v.Forged:
		out.Reason = mirror.ReasonSignature
	case v.Outcome == mirror.Refused:
		out.Reason = prefix
	case v.Outcome == mirror.Ignored:
		out.Reason = map[string]string{
			string(policies.Duplicate): mirror.ReasonStale, string(policies.Blocked): mirror.ReasonDeleted, string(policies.Invalid): mirror.ReasonFactOnly,
			string(policies.Restricted): mirror.ReasonWaiting,
		}[prefix]
	}
	return out
}

// Judge is Submit with the whole verdict, for who has somebody to tell it.
func (r *Relay) Judge(ctx context.Context, p *nip90.Parsed) Verdict { return r.judge(ctx, p, nil) }

func (r *Relay) judgeForSession(ctx context.Context, p *nip90.Parsed, turn *session.Turn) session.Verdict {
	v := r.judge(ctx, p, turn)
	if r.d.Seen != nil && (v.Outcome == mirror.Duplicate || v.Outcome == mirror.Ignored) {
		r.d.Seen(p.ID) // of what is new here the fact tells by itself
	}
	return session.Verdict{OK: v.OK, Reason: v.Reason}
}

func (r *Relay) judge(ctx context.Context, p *nip90.Parsed, turn *session.Turn) Verdict {
	v, decided := r.examine(ctx, p)
	if !decided {
		v = r.add(ctx, p, turn)
	}
	r.counts.verdict(v)
	return v
}

// examine does what comes before the rules that need trust. It says true when the event is decided.
func (r *Relay) examine(ctx context.Context, p *nip90.Parsed) (Verdict, bool) {
	if err := r.d.Policies.CheckGate(ctx, p); err != nil {
		return r.failed(err), true
	}
	hash := wire.Hash(p.Event)
	if nip90.ID(hash) != p.ID {
		r.d.Policies.Forged(ctx)
		return refused(policies.Invalid, "id is not the hash of the event"), true
	}
	if v, decided := r.known(p); decided {
		return v, true
	}
	good, err := r.verifier.vouch(ctx, p.Event, hash)
	if err != nil {
		return r.failed(err), true
	}
	if !good {
		r.d.Policies.Forged(ctx)
		v := refused(policies.Invalid, "signature does not fit id and pubkey")
		v.Forged = true
		return v, true
	}
	return Verdict{}, false
}

// known answers for what is here, or was deleted, without another look at its signature. A socket that brings what was
// counted and has no body any more is told as much only with a good signature.
func (r *Relay) known(p *nip90.Parsed) (Verdict, bool) {
	var fact store.Fact
	found, gone := false, false
	waiting := r.d.Store.Waits(p.ID) // before the view: what is let in after this is in it
	err := r.d.Store.View(func(v store.Reader) (err error) {
		if fact, found, err = v.Fact(p.ID); err != nil || !found {
			return err
		}
		gone, err = store.Vanished(v, &fact) // its body may outlast its author's wish for a moment
		return err
	})
	switch {
	case err != nil:
		return r.failed(fmt.Errorf("look up event %s: %w", p.ID, err)), true
	case gone, found && fact.Has(store.FactDeleted):
		return deleted(), true
	case found && (fact.Has(store.FactBody) || p.Door != nip90.DoorSocket):
		return duplicate("this event is here already"), true
	case !found && waiting:
		return waits(), true
	}
	return Verdict{}, false
}

// submission is an event on its way through khatru. It travels in the context, since khatru carries no verdict back.
type submission struct {
	parsed  *nip90.Parsed
	turn    *session.Turn
	verdict Verdict
	decided bool
}

type submissionKey struct{}

func submissionFrom(ctx context.Context) *submission {
	sub, _ := ctx.Value(submissionKey{}).(*submission)
	return sub
}

// add lets khatru apply the rules and store the event.
func (r *Relay) add(ctx context.Context, p *nip90.Parsed, turn *session.Turn) Verdict {
	sub := &submission{parsed: p, turn: turn}
	_, err := r.khatru.AddEvent(context.WithValue(ctx, submissionKey{}, sub), p.Event)
	if sub.decided {
		return sub.verdict
	}
	// No hook of ours ran, which cannot happen while the hooks are ours.
	return r.failed(fmt.Errorf("add event %s: no verdict: %w", p.ID, err))
}

// hook gives khatru our rules and our store. Its QueryEvents, DeleteEvent and CountEvents stay empty: with them it would
// look for deletions in a way that never finds any, index tags unchecked, and keep every expiration in memory. StoreEvent
// and ReplaceEvent are one function that always answers ErrDupEvent, bare, so that khatru announces and tracks nothing.
func (r *Relay) hook(k *khatru.Relay) {
	k.RejectEvent = append(k.RejectEvent, r.reject)
	k.StoreEvent = append(k.StoreEvent, r.store)
	k.ReplaceEvent = append(k.ReplaceEvent, r.store)
	k.OnEphemeralEvent = append(k.OnEphemeralEvent, r.pass)
}

// reject is the policy chain.
func (r *Relay) reject(ctx context.Context, _ *nostr.Event) (bool, string) {
	sub := submissionFrom(ctx)
	if sub == nil {
		return true, "error: the event came by no door"
	}
	if err := r.d.Policies.CheckChain(ctx, sub.parsed); err != nil {
		sub.verdict, sub.decided = r.failed(err), true
		return true, sub.verdict.Reason
	}
	return false, ""
}

// store queues the event in the order of its socket and waits until it is on disk.
func (r *Relay) store(ctx context.Context, _ *nostr.Event) error {
	if sub := submissionFrom(ctx); sub != nil {
		sub.verdict, sub.decided = r.save(ctx, sub), true
	}
	return eventstore.ErrDupEvent
}

func (r *Relay) save(ctx context.Context, sub *submission) Verdict {
	if err := sub.turn.Wait(ctx); err != nil {
		return r.failed(err)
	}
	pending, err := r.d.Store.Submit(ctx, sub.parsed)
	sub.turn.Pass()
	if err != nil {
		return r.failed(err)
	}
	outcome, _, err := pending.Wait(ctx)
	if err != nil {
		return r.failed(err)
	}
	switch outcome {
	case store.Stored:
		return Verdict{OK: true}
	case store.Duplicate:
		return duplicate("this event is here already")
	case store.Stale:
		v := duplicate("a newer version of this event is here")
		v.Outcome = mirror.Ignored
		return v
	case store.Deleted:
		return deleted()
	case store.FactOnly:
		v := refused(policies.Invalid, fmt.Sprintf("expired %d s before arrival", max(0, sub.parsed.Received.Unix()-sub.parsed.Expires)))
		v.Outcome = mirror.Ignored
		return v
	}
	return waits()
}

// pass hands on an event that is never stored. NIP-01 "ephemeral".
func (r *Relay) pass(ctx context.Context, _ *nostr.Event) {
	sub := submissionFrom(ctx)
	if sub == nil {
		return
	}
	if err := sub.turn.Wait(ctx); err != nil {
		sub.verdict, sub.decided = r.failed(err), true
		return
	}
	r.announce(announcement{events: []live.Event{{Parsed: sub.parsed}}})
	sub.turn.Pass()
	sub.verdict, sub.decided = Verdict{OK: true}, true
}

// failed puts an error into words: a refusal as it is, anything else as what a stranger may know of it.
func (r *Relay) failed(err error) Verdict {
	if rejection, ok := policies.AsRejection(err); ok {
		return Verdict{Reason: rejection.Error(), Outcome: mirror.Refused}
	}
	if errors.Is(err, store.ErrBadEvent) {
		return refused(policies.Invalid, "kind, created_at or size is beyond what can be stored")
	}
	v := Verdict{Outcome: mirror.Failed, Err: err}
	switch {
	case errors.Is(err, store.ErrDiskFull):
		v.Reason = "error: disk full, reads only"
	case errors.Is(err, store.ErrReadOnly):
		v.Reason = "error: this relay is read-only now"
	case errors.Is(err, store.ErrClosed), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		v.Reason = "error: the relay is going down"
	default:
		v.Reason = "error: the event could not be stored, try again later"
		r.d.Log.Error("event not stored", "err", err)
	}
	return v
}

func refused(prefix policies.Prefix, why string) Verdict {
	return Verdict{Reason: policies.Refuse(prefix, why).Error(), Outcome: mirror.Refused}
}

func duplicate(why string) Verdict {
	return Verdict{OK: true, Reason: policies.Refuse(policies.Duplicate, why).Error(), Outcome: mirror.Duplicate}
}

// waits is the verdict on what is kept until something that it names is known.
func waits() Verdict {
	v := refused(policies.Restricted, policies.NamesNothingKnown+" (kept 10 min in case it arrives)")
	v.Outcome = mirror.Ignored
	return v
}

func deleted() Verdict {
	v := refused(policies.Blocked, "deleted by its author")
	v.Outcome = mirror.Ignored
	return v
}
