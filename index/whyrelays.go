package index

import (
	"fmt"
	"net"
	"net/url"
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
	var evidence []Evidence
	var names []string
	count := int64(0)
	for _, g := range w.x.o.Listening.Gaps(since, until, gapsAsked) {
		if g.Since >= until || g.Until != 0 && g.Until <= since {
			continue
		}
		count++
		if len(evidence) == whyEvidence {
			continue
		}
		evidence = append(evidence, Evidence{What: "gap", URL: g.URL, At: g.Since, Until: g.Until})
		if len(names) < 3 {
			names = append(names, gapWords(&g))
		}
	}
	if count == 0 {
		return nil
	}
	text := fmt.Sprintf("%sthis relay did not hear all of its sources between the request of %s and %s: %s", observed, utc(since), utc(until), strings.Join(names, "; "))
	if more := count - int64(len(names)); more > 0 {
		text += fmt.Sprintf("; and %d gaps more", more)
	}
	w.say(whyGap, nip90.PubKey{}, text+". What was said then may be missing.", evidence...)
	return nil
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
	watched := make(map[string]bool)
	for _, c := range w.x.o.Listening.Coverage(w.o.CreatedAt, max(w.end(), w.o.CreatedAt)) {
		if u, ok := normalRelay(c.URL); ok {
			watched[u] = true
		}
	}
	if u, ok := normalRelay(w.x.o.URL); ok {
		watched[u] = true
	}
	if f, ok := w.x.o.Listening.(Following); ok {
		for _, raw := range f.Followed(w.o.ID) {
			if u, ok := normalRelay(raw); ok {
				watched[u] = true
			}
		}
	}
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
