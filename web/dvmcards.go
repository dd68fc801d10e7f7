package web

import (
	"encoding/json"
	"fmt"
	"html/template"
	"maps"
	"slices"
	"strings"

	"dvmrelay/index"
	"dvmrelay/nip90"
)

const (
	paramsShown = 16
	paramBytes  = 2_000 // of parameters that are shown as they are
)

const (
	cardsWhole  = 8 // announcements shown in full; of the others a few in a line
	cardsInLine = 20
	cardsBudget = 30_000 // bytes of all cards together, after the first
)

// cards are the announcements of a provider, newest first: those shown whole, those shown in a line, and how many are not.
func cards(list []index.Handler) (whole, lines []announcement, more int) {
	spent := 0
	for i := range list {
		a := announcementOf(&list[i], i)
		if spent += a.weight(); len(lines) == 0 && i < cardsWhole && (i == 0 || spent < cardsBudget) {
			whole = append(whole, a)
		} else if len(lines) < cardsInLine {
			lines = append(lines, a)
		} else {
			more++
		}
	}
	return whole, lines, more
}

// weight is about how many bytes of HTML a card takes.
func (a announcement) weight() int {
	const frame, link = 2_500, 90
	n := frame + link*len(a.AllKinds())
	texts := append(a.Listens(), a.Said(), a.Raw, shorten(a.Name, 80), shorten(a.Picture, 300), shorten(a.Lud16, 160), a.D())
	for _, p := range a.Params {
		texts = append(texts, p.Name, p.Values)
		n += link
	}
	for _, f := range a.Findings {
		texts = append(texts, f.Code, shorten(f.Text, 300))
		n += link
	}
	for _, t := range texts {
		n += len(template.HTMLEscapeString(t))
	}
	return n
}

// announcement is a NIP-89 card.
type announcement struct {
	*index.Handler
	ID     string // of the card on the page
	Params []param
	Raw    string // parameters that cannot be read as such
	More   int    // parameters that are not shown
}

// param is a parameter that a service takes.
type param struct {
	Name     string
	Required bool
	Values   string
}

func announcementOf(h *index.Handler, n int) announcement {
	a := announcement{Handler: h, ID: fmt.Sprintf("card-%d", n)}
	raw, _ := h.Params.(json.RawMessage)
	if len(raw) == 0 || string(raw) == "null" {
		return a
	}
	var said map[string]json.RawMessage
	if json.Unmarshal(raw, &said) != nil {
		a.Raw = shorten(strings.ToValidUTF8(string(raw), ""), paramBytes)
		return a
	}
	names := slices.Sorted(maps.Keys(said))
	a.More = max(len(names)-paramsShown, 0)
	for _, name := range names[:min(len(names), paramsShown)] {
		a.Params = append(a.Params, paramOf(name, said[name]))
	}
	return a
}

// paramOf reads {"required": false, "values": ["a", "b"]}; anything else is shown as it stands.
func paramOf(name string, raw json.RawMessage) param {
	p := param{Name: shorten(strings.ToValidUTF8(name, ""), 60)}
	var said struct {
		Required any   `json:"required"`
		Values   []any `json:"values"`
	}
	if json.Unmarshal(raw, &said) != nil {
		p.Values = shorten(string(raw), 160)
		return p
	}
	p.Required = said.Required == true || said.Required == "true"
	var values []string
	for _, v := range said.Values[:min(len(said.Values), 12)] {
		text, ok := v.(string)
		if !ok {
			b, err := json.Marshal(v)
			if err != nil {
				continue
			}
			text = string(b)
		}
		values = append(values, shorten(text, 60))
	}
	p.Values = strings.Join(values, ", ")
	if more := len(said.Values) - 12; more > 0 {
		p.Values += fmt.Sprintf(" and %d more", more)
	}
	p.Values = shorten(p.Values, 240)
	return p
}

// Charges is its price in words.
func (a announcement) Charges() string { return priceWords(a.Price) }

// AllKinds are its kinds, as many as are named.
func (a announcement) AllKinds() []int { return a.Kinds[:min(len(a.Kinds), dvmKinds/2)] }

// UnnamedKinds is how many others there are.
func (a announcement) UnnamedKinds() int { return max(len(a.Kinds)-dvmKinds/2, 0) }

// Said is what it says of the service, shortened.
func (a announcement) Said() string { return shorten(a.About, wordsShown) }

// Listens is where it says that it listens.
func (a announcement) Listens() []string { return bounded(a.Relays, 8) }

// Held is which sources had it.
func (a announcement) Held() []string { return bounded(a.SeenOn, 8) }

// D tells the announcements of a key apart.
func (a announcement) D() string {
	parts := strings.SplitN(a.Address, ":", 3)
	return shorten(parts[len(parts)-1], 80)
}

// Successor is the d tag of the announcement that took its place.
func (a announcement) Successor() string {
	return announcement{Handler: &index.Handler{Address: a.SupersededBy}}.D()
}

// Link is the address of the announcement as clients take it; empty when it has none.
func (a announcement) Link() string {
	ref, err := nip90.ParseReference(a.Address)
	if err != nil || ref.Address == nil {
		return ""
	}
	if name := nip90.Naddr(*ref.Address); len(name) < 400 {
		return name
	}
	return ""
}

// Badges are its findings in a word or two.
func (a announcement) Badges() (list []badge) {
	for _, f := range a.Findings {
		list = append(list, badgeOf(f.Code))
	}
	return list
}

// FewBadges are as many of them as a line has room for.
func (a announcement) FewBadges() []badge {
	list := a.Badges()
	return list[:min(len(list), badgesInRow)]
}
