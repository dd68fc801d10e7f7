package web

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"dvmrelay/index"
	"dvmrelay/nip90"
)

// connection is what the page on how to connect shows.
type connection struct {
	Accepted []RelayKinds `json:"accepted"`
	Sealed   bool         `json:"auth_encrypted"` // encrypted jobs are read only by whom they concern
	Auth     bool         `json:"auth"`           // the relay knows its own address, so that keys can sign in. NIP-42
	Compares bool         `json:"compares"`       // NIP-77 is served
	Limits   []Limit      `json:"-"`              // those that matter most
	Portable []string     `json:"portable"`       // asks any relay for a thread
	Money    string       `json:"money"`          // asks any relay for the payments of a thread
	Search   string       `json:"search"`         // asks this relay for a thread
	Keys     []searchKey  `json:"search_keys"`
	// Job and Answer are events that the filters name: real ones, when there are any.
	Job    string `json:"job"`
	Answer string `json:"answer"`
}

// searchKey is a key of the search field. docs/SEARCH.md
type searchKey struct {
	Name  string `json:"name"`
	About string `json:"about"`
	Try   string `json:"try"` // a search that shows it
	Live  bool   `json:"live"`
}

// Path is where the example of a key can be run.
func (k searchKey) Path() string {
	return "/explore?search=" + strings.ReplaceAll(strings.ReplaceAll(k.Try, ":", "%3A"), " ", "+") + "&limit=20"
}

func (s *Site) connectScreen() *screen {
	return &screen{path: "/connect", file: "connect.html", style: []string{"explore.css"}, load: s.connect}
}

// connect gathers how to point a client or a DVM here, and what may be published and asked.
func (s *Site) connect(ctx context.Context, _ *visit) (*sheet, error) {
	c := &connection{Accepted: []RelayKinds{}, Sealed: s.d.AuthEncrypted, Auth: s.d.RelayURL != ""}
	if err := s.connectRules(c); err != nil {
		return nil, err
	}
	c.Job, c.Answer = strings.Repeat("1", 64), strings.Repeat("2", 64)
	if err := s.connectExample(ctx, c); err != nil {
		return nil, err
	}
	for _, field := range [...]string{"ids", "#e", "#i"} {
		c.Portable = append(c.Portable, filterText(field, c.Job))
	}
	money, err := json.Marshal(map[string]any{"kinds": []int{nip90.KindZap, nip90.KindNutzap}, "#e": []string{c.Answer}})
	if err != nil {
		return nil, err
	}
	c.Money, c.Search = string(money), `{"search":"thread:`+c.Job+`"}`
	c.Keys = searchKeys(c.Job)
	return &sheet{Title: "Connect", About: "How to point a Data Vending Machine or a client at this relay, what it accepts, and how to ask it.", Data: c}, nil
}

// connectRules says what the relay accepts and serves, as far as it is known.
func (s *Site) connectRules(c *connection) error {
	if s.d.Relay == nil {
		return nil
	}
	facts := relayPage{RelayFacts: s.d.Relay()}
	c.Accepted = append(c.Accepted, facts.Kinds...)
	if len(facts.Information) == 0 {
		return nil
	}
	if err := json.Unmarshal(facts.Information, &facts.doc); err != nil {
		return fmt.Errorf("read the relay's document: %w", err)
	}
	c.Auth, c.Compares = slices.Contains(facts.doc.NIPs, 42), slices.Contains(facts.doc.NIPs, 77)
	limits, err := facts.Limits()
	for _, l := range limits {
		if slices.Contains(connectLimits[:], l.Name) {
			c.Limits = append(c.Limits, l)
		}
	}
	return err
}

// connectLimits are the limits that whoever writes a client or a DVM has to know.
var connectLimits = [...]string{
	"max_message_length", "max_content_length", "created_at_upper_limit", "max_subscriptions", "max_filters", "max_limit", "default_limit",
	"events_per_second", "reqs_per_second", "requests_per_key",
}

func filterText(field, id string) string { return `{"` + field + `":["` + id + `"]}` }

// connectExample puts the newest job that was answered, and its result, into the examples.
func (s *Site) connectExample(ctx context.Context, c *connection) error {
	page, err := s.threads(ctx, index.ThreadQuery{State: "success", Limit: 1, Now: s.d.Now().Unix()})
	if err != nil || len(page.Items) == 0 {
		return err
	}
	c.Job = page.Items[0].ID.String()
	got, err := s.job(ctx, &jobInput{ID: c.Job})
	if err != nil {
		return nil // it went meanwhile; the examples need no real job
	}
	for _, e := range got.Body.Events {
		if e.Role == nip90.RoleResult.String() {
			c.Answer = e.ID.String()
			break
		}
	}
	return nil
}

// searchKeys are the keys that a search knows, with examples that can be run.
func searchKeys(job string) []searchKey {
	return []searchKey{
		{"thread:", "the whole job that an event belongs to, and what comes of it later", "thread:" + job, true},
		{"state:", "jobs in a state: open, unanswered, processing, payment-required, partial, error, success, cancelled, expired, stalled", "state:unanswered", false},
		{"payment:", "jobs whose money stands so: none, asked, claimed, mismatch, invoice-expired, undelivered, refunded", "payment:claimed", false},
		{"provider:", "jobs that a key has answered", "", true},
		{"customer:", "jobs that a key asked for", "", true},
		{"job-kind:", "jobs whose request has this kind", "job-kind:5300 state:error", true},
		{"encrypted:", "jobs whose request is sealed, or is not", "encrypted:true", true},
		{"online:true", "announcements of DVMs with a heartbeat in the last 15 minutes", "online:true", false},
		{"words", "announcements and inputs with all of these words", "image", false},
	}
}
