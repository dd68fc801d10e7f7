package index

import (
	"slices"
	"strings"

	"dvmrelay/nip90"
	"dvmrelay/store"
)

// newsSeconds is how old an event from backfill, import or sync may be and still be told: nobody follows the past.
const newsSeconds = 600

// pending is what was committed and is not told yet.
type pending struct {
	jobs  map[nip90.ID]*Note
	order []*Note
	signs []sign
	lost  bool // there was more than is ever kept
}

// sign is a sign of life of a service.
type sign struct {
	provider nip90.PubKey
	d        string
	at       int64
}

func newPending() pending { return pending{jobs: make(map[nip90.ID]*Note)} }

func (p *pending) empty() bool { return len(p.order) == 0 && len(p.signs) == 0 && !p.lost }

func (p *pending) notes() []*Note {
	if p.lost {
		return nil
	}
	return p.order
}

// takesAway says whether a commit made bodies vanish that may have been shown.
func takesAway(c *store.Commit) bool {
	return c.Parsed == nil || c.Parsed.Event.Kind == nip90.KindDeletion || c.Parsed.Event.Kind == nip90.KindVanish
}

// isNews says whether an event is told at all.
func isNews(p *nip90.Parsed, now int64) bool {
	switch p.Door {
	case nip90.DoorBackfill, nip90.DoorImport, nip90.DoorSync:
		return now-p.CreatedAt <= newsSeconds
	}
	return true
}

func (p *pending) add(c *store.Commit, now int64, most int) {
	if c.Parsed == nil {
		if c.Outcome == store.Deleted {
			p.moved(c.Change.Roots, nil, most)
		}
		return
	}
	if !isNews(c.Parsed, now) {
		return
	}
	m := Moved{ID: c.Parsed.ID, Kind: c.Parsed.Event.Kind, Role: c.Parsed.Message.Role(), PubKey: c.Parsed.Author, CreatedAt: c.Parsed.CreatedAt}
	p.moved(c.Change.Roots, &m, most)
	if c.Outcome != store.Stored || expired(c.Parsed.Expires, now) {
		return
	}
	p.append(&Note{Topic: TopicEvent, Moved: []Moved{m}}, most)
	switch msg := c.Parsed.Message.(type) {
	case *nip90.Handler:
		p.append(&Note{Topic: TopicProvider, Provider: c.Parsed.Author, Service: strings.Clone(msg.D), Turn: ServiceAnnounced}, most)
	case *nip90.Heartbeat:
		if isBeat(msg.Kind) && len(p.signs) < most {
			p.signs = append(p.signs, sign{c.Parsed.Author, strings.Clone(msg.D), c.Parsed.CreatedAt})
		}
	case *nip90.Cancel:
		for _, a := range msg.Addresses[:min(len(msg.Addresses), maxMoved)] {
			if a.Kind == nip90.KindHandler && a.PubKey == c.Parsed.Author {
				p.append(&Note{Topic: TopicProvider, Provider: a.PubKey, Service: strings.Clone(a.D), Turn: ServiceWithdrawn}, most)
			}
		}
	}
}

func (p *pending) append(n *Note, most int) {
	if p.lost = p.lost || len(p.order) >= most; p.lost {
		p.jobs, p.order = nil, nil
		return
	}
	p.order = append(p.order, n)
}

// moved notes that an event moved threads.
func (p *pending) moved(roots []nip90.ID, m *Moved, most int) {
	for _, root := range roots {
		n := p.jobs[root]
		if n == nil {
			n = &Note{Topic: TopicJob, Root: root}
			if p.append(n, most); p.lost {
				return
			}
			p.jobs[root] = n
		}
		if m == nil {
			continue
		}
		if len(n.Moved) == maxMoved {
			n.Moved = slices.Delete(n.Moved, 0, 1)
			n.Omitted++
		}
		n.Moved = append(n.Moved, *m)
	}
}
