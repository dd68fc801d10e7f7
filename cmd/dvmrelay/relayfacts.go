package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"dvmrelay/policies"
	"dvmrelay/relay/session"
	"dvmrelay/web"
)

// relayFacts is what anybody may know of this relay.
func (h *hub) relayFacts() web.RelayFacts {
	st, g := h.store.Stats(), h.relay.Gauges()
	info, err := json.Marshal(h.relay.Information())
	if err != nil {
		h.log.Error("information not written", "err", err)
		info = []byte("{}")
	}
	_, held := goMemory()
	f := web.RelayFacts{
		URL: h.cfg.Relay.URL, Information: info, Kinds: []web.RelayKinds{}, Rules: rulesInWords(h.rules.Options()),
		StartedAt: h.began.Unix(),
		Events:    st.Bodies, Facts: st.Facts, Waiting: int64(st.Waiting), TreeBytes: st.LSMBytes, LogBytes: st.LogBytes,
		DiskFree: st.DiskFree, DiskFloor: st.DiskFloor, DiskFull: st.DiskFull,
		Sockets: g.Sockets, Subscriptions: g.Subscriptions, Queue: int64(st.Queue), Memory: held,
	}
	if st.DiskFree > 0 {
		f.Growth = h.growth.measured(max(0, int64(st.DiskFree)-int64(st.DiskFloor)))
	} else {
		f.Growth = h.growth.measured(0)
	}
	for _, a := range h.rules.Kinds().Accepted() {
		f.Kinds = append(f.Kinds, kindsInWords(a))
	}
	f.SignURL = h.relay.SignURL("/relay/admin")
	switch {
	case f.SignURL == "":
		f.SignIn = web.SignInNoURL
	case h.relay.Admins() == 0:
		f.SignIn = web.SignInNoAdmins
	default:
		f.SignIn = web.SignInOn
	}
	return f
}

// bytesOnDisk is the size of the database.
func (h *hub) bytesOnDisk() int64 {
	st := h.store.Stats()
	return st.LSMBytes + st.LogBytes
}

func kindsInWords(a policies.AcceptedKinds) web.RelayKinds {
	names := make([]string, 0, len(a.Ranges))
	for _, r := range a.Ranges {
		names = append(names, r.String())
	}
	return web.RelayKinds{Kinds: strings.Join(names, ", "), Name: a.Name, When: a.When.Words(), Gated: a.Gated}
}

// rulesInWords says what else decides on an event. Whom lists name is the operator's affair.
func rulesInWords(o policies.Options) []string {
	rules := []string{}
	if len(o.Rules.Allow) > 0 {
		rules = append(rules, "Only keys that the operator named may publish here.")
	}
	if len(o.Rules.Deny) > 0 {
		rules = append(rules, "Some keys may not publish here.")
	}
	if o.Rules.MinPoW > 0 {
		rules = append(rules, fmt.Sprintf("An event from a connection needs %d bits of proof of work (NIP-13).", o.Rules.MinPoW))
	}
	return append(rules,
		"A protected event (NIP-70) is taken from its author alone.",
		"What is about nothing known here is kept for ten minutes, in case that arrives.",
	)
}

// administrator is who signed a request, in hex. NIP-98.
func (h *hub) administrator(r *http.Request) (string, error) {
	key, err := h.relay.Administrator(r)
	if err != nil {
		return "", err
	}
	return key.String(), nil
}

// insight is what administrators may see besides.
func (h *hub) insight() web.RelayInsight {
	in, g := h.relay.Insight(), h.relay.Gauges()
	out := web.RelayInsight{
		Open: in.Open, Sockets: []web.SocketFacts{}, Slow: []web.SlowSocket{}, Costly: []web.CostlyQuery{},
		RefusedByRule: g.RefusedByRule, Refused: g.Refused, Dropped: g.Dropped, NegRefused: g.NegRefused,
	}
	for _, v := range in.Sockets {
		out.Sockets = append(out.Sockets, socketFacts(v))
	}
	for _, s := range in.Slow {
		out.Slow = append(out.Slow, web.SlowSocket{SocketFacts: socketFacts(s.View), At: s.At.Unix(), Why: s.Why})
	}
	for _, c := range in.Costly {
		out.Costly = append(out.Costly, web.CostlyQuery{
			At: c.At.Unix(), Verb: c.Verb, Shape: c.Shape, TookMS: c.Took.Milliseconds(), Events: int64(c.Events), Refused: c.Refused,
			Address: c.Peer.Addr, Keys: keysOf(c.Peer),
		})
	}
	return out
}

func socketFacts(v session.View) web.SocketFacts {
	return web.SocketFacts{
		Address: v.Peer.Addr, Keys: keysOf(v.Peer), Agent: v.Peer.Agent, Since: v.Begun.Unix(),
		QueueBytes: v.Queue, QueuedEvents: int64(v.QueuedEvents), StillMS: int64(v.Still / time.Millisecond),
		SentBytes: v.Sent, ReceivedBytes: v.Received, Subscriptions: int64(v.Subscriptions), LiveValues: int64(v.LiveValues),
		Answers: int64(v.Answers), InFlight: int64(v.InFlight),
	}
}

func keysOf(p *policies.Peer) []string {
	keys := make([]string, 0, len(p.Authed))
	for _, k := range p.Authed {
		keys = append(keys, k.String())
	}
	return keys
}
