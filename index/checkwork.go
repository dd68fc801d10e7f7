package index

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"dvmrelay/nip90"
	"dvmrelay/store"

	"github.com/nbd-wtf/go-nostr"
)

// recentRequests is how many requests tell where customers ask: of those that name the provider, and of those of its kinds.
const recentRequests = 100

// listens compares where it says it listens with the relays that its customers name.
func (c *checkup) listens() error {
	const code = "listens-where-asked"
	mine := make(map[string]bool)
	list, err := c.relays(nip90.KindRelayList, c.s.pk)
	if err != nil {
		return err
	}
	if list != nil {
		for _, u := range *list {
			mine[relayKey(u)] = true
		}
	}
	for _, k := range c.cards {
		for _, u := range k.h.Relays {
			mine[relayKey(u)] = true
		}
	}
	named, requests, err := c.named()
	if err != nil {
		return err
	}
	silent := len(mine) == 0
	if silent {
		if mine, err = c.seenAnswering(); err != nil {
			return err
		}
	}
	switch {
	case requests == 0:
		c.add(code, CheckUnknown, nil, "None of the requests that are still held names relays.")
		return nil
	case len(mine) == 0:
		c.add(code, CheckUnknown, mostNamed(named), "It names no relay, in a relay list or an announcement, so where it listens is not known.")
		return nil
	}
	missing := make(map[string]int)
	reached := false
	for u, n := range named {
		if mine[u] {
			reached = true
		} else if n*5 >= requests {
			missing[u] = n
		}
	}
	switch {
	case silent && reached:
		c.add(code, CheckWarn, slices.Sorted(maps.Keys(mine)), "It names no relay; its answers were seen where customers ask for them.")
	case silent:
		c.add(code, CheckWarn, slices.Sorted(maps.Keys(mine)), "It names no relay, and its answers were seen on none that its customers name; some of those may not be watched.")
	case !reached:
		c.add(code, CheckFail, mostNamed(named), "None of the relays that its customers name for answers is among those where it says it is.")
	case len(missing) > 0:
		c.add(code, CheckWarn, mostNamed(missing), "At least a fifth of %d recent requests name relays that are not among its own.", requests)
	default:
		c.add(code, CheckOK, nil, "It is where %d recent requests are.", requests)
	}
	return nil
}

// named counts the relays that recent requests name: those that name the provider, and those of its kinds that name nobody.
func (c *checkup) named() (relays map[string]int, requests int, err error) {
	s, ok := c.Reader.(store.Snapshot)
	relays = make(map[string]int)
	kinds := c.s.kinds.within(c.g.seen).list()
	if !ok || c.g.seen == (kindSet{}) {
		return relays, 0, nil
	}
	filters := []nostr.Filter{{Kinds: c.g.seen.list(), Tags: nostr.TagMap{"p": {c.s.pk.String()}}, Limit: recentRequests}}
	if len(kinds) > 0 {
		filters = append(filters, nostr.Filter{Kinds: kinds, Limit: recentRequests})
	}
	seen := make(map[nip90.ID]bool)
	for _, f := range filters {
		for raw, err := range s.Query(context.Background(), f) {
			if err != nil {
				return nil, 0, fmt.Errorf("look where customers of %s ask: %w", c.s.pk, err)
			}
			if seen[raw.ID] {
				continue
			}
			seen[raw.ID] = true
			a, err := c.asksOf(&raw)
			if err != nil {
				return nil, 0, err
			}
			requests += a.count(relays, c.s.pk)
		}
	}
	return relays, requests, nil
}

// relayKey is the same for the ways in which people write one relay.
func relayKey(u string) string {
	if normal, ok := normalRelay(u); ok {
		return strings.ToValidUTF8(normal, "")
	}
	return strings.ToValidUTF8(strings.TrimRight(strings.ToLower(strings.TrimSpace(u)), "/"), "")
}

// mostNamed tells the most often named relays first, at most 20.
func mostNamed(relays map[string]int) []string {
	keys := slices.SortedFunc(maps.Keys(relays), func(a, b string) int {
		return cmp.Or(cmp.Compare(relays[b], relays[a]), cmp.Compare(a, b))
	})
	out := []string{}
	for _, u := range keys[:min(len(keys), 20)] {
		out = append(out, fmt.Sprintf("%s (%d)", u, relays[u]))
	}
	return out
}

func (c *checkup) answers() error {
	const code = "answers"
	m := c.s.measured
	evidence := []string{fmt.Sprintf("answered %d of %d eligible requests in 30 days, %d of them addressed to it", m.Answered, m.Eligible, m.Addressed)}
	switch {
	case m.Eligible == 0 && m.Answered == 0:
		c.add(code, CheckUnknown, evidence, "Nobody asked for what it serves in the last 30 days.")
	case m.Answered == 0 && m.Eligible > askedInVain:
		c.add(code, CheckFail, evidence, "It answered nothing of what it was asked in the last 30 days.")
	case m.Answered == 0:
		c.add(code, CheckWarn, evidence, "It has not answered yet; few asked.")
	case m.AnswerRate != nil && *m.AnswerRate < 0.5:
		c.add(code, CheckWarn, evidence, "It answers less than half of what it could.")
	default:
		c.add(code, CheckOK, evidence, "It answers what it is asked.")
	}
	return nil
}

func (c *checkup) delivers() error {
	const code = "delivers-when-paid"
	m := c.s.measured
	switch {
	case m.PaidJobs == 0:
		c.add(code, CheckUnknown, nil, "No payment to it was claimed in the last 30 days.")
	case m.Undelivered > 0:
		c.add(code, CheckFail, []string{fmt.Sprintf("%d of %d paid jobs", m.Undelivered, m.PaidJobs)}, "Jobs that are claimed to be paid have no result.")
	default:
		c.add(code, CheckOK, []string{fmt.Sprintf("%d paid jobs", m.PaidJobs)}, "Every job that is claimed to be paid has a result.")
	}
	return nil
}

func (c *checkup) errors() error {
	const code = "errors"
	m := c.s.measured
	evidence := []string{fmt.Sprintf("%d errors and %d results in 30 days", m.Errors, m.Results)}
	switch total := m.Errors + m.Results; {
	case total == 0:
		c.add(code, CheckUnknown, nil, "It sent neither results nor errors in the last 30 days.")
	case m.Errors*2 > total:
		c.add(code, CheckFail, evidence, "More than half of what it sends are errors.")
	case m.Errors*10 > total:
		c.add(code, CheckWarn, evidence, "More than a tenth of what it sends are errors.")
	default:
		c.add(code, CheckOK, evidence, "Few of its answers are errors.")
	}
	return nil
}
