package index

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"dvmrelay/nip90"
	"dvmrelay/store"

	"github.com/nbd-wtf/go-nostr"
)

const (
	// recentResults is how many of its newest results tell where a provider publishes.
	recentResults = 50
	// settledSeconds is how old a result must be: so long another upstream may take to bring it too.
	settledSeconds = 60
)

// watchedRelays are the relays that this one listens to now or listened to in the last 30 days, itself among them, by
// relayKey; empty when it is not known what it listens to.
func (c *checkup) watchedRelays() map[string]bool {
	watched := make(map[string]bool)
	if c.x.o.Listening == nil {
		return watched
	}
	for _, s := range c.x.o.Listening.Coverage(c.now-measuredSeconds, c.now) {
		if u := c.relayOf(s.URL); u != "" && s.HeardSeconds > 0 {
			watched[u] = true
		}
	}
	return watched
}

// relayOf is the relay that a source is, by relayKey; empty for what is none, or not known to be one.
func (c *checkup) relayOf(source string) string {
	switch source {
	case SelfSource:
		return relayKey(c.x.o.URL)
	case OtherSource:
		return ""
	}
	return relayKey(source)
}

// countSources counts events by the sources that had them.
func countSources(counts map[string]int, sources []string) {
	for _, s := range sources {
		counts[s]++
	}
}

// announcedWhere tells which sources had the announcements, and which of the relays of its relay list did not, as far as
// those are watched.
func (c *checkup) announcedWhere() error {
	const code = "announced-where"
	counts, recorded := make(map[string]int), 0
	for _, k := range c.cards {
		id, ok, err := c.announcementOf(k)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		sources, err := c.seenOnID(id)
		if err != nil {
			return err
		}
		if len(sources) > 0 {
			recorded++
		}
		countSources(counts, sources)
	}
	missing, err := c.listedWithout(counts)
	switch {
	case err != nil:
		return err
	case len(c.cards) == 0:
		c.add(code, CheckUnknown, nil, "There is no announcement to look for.")
	case recorded == 0:
		c.add(code, CheckUnknown, nil, "Who had the announcement was not recorded; it came by import, or before that was kept.")
	case len(missing) > 0:
		c.add(code, CheckWarn, missing, "Its relay list names relays that are watched here and were not seen to have the announcement.")
	case len(counts) == 1 && len(c.watchedRelays()) > 1:
		c.add(code, CheckWarn, mostNamed(counts), "The announcement was seen at one source only; who does not ask there does not find it.")
	default:
		c.add(code, CheckOK, mostNamed(counts), "Who had the announcement.")
	}
	return nil
}

// announcementOf is the event that a card was read from.
func (c *checkup) announcementOf(k *card) (nip90.ID, bool, error) {
	b, err := c.Value(handlerKey(k.author, k.d))
	if err != nil || b == nil {
		return nip90.ID{}, false, err
	}
	row, err := decodeSign(b)
	return row.id, err == nil, err
}

// listedWithout are the watched relays of its relay list that are not among the sources.
func (c *checkup) listedWithout(sources map[string]int) (missing []string, err error) {
	list, err := c.relays(nip90.KindRelayList, c.s.pk)
	if err != nil || list == nil {
		return nil, err
	}
	had := make(map[string]bool)
	for s := range sources {
		had[c.relayOf(s)] = true
	}
	watched := c.watchedRelays()
	for _, u := range *list {
		if key := relayKey(u); watched[key] && !had[key] && !slices.Contains(missing, key) {
			missing = append(missing, key)
		}
	}
	return missing, nil
}

// publication is a result and the sources that had it.
type publication struct {
	fact    store.Fact
	sources []string
}

// published are its newest results of which it is known who had them.
func (c *checkup) published() ([]publication, error) {
	s, ok := c.Reader.(store.Snapshot)
	if !ok || c.made != nil {
		return c.made, nil
	}
	var kinds []int
	for _, k := range c.s.kinds.list() {
		kinds = append(kinds, k+1000)
	}
	if len(kinds) == 0 {
		return nil, nil
	}
	until := nostr.Timestamp(c.now - settledSeconds)
	filter := nostr.Filter{Kinds: kinds, Authors: []string{c.s.pk.String()}, Until: &until, Limit: recentResults}
	var ids []nip90.ID
	for raw, err := range s.Query(context.Background(), filter) {
		if err != nil {
			return nil, fmt.Errorf("look for the results of %s: %w", c.s.pk, err)
		}
		ids = append(ids, raw.ID)
	}
	list := []publication{}
	for _, id := range ids {
		f, ok, err := c.Fact(id)
		if err != nil {
			return nil, err
		}
		if !ok || f.Received > c.now-settledSeconds {
			continue
		}
		sources, err := c.seenOn(&f)
		if err != nil {
			return nil, err
		}
		if len(sources) > 0 {
			list = append(list, publication{f, sources})
		}
	}
	c.made = list
	return list, nil
}

// upstreams tells whether its results were seen in one place only.
func (c *checkup) upstreams() error {
	const code = "results-on-several-upstreams"
	list, err := c.published()
	if err != nil {
		return err
	}
	counts, single := make(map[string]int), 0
	for i := range list {
		countSources(counts, list[i].sources)
		if len(list[i].sources) == 1 {
			single++
		}
	}
	switch evidence := mostNamed(counts); {
	case len(list) == 0:
		c.add(code, CheckUnknown, nil, "Of none of its results that are still held is it recorded who had it.")
	case len(c.watchedRelays()) < 2 && len(counts) < 2:
		c.add(code, CheckUnknown, evidence, "This relay listens at one place only.")
	case single == len(list):
		c.add(code, CheckWarn, evidence, "Each of its last %d results was seen at one source only; who does not read there misses it.", len(list))
	case single*2 > len(list):
		c.add(code, CheckWarn, evidence, "%d of its last %d results were seen at one source only.", single, len(list))
	default:
		c.add(code, CheckOK, evidence, "%d of its last %d results were seen at several sources.", len(list)-single, len(list))
	}
	return nil
}

// answeredWhereAsked tells whether its results were seen on the relays that the requests name for them, as far as those are
// watched.
func (c *checkup) answeredWhereAsked() error {
	const code = "results-where-asked"
	list, err := c.published()
	if err != nil {
		return err
	}
	watched := c.watchedRelays()
	missed, asked, none := make(map[string]int), 0, 0
	for i := range list {
		want, err := c.wantedOf(&list[i].fact, watched)
		if err != nil {
			return err
		}
		if len(want) == 0 {
			continue
		}
		asked++
		of := len(want)
		for _, s := range list[i].sources {
			delete(want, c.relayOf(s))
		}
		if len(want) == of {
			none++
		}
		for u := range want {
			missed[u]++
		}
	}
	switch {
	case asked == 0:
		c.add(code, CheckUnknown, nil, "None of its results that are still held answers a request that names a relay which is watched here.")
	case none == asked:
		c.add(code, CheckFail, mostNamed(missed), "None of its last %d results was seen on a relay that the request names for it.", asked)
	case none > 0:
		c.add(code, CheckWarn, mostNamed(missed), "%d of its last %d results were seen on none of the watched relays that the request names.", none, asked)
	case len(missed) > 0:
		c.add(code, CheckOK, mostNamed(missed), "Each of its last %d results was seen on a relay that the request names, though not on all.", asked)
	default:
		c.add(code, CheckOK, nil, "Its last %d results were seen on the relays that the requests name.", asked)
	}
	return nil
}

// wantedOf are the watched relays where the request of a result asks for it.
func (c *checkup) wantedOf(f *store.Fact, watched map[string]bool) (map[string]bool, error) {
	root, ok, err := c.x.Root(c, f.ID)
	if err != nil || !ok {
		return nil, err
	}
	p, err := c.bodyOf(root)
	if err != nil || p == nil {
		return nil, err
	}
	m, ok := p.Message.(*nip90.Request)
	if !ok {
		return nil, nil
	}
	want := make(map[string]bool)
	for _, u := range m.Relays[:min(len(m.Relays), maxRelaysShown)] {
		if key := relayKey(u); watched[key] {
			want[key] = true
		}
	}
	return want, nil
}

// seenAnswering are the relays where its results were seen.
func (c *checkup) seenAnswering() (map[string]bool, error) {
	list, err := c.published()
	if err != nil {
		return nil, err
	}
	on := make(map[string]bool)
	for i := range list {
		for _, s := range list[i].sources {
			on[c.relayOf(s)] = true
		}
	}
	maps.DeleteFunc(on, func(u string, _ bool) bool { return u == "" })
	return on, nil
}
