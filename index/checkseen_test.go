package index

import (
	"context"
	"slices"
	"strings"
	"testing"

	"dvmrelay/store"
	"dvmrelay/store/storetest"

	"github.com/nbd-wtf/go-nostr"
)

const (
	relayA = "wss://a.example"
	relayB = "wss://b.example"
)

// seenRig is a rig that listens to two upstreams, or to what h says, and remembers who had what.
func seenRig(t *testing.T, h *heard) *rig {
	t.Helper()
	if h == nil {
		h = &heard{urls: []string{relayA, relayB, SelfSource}}
	}
	return newRig(t, listening(h))
}

// had notes that sources had an event.
func (r *rig) had(t *testing.T, e nostr.Event, sources ...string) {
	t.Helper()
	g, err := NewSightings(r.x, r.Store)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range sources {
		g.Saw(mustID(t, e.ID), s)
	}
	if err := g.Flush(context.Background()); err != nil {
		t.Fatal(err)
	}
}

func (r *rig) checkup(t *testing.T, name string) map[string]CheckItem {
	t.Helper()
	c := view(t, r, func(v store.Reader) (Checkup, error) {
		c, _, err := r.x.Checkup(v, pub(t, name))
		return c, err
	})
	out := make(map[string]CheckItem)
	for _, i := range c.Items {
		out[i.Code] = i
	}
	return out
}

func TestCheckup_WhereItIsSeen(t *testing.T) {
	fox := event("bob", 31990, 1, `{"name":"Fox"}`, tag("d", "fox"), tag("k", "5300"))
	list := event("bob", 10002, 1, "", tag("r", relayA), tag("r", relayB+"/"), tag("r", "wss://unwatched.example"))
	job := event("alice", 5300, 100, "", tag("relays", "wss://B.example/", "wss://unwatched.example"))
	done := event("bob", 6300, 110, "[]", tag("e", job.ID))
	type on []string
	cases := []struct {
		name          string
		announced     on
		results       on
		one           bool // this relay listens at one place only
		where, spread string
		asked         string
		evidence      string // in announced-where
	}{
		{"nothing is recorded", nil, nil, false, "unknown", "unknown", "unknown", ""},
		{"everywhere", on{relayA, relayB}, on{relayA, relayB}, false, "ok", "ok", "ok", relayA},
		{"not where its list says", on{relayA}, on{relayA}, false, "warn", "warn", "fail", relayB},
		{"only where it is asked", on{relayA, relayB}, on{relayB}, false, "ok", "warn", "ok", relayB},
		{"elsewhere than asked", on{relayB, relayA}, on{relayA, SelfSource}, false, "ok", "ok", "fail", relayB},
		{"one place is heard", on{relayA}, on{relayA}, true, "ok", "unknown", "unknown", relayA},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			var h *heard
			if c.one {
				h = &heard{urls: []string{relayA}}
			}
			r := seenRig(t, h)
			r.arrive(t, fox, list, job, done)
			r.had(t, fox, c.announced...)
			r.had(t, done, c.results...)
			r.wait()
			got := r.checkup(t, "bob")
			for code, want := range map[string]string{"announced-where": c.where, "results-on-several-upstreams": c.spread, "results-where-asked": c.asked} {
				if got[code].State != want {
					t.Errorf("%s: got %+v, want %s", code, got[code], want)
				}
			}
			if e := strings.Join(got["announced-where"].Evidence, " "); !strings.Contains(e, c.evidence) || strings.Contains(e, "unwatched") {
				t.Errorf("announced-where rests on %q, want %q in it", e, c.evidence)
			}
			handler, ok := r.handler(t, "bob", "fox")
			if want := append([]string{}, c.announced...); !ok || !slices.Equal(handler.SeenOn, want) {
				t.Errorf("the handler was seen on %v, want %v", handler.SeenOn, want)
			}
		})
	}
}

// arrive puts events that come in now, by the clock of the rig.
func (r *rig) arrive(t *testing.T, evts ...nostr.Event) {
	t.Helper()
	for _, e := range evts {
		p := storetest.Parsed(t, e)
		p.Received = r.Now()
		r.Put(t, p)
	}
}

// wait lets what came settle.
func (r *rig) wait() { r.at.Add(settledSeconds) }

func TestCheckup_ListensWhereItsAnswersAreSeen(t *testing.T) {
	job := event("alice", 5300, 100, "", tag("relays", relayA))
	done := event("bob", 6300, 110, "[]", tag("e", job.ID))
	for source, want := range map[string]string{relayA: "where customers ask", relayB: "on none that its customers name"} {
		r := seenRig(t, nil)
		r.arrive(t, event("bob", 31990, 1, `{"name":"Fox"}`, tag("d", "fox"), tag("k", "5300")), job, done)
		if got := r.checkup(t, "bob")["listens-where-asked"]; got.State != CheckUnknown {
			t.Errorf("nothing is known: got %+v", got)
		}
		r.had(t, done, source)
		r.wait()
		if got := r.checkup(t, "bob")["listens-where-asked"]; got.State != CheckWarn || !strings.Contains(got.Text, want) {
			t.Errorf("seen on %s: got %+v, want a warning that says %q", source, got, want)
		}
	}
}

func whyOf(th Thread, code string) *Why {
	for i := range th.Why {
		if th.Why[i].Code == code {
			return &th.Why[i]
		}
	}
	return nil
}

func TestWhy_GapsWhereTheJobHappensStandFirst(t *testing.T) {
	h := &heard{urls: []string{relayA, relayB, "wss://c.example"}, gaps: []Gap{
		{URL: "wss://c.example", Since: epoch + 10, Until: epoch + 20},
		{URL: relayA, Since: epoch + 30, Until: epoch + 40},
		{URL: relayB, Since: epoch + 50, Until: epoch + 60},
	}}
	job := request("alice", 0, tag("relays", relayB))
	r := seenRig(t, h)
	r.put(t, job)
	r.had(t, job, relayA)
	th, _ := r.thread(t, job.ID)
	w := whyOf(th, whyGap)
	if w == nil || len(w.Evidence) != 3 {
		t.Fatalf("got %+v, want three gaps", th.Why)
	}
	var urls []string
	for _, e := range w.Evidence {
		urls = append(urls, e.URL)
	}
	if want := []string{relayA, relayB, "wss://c.example"}; !slices.Equal(urls, want) {
		t.Errorf("gaps of %v, want %v", urls, want)
	}
	for _, want := range []string{"(which had an event of this job)", "(where the job asks for its answers)"} {
		if !strings.Contains(w.Text, want) {
			t.Errorf("%q does not say %q", w.Text, want)
		}
	}
	if h.gaps[0].URL != "wss://c.example" {
		t.Error("the list that was asked for has been changed")
	}
}

func TestWhy_ARelayThatBroughtAnAnswerIsWatched(t *testing.T) {
	job := request("alice", 0, tag("relays", "wss://followed.example"))
	word := feedback("bob", 5, "processing", job.ID)
	r := seenRig(t, nil)
	r.put(t, job, word)
	if th, _ := r.thread(t, job.ID); whyOf(th, whyUnwatched) == nil {
		t.Errorf("got %v, want %s", whyCodesOf(th), whyUnwatched)
	}
	r.had(t, word, "wss://followed.example")
	if th, _ := r.thread(t, job.ID); whyOf(th, whyUnwatched) != nil {
		t.Errorf("got %v though the relay was followed", whyCodesOf(th))
	}
}

func TestWhy_SilentProviderIsWhereNobodyListens(t *testing.T) {
	job := request("alice", 0, tag("p", key("bob")))
	for relay, want := range map[string]bool{"wss://far.example": true, "wss://A.example/": false} {
		r := seenRig(t, nil)
		r.put(t, job, event("bob", 10002, -5, "", tag("r", relay)))
		th, _ := r.thread(t, job.ID)
		w := whyOf(th, whyElsewhere)
		if (w != nil) != want {
			t.Errorf("its list names %s: got %v, want %s %t", relay, whyCodesOf(th), whyElsewhere, want)
		}
		if w != nil && (len(w.Evidence) != 1 || w.Evidence[0].URL != relay || w.Evidence[0].PubKey != key("bob")) {
			t.Errorf("evidence %+v, want the relay and whose it is", w.Evidence)
		}
	}
}
