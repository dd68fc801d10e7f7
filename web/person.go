package web

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"dvmrelay/index"
	"dvmrelay/nip90"
	"dvmrelay/store"

	"github.com/danielgtaylor/huma/v2"
)

// personPage is one key as a customer and as a provider. It is also the page's JSON.
type personPage struct {
	index.Person
	As             string       `json:"as,omitempty"` // customer or provider when one of the lists is shown
	KeepsCustomers bool         `json:"keeps_customers"`
	ObservedSince  int64        `json:"observed_since"`
	AsCustomer     index.Asked  `json:"as_customer"`
	AsProvider     *index.Stats `json:"as_provider,omitempty"` // over 30 days
	Asked          *personJobs  `json:"asked,omitempty"`
	Answered       *personJobs  `json:"answered,omitempty"`

	Sides  []chip `json:"-"`
	Watch  string `json:"-"` // path of the jobs that this key could answer
	DVM    string `json:"-"` // path of its page as a provider
	Nobody bool   `json:"-"` // nothing of it was ever heard
}

// personJobs is a page of the jobs of a key.
type personJobs struct {
	Items []index.Thread `json:"items"`
	Next  string         `json:"next_cursor,omitempty"`

	List          *jobList `json:"-"`
	All           string   `json:"-"` // path of the same jobs with all filters
	Newest, Older string   `json:"-"` // paths
}

// personJobsShown is how many jobs stand in each of two lists.
const personJobsShown = 20

func (s *Site) personScreen() *screen {
	return &screen{path: "/u/{npub}", file: "person.html", tab: "Jobs", live: []string{"sides"}, load: s.personSheet}
}

// personSheet reads /u/{npub}.
func (s *Site) personSheet(ctx context.Context, v *visit) (*sheet, error) {
	pk, err := parsedKey("key", v.Path("npub"))
	if err != nil || pk.IsZero() {
		return nil, huma.Error400BadRequest("This is no public key (hex, npub or nprofile).")
	}
	p := &personPage{As: v.Query.Get("as"), KeepsCustomers: s.d.Index.KeepsCustomers()}
	switch p.As {
	case "", "customer", "provider":
	default:
		return nil, huma.Error400BadRequest("as: is none of customer, provider")
	}
	if name := nip90.Npub(pk); v.Path("npub") != name {
		return nil, elsewhere{"/u/" + name + asQuery(v.Query)}
	}
	cursor := v.Query.Get("cursor")
	if p.As == "" {
		cursor = "" // it would be of either list
	}
	if err := s.view(ctx, func(r store.Reader) error { return s.readPerson(r, p, pk, cursor, v.Now.Unix()) }); err != nil {
		return nil, err
	}
	p.links(pk)
	name := shortKey(pk.String())
	if p.Name != "" {
		name = brief(p.Name, 40, 120) + " (" + name + ")"
	}
	return &sheet{Title: name, About: "The jobs that " + name + " asked for and answered, as this relay heard them.", Data: p, Still: cursor != ""}, nil
}

// readPerson reads who a key is and the jobs of the page.
func (s *Site) readPerson(r store.Reader, p *personPage, pk nip90.PubKey, cursor string, now int64) (err error) {
	if p.Person, err = s.d.Index.Person(r, pk); err != nil {
		return err
	}
	p.ObservedSince = s.d.Index.Heard(now, now).ObservedSince
	p.Nobody = !p.Known && !p.Customer && !p.Provider
	if p.Customer {
		if p.AsCustomer, err = s.d.Index.Asked(r, pk); err != nil {
			return err
		}
	}
	if p.Provider {
		st, err := s.d.Index.Stats(r, index.StatsQuery{Provider: pk, Since: now - measuredSeconds, Until: now, Now: now, Step: -1, NoDistinct: true, WholeHours: true})
		if err != nil {
			return err
		}
		p.AsProvider = &st
	}
	limit := jobsShown
	if p.As == "" {
		limit = personJobsShown
	}
	if p.As == "customer" || p.As == "" && (p.Customer || !p.Provider) {
		if p.Asked, err = s.jobsOf(r, index.ThreadQuery{Customer: pk, Cursor: cursor, Limit: limit, Now: now}, "customer"); err != nil {
			return err
		}
	}
	if p.As == "provider" || p.As == "" && p.Provider {
		p.Answered, err = s.jobsOf(r, index.ThreadQuery{Provider: pk, Cursor: cursor, Limit: limit, Now: now}, "provider")
	}
	return err
}

// jobsOf reads a page of the jobs that a key asked for, or of those that it answered.
func (s *Site) jobsOf(r store.Reader, q index.ThreadQuery, as string) (*personJobs, error) {
	page, err := s.d.Index.Threads(r, q)
	if err != nil {
		return nil, err
	}
	for i := range page.Items {
		s.veil(&page.Items[i])
	}
	out := &personJobs{Items: page.Items, Next: page.Next}
	key := q.Customer
	if as == "customer" {
		out.List = s.jobRows(time.Unix(q.Now, 0), page.Items, "customer").as("asked-")
	} else {
		key = q.Provider
		out.List = s.jobRows(time.Unix(q.Now, 0), page.Items).as("answered-")
		if err := s.nameCustomers(r, out.List); err != nil {
			return nil, err
		}
	}
	out.All = "/jobs?" + url.Values{as: {nip90.Npub(key)}}.Encode()
	path := keyPath(key.String(), false)
	if page.Next != "" {
		next := url.Values{"as": {as}, "cursor": {page.Next}}
		if q.Limit != jobsShown {
			next = url.Values{"as": {as}} // a longer page, from its beginning
		}
		out.Older = path + "?" + next.Encode()
	}
	if q.Cursor != "" {
		out.Newest = path + "?as=" + as
	}
	return out, nil
}

func (p *personPage) links(pk nip90.PubKey) {
	path := keyPath(pk.String(), false)
	for _, side := range [...]struct{ as, name string }{{"", "both"}, {"customer", "as customer"}, {"provider", "as provider"}} {
		c := chip{Name: side.name, Path: path, On: p.As == side.as}
		if side.as != "" && !c.On {
			c.Path += "?as=" + side.as
		}
		p.Sides = append(p.Sides, c)
	}
	p.Watch = "/jobs?for=" + p.Npub
	if p.Provider {
		p.DVM = keyPath(pk.String(), true)
	}
}

// mePage is where a visitor says who they are. Nothing of it is kept.
type mePage struct {
	Fault          string `json:"fault,omitempty"`
	Key            string `json:"-"`
	KeepsCustomers bool   `json:"keeps_customers"`
}

func (s *Site) meScreen() *screen {
	return &screen{path: "/u", file: "me.html", tab: "Jobs", load: func(_ context.Context, v *visit) (*sheet, error) {
		text := v.Query.Get("key")
		p := &mePage{Key: brief(text, maxText, 1000), KeepsCustomers: s.d.Index.KeepsCustomers()}
		sh := &sheet{Title: "My jobs", About: "One person's jobs, as a customer and as a provider.", Data: p}
		pk, err := parsedKey("key", text)
		switch {
		case err != nil:
			p.Fault, sh.Status = "This is no public key (hex, npub or nprofile).", http.StatusBadRequest
		case !pk.IsZero():
			return nil, elsewhere{keyPath(pk.String(), false)}
		}
		return sh, nil
	}}
}
