package demo

import (
	"cmp"
	"slices"
	"sync/atomic"
	"time"

	"dvmrelay/index"
	"dvmrelay/mirror"
)

// staged is an upstream that does not exist. Nothing is ever dialled: what is shown of it is worked out from the clock.
type staged struct {
	url   string
	share float64 // of the events that it has
	state string  // live, backfilling, refused or paused
	why   string  // one word
	every int64   // seconds between the begins of two gaps; 0 = none
	gap   int64   // seconds that a gap lasts
	phase int64   // seconds before the moment when one began
	cause string  // of gaps
	daily int64   // events that it brings first in a day of the demo; before, a tenth of that
	again float64 // times as many that were here already
}

// upstreamList is every staged upstream. The last two were never heard: nobody knows what they would have told.
var upstreamList = []staged{
	{url: "wss://harbour.demo.example", share: 0.9, state: mirror.StateLive, daily: 9_400, again: 0.4},
	{url: "wss://lighthouse.demo.example", share: 0.7, state: mirror.StateLive, daily: 3_100, again: 2.1},
	{url: "wss://ferry.demo.example", share: 0.5, state: mirror.StateLive, every: 780, gap: 75, phase: 540, cause: "down", daily: 1_900, again: 3.3},
	{url: "wss://canal.demo.example", share: 0.4, state: mirror.StateLive, every: 7 * 3600, gap: 1_500, phase: 5 * 3600, cause: "down", daily: 1_200, again: 4},
	{url: "wss://market.demo.example", share: 0.35, state: mirror.StateLive, daily: 800, again: 5.2},
	{url: "wss://atlas.demo.example", share: 0.3, state: mirror.StateLive, every: 86_400, gap: 600, phase: 11 * 3600, cause: "truncated", daily: 640, again: 6.1},
	{url: "wss://orchard.demo.example", share: 0.2, state: mirror.StateLive, daily: 310, again: 8},
	{url: "wss://archive.demo.example", share: 0.15, state: mirror.StateBackfilling, daily: 4_800, again: 1.7},
	{url: "wss://members.demo.example", state: mirror.StateRefused, why: "auth-required"},
	{url: "wss://quarry.demo.example", state: mirror.StatePaused, why: "bad-signature"},
}

// heardFor is for how long before the moment the staged upstreams, and the relay's own sockets, are said to have been heard,
// in seconds.
const heardFor = 8 * day

// Stage shows the staged upstreams: to pages as the mirror shows its own, to the index as its ledger does. All of it is made
// up, and the same for the same moment and time. Safe for concurrent use.
type Stage struct {
	now    func() time.Time
	moment atomic.Int64 // unix seconds; 0 = not set yet
}

var _ index.Listening = (*Stage)(nil)

func (s *Stage) begun() int64 {
	if at := s.moment.Load(); at != 0 {
		return at
	}
	return s.now().Unix()
}

// heard says whether an upstream of the stage is ever heard.
func (u *staged) heard() bool {
	return u.state == mirror.StateLive || u.state == mirror.StateBackfilling
}

// gaps are those of an upstream in a window of unix seconds, without until itself, oldest first.
func (u *staged) gaps(moment, since, until int64) (list []index.Gap) {
	if first := moment - heardFor; since < first && u.heard() {
		list = append(list, index.Gap{URL: u.url, Since: since, Until: min(first, until), Why: "unheard-before"})
		since = first
	}
	if u.every == 0 || since >= until {
		return list
	}
	origin := moment - u.phase
	back := (origin - since + u.gap) / u.every // whole turns from before since to the origin
	for at := origin - (back+1)*u.every; at < until; at += u.every {
		if from, to := max(at, since), min(at+u.gap, until); from < to {
			list = append(list, index.Gap{URL: u.url, Since: from, Until: to, Why: u.cause})
		}
	}
	return list
}

// Since implements index.Listening.
func (s *Stage) Since() int64 { return s.begun() - heardFor }

// Gaps implements index.Listening.
func (s *Stage) Gaps(since, until int64, limit int) []index.Gap {
	moment, until := s.begun(), min(until, s.now().Unix())
	var all []index.Gap
	for i := range upstreamList {
		all = append(all, upstreamList[i].gaps(moment, since, until)...)
	}
	slices.SortStableFunc(all, func(a, b index.Gap) int { return cmp.Compare(a.Since, b.Since) })
	if limit > 0 && len(all) > limit {
		all = slices.Clip(all[:limit])
	}
	return all
}

// Coverage implements index.Listening.
func (s *Stage) Coverage(since, until int64) []index.Coverage {
	moment, until := s.begun(), min(until, s.now().Unix())
	window := max(0, until-since)
	all := []index.Coverage{{URL: index.SelfSource, HeardSeconds: max(0, until-max(since, s.Since())), WindowSeconds: window}}
	for i := range upstreamList {
		u := &upstreamList[i]
		if !u.heard() {
			continue
		}
		c := index.Coverage{URL: u.url, HeardSeconds: window, WindowSeconds: window}
		for _, g := range u.gaps(moment, since, until) {
			c.HeardSeconds -= g.Until - g.Since
		}
		all = append(all, c)
	}
	return all
}

// Upstreams are the staged upstreams as they are now.
func (s *Stage) Upstreams() []mirror.Status {
	moment, now := s.begun(), s.now().Unix()
	list := make([]mirror.Status, 0, len(upstreamList))
	for i := range upstreamList {
		list = append(list, upstreamList[i].status(int64(i), moment, now))
	}
	return list
}

// Names are the addresses of the staged upstreams.
func (s *Stage) Names() []string {
	names := make([]string, 0, len(upstreamList))
	for i := range upstreamList {
		names = append(names, upstreamList[i].url)
	}
	return names
}

const gapsShown = 20

func (u *staged) status(i, moment, now int64) mirror.Status {
	st := mirror.Status{URL: u.url, State: u.state, Reason: u.why, Rejected: map[string]uint64{}, Connects: 1}
	went := now - moment + day/10 // seconds of a lively market
	if !u.heard() {
		st.Unheard = map[string]int64{u.state: day}
		st.LagSeconds, st.Connects = heardFor+now-moment, 3
		st.Rejected[u.why] = uint64(12 + i)
		if u.state == mirror.StatePaused {
			st.Strikes, st.PausedUntil = 1_040, (now/3600+1)*3600
			st.Rejected[u.why], st.Bytes = 1_040, 1_830_400
		}
		return st
	}
	st.Accepted = uint64(u.daily * went / day)
	st.Duplicates = uint64(float64(st.Accepted) * u.again)
	st.Ignored, st.Waiting = st.Accepted/90, st.Accepted/400
	st.Bytes = (st.Accepted + st.Duplicates) * 1_310
	st.Rejected["invalid"], st.Rejected["blocked"] = st.Accepted/700+1, st.Accepted/55
	st.HeardSince, st.LastEventAt = max(moment-heardFor, now-3*day), now-(now+3*i)%(2+3*i)
	st.Backfill = &mirror.Backfill{Done: true, How: "negentropy", Compared: uint64(40 + 3*i)}
	u.parts(&st)
	u.interrupted(&st, moment, now)
	if u.state == mirror.StateBackfilling {
		const lap = 6 * 3600 // then it begins anew, so that there is always one on the stage
		st.Backfill = &mirror.Backfill{Until: now - 30*day*((now-moment+lap/5)%lap)/lap, How: "req", Why: "unsupported"}
	}
	return st
}

// parts are what would be asked of it.
func (u *staged) parts(st *mirror.Status) {
	for _, p := range []struct {
		name string
		keys int
	}{{"a", 0}, {"b", 0}, {"c", 23}, {"d", 15}} {
		st.Parts = append(st.Parts, mirror.PartStatus{Name: p.name, State: mirror.HeardLive, Subscriptions: 1, Keys: p.keys})
	}
}

// interrupted lays the gaps over a status.
func (u *staged) interrupted(st *mirror.Status, moment, now int64) {
	gaps := u.gaps(moment, moment-heardFor, now)
	for _, g := range gaps {
		st.HeardSince = max(st.HeardSince, g.Until)
		st.Connects++
		if lost := g.Until - max(g.Since, now-day); lost > 0 {
			if st.Unheard == nil {
				st.Unheard = map[string]int64{}
			}
			st.Unheard[g.Why] += lost
		}
	}
	for _, g := range gaps[max(0, len(gaps)-gapsShown):] {
		st.Gaps = append(st.Gaps, mirror.Gap(g))
	}
	if n := len(gaps); n > 0 && gaps[n-1].Until >= now {
		st.State, st.Reason, st.HeardSince, st.Parts = mirror.StateWaiting, "connection-lost", 0, nil
		st.LastEventAt, st.LagSeconds = gaps[n-1].Since, now-gaps[n-1].Since
	}
}
