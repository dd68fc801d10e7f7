package policies

import (
	"fmt"
	"strings"

	"dvmrelay/nip90"
)

// Search is what the search field of a filter asks for. NIP-50.
type Search struct {
	Thread nip90.ID // the whole job that this event belongs to; zero when none is asked for
}

// searchKey is one key of the search grammar.
type searchKey struct {
	name   string
	served bool
	values []string // the closed set of values; nil when check decides
	check  func(string) bool
	like   string // an example of a good value, when the set is not closed
}

func searchKeys() []searchKey {
	return []searchKey{
		{name: "thread", served: true, check: isThread, like: "<64 hex characters, note or nevent>"},
		{name: "state", values: []string{"open", "processing", "payment-required", "partial", "error", "success", "cancelled", "expired", "unanswered", "stalled"}},
		{name: "payment", values: []string{"none", "asked", "invoice-expired", "claimed", "mismatch", "undelivered", "refunded"}},
		{name: "provider", check: isKey, like: "<npub or 64 hex characters>"},
		{name: "customer", check: isKey, like: "<npub or 64 hex characters>"},
		{name: "job-kind", check: isJobKindText, like: "<a number between 5000 and 5999>"},
		{name: "online", values: []string{"true"}},
		{name: "encrypted", values: []string{"true", "false"}},
	}
}

// searchAlias is the key behind another spelling.
func searchAlias(key string) string {
	switch key {
	case "job":
		return "thread"
	case "status":
		return "state"
	case "kind":
		return "job-kind"
	}
	return key
}

const maxQuoted = 64 // characters of a search that are quoted back

// ParseSearch reads the search field of a filter. Unknown keys are ignored beside known ones; what cannot be served is
// refused with a *Rejection, so that a search never means everything.
func ParseSearch(s string) (Search, error) {
	var out Search
	var unknown []string
	asked := false
	for _, word := range strings.Fields(s) {
		key, value, isPair := strings.Cut(word, ":")
		if !isPair || key == "" {
			return Search{}, Refuse(Unsupported, "search: free text is not served yet")
		}
		k, ok := findSearchKey(strings.ToLower(key))
		if !ok {
			unknown = append(unknown, key)
			continue
		}
		if err := k.refuse(key, value); err != nil {
			return Search{}, err
		}
		id, _ := threadID(value)
		if asked && id != out.Thread {
			return Search{}, Refuse(Invalid, "search: one thread at a time, did you mean one filter for each")
		}
		out.Thread, asked = id, true
	}
	if asked {
		return out, nil
	}
	if len(unknown) == 0 {
		return Search{}, Refuse(Invalid, "search: is empty, did you mean \"thread:<id>\"")
	}
	near := Nearest(strings.ToLower(unknown[0]), searchNames())
	return Search{}, Refuse(Invalid, fmt.Sprintf("search: %q is not known here, did you mean %q", cut(unknown[0], maxQuoted)+":", near+":"))
}

// refuse says what is wrong with a value of the key, or that the key is not served yet.
func (k searchKey) refuse(spelled, value string) error {
	good := contains(k.values, value) || k.check != nil && k.check(value)
	switch {
	case !good && k.values != nil:
		return badValue(spelled, value, Nearest(strings.ToLower(value), k.values))
	case !good:
		return badValue(spelled, value, k.like)
	case !k.served:
		return Refuse(Unsupported, fmt.Sprintf("search: %q is not served yet", strings.ToLower(spelled)+":"))
	}
	return nil
}

func badValue(key, value, better string) error {
	key = strings.ToLower(key)
	return Refuse(Invalid, fmt.Sprintf("search: %q has no such value, did you mean %q", key+":"+cut(value, maxQuoted), key+":"+better))
}

func findSearchKey(key string) (searchKey, bool) {
	key = searchAlias(key)
	for _, k := range searchKeys() {
		if k.name == key {
			return k, true
		}
	}
	return searchKey{}, false
}

func searchNames() []string {
	names := []string{"job", "status", "kind"}
	for _, k := range searchKeys() {
		names = append(names, k.name)
	}
	return names
}

func isThread(s string) bool {
	_, ok := threadID(s)
	return ok
}

// threadID reads an event id as people write it: hex, note or nevent.
func threadID(s string) (nip90.ID, bool) {
	if id, ok := nip90.ParseID(strings.ToLower(s)); ok {
		return id, true
	}
	ref, err := nip90.ParseReference(s)
	if err != nil || ref.ID.IsZero() {
		return nip90.ID{}, false
	}
	return ref.ID, true
}

func isKey(s string) bool {
	_, err := parseKey(s)
	return err == nil
}

func isJobKindText(s string) bool {
	n, err := parseKindNumber(s)
	return err == nil && n >= 5000 && n <= 5999
}
