package index

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"dvmrelay/nip90"
	"dvmrelay/store"

	"github.com/nbd-wtf/go-nostr"
)

// The states of a CheckItem.
const (
	CheckOK      = "ok"
	CheckWarn    = "warn"
	CheckFail    = "fail"
	CheckUnknown = "unknown"
)

// CheckItem is one thing that a provider may look after.
type CheckItem struct {
	Code     string   `json:"code"` // stable, kebab-case
	State    string   `json:"state"`
	Text     string   `json:"text"` // one sentence for a person
	Evidence []string `json:"evidence"`
}

// Checkup is what an operator of a DVM asks: is it seen, chosen, paid, fast.
type Checkup struct {
	PubKey   string      `json:"pubkey"`
	Npub     string      `json:"npub"`
	At       int64       `json:"at"` // unix seconds
	Items    []CheckItem `json:"items"`
	Measured *Measured   `json:"measured"` // over 30 days
}

// maxChecked is how many announcements of a key are checked, newest first.
const maxChecked = 32

// checkup is a Checkup in the making.
type checkup struct {
	handlerView
	g     *gauge
	s     *standing
	cards []*card
	made  []publication // what published found; nil = it has not looked
	out   Checkup
}

// Checkup checks a provider; false for a key that never announced a handler nor answered a job.
func (x *Index) Checkup(r store.Reader, pk nip90.PubKey) (Checkup, bool, error) {
	l := lens{Reader: r, x: x, now: x.now(0)}
	s, g, err := l.standingOf(pk, l.now-measuredSeconds, l.now)
	if err != nil || s == nil {
		return Checkup{}, false, err
	}
	c, err := l.checkup(s, g)
	return c, err == nil, err
}

// checkup checks a provider that stands so.
func (l *lens) checkup(s *standing, g *gauge) (Checkup, error) {
	c := checkup{handlerView: handlerView{lens: *l}, s: s, g: g}
	c.spent = 0
	var err error
	if c.cards, err = c.cardsOf(s.pk, maxChecked); err != nil {
		return Checkup{}, err
	}
	c.out = Checkup{PubKey: s.pk.String(), Npub: nip90.Npub(s.pk), At: c.now, Items: []CheckItem{}, Measured: s.measured}
	for _, check := range []func() error{
		c.announcement, c.content, c.kindTags, c.dTag, c.price, c.profileHeld, c.relayList, c.heartbeat, c.found,
		c.listens, c.upstreams, c.answeredWhereAsked, c.answers, c.delivers, c.errors,
	} {
		if err := check(); err != nil {
			return Checkup{}, err
		}
	}
	return c.out, nil
}

func (c *checkup) add(code, state string, evidence []string, format string, args ...any) {
	if evidence == nil {
		evidence = []string{}
	}
	c.out.Items = append(c.out.Items, CheckItem{Code: code, State: state, Text: fmt.Sprintf(format, args...), Evidence: evidence})
}

// such are the announcements for which bad is true, by their addresses.
func (c *checkup) such(bad func(*card) bool) (list []string) {
	for _, k := range c.cards {
		if bad(k) {
			list = append(list, k.h.Address)
		}
	}
	return list
}

// each says one thing of all announcements: ok when bad is true of none, else state.
func (c *checkup) each(code, state, good, wrong string, bad func(*card) bool) {
	switch list := c.such(bad); {
	case len(c.cards) == 0:
		c.add(code, CheckUnknown, nil, "There is no announcement to look at.")
	case len(list) > 0:
		c.add(code, state, list, "%s", wrong)
	default:
		c.add(code, CheckOK, nil, "%s", good)
	}
}

func hasCode(findings []nip90.Finding, codes ...string) bool {
	return slices.ContainsFunc(findings, func(f nip90.Finding) bool { return slices.Contains(codes, f.Code) })
}

func (c *checkup) announcement() error {
	switch {
	case len(c.cards) == 0 && c.s.handlers > 0:
		c.add("announced", CheckFail, nil, "Its announcements have expired.")
	case len(c.cards) == 0:
		c.add("announced", CheckFail, nil, "No announcement (kind 31990) is held here, so that no client finds it by kind.")
	default:
		c.add("announced", CheckOK, c.such(func(*card) bool { return true }), "%s here.", held(c.s.handlers))
	}
	return c.announcedWhere()
}

func held(n int) string {
	if n == 1 {
		return "1 announcement is held"
	}
	return fmt.Sprintf("%d announcements are held", n)
}

func (c *checkup) content() error {
	c.each("content-json", CheckFail, "The content of each announcement is JSON.",
		"The content is no JSON object; most clients drop such an announcement.",
		func(k *card) bool { return hasCode(k.h.Findings, "handler-content-unreadable", "handler-python") })
	return nil
}

func (c *checkup) kindTags() error {
	idle := func(k *card) bool { return k.jobs == (kindSet{}) }
	if len(c.such(idle)) > 0 {
		c.each("kinds", CheckFail, "", "No k tag is a kind of job (5000 to 5999).", idle)
		return nil
	}
	c.each("kinds", CheckWarn, "Every k tag is a kind, and there is at least one kind of job.", "A k tag is no number; nobody finds it by that.",
		func(k *card) bool { return hasCode(k.h.Findings, "handler-kind-unreadable") })
	return nil
}

func (c *checkup) dTag() error {
	c.each("d-tag", CheckFail, "Each announcement has a d tag.", "There is no d tag, so that the key can have one announcement only.",
		func(k *card) bool { return k.d == "" })
	return nil
}

func (c *checkup) price() error {
	c.each("price", CheckWarn, "Each announcement states a price.", "No price is stated, so that customers learn it only after they asked.",
		func(k *card) bool { return k.h.Price.Kind == "unknown" })
	return nil
}

func (c *checkup) profileHeld() error {
	p, err := c.profile(c.s.pk)
	if err != nil {
		return err
	}
	if p == nil {
		c.add("profile", CheckWarn, nil, "No readable profile (kind 0) of the key is held here; clients show a bare key.")
	} else {
		c.add("profile", CheckOK, nil, "A profile (kind 0) is held here.")
	}
	lud16 := ""
	if p != nil {
		lud16 = p.lud16
	}
	for _, k := range c.cards {
		lud16 = cmp.Or(lud16, k.h.Lud16)
	}
	switch {
	case lud16 == "":
		c.add("lud16", CheckWarn, nil, "There is no lightning address in profile or announcement, so that nobody can zap it.")
	case !strings.Contains(strings.Trim(lud16, "@"), "@"):
		c.add("lud16", CheckFail, []string{lud16}, "The lightning address is none: it has no name before an @, or no host behind it.")
	default:
		c.add("lud16", CheckOK, []string{lud16}, "There is a lightning address; whether it answers is not tried.")
	}
	return nil
}

func (c *checkup) relayList() error {
	list, err := c.relays(nip90.KindRelayList, c.s.pk)
	switch {
	case err != nil:
		return err
	case list == nil:
		c.add("relay-list", CheckWarn, nil, "No relay list (kind 10002) is held here; clients that look there do not know where to ask.")
	case len(*list) == 0:
		c.add("relay-list", CheckFail, nil, "The relay list (kind 10002) names no relay.")
	default:
		c.add("relay-list", CheckOK, *list, "The relay list (kind 10002) names %d relays.", len(*list))
	}
	return nil
}

func (c *checkup) heartbeat() error {
	switch at := c.s.lastBeat; {
	case at == 0:
		c.add("heartbeat", CheckWarn, nil, "No heartbeat (kind 11998) was ever heard; clients that look for one take it for offline.")
	case within(at, c.now, aliveSeconds):
		c.add("heartbeat", CheckOK, stamp(at), "The last heartbeat is %d s old.", max(c.now-at, 0))
	default:
		c.add("heartbeat", CheckFail, stamp(at), "The last heartbeat is %d s old; after %d s it counts as offline.", c.now-at, aliveSeconds)
	}
	return nil
}

func stamp(at int64) []string { return []string{strconv.FormatInt(at, 10)} }

// clientFilter is what one client asks a relay to find DVMs.
type clientFilter struct {
	code, client string
	first, last  int // the kinds in #k
	limit        int
	free         bool // drops announcements that ask for a subscription
}

// servedByDefault is how many events a relay returns to a filter without a limit.
const servedByDefault = 500

func clientFilters() []clientFilter {
	return []clientFilter{
		{"found-by-amethyst", "Amethyst", 5300, 5300, 30, true},
		{"found-by-noogle", "noogle", 5000, 5999, servedByDefault, false},
		{"found-by-openagents", "OpenAgents", 5050, 5050, servedByDefault, false},
	}
}

// found really asks what clients ask, of the view that everything else is read from.
func (c *checkup) found() error {
	for _, f := range clientFilters() {
		if err := c.foundBy(&f); err != nil {
			return err
		}
	}
	return nil
}

func (c *checkup) foundBy(f *clientFilter) error {
	s, ok := c.Reader.(store.Snapshot)
	if !ok {
		c.add(f.code, CheckUnknown, nil, "Filters cannot be asked here.")
		return nil
	}
	if len(c.cards) == 0 {
		c.add(f.code, CheckFail, nil, "There is no announcement that %s could find.", f.client)
		return nil
	}
	serves := slices.ContainsFunc(c.s.kinds.list(), func(k int) bool { return k >= f.first && k <= f.last })
	if !serves {
		wanted := fmt.Sprintf("kinds %d to %d", f.first, f.last)
		if f.first == f.last {
			wanted = fmt.Sprintf("kind %d", f.first)
		}
		c.add(f.code, CheckUnknown, nil, "%s looks for %s only, which it does not serve.", f.client, wanted)
		return nil
	}
	var kinds []string
	for k := f.first; k <= f.last; k++ {
		kinds = append(kinds, strconv.Itoa(k))
	}
	filter := nostr.Filter{Kinds: []int{nip90.KindHandler}, Tags: nostr.TagMap{"k": kinds}, Limit: f.limit}
	n := 0
	var mine []string
	for raw, err := range s.Query(context.Background(), filter) {
		if err != nil {
			return fmt.Errorf("ask as %s: %w", f.client, err)
		}
		n++
		if raw.PubKey == c.s.pk && len(mine) < maxChecked {
			mine = append(mine, raw.ID.String())
		}
	}
	switch {
	case len(mine) > 0 && f.free && len(c.such(func(k *card) bool { return !k.subscribe })) == 0:
		c.add(f.code, CheckWarn, mine, "%s's filter returns it here, but %s drops what asks for a subscription.", f.client, f.client)
	case len(mine) > 0:
		c.add(f.code, CheckOK, mine, "%s's filter returns it here.", f.client)
	case n >= f.limit:
		c.add(f.code, CheckWarn, nil, "%s asks for the newest %d only, and there are as many newer ones: publish the announcement again.", f.client, f.limit)
	default:
		c.add(f.code, CheckFail, nil, "%s's filter returns %d announcements here, and not this one: its k tags do not name the kinds it serves.", f.client, n)
	}
	return nil
}
