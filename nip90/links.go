package nip90

import "github.com/nbd-wtf/go-nostr"

// The ranks of a link: the lower, the likelier it names the job.
const (
	rankJob     uint8 = iota // marked job or request
	rankRoot                 // marked root
	rankProved               // an e that the trusted quote names too
	rankPlain                // an e without marker
	rankOther                // an e with another marker
	rankTrusted              // only in a request tag that proves itself
	rankQuoted               // only in a request tag
)

// Sure says whether the sender said or proved that this link names the job, and did not only mention the event.
func (l *Link) Sure() bool {
	switch l.Marker {
	case "job", "request", "root":
		return true
	}
	return l.Trusted
}

// links gathers candidates, merges repetitions and keeps the best MaxLinks.
type links struct {
	list [MaxLinks]Link
	rank [MaxLinks]uint8
	n    int
	over bool  // one had to be left out
	last uint8 // the worst rank that is kept, once over
}

// add keeps a link, merging it with an earlier one to the same event. It says false when one had to be left out.
func (l *links) add(link Link, rank uint8) bool {
	if l.over && rank >= l.last {
		return false // before any comparing: thousands of links must stay cheap
	}
	for i := 0; i < l.n; i++ {
		if l.list[i].ID == link.ID {
			l.merge(i, link, rank)
			return true
		}
	}
	if l.n < MaxLinks {
		l.list[l.n], l.rank[l.n] = link, rank
		l.n++
		return true
	}
	worst := 0
	for i := 1; i < l.n; i++ {
		if l.rank[i] >= l.rank[worst] {
			worst = i
		}
	}
	if rank < l.rank[worst] {
		copy(l.list[worst:], l.list[worst+1:])
		copy(l.rank[worst:], l.rank[worst+1:])
		l.list[MaxLinks-1], l.rank[MaxLinks-1] = link, rank
	}
	l.over, l.last = true, 0
	for _, r := range l.rank {
		l.last = max(l.last, r)
	}
	return false
}

func (l *links) merge(i int, link Link, rank uint8) {
	at := &l.list[i]
	l.rank[i] = min(l.rank[i], rank)
	at.Trusted = at.Trusted || link.Trusted
	if at.Relay == "" {
		at.Relay = link.Relay
	}
	if at.Marker == "" {
		at.Marker = link.Marker
	}
}

// sorted is the candidates, best first; nil when there is none.
func (l *links) sorted() []Link {
	if l.n == 0 {
		return nil
	}
	out := make([]Link, 0, l.n)
	for rank := rankJob; rank <= rankQuoted; rank++ {
		for i := 0; i < l.n; i++ {
			if l.rank[i] == rank {
				out = append(out, l.list[i])
			}
		}
	}
	return out
}

// addTag reads an `e` tag. The marker stands at index 3, or at index 2 where some leave the relay out.
func (l *links) addTag(evt *nostr.Event, tag nostr.Tag, n *notes) {
	id, odd := readID(value(tag, 1))
	if id.IsZero() {
		n.addf(oddBadID, value(tag, 1))
		return
	}
	n.add(odd)
	if value(tag, 1) == evt.ID {
		n.add(oddSelfReference)
		return
	}
	link := Link{ID: id, Relay: value(tag, 2), Marker: value(tag, 3)}
	if isMarker(link.Relay) {
		link.Relay, link.Marker = "", link.Relay
	}
	if !l.add(link, markerRank(link.Marker)) {
		n.add(oddManyLinks)
	}
}

func isMarker(s string) bool {
	switch s {
	case "job", "request", "root", "reply", "mention":
		return true
	}
	return false
}

func markerRank(marker string) uint8 {
	switch marker {
	case "job", "request":
		return rankJob
	case "root":
		return rankRoot
	case "":
		return rankPlain
	}
	if isMarker(marker) {
		return rankOther
	}
	return rankPlain
}

// addQuote adds what a `request` tag names: an `e` that it proves moves up.
func (l *links) addQuote(evt *nostr.Event, q quote, n *notes) {
	n.add(q.odd)
	if q.id.IsZero() {
		return
	}
	if q.id.String() == evt.ID {
		n.add(oddSelfReference)
		return
	}
	known := false
	for i := 0; i < l.n; i++ {
		known = known || l.list[i].ID == q.id
	}
	if l.n > 0 && !known {
		n.add(oddRequestOtherJob)
	}
	rank := rankQuoted
	switch {
	case known && q.trusted:
		rank = rankProved
	case q.trusted:
		rank = rankTrusted
	}
	if !l.add(Link{ID: q.id, Trusted: q.trusted}, rank) {
		n.add(oddManyLinks)
	}
}

// plainLinks is every `e` of an event in order, for events outside of job threads.
func plainLinks(evt *nostr.Event, n *notes) []Link {
	var l links
	for _, tag := range evt.Tags {
		if len(tag) >= 2 && tag[0] == "e" {
			l.addTag(evt, tag, n)
		}
	}
	if l.n == 0 {
		return nil
	}
	return append([]Link(nil), l.list[:l.n]...)
}
