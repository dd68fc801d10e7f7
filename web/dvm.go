package web

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"dvmrelay/index"
	"dvmrelay/nip90"

	"github.com/danielgtaylor/huma/v2"
)

const (
	dvmKinds     = 48 // kinds that are named before the others are counted
	relaysListed = 20
	wordsShown   = 600 // characters of what a provider says of itself
)

// dvmPage is one provider.
type dvmPage struct {
	dvm
	history
	Detail    *ProviderView
	Check     *CheckupView
	Items     []checked
	Tally     []tallied
	Cards     []announcement
	Others    []announcement
	MoreCards int // announcements that are not shown
	UpPath    string
}

func (s *Site) dvmScreen() *screen {
	return &screen{path: "/dvms/{key}", file: "dvm.html", style: []string{"dvms.css"}, tab: "DVMs", live: []string{"now", "check", "jobs"}, load: s.dvmPage, api: func(v *visit) string {
		return "/providers/" + url.PathEscape(v.Path("key"))
	}}
}

// dvmPage reads one provider.
func (s *Site) dvmPage(ctx context.Context, v *visit) (*sheet, error) {
	pk, err := parsedKey("key", v.Path("key"))
	if err == nil && pk.IsZero() {
		err = huma.Error400BadRequest("key: is no public key (hex, npub or nprofile)")
	}
	if err != nil {
		return nil, err
	}
	npub := nip90.Npub(pk)
	h, err := historyOf(v, keyPath(pk.String(), true), v.Path("key") == npub)
	if err != nil {
		return nil, err
	}
	in := &providerInput{Key: pk.String()}
	got, check, err := s.providerChecked(ctx, in)
	if err != nil {
		return nil, noProvider(err, pk)
	}
	stats, err := s.stats(ctx, &statsInput{Window: Window{Window: h.Window}, Provider: got.PubKey})
	if err != nil {
		return nil, err
	}
	h.draw(&stats.Body.Stats, "Jobs it answered, by when they were asked.", "Jobs it answered", "taken", "results", "errors")
	if stats.Body.Requests == 0 {
		h.Series.Rows = nil
	}
	if err := s.newest(ctx, &h, jobsInput{Provider: got.PubKey}); err != nil {
		return nil, err
	}
	p := &dvmPage{history: h, Detail: got, Check: check, UpPath: apiPrefix + "/providers/" + npub + "/up"}
	p.ProviderHead = &got.ProviderHead
	p.Items, p.Tally = judged(check.Items)
	p.Cards, p.Others, p.MoreCards = cards(got.Handlers)
	return charted(p.title(), p.about(), p), nil
}

// noProvider adds to a refusal where else a key may be found.
func noProvider(err error, pk nip90.PubKey) error {
	if !isStatus(err, http.StatusNotFound) {
		return err
	}
	npub := nip90.Npub(pk)
	return &hinted{err, []hint{
		{"/u/" + npub, "See what this key asked for and said as a person"},
		{"/jobs?for=" + npub, "See the jobs that name this key"},
	}}
}

func (p *dvmPage) title() string {
	if p.Name == "" {
		return "DVM " + shortKey(p.PubKey)
	}
	return "DVM " + shorten(p.Name, 60) + " (" + shortKey(p.PubKey) + ")"
}

func (p *dvmPage) about() string {
	var kinds []string
	for _, k := range p.Kinds[:min(len(p.Kinds), kindsInRow)] {
		kinds = append(kinds, strings.TrimSpace(itoa(k)+" "+nip90.KindName(k)))
	}
	text := "Serves " + strings.Join(kinds, ", ")
	if len(kinds) == 0 {
		text = "Serves no kind that is known here"
	}
	if m := p.Measured; m != nil {
		text += fmt.Sprintf(". Answered %d of %d in 30 days", m.Answered, m.Eligible)
		if m.FirstResultMs != nil && m.FirstResultMs.Count > 0 {
			text += ", first result after " + millis(m.FirstResultMs.P50)
		}
	}
	return text + "."
}

// Said is what it says of itself, shortened.
func (p *dvmPage) Said() string { return shorten(p.ProviderHead.About, wordsShown) }

// AllKinds are its kinds, as many as are named.
func (p *dvmPage) AllKinds() []int { return p.Kinds[:min(len(p.Kinds), dvmKinds)] }

// UnnamedKinds is how many others there are.
func (p *dvmPage) UnnamedKinds() int { return max(len(p.Kinds)-dvmKinds, 0) }

// Marks are its findings in words.
func (p *dvmPage) Marks() (list []badge) {
	for _, code := range p.FindingCodes {
		list = append(list, badgeOf(code))
	}
	return list
}

// Relays are where it says that it listens.
func (p *dvmPage) Relays() []string { return bounded(p.Detail.Relays, relaysListed) }

// bounded is a list of what strangers wrote: not many, not long.
func bounded(list []string, most int) []string {
	out := make([]string, 0, min(len(list), most+1))
	for _, s := range list[:min(len(list), most)] {
		out = append(out, shorten(s, 160))
	}
	if more := len(list) - most; more > 0 {
		out = append(out, fmt.Sprintf("and %d more", more))
	}
	return out
}

// tallied is how many items of a check list are in a state.
type tallied struct {
	checkState
	Count int
}

// judged puts what is wrong first and says what to do about it.
func judged(items []index.CheckItem) (list []checked, counts []tallied) {
	for _, it := range items {
		list = append(list, checkedOf(it))
	}
	slices.SortStableFunc(list, func(a, b checked) int { return a.State.rank - b.State.rank })
	for _, c := range list {
		if n := len(counts); n > 0 && counts[n-1].checkState == c.State {
			counts[n-1].Count++
		} else {
			counts = append(counts, tallied{c.State, 1})
		}
	}
	return list, counts
}
