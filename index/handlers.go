package index

import (
	"bytes"
	"cmp"
	"encoding/json"
	"slices"
	"strings"

	"dvmrelay/nip90"
	"dvmrelay/store"
)

// aliveSeconds is how old the newest heartbeat of a living service may be.
const aliveSeconds = 900

// maxOfOne is how many handlers of one key are looked at to name a provider.
const maxOfOne = 32

// handlerEntry is an announcement as its row knows it.
type handlerEntry struct {
	key     []byte // without its table's byte: author, hash of d
	id      nip90.ID
	created int64
	jobs    kindSet // its request kinds
}

// Handlers lists announcements. A page ends early, with a Next, when its items grow beyond 4 MiB.
func (x *Index) Handlers(r store.Reader, q HandlerQuery) (HandlerPage, error) {
	page := HandlerPage{Items: []Handler{}}
	at, by, err := x.begin(q.Sort, q.Cursor, q.Now)
	if err != nil {
		return page, err
	}
	v := handlerView{lens: lens{Reader: r, x: x, now: at.now}}
	if v.t, err = v.table(q.Cursor != ""); err != nil {
		return page, err
	}
	list, err := v.chosen(q, by)
	if err != nil {
		return page, err
	}
	from, err := sortPlaces(list, &at, handlerIDLen)
	if err != nil {
		return page, err
	}
	for i := from; i < len(list); i++ {
		h, ok, err := v.whole(&list[i].item)
		if err != nil {
			return page, err
		}
		v.spent += h.size()
		if len(page.Items) == pageSize(q.Limit) || len(page.Items) > 0 && v.spent > maxBodies {
			at.key = list[i-1].place
			page.Next = at.String()
			break
		}
		if ok {
			h.Rank = list[i].rank
			page.Items = append(page.Items, h)
		}
	}
	return page, nil
}

// Handler shows one announcement; false when none with this address is held. What is measured is worked out now.
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
	v := handlerView{lens: lens{Reader: r, x: x, now: x.now(0)}}
	if v.t, err = v.table(false); err != nil {
		return Handler{}, false, err
	}
	s, g, err := v.standingOf(a.PubKey, v.now-measuredSeconds, v.now)
	if err != nil {
		return Handler{}, false, err
	}
	e := entryOf(bytes.Clone(key[1:]), &row)
	if v.own = s; s != nil {
		m, err := g.service(s, e.jobs)
		if err != nil {
			return Handler{}, false, err
		}
		s.services = map[kindSet]*Measured{e.jobs: m}
	}
	return v.whole(&e)
}

func entryOf(key []byte, row *signRow) handlerEntry {
	return handlerEntry{key: key, id: row.id, created: row.created, jobs: kindSetOf(row.kinds)}
}

// handlerRows are the announcements whose keys begin with a prefix, in the order of their keys.
func (l *lens) handlerRows(prefix []byte, limit int) ([]handlerEntry, error) {
	return l.handlerRowsFor(prefix, limit, 0)
}

// handlerRowsFor are those that serve a kind; 0 = any.
func (l *lens) handlerRowsFor(prefix []byte, limit, kind int) (list []handlerEntry, err error) {
	var fault error
	left := maxExamined
	err = l.Scan(prefix, nil, func(key, value []byte) bool {
		row, err := decodeSign(value)
		if err != nil {
			fault = err
			return false
		}
		if kind == 0 || slices.Contains(row.kinds, kind) {
			list = append(list, entryOf(bytes.Clone(key[1:]), &row))
		}
		left--
		return len(list) < limit && left > 0
	})
	return list, cmp.Or(err, fault)
}

// handlerView shows handlers beside what is known of all providers.
type handlerView struct {
	lens
	t   *table
	own *standing // of the only provider that matters, newer than in the table
}

// standing is how a provider stands; nil when it came after the table was made.
func (v *handlerView) standing(pk nip90.PubKey) *standing {
	if v.own != nil && v.own.pk == pk {
		return v.own
	}
	return v.t.providers[pk]
}

// chosen are the handlers that a query is after, with their places in its order.
func (v *handlerView) chosen(q HandlerQuery, by string) ([]sorted[handlerEntry], error) {
	rows, err := v.handlerRowsFor([]byte{keyHandler}, maxExamined, q.Kind)
	if err != nil {
		return nil, err
	}
	words := strings.Fields(strings.ToLower(q.Q))
	list := make([]sorted[handlerEntry], 0, len(rows))
	for i := range rows {
		e := &rows[i]
		r, ok, err := v.ranked(e, by, words)
		if err != nil {
			return nil, err
		}
		if !ok {
			continue
		}
		if q.Online != nil {
			online, err := v.online(e)
			if err != nil {
				return nil, err
			}
			if online != *q.Online {
				continue
			}
		}
		rank, place := r.rank(by)
		list = append(list, sorted[handlerEntry]{append(place, e.key...), rank, *e})
	}
	return list, nil
}

// ranked is what an announcement can be sorted by, as far as the order needs it; false when it lacks some of the words.
func (v *handlerView) ranked(e *handlerEntry, by string, words []string) (ranked, bool, error) {
	r := ranked{announced: e.created, kinds: e.jobs}
	pk := e.author()
	if s := v.standing(pk); s != nil {
		r.answered, r.beat, r.measured = s.lastAnswer, s.lastBeat, s.of(e.jobs)
	}
	if len(words) > 0 || by == SortName || by == SortPrice {
		c, err := v.glance(e.id)
		if err != nil || c == nil {
			return r, false, err
		}
		r.name, r.price = c.h.Name, c.h.Price
		about := c.text
		if r.name == "" || c.blank {
			if p, err := v.profile(pk); err != nil {
				return r, false, err
			} else if p != nil {
				r.name = cmp.Or(r.name, p.name)
				about += " " + strings.ToLower(p.name)
				if c.blank {
					about += " " + strings.ToLower(p.about)
				}
			}
		}
		for _, w := range words {
			if !strings.Contains(about, w) {
				return r, false, nil
			}
		}
	}
	if by == SortNew {
		first, err := v.firstSeen(e)
		if err != nil {
			return r, false, err
		}
		r.firstSeen = first.first
	}
	if by == SortSeen {
		at, err := v.beatOf(e)
		if err != nil {
			return r, false, err
		}
		r.beat = at
	}
	return r, true, nil
}

// firstSeen is what the facts know of an address.
func (v *handlerView) firstSeen(e *handlerEntry) (service, error) {
	pk := e.author()
	var a *announced
	if s := v.standing(pk); s != nil {
		a = s.announcements
	} else {
		var err error
		if a, err = v.announcedBy(pk); err != nil {
			return service{}, err
		}
	}
	s, ok := a.services[[8]byte(e.key[idLen:])]
	if !ok {
		s.first = e.created // a fact of before facts knew their d
	}
	return s, nil
}

// beatOf is the newest heartbeat of the service, or one of its key that names no service; 0 = none.
func (l *lens) beatOf(e *handlerEntry) (at int64, err error) {
	own := keyOf(keyBeat, e.key)
	for _, key := range [][]byte{own, beatKey(e.author(), "")} {
		b, err := l.Value(key)
		if err != nil {
			return 0, err
		}
		if b == nil {
			continue
		}
		row, err := decodeSign(b)
		if err != nil {
			return 0, err
		}
		at = max(at, row.created)
		if bytes.Equal(own, beatKey(e.author(), "")) {
			break
		}
	}
	return at, nil
}

func (l *lens) online(e *handlerEntry) (bool, error) {
	at, err := l.beatOf(e)
	return within(at, l.now, aliveSeconds), err
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
		c, err := l.card(rows[i].id)
		if err != nil {
			return nil, err
		}
		if c == nil {
			continue
		}
		name := c.h.Name
		if name == "" {
			if p, err := l.profile(pk); err != nil {
				return nil, err
			} else if p != nil {
				name = p.name
			}
		}
		hs = append(hs, Handler{Address: c.h.Address, Name: name, Kinds: c.h.Kinds})
	}
	if l.handlers == nil {
		l.handlers = make(map[nip90.PubKey][]Handler)
	}
	l.handlers[pk] = hs
	return hs, nil
}

// size is about how many bytes of strangers' words it holds.
func (h *Handler) size() int {
	n := len(h.Name) + len(h.About) + len(h.Picture) + len(h.Lud16) + len(strings.Join(h.Relays, "")) + len(h.Address) + 6*len(h.Kinds)
	if raw, ok := h.Params.(json.RawMessage); ok {
		n += len(raw)
	}
	return n
}
