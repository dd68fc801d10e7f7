package index

import (
	"cmp"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"

	"dvmrelay/nip90"
)

// selfURL is how a Listening calls this relay's own sockets.
const selfURL = "self"

// gapsAsked bounds the gaps that are asked for.
const gapsAsked = 64

func (w *reasons) upstreamGap() error {
	if w.x.o.Listening == nil || !w.undelivered() {
		return nil
	}
	since, until := w.o.CreatedAt, w.end()
	if since >= until {
		return nil
	}
	gaps := slices.DeleteFunc(slices.Clone(w.x.o.Listening.Gaps(since, until, gapsAsked)), func(g Gap) bool {
		return g.Since >= until || g.Until != 0 && g.Until <= since
	})
	if len(gaps) == 0 {
		return nil
	}
	// Where this job happens stands first: a gap there is the one that hides an answer.
	matters := w.places()
	slices.SortStableFunc(gaps, func(a, b Gap) int {
		return cmp.Compare(min(len(matters[sourceKeyOf(b.URL)]), 1), min(len(matters[sourceKeyOf(a.URL)]), 1))
	})
	var evidence []Evidence
	var names []string
	for i := range gaps {
		g := &gaps[i]
		if i < whyEvidence {
			evidence = append(evidence, Evidence{What: "gap", URL: g.URL, At: g.Since, Until: g.Until})
		}
		if i < 3 {
			names = append(names, gapWords(g)+matters[sourceKeyOf(g.URL)])
		}
	}
	count := int64(len(gaps))
	text := fmt.Sprintf("%sthis relay did not hear all of its sources between the request of %s and %s: %s", observed, utc(since), utc(until), strings.Join(names, "; "))
	if more := count - int64(len(names)); more > 0 {
		text += fmt.Sprintf("; and %d gaps more", more)
	}
	w.say(whyGap, nip90.PubKey{}, text+". What was said then may be missing.", evidence...)
	return nil
}

// places are the sources where the job happens, as far as it is known, with words that say so.
func (w *reasons) places() map[string]string {
	out := make(map[string]string)
	for i := range w.o.Events {
		for _, s := range w.o.Events[i].SeenOn {
			out[sourceKeyOf(s)] = " (which had an event of this job)"
		}
	}
	for _, s := range w.o.Relays {
		if u, ok := normalRelay(s); ok {
			out[u] = " (where the job asks for its answers)"
		}
	}
	delete(out, OtherSource)
	return out
}

// sourceKeyOf is one spelling for the spellings of a source.
func sourceKeyOf(source string) string {
	if u, ok := normalRelay(source); ok {
		return u
	}
	return source
}

func gapWords(g *Gap) string {
	who := g.URL
	if who == selfURL {
		who = "its own sockets"
	}
	if g.Until == 0 {
		return fmt.Sprintf("not %s since %s", who, utc(g.Since))
	}
	return fmt.Sprintf("not %s from %s to %s", who, utc(g.Since), utc(g.Until))
}

func (w *reasons) unwatchedRelay() error {
	if w.x.o.Listening == nil || !w.undelivered() || len(w.o.Relays) == 0 {
		return nil
	}
	watched := w.watched()
	var evidence []Evidence
	named, seen := 0, make(map[string]bool)
	for _, s := range w.o.Relays {
		u, ok := normalRelay(s)
		if !ok || seen[u] {
			continue
		}
		seen[u] = true
		named++
		if !watched[u] {
			evidence = append(evidence, Evidence{What: "relay", URL: u})
		}
	}
	if len(evidence) == 0 {
		return nil
	}
	urls := evidence[0].URL
	if n := len(evidence) - 1; n > 0 {
		urls += fmt.Sprintf(" and %d more", n)
	}
	text := fmt.Sprintf("%ssome answers are on %s, where the job asks for them, too, and which this relay does not watch.", likely, urls)
	if len(evidence) == named {
		text = fmt.Sprintf("%sthe answers are on %s: the job asks for them on no relay that this one watches.", likely, urls)
	}
	w.say(whyUnwatched, nip90.PubKey{}, text, evidence...)
	return nil
}

// watched are the relays that were listened to while the job could be answered. One that brought an event of it was,
// whether or not it is an upstream: jobs may be followed to where they ask.
func (w *reasons) watched() map[string]bool {
	watched := make(map[string]bool)
	add := func(source string) {
		if u, ok := normalRelay(source); ok {
			watched[u] = true
		}
	}
	for _, c := range w.x.o.Listening.Coverage(w.o.CreatedAt, max(w.end(), w.o.CreatedAt)) {
		add(c.URL)
	}
	for i := range w.o.Events {
		for _, s := range w.o.Events[i].SeenOn {
			add(s)
		}
	}
	if f, ok := w.x.o.Listening.(Following); ok {
		for _, u := range f.Followed(w.o.ID) {
			add(u)
		}
	}
	add(w.x.o.URL)
	return watched
}

// maxRelayURL bounds the length of a relay's address that is taken for one.
const maxRelayURL = 512

// normalRelay is one spelling for all spellings of a relay's address: without what strangers leave at its end (slashes,
// a | or a comma), in lower case but for the path, without the default port. False for what is no such address.
func normalRelay(s string) (string, bool) {
	s = strings.TrimSpace(s)
	if len(s) > maxRelayURL {
		return "", false
	}
	s = strings.TrimRight(s, "/|,; \t")
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.Hostname() == "" {
		return "", false
	}
	scheme, host, port := strings.ToLower(u.Scheme), strings.ToLower(strings.TrimSuffix(u.Hostname(), ".")), u.Port()
	switch scheme {
	case "wss", "https":
		scheme = "wss"
		if port == "443" {
			port = ""
		}
	case "ws", "http":
		scheme = "ws"
		if port == "80" {
			port = ""
		}
	default:
		return "", false
	}
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if port != "" {
		host = net.JoinHostPort(strings.Trim(host, "[]"), port)
	}
	out := scheme + "://" + host + strings.TrimRight(u.EscapedPath(), "/")
	if u.RawQuery != "" {
		out += "?" + u.RawQuery
	}
	return out, true
}
