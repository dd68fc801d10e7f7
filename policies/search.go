package policies

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"dvmrelay/nip90"
)

// Search is what the search field of a filter asks for. All that is set is ANDed. NIP-50.
type Search struct {
	Thread    nip90.ID     // the whole job that this event belongs to
	State     string       // what became of the job
	Payment   string       // how its money stands
	Provider  nip90.PubKey // who answered it
	Customer  nip90.PubKey // who asked for it
	JobKind   int          // kind of its request
	Encrypted *bool        // whether its request is sealed
	Online    bool         // announcements of services that are alive
	Words     []string     // in lower case, each once: all occur in an announcement or in the input of a request
}

// The bounds of a search.
const (
	maxSearchBytes = 16 << 10 // in all: names with relay hints are long
	maxSearchTerms = 64       // keys and words
	maxWords       = 16
	maxWordChars   = 512 // in all words together
	maxQuoted      = 64  // characters of a search that are quoted back
)

// searchKey is one key of the search grammar.
type searchKey struct {
	name   string
	values []string // the closed set of values; nil when any value that set takes will do
	like   string   // an example of a good value, when the set is not closed
	set    func(*Search, string) bool
	same   func(a, b *Search) bool
}

// SearchStates are the values of the key "state".
func SearchStates() []string {
	return []string{
		"open", "processing", "payment-required", "partial", "error", "success", "cancelled", "expired", "unanswered", "stalled",
	}
}

// SearchPayments are the values of the key "payment".
func SearchPayments() []string {
	return []string{"none", "asked", "invoice-expired", "claimed", "mismatch", "undelivered", "refunded"}
}

func searchKeys() []searchKey {
	return []searchKey{
		{
			name: "thread", like: "<64 hex characters, note or nevent>", set: setThread,
			same: func(a, b *Search) bool { return a.Thread == b.Thread },
		},
		{
			name: "state", values: SearchStates(), set: func(s *Search, v string) bool { s.State = v; return true },
			same: func(a, b *Search) bool { return a.State == b.State },
		},
		{
			name: "payment", values: SearchPayments(), set: func(s *Search, v string) bool { s.Payment = v; return true },
			same: func(a, b *Search) bool { return a.Payment == b.Payment },
		},
		{
			name: "provider", like: "<npub, nprofile or 64 hex characters>", set: func(s *Search, v string) bool { return setKey(&s.Provider, v) },
			same: func(a, b *Search) bool { return a.Provider == b.Provider },
		},
		{
			name: "customer", like: "<npub, nprofile or 64 hex characters>", set: func(s *Search, v string) bool { return setKey(&s.Customer, v) },
			same: func(a, b *Search) bool { return a.Customer == b.Customer },
		},
		{
			name: "job-kind", like: "<a number between 5000 and 5999>", set: setJobKind,
			same: func(a, b *Search) bool { return a.JobKind == b.JobKind },
		},
		{
			name: "online", values: []string{"true"}, set: func(s *Search, _ string) bool { s.Online = true; return true },
			same: func(a, b *Search) bool { return a.Online == b.Online },
		},
		{
			name: "encrypted", values: []string{"true", "false"}, set: setEncrypted,
			same: func(a, b *Search) bool { return *a.Encrypted == *b.Encrypted },
		},
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

// ParseSearch reads the search field of a filter. Unknown keys are ignored beside known ones and beside words; what asks
// for nothing that is known here, or for a value that there is not, is refused with a *Rejection, so that a search never
// means everything.
func ParseSearch(s string) (Search, error) {
	if len(s) > maxSearchBytes {
		return Search{}, Refuse(Invalid, fmt.Sprintf("search: has %d bytes, at most %d are read: did you mean several filters", len(s), maxSearchBytes))
	}
	terms := strings.Fields(strings.ToValidUTF8(s, " "))
	if len(terms) > maxSearchTerms {
		return Search{}, Refuse(Invalid, fmt.Sprintf("search: has %d words and keys, at most %d are read: did you mean several filters", len(terms), maxSearchTerms))
	}
	p := searchParser{keys: searchKeys()}
	for _, term := range terms {
		if err := p.take(term); err != nil {
			return Search{}, err
		}
	}
	return p.end()
}

type searchParser struct {
	out     Search
	keys    []searchKey
	given   []string // names of known keys
	unknown []string
	chars   int // in words
}

func (p *searchParser) take(term string) error {
	key, value, isPair := strings.Cut(term, ":")
	if !isPair || key == "" {
		return p.word(term)
	}
	spelled := strings.ToLower(key)
	i := slices.IndexFunc(p.keys, func(k searchKey) bool { return k.name == searchAlias(spelled) })
	if i < 0 {
		p.unknown = append(p.unknown, key)
		return nil
	}
	k := &p.keys[i]
	if k.values != nil {
		value = strings.ToLower(value)
		if !slices.Contains(k.values, value) {
			return badValue(spelled, value, Nearest(value, k.values))
		}
	}
	next := p.out
	if !k.set(&next, value) {
		return badValue(spelled, value, k.like)
	}
	if slices.Contains(p.given, k.name) && !k.same(&p.out, &next) {
		return Refuse(Invalid, fmt.Sprintf("search: %q is given twice with different values, did you mean one filter for each", spelled+":"))
	}
	p.given = append(p.given, k.name)
	p.out = next
	return nil
}

// word takes a word of free text.
func (p *searchParser) word(w string) error {
	w = strings.ToLower(w)
	if slices.Contains(p.out.Words, w) {
		return nil
	}
	if len(p.out.Words) == maxWords {
		return Refuse(Invalid, fmt.Sprintf("search: has more than %d words, did you mean fewer", maxWords))
	}
	if p.chars += utf8.RuneCountInString(w); p.chars > maxWordChars {
		return Refuse(Invalid, fmt.Sprintf("search: its words have more than %d characters, did you mean fewer", maxWordChars))
	}
	p.out.Words = append(p.out.Words, w)
	return nil
}

// end is what the terms came to.
func (p *searchParser) end() (Search, error) {
	switch {
	case len(p.given) > 0 || len(p.out.Words) > 0:
		return p.out, nil
	case len(p.unknown) == 0:
		return Search{}, Refuse(Invalid, "search: is empty, did you mean \"thread:<id>\"")
	}
	names := []string{"job", "status", "kind"}
	for _, k := range p.keys {
		names = append(names, k.name)
	}
	near := Nearest(strings.ToLower(p.unknown[0]), names)
	return Search{}, Refuse(Invalid, fmt.Sprintf("search: %q is not known here, did you mean %q", cut(p.unknown[0], maxQuoted)+":", near+":"))
}

func badValue(key, value, better string) error {
	return Refuse(Invalid, fmt.Sprintf("search: %q has no such value, did you mean %q", key+":"+cut(withoutSecret(value), maxQuoted), key+":"+better))
}

// setThread reads an event id as people write it: hex, note or nevent.
func setThread(s *Search, value string) bool {
	ref, err := nip90.ParseReference(value)
	if err != nil || ref.ID.IsZero() {
		return false
	}
	s.Thread = ref.ID
	return true
}

// setKey reads a key as people write it: hex, npub or nprofile.
func setKey(to *nip90.PubKey, value string) bool {
	pk, err := parseKey(value)
	if err != nil || pk.IsZero() {
		return false
	}
	*to = pk
	return true
}

func setJobKind(s *Search, value string) bool {
	n, err := parseKindNumber(value)
	if err != nil || n < 5000 || n > 5999 {
		return false
	}
	s.JobKind = n
	return true
}

func setEncrypted(s *Search, value string) bool {
	sealed := value == "true"
	s.Encrypted = &sealed
	return true
}
