package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"testing"
)

// job is what a thread looks like from outside, reduced to what must agree everywhere.
type job struct {
	ID       string `json:"id"`
	Kind     int    `json:"kind"`
	Customer string `json:"customer"`
	State    string `json:"state"`
	Payment  string `json:"payment"`
	Events   []struct {
		ID   string `json:"id"`
		Kind int    `json:"kind"`
		Role string `json:"role"`
	} `json:"events"`
	Providers []struct {
		Pubkey string `json:"pubkey"`
		State  string `json:"state"`
	} `json:"providers"`
}

// digest makes two views comparable whatever the order of their events.
func (j job) digest() string {
	var events, providers []string
	for _, e := range j.Events {
		events = append(events, fmt.Sprintf("%s/%d/%s", e.ID, e.Kind, e.Role))
	}
	for _, p := range j.Providers {
		providers = append(providers, p.Pubkey+"/"+p.State)
	}
	slices.Sort(events)
	slices.Sort(providers)
	return fmt.Sprintf("id=%s kind=%d customer=%s state=%s payment=%s\nevents=%v\nproviders=%v", j.ID, j.Kind, j.Customer, j.State, j.Payment, events, providers)
}

func (j job) ids() []string {
	var ids []string
	for _, e := range j.Events {
		ids = append(ids, e.ID)
	}
	slices.Sort(ids)
	return ids
}

func (h *hub) api(id string) (job, error) {
	var j job
	resp, err := http.Get(h.http("/api/v1/jobs/" + id))
	if err != nil {
		return j, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return j, fmt.Errorf("GET /api/v1/jobs/%s: %s", id, resp.Status)
	}
	return j, json.NewDecoder(resp.Body).Decode(&j)
}

// played is what the three scripts of the story made.
type played struct {
	Customer string `json:"customer"`
	Provider string `json:"provider"`
	Request  string `json:"request"`
	Feedback string `json:"feedback"`
	Result   string `json:"result"`
}

func (p played) ids() []string {
	ids := []string{p.Request, p.Feedback, p.Result}
	slices.Sort(ids)
	return ids
}

// views asks one hub for the thread in every way there is and wants one answer.
func (h *hub) views(p played) job {
	h.t.Helper()
	var want job
	poll(h.t, "the whole thread at "+h.addr, func() error {
		var err error
		want, err = h.api(p.Request)
		if err == nil && !slices.Equal(want.ids(), p.ids()) {
			err = fmt.Errorf("api has events %v, want %v", want.ids(), p.ids())
		}
		return err
	})
	for _, id := range []string{p.Request, p.Feedback, p.Result} {
		byAPI, err := h.api(id)
		if err != nil {
			h.t.Fatal(err)
		}
		var byVerb job
		if err := json.Unmarshal(h.verb("thread", id, "--json"), &byVerb); err != nil {
			h.t.Fatalf("dvmrelay thread %s --json: %v", id, err)
		}
		if got := byAPI.digest(); got != want.digest() {
			h.t.Errorf("%s: api by %s:\n%s\nwant\n%s", h.addr, id, got, want.digest())
		}
		if got := byVerb.digest(); got != want.digest() {
			h.t.Errorf("%s: thread %s:\n%s\nwant\n%s", h.addr, id, got, want.digest())
		}
	}
	var req struct {
		Search   []string `json:"search"`
		Portable []string `json:"portable"`
	}
	ask(h.t, &req, "thread.mjs", h.ws(), p.Request)
	for way, ids := range map[string][]string{"search": req.Search, "portable": req.Portable} {
		if !slices.Equal(ids, p.ids()) {
			h.t.Errorf("%s: REQ by %s: got %v, want %v", h.addr, way, ids, p.ids())
		}
	}
	return want
}

// Three clients play one job on A, which B mirrors. Both are killed and started again, and the thread is still the same.
func TestStory_JobSurvivesOnBothHubs(t *testing.T) {
	a := newHub(t)
	b := newHub(t, "DVMRELAY_MIRROR_UPSTREAMS="+a.ws())
	a.start()
	b.start()

	var ready struct{ Ready bool }
	provider := node(t, "provider.mjs", a.ws())
	provider.next(&ready)
	near := node(t, "observer.mjs", a.ws())
	near.next(&ready)
	far := node(t, "observer.mjs", b.ws())
	far.next(&ready)
	customer := node(t, "customer.mjs", a.ws())

	var p, worked played
	customer.next(&p)
	customer.end()
	provider.next(&worked)
	provider.end()
	if worked != p {
		t.Errorf("provider saw %+v, customer %+v", worked, p)
	}
	for name, o := range map[string]*script{"observer of A": near, "observer of B": far} {
		var seen struct{ Seen []string }
		o.next(&seen)
		o.end()
		slices.Sort(seen.Seen)
		if !slices.Equal(seen.Seen, p.ids()) {
			t.Errorf("%s saw %v, want %v", name, seen.Seen, p.ids())
		}
	}

	before := a.views(p)
	if before.State != "success" || before.Customer != p.Customer || len(before.Providers) != 1 || before.Providers[0].Pubkey != p.Provider {
		t.Errorf("thread is\n%s\nwant success, customer %s and provider %s", before.digest(), p.Customer, p.Provider)
	}
	if got := b.views(p); got.digest() != before.digest() {
		t.Errorf("B has\n%s\nA has\n%s", got.digest(), before.digest())
	}

	a.kill()
	b.kill()
	b.start() // the mirror first: its upstream is away and must not keep it from serving
	if got := b.views(p); got.digest() != before.digest() {
		t.Errorf("B after its kill has\n%s\nbefore\n%s", got.digest(), before.digest())
	}
	a.start()
	if got := a.views(p); got.digest() != before.digest() {
		t.Errorf("A after its kill has\n%s\nbefore\n%s", got.digest(), before.digest())
	}
	b.tellsWhenItHeard(a.ws())
	a.stop()
	b.stop()
}

// tellsWhenItHeard wants statistics that know of both sources. What was missed of the upstream while the hub was down has been read
// since. Its own doors were shut, and nothing can make up for that; but a hub killed at once may not remember that it was open.
func (h *hub) tellsWhenItHeard(upstream string) {
	h.t.Helper()
	type stats struct {
		ObservedSince int64 `json:"observed_since"`
		Coverage      []struct {
			URL     string `json:"url"`
			Heard   int64  `json:"heard_seconds"`
			Seconds int64  `json:"window_seconds"`
		} `json:"coverage"`
		Gaps []struct {
			URL string `json:"url"`
			Why string `json:"why"`
		} `json:"gaps"`
	}
	poll(h.t, "the gaps of "+h.addr, func() error {
		resp, err := http.Get(h.http("/api/v1/stats?window=1h"))
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		var st stats
		if err := json.NewDecoder(resp.Body).Decode(&st); err != nil {
			return err
		}
		gaps := map[string][]string{}
		for _, g := range st.Gaps {
			gaps[g.URL] = append(gaps[g.URL], g.Why)
		}
		sources := map[string]bool{}
		for _, c := range st.Coverage {
			sources[c.URL] = c.Heard > 0 && c.Heard < c.Seconds
		}
		switch {
		case st.ObservedSince == 0 || !sources["self"] || !sources[upstream] || len(sources) != 2,
			!slices.Equal(gaps[upstream], []string{"unheard-before"}),
			!slices.Equal(gaps["self"], []string{"unheard-before", "stopped"}) && !slices.Equal(gaps["self"], []string{"unheard-before"}):
			return fmt.Errorf("statistics say %+v", st)
		}
		return nil
	})
}
