package index

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"dvmrelay/nip90"
	"dvmrelay/store"

	"github.com/nbd-wtf/go-nostr"
)

// maxVoices is how many recommendations or reports are counted.
const maxVoices = 1000

// described reads an announcement and what its key's profile adds, and the card it was read from; false when its body may
// not be shown any more.
func (l *lens) described(e *handlerEntry) (Handler, *card, bool, error) {
	c, err := l.card(e.id)
	if err != nil || c == nil {
		return Handler{}, nil, false, err
	}
	h := c.h
	h.Kinds, h.Relays, h.SeenOn = slices.Clone(h.Kinds), slices.Clone(h.Relays), []string{}
	h.Findings = slices.Clone(h.Findings)
	return h, c, true, l.join(&h, c)
}

// whole is described and all else that is known of the service.
func (v *handlerView) whole(e *handlerEntry) (Handler, bool, error) {
	h, c, ok, err := v.described(e)
	if err != nil || !ok {
		return h, ok, err
	}
	beat, err := v.beatOf(e)
	if err != nil {
		return h, false, err
	}
	h.Online = within(beat, v.now, aliveSeconds)
	h.LastSeen = max(h.LastSeen, beat)
	if s := v.standing(c.author); s != nil {
		h.LastSeen = max(h.LastSeen, s.lastAnswer)
		h.Measured = s.of(e.jobs)
	}
	if h.SeenOn, err = v.seenOnID(e.id); err != nil {
		return h, false, err
	}
	first, err := v.firstSeen(e)
	if err != nil {
		return h, false, err
	}
	h.FirstSeen = first.first
	if h.RecommendedBy, err = v.voices(nostr.Filter{Kinds: []int{nip90.KindRecommendation}, Tags: nostr.TagMap{"a": {h.Address}}}); err != nil {
		return h, false, err
	}
	if h.Reports, err = v.voices(nostr.Filter{Kinds: []int{nip90.KindReport}, Tags: nostr.TagMap{"p": {h.PubKey}}}); err != nil {
		return h, false, err
	}
	return h, true, v.find(&h, c, e, first)
}

// join takes from the key's other events what the announcement leaves open. NIP-89: one with an empty content lets the
// profile speak for it altogether.
func (l *lens) join(h *Handler, c *card) error {
	if c.blank || h.Name == "" || h.Picture == "" || h.Lud16 == "" {
		p, err := l.profile(c.author)
		if err != nil {
			return err
		}
		if p != nil {
			h.Name, h.Picture, h.Lud16 = cmp.Or(h.Name, p.name), cmp.Or(h.Picture, p.picture), cmp.Or(h.Lud16, p.lud16)
			if c.blank {
				h.About = cmp.Or(h.About, p.about)
			}
		}
	}
	list, err := l.relays(nip90.KindRelayList, c.author)
	if err != nil {
		return err
	}
	if list != nil {
		h.Relays = relayNames(h.Relays, *list)
	}
	if !h.Nutzaps {
		info, err := l.relays(nip90.KindNutzapInfo, c.author)
		if err != nil {
			return err
		}
		h.Nutzaps = info != nil
	}
	return nil
}

// voices counts the keys whose events match, of the newest 1000 events. Without filters to be asked it is 0.
func (l *lens) voices(f nostr.Filter) (int, error) {
	s, ok := l.Reader.(store.Snapshot)
	if !ok {
		return 0, nil
	}
	f.Limit = maxVoices
	who := make(map[nip90.PubKey]struct{})
	for raw, err := range s.Query(context.Background(), f) {
		if err != nil {
			return 0, fmt.Errorf("count who speaks of a handler: %w", err)
		}
		who[raw.PubKey] = struct{}{}
	}
	return len(who), nil
}

// The sections that findings of handlers point at.
const (
	sectionHandler  = `NIP-89 "Handler information"`
	sectionAppendix = `NIP-90 "Appendix 2: Service provider discoverability"`
	sectionAddress  = `NIP-01 "Kinds"`
)

const (
	askedInVain    = 20 // so many eligible requests without an answer are no accident
	priceTolerance = 10 // percent that what is asked may differ from what is announced
)

// find says what is odd about an announcement beside the others and beside what was measured.
func (v *handlerView) find(h *Handler, c *card, e *handlerEntry, first service) error {
	add := adder(&h.Findings)
	newer, alike, err := v.siblings(c, e)
	if err != nil {
		return err
	}
	switch {
	case newer != nil && !h.Online:
		h.SupersededBy = newer.h.Address
		add("superseded", sectionHandler, "Its key announced the same name and kinds again, later, at another address.")
	case alike > 0:
		add("duplicate", sectionHandler, "Its key announces the same name for some of the same kinds at %d other addresses.", alike)
	}
	if n := v.t.sharedD[e.hash()]; n > 1 && c.d != "" {
		add("d-shared", sectionAddress, "%d other keys announce with the same d tag; it looks copied.", n-1)
	}
	if first.deleted != 0 && first.deleted < e.created {
		add("republished", sectionAppendix, "An earlier version was deleted, and this one published after it.")
	}
	if !within(h.LastSeen, v.now, measuredSeconds) {
		add("stale", sectionAppendix, "No announcement, heartbeat or answer for %d days.", (v.now-h.LastSeen)/86400)
	}
	if m := h.Measured; m != nil {
		v.measuredFindings(h, m, add)
	}
	return nil
}

// adding adds a finding to a list.
type adding func(code, section, format string, args ...any)

func adder(list *[]nip90.Finding) adding {
	return func(code, section, format string, args ...any) {
		*list = append(*list, nip90.Finding{Code: code, Text: fmt.Sprintf(format, args...), Section: section})
	}
}

func (v *handlerView) measuredFindings(h *Handler, m *Measured, add adding) {
	if m.Eligible > askedInVain && m.Answered == 0 {
		add("never-answers", sectionAppendix, "None of %d requests of the last 30 days that it could answer was answered.", m.Eligible)
	}
	if m.Undelivered > 0 {
		add("undelivered", sectionAppendix, "%d jobs of the last 30 days are claimed to be paid and have no result.", m.Undelivered)
	}
	if m.PriceMsat == nil || m.PriceMsat.Count == 0 || h.Price.Msat == nil {
		return
	}
	said, asked := int64(*h.Price.Msat), m.PriceMsat.P50
	if gap := max(said-asked, asked-said); gap > said/100*priceTolerance {
		add("price-differs", sectionAppendix, "It announces %d msat and asked for %d, the median of %d jobs.", said, asked, m.PriceMsat.Count)
	}
}

// siblings looks at the other announcements of the key with the same name: newer is the newest later one that serves all
// of the same kinds; alike counts those that share a kind.
func (v *handlerView) siblings(c *card, e *handlerEntry) (newer *card, alike int, err error) {
	name := strings.ToLower(c.h.Name)
	if s := v.standing(c.author); name == "" || c.jobs == (kindSet{}) || s != nil && s.handlers <= 1 {
		return nil, 0, nil
	}
	rows, err := v.handlerRows(keyOf(keyHandler, e.key[:idLen]), maxOfOne)
	if err != nil {
		return nil, 0, err
	}
	at := e.created
	for i := range rows {
		s := &rows[i]
		if s.id == e.id || s.jobs.within(e.jobs) == (kindSet{}) {
			continue
		}
		o, err := v.card(s.id)
		if err != nil {
			return nil, 0, err
		}
		if o == nil || strings.ToLower(o.h.Name) != name {
			continue
		}
		alike++
		if s.created > at && c.jobs.without(o.jobs) == (kindSet{}) {
			newer, at = o, s.created
		}
	}
	return newer, alike, nil
}
