package index

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"dvmrelay/nip90"
	"dvmrelay/store"

	"github.com/nbd-wtf/go-nostr"
)

// aliveSeconds is how old the newest heartbeat of a living service may be.
const aliveSeconds = 900

// maxOfOne is how many handlers of one key are looked at to name a provider.
const maxOfOne = 32

type handlerEntry struct {
	key []byte // without its table's byte
	signRow
	name string // the beginning of it, in lower case; what a list by name is sorted by
}

// sortedName is how many bytes of a name decide its place.
const sortedName = 128

// Handlers lists announcements. A page ends early, with a Next, when its items grow beyond 4 MiB.
func (x *Index) Handlers(r store.Reader, q HandlerQuery) (HandlerPage, error) {
	page := HandlerPage{Items: []Handler{}}
	at := cursor{now: x.now(q.Now)}
	if q.Cursor != "" {
		var err error
		if at, err = parseCursor(q.Cursor); err != nil {
			return page, err
		}
	}
	l := lens{Reader: r, x: x, now: at.now}
	list, err := l.chosen(q)
	if err != nil {
		return page, err
	}
	from, err := resume(list, at)
	if err != nil {
		return page, err
	}
	for i := from; i < len(list); i++ {
		h, ok, err := l.show(&list[i])
		if err != nil {
			return page, err
		}
		l.spent += h.size()
		if len(page.Items) == pageSize(q.Limit) || len(page.Items) > 0 && l.spent > maxBodies {
			at.key = append(binary.AppendUvarint(nil, uint64(i)), list[i-1].key...)
			page.Next = at.String()
			break
		}
		if ok {
			page.Items = append(page.Items, h)
		}
	}
	return page, nil
}

// resume finds where the page after the cursor begins: behind the row it names, or in its place if that is gone.
func resume(list []handlerEntry, at cursor) (int, error) {
	if len(at.key) == 0 {
		return 0, nil
	}
	n, size := binary.Uvarint(at.key)
	if size <= 0 {
		return 0, ErrCursor
	}
	last := at.key[size:]
	for i := range list {
		if bytes.Equal(list[i].key, last) {
			return i + 1, nil
		}
	}
	return int(min(n, uint64(len(list)))), nil
}

// chosen are the handlers that a query is after, in its order.
func (l *lens) chosen(q HandlerQuery) ([]handlerEntry, error) {
	list, err := l.handlerRows([]byte{keyHandler}, maxExamined)
	if err != nil {
		return nil, err
	}
	words := strings.Fields(strings.ToLower(q.Q))
	kept := list[:0]
	for i := range list {
		e := list[i]
		if q.Kind != 0 && !slices.Contains(e.kinds, q.Kind) {
			continue
		}
		if q.Online != nil || len(words) > 0 || q.Sort == "name" {
			h, ok, err := l.show(&e)
			if err != nil {
				return nil, err
			}
			if !ok || q.Online != nil && h.Online != *q.Online || !h.mentions(words) {
				continue
			}
			e.name = strings.ToLower(strings.Clone(h.Name[:min(len(h.Name), sortedName)]))
		}
		kept = append(kept, e)
	}
	slices.SortStableFunc(kept, func(a, b handlerEntry) int {
		switch {
		case q.Sort == "name":
			if c := cmp.Compare(a.name, b.name); c != 0 {
				return c
			}
		case q.Sort == "kind":
			if c := slices.Compare(a.kinds, b.kinds); c != 0 {
				return c
			}
		case a.created != b.created:
			return cmp.Compare(b.created, a.created)
		}
		return bytes.Compare(a.key, b.key)
	})
	return kept, nil
}

// size is about how many bytes of strangers' words it holds.
func (h *Handler) size() int {
	n := len(h.Name) + len(h.About) + len(h.Picture) + len(h.Lud16) + len(strings.Join(h.Relays, "")) + len(h.Address)
	if raw, ok := h.Params.(json.RawMessage); ok {
		n += len(raw)
	}
	return n
}

func (h *Handler) mentions(words []string) bool {
	if len(words) == 0 {
		return true
	}
	text := strings.ToLower(h.Name + " " + h.About + " " + h.Address)
	for _, k := range h.Kinds {
		text += " " + strconv.Itoa(k)
	}
	for _, w := range words {
		if !strings.Contains(text, w) {
			return false
		}
	}
	return true
}

func (l *lens) handlerRows(prefix []byte, limit int) (list []handlerEntry, err error) {
	var fault error
	err = l.Scan(prefix, nil, func(key, value []byte) bool {
		row, err := decodeSign(value)
		if err != nil {
			fault = err
			return false
		}
		list = append(list, handlerEntry{key: bytes.Clone(key[1:]), signRow: row})
		return len(list) < limit
	})
	return list, cmp.Or(err, fault)
}

// Handler shows one announcement; false when none with this address is held.
func (x *Index) Handler(r store.Reader, a nip90.Address) (Handler, bool, error) {
	if a.Kind != nip90.KindHandler {
		return Handler{}, false, nil
	}
	key := handlerKey(a.PubKey, a.D)
	b, err := r.Value(key)
	if err != nil || b == nil {
		return Handler{}, false, err
	}
	row, err := decodeSign(b)
	if err != nil {
		return Handler{}, false, err
	}
	l := lens{Reader: r, x: x, now: x.now(0)}
	return l.show(&handlerEntry{key: bytes.Clone(key[1:]), signRow: row})
}

// handlersOf are the announcements of one key, newest first: their addresses, names and kinds.
func (l *lens) handlersOf(pk nip90.PubKey) ([]Handler, error) {
	if hs, ok := l.handlers[pk]; ok {
		return hs, nil
	}
	rows, err := l.handlerRows(keyOf(keyHandler, pk[:]), maxOfOne)
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(rows, func(a, b handlerEntry) int { return cmp.Compare(b.created, a.created) })
	var hs []Handler
	for i := range rows {
		h, ok, err := l.show(&rows[i])
		if err != nil {
			return nil, err
		}
		if ok {
			hs = append(hs, Handler{Address: strings.Clone(h.Address), Name: strings.Clone(h.Name), Kinds: h.Kinds})
		}
	}
	if l.handlers == nil {
		l.handlers = make(map[nip90.PubKey][]Handler)
	}
	l.handlers[pk] = hs
	return hs, nil
}

// show reads an announcement; false when its body may not be shown any more.
func (l *lens) show(e *handlerEntry) (Handler, bool, error) {
	p, err := l.bodyOf(e.id)
	if err != nil || p == nil {
		return Handler{}, false, err
	}
	m, ok := p.Message.(*nip90.Handler)
	if !ok {
		return Handler{}, false, fmt.Errorf("handler %s is no announcement: %w", e.id, errRow)
	}
	h := Handler{
		Address: nip90.Address{Kind: nip90.KindHandler, PubKey: p.Author, D: m.D}.String(), PubKey: p.Author.String(),
		Kinds: append([]int{}, m.Kinds...), Name: m.Name, About: m.About, Picture: m.Picture, Lud16: m.Lud16,
		Encryption: m.Encryption, Nutzaps: m.Nutzaps, Relays: append([]string{}, m.Relays...), Price: priceOf(m.Price),
		LastSeen: p.CreatedAt, Findings: append([]nip90.Finding{}, m.Findings()...),
	}
	if json.Valid(m.Params) {
		h.Params = json.RawMessage(m.Params)
	}
	if err := l.alive(&h, p.Author, m.D); err != nil {
		return h, false, err
	}
	if p.Event.Content == "" {
		if err := l.profile(&h); err != nil {
			return h, false, err
		}
	}
	return h, true, nil
}

func priceOf(p nip90.Price) Price {
	switch p.Kind {
	case nip90.PriceFree:
		return Price{Kind: "free"}
	case nip90.PriceFixed:
		msat := p.Msat
		return Price{Kind: "fixed", Msat: &msat}
	case nip90.PriceFlexible:
		return Price{Kind: "flexible"}
	}
	return Price{Kind: "unknown"}
}

// alive looks for a heartbeat of the service, or one of its key that names no service.
func (l *lens) alive(h *Handler, author nip90.PubKey, d string) error {
	names := []string{d}
	if d != "" {
		names = append(names, "")
	}
	for _, name := range names {
		b, err := l.Value(beatKey(author, name))
		if err != nil {
			return err
		}
		if b == nil {
			continue
		}
		row, err := decodeSign(b)
		if err != nil {
			return err
		}
		h.LastSeen = max(h.LastSeen, row.created)
		h.Online = h.Online || l.now-row.created <= aliveSeconds
	}
	return nil
}

// profile fills in what the key's kind 0 says. NIP-89: an empty content means that the profile speaks for the handler.
func (l *lens) profile(h *Handler) error {
	s, ok := l.Reader.(store.Snapshot)
	if !ok {
		return nil
	}
	filter := nostr.Filter{Kinds: []int{0}, Authors: []string{h.PubKey}, Limit: 1}
	for raw, err := range s.Query(context.Background(), filter) {
		if err != nil {
			return fmt.Errorf("read profile of %s: %w", h.PubKey, err)
		}
		var evt nostr.Event
		var profile struct {
			Name        any `json:"name"`
			DisplayName any `json:"display_name"`
			About       any `json:"about"`
			Picture     any `json:"picture"`
			Lud16       any `json:"lud16"`
		}
		if json.Unmarshal(raw.JSON, &evt) != nil || json.Unmarshal([]byte(evt.Content), &profile) != nil {
			return nil // a profile that cannot be read says nothing
		}
		h.Name = cmp.Or(h.Name, text(profile.Name), text(profile.DisplayName))
		h.About = cmp.Or(h.About, text(profile.About))
		h.Picture = cmp.Or(h.Picture, text(profile.Picture))
		h.Lud16 = cmp.Or(h.Lud16, text(profile.Lud16))
	}
	return nil
}

func text(v any) string {
	s, _ := v.(string) // strangers write numbers here; those say nothing
	return s
}
