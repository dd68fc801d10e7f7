package web

import (
	"context"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"dvmrelay/index"
	"dvmrelay/nip90"

	"github.com/danielgtaylor/huma/v2"
)

const (
	dvmsShown   = 40 // providers on a page
	kindsInRow  = 5
	badgesInRow = 3
	maxWords    = 200 // characters of a search
)

// dvmsPage is the list of providers.
type dvmsPage struct {
	Rows               []dvm
	Kind               int
	Online, Q          string
	Sort               dvmSort
	Sorts              []dvmSort
	First, Next, Blank string // pages: the first, the one after, the one without filters
	Heard              Heard
	query              url.Values
}

// dvmSort is an order of providers, and what it is made of.
type dvmSort struct{ By, Name, Of string }

var dvmSorts = []dvmSort{
	{"new", "newest", "When it was first seen, newest first; then its newest announcement."},
	{"answer_rate", "answer rate", "Answered of the requests it could have answered since it was first seen: those of its kinds that name nobody, and those that name it. Highest first; then who could have answered more."},
	{"first_result", "first result", "The median time from a request to its first result, shortest first."},
	{"price", "price", "What it asked for a job, as a median; else what its announcements state. Lowest first."},
	{"seen", "last seen", "Its newest announcement, heartbeat or answer, newest first."},
	{"name", "name", "The name it gave itself, by the alphabet."},
	{"kind", "kind", "Its kinds, lowest first."},
}

func (s *Site) dvmsScreen() *screen {
	return &screen{path: "/dvms", file: "dvms.html", style: []string{"dvms.css"}, tab: "DVMs", live: []string{"list"}, load: s.dvms, api: func(v *visit) string {
		q := url.Values{}
		for _, name := range [...]string{"kind", "online", "q", "sort", "cursor", "limit"} {
			q.Set(name, v.Query.Get(name))
		}
		return withQuery("/providers", q)
	}}
}

// dvms reads the list of providers.
func (s *Site) dvms(ctx context.Context, v *visit) (*sheet, error) {
	in, err := dvmsAsked(v.Query)
	if err != nil {
		return nil, err
	}
	got, err := s.providers(ctx, in)
	if err != nil {
		return nil, err
	}
	q := url.Values{"online": {in.Online}, "q": {in.Q}, "sort": {in.Sort}, "kind": {itoa(in.Kind)}}
	p := &dvmsPage{Kind: in.Kind, Online: in.Online, Q: in.Q, Sorts: dvmSorts, Heard: got.Body.Heard, Blank: withQuery("/dvms", url.Values{"sort": {in.Sort}}), query: q}
	for _, sort := range dvmSorts {
		if sort.By == in.Sort || in.Sort == "" && sort.By == index.SortNew {
			p.Sort = sort
		}
	}
	for i := range got.Body.Items {
		p.Rows = append(p.Rows, dvm{&got.Body.Items[i]})
	}
	if in.Cursor != "" {
		p.First = p.with("", "")
	}
	if got.Body.Next != "" {
		p.Next = p.with("cursor", got.Body.Next)
	}
	title := "DVMs"
	if in.Kind != 0 {
		title += " for kind " + strings.TrimSpace(itoa(in.Kind)+" "+nip90.KindName(in.Kind))
	}
	return &sheet{Title: title, About: "Which Data Vending Machines exist, and which of them work: measured over 30 days.", Data: p}, nil
}

func dvmsAsked(q url.Values) (in *providersInput, err error) {
	in = &providersInput{Q: strings.TrimSpace(q.Get("q"))}
	in.Limit, in.Cursor = dvmsShown, q.Get("cursor")
	if in.Kind, err = numberOf(q, "kind", 65535); err != nil {
		return nil, err
	}
	if in.Online, err = oneOf(q, "online", "true", "false"); err != nil {
		return nil, err
	}
	if in.Sort, err = oneOf(q, "sort", index.HandlerSorts()...); err != nil {
		return nil, err
	}
	if len(in.Q) > maxWords {
		return nil, huma.Error400BadRequest("q: is longer than " + itoa(maxWords) + " bytes")
	}
	in.Q = strings.ToValidUTF8(in.Q, "")
	return in, nil
}

// with is this list with another parameter, which may be empty.
func (p *dvmsPage) with(name, value string) string {
	q := url.Values{}
	for k, v := range p.query {
		q[k] = v
	}
	if name != "" {
		q.Set(name, value)
	}
	return withQuery("/dvms", q)
}

// SortedBy is this list in another order, from its beginning.
func (p *dvmsPage) SortedBy(by string) string { return p.with("sort", by) }

// Is says whether the list is in that order, as aria-sort has it.
func (p *dvmsPage) Is(by string) bool { return p.Sort.By == by }

// Filtered says whether not all providers were asked for.
func (p *dvmsPage) Filtered() bool { return p.Kind != 0 || p.Online != "" || p.Q != "" }

// dvm is a provider as pages show it.
type dvm struct{ *index.ProviderHead }

// Hue is one of twelve colours, from the key alone.
func (d dvm) Hue() int { return hue(d.PubKey) }

func hue(key string) int {
	n, _ := strconv.ParseUint(key[:min(len(key), 4)], 16, 32) // what is no key has a colour too
	return int(n % 12)
}

// Initial is a letter that stands for the provider: of its name, else of its key.
func (d dvm) Initial() string {
	for _, c := range d.Name {
		if unicode.IsLetter(c) || unicode.IsNumber(c) {
			return string(unicode.ToUpper(c))
		}
	}
	return strings.ToUpper(d.Npub[min(len(d.Npub), 5):min(len(d.Npub), 6)])
}

// FirstKinds are as many of its kinds as a row has room for.
func (d dvm) FirstKinds() []int { return d.Kinds[:min(len(d.Kinds), kindsInRow)] }

// MoreKinds is how many others there are.
func (d dvm) MoreKinds() int { return max(len(d.Kinds)-kindsInRow, 0) }

// Charges is its price in words.
func (d dvm) Charges() string { return priceWords(d.Price) }

func priceWords(p index.Price) string {
	switch {
	case p.Msat != nil && *p.Msat != 0:
		return sats(int64(*p.Msat)) + " sats"
	case p.Kind == "free", p.Msat != nil:
		return "free"
	case p.Kind == "flexible":
		return "flexible"
	}
	return "not stated"
}

// badge is a finding in a word or two.
type badge struct{ Code, Word, Tone string }

// badgeWords are the findings that lists name; the others are counted.
var badgeWords = map[string]badge{
	"never-answers": {"", "never answers", "bad"}, "undelivered": {"", "paid, no result", "bad"}, "stale": {"", "stale", "warn"},
	"duplicate": {"", "duplicate", "warn"}, "superseded": {"", "superseded", "warn"}, "unannounced": {"", "not announced", "warn"},
	"price-differs": {"", "price differs", "warn"}, "d-shared": {"", "copied d tag", "warn"}, "republished": {"", "published again", ""},
	"handler-content-unreadable": {"", "unreadable", "bad"}, "handler-python": {"", "no JSON", "warn"}, "handler-no-d": {"", "no d tag", "warn"},
}

func badgeOf(code string) badge {
	b, ok := badgeWords[code]
	if !ok {
		b.Word = strings.ReplaceAll(strings.TrimPrefix(code, "handler-"), "-", " ")
	}
	b.Code = code
	return b
}

// Badges are the first findings, without what the row counts already.
func (d dvm) Badges() (list []badge) {
	for _, code := range d.FindingCodes {
		if code != "undelivered" {
			list = append(list, badgeOf(code))
		}
	}
	return list[:min(len(list), badgesInRow)]
}

// MoreFindings is how many others there are.
func (d dvm) MoreFindings() int {
	n := len(d.FindingCodes)
	if slices.Contains(d.FindingCodes, "undelivered") {
		n--
	}
	return max(n-badgesInRow, 0)
}

// Share is how much of the window the best heard source was heard, in percent; -1 when nothing is known of it.
func (h Heard) Share() int {
	best := int64(-1)
	for _, c := range h.Coverage {
		if c.WindowSeconds > 0 {
			best = max(best, 100*c.HeardSeconds/c.WindowSeconds)
		}
	}
	return int(best)
}
