package web

import (
	"net/url"
	"slices"
	"strconv"
	"strings"

	"dvmrelay/nip90"
	"dvmrelay/wire"

	"github.com/nbd-wtf/go-nostr"
)

// maxNakFlags is how many values of a filter are written as flags; more go in as JSON.
const maxNakFlags = 24

// nakReq is the nak command that asks a relay for a filter.
func nakReq(f nostr.Filter, count bool, relay string) string {
	verb := "req"
	if count {
		verb = "count"
	}
	n := len(f.IDs) + len(f.Authors) + len(f.Kinds)
	for _, values := range f.Tags {
		n += len(values)
	}
	if n > maxNakFlags {
		return "printf '%s\\n' " + quoted(string(wire.AppendFilter(nil, f))) + " | nak " + verb + " " + quoted(relay)
	}
	words := []string{"nak", verb}
	for _, id := range f.IDs {
		words = append(words, "-i", quoted(id))
	}
	for _, kind := range f.Kinds {
		words = append(words, "-k", strconv.Itoa(kind))
	}
	for _, key := range f.Authors {
		words = append(words, "-a", quoted(key))
	}
	for _, letter := range letters(f) {
		for _, value := range f.Tags[letter] {
			words = append(words, "-t", quoted(letter+"="+value))
		}
	}
	if f.Since != nil {
		words = append(words, "--since", strconv.FormatInt(int64(*f.Since), 10))
	}
	if f.Until != nil {
		words = append(words, "--until", strconv.FormatInt(int64(*f.Until), 10))
	}
	if f.Limit > 0 || f.LimitZero {
		words = append(words, "-l", strconv.Itoa(f.Limit))
	}
	if f.Search != "" {
		words = append(words, quoted("--search="+f.Search))
	}
	return strings.Join(append(words, quoted(relay)), " ")
}

func letters(f nostr.Filter) []string {
	all := make([]string, 0, len(f.Tags))
	for letter := range f.Tags {
		all = append(all, letter)
	}
	slices.Sort(all)
	return all
}

// frame is what is sent over a websocket for a filter.
func frame(f nostr.Filter, count bool) string {
	if count {
		return string(wire.AppendCountReq(nil, "explore", f))
	}
	return string(wire.AppendReq(nil, "explore", f))
}

// websocat is the command that sends a frame over a websocket and shows what comes.
func websocat(frame, relay string) string {
	return "printf '%s\\n' " + quoted(frame) + " | websocat -n " + quoted(relay)
}

// sameInAPI is the path and query under /api/v1 that tell of the same as a filter; empty when there is none.
func sameInAPI(f nostr.Filter) string {
	plain := f.Since == nil && f.Until == nil && len(f.Kinds) == 0 && len(f.Authors) == 0
	switch {
	case len(f.IDs) == 1 && plain && len(f.Tags) == 0 && f.Search == "":
		return "/events/" + f.IDs[0]
	case len(f.IDs) > 0:
		return ""
	case len(f.Tags) == 1 && len(f.Tags["e"]) == 1 && plain && f.Search == "":
		return "/jobs/" + f.Tags["e"][0]
	case len(f.Kinds) == 1 && f.Kinds[0] == nip90.KindHandler:
		return sameHandlers(f)
	case len(f.Tags) > 0:
		return ""
	}
	if id, ok := onlyThread(f.Search); ok && plain {
		return "/jobs/" + id
	}
	return sameJobs(f)
}

// onlyThread is the event of a search that asks for one whole job and nothing else.
func onlyThread(search string) (string, bool) {
	key, value, ok := strings.Cut(search, ":")
	ref, err := nip90.ParseReference(value)
	return ref.ID.String(), ok && (key == "thread" || key == "job") && err == nil && !ref.ID.IsZero()
}

func sameHandlers(f nostr.Filter) string {
	q := url.Values{}
	switch {
	case f.Since != nil || f.Until != nil || len(f.Authors) > 0 || len(f.Tags) > 1 || len(f.Tags) == 1 && len(f.Tags["k"]) != 1:
		return ""
	case f.Search == "online:true":
		q.Set("online", "true")
	case f.Search != "":
		return ""
	}
	if len(f.Tags) == 1 {
		if _, ok := number(f.Tags["k"][0]); !ok {
			return ""
		}
		q.Set("kind", f.Tags["k"][0])
	}
	return withLimit("/handlers", q, f.Limit)
}

// sameJobs is the list of the jobs whose events a filter chooses.
func sameJobs(f nostr.Filter) string {
	q := url.Values{}
	if len(f.Kinds) > 1 || len(f.Authors) > 1 || len(f.Kinds) == 0 && f.Search == "" {
		return ""
	}
	who := "customer"
	if len(f.Kinds) == 1 {
		kind := f.Kinds[0]
		switch {
		case nip90.IsRequest(kind):
		case nip90.IsResult(kind) && len(f.Authors) == 1 && f.Since == nil && f.Until == nil:
			kind, who = kind-1000, "provider"
		default:
			return ""
		}
		q.Set("kind", itoa(kind))
	}
	if len(f.Authors) == 1 {
		if len(f.Kinds) == 0 {
			return ""
		}
		q.Set(who, f.Authors[0])
	}
	for _, term := range strings.Fields(f.Search) {
		key, value, ok := strings.Cut(term, ":")
		name := map[string]string{
			"state": "state", "status": "state", "payment": "payment", "provider": "provider", "customer": "customer",
			"job-kind": "kind", "kind": "kind", "encrypted": "encrypted",
		}[key]
		if !ok || name == "" || value == "" || q.Get(name) != "" && q.Get(name) != value {
			return ""
		}
		q.Set(name, value)
	}
	if f.Since != nil {
		q.Set("since", strconv.FormatInt(int64(*f.Since), 10))
	}
	if f.Until != nil {
		q.Set("until", strconv.FormatInt(int64(*f.Until), 10))
	}
	return withLimit("/jobs", q, f.Limit)
}

func withLimit(path string, q url.Values, limit int) string {
	if limit > 0 {
		q.Set("limit", itoa(min(limit, 200)))
	}
	if len(q) == 0 {
		return path
	}
	return path + "?" + q.Encode()
}
